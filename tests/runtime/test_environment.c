#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/runtime/fixture.h"

static void test_the_status_of_the_program_comes_back(void **state)
{
    struct run run;

    (void)run_all(&run, *state, "exit:7", NULL);
    assert_true(run.end.is_started);
    assert_int_equal(run.end.exit_status, 7);
    assert_int_equal(run.end.signal, 0);
    assert_string_equal(run.text, "exited with status 7");
    run_fini(&run);
}

static void test_a_signal_that_ended_it_is_named(void **state)
{
    struct run run;

    (void)run_all(&run, *state, "signal:11", NULL);
    assert_true(run.end.is_started);
    assert_int_equal(run.end.signal, 11);
    assert_int_equal(run.end.exit_status, -1);
    assert_string_equal(run.text, "killed by signal 11 (Segmentation fault)");
    assert_false(run.end.is_oom);
    run_fini(&run);
}

static void test_bytes_go_both_ways_on_the_native_socket(void **state)
{
    struct fixture *f = *state;
    struct run run;
    struct pollfd readable;
    char answer[16] = "";

    run_start(&run, f, "echo", NULL);
    assert_int_equal(write(run.fds[0], "hello", 5), 5);
    readable = (struct pollfd){.fd = run.fds[0], .events = POLLIN};
    while (poll(&readable, 1, 5) == 0) {
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(read(run.fds[0], answer, sizeof answer), 5);
    assert_string_equal(answer, "hello");
    assert_int_equal(shutdown(run.fds[0], SHUT_WR), 0);
    run_wait_end(&run, f);
    assert_has((char *)run.output.data, "eof");
    run_fini(&run);
}

static void test_a_kill_ends_it_and_its_pid_was_known(void **state)
{
    struct fixture *f = *state;
    struct run run;
    pid_t pid;

    run_start(&run, f, "wait", NULL);
    run_wait_text(&run, f, "ready");
    run_wait_pid(&run, f);
    pid = environment_pid(run.environment);
    assert_true(is_alive(pid));
    environment_kill(run.environment);
    environment_kill(run.environment);
    run_wait_end(&run, f);
    assert_false(is_alive(pid));
    assert_int_equal(run.end.signal, SIGKILL);
    assert_string_equal(run.text, "killed by signal 9 (Killed)");
    run_fini(&run);
}

static void test_one_that_stopped_itself_can_be_killed(void **state)
{
    struct fixture *f = *state;
    struct run run;

    run_start(&run, f, "stop", NULL);
    run_wait_text(&run, f, "stopping");
    environment_kill(run.environment);
    run_wait_end(&run, f);
    assert_int_equal(run.end.signal, SIGKILL);
    run_fini(&run);
}

/* The output's end comes only when nobody is left to write it. */
static void test_what_a_program_leaves_behind_ends_with_it(void **state)
{
    struct run run;

    assert_has(run_all(&run, *state, "linger", NULL), "lingering");
    assert_int_equal(run.end.exit_status, 0);
    run_fini(&run);
}

static void test_a_kill_at_once_is_not_lost(void **state)
{
    struct fixture *f = *state;
    struct run runs[20];

    for (int i = 0; i < 20; i++) {
        run_start(&runs[i], f, "wait", NULL);
        environment_kill(runs[i].environment);
    }
    for (int i = 0; i < 20; i++) {
        run_wait_end(&runs[i], f);
        run_fini(&runs[i]);
    }
}

static void test_many_run_at_once_and_each_reports_its_own_end(void **state)
{
    struct fixture *f = *state;
    struct run runs[40];
    char command[16];

    for (int i = 0; i < 40; i++) {
        (void)snprintf(command, sizeof command, "exit:%d", i);
        run_start(&runs[i], f, command, NULL);
    }
    for (int i = 0; i < 40; i++) {
        run_wait_end(&runs[i], f);
        assert_int_equal(runs[i].end.exit_status, i);
        run_fini(&runs[i]);
    }
}

static void test_a_missing_program_is_named(void **state)
{
    const struct run_options options = {.program = "bin/none"};
    struct run run;

#ifdef __SANITIZE_THREAD__
    skip(); /* TSan makes vfork() a fork(): what the child finds stays in its own memory */
#endif
    (void)run_all(&run, *state, "nothing", &options);
    assert_false(run.end.is_started);
    assert_string_equal(run.text, "start bin/none: No such file or directory");
    run_fini(&run);
}

static void test_missing_code_is_named(void **state)
{
    const struct run_options options = {.code = "absent"};
    struct run run;

    (void)run_all(&run, *state, "nothing", &options);
    assert_false(run.end.is_started);
    assert_string_equal(run.text, "code absent is not in the cache");
    run_fini(&run);
}

static void test_a_program_outside_of_its_code_is_refused(void **state)
{
    static const char *const programs[] = {"/usr/bin/id", "../../usr/bin/id", "a/../../b", "",
                                           "a//b"};
    struct run run;

    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        const struct run_options options = {.program = programs[i]};

        (void)run_all(&run, *state, "nothing", &options);
        assert_false(run.end.is_started);
        assert_has(run.text, "not a path below the code's root");
        run_fini(&run);
    }
}

static void test_the_processor_time_of_the_tree_is_told(void **state)
{
    const struct run_options options = {.memory_mb = 256};
    struct run run;

    (void)run_all(&run, *state, "live", &options);
    assert_true(run.end.cpu_us > 0);
    run_fini(&run);
}

static void test_closing_kills_what_still_runs_and_says_so(void **state)
{
    struct fixture *f = *state;
    struct run run;

    run_start(&run, f, "wait", NULL);
    run_wait_text(&run, f, "ready");
    fixture_close(f);
    assert_true(run.is_ended);
    assert_int_equal(run.end.signal, SIGKILL);
    assert_false(f->is_lost);
    run_fini(&run);
}

static void test_it_starts_again_after_it_was_closed(void **state)
{
    struct fixture *f = *state;
    struct run run;

    for (int i = 0; i < 3; i++) {
        (void)run_all(&run, f, "exit:0", NULL);
        assert_int_equal(run.end.exit_status, 0);
        run_fini(&run);
        fixture_close(f);
        fixture_open(f);
    }
}

static void test_ordinary_programs_find_what_they_need(void **state)
{
    const struct run_options options = {.memory_mb = 256};
    struct run run;
    const char *output = run_all(&run, *state, "live", &options);

    print_message("%s", output);
    assert_has(output, "jit 1\nthread 1\npair 1\nmemfd 1\nrandom 1\nshell 1\nnull 1\nrename 1\n"
                       "shm 1\n");
    run_fini(&run);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_status_of_the_program_comes_back),
        TEST(test_a_signal_that_ended_it_is_named),
        TEST(test_bytes_go_both_ways_on_the_native_socket),
        TEST(test_a_kill_ends_it_and_its_pid_was_known),
        TEST(test_one_that_stopped_itself_can_be_killed),
        TEST(test_what_a_program_leaves_behind_ends_with_it),
        TEST(test_a_kill_at_once_is_not_lost),
        TEST(test_many_run_at_once_and_each_reports_its_own_end),
        TEST(test_a_missing_program_is_named),
        TEST(test_missing_code_is_named),
        TEST(test_a_program_outside_of_its_code_is_refused),
        TEST(test_the_processor_time_of_the_tree_is_told),
        TEST(test_closing_kills_what_still_runs_and_says_so),
        TEST(test_it_starts_again_after_it_was_closed),
        TEST(test_ordinary_programs_find_what_they_need),
    };

    fixture_enter(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
