/* How an invocation ends, what its execution does then, and retries. */
#include "tests/core/fixture.h"

static void test_success_ends_the_execution(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    fixture->now_ms += 10;
    assert_int_equal(fixture_complete(fixture, OUTCOME_SUCCEEDED), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, EXECUTION_SUCCEEDED);
    EXPECT_ACTIONS(fixture, ACTION_CLOSED);
    assert_int_equal(fixture->actions.records[0].start_ms, T0);
    assert_false(fixture->actions.records[0].has_error);
    EXPECT_TEXT(fixture->actions.records[1].payload, "\"done\"");
    EXPECT_TEXT(fixture->actions.records[1].name, "order");
    assert_int_equal(fixture->exec->status, EXEC_SUCCEEDED);
    assert_int_equal(fixture->exec->end_ms, T0 + 10);
    assert_int_equal(fixture->exec->result.record_no, fixture->exec->records);
}

static void test_failure_ends_the_execution(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    assert_int_equal(fixture_complete(fixture, OUTCOME_FAILED), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, EXECUTION_FAILED);
    assert_false(fixture->actions.records[0].has_error); /* the invocation went well */
    EXPECT_TEXT(fixture->actions.records[1].error, "bad");
}

static void test_an_attempt_completes_once(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    assert_int_equal(fixture_complete(fixture, OUTCOME_SUCCEEDED), 0);
    assert_int_equal(fixture_complete(fixture, OUTCOME_SUCCEEDED), CORE_REFUSED);
    assert_int_equal(fixture->actions.refusal, REFUSAL_STALE);
}

static void test_suspending_with_nothing_pending_fails(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    assert_int_equal(fixture_complete(fixture, OUTCOME_PENDING), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, EXECUTION_FAILED);
    assert_true(memmem(fixture->actions.records[1].error.data,
                       fixture->actions.records[1].error.len, "Pawl.NothingPending", 19) != NULL);
}

static void start_wait(struct fixture *fixture, uint32_t wait_s)
{
    fixture_update(
        fixture,
        (struct op_update){.type = OP_WAIT, .action = OP_START, .id = text("w"), .wait_s = wait_s});
}

static void test_suspending_with_a_timer_waits_for_it(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    start_wait(fixture, 30);
    fixture_suspend(fixture);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED);
    EXPECT_NO_ACTIONS(fixture);
    assert_int_equal(exec_wake_ms(fixture->exec), T0 + 30000);
}

static void test_a_change_that_was_not_fetched_starts_another_attempt(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    start_wait(fixture, 1);
    assert_int_equal(fixture_tick(fixture, T0 + 1000), 0);
    EXPECT_RECORDS(fixture, WAIT_SUCCEEDED);
    EXPECT_ACTIONS(fixture, ACTION_NOTIFY);
    assert_int_equal(fixture_complete(fixture, OUTCOME_PENDING), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, NOTE_ATTEMPT_STARTED);
    EXPECT_ACTIONS(fixture, ACTION_DISPATCH);
    assert_int_equal(fixture->exec->attempt, 2);
}

static void test_a_change_that_was_fetched_starts_none(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    start_wait(fixture, 1);
    fixture_update(fixture,
                   (struct op_update){.type = OP_CALLBACK, .action = OP_START, .id = text("k")});
    assert_int_equal(fixture_tick(fixture, T0 + 1000), 0);
    assert_int_equal(fixture_checkpoint(fixture, NULL, 0), 0); /* an empty poll */
    fixture_suspend(fixture);
    EXPECT_NO_ACTIONS(fixture);
}

static int lose(struct fixture *fixture, bool is_retryable)
{
    return fixture_apply(fixture, (struct command){.kind = COMMAND_COMPLETE,
                                                   .attempt = fixture->exec->attempt,
                                                   .outcome = OUTCOME_ERROR,
                                                   .is_retryable = is_retryable,
                                                   .has_error = true,
                                                   .error = text("crash")});
}

static void test_a_lost_invocation_is_tried_again_at_once_three_times(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    for (uint32_t failures = 1; failures <= 3; failures++) {
        assert_int_equal(lose(fixture, true), 0);
        EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, NOTE_FAILURE_COUNTED, NOTE_ATTEMPT_STARTED);
        EXPECT_ACTIONS(fixture, ACTION_DISPATCH);
        EXPECT_TEXT(fixture->actions.records[0].error, "crash");
        assert_int_equal(fixture->exec->failures, failures);
    }
    assert_int_equal(lose(fixture, true), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, NOTE_FAILURE_COUNTED);
    EXPECT_NO_ACTIONS(fixture);
    assert_int_equal(fixture->exec->retry_ms, T0 + 8000);
}

