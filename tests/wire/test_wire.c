/* The codec against the code that protobuf-c generates: field by field, and random
 * messages byte by byte; then back, and what hostile bytes do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/base/prng.h"
#include "engine/core/core.h"
#include "pawl.pb-c.h"
#include "sdk/wire/frame.h"
#include "sdk/wire/wire.h"

_Static_assert((int)WIRE_OUTCOME_PENDING == (int)OUTCOME_PENDING, "one enum");
_Static_assert((int)WIRE_OUTCOME_SUCCEEDED == (int)OUTCOME_SUCCEEDED, "one enum");
_Static_assert((int)WIRE_OUTCOME_FAILED == (int)OUTCOME_FAILED, "one enum");
_Static_assert((int)WIRE_OUTCOME_ERROR == (int)OUTCOME_ERROR, "one enum");
_Static_assert((int)WIRE_OUTCOME_HELD == (int)OUTCOME_HELD, "one enum");

static const struct bytes sample = {(const uint8_t *)"0123456789abcdef", 16};

/* --- each field under its name ------------------------------------------------------ */

/* Sets one member of ours, and expects it in the member of that name of theirs. */
#define CHECK(put, ours, theirs, unpack, release, member, value, expected)                         \
    do {                                                                                           \
        struct ours from = {0};                                                                    \
        struct buf buf = {0};                                                                      \
        theirs *got;                                                                               \
        from.member = value;                                                                       \
        put;                                                                                       \
        got = unpack(NULL, buf.len, buf.data);                                                     \
        assert_non_null(got);                                                                      \
        assert_int_equal(got->base.n_unknown_fields, 0);                                           \
        assert_true(expected);                                                                     \
        release(got, NULL);                                                                        \
        buf_fini(&buf);                                                                            \
    } while (0)

#define IS_TEXT(text) (memcmp((text), sample.data, 16) == 0 && (text)[16] == '\0')
#define IS_DATA(field) ((field).len == 16 && memcmp((field).data, sample.data, 16) == 0)

#define FLAT(name, ours, theirs, lower, member, value, expected)                                   \
    CHECK(wire_put_##name(&buf, &from), ours, theirs, lower##__unpack, lower##__free_unpacked,     \
          member, value, expected)

#define COMPLETE(member, value, expected)                                                          \
    FLAT(complete, wire_complete, Pawl__Wire__Complete, pawl__wire__complete, member, value,       \
         expected)
#define LOG(member, value, expected)                                                               \
    FLAT(log, wire_log, Pawl__Wire__Log, pawl__wire__log, member, value, expected)
#define INVOKE(member, value, expected)                                                            \
    CHECK(wire_put_invoke(&buf, NULL, &from), wire_invoke, Pawl__Wire__Invoke,                     \
          pawl__wire__invoke__unpack, pawl__wire__invoke__free_unpacked, member, value, expected)
#define CHECKPOINTED(member, value, expected)                                                      \
    CHECK(wire_put_checkpointed(&buf, NULL, &from), wire_checkpointed, Pawl__Wire__Checkpointed,   \
          pawl__wire__checkpointed__unpack, pawl__wire__checkpointed__free_unpacked, member,       \
          value, expected)
#define RECORD(member, value, expected)                                                            \
    CHECK(wire_put_records(&buf, NULL, &from, 1), record, Pawl__Wire__Records,                     \
          pawl__wire__records__unpack, pawl__wire__records__free_unpacked, member, value,          \
          expected)
#define UPDATE(member, value, expected)                                                            \
    CHECK(put_update(&buf, &from), op_update, Pawl__Wire__Checkpoint,                              \
          pawl__wire__checkpoint__unpack, pawl__wire__checkpoint__free_unpacked, member, value,    \
          expected)
#define OPERATION(member, value, expected)                                                         \
    CHECK(put_operation(&buf, &from), wire_operation, Pawl__Wire__Checkpointed,                    \
          pawl__wire__checkpointed__unpack, pawl__wire__checkpointed__free_unpacked, member,       \
          value, expected)

