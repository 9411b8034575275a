#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/runtime/fixture.h"

static bool has_group(const struct fixture *f, const char *name)
{
    const char *groups = strstr(launcher_summary(f->launcher), "cgroup=v");

    return groups != NULL && strstr(groups, name) != NULL;
}

/* Another environment of the same launcher, which must not notice. */
static void assert_neighbour_is_well(struct fixture *f)
{
    struct run run;

    (void)run_all(&run, f, "exit:0", NULL);
    assert_string_equal(run.text, "exited with status 0");
    run_fini(&run);
}

static void test_too_much_memory_ends_it_and_is_named(void **state)
{
    const struct run_options options = {.memory_mb = 32};
    struct fixture *f = *state;
    struct run run;

    if (!has_group(f, "memory")) {
        skip();
    }
    (void)run_all(&run, f, "memory", &options);
    assert_true(run.end.is_oom);
    assert_true(run.end.is_started);
    assert_string_equal(run.text, "out of memory");
    assert_true(run.end.memory_peak > 24u << 20 && run.end.memory_peak <= 32u << 20);
    run_fini(&run);
    assert_neighbour_is_well(f);
}

/* The control: the same program with room enough is not killed. */
static void test_control_enough_memory_does_not_end_it(void **state)
{
    const struct run_options options = {.memory_mb = 6000};
    struct fixture *f = *state;
    struct run run;

    if (!has_group(f, "memory") || sysconf(_SC_AVPHYS_PAGES) / 256 < 8000) {
        skip();
    }
    assert_has(run_all(&run, f, "memory", &options), "had 4096 MB");
    assert_false(run.end.is_oom);
    run_fini(&run);
}

static void test_without_groups_a_process_still_has_a_bound(void **state)
{
    const struct run_options options = {.memory_mb = 32};
    struct fixture *f = *state;
    struct run run;

    if (has_group(f, "memory")) {
        skip();
    }
    assert_has(run_all(&run, f, "memory", &options), "refused at");
    run_fini(&run);
}

static void test_a_fork_bomb_is_bounded_and_dies_at_once(void **state)
{
    const struct run_options options = {.pids_max = 50};
    struct fixture *f = *state;
    struct run run;
    const char *output = run_all(&run, f, "bomb", &options);
    int count = (int)strtol(output + strlen("forked "), NULL, 10);

    print_message("%s", output);
    assert_has(output, "then EAGAIN");
    assert_in_range(count, 40, 50);
    assert_int_equal(run.end.exit_status, 0);
    run_fini(&run);
    assert_neighbour_is_well(f);
}

static void test_tmp_and_shm_share_one_size(void **state)
{
    const struct run_options options = {.tmp_mb = 4};
    struct run run;
    const char *output = run_all(&run, *state, "fill", &options);
    int kilobytes = (int)strtol(output + strlen("wrote "), NULL, 10);

    print_message("%s", output);
    assert_has(output, "then ENOSPC");
    assert_in_range(kilobytes, 3500, 4096);
    assert_has(output, "shm: -1");
    run_fini(&run);
}

static void test_tmp_is_fresh_for_each(void **state)
{
    struct fixture *f = *state;
    struct run run;

    for (int i = 0; i < 2; i++) {
        assert_has(run_all(&run, f, "fill", NULL), "then ENOSPC");
        assert_has_not((char *)run.output.data, "wrote 0 KB");
        run_fini(&run);
    }
}

static void test_files_in_tmp_are_bounded(void **state)
{
    const struct run_options options = {.memory_mb = 512};
    struct run run;
    const char *output = run_all(&run, *state, "inodes", &options);

    assert_has(output, "then ENOSPC");
    assert_in_range((int)strtol(output + strlen("made "), NULL, 10), 60000, 65536);
    run_fini(&run);
}

static void test_open_files_are_bounded(void **state)
{
    struct run run;
    const char *output = run_all(&run, *state, "open", NULL);

    assert_has(output, "opened 252, then EMFILE");
    run_fini(&run);
}

static void test_a_spinning_program_can_be_killed(void **state)
{
    struct fixture *f = *state;
    struct run run;

    run_start(&run, f, "spin", NULL);
    run_wait_text(&run, f, "spinning");
    environment_kill(run.environment);
    run_wait_end(&run, f);
    assert_int_equal(run.end.signal, SIGKILL);
    run_fini(&run);
}

static void run_script(struct fixture *f, const char *code, const char *script)
{
    const struct run_options options = {.code = code, .memory_mb = 512, .pids_max = 128};
    struct buf zip = {0};
    struct run run;

    fixture_zip(&zip, "bootstrap", bytes_of_text(script));
    assert_string_equal(fixture_unpack(f, code, buf_bytes(&zip)), "");
    buf_fini(&zip);
    assert_has(run_all(&run, f, "", &options), "it works\n");
    assert_string_equal(run.text, "exited with status 0");
    run_fini(&run);
}

static void test_python_runs_with_threads_and_processes(void **state)
{
    if (access("/usr/bin/python3", X_OK) != 0) {
        skip();
    }
    run_script(*state, "python",
               "#!/usr/bin/python3\n"
               "import threading, subprocess, tempfile, multiprocessing, socket, asyncio\n"
               "t = threading.Thread(target=lambda: None); t.start(); t.join()\n"
               "subprocess.check_call(['/bin/true'])\n"
               "tempfile.NamedTemporaryFile().write(b'x')\n"
               "multiprocessing.Lock()\n"
               "socket.getaddrinfo('localhost', 80)\n"
               "async def main():\n"
               "    await asyncio.create_subprocess_exec('true')\n"
               "asyncio.run(main())\n"
               "print('it works')\n");
}

static void test_node_runs_with_workers_and_processes(void **state)
{
    if (access("/usr/bin/node", X_OK) != 0) {
        skip();
    }
    run_script(*state, "node",
               "#!/usr/bin/node\n"
               "const { Worker } = require('worker_threads');\n"
               "const os = require('os');\n"
               "require('child_process').execFileSync('/bin/true');\n"
               "require('fs').writeFileSync('/tmp/x', 'y');\n"
               "if (os.networkInterfaces().lo === undefined || os.cpus().length < 1)\n"
               "    process.exit(3);\n"
               "let f = 0; for (let i = 0; i < 1e6; i++) f += i % 7;\n"
               "const server = require('http').createServer((q, s) => s.end('ok'));\n"
               "server.listen(0, '127.0.0.1', () => {\n"
               "    require('http').get({ port: server.address().port }, () => {\n"
               "        new Worker('1', { eval: true }).on('exit', () => {\n"
               "            console.log('it works'); process.exit(0);\n"
               "        });\n"
               "    });\n"
               "});\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_too_much_memory_ends_it_and_is_named),
        TEST(test_control_enough_memory_does_not_end_it),
        TEST(test_without_groups_a_process_still_has_a_bound),
        TEST(test_a_fork_bomb_is_bounded_and_dies_at_once),
        TEST(test_tmp_and_shm_share_one_size),
        TEST(test_tmp_is_fresh_for_each),
        TEST(test_files_in_tmp_are_bounded),
        TEST(test_open_files_are_bounded),
        TEST(test_a_spinning_program_can_be_killed),
        TEST(test_python_runs_with_threads_and_processes),
        TEST(test_node_runs_with_workers_and_processes),
    };

    fixture_enter(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
