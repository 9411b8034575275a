/* Commands that wait for a commit or a load, and forgetting. */
#include "tests/core/fixture.h"

/* Applied, and not yet committed. */
static void start_uncommitted(struct fixture *fixture)
{
    struct command command = fixture_start_command();

    command.now_ms = T0;
    assert_int_equal(core_apply(fixture->core, &command, &fixture->actions), 0);
    fixture->exec = fixture->actions.exec;
    assert_true(fixture->exec->is_committing);
}

static void test_commands_wait_for_the_commit_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct command commands[3];

    start_uncommitted(fixture);
    for (int i = 0; i < 3; i++) {
        commands[i] =
            (struct command){.kind = COMMAND_READ, .exec_id = fixture_id(1), .now_ms = T0};
        assert_int_equal(core_apply(fixture->core, &commands[i], &fixture->actions), CORE_WAITS);
    }
    assert_null(core_next(fixture->core));
    core_committed(fixture->core, fixture->exec);
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(core_next(fixture->core), &commands[i]);
        assert_int_equal(core_apply(fixture->core, &commands[i], &fixture->actions), 0);
    }
    assert_null(core_next(fixture->core));
    assert_int_equal(fixture->exec->waiting_count, 0);
}

static void test_a_command_that_commits_makes_the_rest_wait(void **state)
{
    struct fixture *fixture = *state;
    struct command stop = {.kind = COMMAND_STOP, .exec_id = fixture_id(1), .now_ms = T0};
    struct command read = {.kind = COMMAND_READ, .exec_id = fixture_id(1), .now_ms = T0};

    start_uncommitted(fixture);
    assert_int_equal(core_apply(fixture->core, &stop, &fixture->actions), CORE_WAITS);
    assert_int_equal(core_apply(fixture->core, &read, &fixture->actions), CORE_WAITS);
    core_committed(fixture->core, fixture->exec);
    assert_ptr_equal(core_next(fixture->core), &stop);
    assert_int_equal(core_apply(fixture->core, &stop, &fixture->actions), 0);
    assert_null(core_next(fixture->core));
    assert_false(core_can_evict(fixture->exec));
    core_committed(fixture->core, fixture->exec);
    assert_ptr_equal(core_next(fixture->core), &read);
    assert_int_equal(core_apply(fixture->core, &read, &fixture->actions), 0);
    assert_null(core_next(fixture->core));
    assert_true(core_can_evict(fixture->exec));
}

static void test_a_refusal_waits_as_well(void **state)
{
    struct fixture *fixture = *state;
    struct command stale = {.kind = COMMAND_CHECKPOINT,
                            .exec_id = fixture_id(1),
                            .now_ms = T0,
                            .attempt = 99,
                            .seq = 1};

    start_uncommitted(fixture);
    assert_int_equal(core_apply(fixture->core, &stale, &fixture->actions), CORE_WAITS);
    core_committed(fixture->core, fixture->exec);
    assert_ptr_equal(core_next(fixture->core), &stale);
    assert_int_equal(core_apply(fixture->core, &stale, &fixture->actions), CORE_REFUSED);
}

/* Full for those who ask; what the engine itself must know always fits. */
static void test_waiting_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct command reads[3];
    struct command stop = {.kind = COMMAND_STOP, .exec_id = fixture_id(1), .now_ms = T0};

    core_destroy(fixture->core);
    fixture->limits.waiting_max = 2;
    assert_int_equal(core_create(&fixture->core, &fixture->limits), 0);
    start_uncommitted(fixture);
    for (int i = 0; i < 3; i++) {
        reads[i] = (struct command){.kind = COMMAND_READ, .exec_id = fixture_id(1), .now_ms = T0};
        assert_int_equal(core_apply(fixture->core, &reads[i], &fixture->actions),
                         (i < 2) ? CORE_WAITS : CORE_REFUSED);
    }
    assert_int_equal(fixture->actions.refusal, REFUSAL_FULL);
    assert_int_equal(core_apply(fixture->core, &stop, &fixture->actions), CORE_WAITS);
    core_committed(fixture->core, fixture->exec);
    assert_ptr_equal(core_next(fixture->core), &reads[0]);
}

static void test_executions_do_not_wait_for_each_other(void **state)
{
    struct fixture *fixture = *state;
    struct command second = fixture_start_command();
    struct command read = {.kind = COMMAND_READ, .exec_id = fixture_id(2), .now_ms = T0};

    start_uncommitted(fixture);
    second.exec_id = fixture_id(2);
    second.started.name = text("second");
    second.now_ms = T0;
    assert_int_equal(core_apply(fixture->core, &second, &fixture->actions), 0);
    core_committed(fixture->core, fixture->actions.exec);
    assert_int_equal(core_apply(fixture->core, &read, &fixture->actions), 0);
}