static void put_update(struct buf *buf, struct op_update *update)
{
    const struct wire_checkpoint checkpoint = {.updates = update, .update_count = 1};

    wire_put_checkpoint(buf, NULL, &checkpoint);
}

static void put_operation(struct buf *buf, struct wire_operation *operation)
{
    const struct wire_checkpointed message = {.operations = operation, .operation_count = 1};

    wire_put_checkpointed(buf, NULL, &message);
}

static void test_fields_of_messages_are_under_their_names(void **state)
{
    (void)state;
    FLAT(error, error_object, Pawl__Wire__ErrorObject, pawl__wire__error_object, type, sample,
         IS_TEXT(got->type));
    FLAT(error, error_object, Pawl__Wire__ErrorObject, pawl__wire__error_object, message, sample,
         IS_TEXT(got->message));
    FLAT(error, error_object, Pawl__Wire__ErrorObject, pawl__wire__error_object, data, sample,
         IS_TEXT(got->data));
    FLAT(hello, wire_hello, Pawl__Wire__Hello, pawl__wire__hello, protocol, 77,
         got->protocol == 77);
    FLAT(hello, wire_hello, Pawl__Wire__Hello, pawl__wire__hello, sdk, sample, IS_TEXT(got->sdk));
    FLAT(cancel, wire_cancel, Pawl__Wire__Cancel, pawl__wire__cancel, reason, sample,
         IS_TEXT(got->reason));
    COMPLETE(outcome, 4, got->outcome == 4);
    COMPLETE(has_payload, true, got->has_payload);
    COMPLETE(payload, sample, IS_DATA(got->payload));
    COMPLETE(error, sample, IS_DATA(got->error));
    LOG(level, 3, got->level == 3);
    LOG(text, sample, IS_TEXT(got->text));
    LOG(operation_id, sample, IS_TEXT(got->operation_id));
    LOG(attempt, 5, got->attempt == 5);
    CHECKPOINTED(seq, 6, got->seq == 6);
    CHECKPOINTED(refusal, sample, IS_TEXT(got->refusal));
    CHECKPOINTED(message, sample, IS_TEXT(got->message));
    CHECKPOINTED(last, UINT64_MAX, got->last == UINT64_MAX);
}

static void test_fields_of_an_invoke_are_under_their_names(void **state)
{
    (void)state;
    INVOKE(request_id, sample, IS_TEXT(got->request_id));
    INVOKE(function_arn, sample, IS_TEXT(got->function_arn));
    INVOKE(deadline_ms, -5, got->deadline_ms == -5);
    INVOKE(has_payload, true, got->has_payload);
    INVOKE(payload, sample, IS_DATA(got->payload));
    INVOKE(tenant_id, sample, IS_TEXT(got->tenant_id));
    INVOKE(trace_id, sample, IS_TEXT(got->trace_id));
    INVOKE(client_context, sample, IS_TEXT(got->client_context));
    INVOKE(is_durable, true, got->is_durable);
    INVOKE(execution_arn, sample, IS_TEXT(got->execution_arn));
    INVOKE(attempt, 9, got->attempt == 9);
    INVOKE(execution_id, sample, IS_DATA(got->execution_id));
    INVOKE(base, 10, got->base_record == 10); /* "base" is taken in generated structs */
    INVOKE(last, 11, got->last == 11);
    INVOKE(start_ms, INT64_MAX, got->start_ms == INT64_MAX);
}

