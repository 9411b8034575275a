/* Bodies in pieces: what has come is with the handler, what it does not want yet stays
 * with the client, and each body ends once, whole or cut. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "invoke/http_connection.h"
#include "tests/http/fixture.h"

#define HEAD "POST /s HTTP/1.1\r\nHost: x\r\n"
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"
#define NEXT "GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
#define PIECE_BYTES_MAX ((size_t)64 << 10)

/* The newest request whose path is /s. */
struct stream {
    struct fixture *f;
    struct http_request *request; /* NULL once answered */
    struct buf body;
    size_t largest;
    int pieces;
    int ends;
    int cuts;
    int status;
    int gone;
    bool is_reading; /* from the start */
    void (*on_piece)(struct stream *stream);
    void (*on_cut)(struct stream *stream);
};

static struct stream stream;

static void answer(int status, const char *text)
{
    struct http_request *request = stream.request;

    stream.request = NULL;
    http_respond(request, status, "text/plain", bytes_of_text(text));
}

static void on_body(void *user, const struct http_piece *piece)
{
    assert_ptr_equal(user, &stream);
    assert_non_null(stream.request);
    assert_int_equal(stream.ends + stream.cuts, 0);
    switch (piece->event) {
    case HTTP_BODY_PIECE:
        assert_true(piece->bytes.len > 0);
        buf_append(&stream.body, piece->bytes.data, piece->bytes.len);
        stream.largest = (piece->bytes.len > stream.largest) ? piece->bytes.len : stream.largest;
        stream.pieces++;
        if (stream.on_piece != NULL) {
            stream.on_piece(&stream);
        }
        break;
    case HTTP_BODY_END:
        stream.ends++;
        break;
    case HTTP_BODY_CUT:
        stream.cuts++;
        stream.status = piece->status;
        assert_non_null(piece->reason);
        if (stream.on_cut != NULL) {
            stream.on_cut(&stream);
        }
    }
}

static void on_gone(void *user)
{
    ((struct stream *)user)->gone++;
}

static bool is_stream(const struct http_request *request)
{
    return bytes_equal(http_path(request), bytes_of_text("/s"));
}

static void on_head(struct fixture *f, struct http_request *request)
{
    (void)f;
    if (is_stream(request)) {
        http_stream_body(request);
    }
}

static void on_handle(struct fixture *f, struct http_request *request)
{
    if (!is_stream(request)) {
        http_respond(request, 200, "text/plain", bytes_of_text(f->last));
        return;
    }
    stream.request = request;
    http_set_user(request, &stream, on_gone);
    if (stream.is_reading) {
        http_read_body(request, on_body);
    }
}

static int open_stream(void **state)
{
    struct fixture *f;
    int r = set_up(state);

    f = *state;
    stream = (struct stream){.f = f, .is_reading = true};
    f->on_head = on_head;
    f->on_handle = on_handle;
    return r;
}

static int close_stream(void **state)
{
    buf_fini(&stream.body);
    return tear_down(state);
}

static void expect_reply(struct client *client, int status, bool is_last)
{
    struct reply reply;

    client_reply(client, &reply);
    assert_int_equal(reply.status, status);
    assert_int_equal(strstr(reply.head, "connection: close\r\n") != NULL, is_last);
    if (is_last) {
        client_expect_end(client);
    }
}

static void expect_body(const char *text)
{
    assert_int_equal(stream.body.len, strlen(text));
    assert_memory_equal(stream.body.data, text, stream.body.len);
}

static struct http_connection *only_connection(struct fixture *f)
{
    return container_of(f->server->connections.next, struct http_connection, link);
}

/* --- as it comes ----------------------------------------------------------------- */

static void test_handler_gets_each_piece_as_it_comes(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_open_tcp(&client, f);
    client_say(&client, CHUNKED);
    WAIT_FOR(f, stream.request != NULL);
    assert_int_equal(stream.pieces, 0);
    client_say(&client, "5\r\nhel");
    WAIT_FOR(f, stream.body.len == 3);
    client_say(&client, "lo\r\n3\r\nyou\r\n");
    WAIT_FOR(f, stream.body.len == 8);
    assert_int_equal(stream.ends, 0);
    assert_int_equal(http_body(stream.request).len, 0);
    client_say(&client, "0\r\n\r\n" NEXT);
    WAIT_FOR(f, stream.ends == 1);
    expect_body("helloyou");
    answer(201, "taken");
    expect_reply(&client, 201, false);
    expect_reply(&client, 200, false); /* the next one of this connection */
    client_close(&client);
}

