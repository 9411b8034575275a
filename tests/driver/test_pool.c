/* Which environment an invocation gets, who waits, and what is reaped. */
#include "tests/driver/pool_fixture.h"

#include <unistd.h>

static struct pool_fixture *opened(void **state)
{
    struct pool_fixture *f = *state;

    pool_fixture_open(f);
    return f;
}

static void finish_call(struct pool_fixture *f, struct environment *program, struct call *call)
{
    program_expect_invoke(program, call);
    program_complete(program, call->invocation.number, "\"done\"");
    WAIT_UNTIL(f, call->ended > 0);
    assert_true(call->is_complete);
    assert_string_equal(call->payload, "\"done\"");
}

static void test_a_warm_environment_is_used_again(void **state)
{
    struct pool_fixture *f = opened(state);
    static struct call first;
    static struct call second;

    call_start(&first, f, 0);
    assert_int_equal(first.placed, 0);
    WAIT_UNTIL(f, first.placed == 1);
    finish_call(f, &f->programs[0], &first);
    call_start(&second, f, 0);
    assert_int_equal(second.placed, 1); /* from inside: it was there */
    assert_int_equal(second.environment, first.environment);
    finish_call(f, &f->programs[0], &second);
    assert_int_equal(f->program_count, 1);
    assert_int_equal(pool_fixture_stats(f).started, 1);
    assert_int_equal(pool_fixture_stats(f).invocations, 2);
    assert_int_equal(pool_fixture_stats(f).idle, 1);
}

static void test_the_preferred_environment_is_taken_if_it_has_room(void **state)
{
    struct pool_fixture *f = opened(state);
    static struct call calls[2];
    static struct call third;
    static struct call fourth;

    call_start(&calls[0], f, 0);
    call_start(&calls[1], f, 0);
    WAIT_UNTIL(f, calls[0].placed == 1 && calls[1].placed == 1);
    assert_int_not_equal(calls[0].environment, calls[1].environment);
    finish_call(f, &f->programs[0], &calls[0]);
    finish_call(f, &f->programs[1], &calls[1]); /* used last: the one without a preference */
    call_init(&third, f, 0);
    third.invocation.affinity = calls[0].environment;
    pool_invoke(f->pool, &third.invocation);
    assert_int_equal(third.environment, calls[0].environment);
    call_init(&fourth, f, 0);
    fourth.invocation.affinity = calls[0].environment; /* busy now: another will do */
    pool_invoke(f->pool, &fourth.invocation);
    assert_int_equal(fourth.environment, calls[1].environment);
}

static void test_the_environment_used_last_is_preferred(void **state)
{
    struct pool_fixture *f = opened(state);
    static struct call calls[2];
    static struct call next;

    call_start(&calls[0], f, 0);
    call_start(&calls[1], f, 0);
    WAIT_UNTIL(f, calls[0].placed == 1 && calls[1].placed == 1);
    finish_call(f, &f->programs[1], &calls[1]);
    finish_call(f, &f->programs[0], &calls[0]);
    call_start(&next, f, 0);
    assert_int_equal(next.environment, calls[0].environment);
}

static void test_a_preference_never_leads_to_another_function(void **state)
{
    struct pool_fixture *f = opened(state);
    static struct call first;
    static struct call other;

    call_start(&first, f, 0);
    WAIT_UNTIL(f, first.placed == 1);
    finish_call(f, &f->programs[0], &first);
    call_init(&other, f, 1);
    other.invocation.affinity = first.environment;
    pool_invoke(f->pool, &other.invocation);
    WAIT_UNTIL(f, other.placed == 1);
    assert_int_not_equal(other.environment, first.environment);
}

static void test_who_waits_is_served_in_order(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[6];
    uint64_t number;

    f->options.environments_each_max = 1;
    pool_fixture_open(f);
    for (int i = 0; i < 6; i++) {
        call_start(&calls[i], f, 0);
    }
    assert_int_equal(pool_fixture_stats(f).waiting, 6);
    for (int i = 0; i < 6; i++) {
        WAIT_UNTIL(f, f->program_count == 1 && calls[i].placed == 1);
        assert_int_equal(pool_fixture_stats(f).waiting, 5 - i);
        assert_int_equal(program_hear(&f->programs[0], &number), WIRE_INVOKE);
        assert_int_equal(number, calls[i].invocation.number);
        program_complete(&f->programs[0], number, "1");
        WAIT_UNTIL(f, calls[i].ended == 1);
    }
    assert_int_equal(f->program_count, 1);
}

