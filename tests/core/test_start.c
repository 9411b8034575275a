/* Names: a new execution, or the one that has the name already. */
#include "tests/core/fixture.h"

static void test_a_start_makes_an_execution_and_its_first_attempt(void **state)
{
    struct fixture *fixture = *state;
    const struct exec *exec;

    fixture_start(fixture);
    exec = fixture->exec;
    EXPECT_RECORDS(fixture, EXECUTION_STARTED, NOTE_ATTEMPT_STARTED);
    EXPECT_ACTIONS(fixture, ACTION_DISPATCH);
    assert_int_equal(fixture->actions.items[0].attempt, 1);
    assert_int_equal(exec->status, EXEC_RUNNING);
    assert_int_equal(exec->kind, EXEC_DURABLE);
    assert_int_equal(exec->start_ms, T0);
    assert_int_equal(exec->deadline_ms, T0 + 86400000);
    assert_int_equal(exec->input.record_no, 1);
    assert_int_equal(exec->tenant, 123456789012);
    EXPECT_TEXT(exec->name, "order");
    assert_int_equal(core_count(fixture->core), 1);
    assert_ptr_equal(core_find_name(fixture->core, &exec->function_id, exec->name), exec);
}

static void test_an_execution_keeps_what_its_start_said(void **state)
{
    struct fixture *fixture = *state;
    struct command command = fixture_start_command();
    const struct exec *exec;

    command.started.revision = 3;
    command.started.retention_days = 5;
    command.started.retries_max = 1;
    command.started.event_age_s = 600;
    command.started.tenant_id = text("acme");
    command.started.parent_exec = fixture_id(7);
    command.started.parent_op = text("op");
    command.started.trace_id = text("Root=1");
    command.started.on_success = text("arn:g");
    command.started.on_failure = text("arn:h");
    command.started.request_id = fixture_id(9);
    assert_int_equal(fixture_apply(fixture, command), 0);
    exec = fixture->exec;
    assert_int_equal(exec->revision, 3);
    assert_int_equal(exec->retention_days, 5);
    assert_int_equal(exec->retries_max, 1);
    assert_int_equal(exec->event_age_s, 600);
    assert_int_equal(exec->timeout_s, 86400);
    assert_memory_equal(exec->digest, command.started.digest, sizeof exec->digest);
    assert_true(id_equal(&exec->parent_exec, &command.started.parent_exec));
    EXPECT_TEXT(exec->parent_op, "op");
    EXPECT_TEXT(exec->trace_id, "Root=1");
    EXPECT_TEXT(exec->on_success, "arn:g");
    EXPECT_TEXT(exec->on_failure, "arn:h");
    assert_true(id_equal(&exec->telling_id, &command.started.request_id));
    EXPECT_TEXT(exec->tenant_id, "acme");
    EXPECT_TEXT(exec->function, "arn:f:$LATEST");
    assert_int_equal(exec->input.len, command.started.payload.len);
}

static void test_the_same_start_attaches(void **state)
{
    struct fixture *fixture = *state;
    struct command again = fixture_start_command();

    fixture_start(fixture);
    again.exec_id = fixture_id(2);
    assert_int_equal(fixture_apply(fixture, again), 0);
    assert_false(fixture->actions.is_new);
    assert_ptr_equal(fixture->actions.exec, fixture->exec);
    EXPECT_NO_RECORDS(fixture);
    EXPECT_NO_ACTIONS(fixture);
    assert_int_equal(core_count(fixture->core), 1);
}

static void test_another_payload_is_a_conflict(void **state)
{
    struct fixture *fixture = *state;
    struct command other = fixture_start_command();

    fixture_start(fixture);
    other.started.digest[31] = 1;
    assert_int_equal(fixture_apply(fixture, other), CORE_REFUSED);
    assert_int_equal(fixture->actions.refusal, REFUSAL_CONFLICT);
}

static void test_an_ended_execution_keeps_its_name(void **state)
{
    struct fixture *fixture = *state;
    struct command again = fixture_start_command();

    fixture_start(fixture);
    assert_int_equal(fixture_complete(fixture, OUTCOME_SUCCEEDED), 0);
    again.exec_id = fixture_id(2);
    assert_int_equal(fixture_apply(fixture, again), 0);
    assert_ptr_equal(fixture->actions.exec, fixture->exec);
    EXPECT_NO_RECORDS(fixture);
}

static void test_names_are_of_one_function(void **state)
{
    struct fixture *fixture = *state;
    struct command other = fixture_start_command();

    fixture_start(fixture);
    other.exec_id = fixture_id(2);
    other.function_id = fixture_id(8);
    assert_int_equal(fixture_apply(fixture, other), 0);
    assert_true(fixture->actions.is_new);
    assert_int_equal(core_count(fixture->core), 2);
}

static void test_executions_without_a_name_are_all_new(void **state)
{
    struct fixture *fixture = *state;
    struct command command = fixture_start_command();

    command.started.name = (struct bytes){0};
    assert_int_equal(fixture_apply(fixture, command), 0);
    command.exec_id = fixture_id(2);
    assert_int_equal(fixture_apply(fixture, command), 0);
    assert_true(fixture->actions.is_new);
    assert_int_equal(fixture_apply(fixture, command), 0); /* the same id: sent twice */
    assert_false(fixture->actions.is_new);
    assert_int_equal(core_count(fixture->core), 2);
}