static void test_what_is_not_hot_is_loaded_first(void **state)
{
    struct fixture *fixture = *state;
    struct command read = {.kind = COMMAND_READ, .exec_id = fixture_id(1), .now_ms = T0};
    struct command stop = {.kind = COMMAND_STOP, .exec_id = fixture_id(1), .now_ms = T0};
    struct exec *exec;

    fixture_start(fixture);
    assert_int_equal(fixture_complete(fixture, OUTCOME_HELD), 0);
    core_evict(fixture->core, fixture->exec);
    fixture->exec = NULL;
    assert_int_equal(core_count(fixture->core), 0);
    assert_int_equal(core_apply(fixture->core, &read, &fixture->actions), CORE_LOAD);
    assert_int_equal(core_apply(fixture->core, &stop, &fixture->actions), CORE_WAITS);
    exec = core_find(fixture->core, &read.exec_id);
    assert_false(core_can_evict(exec));
    for (uint32_t i = 0; i < fixture->tape.count; i++) {
        assert_int_equal(core_restore(fixture->core, exec, 1, &(struct id){.bytes = {9}},
                                      &fixture->tape.records[i]),
                         0);
    }
    core_loaded(fixture->core, exec, true);
    assert_ptr_equal(core_next(fixture->core), &read);
    assert_int_equal(core_apply(fixture->core, &read, &fixture->actions), 0);
    assert_ptr_equal(fixture->actions.exec, exec);
    assert_true(exec->is_held);
    assert_ptr_equal(core_next(fixture->core), &stop);
}

static void test_what_is_not_there_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct command read = {.kind = COMMAND_READ, .exec_id = fixture_id(4), .now_ms = T0};
    struct exec *exec;

    assert_int_equal(core_apply(fixture->core, &read, &fixture->actions), CORE_LOAD);
    exec = core_find(fixture->core, &read.exec_id);
    core_loaded(fixture->core, exec, false);
    assert_ptr_equal(core_next(fixture->core), &read);
    assert_int_equal(core_apply(fixture->core, &read, &fixture->actions), CORE_REFUSED);
    assert_int_equal(fixture->actions.refusal, REFUSAL_NOT_FOUND);
    assert_null(core_next(fixture->core));
    core_evict(fixture->core, exec);
    assert_int_equal(core_count(fixture->core), 0);
}

static void test_an_invocation_of_a_forgotten_execution_is_stale(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(
        fixture_apply(fixture,
                      (struct command){.kind = COMMAND_CHECKPOINT, .attempt = 1, .seq = 1}),
        CORE_REFUSED);
    assert_int_equal(fixture->actions.refusal, REFUSAL_STALE);
    assert_int_equal(core_count(fixture->core), 0); /* nothing is loaded for it */
}

static void test_what_runs_or_commits_is_not_forgotten(void **state)
{
    struct fixture *fixture = *state;

    start_uncommitted(fixture);
    assert_false(core_can_evict(fixture->exec));
    core_committed(fixture->core, fixture->exec);
    assert_false(core_can_evict(fixture->exec)); /* attempt 1 runs */
}

static void test_a_forgotten_name_is_free_in_memory(void **state)
{
    struct fixture *fixture = *state;
    struct id function_id = fixture_id(9);

    fixture_start(fixture);
    assert_int_equal(fixture_complete(fixture, OUTCOME_SUCCEEDED), 0);
    core_evict(fixture->core, fixture->exec);
    assert_null(core_find_name(fixture->core, &function_id, text("order")));
    assert_null(core_find(fixture->core, &(struct id){.bytes = {[0] = 1, [15] = 1}}));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_commands_wait_for_the_commit_in_order),
        TEST(test_a_command_that_commits_makes_the_rest_wait),
        TEST(test_a_refusal_waits_as_well),
        TEST(test_waiting_is_bounded),
        TEST(test_executions_do_not_wait_for_each_other),
        TEST(test_what_is_not_hot_is_loaded_first),
        TEST(test_what_is_not_there_is_not_found),
        TEST(test_an_invocation_of_a_forgotten_execution_is_stale),
        TEST(test_what_runs_or_commits_is_not_forgotten),
        TEST(test_a_forgotten_name_is_free_in_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
