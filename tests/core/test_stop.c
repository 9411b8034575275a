/* Stop and the execution's own timeout, in every state it can be in. */
#include "tests/core/fixture.h"

static void be_running(struct fixture *fixture)
{
    (void)fixture;
}

static void be_suspended(struct fixture *fixture)
{
    fixture_update(fixture, (struct op_update){.type = OP_WAIT,
                                               .action = OP_START,
                                               .id = text("w"),
                                               .wait_s = OP_DELAY_S_MAX});
    fixture_suspend(fixture);
}

static void be_backing_off(struct fixture *fixture)
{
    assert_int_equal(fixture_complete(fixture, OUTCOME_ERROR), 0);
    assert_int_not_equal(fixture->exec->retry_ms, 0);
}

static void be_held(struct fixture *fixture)
{
    assert_int_equal(fixture_complete(fixture, OUTCOME_HELD), 0);
}

static void be_about_to_end(struct fixture *fixture)
{
    fixture_update(fixture,
                   (struct op_update){.type = OP_EXECUTION, .action = OP_SUCCEED, .id = text("x")});
}

static void be_cut_off(struct fixture *fixture)
{
    fixture_restart(fixture);
}

static void have_a_result_to_tell(struct fixture *fixture)
{
    fixture_update(fixture, (struct op_update){.type = OP_CHAINED_INVOKE,
                                               .action = OP_START,
                                               .id = text("i"),
                                               .function = text("f")});
    assert_int_equal(fixture_apply(fixture, (struct command){.kind = COMMAND_CHAINED_ENDED,
                                                             .op_id = text("i"),
                                                             .op_status = OP_SUCCEEDED}),
                     0);
}

static void (*const states[])(struct fixture *) = {
    be_running,      be_suspended, be_backing_off,       be_held,
    be_about_to_end, be_cut_off,   have_a_result_to_tell};

static void expect_quiet(struct fixture *fixture, uint32_t attempt)
{
    uint64_t records = fixture->exec->records;

    assert_int_equal(exec_wake_ms(fixture->exec), EXEC_WAKE_NEVER);
    assert_int_equal(fixture_tick(fixture, T0 + 40000000000), 0);
    EXPECT_NO_ACTIONS(fixture);
    assert_int_equal(fixture_apply(fixture, (struct command){.kind = COMMAND_CHECKPOINT,
                                                             .attempt = attempt,
                                                             .seq = fixture->exec->seq + 1}),
                     CORE_REFUSED);
    assert_int_equal(fixture->actions.refusal, REFUSAL_STALE);
    assert_int_equal(fixture_complete(fixture, OUTCOME_SUCCEEDED), CORE_REFUSED);
    assert_int_equal(fixture_apply(fixture, (struct command){.kind = COMMAND_REDRIVE}),
                     CORE_REFUSED);
    assert_int_equal(fixture->exec->records, records);
    assert_true(core_can_evict(fixture->exec));
}

static void play(void (*reach)(struct fixture *), bool is_stop)
{
    void *made;
    struct fixture *fixture;
    bool was_running;

    assert_int_equal(fixture_setup(&made), 0);
    fixture = made;
    fixture_start(fixture);
    reach(fixture);
    was_running = fixture->exec->is_running;
    fixture->now_ms = T0 + (is_stop ? 10 : 86400000);
    assert_int_equal(
        fixture_apply(fixture, (struct command){.kind = is_stop ? COMMAND_STOP : COMMAND_TICK,
                                                .has_error = is_stop,
                                                .error = text(is_stop ? "enough" : NULL)}),
        0);
    EXPECT_RECORDS(fixture, is_stop ? EXECUTION_STOPPED : EXECUTION_TIMED_OUT);
    if (was_running) {
        EXPECT_ACTIONS(fixture, ACTION_FENCE, ACTION_CLOSED);
    } else {
        EXPECT_ACTIONS(fixture, ACTION_CLOSED);
    }
    assert_int_equal(fixture->exec->status, is_stop ? EXEC_STOPPED : EXEC_TIMED_OUT);
    assert_int_equal(fixture->exec->end_ms, fixture->now_ms);
    expect_quiet(fixture, fixture->exec->attempt);
    (void)fixture_teardown(&made);
}

