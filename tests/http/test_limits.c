/* Every limit at one less, at itself, at one more, and at a hundred times; and the
 * times that a slow client has. */
#include <stdlib.h>

#include "invoke/http_connection.h"
#include "tests/http/fixture.h"

#define GET "GET / HTTP/1.1\r\nHost: x\r\n"

static void append_many(struct buf *buf, char c, size_t count)
{
    uint8_t *room = buf_reserve(buf, count);

    assert_non_null(room);
    memset(room, c, count);
    buf->len += count;
}

static int ask_buf(struct fixture *f, struct buf *text)
{
    int status;

    buf_append(text, "", 1);
    status = ask(f, (const char *)text->data);
    buf_fini(text);
    return status;
}

/* --- sizes --------------------------------------------------------------------- */

static int ask_with_line(struct fixture *f, size_t len)
{
    struct buf text = {0};

    buf_append_text(&text, "GET /");
    append_many(&text, 'a', len - strlen("GET / HTTP/1.1"));
    buf_append_text(&text, " HTTP/1.1\r\nHost: x\r\n\r\n");
    return ask_buf(f, &text);
}

static void test_request_line_has_8192_bytes(void **state)
{
    assert_int_equal(ask_with_line(*state, 8191), 200);
    assert_int_equal(ask_with_line(*state, 8192), 200);
    assert_int_equal(ask_with_line(*state, 8193), 414);
    assert_int_equal(ask_with_line(*state, 819200), 414);
}

static int ask_with_head(struct fixture *f, size_t len)
{
    struct buf text = {0};

    buf_append_text(&text, GET "A: ");
    append_many(&text, 'a', len - strlen(GET "A: \r\n\r\n"));
    buf_append_text(&text, "\r\n\r\n");
    return ask_buf(f, &text);
}

static void test_head_has_16384_bytes(void **state)
{
    assert_int_equal(ask_with_head(*state, 16383), 200);
    assert_int_equal(ask_with_head(*state, 16384), 200);
    assert_int_equal(ask_with_head(*state, 16385), 431);
    assert_int_equal(ask_with_head(*state, 1638400), 431);
}

static int ask_with_headers(struct fixture *f, int count)
{
    struct buf text = {0};

    buf_append_text(&text, GET);
    for (int i = 1; i < count; i++) {
        buf_append_text(&text, "A: b\r\n");
    }
    buf_append_text(&text, "\r\n");
    return ask_buf(f, &text);
}

static void test_head_has_100_headers(void **state)
{
    assert_int_equal(ask_with_headers(*state, 99), 200);
    assert_int_equal(ask_with_headers(*state, 100), 200);
    assert_int_equal(ask_with_headers(*state, 101), 431);
    assert_int_equal(ask_with_headers(*state, 10000), 431);
}