static void test_fields_of_an_operation_are_under_their_names(void **state)
{
    (void)state;
    OPERATION(id, sample, IS_TEXT(got->operations[0]->id));
    OPERATION(type, OP_CALLBACK, got->operations[0]->type == 5);
    OPERATION(status, OP_STOPPED, got->operations[0]->status == 8);
    OPERATION(parent_id, sample, IS_TEXT(got->operations[0]->parent_id));
    OPERATION(name, sample, IS_TEXT(got->operations[0]->name));
    OPERATION(sub_type, sample, IS_TEXT(got->operations[0]->sub_type));
    OPERATION(attempt, 3, got->operations[0]->attempt == 3);
    OPERATION(replay_children, true, got->operations[0]->replay_children);
    OPERATION(has_result, true, got->operations[0]->has_result);
    OPERATION(result, sample, IS_DATA(got->operations[0]->result));
    OPERATION(has_error, true, got->operations[0]->has_error);
    OPERATION(error, sample, IS_DATA(got->operations[0]->error));
    OPERATION(start_ms, 13, got->operations[0]->start_ms == 13);
    OPERATION(end_ms, 14, got->operations[0]->end_ms == 14);
    OPERATION(due_ms, 15, got->operations[0]->due_ms == 15);
    OPERATION(callback_id, sample, IS_TEXT(got->operations[0]->callback_id));
    OPERATION(is_pruned, true, got->operations[0]->is_pruned);
}

static void test_fields_of_an_update_are_under_their_names(void **state)
{
    (void)state;
    UPDATE(id, sample, IS_TEXT(got->updates[0]->id));
    UPDATE(type, OP_STEP, got->updates[0]->type == 3);
    UPDATE(action, OP_CANCEL, got->updates[0]->action == 5);
    UPDATE(parent_id, sample, IS_TEXT(got->updates[0]->parent_id));
    UPDATE(name, sample, IS_TEXT(got->updates[0]->name));
    UPDATE(sub_type, sample, IS_TEXT(got->updates[0]->sub_type));
    UPDATE(has_payload, true, got->updates[0]->has_payload);
    UPDATE(payload, sample, IS_DATA(got->updates[0]->payload));
    UPDATE(has_error, true, got->updates[0]->has_error);
    UPDATE(error, sample, IS_DATA(got->updates[0]->error));
    UPDATE(has_step_options, true, got->updates[0]->has_step_options);
    UPDATE(delay_s, 12, got->updates[0]->delay_s == 12);
    UPDATE(wait_s, 13, got->updates[0]->wait_s == 13);
    UPDATE(timeout_s, 14, got->updates[0]->timeout_s == 14);
    UPDATE(heartbeat_s, 15, got->updates[0]->heartbeat_s == 15);
    UPDATE(replay_children, true, got->updates[0]->replay_children);
    UPDATE(function, sample, IS_TEXT(got->updates[0]->function));
    UPDATE(tenant_id, sample, IS_TEXT(got->updates[0]->tenant_id));
}