static void test_any_execution_can_be_stopped(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        play(states[i], true);
    }
}

static void test_any_execution_times_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        play(states[i], false);
    }
}

static void test_stopping_twice_changes_nothing(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    assert_int_equal(fixture_apply(fixture, (struct command){.kind = COMMAND_STOP}), 0);
    fixture->now_ms += 10;
    assert_int_equal(fixture_apply(fixture, (struct command){.kind = COMMAND_STOP}), 0);
    EXPECT_NO_RECORDS(fixture);
    EXPECT_NO_ACTIONS(fixture);
    assert_int_equal(fixture->exec->end_ms, T0);
}

static void test_operations_in_progress_stay_as_they_are(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    be_suspended(fixture);
    assert_int_equal(fixture_apply(fixture, (struct command){.kind = COMMAND_STOP}), 0);
    assert_int_equal(fixture_op(fixture, "w")->status, OP_STARTED);
}

/* Loading that stops at a record which cannot be read. */
static struct exec *load_damaged(struct fixture *fixture, const struct id *id, uint64_t readable)
{
    struct exec_head head = {.tenant = 1,
                             .kind = EXEC_DURABLE,
                             .status = EXEC_RUNNING,
                             .start_ms = T0,
                             .events = 7,
                             .records = 12,
                             .name = text("order"),
                             .function = text("arn")};
    struct exec *exec;

    assert_int_equal(core_load(fixture->core, id, &exec), 0);
    for (uint64_t i = 0; i < readable; i++) {
        assert_int_equal(
            core_restore(fixture->core, exec, 1, &head.function_id, &fixture->tape.records[i]), 0);
    }
    assert_int_equal(core_loaded_damaged(fixture->core, exec, &head), 0);
    return exec;
}

static void expect_only_an_end(struct fixture *fixture, const struct id *id)
{
    static const enum command_kind refused[] = {COMMAND_CALLBACK, COMMAND_CHAINED_ENDED,
                                                COMMAND_REDRIVE, COMMAND_CHECKPOINT};
    struct command command = {.exec_id = *id, .now_ms = T0};
    struct actions actions;

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        command.kind = refused[i];
        assert_int_equal(core_apply(fixture->core, &command, &actions), CORE_REFUSED);
        assert_int_equal(actions.refusal, REFUSAL_DAMAGED);
    }
    command.kind = COMMAND_TICK;
    assert_int_equal(core_apply(fixture->core, &command, &actions), 0);
    assert_int_equal(actions.record_count, 0);
    command.kind = COMMAND_STOP;
    assert_int_equal(core_apply(fixture->core, &command, &actions), 0);
    assert_int_equal(actions.record_count, 1);
    assert_int_equal(actions.records[0].kind, EXECUTION_STOPPED);
    assert_int_equal(actions.records[0].event_id, 8);
    assert_int_equal(actions.exec->records, 13);
}

static void test_a_damaged_execution_can_only_be_looked_at_and_stopped(void **state)
{
    struct fixture *fixture = *state;
    struct id id = fixture_id(1);

    for (uint64_t readable = 0; readable < 2; readable++) {
        fixture_start(fixture);
        be_suspended(fixture);
        assert_int_equal(fixture_apply(fixture, (struct command){.kind = COMMAND_STOP}), 0);
        core_evict(fixture->core, fixture->exec);
        assert_int_equal(exec_wake_ms(load_damaged(fixture, &id, readable)), EXEC_WAKE_NEVER);
        expect_only_an_end(fixture, &id);
        fixture_teardown(state);
        fixture_setup(state);
        fixture = *state;
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_a_damaged_execution_can_only_be_looked_at_and_stopped),
        TEST(test_any_execution_can_be_stopped),
        TEST(test_any_execution_times_out),
        TEST(test_stopping_twice_changes_nothing),
        TEST(test_operations_in_progress_stay_as_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
