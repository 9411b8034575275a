/* EVENT: one asynchronous invoke of an ordinary function; and who is told of its end. */
#include "tests/core/fixture.h"

static int lose(struct fixture *fixture)
{
    return fixture_apply(fixture, (struct command){.kind = COMMAND_COMPLETE,
                                                   .attempt = fixture->exec->attempt,
                                                   .outcome = OUTCOME_ERROR,
                                                   .is_retryable = true,
                                                   .has_error = true,
                                                   .error = text("crash")});
}

static void start_event(struct fixture *fixture, uint32_t retries_max, uint32_t age_s)
{
    struct command command = fixture_start_command();

    command.started.exec_kind = EXEC_EVENT;
    command.started.retries_max = retries_max;
    command.started.event_age_s = age_s;
    command.started.timeout_s = 0;
    assert_int_equal(fixture_apply(fixture, command), 0);
}

static void test_an_event_is_retried_after_one_and_two_minutes(void **state)
{
    struct fixture *fixture = *state;

    start_event(fixture, 2, 21600);
    assert_int_equal(fixture_complete(fixture, OUTCOME_FAILED), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, NOTE_FAILURE_COUNTED);
    assert_int_equal(fixture->exec->retry_ms, T0 + 60000);
    assert_int_equal(fixture_tick(fixture, T0 + 60000), 0);
    EXPECT_RECORDS(fixture, NOTE_ATTEMPT_STARTED);
    assert_int_equal(lose(fixture), 0);
    assert_int_equal(fixture->exec->retry_ms, T0 + 60000 + 120000);
    assert_int_equal(fixture_tick(fixture, T0 + 180000), 0);
    assert_int_equal(fixture_complete(fixture, OUTCOME_FAILED), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, EXECUTION_FAILED);
    EXPECT_TEXT(fixture->actions.records[1].error, "bad");
}

static void test_an_event_without_retries_fails_at_once(void **state)
{
    struct fixture *fixture = *state;

    start_event(fixture, 0, 21600);
    assert_int_equal(fixture_complete(fixture, OUTCOME_FAILED), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, EXECUTION_FAILED);
}

static void test_an_event_is_not_retried_beyond_its_age(void **state)
{
    struct fixture *fixture = *state;

    start_event(fixture, 2, 100);
    assert_int_equal(fixture_complete(fixture, OUTCOME_FAILED), 0);
    assert_int_equal(fixture_tick(fixture, T0 + 60000), 0);
    assert_int_equal(fixture_complete(fixture, OUTCOME_FAILED), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, EXECUTION_FAILED);
}

/* The attempt fails within the millisecond of the event: its retry would start at its age. */
static void test_an_event_is_not_retried_at_its_age(void **state)
{
    struct fixture *fixture = *state;

    start_event(fixture, 2, 60);
    assert_int_equal(fixture_complete(fixture, OUTCOME_FAILED), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, EXECUTION_FAILED);
}

/* The daemon was down when the retry was due. */
static void test_an_event_that_grew_too_old_meanwhile_fails(void **state)
{
    struct fixture *fixture = *state;

    start_event(fixture, 2, 100);
    assert_int_equal(fixture_complete(fixture, OUTCOME_FAILED), 0);
    assert_int_equal(fixture_tick(fixture, T0 + 100000), 0);
    EXPECT_RECORDS(fixture, EXECUTION_FAILED);
    EXPECT_ACTIONS(fixture, ACTION_CLOSED);
    assert_true(memmem(fixture->actions.records[0].error.data,
                       fixture->actions.records[0].error.len, "Pawl.EventAgeExceeded", 21) != NULL);
}

static void test_an_old_event_that_was_cut_off_is_not_run_again(void **state)
{
    struct fixture *fixture = *state;

    start_event(fixture, 2, 100);
    fixture_restart(fixture);
    assert_int_equal(fixture_tick(fixture, T0 + 100001), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, EXECUTION_FAILED);
}

