/* Callbacks: ended from outside, by a timeout, or by a missing heartbeat; once. */
#include "tests/core/fixture.h"

static void start_callback(struct fixture *fixture, uint32_t timeout_s, uint32_t heartbeat_s)
{
    fixture_start(fixture);
    fixture_update(fixture, (struct op_update){.type = OP_CALLBACK,
                                               .action = OP_START,
                                               .id = text("k"),
                                               .timeout_s = timeout_s,
                                               .heartbeat_s = heartbeat_s});
    EXPECT_RECORDS(fixture, CALLBACK_STARTED);
}

static int call(struct fixture *fixture, enum op_status status)
{
    return fixture_apply(fixture, (struct command){
                                      .kind = COMMAND_CALLBACK,
                                      .op_id = text("k"),
                                      .op_status = status,
                                      .has_payload = status == OP_SUCCEEDED,
                                      .payload = text((status == OP_SUCCEEDED) ? "yes" : NULL),
                                      .has_error = status == OP_FAILED,
                                      .error = text((status == OP_FAILED) ? "no" : NULL),
                                  });
}

static void expect_refusal(const struct fixture *fixture, int r, enum refusal refusal)
{
    assert_int_equal(r, CORE_REFUSED);
    assert_int_equal(fixture->actions.refusal, refusal);
}

static void expect_error(const struct fixture *fixture, const char *type)
{
    struct bytes error = fixture->actions.records[0].error;

    assert_true(memmem(error.data, error.len, type, strlen(type)) != NULL);
}

static void test_a_success_wakes_a_suspended_execution(void **state)
{
    struct fixture *fixture = *state;

    start_callback(fixture, 0, 0);
    fixture_suspend(fixture);
    assert_int_equal(exec_timer_ms(fixture->exec), fixture->exec->deadline_ms);
    assert_int_equal(call(fixture, OP_SUCCEEDED), 0);
    EXPECT_RECORDS(fixture, CALLBACK_SUCCEEDED, NOTE_ATTEMPT_STARTED);
    EXPECT_ACTIONS(fixture, ACTION_DISPATCH);
    EXPECT_TEXT(fixture->actions.records[0].payload, "yes");
    assert_int_equal(fixture_op(fixture, "k")->status, OP_SUCCEEDED);
}

static void test_an_answer_while_running_goes_out_with_the_next_checkpoint(void **state)
{
    struct fixture *fixture = *state;

    start_callback(fixture, 0, 0);
    assert_int_equal(call(fixture, OP_FAILED), 0);
    EXPECT_RECORDS(fixture, CALLBACK_FAILED);
    EXPECT_ACTIONS(fixture, ACTION_NOTIFY);
    EXPECT_TEXT(fixture->actions.records[0].error, "no");
    assert_int_equal(fixture_checkpoint(fixture, NULL, 0), 0);
    assert_true(fixture_op(fixture, "k")->changed > fixture->exec->reply_no);
    assert_int_equal(fixture->exec->delivered_no, fixture->exec->change_no);
}

static void test_a_callback_is_completed_once(void **state)
{
    struct fixture *fixture = *state;

    start_callback(fixture, 0, 0);
    assert_int_equal(call(fixture, OP_SUCCEEDED), 0);
    expect_refusal(fixture, call(fixture, OP_SUCCEEDED), REFUSAL_CLOSED);
    expect_refusal(fixture, call(fixture, OP_FAILED), REFUSAL_CLOSED);
    expect_refusal(fixture, call(fixture, OP_STARTED), REFUSAL_CLOSED);
}

static void test_a_timeout_ends_it(void **state)
{
    struct fixture *fixture = *state;
    const struct op *op;

    start_callback(fixture, 10, 60);
    fixture_suspend(fixture);
    assert_int_equal(exec_wake_ms(fixture->exec), T0 + 10000);
    assert_int_equal(fixture_tick(fixture, T0 + 9999), 0);
    EXPECT_NO_RECORDS(fixture);
    assert_int_equal(fixture_tick(fixture, T0 + 10000), 0);
    EXPECT_RECORDS(fixture, CALLBACK_TIMED_OUT, NOTE_ATTEMPT_STARTED);
    expect_error(fixture, "Callback.Timeout");
    op = fixture_op(fixture, "k");
    assert_int_equal(op->status, OP_TIMED_OUT);
    assert_int_equal(op->end_ms, T0 + 10000);
    assert_int_equal(op->timeout_ms, 0);
    assert_int_equal(op->heartbeat_ms, 0);
    assert_int_equal(op->error.record_no, fixture->exec->records - 1);
    assert_int_equal(op->error.len, fixture->actions.records[0].error.len);
    assert_int_equal(op->result.record_no, 0);
}

static void test_heartbeats_keep_it_alive(void **state)
{
    struct fixture *fixture = *state;

    start_callback(fixture, 0, 10);
    fixture_suspend(fixture);
    for (int i = 0; i < 5; i++) {
        fixture->now_ms += 9000;
        assert_int_equal(call(fixture, OP_STARTED), 0);
        EXPECT_RECORDS(fixture, NOTE_HEARTBEAT);
        EXPECT_NO_ACTIONS(fixture);
        assert_int_equal(exec_wake_ms(fixture->exec), fixture->now_ms + 10000);
    }
    assert_int_equal(fixture_tick(fixture, fixture->now_ms + 10000), 0);
    EXPECT_RECORDS(fixture, CALLBACK_TIMED_OUT, NOTE_ATTEMPT_STARTED);
    expect_error(fixture, "Callback.Heartbeat");
}