static void test_a_newcomer_does_not_pass_who_waits(void **state)
{
    struct pool_fixture *f = *state;
    static struct call first;
    static struct call waiting;

    f->options.environments_each_max = 1;
    pool_fixture_open(f);
    call_start(&first, f, 0);
    call_start(&waiting, f, 0);
    WAIT_UNTIL(f, first.placed == 1);
    first.again = f; /* its end invokes again, while its own place is free, and wants that */
    first.invocation.affinity = first.environment;
    program_expect_invoke(&f->programs[0], &first);
    program_complete(&f->programs[0], first.invocation.number, "1");
    WAIT_UNTIL(f, waiting.placed == 1);
    assert_int_equal(first.placed, 1);
    finish_call(f, &f->programs[0], &waiting);
    WAIT_UNTIL(f, first.placed == 2);
}

static void test_several_share_an_environment_that_allows_it(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[4];

    f->revisions[0].config.concurrency = 3;
    pool_fixture_open(f);
    call_start(&calls[0], f, 0);
    WAIT_UNTIL(f, calls[0].placed == 1);
    for (int i = 1; i < 4; i++) {
        call_start(&calls[i], f, 0);
    }
    assert_int_equal(calls[1].environment, calls[0].environment);
    assert_int_equal(calls[2].environment, calls[0].environment);
    assert_int_equal(calls[3].placed, 0);
    WAIT_UNTIL(f, calls[3].placed == 1);
    assert_int_not_equal(calls[3].environment, calls[0].environment);
    assert_int_equal(pool_fixture_stats(f).running, 4);
    assert_non_null(strstr(f->programs[0].env, "AWS_LAMBDA_MAX_CONCURRENCY=3\n"));
}

static void test_no_more_environments_are_started_than_are_needed(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[5];

    f->revisions[0].config.concurrency = 4;
    pool_fixture_open(f);
    for (int i = 0; i < 5; i++) {
        call_start(&calls[i], f, 0);
    }
    WAIT_UNTIL(f, calls[4].placed == 1);
    pool_fixture_settle(f);
    assert_int_equal(f->program_count, 2);
}

static void test_tenants_never_share_an_environment(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[3];

    f->revisions[0].config.concurrency = 8;
    pool_fixture_open(f);
    for (int i = 0; i < 3; i++) {
        call_init(&calls[i], f, 0);
        calls[i].invocation.tenant_id = bytes_of_text((i == 1) ? "blue" : "red");
        calls[i].invocation.affinity = calls[0].environment;
        pool_invoke(f->pool, &calls[i].invocation);
        WAIT_UNTIL(f, calls[i].placed == 1);
    }
    assert_int_not_equal(calls[0].environment, calls[1].environment);
    assert_int_equal(calls[0].environment, calls[2].environment);
}

static void test_a_tenant_without_environment_displaces_an_idle_one(void **state)
{
    struct pool_fixture *f = *state;
    static struct call red;
    static struct call blue;

    f->options.environments_each_max = 1;
    pool_fixture_open(f);
    call_init(&red, f, 0);
    red.invocation.tenant_id = bytes_of_text("red");
    pool_invoke(f->pool, &red.invocation);
    WAIT_UNTIL(f, red.placed == 1);
    call_init(&blue, f, 0);
    blue.invocation.tenant_id = bytes_of_text("blue");
    pool_invoke(f->pool, &blue.invocation);
    pool_fixture_settle(f);
    assert_int_equal(blue.placed, 0); /* the limit: red is busy */
    finish_call(f, &f->programs[0], &red);
    WAIT_UNTIL(f, blue.placed == 1);
    assert_true(f->programs[0].is_killed);
    assert_int_equal(pool_fixture_stats(f).environments, 1);
}

static void test_a_function_without_environment_displaces_the_longest_idle(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[3];

    f->options.environments_max = 2;
    pool_fixture_open(f);
    for (int i = 0; i < 2; i++) {
        call_start(&calls[i], f, i);
        WAIT_UNTIL(f, calls[i].placed == 1);
        finish_call(f, &f->programs[i], &calls[i]);
    }
    call_start(&calls[2], f, 2);
    WAIT_UNTIL(f, calls[2].placed == 1);
    assert_true(f->programs[0].is_killed);
    assert_false(f->programs[1].is_killed);
}

static void test_a_busy_function_gives_way_to_one_that_has_nothing(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[5];
    static struct call other;

    f->options.environments_max = 2;
    pool_fixture_open(f);
    for (int i = 0; i < 5; i++) {
        call_start(&calls[i], f, 0);
    }
    WAIT_UNTIL(f, calls[1].placed == 1);
    call_start(&other, f, 1);
    finish_call(f, &f->programs[0], &calls[0]);
    WAIT_UNTIL(f, other.placed == 1); /* although three wait before it */
    assert_int_equal(calls[2].placed, 0);
}