static void fill(struct buf *buf, size_t len)
{
    uint8_t *room = buf_reserve(buf, len);

    assert_non_null(room);
    for (size_t i = 0; i < len; i++) {
        room[i] = (uint8_t)(i * 31 + i / 251);
    }
    buf->len += len;
}

static void check_large(struct fixture *f, const char *head, const struct buf *body)
{
    struct client client;

    f->body_bytes_max = body->len;
    client_open_tcp(&client, f);
    client_say(&client, head);
    client_send(&client, (const char *)body->data, body->len);
    WAIT_FOR(f, stream.ends == 1 || stream.body.len == body->len);
    assert_true(bytes_equal(buf_bytes(&stream.body), buf_bytes(body)));
    assert_true(stream.largest <= PIECE_BYTES_MAX);
    assert_int_equal(atomic_load(&f->server->census->bodies.used), 0);
    assert_true(stream.request->body.cap <= PIECE_BYTES_MAX * 2);
    if (stream.ends == 0) {
        client_say(&client, "\r\n0\r\n\r\n");
        WAIT_FOR(f, stream.ends == 1);
    }
    answer(200, "");
    expect_reply(&client, 200, false);
    client_close(&client);
}

static void test_large_bodies_pass_without_being_kept(void **state)
{
    struct buf body = {0};
    char head[200];

    fill(&body, (size_t)24 << 20);
    (void)snprintf(head, sizeof head, HEAD "Content-Length: %zu\r\n\r\n", body.len);
    check_large(*state, head, &body);
    stream.ends = 0;
    stream.body.len = 0;
    (void)snprintf(head, sizeof head, CHUNKED "%zx\r\n", body.len);
    check_large(*state, head, &body);
    buf_fini(&body);
}

static void test_empty_body_has_an_end_and_no_piece(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_open_tcp(&client, f);
    client_say(&client, HEAD "Content-Length: 0\r\n\r\n");
    WAIT_FOR(f, stream.ends == 1);
    assert_int_equal(stream.pieces, 0);
    answer(200, "");
    expect_reply(&client, 200, false);
    stream.ends = 0;
    client_say(&client, CHUNKED "0\r\n\r\n");
    WAIT_FOR(f, stream.ends == 1);
    answer(200, "");
    expect_reply(&client, 200, false);
    client_close(&client);
}

static bool has_received(struct client *client, const char *text)
{
    client_poll(client);
    return client->received.len > 0 &&
           memmem(client->received.data, client->received.len, text, strlen(text)) != NULL;
}

static void test_answer_may_begin_while_the_body_comes(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct reply reply;

    client_open_tcp(&client, f);
    client_say(&client, CHUNKED "5\r\nhello\r\n");
    WAIT_FOR(f, stream.body.len == 5);
    http_begin(stream.request, 200, "text/plain");
    assert_true(http_send(stream.request, buf_bytes(&stream.body)));
    WAIT_FOR(f, has_received(&client, "hello"));
    client_say(&client, "1\r\n!\r\n0\r\n\r\n" NEXT);
    WAIT_FOR(f, stream.ends == 1);
    assert_true(http_send(stream.request, bytes_of_text("!")));
    http_end(stream.request);
    client_reply(&client, &reply);
    assert_string_equal((const char *)reply.body.data, "hello!");
    expect_reply(&client, 200, false);
    client_close(&client);
}

static void test_http_1_0_is_streamed_too(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct reply reply;

    client_open_tcp(&client, f);
    client_say(&client, "POST /s HTTP/1.0\r\nContent-Length: 5\r\n\r\nhe");
    WAIT_FOR(f, stream.body.len == 2);
    http_begin(stream.request, 200, "text/plain");
    client_say(&client, "llo");
    WAIT_FOR(f, stream.ends == 1);
    assert_true(http_send(stream.request, buf_bytes(&stream.body)));
    http_end(stream.request);
    client_reply(&client, &reply);
    assert_string_equal((const char *)reply.body.data, "hello");
    client_expect_end(&client);
    client_close(&client);
}

