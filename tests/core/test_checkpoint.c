/* What each accepted update does: its records, the operation it leaves, and the
 * token that carries it. */
#include "tests/core/fixture.h"

static void expect_only_event(const struct fixture *fixture, enum record_kind kind)
{
    const struct record *record = &fixture->actions.records[0];

    EXPECT_RECORDS(fixture, kind);
    assert_int_equal(record->event_id, fixture->exec->events);
    assert_int_equal(record->time_ms, fixture->now_ms);
}

static void test_a_step_starts_and_succeeds(void **state)
{
    struct fixture *fixture = *state;
    const struct op *op;

    fixture_start(fixture);
    fixture_update(fixture, (struct op_update){.type = OP_STEP,
                                               .action = OP_START,
                                               .id = text("s"),
                                               .name = text("pay"),
                                               .sub_type = text("Step")});
    expect_only_event(fixture, STEP_STARTED);
    op = fixture_op(fixture, "s");
    assert_int_equal(op->status, OP_STARTED);
    assert_int_equal(op->attempt, 0);
    assert_int_equal(op->start_ms, T0);
    fixture->now_ms += 1500;
    fixture_update(fixture, (struct op_update){.type = OP_STEP,
                                               .action = OP_SUCCEED,
                                               .id = text("s"),
                                               .has_payload = true,
                                               .payload = text("7")});
    expect_only_event(fixture, STEP_SUCCEEDED);
    EXPECT_TEXT(fixture->actions.records[0].name, "pay");
    EXPECT_TEXT(fixture->actions.records[0].sub_type, "Step");
    EXPECT_TEXT(fixture->actions.records[0].payload, "7");
    assert_int_equal(fixture->actions.records[0].attempt, 1);
    assert_int_equal(op->status, OP_SUCCEEDED);
    assert_int_equal(op->attempt, 1);
    assert_int_equal(op->end_ms, T0 + 1500);
    assert_int_equal(op->result.record_no, fixture->exec->records);
    assert_int_equal(op->result.len, 1);
}

static void test_an_end_without_a_start_makes_the_operation(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    fixture_update(fixture,
                   (struct op_update){.type = OP_STEP, .action = OP_FAIL, .id = text("s")});
    expect_only_event(fixture, STEP_FAILED);
    assert_int_equal(fixture->actions.records[0].attempt, 1);
    assert_int_equal(fixture_op(fixture, "s")->status, OP_FAILED);
    assert_int_equal(fixture_op(fixture, "s")->attempt, 1);
    fixture_update(fixture,
                   (struct op_update){.type = OP_CONTEXT, .action = OP_SUCCEED, .id = text("c")});
    expect_only_event(fixture, CONTEXT_SUCCEEDED);
    assert_int_equal(fixture_op(fixture, "c")->status, OP_SUCCEEDED);
}

static void retry(struct fixture *fixture, const char *payload, const char *error)
{
    fixture_update(fixture, (struct op_update){.type = OP_STEP,
                                               .action = OP_RETRY,
                                               .id = text("s"),
                                               .has_step_options = true,
                                               .delay_s = 5,
                                               .has_payload = payload != NULL,
                                               .payload = text(payload),
                                               .has_error = error != NULL,
                                               .error = text(error)});
}

static void test_a_retry_with_an_error_waits_and_gets_ready(void **state)
{
    struct fixture *fixture = *state;
    const struct op *op;

    fixture_start(fixture);
    retry(fixture, NULL, "declined");
    expect_only_event(fixture, STEP_FAILED);
    assert_int_equal(fixture->actions.records[0].delay_s, 5);
    assert_int_equal(fixture->actions.records[0].due_ms, T0 + 5000);
    op = fixture_op(fixture, "s");
    assert_int_equal(op->status, OP_PENDING);
    assert_int_equal(op->attempt, 1);
    assert_int_equal(op->due_ms, T0 + 5000);
    assert_int_equal(op->error.len, 8);
    assert_int_equal(fixture->exec->pending_count, 1);
    assert_int_equal(fixture_tick(fixture, T0 + 5000), 0);
    EXPECT_RECORDS(fixture, NOTE_STEP_READY);
    EXPECT_ACTIONS(fixture, ACTION_NOTIFY);
    assert_int_equal(op->status, OP_READY);
    assert_int_equal(op->due_ms, 0);
    assert_int_equal(fixture->exec->pending_count, 0);
    fixture_update(fixture,
                   (struct op_update){.type = OP_STEP, .action = OP_START, .id = text("s")});
    expect_only_event(fixture, STEP_STARTED);
    assert_int_equal(op->attempt, 1);
    assert_int_equal(op->status, OP_STARTED);
}

