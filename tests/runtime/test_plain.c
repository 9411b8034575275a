/* Without isolation: the same interface, none of the walls. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/runtime/fixture.h"

static void test_a_program_runs_and_its_end_is_told(void **state)
{
    struct run run;

    (void)run_all(&run, *state, "exit:5", NULL);
    assert_true(run.end.is_started);
    assert_string_equal(run.text, "exited with status 5");
    run_fini(&run);
}

static void test_it_has_its_four_descriptors_and_its_variables_only(void **state)
{
    struct run run;
    const char *output = run_all(&run, *state, "view", NULL);

    assert_has(output, "fds: 0 1 2 3\n");
    assert_has(output, "PAWL_FD 3\n");
    assert_has(output, "env PROBE=view\nenv PATH=/usr/bin:/bin\nenv PAWL_FD=3\n");
    run_fini(&run);
}

static void test_a_kill_takes_the_group(void **state)
{
    struct fixture *f = *state;
    struct run run;
    pid_t pid;

    run_start(&run, f, "wait", NULL);
    run_wait_text(&run, f, "ready");
    run_wait_pid(&run, f);
    pid = environment_pid(run.environment);
    environment_kill(run.environment);
    run_wait_end(&run, f);
    assert_false(is_alive(pid));
    assert_string_equal(run.text, "killed by signal 9 (Killed)");
    run_fini(&run);
}

/* Only cgroup.kill reaches what has left the session. */
static void test_what_left_the_session_is_killed_where_groups_can(void **state)
{
    struct fixture *f = *state;
    struct run run;

    if (strstr(launcher_summary(f->launcher), "kill)") == NULL) {
        skip();
    }
    assert_has(run_all(&run, f, "linger", NULL), "lingering");
    run_fini(&run);
}

static void test_a_missing_program_is_named(void **state)
{
    const struct run_options options = {.program = "none"};
    struct run run;

    (void)run_all(&run, *state, "nothing", &options);
    assert_false(run.end.is_started);
    assert_string_equal(run.text, "start none: No such file or directory");
    run_fini(&run);
}

static void test_the_launchers_death_takes_it_along(void **state)
{
    struct fixture *f = *state;
    struct run run;
    uint64_t deadline = now_ms() + 30000;
    pid_t pid;

    run_start(&run, f, "wait", NULL);
    run_wait_text(&run, f, "ready");
    run_wait_pid(&run, f);
    pid = environment_pid(run.environment);
    assert_int_equal(kill(launcher_pid(f->launcher), SIGKILL), 0);
    while (!f->is_lost && now_ms() < deadline) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_true(run.is_ended);
    assert_false(is_alive(pid));
    run_fini(&run);
}

static void test_the_summary_says_that_there_is_no_isolation(void **state)
{
    const struct fixture *f = *state;

    assert_has(launcher_summary(f->launcher), "isolation: none");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_plain, fixture_tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_program_runs_and_its_end_is_told),
        TEST(test_it_has_its_four_descriptors_and_its_variables_only),
        TEST(test_a_kill_takes_the_group),
        TEST(test_what_left_the_session_is_killed_where_groups_can),
        TEST(test_a_missing_program_is_named),
        TEST(test_the_launchers_death_takes_it_along),
        TEST(test_the_summary_says_that_there_is_no_isolation),
    };

    fixture_enter(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
