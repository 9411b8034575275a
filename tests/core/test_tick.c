/* Timers, the clock, and what is found after a restart. */
#include <stdio.h>

#include "tests/core/fixture.h"

static void start_wait(struct fixture *fixture, const char *id, uint32_t wait_s)
{
    fixture_update(
        fixture,
        (struct op_update){.type = OP_WAIT, .action = OP_START, .id = text(id), .wait_s = wait_s});
}

static void test_nothing_wakes_early(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    start_wait(fixture, "w", 10);
    fixture_suspend(fixture);
    assert_int_equal(fixture_tick(fixture, T0 + 9999), 0);
    EXPECT_NO_RECORDS(fixture);
    assert_int_equal(fixture_tick(fixture, T0 + 10000), 0);
    EXPECT_RECORDS(fixture, WAIT_SUCCEEDED, NOTE_ATTEMPT_STARTED);
    EXPECT_ACTIONS(fixture, ACTION_DISPATCH);
    assert_int_equal(fixture->actions.records[0].delay_s, 10);
}

static void test_timers_due_together_wake_once(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    start_wait(fixture, "a", 3);
    start_wait(fixture, "b", 1);
    start_wait(fixture, "c", 20);
    fixture_suspend(fixture);
    assert_int_equal(fixture_tick(fixture, T0 + 5000), 0);
    EXPECT_RECORDS(fixture, WAIT_SUCCEEDED, WAIT_SUCCEEDED, NOTE_ATTEMPT_STARTED);
    EXPECT_TEXT(fixture->actions.records[0].op_id, "b");
    EXPECT_TEXT(fixture->actions.records[1].op_id, "a");
    assert_int_equal(exec_timer_ms(fixture->exec), T0 + 20000);
}

/* A tick is bounded; what is left is due at once. */
static void test_many_timers_take_some_ticks(void **state)
{
    struct fixture *fixture = *state;
    uint32_t fired = 0;

    fixture_start(fixture);
    for (int i = 0; i < 150; i++) {
        char id[8];

        (void)snprintf(id, sizeof id, "w%d", i);
        start_wait(fixture, id, 1);
    }
    for (int ticks = 0; ticks < 3; ticks++) {
        assert_int_equal(exec_timer_ms(fixture->exec), T0 + 1000);
        assert_int_equal(fixture_tick(fixture, T0 + 1000), 0);
        fired += fixture->actions.record_count;
    }
    assert_int_equal(fired, 150);
    assert_int_equal(exec_timer_ms(fixture->exec), fixture->exec->deadline_ms);
}

static void test_a_cut_off_attempt_is_ended_and_run_again(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    fixture_restart(fixture);
    assert_int_equal(exec_wake_ms(fixture->exec), EXEC_WAKE_NOW);
    assert_int_equal(fixture_tick(fixture, T0 + 50), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, NOTE_ATTEMPT_STARTED);
    EXPECT_ACTIONS(fixture, ACTION_DISPATCH);
    assert_true(memmem(fixture->actions.records[0].error.data,
                       fixture->actions.records[0].error.len, "Pawl.Restarted", 14) != NULL);
    assert_int_equal(fixture->exec->failures, 0);
    assert_int_equal(fixture->exec->attempt, 2);
}

static void test_a_live_attempt_is_left_alone(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    assert_int_equal(fixture_tick(fixture, T0 + 50), 0);
    EXPECT_NO_RECORDS(fixture);
    EXPECT_NO_ACTIONS(fixture);
}

static void test_timers_missed_while_down_fire_with_the_cut_off(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    start_wait(fixture, "w", 10);
    fixture_restart(fixture);
    assert_int_equal(fixture_tick(fixture, T0 + 60000), 0);
    EXPECT_RECORDS(fixture, WAIT_SUCCEEDED, INVOCATION_COMPLETED, NOTE_ATTEMPT_STARTED);
    EXPECT_ACTIONS(fixture, ACTION_DISPATCH);
}

static void test_the_time_of_an_execution_never_goes_back(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    fixture->now_ms = T0 - 3600000;
    start_wait(fixture, "w", 10);
    assert_int_equal(fixture->actions.records[0].time_ms, T0);
    assert_int_equal(fixture_complete(fixture, OUTCOME_SUCCEEDED), 0);
    assert_int_equal(fixture->exec->end_ms, T0);
}

/* An hour back does not make a wait of ten seconds one of an hour. */
static void test_a_clock_that_was_set_back_does_not_delay_a_wait(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    fixture->now_ms = T0 - 3600000;
    start_wait(fixture, "w", 10);
    fixture_suspend(fixture);
    assert_int_equal(fixture_tick(fixture, T0 - 3600000 + 10000), 0);
    EXPECT_RECORDS(fixture, WAIT_SUCCEEDED, NOTE_ATTEMPT_STARTED);
}

static void test_reading_waits_and_changes_nothing(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    assert_int_equal(fixture_apply(fixture, (struct command){.kind = COMMAND_READ}), 0);
    assert_ptr_equal(fixture->actions.exec, fixture->exec);
    EXPECT_NO_RECORDS(fixture);
    EXPECT_NO_ACTIONS(fixture);
}

static void test_what_was_sent_whole_is_delivered(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    start_wait(fixture, "w", 1);
    start_wait(fixture, "v", 100);
    assert_int_equal(fixture_tick(fixture, T0 + 1000), 0);
    core_delivered(fixture->exec);
    fixture_suspend(fixture);
    EXPECT_NO_ACTIONS(fixture);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_nothing_wakes_early),
        TEST(test_timers_due_together_wake_once),
        TEST(test_many_timers_take_some_ticks),
        TEST(test_a_cut_off_attempt_is_ended_and_run_again),
        TEST(test_a_live_attempt_is_left_alone),
        TEST(test_timers_missed_while_down_fire_with_the_cut_off),
        TEST(test_the_time_of_an_execution_never_goes_back),
        TEST(test_a_clock_that_was_set_back_does_not_delay_a_wait),
        TEST(test_reading_waits_and_changes_nothing),
        TEST(test_what_was_sent_whole_is_delivered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