static void test_a_name_of_the_journal_is_loaded(void **state)
{
    struct fixture *fixture = *state;
    struct command command = fixture_start_command();
    struct exec *exec;

    fixture_start(fixture);
    assert_int_equal(fixture_complete(fixture, OUTCOME_SUCCEEDED), 0);
    core_evict(fixture->core, fixture->exec);
    command.is_known = true;
    command.now_ms = T0;
    assert_int_equal(core_apply(fixture->core, &command, &fixture->actions), CORE_LOAD);
    exec = core_find(fixture->core, &command.exec_id);
    assert_int_equal(exec->state, EXEC_LOADING);
    for (uint32_t i = 0; i < fixture->tape.count; i++) {
        assert_int_equal(core_restore(fixture->core, exec, command.tenant, &command.function_id,
                                      &fixture->tape.records[i]),
                         0);
    }
    assert_null(core_next(fixture->core));
    core_loaded(fixture->core, exec, true);
    assert_ptr_equal(core_next(fixture->core), &command);
    assert_int_equal(core_apply(fixture->core, &command, &fixture->actions), 0);
    assert_false(fixture->actions.is_new);
    assert_int_equal(exec->status, EXEC_SUCCEEDED);
}

/* Somebody asked for an id that was chosen but not started: it can still start. */
static void test_an_id_that_was_asked_for_too_early_can_start(void **state)
{
    struct fixture *fixture = *state;
    struct command start = fixture_start_command();
    struct command read = {.kind = COMMAND_READ, .exec_id = fixture_id(1), .now_ms = T0};
    struct exec *exec;

    start.now_ms = T0;
    assert_int_equal(core_apply(fixture->core, &read, &fixture->actions), CORE_LOAD);
    assert_int_equal(core_apply(fixture->core, &start, &fixture->actions), CORE_WAITS);
    exec = core_find(fixture->core, &read.exec_id);
    core_loaded(fixture->core, exec, false);
    assert_ptr_equal(core_next(fixture->core), &read);
    assert_int_equal(core_apply(fixture->core, &read, &fixture->actions), CORE_REFUSED);
    assert_int_equal(fixture->actions.refusal, REFUSAL_NOT_FOUND);
    assert_ptr_equal(core_next(fixture->core), &start);
    assert_int_equal(core_apply(fixture->core, &start, &fixture->actions), 0);
    assert_true(fixture->actions.is_new);
    EXPECT_RECORDS(fixture, EXECUTION_STARTED, NOTE_ATTEMPT_STARTED);
    core_committed(fixture->core, fixture->actions.exec);
    assert_null(core_next(fixture->core));
    assert_int_equal(core_count(fixture->core), 1);
    assert_ptr_equal(core_find_name(fixture->core, &start.function_id, start.started.name),
                     fixture->actions.exec);
}

/* What the journal has and cannot be read is not begun a second time. */
static void test_a_damaged_execution_is_not_started_again(void **state)
{
    struct fixture *fixture = *state;
    struct command start = fixture_start_command();
    struct exec *exec;

    start.is_known = true;
    start.now_ms = T0;
    assert_int_equal(core_apply(fixture->core, &start, &fixture->actions), CORE_LOAD);
    exec = core_find(fixture->core, &start.exec_id);
    core_loaded(fixture->core, exec, false);
    assert_ptr_equal(core_next(fixture->core), &start);
    assert_int_equal(core_apply(fixture->core, &start, &fixture->actions), CORE_REFUSED);
    assert_int_equal(fixture->actions.refusal, REFUSAL_NOT_FOUND);
    assert_null(core_next(fixture->core));
    assert_true(core_can_evict(exec));
    core_evict(fixture->core, exec);
    assert_int_equal(core_count(fixture->core), 0);
}

static struct id request_id_of(uint64_t seed)
{
    struct core_limits limits = core_limits_default;
    struct command command = fixture_start_command();
    struct actions actions;
    struct core *core;
    struct id id;

    limits.seed = seed;
    command.now_ms = T0;
    assert_int_equal(core_create(&core, &limits), 0);
    assert_int_equal(core_apply(core, &command, &actions), 0);
    id = actions.exec->request_id;
    core_destroy(core);
    return id;
}

static void test_request_ids_come_from_the_seed(void **state)
{
    struct id first = request_id_of(1);
    struct id again = request_id_of(1);
    struct id other = request_id_of(2);

    (void)state;
    assert_true(id_equal(&first, &again));
    assert_false(id_equal(&first, &other));
}

static void test_too_many_executions_are_refused_at_the_door(void **state)
{
    struct fixture *fixture = *state;
    struct command command = fixture_start_command();

    core_destroy(fixture->core);
    fixture->limits.executions_max = 1;
    assert_int_equal(core_create(&fixture->core, &fixture->limits), 0);
    fixture_start(fixture);
    command.exec_id = fixture_id(2);
    command.started.name = text("second");
    assert_int_equal(fixture_apply(fixture, command), CORE_REFUSED);
    assert_int_equal(fixture->actions.refusal, REFUSAL_FULL);
    assert_int_equal(core_count(fixture->core), 1);
    assert_int_equal(
        fixture_apply(fixture, (struct command){.kind = COMMAND_READ, .exec_id = fixture_id(3)}),
        CORE_REFUSED);
    assert_int_equal(fixture->actions.refusal, REFUSAL_FULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_a_start_makes_an_execution_and_its_first_attempt),
        TEST(test_an_execution_keeps_what_its_start_said),
        TEST(test_the_same_start_attaches),
        TEST(test_another_payload_is_a_conflict),
        TEST(test_an_ended_execution_keeps_its_name),
        TEST(test_names_are_of_one_function),
        TEST(test_executions_without_a_name_are_all_new),
        TEST(test_a_name_of_the_journal_is_loaded),
        TEST(test_an_id_that_was_asked_for_too_early_can_start),
        TEST(test_a_damaged_execution_is_not_started_again),
        TEST(test_request_ids_come_from_the_seed),
        TEST(test_too_many_executions_are_refused_at_the_door),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