static void test_failures_back_off_twice_as_long_each_time(void **state)
{
    struct fixture *fixture = *state;
    int64_t delay_ms = 1000;

    fixture_start(fixture);
    for (uint32_t failures = 1; failures <= fixture->limits.failures_max; failures++) {
        assert_int_equal(lose(fixture, false), 0);
        assert_int_equal(fixture->exec->retry_ms, fixture->now_ms + delay_ms);
        assert_int_equal(exec_wake_ms(fixture->exec), fixture->exec->retry_ms);
        assert_int_equal(fixture_tick(fixture, fixture->exec->retry_ms - 1), 0);
        EXPECT_NO_RECORDS(fixture);
        assert_int_equal(fixture_tick(fixture, fixture->exec->retry_ms), 0);
        EXPECT_RECORDS(fixture, NOTE_ATTEMPT_STARTED);
        EXPECT_ACTIONS(fixture, ACTION_DISPATCH);
        delay_ms = (delay_ms * 2 < 300000) ? delay_ms * 2 : 300000;
    }
    assert_int_equal(lose(fixture, false), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, EXECUTION_FAILED);
    EXPECT_TEXT(fixture->actions.records[1].error, "crash");
    EXPECT_ACTIONS(fixture, ACTION_CLOSED);
}

static void test_a_checkpoint_clears_the_count_of_failures(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    assert_int_equal(lose(fixture, true), 0);
    assert_int_equal(fixture->exec->failures, 1);
    fixture_update(fixture,
                   (struct op_update){.type = OP_STEP, .action = OP_START, .id = text("s")});
    assert_int_equal(fixture->exec->failures, 0);
}

static void test_what_is_not_its_fault_is_not_counted(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(fixture_apply(fixture, (struct command){.kind = COMMAND_COMPLETE,
                                                                 .attempt = fixture->exec->attempt,
                                                                 .outcome = OUTCOME_ERROR,
                                                                 .is_uncounted = true,
                                                                 .has_error = true}),
                         0);
        EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, NOTE_ATTEMPT_STARTED);
    }
    assert_int_equal(fixture->exec->failures, 0);
}

static void test_a_change_does_not_cut_a_back_off_short(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    start_wait(fixture, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(lose(fixture, true), 0);
    }
    assert_int_equal(lose(fixture, false), 0); /* 8 s */
    assert_int_equal(fixture_tick(fixture, T0 + 1000), 0);
    EXPECT_RECORDS(fixture, WAIT_SUCCEEDED);
    EXPECT_NO_ACTIONS(fixture);
    assert_int_equal(fixture_tick(fixture, T0 + 8000), 0);
    EXPECT_RECORDS(fixture, NOTE_ATTEMPT_STARTED);
}

/* --- held ---------------------------------------------------------------------------- */

static void hold(struct fixture *fixture)
{
    fixture_start(fixture);
    start_wait(fixture, 1);
    assert_int_equal(fixture_complete(fixture, OUTCOME_HELD), 0);
}

static void test_a_held_execution_does_not_wake(void **state)
{
    struct fixture *fixture = *state;

    hold(fixture);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, NOTE_HELD);
    EXPECT_TEXT(fixture->actions.records[1].error, "bad");
    assert_true(fixture->exec->is_held);
    assert_int_equal(fixture->exec->status, EXEC_RUNNING);
    assert_int_equal(exec_wake_ms(fixture->exec), T0 + 86400000); /* only its deadline */
    assert_int_equal(fixture_tick(fixture, T0 + 5000), 0);
    EXPECT_NO_RECORDS(fixture);
    EXPECT_NO_ACTIONS(fixture);
}

static void test_a_redriven_execution_goes_on(void **state)
{
    struct fixture *fixture = *state;

    hold(fixture);
    fixture->now_ms += 5000;
    assert_int_equal(fixture_apply(fixture, (struct command){.kind = COMMAND_REDRIVE}), 0);
    EXPECT_RECORDS(fixture, NOTE_REDRIVEN, NOTE_ATTEMPT_STARTED);
    EXPECT_ACTIONS(fixture, ACTION_DISPATCH);
    assert_false(fixture->exec->is_held);
    assert_int_equal(fixture_tick(fixture, fixture->now_ms), 0); /* its wait is long over */
    EXPECT_RECORDS(fixture, WAIT_SUCCEEDED);
}

static void test_only_a_held_execution_is_redriven(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    assert_int_equal(fixture_apply(fixture, (struct command){.kind = COMMAND_REDRIVE}),
                     CORE_REFUSED);
    assert_int_equal(fixture->actions.refusal, REFUSAL_INVALID);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_success_ends_the_execution),
        TEST(test_failure_ends_the_execution),
        TEST(test_an_attempt_completes_once),
        TEST(test_suspending_with_nothing_pending_fails),
        TEST(test_suspending_with_a_timer_waits_for_it),
        TEST(test_a_change_that_was_not_fetched_starts_another_attempt),
        TEST(test_a_change_that_was_fetched_starts_none),
        TEST(test_a_lost_invocation_is_tried_again_at_once_three_times),
        TEST(test_failures_back_off_twice_as_long_each_time),
        TEST(test_a_checkpoint_clears_the_count_of_failures),
        TEST(test_what_is_not_its_fault_is_not_counted),
        TEST(test_a_change_does_not_cut_a_back_off_short),
        TEST(test_a_held_execution_does_not_wake),
        TEST(test_a_redriven_execution_goes_on),
        TEST(test_only_a_held_execution_is_redriven),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
