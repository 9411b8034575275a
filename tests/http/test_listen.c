/* Where the server may be reached, and by whom. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "tests/http/fixture.h"

#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

static char last_error[512];

static void note_error(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)snprintf(last_error, sizeof last_error, "%s", text);
}

static int set_up_quietly(void **state)
{
    err_set_sink(note_error);
    return set_up(state);
}

static size_t admit_none(void *arg, struct http_request *request)
{
    (void)arg;
    (void)request;
    return 0;
}

static void handle_none(void *arg, struct http_request *request)
{
    (void)arg;
    http_respond(request, 404, NULL, (struct bytes){0});
}

static void count_close(void *arg)
{
    int *count = arg;

    (*count)++;
}

static void test_only_loopback_addresses_are_listened_at(void **state)
{
    static const char *const refused[] = {"0.0.0.0:0",   "[::]:0",
                                          "10.0.0.1:0",  "192.168.1.1:9100",
                                          "[fe80::1]:0", "[::ffff:127.0.0.1]:0"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(http_listen_tcp(f->server, refused[i]), ERR_INVALID);
        assert_non_null(strstr(last_error, "loopback"));
    }
    assert_int_equal(http_listen_tcp(f->server, "127.1.2.3:0"), 0);
}

static void test_malformed_addresses_are_refused(void **state)
{
    static const char *const refused[] = {
        "",        "127.0.0.1",       "127.0.0.1:",      "127.0.0.1:a",   "127.0.0.1:65536",
        ":9100",   "localhost:9100",  "127.0.0.1:-1",    "127.0.0.1:+1",  "[::1]",
        "[::1]9",  "::1:9100",        "[::1:9100",       "127.0.0.1: 1",  "127.0.0.1:999999",
        "[]:9100", "127.0.0.1.1:910", "[127.0.0.1]:100", "127.0.0.1:0x1",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (http_listen_tcp(f->server, refused[i]) != ERR_INVALID) {
            fail_msg("'%s' was accepted", refused[i]);
        }
    }
}

static void test_ipv6_loopback_is_served(void **state)
{
    struct fixture *f = *state;
    int r = http_listen_tcp(f->server, "[::1]:0");

    if (r == ERR_SYSTEM) {
        skip(); /* a machine without IPv6 */
    }
    assert_int_equal(r, 0);
}

static void test_port_in_use_is_refused(void **state)
{
    struct fixture *f = *state;
    char address[32];

    (void)snprintf(address, sizeof address, "127.0.0.1:%d", http_server_port(f->server));
    assert_int_equal(http_listen_tcp(f->server, address), ERR_SYSTEM);
    assert_int_equal(ask(f, GET), 200);
}

static void test_unix_socket_is_private(void **state)
{
    struct fixture *f = *state;
    mode_t before = umask(0);
    char path[128];
    struct stat st;

    (void)snprintf(path, sizeof path, "%s/second.sock", f->dir);
    assert_int_equal(http_listen_unix(f->server, path), 0);
    assert_int_equal(umask(before), 0); /* the process's own is untouched */
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 07777, 0600);
}

struct watch {
    char path[128];
    atomic_bool is_over;
    atomic_uint seen_count;
    mode_t modes; /* all bits ever seen; read after the thread has ended */
};

static void *watch_mode(void *arg)
{
    struct watch *watch = arg;
    struct stat st;

    while (!atomic_load(&watch->is_over)) {
        if (lstat(watch->path, &st) == 0) {
            watch->modes |= st.st_mode & 0777;
            atomic_fetch_add(&watch->seen_count, 1);
        }
    }
    return NULL;
}

static void make_and_remove(struct fixture *f, const char *path)
{
    struct http_server *server;
    int closed = 0;

    assert_int_equal(
        http_server_create(&server, &f->loop, &http_limits_default, f, admit_none, handle_none), 0);
    assert_int_equal(http_listen_unix(server, path), 0);
    http_server_close(server, &closed, count_close);
    WAIT_FOR(f, closed == 1);
}

/* Seen from another thread while it is made again and again: never wider. */
static void test_unix_socket_is_private_from_its_first_moment(void **state)
{
    struct fixture *f = *state;
    mode_t before = umask(0);
    struct watch watch = {.modes = 0};
    pthread_t thread;

    (void)snprintf(watch.path, sizeof watch.path, "%s/second.sock", f->dir);
    assert_int_equal(pthread_create(&thread, NULL, watch_mode, &watch), 0);
    for (int i = 0; i < 200 || atomic_load(&watch.seen_count) < 100; i++) {
        make_and_remove(f, watch.path);
    }
    atomic_store(&watch.is_over, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)umask(before);
    assert_int_equal(watch.modes, 0600);
}