static void test_fields_of_a_record_are_under_their_names(void **state)
{
    struct id id;

    (void)state;
    memcpy(id.bytes, sample.data, sizeof id.bytes);
    RECORD(kind, NOTE_REDRIVEN, got->records[0]->kind == 72);
    RECORD(event_id, 2, got->records[0]->event_id == 2);
    RECORD(time_ms, -3, got->records[0]->time_ms == -3);
    RECORD(op_id, sample, IS_TEXT(got->records[0]->op_id));
    RECORD(parent_id, sample, IS_TEXT(got->records[0]->parent_id));
    RECORD(name, sample, IS_TEXT(got->records[0]->name));
    RECORD(sub_type, sample, IS_TEXT(got->records[0]->sub_type));
    RECORD(has_payload, true, got->records[0]->has_payload);
    RECORD(payload, sample, IS_DATA(got->records[0]->payload));
    RECORD(has_error, true, got->records[0]->has_error);
    RECORD(error, sample, IS_DATA(got->records[0]->error));
    RECORD(replay_children, true, got->records[0]->replay_children);
    RECORD(attempt, 13, got->records[0]->attempt == 13);
    RECORD(delay_s, 14, got->records[0]->delay_s == 14);
    RECORD(due_ms, 15, got->records[0]->due_ms == 15);
    RECORD(timeout_s, 16, got->records[0]->timeout_s == 16);
    RECORD(heartbeat_s, 17, got->records[0]->heartbeat_s == 17);
    RECORD(op_status, OP_FAILED, got->records[0]->op_status == 5);
    RECORD(function, sample, IS_TEXT(got->records[0]->function));
    RECORD(tenant_id, sample, IS_TEXT(got->records[0]->tenant_id));
    RECORD(arn, sample, IS_TEXT(got->records[0]->arn));
    RECORD(start_ms, 22, got->records[0]->start_ms == 22);
    RECORD(request_id, id, IS_DATA(got->records[0]->request_id));
    RECORD(exec_kind, EXEC_EVENT, got->records[0]->exec_kind == 2);
    RECORD(revision, 25, got->records[0]->revision == 25);
    RECORD(retention_days, 26, got->records[0]->retention_days == 26);
    RECORD(retries_max, 27, got->records[0]->retries_max == 27);
    RECORD(event_age_s, 28, got->records[0]->event_age_s == 28);
    RECORD(digest[31], 29,
           got->records[0]->digest.len == 32 && got->records[0]->digest.data[31] == 29);
    RECORD(parent_exec, id, IS_DATA(got->records[0]->parent_exec));
    RECORD(parent_op, sample, IS_TEXT(got->records[0]->parent_op));
    RECORD(trace_id, sample, IS_TEXT(got->records[0]->trace_id));
    RECORD(on_success, sample, IS_TEXT(got->records[0]->on_success));
    RECORD(on_failure, sample, IS_TEXT(got->records[0]->on_failure));
}

/* --- random messages ----------------------------------------------------------------- */

static uint8_t noise[300000];

static struct bytes random_bytes(struct prng *prng, uint32_t max)
{
    static const uint32_t sizes[] = {0, 1, 5, 30, 126, 127, 128, 129, 300, 16383, 16384, 70000};
    uint32_t len = sizes[prng_below(prng, sizeof sizes / sizeof sizes[0])];

    len = (len > max) ? max : len;
    return bytes_of(noise + prng_below(prng, 1000), len);
}

static int64_t random_number(struct prng *prng)
{
    return (int64_t)(prng_next(prng) >> prng_below(prng, 64));
}

static struct record random_record(struct prng *prng)
{
    struct record record = {
        .kind = (enum record_kind)prng_below(prng, 80),
        .event_id = (uint64_t)random_number(prng),
        .time_ms = random_number(prng),
        .op_id = random_bytes(prng, OP_ID_MAX),
        .parent_id = random_bytes(prng, OP_ID_MAX),
        .name = random_bytes(prng, OP_NAME_MAX),
        .sub_type = random_bytes(prng, OP_SUB_TYPE_MAX),
        .has_payload = prng_below(prng, 2) != 0,
        .payload = random_bytes(prng, 70000),
        .error = random_bytes(prng, 300),
        .attempt = (uint32_t)random_number(prng),
        .due_ms = random_number(prng),
        .op_status = (enum op_status)prng_below(prng, 9),
        .function = random_bytes(prng, 128),
    };

    if (prng_below(prng, 2) != 0) {
        memcpy(record.request_id.bytes, noise, sizeof record.request_id.bytes);
        memcpy(record.digest, noise + 7, sizeof record.digest);
    }
    return record;
}

static void assert_same_record(const struct record *a, const struct record *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_true(a->event_id == b->event_id && a->time_ms == b->time_ms && a->due_ms == b->due_ms);
    assert_true(bytes_equal(a->op_id, b->op_id) && bytes_equal(a->parent_id, b->parent_id));
    assert_true(bytes_equal(a->name, b->name) && bytes_equal(a->sub_type, b->sub_type));
    assert_true(a->has_payload == b->has_payload && bytes_equal(a->payload, b->payload));
    assert_true(bytes_equal(a->error, b->error) && a->attempt == b->attempt);
    assert_true(a->op_status == b->op_status && bytes_equal(a->function, b->function));
    assert_memory_equal(&a->request_id, &b->request_id, sizeof a->request_id);
    assert_memory_equal(a->digest, b->digest, sizeof a->digest);
}

