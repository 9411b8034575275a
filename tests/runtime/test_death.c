/* Who dies with whom: the launcher, the daemon, and the lock that tells. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "tests/runtime/fixture.h"

#define RUNS 3
#define DEADLINE_MS 30000

static void wait_for_pids(struct fixture *f, struct run *runs)
{
    for (int i = 0; i < RUNS; i++) {
        run_wait_text(&runs[i], f, "ready");
        run_wait_pid(&runs[i], f);
    }
}

static bool is_lock_free(const struct fixture *f)
{
    char path[128];
    int fd;
    bool is_free;

    (void)snprintf(path, sizeof path, "%s/launcher.lock", f->data_dir);
    fd = open(path, O_RDWR | O_CLOEXEC);
    is_free = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
    (void)close(fd);
    return is_free;
}

static void test_a_killed_launcher_takes_its_environments_along(void **state)
{
    struct fixture *f = *state;
    struct run runs[RUNS];
    pid_t pids[RUNS];
    uint64_t deadline = now_ms() + DEADLINE_MS;

    for (int i = 0; i < RUNS; i++) {
        run_start(&runs[i], f, "wait", NULL);
    }
    wait_for_pids(f, runs);
    for (int i = 0; i < RUNS; i++) {
        pids[i] = environment_pid(runs[i].environment);
        assert_true(is_alive(pids[i]));
    }
    assert_false(is_lock_free(f));
    assert_int_equal(kill(launcher_pid(f->launcher), SIGKILL), 0);
    while (!f->is_lost && now_ms() < deadline) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_true(f->is_lost);
    for (int i = 0; i < RUNS; i++) {
        assert_true(runs[i].is_ended);
        assert_string_equal(runs[i].text, "the launcher died");
        assert_true(runs[i].end.is_started);
        assert_false(is_alive(pids[i]));
        run_fini(&runs[i]);
    }
    assert_true(is_lock_free(f));
}

static void ignore_end(void *arg, const struct environment_end *end)
{
    (void)arg;
    (void)end;
}

static void test_nothing_starts_on_a_lost_launcher(void **state)
{
    struct fixture *f = *state;
    const struct environment_spec spec = {
        .code = "probe", .memory_mb = 64, .tmp_mb = 1, .pids_max = 8, .files_max = 32};
    struct environment *environment;
    int fds[2];
    uint64_t deadline = now_ms() + DEADLINE_MS;

    assert_int_equal(kill(launcher_pid(f->launcher), SIGKILL), 0);
    while (!f->is_lost && now_ms() < deadline) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_int_equal(environment_start(&environment, f->launcher, &spec, fds, NULL, ignore_end),
                     ERR_SYSTEM);
}

/* What the daemon and its test share. */
struct told {
    pid_t launcher;
    pid_t environments[RUNS];
};

/* A daemon of its own, which then hangs until it is killed. */
static void be_daemon(struct fixture *f, struct told *told, int ready)
{
    static struct run runs[RUNS];

    fixture_open(f);
    for (int i = 0; i < RUNS; i++) {
        run_start(&runs[i], f, (i == 0) ? "linger" : "wait", NULL);
    }
    run_wait_text(&runs[0], f, "lingering");
    for (int i = 1; i < RUNS; i++) {
        run_wait_text(&runs[i], f, "ready");
        run_wait_pid(&runs[i], f);
        told->environments[i] = environment_pid(runs[i].environment);
    }
    told->launcher = launcher_pid(f->launcher);
    (void)write(ready, "!", 1);
    while (true) {
        (void)pause();
    }
}

static pid_t start_daemon(struct fixture *f, struct told *told)
{
    char word;
    int ready[2];
    pid_t pid;

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(ready[0]);
        be_daemon(f, told, ready[1]);
        _exit(1);
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &word, 1), 1);
    (void)close(ready[0]);
    return pid;
}

/* A new daemon waits for the lock and so for the end of the old one's environments. */
static void test_a_killed_daemon_takes_all_along_and_a_new_one_can_start(void **state)
{
    struct fixture f;
    struct told *told =
        mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t daemon;

    (void)state;
    assert_true(told != MAP_FAILED);
    fixture_init(&f);
    daemon = start_daemon(&f, told);
    assert_true(is_alive(told->environments[1]));
    assert_false(is_lock_free(&f));
    assert_int_equal(kill(daemon, SIGKILL), 0);
    assert_int_equal(waitpid(daemon, NULL, 0), daemon);
    fixture_open(&f); /* waits for the lock */
    for (int i = 1; i < RUNS; i++) {
        assert_false(is_alive(told->environments[i]));
    }
    fixture_close(&f);
    assert_true(is_lock_free(&f));
    fixture_fini(&f);
    (void)munmap(told, sizeof *told);
}