static void test_clients_that_wait_are_told_to_go_on_once_the_body_is_wanted(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct reply reply;

    stream.is_reading = false;
    client_open_tcp(&client, f);
    client_say(&client, HEAD "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    WAIT_FOR(f, stream.request != NULL);
    for (int i = 0; i < 20; i++) {
        turn(f);
    }
    client_poll(&client);
    assert_int_equal(client.received.len, 0);
    http_read_body(stream.request, on_body);
    client_reply(&client, &reply);
    assert_int_equal(reply.status, 100);
    client_say(&client, "hello");
    WAIT_FOR(f, stream.ends == 1);
    answer(200, "");
    expect_reply(&client, 200, false);
    client_close(&client);
}

/* --- back-pressure --------------------------------------------------------------- */

/* What the sockets' buffers take; then the client must wait. */
static size_t send_until_full(struct client *client, const struct buf *data)
{
    size_t sent = 0;
    int refused = 0;

    while (refused < 50 && sent < data->len) {
        ssize_t len = send(client->fd, data->data + sent, data->len - sent, MSG_NOSIGNAL);

        refused += len < 0;
        sent += (len > 0) ? (size_t)len : 0;
        turn(client->f);
    }
    return sent;
}

static void test_nothing_is_read_before_it_is_wanted(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct buf body = {0};
    size_t sent;

    fill(&body, (size_t)64 << 20);
    f->body_bytes_max = body.len;
    stream.is_reading = false;
    client_open_tcp(&client, f);
    client_say(&client, HEAD "Content-Length: 67108864\r\n\r\n");
    WAIT_FOR(f, stream.request != NULL);
    sent = send_until_full(&client, &body);
    assert_true(sent < body.len);
    assert_true(f->thread_count > 0 || only_connection(f)->input.cap <= 2 * PIECE_BYTES_MAX);
    assert_int_equal(stream.request->body.len, 0);
    http_read_body(stream.request, on_body);
    client_send(&client, (const char *)body.data + sent, body.len - sent);
    WAIT_FOR(f, stream.ends == 1);
    assert_true(bytes_equal(buf_bytes(&stream.body), buf_bytes(&body)));
    answer(200, "");
    expect_reply(&client, 200, false);
    buf_fini(&body);
    client_close(&client);
}

static void pause_here(struct stream *s)
{
    http_pause_body(s->request);
}

/* The end too is something that comes. */
static void test_paused_body_says_nothing_until_it_is_resumed(void **state)
{
    struct fixture *f = *state;
    struct client client;

    stream.on_piece = pause_here;
    client_open_tcp(&client, f);
    client_say(&client, CHUNKED "5\r\nhello\r\n0\r\n\r\n" NEXT);
    WAIT_FOR(f, stream.pieces == 1);
    for (int i = 0; i < 20; i++) {
        turn(f);
    }
    assert_int_equal(stream.ends, 0);
    assert_int_equal(f->handled, 1);
    http_resume_body(stream.request);
    assert_int_equal(stream.ends, 0); /* not from inside */
    WAIT_FOR(f, stream.ends == 1);
    answer(200, "");
    expect_reply(&client, 200, false);
    expect_reply(&client, 200, false);
    client_close(&client);
}

static void test_pausing_at_each_piece_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct buf body = {0};

    fill(&body, (size_t)1 << 20);
    f->body_bytes_max = body.len;
    stream.on_piece = pause_here;
    client_open_tcp(&client, f);
    client_say(&client, HEAD "Content-Length: 1048576\r\n\r\n");
    WAIT_FOR(f, stream.request != NULL);
    for (size_t at = 0; at < body.len; at += 4096) {
        client_send(&client, (const char *)body.data + at, 4096);
        http_resume_body(stream.request);
    }
    while (stream.ends == 0) {
        http_resume_body(stream.request);
        turn(f);
    }
    assert_true(bytes_equal(buf_bytes(&stream.body), buf_bytes(&body)));
    answer(200, "");
    expect_reply(&client, 200, false);
    buf_fini(&body);
    client_close(&client);
}

