#include "tests/sdk/fake.h"

#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define SILENCE_MS 20000
#define SHORT_MS 200

static void *run_service(void *arg)
{
    struct fake *fake = arg;
    int fd = (int)fake->number;

    fake->number = 0;
    fake->served = service_run(fd, &fake->options);
    return NULL;
}

static struct bytes dup_bytes(struct fake *fake, struct bytes bytes)
{
    struct bytes copy = arena_copy(&fake->arena, bytes);

    assert_non_null(copy.data);
    return copy;
}

/* Nothing is sent for being old: no test depends on how long something takes. */
#define TICK_MS_NEVER 3600000U

void fake_start(struct fake *fake, pawl_handler_fn *handler)
{
    struct service_options options = {
        .handler = handler, .cache_bytes_max = CACHE_BYTES_DEFAULT, .tick_ms = TICK_MS_NEVER};

    fake_start_with(fake, &options);
}

void fake_start_with(struct fake *fake, const struct service_options *options)
{
    struct frame frame;
    struct wire_hello hello;
    int fds[2];

    memset(fake, 0, sizeof *fake);
    fake->options = *options;
    arena_init(&fake->arena, 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    fake->fd = fds[0];
    fake->number = (uint64_t)fds[1];
    assert_int_equal(frame_reader_create(&fake->reader), 0);
    assert_int_equal(pthread_create(&fake->thread, NULL, run_service, fake), 0);
    frame = fake_next(fake);
    assert_int_equal(frame.type, WIRE_HELLO);
    assert_int_equal(wire_get_hello(&fake->arena, frame.body, &hello), 0);
    assert_int_equal(hello.protocol, WIRE_PROTOCOL);
}

void fake_stop(struct fake *fake)
{
    assert_int_equal(shutdown(fake->fd, SHUT_RDWR), 0);
    pthread_join(fake->thread, NULL);
    close(fake->fd);
    assert_int_equal(fake->served, 0);
    frame_reader_destroy(fake->reader);
    buf_fini(&fake->trace);
    buf_fini(&fake->logs);
    arena_fini(&fake->arena);
}

const char *fake_text(struct fake *fake, struct bytes bytes)
{
    return (const char *)dup_bytes(fake, bytes).data;
}

/* --- the connection --------------------------------------------------------------- */

static void fill(struct fake *fake)
{
    struct pollfd item = {.fd = fake->fd, .events = POLLIN};
    uint8_t *room;
    size_t len = frame_reader_room(fake->reader, &room);
    ssize_t n;

    assert_int_equal(poll(&item, 1, SILENCE_MS), 1);
    n = recv(fake->fd, room, len, 0);
    assert_true(n > 0);
    frame_reader_pushed(fake->reader, (size_t)n);
}

bool fake_hears(struct fake *fake)
{
    struct pollfd item = {.fd = fake->fd, .events = POLLIN};

    return poll(&item, 1, SHORT_MS) == 1;
}

struct frame fake_next(struct fake *fake)
{
    struct frame frame;
    int r;

    while ((r = frame_reader_next(fake->reader, &frame)) == 0) {
        fill(fake);
    }
    assert_int_equal(r, 1);
    return frame;
}

void fake_send(struct fake *fake, enum wire_type type, uint64_t number, struct bytes body)
{
    struct buf buf = {0};
    size_t done = 0;

    frame_append(&buf, type, number, body);
    while (done < buf.len) {
        ssize_t n = send(fake->fd, buf.data + done, buf.len - done, MSG_NOSIGNAL);

        assert_true(n > 0);
        done += (size_t)n;
    }
    buf_fini(&buf);
}

/* --- the operations ---------------------------------------------------------------- */

struct wire_operation *fake_find(struct fake *fake, const char *id)
{
    for (unsigned i = 0; i < fake->op_count; i++) {
        if (bytes_equal(fake->ops[i].operation.id, bytes_of_text(id))) {
            return &fake->ops[i].operation;
        }
    }
    return NULL;
}

static struct fake_op *touch(struct fake *fake, struct bytes id)
{
    struct fake_op *op = NULL;

    for (unsigned i = 0; i < fake->op_count; i++) {
        if (bytes_equal(fake->ops[i].operation.id, id)) {
            op = &fake->ops[i];
        }
    }
    if (op == NULL) {
        assert_true(fake->op_count < FAKE_OPS_MAX);
        op = &fake->ops[fake->op_count++];
        *op = (struct fake_op){0};
        op->operation.id = dup_bytes(fake, id);
    }
    op->changed = ++fake->last;
    op->is_known = false;
    return op;
}

void fake_add(struct fake *fake, const char *id, enum op_type type, enum op_status status,
              const char *name, const char *sub_type)
{
    struct wire_operation *operation = &touch(fake, bytes_of_text(id))->operation;

    operation->type = type;
    operation->status = status;
    operation->name = dup_bytes(fake, bytes_of_text(name));
    operation->sub_type = dup_bytes(fake, bytes_of_text(sub_type));
}

void fake_end(struct fake *fake, const char *id, enum op_status status, const char *result)
{
    struct wire_operation *operation = &touch(fake, bytes_of_text(id))->operation;

    assert_true(operation->status == OP_STARTED || operation->status == OP_PENDING);
    operation->status = status;
    operation->due_ms = 0;
    if (result != NULL) {
        operation->has_result = true;
        operation->result = dup_bytes(fake, bytes_of_text(result));
    }
}

void fake_fail(struct fake *fake, const char *id, enum op_status status, const char *type,
               const char *message)
{
    struct wire_operation *operation = &touch(fake, bytes_of_text(id))->operation;
    struct error_object error = {.type = bytes_of_text(type), .message = bytes_of_text(message)};
    struct buf buf = {0};

    wire_put_error(&buf, &error);
    operation->status = status;
    operation->has_error = true;
    operation->error = dup_bytes(fake, buf_bytes(&buf));
    buf_fini(&buf);
}

static void start_op(struct fake *fake, struct wire_operation *operation,
                     const struct op_update *update)
{
    char text[80];

    assert_true(operation->status == OP_STATUS_NONE ||
                (update->type == OP_STEP && operation->status == OP_READY));
    operation->type = update->type;
    operation->status = OP_STARTED;
    operation->parent_id = dup_bytes(fake, update->parent_id);
    operation->name = dup_bytes(fake, update->name);
    operation->sub_type = dup_bytes(fake, update->sub_type);
    if (update->type == OP_CALLBACK) {
        (void)snprintf(text, sizeof text, "cb-%.*s", (int)update->id.len,
                       (const char *)update->id.data);
        operation->callback_id = dup_bytes(fake, bytes_of_text(text));
    }
}

static void apply_update(struct fake *fake, const struct op_update *update)
{
    struct fake_op *op = touch(fake, update->id);
    struct wire_operation *operation = &op->operation;

    op->is_known =
        update->type != OP_CALLBACK && update->type != OP_WAIT && update->action != OP_RETRY;
    if (update->action == OP_START) {
        start_op(fake, operation, update);
        return;
    }
    assert_true(operation->status == OP_STARTED);
    assert_int_equal(operation->type, update->type);
    operation->attempt += update->type == OP_STEP;
    operation->status = (update->action == OP_SUCCEED) ? OP_SUCCEEDED
                        : (update->action == OP_FAIL)  ? OP_FAILED
                                                       : OP_PENDING;
    operation->replay_children = update->replay_children;
    operation->due_ms = update->delay_s;
    if (update->has_payload) {
        operation->has_result = true;
        operation->result = dup_bytes(fake, update->payload);
    }
    if (update->has_error) {
        operation->has_error = true;
        operation->error = dup_bytes(fake, update->error);
    }
}

/* --- the trace -------------------------------------------------------------------- */

static void trace_update(struct fake *fake, const struct op_update *update)
{
    static const char *const types[] = {"?",    "EXECUTION", "CONTEXT", "STEP",
                                        "WAIT", "CALLBACK",  "INVOKE"};
    static const char *const actions[] = {"?", "START", "SUCCEED", "FAIL", "RETRY", "CANCEL"};
    struct error_object error;

    buf_printf(&fake->trace, "%.*s %s %s", (int)update->id.len, (const char *)update->id.data,
               types[update->type], actions[update->action]);
    if (update->name.len > 0) {
        buf_printf(&fake->trace, " \"%.*s\"", (int)update->name.len,
                   (const char *)update->name.data);
    }
    if (update->has_payload) {
        buf_printf(&fake->trace, " =%.*s",
                   (int)((update->payload.len < 200) ? update->payload.len : 0),
                   (const char *)update->payload.data);
    }
    if (update->has_error) {
        assert_int_equal(wire_get_error(&fake->arena, update->error, &error), 0);
        buf_printf(&fake->trace, " !%.*s", (int)error.type.len, (const char *)error.type.data);
    }
    if (update->delay_s + update->wait_s + update->timeout_s > 0) {
        buf_printf(&fake->trace, " %us", update->delay_s + update->wait_s + update->timeout_s);
    }
}

static void trace_checkpoint(struct fake *fake, const struct wire_checkpoint *checkpoint)
{
    buf_append_text(&fake->trace, "[");
    for (size_t i = 0; i < checkpoint->update_count; i++) {
        if (i > 0) {
            buf_append_text(&fake->trace, " | ");
        }
        trace_update(fake, &checkpoint->updates[i]);
    }
    buf_append_text(&fake->trace, "]");
}

const char *fake_trace(struct fake *fake)
{
    const char *text = fake_text(fake, buf_bytes(&fake->trace));

    fake->trace.len = 0;
    return text;
}

const char *fake_result(struct fake *fake)
{
    return fake->complete.has_payload ? fake_text(fake, fake->complete.payload) : "(absent)";
}

/* --- invocations ------------------------------------------------------------------ */

/* What changed after record `base`. */
static size_t gather(struct fake *fake, uint64_t base, bool is_answer,
                     struct wire_operation **ret_operations)
{
    struct wire_operation *operations =
        arena_alloc(&fake->arena, (fake->op_count + 1) * sizeof *operations);
    size_t count = 0;

    assert_non_null(operations);
    for (unsigned i = 0; i < fake->op_count; i++) {
        if ((base == 0 || fake->ops[i].changed > base) &&
            !(is_answer && !fake->answers_all && fake->ops[i].is_known)) {
            operations[count++] = fake->ops[i].operation;
        }
    }
    *ret_operations = operations;
    return count;
}

static void send_invoke(struct fake *fake, uint64_t base)
{
    static const uint8_t exec_id[16] = {1, 2, 3};
    struct wire_invoke invoke = {
        .request_id = bytes_of_text("request-1"),
        .function_arn = bytes_of_text("arn:function"),
        .execution_arn = bytes_of_text("arn:execution"),
        .tenant_id = bytes_of_text("blue"),
        .deadline_ms = INT64_MAX,
        .has_payload = fake->input != NULL,
        .payload = bytes_of_text(fake->input),
        .is_durable = !fake->is_not_durable,
        .attempt = fake->attempt,
        .execution_id = bytes_of(exec_id, sizeof exec_id),
        .base = base,
        .last = fake->last,
        .start_ms = 1000,
    };
    struct buf body = {0};

    invoke.operation_count = gather(fake, base, false, &invoke.operations);
    wire_put_invoke(&body, &fake->arena, &invoke);
    fake_send(fake, WIRE_INVOKE, fake->number, buf_bytes(&body));
    buf_fini(&body);
}

void fake_invoke(struct fake *fake)
{
    fake->number++;
    fake->attempt++;
    fake->seq = 0;
    fake->last++; /* the attempt's own record */
    send_invoke(fake, fake->base);
    fake->base = fake->last;
}

void fake_answer(struct fake *fake, uint32_t seq)
{
    struct wire_checkpointed answer = {.seq = seq, .last = fake->last};
    struct buf body = {0};

    if (fake->refusal != NULL) {
        answer.refusal = bytes_of_text(fake->refusal);
        answer.message = bytes_of_text("refused by the test");
    } else {
        answer.operation_count = gather(fake, fake->base, true, &answer.operations);
        fake->base = fake->last;
    }
    wire_put_checkpointed(&body, &fake->arena, &answer);
    fake_send(fake, WIRE_CHECKPOINTED, fake->number, buf_bytes(&body));
    buf_fini(&body);
}

void fake_apply(struct fake *fake, const struct wire_checkpoint *checkpoint)
{
    if (fake->refusal == NULL) {
        for (size_t i = 0; i < checkpoint->update_count; i++) {
            apply_update(fake, &checkpoint->updates[i]);
        }
    }
    fake_answer(fake, checkpoint->seq);
}

static void on_checkpoint(struct fake *fake, struct bytes body)
{
    struct wire_checkpoint checkpoint;

    assert_int_equal(wire_get_checkpoint(&fake->arena, dup_bytes(fake, body), &checkpoint), 0);
    assert_int_equal(checkpoint.seq, ++fake->seq); /* the rule of tokens */
    assert_true(checkpoint.update_count <= 250);
    trace_checkpoint(fake, &checkpoint);
    fake->checkpoints++;
    if (fake->on_checkpoint == NULL || !fake->on_checkpoint(fake, &checkpoint)) {
        fake_apply(fake, &checkpoint);
    }
}

static void on_log(struct fake *fake, struct bytes body)
{
    struct wire_log line;

    assert_int_equal(wire_get_log(&fake->arena, dup_bytes(fake, body), &line), 0);
    buf_printf(&fake->logs, "%u:%.*s:%.*s\n", line.level, (int)line.operation_id.len,
               (const char *)line.operation_id.data, (int)line.text.len,
               (const char *)line.text.data);
}

static void on_complete(struct fake *fake, struct bytes body)
{
    body = dup_bytes(fake, body);
    assert_int_equal(wire_get_complete(&fake->arena, body, &fake->complete), 0);
    assert_int_equal(wire_get_error(&fake->arena, fake->complete.error, &fake->error), 0);
    if (fake->complete.outcome != WIRE_OUTCOME_PENDING) {
        fake->base = 0;
    }
}

uint32_t fake_serve(struct fake *fake)
{
    for (;;) {
        struct frame frame = fake_next(fake);

        assert_int_equal(frame.invocation, fake->number);
        if (frame.type == WIRE_CHECKPOINT) {
            on_checkpoint(fake, frame.body);
        } else if (frame.type == WIRE_LOG) {
            on_log(fake, frame.body);
        } else if (frame.type == WIRE_NEED_FULL) {
            fake->need_fulls++;
            send_invoke(fake, 0);
        } else {
            assert_int_equal(frame.type, WIRE_COMPLETE);
            on_complete(fake, frame.body);
            return fake->complete.outcome;
        }
    }
}

uint32_t fake_run(struct fake *fake)
{
    fake_invoke(fake);
    return fake_serve(fake);
}