static int ask_with_body(struct fixture *f, size_t len, bool is_sent)
{
    struct buf text = {0};

    buf_printf(&text, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", len);
    append_many(&text, 'a', is_sent ? len : 0);
    return ask_buf(f, &text);
}

/* The refusal does not wait for the body. */
static void test_body_has_what_the_router_allows(void **state)
{
    struct fixture *f = *state;

    f->body_bytes_max = 1000;
    assert_int_equal(ask_with_body(f, 999, true), 200);
    assert_int_equal(ask_with_body(f, 1000, true), 200);
    assert_int_equal(ask_with_body(f, 1001, false), 413);
    assert_int_equal(ask_with_body(f, 1001, true), 413);
    assert_int_equal(ask_with_body(f, 100000, false), 413);
    assert_int_equal(f->admitted, 5);
    assert_int_equal(f->handled, 2);
}

/* The client is told although it goes on sending megabytes that nobody reads. */
static void test_refusal_reaches_a_client_that_sends_on(void **state)
{
    struct fixture *f = *state;

    f->body_bytes_max = 1000;
    assert_int_equal(ask_with_body(f, 8 << 20, true), 413);
}

static int ask_with_chunks(struct fixture *f, size_t first, size_t second)
{
    struct buf text = {0};

    buf_printf(&text, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n",
               first);
    append_many(&text, 'a', first);
    buf_printf(&text, "\r\n%zx\r\n", second);
    append_many(&text, 'b', second);
    buf_append_text(&text, "\r\n0\r\n\r\n");
    return ask_buf(f, &text);
}

static void test_chunks_are_limited_together(void **state)
{
    struct fixture *f = *state;

    f->body_bytes_max = 1000;
    assert_int_equal(ask_with_chunks(f, 900, 99), 200);
    assert_int_equal(ask_with_chunks(f, 900, 100), 200);
    assert_int_equal(ask_with_chunks(f, 900, 101), 413);
    assert_int_equal(ask_with_chunks(f, 900, 99100), 413);
}

/* What one client's bodies fill, another's must wait for; and it is given back. */
static void test_all_bodies_together_are_limited(void **state)
{
    struct fixture *f = *state;
    struct http_limits limits = http_limits_default;
    struct client holder;
    struct reply reply;

    limits.buffered_bytes_max = 1000;
    fixture_reopen(f, &limits);
    client_open_tcp(&holder, f);
    client_say(&holder, "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789");
    WAIT_FOR(f, f->held_count == 1);
    assert_int_equal(ask_with_body(f, 989, true), 200);
    assert_int_equal(ask_with_body(f, 990, true), 200);
    assert_int_equal(ask_with_body(f, 991, false), 503);
    assert_int_equal(ask_with_chunks(f, 495, 495), 200);
    assert_int_equal(ask_with_chunks(f, 495, 496), 503);
    http_respond(f->held[0], 200, NULL, (struct bytes){0});
    client_reply(&holder, &reply);
    assert_int_equal(ask_with_body(f, 1000, true), 200);
    assert_int_equal(ask_with_body(f, 1001, false), 503);
    client_close(&holder);
}

/* --- counts -------------------------------------------------------------------- */

static void expect_turned_away(struct fixture *f)
{
    struct client client;
    struct reply reply;

    client_open_tcp(&client, f);
    client_say(&client, GET "\r\n");
    client_reply(&client, &reply);
    assert_int_equal(reply.status, 503);
    assert_non_null(strstr(reply.head, "retry-after: 1\r\n"));
    client_expect_end(&client);
    client_close(&client);
}

static void ask_on(struct client *client)
{
    struct reply reply;

    client_say(client, GET "\r\n");
    client_reply(client, &reply);
    assert_int_equal(reply.status, 200);
}

/* Polls until the server has noticed that a client left. */
static int ask_again(struct fixture *f)
{
    turn(f);
    return ask(f, GET "\r\n");
}

static void test_connections_are_limited(void **state)
{
    struct fixture *f = *state;
    struct http_limits limits = http_limits_default;
    struct client clients[5];
    struct client local[6];
    struct reply reply;

    limits.connections_max = 5;
    fixture_reopen(f, &limits);
    for (int i = 0; i < 5; i++) {
        client_open_tcp(&clients[i], f);
        ask_on(&clients[i]);
    }
    expect_turned_away(f);
    expect_turned_away(f);
    for (int i = 0; i < 5; i++) {
        ask_on(&clients[i]); /* they are not disturbed */
    }
    for (int i = 0; i < 5; i++) {
        client_open_unix(&local[i], f); /* nor is the operator kept out */
        ask_on(&local[i]);
    }
    client_open_unix(&local[5], f);
    client_say(&local[5], GET "\r\n");
    client_reply(&local[5], &reply);
    assert_int_equal(reply.status, 503);
    client_close(&clients[0]);
    WAIT_FOR(f, ask_again(f) == 200);
    for (int i = 1; i < 5; i++) {
        client_close(&clients[i]);
    }
    for (int i = 0; i < 6; i++) {
        client_close(&local[i]);
    }
}

static void test_connections_of_an_address_are_limited_but_not_of_the_unix_socket(void **state)
{
    struct fixture *f = *state;
    struct http_limits limits = http_limits_default;
    struct client tcp[3];
    struct client local[10];

    limits.per_address_max = 3;
    fixture_reopen(f, &limits);
    for (int i = 0; i < 3; i++) {
        client_open_tcp(&tcp[i], f);
        ask_on(&tcp[i]);
    }
    expect_turned_away(f);
    for (int i = 0; i < 10; i++) {
        client_open_unix(&local[i], f);
        ask_on(&local[i]);
    }
    client_close(&tcp[0]);
    WAIT_FOR(f, ask_again(f) == 200);
    for (int i = 0; i < 10; i++) {
        client_close(&local[i]);
    }
    client_close(&tcp[1]);
    client_close(&tcp[2]);
}

/* A flood over the limit: each one ends, with or without its 503. */
static void test_flood_of_connections_ends_and_leaves_the_others_alone(void **state)
{
    struct fixture *f = *state;
    struct http_limits limits = http_limits_default;
    struct client good;
    struct client flood[300];
    int told = 0;

    limits.connections_max = 1;
    fixture_reopen(f, &limits);
    client_open_tcp(&good, f);
    ask_on(&good);
    for (int i = 0; i < 300; i++) {
        client_open_tcp(&flood[i], f);
        turn(f);
    }
    for (int i = 0; i < 300; i++) {
        WAIT_FOR(f, (client_poll(&flood[i]), flood[i].is_ended));
        told += flood[i].received.len > 0;
        client_close(&flood[i]);
    }
    assert_int_equal(told, 64);
    ask_on(&good);
    client_close(&good);
}

/* The seventeenth waits until there is room; none is lost. */
static void test_pipeline_is_limited(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct reply reply;
    struct buf text = {0};

    for (int i = 0; i < 40; i++) {
        buf_append_text(&text, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    client_open_tcp(&client, f);
    client_send(&client, (const char *)text.data, text.len);
    WAIT_FOR(f, f->held_count == 16);
    for (int i = 0; i < 20; i++) {
        turn(f);
    }
    assert_int_equal(f->held_count, 16);
    for (int i = 0; i < 40; i++) {
        WAIT_FOR(f, f->held_count > i);
        assert_true(f->held_count <= i + 16);
        http_respond(f->held[i], 200, NULL, (struct bytes){0});
        client_reply(&client, &reply);
    }
    buf_fini(&text);
    client_close(&client);
}

/* --- time ---------------------------------------------------------------------- */

static void open_quick(struct fixture *f)
{
    struct http_limits limits = http_limits_default;

    limits.header_ms = 40;
    limits.idle_ms = 80;
    fixture_reopen(f, &limits);
}

static void expect_408(struct client *client)
{
    struct reply reply;

    client_reply(client, &reply);
    assert_int_equal(reply.status, 408);
    assert_non_null(strstr(reply.head, "connection: close\r\n"));
    client_expect_end(client);
    client_close(client);
}

static void test_slow_head_gets_408(void **state)
{
    struct fixture *f = *state;
    struct client client;

    open_quick(f);
    client_open_tcp(&client, f);
    client_say(&client, "GET / HT");
    expect_408(&client);
    assert_int_equal(f->handled, 0);
}

/* A byte now and then does not help: the time is for the whole head. */
static void test_slowloris_gets_408(void **state)
{
    struct fixture *f = *state;
    struct client client;

    open_quick(f);
    client_open_tcp(&client, f);
    client_say(&client, GET);
    while (client.received.len == 0) {
        client_say(&client, "A: b\r\n");
        client_poll(&client);
        assert_true(client.received.len > 0 || !client.is_ended);
    }
    expect_408(&client);
}

static void test_slow_body_gets_408(void **state)
{
    struct fixture *f = *state;
    struct client client;

    open_quick(f);
    client_open_tcp(&client, f);
    client_say(&client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhello");
    expect_408(&client);
    client_open_tcp(&client, f);
    client_say(&client, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe");
    expect_408(&client);
    assert_int_equal(f->handled, 0);
}

/* Far longer than a head may take, but at the least rate: 20 KiB at 20 KiB/s. */
static void test_body_at_the_least_rate_is_waited_for(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct reply reply;
    struct buf piece = {0};
    uint64_t start = uv_hrtime();

    open_quick(f);
    append_many(&piece, 'a', 4096);
    client_open_tcp(&client, f);
    client_say(&client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 409600\r\n\r\n");
    for (int i = 0; i < 100; i++) {
        uint64_t next = start + (uint64_t)i * 3000000;

        client_send(&client, (const char *)piece.data, piece.len);
        WAIT_FOR(f, uv_hrtime() > next);
    }
    client_reply(&client, &reply);
    assert_int_equal(reply.status, 200);
    buf_fini(&piece);
    client_close(&client);
}

static void test_idle_connection_is_closed(void **state)
{
    struct fixture *f = *state;
    struct client used;
    struct client silent;

    open_quick(f);
    client_open_tcp(&silent, f);
    client_open_tcp(&used, f);
    ask_on(&used);
    client_expect_end(&used);
    client_expect_end(&silent);
    client_close(&used);
    client_close(&silent);
}

/* Time runs only while the client is awaited: not while a handler is. */
static void test_slow_handler_is_waited_for(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct reply reply;
    uint64_t until;

    open_quick(f);
    client_open_tcp(&client, f);
    client_say(&client, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    WAIT_FOR(f, f->held_count == 1);
    until = uv_hrtime() + 300000000;
    WAIT_FOR(f, uv_hrtime() > until);
    http_respond(f->held[0], 200, NULL, (struct bytes){0});
    client_reply(&client, &reply);
    assert_int_equal(reply.status, 200);
    client_close(&client);
}

static void respond_much(struct fixture *f, struct http_request *request)
{
    size_t len = (size_t)16 << 20;
    uint8_t *data = calloc(1, len);

    (void)f;
    assert_non_null(data);
    http_set_user(request, f, count_gone);
    http_respond(request, 200, "application/octet-stream", bytes_of(data, len));
    free(data);
}

/* A client that never reads its answer does not keep its connection. */
static void test_answer_that_nobody_reads_is_given_up(void **state)
{
    struct fixture *f = *state;
    struct http_limits limits = http_limits_default;
    struct client client;

    limits.header_ms = 40;
    limits.idle_ms = 80;
    limits.connections_max = 1;
    fixture_reopen(f, &limits);
    f->on_handle = respond_much;
    client_open_tcp(&client, f);
    client_say(&client, GET "\r\n");
    WAIT_FOR(f, f->handled == 1);
    f->on_handle = NULL;
    WAIT_FOR(f, ask_again(f) == 200); /* its place is free again */
    client_close(&client);
}

/* --- time, exactly ------------------------------------------------------------- */

/* The only connection, at so many milliseconds into its phase. */
static enum http_connection_state state_at(struct fixture *f, uint64_t passed_ms)
{
    struct http_connection *connection =
        container_of(f->server->connections.next, struct http_connection, link);

    http_connection_check_time(connection, connection->since_ms + passed_ms);
    return connection->state;
}

static void test_head_has_five_seconds(void **state)
{
    struct fixture *f = *state;
    struct client client;

    NOT_WITH_THREADS(f);
    client_open_tcp(&client, f);
    client_say(&client, "G");
    WAIT_FOR(f, f->server->connection_count == 1 && f->server->request_count == 1);
    assert_int_equal(state_at(f, 4999), HTTP_CONNECTION_OPEN);
    assert_int_equal(state_at(f, 5000), HTTP_CONNECTION_LAST);
    expect_408(&client);
}

/* 100 bytes are enough for 97.66 ms at 1,024 bytes a second. */
static void test_body_has_five_seconds_and_then_its_rate(void **state)
{
    struct fixture *f = *state;
    struct client client;
    char body[101] = {0};

    NOT_WITH_THREADS(f);
    memset(body, 'a', 100);
    client_open_tcp(&client, f);
    client_say(&client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n");
    client_say(&client, body);
    WAIT_FOR(f, atomic_load(&f->server->census->bodies.used) == 100);
    assert_int_equal(state_at(f, 5000), HTTP_CONNECTION_OPEN);
    assert_int_equal(state_at(f, 5098), HTTP_CONNECTION_OPEN);
    assert_int_equal(state_at(f, 5099), HTTP_CONNECTION_LAST);
    expect_408(&client);
}

static void test_idle_connection_has_sixty_seconds(void **state)
{
    struct fixture *f = *state;
    struct client client;

    NOT_WITH_THREADS(f);
    client_open_tcp(&client, f);
    ask_on(&client);
    assert_int_equal(state_at(f, 59999), HTTP_CONNECTION_OPEN);
    assert_int_equal(state_at(f, 60000), HTTP_CONNECTION_CLOSED);
    client_expect_end(&client);
    client_close(&client);
}

/* An idle server has no wake-ups: nothing in the loop has a time. */
static void test_no_timer_runs_without_connections(void **state)
{
    struct fixture *f = *state;

    turn(f);
    assert_int_equal(uv_backend_timeout(&f->loop), -1);
    assert_int_equal(ask(f, GET "\r\n"), 200);
    WAIT_FOR(f, uv_backend_timeout(&f->loop) == -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_request_line_has_8192_bytes),
        TEST(test_head_has_16384_bytes),
        TEST(test_head_has_100_headers),
        TEST(test_body_has_what_the_router_allows),
        TEST(test_refusal_reaches_a_client_that_sends_on),
        TEST(test_chunks_are_limited_together),
        TEST(test_all_bodies_together_are_limited),
        TEST(test_connections_are_limited),
        TEST(test_connections_of_an_address_are_limited_but_not_of_the_unix_socket),
        TEST(test_flood_of_connections_ends_and_leaves_the_others_alone),
        TEST(test_pipeline_is_limited),
        TEST(test_slow_head_gets_408),
        TEST(test_slowloris_gets_408),
        TEST(test_slow_body_gets_408),
        TEST(test_body_at_the_least_rate_is_waited_for),
        TEST(test_idle_connection_is_closed),
        TEST(test_slow_handler_is_waited_for),
        TEST(test_answer_that_nobody_reads_is_given_up),
        TEST(test_head_has_five_seconds),
        TEST(test_body_has_five_seconds_and_then_its_rate),
        TEST(test_idle_connection_has_sixty_seconds),
        TEST(test_no_timer_runs_without_connections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
