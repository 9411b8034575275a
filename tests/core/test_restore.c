/* Recovery: an execution restored from its records is the one that lived, after any
 * commands (the fixture compares after each); and records that do not fit are found
 * out, whatever they say. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/err.h"
#include "tests/core/fixture.h"

#define RUNS 60
#define COMMANDS 150
#define IDS 12U

static const char *const ids[IDS] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b"};
static const char *const texts[] = {"", "x", "{\"n\":1}", "a longer text than the others"};

static struct bytes any_text(struct prng *prng)
{
    return text(texts[prng_below(prng, 4)]);
}

/* Anything: most of it is refused, which must not change a thing. */
static struct op_update any_update(struct prng *prng)
{
    uint32_t number = prng_below(prng, IDS);
    struct op_update update = {
        .type = (enum op_type)(2 + number % 5), /* mostly the type that the id has */
        .action = (enum op_action)(1 + prng_below(prng, 5)),
        .id = text(ids[number]),
        .has_payload = prng_below(prng, 3) == 0,
        .payload = any_text(prng),
        .has_step_options = true,
        .delay_s = 1 + prng_below(prng, 50),
        .wait_s = 1 + prng_below(prng, 50),
        .timeout_s = prng_below(prng, 50),
        .heartbeat_s = prng_below(prng, 20),
        .replay_children = prng_below(prng, 2) == 0,
        .function = text("f"),
        .child_id = fixture_id((uint8_t)prng_below(prng, 200)),
    };

    if (update.type == OP_CHAINED_INVOKE || update.action == OP_FAIL) {
        update.has_error = prng_below(prng, 2) == 0;
        update.error = text(update.has_error ? "why" : NULL);
    }
    if (prng_below(prng, 2) == 0) {
        update.parent_id = text(ids[prng_below(prng, IDS)]);
    }
    if (prng_below(prng, 100) == 0) {
        update.type = OP_EXECUTION;
    }
    return update;
}

static void checkpoint_anything(struct fixture *fixture, struct prng *prng)
{
    struct op_update updates[3];
    uint32_t count = prng_below(prng, 4);

    for (uint32_t i = 0; i < count; i++) {
        updates[i] = any_update(prng);
    }
    (void)fixture_checkpoint(fixture, updates, count);
}

static void complete_somehow(struct fixture *fixture, struct prng *prng)
{
    static const enum outcome outcomes[] = {OUTCOME_PENDING, OUTCOME_PENDING, OUTCOME_PENDING,
                                            OUTCOME_ERROR,   OUTCOME_ERROR,   OUTCOME_HELD};

    (void)fixture_complete(fixture, outcomes[prng_below(prng, 6)]);
}

static void call_from_outside(struct fixture *fixture, struct prng *prng)
{
    static const enum op_status ends[] = {OP_SUCCEEDED, OP_FAILED, OP_TIMED_OUT, OP_STOPPED,
                                          OP_STARTED};
    bool is_callback = prng_below(prng, 2) == 0;
    bool is_success = prng_below(prng, 2) == 0;

    (void)fixture_apply(
        fixture,
        (struct command){
            .kind = is_callback ? COMMAND_CALLBACK : COMMAND_CHAINED_ENDED,
            .op_id = text(ids[prng_below(prng, IDS)]),
            .op_status = is_success ? OP_SUCCEEDED : ends[prng_below(prng, is_callback ? 5 : 4)],
            .has_payload = is_success,
            .payload = is_success ? any_text(prng) : (struct bytes){0},
            .has_error = !is_success,
            .error = is_success ? (struct bytes){0} : any_text(prng),
        });
}

static void do_something(struct fixture *fixture, struct prng *prng)
{
    uint32_t what = prng_below(prng, 100);

    fixture->now_ms += (int64_t)prng_below(prng, 4000) - 500; /* clocks go back, too */
    if (what < 55) {
        checkpoint_anything(fixture, prng);
    } else if (what < 65) {
        complete_somehow(fixture, prng);
    } else if (what < 80) {
        call_from_outside(fixture, prng);
    } else if (what < 95) {
        assert_int_equal(fixture_tick(fixture, fixture->now_ms), 0);
    } else if (what < 98) {
        (void)fixture_apply(fixture, (struct command){.kind = COMMAND_REDRIVE});
    } else {
        fixture_restart(fixture);
    }
}

static struct fixture *lived(struct prng *prng)
{
    void *made;
    struct fixture *fixture;

    assert_int_equal(fixture_setup(&made), 0);
    fixture = made;
    fixture_start(fixture);
    for (int i = 0; i < COMMANDS; i++) {
        do_something(fixture, prng);
    }
    return fixture;
}

static void test_a_restored_execution_is_the_one_that_lived(void **state)
{
    struct prng prng = fixture_seed();

    (void)state;
    for (int run = 0; run < RUNS; run++) {
        void *made = lived(&prng);

        (void)fixture_teardown(&made);
    }
}

/* --- records that do not fit --------------------------------------------------------- */

static void silent(int code, const char *file, int line, const char *message)
{
    (void)code;
    (void)file;
    (void)line;
    (void)message;
}