static void test_a_full_pool_refuses_and_says_so_later(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[3];

    f->options.waiting_max = 2;
    f->says_no_hello = true;
    pool_fixture_open(f);
    for (int i = 0; i < 3; i++) {
        call_start(&calls[i], f, 0);
    }
    assert_int_equal(calls[2].ended, 0);
    WAIT_UNTIL(f, calls[2].ended == 1);
    assert_string_equal(calls[2].error_type, "TooManyRequestsException");
    assert_false(calls[2].is_sent);
    assert_int_equal(calls[0].ended + calls[1].ended, 0);
}

static void test_a_canceled_wait_ends_and_the_others_move_up(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[3];

    f->options.environments_each_max = 1;
    pool_fixture_open(f);
    for (int i = 0; i < 3; i++) {
        call_start(&calls[i], f, 0);
    }
    WAIT_UNTIL(f, calls[0].placed == 1);
    invocation_cancel(f->pool, &calls[1].invocation, "stopped");
    invocation_cancel(f->pool, &calls[1].invocation, "stopped");
    assert_int_equal(calls[1].ended, 0);
    WAIT_UNTIL(f, calls[1].ended == 1);
    assert_string_equal(calls[1].error_type, "Pawl.Canceled");
    finish_call(f, &f->programs[0], &calls[0]);
    WAIT_UNTIL(f, calls[2].placed == 1);
    finish_call(f, &f->programs[0], &calls[2]);
    assert_int_equal(calls[1].ended, 1);
}

static void test_a_cancel_before_any_environment_leaves_nothing_behind(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[2];

    f->options.environments_max = 1;
    f->says_no_hello = true;
    pool_fixture_open(f);
    call_start(&calls[0], f, 0);
    call_start(&calls[1], f, 1); /* its lane has no environment and gets none */
    invocation_cancel(f->pool, &calls[1].invocation, "stopped");
    WAIT_UNTIL(f, calls[1].ended == 1);
    assert_int_equal(pool_fixture_stats(f).waiting, 1);
}

static void test_an_idle_environment_is_reaped(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[2];

    f->options.idle_ms = 30;
    pool_fixture_open(f);
    call_start(&calls[0], f, 0);
    WAIT_UNTIL(f, calls[0].placed == 1);
    finish_call(f, &f->programs[0], &calls[0]);
    WAIT_UNTIL(f, pool_fixture_stats(f).environments == 0);
    assert_true(f->programs[0].is_killed);
    call_start(&calls[1], f, 0);
    WAIT_UNTIL(f, calls[1].placed == 1);
    assert_int_equal(f->program_count, 2);
}

static void test_a_busy_environment_is_not_reaped(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[2];
    uint64_t start;

    f->options.idle_ms = 30;
    pool_fixture_open(f);
    call_start(&calls[0], f, 0);
    WAIT_UNTIL(f, calls[0].placed == 1);
    finish_call(f, &f->programs[0], &calls[0]);
    call_start(&calls[1], f, 0); /* it has been idle, so its deadline is set */
    assert_int_equal(calls[1].environment, calls[0].environment);
    start = uv_hrtime();
    while (uv_hrtime() - start < 80000000U) { /* it would have been by now */
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    assert_false(f->programs[0].is_killed);
    finish_call(f, &f->programs[0], &calls[1]);
}

static void test_environments_of_a_deleted_function_go_when_idle(void **state)
{
    struct pool_fixture *f = opened(state);
    static struct call calls[2];

    call_start(&calls[0], f, 0);
    call_start(&calls[1], f, 0);
    WAIT_UNTIL(f, calls[0].placed == 1 && calls[1].placed == 1);
    finish_call(f, &f->programs[0], &calls[0]);
    f->functions[0].is_deleted = true;
    pool_function_changed(f->pool, &f->functions[0]);
    assert_true(f->programs[0].is_killed);
    assert_false(f->programs[1].is_killed);
    finish_call(f, &f->programs[1], &calls[1]);
    WAIT_UNTIL(f, pool_fixture_stats(f).environments == 0);
}

static void test_older_revisions_stay_only_for_durable_functions(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[2];

    f->revisions[1].config.is_durable = true;
    pool_fixture_open(f);
    for (int i = 0; i < 2; i++) {
        call_start(&calls[i], f, i);
        WAIT_UNTIL(f, calls[i].placed == 1);
        finish_call(f, &f->programs[i], &calls[i]);
        f->functions[i].latest = &f->revisions[3];
        pool_function_changed(f->pool, &f->functions[i]);
    }
    assert_true(f->programs[0].is_killed);
    assert_false(f->programs[1].is_killed);
}

static void test_closing_ends_everything(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[4];

    f->options.environments_each_max = 1;
    pool_fixture_open(f);
    for (int i = 0; i < 3; i++) {
        call_start(&calls[i], f, 0);
    }
    call_start(&calls[3], f, 1);
    WAIT_UNTIL(f, calls[0].placed == 1);
    calls[1].again = f; /* too late */
    pool_fixture_close(f);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(calls[i].ended, (i == 1) ? 2 : 1);
        assert_string_equal(calls[i].error_type, "Pawl.Restarted");
    }
    assert_true(calls[0].is_sent);
    assert_false(calls[2].is_sent);
}

