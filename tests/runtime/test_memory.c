/* Each allocation of the daemon's side fails once. */
#include <fcntl.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "tests/runtime/fixture.h"
#include "tests/runtime/zipmaker.h"

static int allocations_left;

static bool count_down(size_t size)
{
    (void)size;
    return allocations_left-- > 0;
}

static void ignore_error(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)text;
}

static void fail_after(int count)
{
    allocations_left = count;
    mem_set_hook(count_down);
    err_set_sink(ignore_error);
}

static void fail_no_more(void)
{
    mem_set_hook(NULL);
    err_set_sink(NULL);
}

static int count_fds(void)
{
    int count = 0;

    for (int fd = 0; fd < 1024; fd++) {
        count += (fcntl(fd, F_GETFD) >= 0) ? 1 : 0;
    }
    return count;
}

static void note_closed(void *arg)
{
    bool *is_closed = arg;

    *is_closed = true;
}

static void note_lost(void *arg)
{
    (void)arg;
}

static void close_launcher(struct fixture *f, struct launcher *launcher)
{
    bool is_closed = false;

    assert_int_equal(launcher_attach(launcher, &f->loop, NULL, note_lost), 0);
    launcher_close(launcher, &is_closed, note_closed);
    while (!is_closed) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
}

static void test_a_launcher_starts_or_leaves_nothing(void **state)
{
    struct fixture f;
    struct launcher *launcher = NULL;
    struct launcher_options options;
    int n = 0;
    int r;

    (void)state;
    fixture_init(&f);
    options = (struct launcher_options){.data_dir = f.data_dir, .cache_dir = f.cache_dir};
    do {
        int before = count_fds();

        fail_after(n++);
        r = launcher_start(&launcher, &options);
        fail_no_more();
        assert_true(r == 0 || r == ERR_NOMEM);
        assert_int_equal(count_fds(), (r == 0) ? before + 1 : before);
    } while (r != 0);
    assert_true(n > 2);
    close_launcher(&f, launcher);
    fixture_fini(&f);
}

static void note_end(void *arg, const struct environment_end *end)
{
    bool *is_ended = arg;

    assert_true(end->is_started);
    *is_ended = true;
}

static void test_an_environment_starts_or_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    const char *const env[] = {"PROBE=nothing", NULL};
    const struct environment_spec spec = {
        .code = "probe", .env = env, .memory_mb = 64, .tmp_mb = 1, .pids_max = 8, .files_max = 32};
    struct environment *environment = NULL;
    bool is_ended = false;
    int fds[2];
    int n = 0;
    int r;

    do {
        int before = count_fds();

        fail_after(n++);
        r = environment_start(&environment, f->launcher, &spec, fds, &is_ended, note_end);
        fail_no_more();
        assert_true(r == 0 || r == ERR_NOMEM);
        assert_int_equal(count_fds(), (r == 0) ? before + 2 : before);
    } while (r != 0);
    assert_true(n > 2);
    while (!is_ended) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    environment_destroy(environment);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void note_unpacked(void *arg, const struct unpacked *unpacked)
{
    bool *is_done = arg;

    assert_null(unpacked->error);
    *is_done = true;
}

static void test_an_archive_is_unpacked_or_closed(void **state)
{
    static const struct zip_file one = {.name = "bootstrap", .data = "#!/bin/sh\n"};
    struct fixture *f = *state;
    struct buf zip = {0};
    bool is_done = false;
    int n = 0;
    int r;

    zip_make(&zip, &one, 1, NULL);
    do {
        int before = count_fds();
        int archive = fixture_memfd(buf_bytes(&zip));

        fail_after(n++);
        r = launcher_unpack(f->launcher, "memory", archive, &is_done, note_unpacked);
        fail_no_more();
        assert_true(r == 0 || r == ERR_NOMEM);
        assert_int_equal(count_fds(), before);
    } while (r != 0);
    assert_true(n > 1);
    while (!is_done) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    buf_fini(&zip);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_launcher_starts_or_leaves_nothing),
        TEST(test_an_environment_starts_or_leaves_nothing),
        TEST(test_an_archive_is_unpacked_or_closed),
    };

    fixture_enter(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
