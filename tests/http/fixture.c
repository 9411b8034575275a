#include "tests/http/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "invoke/http_server.h"

/* --- the server ---------------------------------------------------------------- */

static size_t admit(void *arg, struct http_request *request)
{
    struct fixture *f = arg;

    f->admitted++;
    if (f->on_admit != NULL) {
        f->on_admit(f);
    }
    if (f->on_head != NULL) {
        f->on_head(f, request);
    }
    return f->body_bytes_max;
}

static void note(struct fixture *f, struct http_request *request)
{
    struct bytes method = http_method(request);
    struct bytes path = http_path(request);
    struct bytes query = http_query(request);
    struct bytes body = http_body(request);

    (void)snprintf(f->last, sizeof f->last, "%.*s %.*s?%.*s %.*s", (int)method.len, method.data,
                   (int)path.len, path.data, (int)query.len, query.data,
                   (int)(body.len < 2048 ? body.len : 2048), (const char *)body.data);
}

static void handle(void *arg, struct http_request *request)
{
    struct fixture *f = arg;

    f->handled++;
    note(f, request);
    if (f->on_handle != NULL) {
        f->on_handle(f, request);
    } else if (http_path(request).len >= 6 && memcmp(http_path(request).data, "/later", 6) == 0) {
        assert_true(f->held_count < HELD_MAX);
        f->held[f->held_count++] = request;
        http_set_user(request, f, count_gone);
    } else {
        http_respond(request, 200, "text/plain", bytes_of_text(f->last));
    }
}

void count_gone(void *user)
{
    struct fixture *f = user;

    f->gone++;
}

static void note_close(void *arg)
{
    struct fixture *f = arg;

    f->closed++;
    f->server = NULL;
}

unsigned fixture_threads(void)
{
    const char *threads = getenv("HTTP_TEST_THREADS");

    return (threads != NULL) ? (unsigned)strtoul(threads, NULL, 10) : 0;
}

void fixture_open(struct fixture *f, const struct http_limits *limits)
{
    *f = (struct fixture){.limits = *limits, .body_bytes_max = 1 << 20};
    f->thread_count = (int)fixture_threads();
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(http_server_create(&f->server, &f->loop, &f->limits, f, admit, handle), 0);
    http_server_use_threads(f->server, (unsigned)f->thread_count);
    assert_int_equal(http_listen_tcp(f->server, "127.0.0.1:0"), 0);
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/test_http.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->path, sizeof f->path, "%s/http.sock", f->dir);
    assert_int_equal(http_listen_unix(f->server, f->path), 0);
}

/* A test may have closed the server itself. */
void fixture_close(struct fixture *f)
{
    if (f->server != NULL) {
        http_server_close(f->server, f, note_close);
        http_server_kill(f->server);
    }
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(f->closed, 1);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    assert_int_equal(access(f->path, F_OK), -1); /* its file went with it */
    assert_int_equal(rmdir(f->dir), 0);
}

unsigned fixture_connections(struct fixture *f)
{
    struct http_census *census = f->server->census;
    unsigned count;

    uv_mutex_lock(&census->lock);
    count = census->tcp_count;
    uv_mutex_unlock(&census->lock);
    return count;
}

void fixture_reopen(struct fixture *f, const struct http_limits *limits)
{
    fixture_close(f);
    fixture_open(f, limits);
}

int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    fixture_open(f, &http_limits_default);
    *state = f;
    return 0;
}

int tear_down(void **state)
{
    fixture_close(*state);
    free(*state);
    return 0;
}

void turn(struct fixture *f)
{
    struct pollfd events = {.fd = uv_backend_fd(&f->loop), .events = POLLIN};

    if (uv_run(&f->loop, UV_RUN_NOWAIT) == 0 || uv_backend_timeout(&f->loop) != 0) {
        (void)poll(&events, 1, 1);
    }
}

/* --- clients ------------------------------------------------------------------- */

static void client_open(struct client *client, struct fixture *f, const struct sockaddr *address,
                        socklen_t len)
{
    *client = (struct client){.f = f};
    client->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client->fd >= 0);
    assert_int_equal(connect(client->fd, address, len), 0); /* the backlog takes it */
    assert_int_equal(fcntl(client->fd, F_SETFL, O_NONBLOCK), 0);
}

void client_open_tcp(struct client *client, struct fixture *f)
{
    struct sockaddr_in address = {.sin_family = AF_INET};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)http_server_port(f->server));
    client_open(client, f, (struct sockaddr *)&address, sizeof address);
}

void client_open_unix(struct client *client, struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", f->path);
    client_open(client, f, (struct sockaddr *)&address, sizeof address);
}

void client_close(struct client *client)
{
    (void)close(client->fd);
    client->fd = -1;
    buf_fini(&client->received);
}

void client_poll(struct client *client)
{
    uint8_t bytes[16384];
    ssize_t len;

    while (!client->is_ended && (len = read(client->fd, bytes, sizeof bytes)) != -1) {
        client->is_ended = len == 0;
        buf_append(&client->received, bytes, (size_t)len);
    }
    if (!client->is_ended && errno != EAGAIN) {
        client->is_ended = true;
    }
}