static void test_a_polled_state_is_kept_through_the_next_attempt(void **state)
{
    struct fixture *fixture = *state;
    const struct op *op;
    uint64_t record_no;

    fixture_start(fixture);
    retry(fixture, "state 1", NULL);
    expect_only_event(fixture, STEP_SUCCEEDED);
    op = fixture_op(fixture, "s");
    record_no = fixture->exec->records;
    assert_int_equal(op->status, OP_PENDING);
    assert_int_equal(op->result.record_no, record_no);
    assert_int_equal(fixture_tick(fixture, T0 + 5000), 0);
    assert_int_equal(op->result.record_no, record_no);
    fixture_update(fixture,
                   (struct op_update){.type = OP_STEP, .action = OP_START, .id = text("s")});
    assert_int_equal(op->result.record_no, record_no);
    assert_int_equal(op->result.len, 7);
}

static void test_a_wait_is_scheduled_and_cancelled(void **state)
{
    struct fixture *fixture = *state;
    const struct op *op;

    fixture_start(fixture);
    fixture_update(
        fixture,
        (struct op_update){.type = OP_WAIT, .action = OP_START, .id = text("w"), .wait_s = 60});
    expect_only_event(fixture, WAIT_STARTED);
    assert_int_equal(fixture->actions.records[0].delay_s, 60);
    assert_int_equal(fixture->actions.records[0].due_ms, T0 + 60000);
    op = fixture_op(fixture, "w");
    assert_int_equal(op->due_ms, T0 + 60000);
    assert_int_equal(exec_timer_ms(fixture->exec), T0 + 60000);
    fixture_update(fixture,
                   (struct op_update){.type = OP_WAIT, .action = OP_CANCEL, .id = text("w")});
    expect_only_event(fixture, WAIT_CANCELLED);
    assert_int_equal(op->status, OP_CANCELLED);
    assert_int_equal(exec_timer_ms(fixture->exec), T0 + 86400000);
    assert_int_equal(fixture->exec->pending_count, 0);
}

/* c1 holds c2 and a step; c2 holds a step. */
static void start_family(struct fixture *fixture)
{
    const struct op_update updates[] = {
        {.type = OP_CONTEXT, .action = OP_START, .id = text("c1")},
        {.type = OP_CONTEXT, .action = OP_START, .id = text("c2"), .parent_id = text("c1")},
        {.type = OP_STEP, .action = OP_SUCCEED, .id = text("deep"), .parent_id = text("c2")},
        {.type = OP_STEP, .action = OP_SUCCEED, .id = text("flat"), .parent_id = text("c1")},
        {.type = OP_STEP, .action = OP_SUCCEED, .id = text("other")},
    };

    fixture_start(fixture);
    assert_int_equal(fixture_checkpoint(fixture, updates, 5), 0);
}

static void end_context(struct fixture *fixture, const char *id, bool replay_children)
{
    fixture_update(fixture, (struct op_update){.type = OP_CONTEXT,
                                               .action = OP_SUCCEED,
                                               .id = text(id),
                                               .replay_children = replay_children});
}

static void test_a_finished_context_drops_what_is_inside(void **state)
{
    struct fixture *fixture = *state;

    start_family(fixture);
    end_context(fixture, "c1", false);
    assert_true(fixture_op(fixture, "c2")->is_pruned);
    assert_true(fixture_op(fixture, "deep")->is_pruned);
    assert_true(fixture_op(fixture, "flat")->is_pruned);
    assert_false(fixture_op(fixture, "c1")->is_pruned);
    assert_false(fixture_op(fixture, "other")->is_pruned);
}