static void test_an_event_succeeds(void **state)
{
    struct fixture *fixture = *state;

    start_event(fixture, 2, 21600);
    assert_int_equal(fixture_complete(fixture, OUTCOME_SUCCEEDED), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, EXECUTION_SUCCEEDED);
}

/* --- an EVENT that finds no place --------------------------------------------------------- */

static int turn_away(struct fixture *fixture, bool is_final)
{
    return fixture_apply(fixture, (struct command){.kind = COMMAND_COMPLETE,
                                                   .attempt = fixture->exec->attempt,
                                                   .outcome = OUTCOME_ERROR,
                                                   .is_throttled = true,
                                                   .is_final = is_final,
                                                   .has_error = true,
                                                   .error = text("busy")});
}

static void test_a_throttled_event_comes_back_and_is_not_counted(void **state)
{
    struct fixture *fixture = *state;
    int64_t delay_ms = 1000;

    start_event(fixture, 0, 21600);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(turn_away(fixture, false), 0);
        EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, NOTE_FAILURE_COUNTED);
        assert_int_equal(fixture->exec->failures, 0);
        assert_int_equal(fixture->exec->retry_ms, fixture->now_ms + delay_ms);
        assert_int_equal(fixture_tick(fixture, fixture->exec->retry_ms), 0);
        EXPECT_RECORDS(fixture, NOTE_ATTEMPT_STARTED);
        delay_ms = (delay_ms * 2 < 300000) ? delay_ms * 2 : 300000;
    }
    assert_int_equal(fixture_complete(fixture, OUTCOME_FAILED), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, EXECUTION_FAILED);
}

static void test_a_throttled_event_grows_too_old(void **state)
{
    struct fixture *fixture = *state;

    start_event(fixture, 2, 60);
    for (int i = 0; i < 5; i++) { /* 1, 2, 4, 8, 16 s */
        assert_int_equal(turn_away(fixture, false), 0);
        assert_int_equal(fixture_tick(fixture, fixture->exec->retry_ms), 0);
    }
    assert_int_equal(turn_away(fixture, false), 0); /* 32 s more are too many */
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, EXECUTION_FAILED);
    EXPECT_TEXT(fixture->actions.records[1].error, "busy");
}

static void test_an_event_that_may_never_run_fails_at_once(void **state)
{
    struct fixture *fixture = *state;

    start_event(fixture, 2, 21600);
    assert_int_equal(turn_away(fixture, true), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, EXECUTION_FAILED);
}

static void test_all_attempts_of_an_event_are_one_request(void **state)
{
    struct fixture *fixture = *state;

    start_event(fixture, 2, 21600);
    assert_true(id_equal(&fixture->exec->request_id, &fixture->exec->id));
    assert_int_equal(fixture_complete(fixture, OUTCOME_FAILED), 0);
    assert_int_equal(fixture_tick(fixture, T0 + 60000), 0);
    assert_true(id_equal(&fixture->exec->request_id, &fixture->exec->id));
}

/* --- destinations ---------------------------------------------------------------------------- */

static void start_with_destinations(struct fixture *fixture, enum exec_kind kind,
                                    const char *on_success, const char *on_failure)
{
    struct command command = fixture_start_command();

    command.started.exec_kind = kind;
    command.started.timeout_s = (kind == EXEC_DURABLE) ? 60 : 0;
    command.started.event_age_s = 21600;
    command.started.on_success = text(on_success);
    command.started.on_failure = text(on_failure);
    command.started.request_id = fixture_id(9);
    assert_int_equal(fixture_apply(fixture, command), 0);
    EXPECT_TEXT(exec_destination(fixture->exec), ""); /* it runs */
}