static void test_closing_an_unused_pool_works(void **state)
{
    struct pool_fixture *f = opened(state);

    pool_fixture_close(f);
}

static void count_environment(void *arg, const struct pool_environment *environment)
{
    int *count = arg;

    (*count)++;
    assert_string_equal(environment->function, "alpha");
    assert_int_equal(environment->running, 1);
    assert_true(environment->pid >= 1000);
    assert_true(environment->started_ms > 1600000000000);
}

static void test_environments_can_be_listed(void **state)
{
    struct pool_fixture *f = opened(state);
    static struct call call;
    int count = 0;

    call_start(&call, f, 0);
    WAIT_UNTIL(f, call.placed == 1);
    pool_walk(f->pool, &count, count_environment);
    assert_int_equal(count, 1);
}

static void test_an_environment_has_lambdas_variables_and_its_own(void **state)
{
    static const char *const wanted[] = {
        "_HANDLER=main\n",
        "AWS_REGION=eu-test-1\n",
        "AWS_DEFAULT_REGION=eu-test-1\n",
        "AWS_LAMBDA_FUNCTION_NAME=alpha\n",
        "AWS_LAMBDA_FUNCTION_VERSION=$LATEST\n",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128\n",
        "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/alpha\n",
        "LAMBDA_TASK_ROOT=/var/task\n",
        "LANG=en_US.UTF-8\n",
        "TZ=Europe/Berlin\n",
        "COLOR=red\n",
    };
    static char tz[] = "TZ=Europe/Berlin";
    static char color[] = "COLOR=red";
    static char *env[] = {tz, color, NULL};
    struct pool_fixture *f = *state;
    static struct call call;

    f->revisions[0].config.env = env;
    f->revisions[0].config.env_count = 2;
    pool_fixture_open(f);
    call_start(&call, f, 0);
    WAIT_UNTIL(f, call.placed == 1);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        assert_non_null(strstr(f->programs[0].env, wanted[i]));
    }
    assert_null(strstr(f->programs[0].env, "TZ=:UTC")); /* the function has its own */
    assert_null(strstr(f->programs[0].env, "MAX_CONCURRENCY"));
}

static void test_layers_bring_libraries(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;

    f->revisions[0].layers = "layers";
    pool_fixture_open(f);
    call_start(&call, f, 0);
    WAIT_UNTIL(f, call.placed == 1);
    assert_non_null(
        strstr(f->programs[0].env, "LD_LIBRARY_PATH=/var/task:/var/task/lib:/opt/lib\n"));
    assert_string_equal(f->programs[0].layers, "layers");
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, pool_fixture_set_up, pool_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_warm_environment_is_used_again),
        TEST(test_the_preferred_environment_is_taken_if_it_has_room),
        TEST(test_the_environment_used_last_is_preferred),
        TEST(test_a_preference_never_leads_to_another_function),
        TEST(test_who_waits_is_served_in_order),
        TEST(test_a_newcomer_does_not_pass_who_waits),
        TEST(test_several_share_an_environment_that_allows_it),
        TEST(test_no_more_environments_are_started_than_are_needed),
        TEST(test_tenants_never_share_an_environment),
        TEST(test_a_tenant_without_environment_displaces_an_idle_one),
        TEST(test_a_function_without_environment_displaces_the_longest_idle),
        TEST(test_a_busy_function_gives_way_to_one_that_has_nothing),
        TEST(test_a_full_pool_refuses_and_says_so_later),
        TEST(test_a_canceled_wait_ends_and_the_others_move_up),
        TEST(test_a_cancel_before_any_environment_leaves_nothing_behind),
        TEST(test_an_idle_environment_is_reaped),
        TEST(test_a_busy_environment_is_not_reaped),
        TEST(test_environments_of_a_deleted_function_go_when_idle),
        TEST(test_older_revisions_stay_only_for_durable_functions),
        TEST(test_closing_ends_everything),
        TEST(test_closing_an_unused_pool_works),
        TEST(test_environments_can_be_listed),
        TEST(test_an_environment_has_lambdas_variables_and_its_own),
        TEST(test_layers_bring_libraries),
    };

    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