/* Ours -> theirs -> bytes: the same; and ours -> ours: the same. */
static void check_records(struct prng *prng, struct arena *arena)
{
    struct record from[5];
    struct record *back;
    size_t count = prng_below(prng, 6);
    size_t back_count;
    struct buf buf = {0};
    Pawl__Wire__Records *theirs;
    uint8_t *packed;

    for (size_t i = 0; i < count; i++) {
        from[i] = random_record(prng);
    }
    wire_put_records(&buf, NULL, from, count);
    theirs = pawl__wire__records__unpack(NULL, buf.len, buf.data);
    assert_non_null(theirs);
    assert_int_equal(pawl__wire__records__get_packed_size(theirs), buf.len);
    packed = test_malloc(buf.len + 1);
    pawl__wire__records__pack(theirs, packed);
    assert_true(bytes_equal(bytes_of(packed, buf.len), buf_bytes(&buf)));
    assert_int_equal(wire_get_records(arena, buf_bytes(&buf), &back, &back_count), 0);
    assert_int_equal(back_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_same_record(&from[i], &back[i]);
    }
    pawl__wire__records__free_unpacked(theirs, NULL);
    test_free(packed);
    buf_fini(&buf);
}

static void fill_noise(void)
{
    struct prng prng = {42};

    for (size_t i = 0; i < sizeof noise; i++) {
        noise[i] = (uint8_t)(1 + prng_below(&prng, 255)); /* generated texts end at a zero */
    }
}

