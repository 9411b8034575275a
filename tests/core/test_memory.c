/* One life of an execution, played once for each allocation with that allocation
 * failing. What is recorded before the failure is what would have been recorded with
 * memory: nothing is lost in silence. */
#include <stdio.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "tests/core/fixture.h"

#define STEPS 20

static const uint8_t large[40000]; /* results that no block of the core's has room for */

static long allocations_left;
static bool fails_once;

static bool is_allowed(size_t size)
{
    (void)size;
    allocations_left--;
    return fails_once ? allocations_left != -1 : allocations_left >= 0;
}

static void silent(int code, const char *file, int line, const char *message)
{
    (void)code;
    (void)file;
    (void)line;
    (void)message;
}

struct life {
    struct core *core;
    struct tape *tape;
    int64_t now_ms;
    int error;
};

static const struct exec *live(struct life *life, struct command command)
{
    struct actions actions;
    int r;

    if (life->error != 0) {
        return NULL;
    }
    command.exec_id = fixture_id(1);
    command.now_ms = life->now_ms;
    r = core_apply(life->core, &command, &actions);
    if (r != 0) {
        life->error = r;
        return NULL;
    }
    mem_set_hook(NULL); /* the tape is not what is tested */
    for (uint32_t i = 0; i < actions.record_count; i++) {
        tape_add(life->tape, &actions.records[i]);
    }
    mem_set_hook(is_allowed);
    if (actions.record_count > 0) {
        core_committed(life->core, actions.exec);
    }
    return actions.exec;
}

static void checkpoint(struct life *life, uint32_t attempt, uint32_t seq,
                       const struct op_update *updates, uint32_t count)
{
    (void)live(life, (struct command){.kind = COMMAND_CHECKPOINT,
                                      .attempt = attempt,
                                      .seq = seq,
                                      .updates = updates,
                                      .update_count = count});
}

static void live_steps(struct life *life)
{
    static char ids[STEPS][8];
    struct op_update updates[STEPS] = {{0}};

    for (int i = 0; i < STEPS; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "s%d", i);
        updates[i] = (struct op_update){.type = OP_STEP, .action = OP_START, .id = text(ids[i])};
    }
    checkpoint(life, 1, 1, updates, STEPS);
    for (int i = 0; i < STEPS; i++) {
        updates[i].action = OP_RETRY;
        updates[i].has_step_options = true;
        updates[i].delay_s = 5;
    }
    checkpoint(life, 1, 2, updates, STEPS);
}

static void live_chain(struct life *life)
{
    const struct op_update invoke = {
        .type = OP_CHAINED_INVOKE, .action = OP_START, .id = text("i"), .function = text("f")};

    checkpoint(life, 1, 3, &invoke, 1);
    (void)live(life, (struct command){.kind = COMMAND_CHAINED_ENDED,
                                      .op_id = text("i"),
                                      .op_status = OP_SUCCEEDED,
                                      .has_payload = true,
                                      .payload = bytes_of(large, sizeof large / 4)});
    (void)live(
        life, (struct command){.kind = COMMAND_COMPLETE, .attempt = 1, .outcome = OUTCOME_PENDING});
    life->now_ms += 5000;
    (void)live(life, (struct command){.kind = COMMAND_TICK});
}

static void live_end(struct life *life)
{
    const struct op_update end = {.type = OP_EXECUTION,
                                  .action = OP_SUCCEED,
                                  .id = text("e"),
                                  .has_payload = true,
                                  .payload = bytes_of(large, sizeof large)};

    checkpoint(life, 2, 1, &end, 1);
    (void)live(life, (struct command){
                         .kind = COMMAND_COMPLETE, .attempt = 2, .outcome = OUTCOME_SUCCEEDED});
}

static int play(struct tape *tape)
{
    struct core_limits limits = core_limits_default;
    struct life life = {.tape = tape, .now_ms = T0};

    limits.seed = 7;
    mem_set_hook(is_allowed);
    life.error = core_create(&life.core, &limits);
    if (life.error == 0) {
        (void)live(&life, fixture_start_command());
        live_steps(&life);
        live_chain(&life);
        live_end(&life);
        core_destroy(life.core);
    }
    mem_set_hook(NULL);
    return life.error;
}

static void expect_beginning(const struct tape *tape, const struct tape *whole)
{
    assert_true(tape->count <= whole->count);
    for (uint32_t i = 0; i < tape->count; i++) {
        const struct record *a = &tape->records[i];
        const struct record *b = &whole->records[i];

        assert_string_equal(record_kind_text(a->kind), record_kind_text(b->kind));
        assert_true(bytes_equal(a->op_id, b->op_id));
        assert_true(bytes_equal(a->payload, b->payload));
        assert_true(bytes_equal(a->error, b->error));
    }
}

static void fail_each(bool once)
{
    struct tape whole = {0};
    long n = 0;
    int r;

    allocations_left = 1000000;
    fails_once = false;
    assert_int_equal(play(&whole), 0);
    err_set_sink(silent);
    fails_once = once;
    for (; n < 400; n++) {
        struct tape tape = {0};

        allocations_left = n;
        r = play(&tape);
        assert_true(r == 0 || r == ERR_NOMEM);
        expect_beginning(&tape, &whole);
        if (r == 0) {
            assert_int_equal(tape.count, whole.count);
        }
        tape_fini(&tape);
    }
    assert_true(allocations_left >= 0); /* the last ones had all the memory they asked for */
    tape_fini(&whole);
}

static void test_one_failed_allocation_loses_nothing(void **state)
{
    (void)state;
    fail_each(true);
}

static void test_memory_that_is_gone_loses_nothing(void **state)
{
    (void)state;
    fail_each(false);
}

static void test_loading_without_memory_can_be_given_up(void **state)
{
    struct fixture *fixture = *state;
    struct id function_id = fixture_id(9);

    err_set_sink(silent);
    fixture_start(fixture);
    fails_once = false;
    for (long n = 0; n < 20; n++) {
        struct core *core;
        struct exec *exec;
        int r;

        assert_int_equal(core_create(&core, &fixture->limits), 0);
        assert_int_equal(core_load(core, &fixture->exec->id, &exec), 0);
        allocations_left = n;
        mem_set_hook(is_allowed);
        r = core_restore(core, exec, 1, &function_id, &fixture->tape.records[0]);
        mem_set_hook(NULL);
        assert_true(r == 0 || r == ERR_NOMEM);
        core_loaded(core, exec, false);
        core_evict(core, exec);
        assert_int_equal(core_count(core), 0);
        core_destroy(core);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_one_failed_allocation_loses_nothing),
        TEST(test_memory_that_is_gone_loses_nothing),
        TEST(test_loading_without_memory_can_be_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
