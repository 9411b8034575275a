/* Chained invokes: the start of the child, its end, and the order of events. */
#include "tests/core/fixture.h"

static void start_invoke(struct fixture *fixture)
{
    fixture_start(fixture);
    fixture_update(fixture, (struct op_update){.type = OP_CHAINED_INVOKE,
                                               .action = OP_START,
                                               .id = text("i"),
                                               .function = text("child"),
                                               .tenant_id = text("acme"),
                                               .has_payload = true,
                                               .payload = text("in"),
                                               .child_arn = text("arn:child"),
                                               .child_id = fixture_id(5)});
}

static int end_child(struct fixture *fixture, enum op_status status)
{
    bool is_success = status == OP_SUCCEEDED;

    return fixture_apply(fixture, (struct command){.kind = COMMAND_CHAINED_ENDED,
                                                   .op_id = text("i"),
                                                   .op_status = status,
                                                   .has_payload = is_success,
                                                   .payload = text(is_success ? "out" : NULL),
                                                   .has_error = !is_success,
                                                   .error = text(is_success ? NULL : "why")});
}

static void test_a_start_asks_for_the_child(void **state)
{
    struct fixture *fixture = *state;
    const struct op *op;

    start_invoke(fixture);
    EXPECT_RECORDS(fixture, CHAINED_INVOKE_STARTED);
    EXPECT_ACTIONS(fixture, ACTION_CHAIN);
    op = fixture_op(fixture, "i");
    assert_ptr_equal(fixture->actions.items[0].op, op);
    EXPECT_TEXT(fixture->actions.items[0].payload, "in");
    EXPECT_TEXT(fixture->actions.records[0].function, "child");
    EXPECT_TEXT(fixture->actions.records[0].arn, "arn:child");
    EXPECT_TEXT(fixture->actions.records[0].tenant_id, "acme");
    assert_int_equal(op->child_id.bytes[15], 5);
    assert_int_equal(op->input.record_no, fixture->exec->records);
    assert_int_equal(fixture->exec->unsent_chains, 1);
}

/* AWS's own histories have the parent's InvocationCompleted first. */
static void test_a_result_while_running_waits_for_the_end_of_the_invocation(void **state)
{
    struct fixture *fixture = *state;

    start_invoke(fixture);
    assert_int_equal(end_child(fixture, OP_SUCCEEDED), 0);
    EXPECT_RECORDS(fixture, NOTE_CHAINED_RESULT);
    EXPECT_ACTIONS(fixture, ACTION_NOTIFY);
    assert_int_equal(fixture_op(fixture, "i")->status, OP_STARTED);
    assert_int_equal(fixture_complete(fixture, OUTCOME_PENDING), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, CHAINED_INVOKE_SUCCEEDED, NOTE_ATTEMPT_STARTED);
    EXPECT_TEXT(fixture->actions.records[1].payload, "out");
    assert_false(fixture->actions.records[1].has_error);
    assert_int_equal(fixture_op(fixture, "i")->status, OP_SUCCEEDED);
    assert_int_equal(fixture_op(fixture, "i")->result.record_no, fixture->exec->records - 1);
}

static void test_a_result_while_running_goes_out_with_the_next_checkpoint(void **state)
{
    struct fixture *fixture = *state;

    start_invoke(fixture);
    assert_int_equal(end_child(fixture, OP_FAILED), 0);
    assert_int_equal(fixture_checkpoint(fixture, NULL, 0), 0);
    EXPECT_RECORDS(fixture, CHAINED_INVOKE_FAILED);
    EXPECT_TEXT(fixture->actions.records[0].error, "why");
    assert_false(fixture->actions.records[0].has_payload);
    assert_true(fixture_op(fixture, "i")->changed > fixture->exec->reply_no);
    assert_int_equal(fixture->exec->pending_results, 0);
}

static void test_each_end_of_a_child_has_its_event(void **state)
{
    static const struct {
        enum op_status status;
        enum record_kind kind;
    } ends[] = {{OP_SUCCEEDED, CHAINED_INVOKE_SUCCEEDED},
                {OP_FAILED, CHAINED_INVOKE_FAILED},
                {OP_TIMED_OUT, CHAINED_INVOKE_TIMED_OUT},
                {OP_STOPPED, CHAINED_INVOKE_STOPPED}};

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        void *made;
        struct fixture *fixture;

        assert_int_equal(fixture_setup(&made), 0);
        fixture = made;
        start_invoke(fixture);
        fixture_suspend(fixture);
        assert_int_equal(end_child(fixture, ends[i].status), 0);
        EXPECT_RECORDS(fixture, NOTE_CHAINED_RESULT, ends[i].kind, NOTE_ATTEMPT_STARTED);
        assert_int_equal(fixture_op(fixture, "i")->status, ends[i].status);
        (void)fixture_teardown(&made);
    }
}

static void test_a_child_ends_once(void **state)
{
    struct fixture *fixture = *state;

    start_invoke(fixture);
    assert_int_equal(end_child(fixture, OP_SUCCEEDED), 0);
    assert_int_equal(end_child(fixture, OP_SUCCEEDED), CORE_REFUSED); /* a note is there */
    assert_int_equal(fixture->actions.refusal, REFUSAL_CLOSED);
    assert_int_equal(fixture_checkpoint(fixture, NULL, 0), 0);
    assert_int_equal(end_child(fixture, OP_FAILED), CORE_REFUSED); /* the event is there */
    assert_int_equal(fixture->actions.refusal, REFUSAL_CLOSED);
}