static int bind_at(const char *path, bool is_alive)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    if (is_alive) {
        assert_int_equal(listen(fd, 1), 0);
    }
    return fd;
}

static void test_socket_of_a_dead_server_is_replaced(void **state)
{
    struct fixture *f = *state;
    char path[128];

    (void)snprintf(path, sizeof path, "%s/second.sock", f->dir);
    (void)close(bind_at(path, true));
    assert_int_equal(http_listen_unix(f->server, path), 0);
}

static void test_socket_of_a_live_server_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct stat before;
    struct stat after;
    int fd;

    (void)snprintf(path, sizeof path, "%s/second.sock", f->dir);
    fd = bind_at(path, true);
    assert_int_equal(lstat(path, &before), 0);
    assert_int_equal(http_listen_unix(f->server, path), ERR_INVALID);
    assert_non_null(strstr(last_error, "another server is running"));
    assert_int_equal(lstat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    (void)close(fd);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(http_listen_unix(f->server, f->path), ERR_INVALID); /* our own */
}

static void test_other_files_are_not_touched(void **state)
{
    struct fixture *f = *state;
    char path[128];
    char link[128];
    int fd;

    (void)snprintf(path, sizeof path, "%s/file", f->dir);
    (void)snprintf(link, sizeof link, "%s/link", f->dir);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(symlink(f->path, link), 0);
    assert_int_equal(http_listen_unix(f->server, path), ERR_INVALID);
    assert_int_equal(http_listen_unix(f->server, link), ERR_INVALID);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(unlink(path), 0);
}

/* Whoever has taken the name meanwhile keeps it. */
static void test_close_removes_only_its_own_file(void **state)
{
    struct fixture *f = *state;
    struct http_server *server;
    char path[128];
    int closed = 0;
    int fd;

    (void)snprintf(path, sizeof path, "%s/second.sock", f->dir);
    assert_int_equal(
        http_server_create(&server, &f->loop, &http_limits_default, f, admit_none, handle_none), 0);
    assert_int_equal(http_listen_unix(server, path), 0);
    assert_int_equal(unlink(path), 0);
    fd = bind_at(path, true);
    http_server_close(server, &closed, count_close);
    WAIT_FOR(f, closed == 1);
    assert_int_equal(access(path, F_OK), 0);
    (void)close(fd);
    assert_int_equal(unlink(path), 0);
}

static void test_paths_that_do_not_fit_are_refused(void **state)
{
    struct fixture *f = *state;
    char path[200];

    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[108] = 0;
    assert_int_equal(http_listen_unix(f->server, path), ERR_INVALID);
    assert_int_equal(http_listen_unix(f->server, ""), ERR_INVALID);
    assert_int_equal(http_listen_unix(f->server, "/nowhere/at/all.sock"), ERR_SYSTEM);
}

/* The test's own parent may have left some open. */
enum { FDS_MAX = 256 };
static bool was_inheritable[FDS_MAX];

static bool is_inheritable(int fd)
{
    int flags = fcntl(fd, F_GETFD);

    return flags != -1 && (flags & FD_CLOEXEC) == 0;
}

static void test_descriptors_close_on_exec(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_open_tcp(&client, f);
    client_say(&client, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    WAIT_FOR(f, f->held_count == 1);
    for (int fd = 0; fd < FDS_MAX; fd++) {
        assert_true(!is_inheritable(fd) || was_inheritable[fd]);
    }
    http_respond(f->held[0], 200, NULL, (struct bytes){0});
    client_close(&client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_quietly, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_only_loopback_addresses_are_listened_at),
        TEST(test_malformed_addresses_are_refused),
        TEST(test_ipv6_loopback_is_served),
        TEST(test_port_in_use_is_refused),
        TEST(test_unix_socket_is_private),
        TEST(test_unix_socket_is_private_from_its_first_moment),
        TEST(test_socket_of_a_dead_server_is_replaced),
        TEST(test_socket_of_a_live_server_is_refused),
        TEST(test_other_files_are_not_touched),
        TEST(test_close_removes_only_its_own_file),
        TEST(test_paths_that_do_not_fit_are_refused),
        TEST(test_descriptors_close_on_exec),
    };

    for (int fd = 0; fd < FDS_MAX; fd++) {
        was_inheritable[fd] = is_inheritable(fd);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