/* A relay: what comes in at /s goes out at /later's answer, at the pace of its reader. */
static struct http_request *sink;
static size_t most_unread;

static void let_flow(void *user)
{
    (void)user;
    http_resume_body(stream.request);
}

static void relay(struct stream *s)
{
    assert_true(http_send(sink, buf_bytes(&s->body)));
    s->body.len = 0;
    most_unread = (http_unread(sink) > most_unread) ? http_unread(sink) : most_unread;
    if (http_unread(sink) > 256 << 10) {
        http_pause_body(s->request);
        http_call_when_read(sink, 64 << 10, let_flow);
    }
}

static void handle_relay(struct fixture *f, struct http_request *request)
{
    if (is_stream(request)) {
        on_handle(f, request);
    } else {
        sink = request;
        http_set_user(sink, f, count_gone);
        http_begin(sink, 200, "application/octet-stream");
    }
}

static void feed_some(struct client *client, const struct buf *body, size_t *at)
{
    size_t len = (body->len - *at < 65536) ? body->len - *at : 65536;
    ssize_t sent = (len > 0) ? send(client->fd, body->data + *at, len, MSG_NOSIGNAL) : 0;

    *at += (sent > 0) ? (size_t)sent : 0;
    turn(client->f);
}

static void test_slow_reader_slows_the_sender(void **state)
{
    struct fixture *f = *state;
    struct client source;
    struct client reader;
    struct reply reply;
    struct buf body = {0};
    size_t at = 0;

    fill(&body, (size_t)32 << 20);
    f->body_bytes_max = body.len;
    f->on_handle = handle_relay;
    stream.on_piece = relay;
    most_unread = 0;
    client_open_tcp(&reader, f);
    client_say(&reader, NEXT);
    WAIT_FOR(f, f->handled == 1);
    client_open_tcp(&source, f);
    client_say(&source, HEAD "Content-Length: 33554432\r\n\r\n");
    for (int i = 0; i < 1000; i++) {
        feed_some(&source, &body, &at);
    }
    assert_true(at < body.len); /* nobody has read yet */
    while (stream.ends == 0) {
        feed_some(&source, &body, &at);
        client_poll(&reader);
    }
    http_end(sink);
    client_reply(&reader, &reply);
    assert_true(bytes_equal(reply.body, buf_bytes(&body)));
    assert_true(most_unread < HTTP_UNREAD_BYTES_MAX / 2);
    answer(200, "");
    expect_reply(&source, 200, false);
    buf_fini(&body);
    client_close(&source);
    client_close(&reader);
}

static void test_body_has_no_deadline(void **state)
{
    struct fixture *f = *state;
    struct http_connection *connection;
    struct client client;

    NOT_WITH_THREADS(f);
    client_open_tcp(&client, f);
    client_say(&client, CHUNKED "5\r\nhe");
    WAIT_FOR(f, stream.body.len == 2);
    connection = only_connection(f);
    assert_false(http_connection_check_time(connection, connection->since_ms + 86400000));
    assert_int_equal(connection->state, HTTP_CONNECTION_OPEN);
    WAIT_FOR(f, uv_backend_timeout(&f->loop) == -1); /* and needs no timer */
    client_say(&client, "llo\r\n0\r\n\r\n");
    WAIT_FOR(f, stream.ends == 1);
    answer(200, "");
    expect_reply(&client, 200, false);
    client_close(&client);
}

/* --- cut ------------------------------------------------------------------------- */

static void check_cut(struct fixture *f, const char *text, int status)
{
    struct client client;
    int handled = f->handled;

    stream.cuts = 0;
    client_open_tcp(&client, f);
    client_say(&client, text);
    WAIT_FOR(f, stream.cuts == 1);
    assert_int_equal(stream.status, status);
    answer(status, "no");
    expect_reply(&client, status, true);
    assert_int_equal(f->handled, handled + 1);
    assert_int_equal(stream.ends, 0);
    client_close(&client);
}

