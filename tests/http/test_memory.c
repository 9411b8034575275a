/* The server with each of its allocations failing once: a request is answered, or
 * its connection ends; nothing is lost, and the next connection is served. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/base/percent.h"
#include "tests/http/fixture.h"

static long fail_after = -1; /* allocations until the one that fails; -1: none does */
static bool has_failed;

static bool may_allocate(size_t size)
{
    (void)size;
    if (fail_after < 0) {
        return true;
    }
    if (fail_after-- == 0) {
        has_failed = true;
        return false;
    }
    return true;
}

static void ignore_error(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)text;
}

struct scene {
    struct fixture f; /* its loop only */
    struct http_server *server;
    int closed;
    int handled;
    bool is_ended;
    size_t len;
    uint8_t received[1 << 20]; /* not from the allocator that fails */
};

static size_t admit(void *arg, struct http_request *request)
{
    (void)arg;
    if (http_path(request).data[1] == 's') {
        http_stream_body(request);
    }
    return 1 << 20;
}

static void on_body(void *user, const struct http_piece *piece)
{
    struct http_request *request = user;

    if (piece->event != HTTP_BODY_PIECE) {
        assert_true(piece->event == HTTP_BODY_CUT || http_trailer(request, "x-type").len == 5);
        http_respond(request, 200, NULL, (struct bytes){0});
    }
}

/* Uses all that a handler can use. */
static void handle(void *arg, struct http_request *request)
{
    static const uint8_t large[100000];
    struct scene *scene = arg;

    scene->handled++;
    (void)percent_decode(http_path(request), http_arena(request));
    http_add_header(request, "x-name", bytes_of_text("value"));
    if (http_path(request).data[1] == 's') {
        http_set_user(request, request, NULL);
        http_read_body(request, on_body);
        return;
    }
    if (http_path(request).data[1] == 'b') {
        http_respond(request, 200, "text/plain", bytes_of(large, sizeof large));
        return;
    }
    http_begin(request, 200, "text/plain");
    (void)http_send(request, bytes_of(large, sizeof large));
    http_end(request);
}

static void note_close(void *arg)
{
    struct scene *scene = arg;

    scene->closed++;
}

static bool is_done(struct scene *scene, int fd)
{
    ssize_t len = read(fd, scene->received + scene->len, sizeof scene->received - scene->len);

    if (len > 0) {
        scene->len += (size_t)len;
    }
    scene->is_ended = len == 0 || (len < 0 && errno != EAGAIN);
    return scene->is_ended;
}

static int connect_to(struct scene *scene)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)http_server_port(scene->server));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static const char text[] = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
                           "POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "5\r\nhello\r\n0\r\n\r\n"
                           "POST /s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "5\r\nhello\r\n0\r\nX-Type: later\r\n\r\n"
                           "GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/* Returns how many bytes came back before the connection ended. */
static size_t play(struct scene *scene)
{
    int fd = connect_to(scene);

    scene->len = 0;
    (void)send(fd, text, 40, MSG_NOSIGNAL);
    turn(&scene->f);
    (void)send(fd, text + 40, sizeof text - 41, MSG_NOSIGNAL); /* it may be closed already */
    WAIT_FOR(&scene->f, is_done(scene, fd));
    (void)close(fd);
    return scene->len;
}

static bool open_scene(struct scene *scene)
{
    struct http_limits limits = http_limits_default;

    *scene = (struct scene){.closed = 0};
    limits.trailer_bytes_max = 1000;
    assert_int_equal(uv_loop_init(&scene->f.loop), 0);
    if (http_server_create(&scene->server, &scene->f.loop, &limits, scene, admit, handle) != 0) {
        return false;
    }
    return http_listen_tcp(scene->server, "127.0.0.1:0") == 0;
}

static void close_scene(struct scene *scene)
{
    if (scene->server != NULL) {
        http_server_close(scene->server, scene, note_close);
        WAIT_FOR(&scene->f, scene->closed == 1);
    }
    assert_int_equal(uv_run(&scene->f.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&scene->f.loop), 0);
}

static void test_each_allocation_may_fail(void **state)
{
    static struct scene scene;
    size_t whole_len;
    long n = 0;

    (void)state;
    assert_true(open_scene(&scene));
    whole_len = play(&scene);
    assert_true(whole_len > 300000);
    close_scene(&scene);

    err_set_sink(ignore_error);
    mem_set_hook(may_allocate);
    do {
        has_failed = false;
        fail_after = n++;
        if (open_scene(&scene)) {
            size_t len = play(&scene);

            assert_true(len <= whole_len);
            assert_true(has_failed || len == whole_len);
            fail_after = -1;
            assert_int_equal(play(&scene), whole_len); /* as if nothing had been */
        }
        fail_after = -1;
        close_scene(&scene);
    } while (has_failed);
    mem_set_hook(NULL);
    err_set_sink(NULL);
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