static void damage(struct tape *tape, struct prng *prng)
{
    struct record *record = &tape->records[prng_below(prng, tape->count)];

    switch (prng_below(prng, 6)) {
    case 0:
        record->kind = (enum record_kind)prng_below(prng, RECORD_KINDS + 2);
        break;
    case 1:
        record->event_id += prng_below(prng, 3) - 1;
        break;
    case 2:
        record->op_id = text(ids[prng_below(prng, IDS)]);
        break;
    case 3:
        record->parent_id = text(ids[prng_below(prng, IDS)]);
        break;
    case 4:
        *record = tape->records[prng_below(prng, tape->count)];
        break;
    default:
        record->delay_s = 1 - record->delay_s;
        break;
    }
}

static int restore(const struct fixture *fixture)
{
    struct core *core;
    struct exec *exec;
    struct id function_id = fixture_id(9);
    int r = 0;

    assert_int_equal(core_create(&core, &fixture->limits), 0);
    assert_int_equal(core_load(core, &(struct id){.bytes = {1}}, &exec), 0);
    for (uint32_t i = 0; i < fixture->tape.count && r == 0; i++) {
        r = core_restore(core, exec, 1, &function_id, &fixture->tape.records[i]);
    }
    core_loaded(core, exec, r == 0);
    core_destroy(core);
    return r;
}

static void test_damaged_records_are_refused_and_never_trusted(void **state)
{
    struct prng prng = fixture_seed();
    uint32_t refused = 0;

    (void)state;
    err_set_sink(silent);
    for (int run = 0; run < RUNS; run++) {
        struct fixture *fixture = lived(&prng);
        void *made = fixture;
        int r;

        for (int i = 0; i < 20; i++) {
            damage(&fixture->tape, &prng);
            r = restore(fixture);
            assert_true(r == 0 || r == ERR_CORRUPT);
            refused += (r != 0) ? 1 : 0;
        }
        (void)fixture_teardown(&made);
        err_set_sink(silent);
    }
    assert_true(refused > RUNS * 10);
}

static void expect_corrupt(struct fixture *fixture, struct record record)
{
    record.event_id = record_is_event(record.kind) ? fixture->exec->events + 1 : 0;
    tape_add(&fixture->tape, &record);
    assert_int_equal(restore(fixture), ERR_CORRUPT);
    fixture->tape.count--;
    assert_int_equal(restore(fixture), 0);
}

static void test_records_that_cannot_follow_are_corrupt(void **state)
{
    struct fixture *fixture = *state;

    err_set_sink(silent);
    fixture_start(fixture);
    fixture_update(fixture, (struct op_update){
                                .type = OP_WAIT, .action = OP_START, .id = text("w"), .wait_s = 1});
    expect_corrupt(fixture, (struct record){.kind = EXECUTION_STARTED});
    expect_corrupt(fixture, (struct record){.kind = WAIT_STARTED, .op_id = text("w")});
    expect_corrupt(fixture, (struct record){.kind = WAIT_SUCCEEDED, .op_id = text("v")});
    expect_corrupt(fixture, (struct record){.kind = STEP_SUCCEEDED, .op_id = text("w")});
    expect_corrupt(fixture, (struct record){.kind = NOTE_STEP_READY, .op_id = text("w")});
    expect_corrupt(fixture, (struct record){.kind = NOTE_HEARTBEAT, .op_id = text("w")});
    expect_corrupt(fixture, (struct record){.kind = NOTE_CHAINED_RESULT, .op_id = text("w")});
    expect_corrupt(fixture, (struct record){.kind = (enum record_kind)63});
    expect_corrupt(fixture, (struct record){.kind = RECORD_KINDS});
    expect_corrupt(
        fixture,
        (struct record){.kind = CONTEXT_STARTED, .op_id = text("c"), .parent_id = text("c")});
    expect_corrupt(
        fixture, (struct record){.kind = STEP_STARTED, .op_id = text("s"), .parent_id = text("w")});
    expect_corrupt(
        fixture, (struct record){.kind = STEP_STARTED, .op_id = text("s"), .parent_id = text("x")});
}

static void test_nothing_follows_the_end(void **state)
{
    struct fixture *fixture = *state;

    err_set_sink(silent);
    fixture_start(fixture);
    assert_int_equal(fixture_complete(fixture, OUTCOME_SUCCEEDED), 0);
    expect_corrupt(fixture, (struct record){.kind = EXECUTION_FAILED});
    expect_corrupt(fixture, (struct record){.kind = STEP_STARTED, .op_id = text("s")});
    expect_corrupt(fixture, (struct record){.kind = INVOCATION_COMPLETED});
    expect_corrupt(fixture, (struct record){.kind = NOTE_ATTEMPT_STARTED, .attempt = 2});
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_a_restored_execution_is_the_one_that_lived),
        TEST(test_damaged_records_are_refused_and_never_trusted),
        TEST(test_records_that_cannot_follow_are_corrupt),
        TEST(test_nothing_follows_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