static void test_malformed_body_is_cut_and_nothing_behind_it_is_read(void **state)
{
    check_cut(*state, CHUNKED "5\r\nhello\r\nxyz\r\n" NEXT, 400);
    check_cut(*state, CHUNKED "5\r\nhello!" NEXT, 400);
    check_cut(*state, CHUNKED "5;\r\n" NEXT, 400);
    check_cut(*state, CHUNKED "5\r\nhello\r\n0\r\nA: b\r\n\r\n" NEXT, 400);
}

static void test_body_is_limited(void **state)
{
    struct fixture *f = *state;

    f->body_bytes_max = 10;
    check_cut(f, CHUNKED "5\r\nhello\r\n6\r\nworld!\r\n0\r\n\r\n" NEXT, 413);
    expect_body("hello");
    assert_int_equal(f->handled, 1);
    assert_int_equal(ask(f, HEAD "Content-Length: 11\r\n\r\nhello world"), 413);
    assert_int_equal(f->handled, 1); /* it has not come to the handler */
}

static void test_client_that_leaves_in_the_body_is_told(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_open_tcp(&client, f);
    client_say(&client, CHUNKED "5\r\nhello\r\n");
    WAIT_FOR(f, stream.body.len == 5);
    client_close(&client);
    WAIT_FOR(f, stream.gone == 1);
    assert_int_equal(stream.cuts, 1);
    assert_int_equal(stream.status, 400);
    answer(200, "to nobody");
}

static void test_half_closed_client_is_cut_and_gets_its_answer(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_open_tcp(&client, f);
    client_say(&client, HEAD "Content-Length: 10\r\n\r\nhello");
    WAIT_FOR(f, stream.body.len == 5);
    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    WAIT_FOR(f, stream.cuts == 1);
    answer(400, "you stopped");
    expect_reply(&client, 400, true);
    client_close(&client);
}

static void answer_here(struct stream *s)
{
    (void)s;
    answer(202, "enough");
}