static void test_an_inner_context_drops_only_its_own(void **state)
{
    struct fixture *fixture = *state;

    start_family(fixture);
    end_context(fixture, "c2", false);
    assert_true(fixture_op(fixture, "deep")->is_pruned);
    assert_false(fixture_op(fixture, "flat")->is_pruned);
    assert_false(fixture_op(fixture, "c2")->is_pruned);
}

static void test_replay_children_keeps_them(void **state)
{
    struct fixture *fixture = *state;

    start_family(fixture);
    end_context(fixture, "c1", true);
    assert_true(fixture_op(fixture, "c1")->replay_children);
    assert_false(fixture_op(fixture, "c2")->is_pruned);
    assert_false(fixture_op(fixture, "deep")->is_pruned);
    assert_true(fixture->actions.records[0].replay_children);
}

static void test_events_are_numbered_and_notes_are_not(void **state)
{
    struct fixture *fixture = *state;
    uint64_t next = 1;

    start_family(fixture);
    retry(fixture, NULL, "e");
    assert_int_equal(fixture_tick(fixture, T0 + 5000), 0);
    for (uint32_t i = 0; i < fixture->tape.count; i++) {
        const struct record *record = &fixture->tape.records[i];

        assert_int_equal(record->event_id, record_is_event(record->kind) ? next++ : 0);
    }
    assert_int_equal(fixture->exec->events, next - 1);
    assert_int_equal(fixture->exec->records, fixture->tape.count);
}

/* --- the token ------------------------------------------------------------------- */

static int send(struct fixture *fixture, uint32_t attempt, uint32_t seq)
{
    return fixture_apply(
        fixture, (struct command){.kind = COMMAND_CHECKPOINT, .attempt = attempt, .seq = seq});
}

static void expect_stale(const struct fixture *fixture, int r)
{
    assert_int_equal(r, CORE_REFUSED);
    assert_int_equal(fixture->actions.refusal, REFUSAL_STALE);
    assert_string_equal(fixture->actions.message, "Invalid Checkpoint Token");
}

static void test_a_token_is_good_once_and_may_be_repeated(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    expect_stale(fixture, send(fixture, 1, 0));
    expect_stale(fixture, send(fixture, 1, 2));
    assert_int_equal(send(fixture, 1, 1), 0);
    assert_false(fixture->actions.is_repeat);
    assert_int_equal(send(fixture, 1, 1), 0);
    assert_true(fixture->actions.is_repeat);
    EXPECT_NO_RECORDS(fixture);
    assert_int_equal(send(fixture, 1, 2), 0);
    expect_stale(fixture, send(fixture, 1, 1));
}

static void test_a_repeat_applies_nothing_again(void **state)
{
    struct fixture *fixture = *state;
    const struct op_update update = {.type = OP_STEP, .action = OP_START, .id = text("s")};
    struct command command = {
        .kind = COMMAND_CHECKPOINT, .attempt = 1, .seq = 1, .updates = &update, .update_count = 1};

    fixture_start(fixture);
    assert_int_equal(fixture_apply(fixture, command), 0);
    assert_int_equal(fixture_apply(fixture, command), 0);
    assert_true(fixture->actions.is_repeat);
    EXPECT_NO_RECORDS(fixture);
    EXPECT_NO_ACTIONS(fixture);
}

static void test_a_token_dies_with_its_attempt(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    fixture_update(fixture, (struct op_update){
                                .type = OP_WAIT, .action = OP_START, .id = text("w"), .wait_s = 1});
    fixture_suspend(fixture);
    expect_stale(fixture, send(fixture, 1, 1)); /* not even a repeat */
    expect_stale(fixture, send(fixture, 1, 2));
    assert_int_equal(fixture_tick(fixture, T0 + 1000), 0);
    assert_int_equal(fixture->exec->attempt, 2);
    expect_stale(fixture, send(fixture, 1, 1));
    expect_stale(fixture, send(fixture, 3, 1));
    assert_int_equal(send(fixture, 2, 1), 0);
}