/* A server that has closed already takes no more: that is for the test to see. */
void client_send(struct client *client, const char *data, size_t len)
{
    uint64_t until = uv_hrtime() + 10000000000U;

    while (len > 0) {
        ssize_t sent = send(client->fd, data, len, MSG_NOSIGNAL);

        assert_true(uv_hrtime() < until);
        if (sent < 0 && errno != EAGAIN) {
            return;
        }
        if (sent > 0) {
            data += sent;
            len -= (size_t)sent;
        }
        turn(client->f);
    }
}

void client_say(struct client *client, const char *text)
{
    client_send(client, text, strlen(text));
}

/* --- answers ------------------------------------------------------------------- */

static const char *find(struct bytes text, const char *wanted)
{
    return (text.data != NULL) ? memmem(text.data, text.len, wanted, strlen(wanted)) : NULL;
}

#define CHUNK_LINE_MAX 64U /* a sanitizer looks at all that may be searched */

/* Decodes in place. Returns the bytes it took, or 0 when the last is missing. */
static size_t take_chunks(uint8_t *data, size_t len, size_t *ret_body_len)
{
    size_t at = 0;
    size_t body_len = 0;

    for (;;) {
        size_t near = (len - at < CHUNK_LINE_MAX) ? len - at : CHUNK_LINE_MAX;
        const char *line = find(bytes_of(data + at, near), "\r\n");
        size_t size;
        size_t start;

        if (line == NULL) {
            return 0;
        }
        size = strtoul((char *)data + at, NULL, 16);
        start = (size_t)((const uint8_t *)line + 2 - data);
        if (len - start < size + 2) {
            return 0;
        }
        if (size == 0) {
            *ret_body_len = body_len;
            return start + 2;
        }
        (void)body_len;
        at = start + size + 2;
        body_len += size;
    }
}

static void join_chunks(uint8_t *data, size_t body_len, struct buf *to)
{
    size_t at = 0;

    to->len = 0;
    while (to->len < body_len) {
        char *end;
        size_t size = strtoul((char *)data + at, &end, 16);

        at = (size_t)((uint8_t *)end + 2 - data);
        buf_append(to, data + at, size);
        at += size + 2;
    }
}

static struct buf taken; /* the body of the newest reply */

/* Returns how much of what was received the answer is, or 0: not all there yet. */
static size_t parse_reply(struct client *client, bool is_head, struct reply *reply)
{
    struct bytes text = buf_bytes(&client->received);
    const char *end = find(text, "\r\n\r\n");
    size_t head_len;
    size_t body_len = 0;
    size_t used;
    const char *length;

    if (end == NULL) {
        return 0;
    }
    head_len = (size_t)((const uint8_t *)end + 4 - text.data);
    assert_true(head_len < sizeof reply->head);
    memcpy(reply->head, text.data, head_len);
    reply->head[head_len] = 0;
    assert_int_equal(memcmp(reply->head, "HTTP/1.1 ", 9), 0);
    reply->status = (int)strtol(reply->head + 9, NULL, 10);
    length = strstr(reply->head, "content-length: ");
    if (is_head || reply->status == 204 || reply->status == 304 || reply->status == 100) {
        used = head_len;
    } else if (strstr(reply->head, "transfer-encoding: chunked") != NULL) {
        used = take_chunks(client->received.data + head_len, text.len - head_len, &body_len);
        if (used == 0) {
            return 0;
        }
        used += head_len;
        join_chunks(client->received.data + head_len, body_len, &taken);
    } else {
        body_len = (length != NULL) ? strtoul(length + 16, NULL, 10) : text.len - head_len;
        if (text.len - head_len < body_len || (length == NULL && !client->is_ended)) {
            return 0;
        }
        taken.len = 0;
        buf_append(&taken, text.data + head_len, body_len);
        used = head_len + body_len;
    }
    (void)buf_reserve(&taken, 1);
    taken.data[body_len] = 0;
    reply->body = bytes_of(taken.data, body_len);
    return used;
}

static bool is_there(struct client *client, bool is_head, struct reply *reply)
{
    size_t used;

    client_poll(client);
    used = parse_reply(client, is_head, reply);
    if (used == 0 && client->is_ended) {
        fail_msg("the connection ended before the answer did: '%.*s'", (int)client->received.len,
                 (const char *)client->received.data);
    }
    buf_consume(&client->received, used);
    return used > 0;
}

void client_reply(struct client *client, struct reply *ret_reply)
{
    WAIT_FOR(client->f, is_there(client, false, ret_reply));
}

void client_reply_to_head(struct client *client, struct reply *ret_reply)
{
    WAIT_FOR(client->f, is_there(client, true, ret_reply));
}

static bool has_ended(struct client *client)
{
    client_poll(client);
    return client->is_ended;
}

void client_expect_end(struct client *client)
{
    WAIT_FOR(client->f, has_ended(client));
    assert_int_equal(client->received.len, 0);
}

int ask(struct fixture *f, const char *text)
{
    struct client client;
    struct reply reply;

    client_open_tcp(&client, f);
    client_say(&client, text);
    client_reply(&client, &reply);
    client_close(&client);
    return reply.status;
}