static void test_handler_may_answer_at_a_cut(void **state)
{
    struct fixture *f = *state;
    struct linger at_once = {.l_onoff = 1};
    struct client client;

    stream.on_cut = answer_here;
    client_open_tcp(&client, f);
    client_say(&client, CHUNKED "5\r\nhello\r\n");
    WAIT_FOR(f, stream.body.len == 5);
    assert_int_equal(setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    client_close(&client);
    WAIT_FOR(f, stream.cuts == 1);
    assert_int_equal(stream.gone, 0);
    client_open_tcp(&client, f);
    stream.cuts = 0;
    client_say(&client, CHUNKED "xyz\r\n");
    expect_reply(&client, 202, true);
    client_close(&client);
}

/* --- answered before its end -------------------------------------------------------- */

static void test_answer_before_the_end_is_the_last(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct reply reply;

    client_open_tcp(&client, f);
    client_say(&client, CHUNKED "5\r\nhello\r\n");
    WAIT_FOR(f, stream.body.len == 5);
    answer(413, "enough");
    client_reply(&client, &reply);
    assert_int_equal(reply.status, 413);
    assert_non_null(strstr(reply.head, "connection: close\r\n"));
    client_say(&client, "5\r\nhello\r\n0\r\n\r\n" NEXT);
    client_expect_end(&client);
    assert_int_equal(stream.body.len, 5);
    assert_int_equal(stream.ends + stream.cuts + stream.gone, 0);
    assert_int_equal(f->handled, 1);
    client_close(&client);
}

static void test_handler_may_answer_at_a_piece(void **state)
{
    struct fixture *f = *state;
    struct client client;

    stream.on_piece = answer_here;
    client_open_tcp(&client, f);
    client_say(&client, HEAD "Content-Length: 10\r\n\r\nhello");
    expect_reply(&client, 202, true);
    assert_int_equal(stream.ends + stream.cuts, 0);
    client_close(&client);
}

static void refuse_at_once(struct fixture *f, struct http_request *request)
{
    (void)f;
    http_respond(request, 404, NULL, (struct bytes){0});
}

static void test_handler_may_answer_before_any_piece(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->on_handle = refuse_at_once;
    client_open_tcp(&client, f);
    client_say(&client, HEAD "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n");
    expect_reply(&client, 404, true);
    client_close(&client);
    client_open_tcp(&client, f);
    client_say(&client, HEAD "Content-Length: 0\r\n\r\n" HEAD "Content-Length: 0\r\n\r\n");
    expect_reply(&client, 404, false); /* nothing of it was missing */
    expect_reply(&client, 404, false);
    client_close(&client);
}

static void test_long_answer_may_end_before_the_body_does(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct reply reply;

    client_open_tcp(&client, f);
    client_say(&client, CHUNKED "5\r\nhello\r\n");
    WAIT_FOR(f, stream.body.len == 5);
    http_begin(stream.request, 200, NULL);
    http_end(stream.request);
    client_reply(&client, &reply);
    assert_int_equal(reply.status, 200);
    client_say(&client, "5\r\nhello\r\n0\r\n\r\n" NEXT);
    client_expect_end(&client);
    assert_int_equal(f->handled, 1);
    client_close(&client);
}

/* --- the server ends ---------------------------------------------------------------- */

static void note_close(void *arg)
{
    struct fixture *f = arg;

    f->closed++;
    f->server = NULL;
}

static void test_close_waits_for_the_body(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_open_tcp(&client, f);
    client_say(&client, CHUNKED "5\r\nhello\r\n");
    WAIT_FOR(f, stream.body.len == 5);
    http_server_close(f->server, f, note_close);
    client_say(&client, "1\r\n!\r\n0\r\n\r\n" NEXT);
    WAIT_FOR(f, stream.ends == 1);
    expect_body("hello!");
    answer(200, "");
    expect_reply(&client, 200, true);
    client_close(&client);
    WAIT_FOR(f, f->closed == 1);
    assert_int_equal(f->handled, 1);
}

static void test_kill_cuts_the_body(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_open_tcp(&client, f);
    client_say(&client, CHUNKED "5\r\nhello\r\n");
    WAIT_FOR(f, stream.body.len == 5);
    http_server_close(f->server, f, note_close);
    http_server_kill(f->server);
    assert_int_equal(stream.cuts, 1);
    assert_int_equal(stream.gone, 1);
    http_resume_body(stream.request); /* harmless, and says nothing */
    WAIT_FOR(f, f->closed == 1);
    answer(200, "to nobody");
    client_close(&client);
}

static void kill_here(struct stream *s)
{
    http_server_close(s->f->server, s->f, note_close);
    http_server_kill(s->f->server);
}

static void test_handler_may_kill_the_server_at_a_piece(void **state)
{
    struct fixture *f = *state;
    struct client client;

    stream.on_piece = kill_here;
    client_open_tcp(&client, f);
    client_say(&client, CHUNKED "5\r\nhello\r\n0\r\n\r\n");
    WAIT_FOR(f, f->closed == 1);
    assert_int_equal(stream.cuts, 1);
    assert_int_equal(stream.ends, 0);
    answer(200, "to nobody");
    client_close(&client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_stream, close_stream)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_handler_gets_each_piece_as_it_comes),
        TEST(test_large_bodies_pass_without_being_kept),
        TEST(test_empty_body_has_an_end_and_no_piece),
        TEST(test_answer_may_begin_while_the_body_comes),
        TEST(test_http_1_0_is_streamed_too),
        TEST(test_clients_that_wait_are_told_to_go_on_once_the_body_is_wanted),
        TEST(test_nothing_is_read_before_it_is_wanted),
        TEST(test_paused_body_says_nothing_until_it_is_resumed),
        TEST(test_pausing_at_each_piece_loses_nothing),
        TEST(test_slow_reader_slows_the_sender),
        TEST(test_body_has_no_deadline),
        TEST(test_malformed_body_is_cut_and_nothing_behind_it_is_read),
        TEST(test_body_is_limited),
        TEST(test_client_that_leaves_in_the_body_is_told),
        TEST(test_half_closed_client_is_cut_and_gets_its_answer),
        TEST(test_handler_may_answer_at_a_cut),
        TEST(test_answer_before_the_end_is_the_last),
        TEST(test_handler_may_answer_at_a_piece),
        TEST(test_handler_may_answer_before_any_piece),
        TEST(test_long_answer_may_end_before_the_body_does),
        TEST(test_close_waits_for_the_body),
        TEST(test_kill_cuts_the_body),
        TEST(test_handler_may_kill_the_server_at_a_piece),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