static void test_heartbeats_do_not_put_off_the_timeout(void **state)
{
    struct fixture *fixture = *state;

    start_callback(fixture, 15, 10);
    fixture->now_ms += 9000;
    assert_int_equal(call(fixture, OP_STARTED), 0);
    assert_int_equal(fixture_tick(fixture, T0 + 15000), 0);
    EXPECT_RECORDS(fixture, CALLBACK_TIMED_OUT);
    expect_error(fixture, "Callback.Timeout");
}

/* A heartbeat changes nothing that the handler can see. */
static void test_a_heartbeat_starts_no_attempt(void **state)
{
    struct fixture *fixture = *state;

    start_callback(fixture, 0, 10);
    assert_int_equal(call(fixture, OP_STARTED), 0);
    fixture_suspend(fixture);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED);
    EXPECT_NO_ACTIONS(fixture);
}

/* Which of two that came at the same time counts does not depend on the timer. */
static void test_an_answer_after_the_timeout_is_too_late(void **state)
{
    struct fixture *fixture = *state;

    start_callback(fixture, 10, 5);
    fixture->now_ms = T0 + 5000;
    expect_refusal(fixture, call(fixture, OP_SUCCEEDED), REFUSAL_CLOSED);
    fixture->now_ms = T0 + 4999;
    assert_int_equal(call(fixture, OP_SUCCEEDED), 0);
}

static void test_an_ended_execution_has_closed_callbacks(void **state)
{
    struct fixture *fixture = *state;

    start_callback(fixture, 0, 0);
    assert_int_equal(fixture_complete(fixture, OUTCOME_SUCCEEDED), 0);
    expect_refusal(fixture, call(fixture, OP_SUCCEEDED), REFUSAL_CLOSED);
    assert_int_equal(fixture_op(fixture, "k")->status, OP_STARTED);
}

static void test_what_is_not_a_callback_is_not_found(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    expect_refusal(fixture, call(fixture, OP_SUCCEEDED), REFUSAL_NOT_FOUND);
    fixture_update(fixture,
                   (struct op_update){.type = OP_STEP, .action = OP_START, .id = text("k")});
    expect_refusal(fixture, call(fixture, OP_SUCCEEDED), REFUSAL_NOT_FOUND);
}

static void test_a_clock_set_back_puts_nothing_off(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    fixture->now_ms -= 3600000;
    fixture_update(fixture, (struct op_update){.type = OP_CALLBACK,
                                               .action = OP_START,
                                               .id = text("k"),
                                               .timeout_s = 20,
                                               .heartbeat_s = 10});
    assert_int_equal(fixture->exec->last_ms, T0); /* what is recorded never goes back */
    assert_int_equal(fixture_op(fixture, "k")->timeout_ms, T0 - 3600000 + 20000);
    assert_int_equal(fixture_op(fixture, "k")->heartbeat_ms, T0 - 3600000 + 10000);
    fixture->now_ms += 5000;
    assert_int_equal(fixture_apply(fixture, (struct command){.kind = COMMAND_CALLBACK,
                                                             .op_id = text("k"),
                                                             .op_status = OP_STARTED}),
                     0);
    assert_int_equal(fixture_op(fixture, "k")->heartbeat_ms, T0 - 3600000 + 15000);
    fixture_update(fixture, (struct op_update){
                                .type = OP_WAIT, .action = OP_START, .id = text("w"), .wait_s = 7});
    assert_int_equal(fixture_op(fixture, "w")->due_ms, T0 - 3600000 + 12000);
    fixture_restart(fixture);
    assert_int_equal(fixture_op(fixture, "k")->timeout_ms, T0 - 3600000 + 20000);
    assert_int_equal(fixture_op(fixture, "k")->heartbeat_ms, T0 - 3600000 + 15000);
}

static void test_timers_survive_a_restart(void **state)
{
    struct fixture *fixture = *state;

    start_callback(fixture, 100, 10);
    fixture_suspend(fixture);
    fixture->now_ms += 5000;
    assert_int_equal(call(fixture, OP_STARTED), 0);
    fixture_restart(fixture);
    assert_int_equal(exec_wake_ms(fixture->exec), T0 + 15000);
    assert_int_equal(fixture_tick(fixture, T0 + 15000), 0);
    EXPECT_RECORDS(fixture, CALLBACK_TIMED_OUT, NOTE_ATTEMPT_STARTED);
    expect_error(fixture, "Callback.Heartbeat");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_a_success_wakes_a_suspended_execution),
        TEST(test_an_answer_while_running_goes_out_with_the_next_checkpoint),
        TEST(test_a_callback_is_completed_once),
        TEST(test_a_timeout_ends_it),
        TEST(test_heartbeats_keep_it_alive),
        TEST(test_heartbeats_do_not_put_off_the_timeout),
        TEST(test_a_heartbeat_starts_no_attempt),
        TEST(test_an_answer_after_the_timeout_is_too_late),
        TEST(test_an_ended_execution_has_closed_callbacks),
        TEST(test_what_is_not_a_callback_is_not_found),
        TEST(test_a_clock_set_back_puts_nothing_off),
        TEST(test_timers_survive_a_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