static void test_the_end_of_a_child_is_of_an_invoke(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    assert_int_equal(end_child(fixture, OP_SUCCEEDED), CORE_REFUSED);
    assert_int_equal(fixture->actions.refusal, REFUSAL_NOT_FOUND);
    fixture_update(fixture,
                   (struct op_update){.type = OP_STEP, .action = OP_START, .id = text("i")});
    assert_int_equal(end_child(fixture, OP_SUCCEEDED), CORE_REFUSED);
    assert_int_equal(fixture->actions.refusal, REFUSAL_NOT_FOUND);
}

static void test_a_target_that_cannot_start_fails_at_the_next_checkpoint(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    fixture_update(fixture, (struct op_update){.type = OP_CHAINED_INVOKE,
                                               .action = OP_START,
                                               .id = text("i"),
                                               .function = text("none"),
                                               .has_error = true,
                                               .error = text("no such function")});
    EXPECT_RECORDS(fixture, CHAINED_INVOKE_STARTED, NOTE_CHAINED_RESULT);
    EXPECT_NO_ACTIONS(fixture);
    assert_false(fixture->actions.records[0].has_error);
    assert_int_equal(fixture->exec->unsent_chains, 0);
    assert_int_equal(fixture_complete(fixture, OUTCOME_PENDING), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, CHAINED_INVOKE_FAILED, NOTE_ATTEMPT_STARTED);
    EXPECT_TEXT(fixture->actions.records[1].error, "no such function");
}

static void test_a_start_that_may_be_lost_is_asked_for_again(void **state)
{
    struct fixture *fixture = *state;

    start_invoke(fixture);
    fixture_suspend(fixture);
    assert_int_equal(exec_wake_ms(fixture->exec), EXEC_WAKE_NOW);
    assert_false(core_can_evict(fixture->exec));
    fixture_restart(fixture);
    assert_int_equal(exec_wake_ms(fixture->exec), EXEC_WAKE_NOW);
    assert_int_equal(fixture_tick(fixture, T0 + 1), 0);
    EXPECT_NO_RECORDS(fixture);
    EXPECT_ACTIONS(fixture, ACTION_CHAIN);
    assert_ptr_equal(fixture->actions.items[0].op, fixture_op(fixture, "i"));
    core_chain_sent(fixture->exec, fixture_op(fixture, "i"));
    assert_int_equal(fixture_tick(fixture, T0 + 2), 0);
    EXPECT_NO_ACTIONS(fixture);
    assert_true(core_can_evict(fixture->exec));
}

/* The copy of the result outlives the daemon between the note and the event. */
static void test_a_result_survives_a_restart_before_it_is_told(void **state)
{
    struct fixture *fixture = *state;

    start_invoke(fixture);
    assert_int_equal(end_child(fixture, OP_SUCCEEDED), 0);
    fixture_restart(fixture);
    assert_int_equal(fixture_tick(fixture, T0 + 1), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, CHAINED_INVOKE_SUCCEEDED, NOTE_ATTEMPT_STARTED);
    EXPECT_TEXT(fixture->actions.records[1].payload, "out");
}

static void test_a_child_tells_its_parent_until_it_knows(void **state)
{
    struct fixture *fixture = *state;
    struct command command = fixture_start_command();

    command.started.parent_exec = fixture_id(7);
    command.started.parent_op = text("i");
    assert_int_equal(fixture_apply(fixture, command), 0);
    assert_int_equal(fixture_complete(fixture, OUTCOME_SUCCEEDED), 0);
    assert_int_equal(exec_wake_ms(fixture->exec), EXEC_WAKE_NOW);
    assert_false(core_can_evict(fixture->exec));
    assert_int_equal(fixture_tick(fixture, T0 + 1), 0);
    EXPECT_NO_RECORDS(fixture);
    EXPECT_ACTIONS(fixture, ACTION_CLOSED);
    assert_int_equal(fixture_apply(fixture, (struct command){.kind = COMMAND_NOTIFIED}), 0);
    EXPECT_RECORDS(fixture, NOTE_PARENT_NOTIFIED);
    assert_int_equal(exec_wake_ms(fixture->exec), EXEC_WAKE_NEVER);
    assert_int_equal(fixture_apply(fixture, (struct command){.kind = COMMAND_NOTIFIED}), 0);
    EXPECT_NO_RECORDS(fixture);
    assert_int_equal(fixture_tick(fixture, T0 + 2), 0);
    EXPECT_NO_ACTIONS(fixture);
}

static void test_a_cancelled_invoke_ignores_its_child(void **state)
{
    struct fixture *fixture = *state;

    start_invoke(fixture);
    fixture_update(fixture, (struct op_update){
                                .type = OP_CHAINED_INVOKE, .action = OP_CANCEL, .id = text("i")});
    EXPECT_RECORDS(fixture, CHAINED_INVOKE_STOPPED);
    assert_int_equal(fixture->exec->unsent_chains, 0);
    assert_int_equal(fixture->exec->pending_count, 0);
    assert_int_equal(end_child(fixture, OP_SUCCEEDED), CORE_REFUSED);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_a_start_asks_for_the_child),
        TEST(test_a_result_while_running_waits_for_the_end_of_the_invocation),
        TEST(test_a_result_while_running_goes_out_with_the_next_checkpoint),
        TEST(test_each_end_of_a_child_has_its_event),
        TEST(test_a_child_ends_once),
        TEST(test_the_end_of_a_child_is_of_an_invoke),
        TEST(test_a_target_that_cannot_start_fails_at_the_next_checkpoint),
        TEST(test_a_start_that_may_be_lost_is_asked_for_again),
        TEST(test_a_result_survives_a_restart_before_it_is_told),
        TEST(test_a_child_tells_its_parent_until_it_knows),
        TEST(test_a_cancelled_invoke_ignores_its_child),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