static void test_random_records_have_the_bytes_of_generated_code(void **state)
{
    struct arena arena;

    (void)state;
    fill_noise();
    arena_init(&arena, 0);
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct prng prng = {seed};

        check_records(&prng, &arena);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

static void test_checkpoint_comes_back_with_its_updates_in_order(void **state)
{
    struct op_update updates[] = {
        {.type = OP_STEP, .action = OP_START, .id = sample, .name = sample},
        {.type = OP_STEP,
         .action = OP_RETRY,
         .id = sample,
         .has_payload = true,
         .has_step_options = true,
         .delay_s = 7},
    };
    const struct wire_checkpoint from = {.seq = 3, .updates = updates, .update_count = 2};
    struct wire_checkpoint back;
    struct arena arena;
    struct buf buf = {0};

    (void)state;
    arena_init(&arena, 0);
    wire_put_checkpoint(&buf, NULL, &from);
    assert_int_equal(wire_get_checkpoint(&arena, buf_bytes(&buf), &back), 0);
    assert_int_equal(back.seq, 3);
    assert_int_equal(back.update_count, 2);
    assert_true(bytes_equal(back.updates[0].name, sample));
    assert_int_equal(back.updates[1].action, OP_RETRY);
    assert_true(back.updates[1].has_payload && back.updates[1].payload.len == 0);
    assert_int_equal(back.updates[1].delay_s, 7);
    buf_fini(&buf);
    arena_fini(&arena);
}

static void test_stack_of_an_error_comes_back(void **state)
{
    struct bytes lines[] = {sample, {(const uint8_t *)"", 0}, sample};
    const struct error_object from = {.type = sample, .stack = lines, .stack_count = 3};
    struct error_object back;
    struct arena arena;
    struct buf buf = {0};

    (void)state;
    arena_init(&arena, 0);
    wire_put_error(&buf, &from);
    assert_int_equal(wire_get_error(&arena, buf_bytes(&buf), &back), 0);
    assert_int_equal(back.stack_count, 3);
    assert_true(bytes_equal(back.stack[0], sample) && back.stack[1].len == 0);
    assert_true(bytes_equal(back.stack[2], sample));
    buf_fini(&buf);
    arena_fini(&arena);
}

/* --- limits -------------------------------------------------------------------------- */

static int put_and_get(struct op_update *updates, size_t count)
{
    const struct wire_checkpoint from = {.seq = 1, .updates = updates, .update_count = count};
    struct wire_checkpoint back;
    struct arena arena;
    struct buf buf = {0};
    int r;

    arena_init(&arena, 0);
    wire_put_checkpoint(&buf, NULL, &from);
    r = wire_get_checkpoint(&arena, buf_bytes(&buf), &back);
    buf_fini(&buf);
    arena_fini(&arena);
    return r;
}

/* One byte more than the limit is refused, the limit itself is not. */
#define ASSERT_LIMIT(member, limit)                                                                \
    do {                                                                                           \
        struct op_update update = {.type = OP_STEP};                                               \
        update.member = bytes_of(noise, (limit));                                                  \
        assert_int_equal(put_and_get(&update, 1), 0);                                              \
        update.member = bytes_of(noise, (limit) + 1);                                              \
        assert_int_equal(put_and_get(&update, 1), ERR_PROTOCOL);                                   \
    } while (0)

static void test_limits_of_form_are_kept(void **state)
{
    static struct op_update updates[UPDATES_MAX + 1];

    (void)state;
    ASSERT_LIMIT(id, OP_ID_MAX);
    ASSERT_LIMIT(parent_id, OP_ID_MAX);
    ASSERT_LIMIT(name, OP_NAME_MAX);
    ASSERT_LIMIT(sub_type, OP_SUB_TYPE_MAX);
    ASSERT_LIMIT(error, OP_ERROR_BYTES_MAX);
    assert_int_equal(put_and_get(updates, UPDATES_MAX), 0);
    assert_int_equal(put_and_get(updates, UPDATES_MAX + 1), ERR_PROTOCOL);
}

static void test_body_over_the_size_of_a_message_is_refused(void **state)
{
    struct wire_complete complete;
    struct arena arena;
    struct buf buf = {0};

    (void)state;
    arena_init(&arena, 0);
    assert_non_null(buf_reserve(&buf, WIRE_MESSAGE_BYTES_MAX + 1));
    memset(buf.data, 0, WIRE_MESSAGE_BYTES_MAX + 1);
    assert_int_equal(
        wire_get_complete(&arena, bytes_of(buf.data, WIRE_MESSAGE_BYTES_MAX + 1), &complete),
        ERR_PROTOCOL);
    buf_fini(&buf);
    arena_fini(&arena);
}

/* --- hostile bytes ------------------------------------------------------------------- */

static void test_malformed_bytes_are_refused(void **state)
{
    static const struct bytes bad[] = {
        {(const uint8_t *)"\x08", 1},     /* no value */
        {(const uint8_t *)"\x08\x80", 2}, /* no end of it */
        {(const uint8_t *)"\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 11},
        {(const uint8_t *)"\x12\x05"
                          "abcd",
         6},                                                                   /* too short */
        {(const uint8_t *)"\x12\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11}, /* 2^64 - 1 */
        {(const uint8_t *)"\x0A\x01X", 3}, /* text for a number */
        {(const uint8_t *)"\x10\x01", 2},  /* number for a message */
        {(const uint8_t *)"\x00\x01", 2},  /* tag 0 */
        {(const uint8_t *)"\x0B\x0C", 2},  /* a group */
        {(const uint8_t *)"\x79\x01", 2},  /* 8 bytes of unknown */
    };
    struct wire_checkpoint checkpoint;
    struct arena arena;

    (void)state;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(wire_get_checkpoint(&arena, bad[i], &checkpoint), ERR_PROTOCOL);
    }
    arena_fini(&arena);
}

static void test_unknown_fields_are_skipped(void **state)
{
    static const uint8_t body[] = {0x08, 5, 0x78, 1, 0x79, 1, 2,    3, 4, 5, 6,
                                   7,    8, 0x7A, 2, 1,    2, 0x7D, 1, 2, 3, 4};
    struct wire_checkpoint checkpoint;
    struct arena arena;

    (void)state;
    arena_init(&arena, 0);
    assert_int_equal(wire_get_checkpoint(&arena, bytes_of(body, sizeof body), &checkpoint), 0);
    assert_int_equal(checkpoint.seq, 5);
    assert_int_equal(checkpoint.update_count, 0);
    arena_fini(&arena);
}

/* Good bytes with a few changed: never a crash, never much memory. */
static void test_damaged_bytes_are_survived(void **state)
{
    struct arena arena;

    (void)state;
    fill_noise();
    arena_init(&arena, 64U << 20);
    for (uint64_t seed = 0; seed < 20000; seed++) {
        struct prng prng = {seed};
        struct record from[2] = {random_record(&prng), random_record(&prng)};
        struct record *back;
        struct wire_invoke invoke;
        struct error_object error;
        struct buf buf = {0};
        size_t count;
        int r;

        from[0].payload.len %= 300;
        from[1].payload.len %= 300;
        wire_put_records(&buf, NULL, from, 2);
        for (unsigned i = 0; i < 3; i++) {
            buf.data[prng_below(&prng, (uint32_t)buf.len)] = (uint8_t)prng_next(&prng);
        }
        buf.len -= prng_below(&prng, (uint32_t)buf.len);
        r = wire_get_records(&arena, buf_bytes(&buf), &back, &count);
        assert_true(r == 0 || r == ERR_PROTOCOL);
        r = wire_get_invoke(&arena, buf_bytes(&buf), &invoke);
        assert_true(r == 0 || r == ERR_PROTOCOL);
        r = wire_get_error(&arena, buf_bytes(&buf), &error);
        assert_true(r == 0 || r == ERR_PROTOCOL);
        buf_fini(&buf);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

static int fail_after;

static bool count_down(size_t size)
{
    (void)size;
    return fail_after-- > 0;
}

static void test_every_allocation_may_fail(void **state)
{
    struct record from[100] = {{.kind = STEP_STARTED, .op_id = sample, .payload = {noise, 5000}}};
    int n = 0;
    int r;

    (void)state;
    do {
        struct record *back;
        struct arena arena;
        struct buf buf = {0};
        size_t count;

        arena_init(&arena, 0);
        fail_after = n++;
        mem_set_hook(count_down);
        wire_put_records(&buf, NULL, from, 100);
        r = buf.failed ? ERR_NOMEM : wire_get_records(&arena, buf_bytes(&buf), &back, &count);
        mem_set_hook(NULL);
        assert_true(r == 0 || r == ERR_NOMEM);
        buf_fini(&buf);
        arena_fini(&arena);
    } while (r != 0);
    assert_true(n > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_of_messages_are_under_their_names),
        cmocka_unit_test(test_fields_of_an_invoke_are_under_their_names),
        cmocka_unit_test(test_fields_of_an_operation_are_under_their_names),
        cmocka_unit_test(test_fields_of_an_update_are_under_their_names),
        cmocka_unit_test(test_fields_of_a_record_are_under_their_names),
        cmocka_unit_test(test_random_records_have_the_bytes_of_generated_code),
        cmocka_unit_test(test_checkpoint_comes_back_with_its_updates_in_order),
        cmocka_unit_test(test_stack_of_an_error_comes_back),
        cmocka_unit_test(test_limits_of_form_are_kept),
        cmocka_unit_test(test_body_over_the_size_of_a_message_is_refused),
        cmocka_unit_test(test_malformed_bytes_are_refused),
        cmocka_unit_test(test_unknown_fields_are_skipped),
        cmocka_unit_test(test_damaged_bytes_are_survived),
        cmocka_unit_test(test_every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
