#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/runtime/fixture.h"

/* A directory with a listening socket and a file. */
struct granted {
    char dir[128];
    char env[160];
    int listener;
};

static void make_granted(struct granted *granted, const struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)snprintf(granted->dir, sizeof granted->dir, "%s/granted", f->dir);
    (void)snprintf(granted->env, sizeof granted->env, "GRANT=%s", granted->dir);
    assert_int_equal(mkdir(granted->dir, 0755), 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%.90s/socket", granted->dir);
    granted->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(granted->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(chmod(address.sun_path, 0666), 0);
    assert_int_equal(listen(granted->listener, 4), 0);
}

static void test_a_grant_is_seen_at_its_path_and_its_sockets_answer(void **state)
{
    struct fixture *f = *state;
    struct granted granted;
    struct run_options options = {.grant_count = 1};
    struct run run;
    const char *output;

    make_granted(&granted, f);
    options.grants[0].path = granted.dir;
    options.extra_env = granted.env;
    output = run_all(&run, f, "grant", &options);
    print_message("%s%s\n", output, run.text);
    assert_has(output, "connect: ALLOWED\n");
    assert_has(output, "write: EROFS\n");
    assert_has(output, "grant: socket\n");
    run_fini(&run);
    (void)close(granted.listener);
}

static void test_control_without_the_grant_nothing_is_there(void **state)
{
    struct fixture *f = *state;
    struct granted granted;
    struct run_options options = {0};
    struct run run;

    make_granted(&granted, f);
    options.extra_env = granted.env;
    assert_has(run_all(&run, f, "grant", &options), "connect: ENOENT\n");
    run_fini(&run);
    (void)close(granted.listener);
}

static void assert_refused(struct fixture *f, const char *path, const char *why)
{
    const struct run_options options = {.grants = {{path}}, .grant_count = 1};
    struct run run;

    (void)run_all(&run, f, "nothing", &options);
    assert_false(run.end.is_started);
    assert_has(run.text, why);
    run_fini(&run);
}

static void test_the_data_directory_cannot_be_granted(void **state)
{
    struct fixture *f = *state;
    char below[160];
    char link[160];

    (void)snprintf(below, sizeof below, "%s/below", f->data_dir);
    (void)snprintf(link, sizeof link, "%s/link", f->dir);
    assert_int_equal(mkdir(below, 0700), 0);
    assert_int_equal(symlink(below, link), 0);
    assert_refused(f, f->data_dir, "would show the data directory");
    assert_refused(f, below, "would show the data directory");
    assert_refused(f, link, "would show the data directory");
    assert_refused(f, f->dir, "would show the data directory"); /* contains it */
}

static void test_the_code_of_others_and_the_systems_places_cannot_be_granted(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, f->cache_dir, "would show the code of others");
    assert_refused(f, "/proc", "environment's own");
    assert_refused(f, "/proc/1", "environment's own");
    assert_refused(f, "/sys/fs", "environment's own");
    assert_refused(f, "/etc", "environment's own");
    assert_refused(f, "/usr/share", "environment's own");
    assert_refused(f, "/var/task/x", "environment's own");
    assert_refused(f, "/tmp", "environment's own");
    assert_refused(f, "/dev/shm", "environment's own");
    assert_refused(f, "/", "environment's own");
}

static void test_a_grant_that_is_no_directory_or_no_plain_path_is_refused(void **state)
{
    struct fixture *f = *state;
    char file[160];
    char dots[160];

    (void)snprintf(file, sizeof file, "%s/file", f->dir);
    (void)snprintf(dots, sizeof dots, "%s/../x", f->dir);
    (void)close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    assert_refused(f, file, "not a directory");
    assert_refused(f, "/does/not/exist", "No such file or directory");
    assert_refused(f, "relative", "not an absolute path");
    assert_refused(f, dots, "not an absolute path");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_grant_is_seen_at_its_path_and_its_sockets_answer),
        TEST(test_control_without_the_grant_nothing_is_there),
        TEST(test_the_data_directory_cannot_be_granted),
        TEST(test_the_code_of_others_and_the_systems_places_cannot_be_granted),
        TEST(test_a_grant_that_is_no_directory_or_no_plain_path_is_refused),
    };

    fixture_enter(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