/* Found again after a restart, each time, until it is noted; and then never more. */
static void expect_told(struct fixture *fixture, const char *destination)
{
    EXPECT_TEXT(exec_destination(fixture->exec), destination);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(exec_wake_ms(fixture->exec), EXEC_WAKE_NOW);
        fixture_restart(fixture);
        assert_int_equal(fixture_tick(fixture, fixture->now_ms), 0);
        EXPECT_NO_RECORDS(fixture);
        EXPECT_ACTIONS(fixture, ACTION_CLOSED);
    }
    assert_int_equal(fixture_apply(fixture, (struct command){.kind = COMMAND_NOTIFIED}), 0);
    EXPECT_RECORDS(fixture, NOTE_PARENT_NOTIFIED);
    assert_int_equal(exec_wake_ms(fixture->exec), EXEC_WAKE_NEVER);
    fixture_restart(fixture);
    assert_int_equal(fixture_tick(fixture, fixture->now_ms), 0);
    EXPECT_NO_ACTIONS(fixture);
    assert_int_equal(fixture_apply(fixture, (struct command){.kind = COMMAND_NOTIFIED}), 0);
    EXPECT_NO_RECORDS(fixture);
}

static void test_a_success_is_told_to_its_destination(void **state)
{
    struct fixture *fixture = *state;

    start_with_destinations(fixture, EXEC_EVENT, "arn:good", "arn:bad");
    assert_int_equal(fixture_complete(fixture, OUTCOME_SUCCEEDED), 0);
    EXPECT_ACTIONS(fixture, ACTION_CLOSED);
    expect_told(fixture, "arn:good");
}

static void test_a_failure_is_told_to_its_destination(void **state)
{
    struct fixture *fixture = *state;

    start_with_destinations(fixture, EXEC_EVENT, "arn:good", "arn:bad");
    assert_int_equal(fixture_complete(fixture, OUTCOME_FAILED), 0);
    EXPECT_ACTIONS(fixture, ACTION_CLOSED);
    expect_told(fixture, "arn:bad");
}

static void test_a_timeout_is_told_as_a_failure(void **state)
{
    struct fixture *fixture = *state;

    start_with_destinations(fixture, EXEC_DURABLE, "arn:good", "arn:bad");
    assert_int_equal(fixture_tick(fixture, T0 + 60000), 0);
    EXPECT_ACTIONS(fixture, ACTION_FENCE, ACTION_CLOSED);
    expect_told(fixture, "arn:bad");
}

static void expect_nobody(struct fixture *fixture)
{
    EXPECT_TEXT(exec_destination(fixture->exec), "");
    assert_int_equal(exec_wake_ms(fixture->exec), EXEC_WAKE_NEVER);
}

static void test_an_end_without_a_destination_is_told_to_nobody(void **state)
{
    struct fixture *fixture = *state;

    start_with_destinations(fixture, EXEC_EVENT, "", "arn:bad");
    assert_int_equal(fixture_complete(fixture, OUTCOME_SUCCEEDED), 0);
    expect_nobody(fixture);
}

static void test_a_stop_is_told_to_nobody(void **state)
{
    struct fixture *fixture = *state;

    start_with_destinations(fixture, EXEC_DURABLE, "arn:good", "arn:bad");
    assert_int_equal(fixture_apply(fixture, (struct command){.kind = COMMAND_STOP}), 0);
    expect_nobody(fixture);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_an_event_is_retried_after_one_and_two_minutes),
        TEST(test_an_event_without_retries_fails_at_once),
        TEST(test_an_event_is_not_retried_beyond_its_age),
        TEST(test_an_event_is_not_retried_at_its_age),
        TEST(test_an_event_that_grew_too_old_meanwhile_fails),
        TEST(test_an_old_event_that_was_cut_off_is_not_run_again),
        TEST(test_an_event_succeeds),
        TEST(test_a_throttled_event_comes_back_and_is_not_counted),
        TEST(test_a_throttled_event_grows_too_old),
        TEST(test_an_event_that_may_never_run_fails_at_once),
        TEST(test_all_attempts_of_an_event_are_one_request),
        TEST(test_a_success_is_told_to_its_destination),
        TEST(test_a_failure_is_told_to_its_destination),
        TEST(test_a_timeout_is_told_as_a_failure),
        TEST(test_an_end_without_a_destination_is_told_to_nobody),
        TEST(test_a_stop_is_told_to_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