/* Also when the launcher was killed with it, so that nobody could clean up. */
static void test_a_new_launcher_waits_for_the_dead_ones_environments(void **state)
{
    struct fixture f;
    struct told *told =
        mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_true(told != MAP_FAILED);
    fixture_init(&f);
    for (int i = 0; i < 5; i++) {
        pid_t daemon = start_daemon(&f, told);

        assert_int_equal(kill(told->launcher, SIGKILL), 0);
        assert_int_equal(kill(daemon, SIGKILL), 0);
        assert_int_equal(waitpid(daemon, NULL, 0), daemon);
        fixture_open(&f);
        for (int j = 1; j < RUNS; j++) {
            assert_false(is_alive(told->environments[j]));
        }
        fixture_close(&f);
    }
    fixture_fini(&f);
    (void)munmap(told, sizeof *told);
}

static int count_descriptors(pid_t pid)
{
    char path[64];
    DIR *list;
    int count = 0;

    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    list = opendir(path);
    assert_non_null(list);
    while (readdir(list) != NULL) {
        count++;
    }
    (void)closedir(list);
    return count;
}

/* Not ours: what a daemon has open before it starts the launcher is not handed on. */
static void test_the_launcher_inherits_no_descriptor_and_few_capabilities(void **state)
{
    struct fixture f;
    int leak[200];
    char path[64];
    char line[256] = "";
    FILE *file;

    (void)state;
    for (int i = 0; i < 200; i++) {
        leak[i] = open("/dev/null", O_RDONLY); /* without close-on-exec */
        assert_true(leak[i] >= 0);
    }
    fixture_init(&f);
    fixture_open(&f);
    assert_true(count_descriptors(launcher_pid(f.launcher)) < 100);
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)launcher_pid(f.launcher));
    file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL && strncmp(line, "CapEff:", 7) != 0) {
    }
    (void)fclose(file);
    assert_true((strtoull(line + 7, NULL, 16) & ~0x802000efull) == 0); /* confine_launcher() */
    fixture_close(&f);
    fixture_fini(&f);
    for (int i = 0; i < 200; i++) {
        (void)close(leak[i]);
    }
}

/* Start after start: nothing in the launcher grows. */
static void test_a_thousand_environments_leave_nothing_behind(void **state)
{
    struct fixture *f = *state;
    struct run run;
    int before = 0;

    for (int i = 0; i < 1000; i++) {
        (void)run_all(&run, f, "nothing", NULL);
        assert_string_equal(run.text, "exited with status 0");
        run_fini(&run);
        if (i == 50) {
            before = count_descriptors(launcher_pid(f->launcher));
        }
    }
    assert_in_range(count_descriptors(launcher_pid(f->launcher)), 1, before + 30);
}

static char sink_text[512];

static void keep_error(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)snprintf(sink_text, sizeof sink_text, "%s", text);
}

static void test_what_hinders_the_launcher_is_said_in_a_sentence(void **state)
{
    struct fixture f;
    struct launcher *launcher = NULL;
    struct launcher_options options;

    (void)state;
    fixture_init(&f);
    options = (struct launcher_options){.data_dir = "/does/not/exist", .cache_dir = f.cache_dir};
    err_set_sink(keep_error);
    assert_int_equal(launcher_start(&launcher, &options), ERR_SYSTEM);
    err_set_sink(NULL);
    assert_has(sink_text, "/does/not/exist: No such file or directory");
    assert_null(launcher);
    fixture_fini(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_killed_launcher_takes_its_environments_along),
        TEST(test_nothing_starts_on_a_lost_launcher),
        cmocka_unit_test(test_a_killed_daemon_takes_all_along_and_a_new_one_can_start),
        cmocka_unit_test(test_a_new_launcher_waits_for_the_dead_ones_environments),
        cmocka_unit_test(test_the_launcher_inherits_no_descriptor_and_few_capabilities),
        TEST(test_a_thousand_environments_leave_nothing_behind),
        cmocka_unit_test(test_what_hinders_the_launcher_is_said_in_a_sentence),
    };

    fixture_enter(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