static void test_a_token_dies_with_the_daemon(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    fixture_restart(fixture);
    expect_stale(fixture, send(fixture, 1, 1));
    assert_true(fixture->exec->is_running);
}

/* --- EXECUTION --------------------------------------------------------------------- */

static void test_the_result_of_the_execution_waits_for_its_invocation(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    fixture_update(fixture, (struct op_update){.type = OP_EXECUTION,
                                               .action = OP_SUCCEED,
                                               .id = text("whatever"),
                                               .has_payload = true,
                                               .payload = text("early")});
    EXPECT_RECORDS(fixture, NOTE_EXECUTION_RESULT);
    assert_int_equal(fixture->exec->status, EXEC_RUNNING);
    expect_stale(fixture, send(fixture, 1, 2));
    assert_int_equal(fixture_complete(fixture, OUTCOME_SUCCEEDED), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, EXECUTION_SUCCEEDED);
    EXPECT_TEXT(fixture->actions.records[1].payload, "early");
    assert_int_equal(fixture->actions.records[1].error.len, 0);
    assert_int_equal(fixture->exec->status, EXEC_SUCCEEDED);
}

/* The execution is as good as ended: what the function answers after it is not looked at. */
static void test_an_answer_cannot_contradict_the_recorded_result(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    fixture_update(fixture, (struct op_update){.type = OP_EXECUTION,
                                               .action = OP_SUCCEED,
                                               .id = text("whatever"),
                                               .has_payload = true,
                                               .payload = text("early")});
    assert_int_equal(fixture_complete(fixture, OUTCOME_FAILED), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, EXECUTION_SUCCEEDED);
    EXPECT_TEXT(fixture->actions.records[1].payload, "early");
    assert_int_equal(fixture->exec->status, EXEC_SUCCEEDED);
}

/* Its answer may have been lost: the client sends the same token again. */
static void test_the_last_checkpoint_may_be_repeated(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    fixture_update(fixture,
                   (struct op_update){.type = OP_EXECUTION, .action = OP_SUCCEED, .id = text("x")});
    assert_int_equal(send(fixture, 1, 1), 0);
    assert_true(fixture->actions.is_repeat);
}

static void test_a_recorded_failure_ends_even_a_lost_invocation(void **state)
{
    struct fixture *fixture = *state;

    fixture_start(fixture);
    fixture_update(fixture, (struct op_update){.type = OP_EXECUTION,
                                               .action = OP_FAIL,
                                               .id = text("x"),
                                               .has_error = true,
                                               .error = text("why")});
    fixture_restart(fixture);
    assert_int_equal(fixture_tick(fixture, T0 + 10), 0);
    EXPECT_RECORDS(fixture, INVOCATION_COMPLETED, EXECUTION_FAILED);
    EXPECT_TEXT(fixture->actions.records[1].error, "why");
    assert_false(fixture->actions.records[1].has_payload);
    assert_int_equal(fixture->actions.records[1].payload.len, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_a_step_starts_and_succeeds),
        TEST(test_an_end_without_a_start_makes_the_operation),
        TEST(test_a_retry_with_an_error_waits_and_gets_ready),
        TEST(test_a_polled_state_is_kept_through_the_next_attempt),
        TEST(test_a_wait_is_scheduled_and_cancelled),
        TEST(test_a_finished_context_drops_what_is_inside),
        TEST(test_an_inner_context_drops_only_its_own),
        TEST(test_replay_children_keeps_them),
        TEST(test_events_are_numbered_and_notes_are_not),
        TEST(test_a_token_is_good_once_and_may_be_repeated),
        TEST(test_a_repeat_applies_nothing_again),
        TEST(test_a_token_dies_with_its_attempt),
        TEST(test_a_token_dies_with_the_daemon),
        TEST(test_the_result_of_the_execution_waits_for_its_invocation),
        TEST(test_an_answer_cannot_contradict_the_recorded_result),
        TEST(test_the_last_checkpoint_may_be_repeated),
        TEST(test_a_recorded_failure_ends_even_a_lost_invocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
