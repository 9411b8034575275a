/* Trailers: refused unless a server asks for them, and then read as strictly as a head. */
#include <stdlib.h>

#include "tests/http/fixture.h"

#define CHUNKED "POST /t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
#define NEXT "GET /next HTTP/1.1\r\nHost: x\r\n\r\n"

enum { TRAILER_BYTES_MAX = 8192 };

/* Says what came: "body type error". */
static void tell_trailers(struct fixture *f, struct http_request *request)
{
    struct bytes type = http_trailer(request, "x-type");
    struct bytes error = http_trailer(request, "x-error");
    struct bytes body = http_body(request);

    (void)snprintf(f->last, sizeof f->last, "%.*s %.*s %.*s", (int)body.len,
                   (const char *)body.data, (int)type.len, (const char *)type.data,
                   (int)((error.len < 1000) ? error.len : 1000), (const char *)error.data);
    assert_null(http_header(request, "x-type").data);
    http_respond(request, 200, "text/plain", bytes_of_text(f->last));
}

static int open_with_trailers(void **state)
{
    struct http_limits limits = http_limits_default;
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    limits.trailer_bytes_max = TRAILER_BYTES_MAX;
    fixture_open(f, &limits);
    f->on_handle = tell_trailers;
    *state = f;
    return 0;
}

static void expect(struct client *client, const char *text)
{
    struct reply reply;

    client_reply(client, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal((const char *)reply.body.data, text);
}

static void test_trailers_are_there_with_the_whole_body(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_open_tcp(&client, f);
    client_say(&client, CHUNKED "5\r\nhello\r\n0\r\nX-Type: Handled\r\nX-Error:  e30=\t\r\n\r\n");
    expect(&client, "hello Handled e30=");
    client_say(&client, CHUNKED "0\r\n\r\n"); /* of the one before nothing is left */
    expect(&client, "  ");
    client_say(&client, CHUNKED "0\r\nx-type:\r\n\r\n");
    expect(&client, "  ");
    client_close(&client);
}

static void test_request_behind_trailers_is_the_next(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_open_tcp(&client, f);
    client_say(&client, CHUNKED "1\r\na\r\n0\r\nX-Type: b\r\n\r\n" CHUNKED
                                "1\r\nc\r\n0\r\nX-Error: d\r\n\r\n" NEXT);
    expect(&client, "a b ");
    expect(&client, "c  d");
    expect(&client, "  ");
    client_close(&client);
}

static void test_trailers_may_be_cut_anywhere(void **state)
{
    static const char text[] = CHUNKED "5\r\nhello\r\n0\r\nX-Type: a\r\nX-Error: b\r\n\r\n";
    struct fixture *f = *state;
    struct client client;

    client_open_tcp(&client, f);
    for (size_t at = sizeof CHUNKED; at < sizeof text - 1; at++) {
        client_send(&client, text, at);
        turn(f);
        client_send(&client, text + at, sizeof text - 1 - at);
        expect(&client, "hello a b");
    }
    for (size_t at = 0; at < sizeof text - 1; at++) {
        client_send(&client, text + at, 1);
    }
    expect(&client, "hello a b");
    client_close(&client);
}

static int ask_with_trailer(struct fixture *f, const char *trailer, size_t len)
{
    struct client client;
    struct reply reply;
    int handled = f->handled;

    client_open_tcp(&client, f);
    client_say(&client, CHUNKED "0\r\n");
    client_send(&client, trailer, len);
    client_reply(&client, &reply);
    if (reply.status != 200) {
        assert_non_null(strstr(reply.head, "connection: close\r\n"));
        client_expect_end(&client);
        assert_int_equal(f->handled, handled);
    }
    client_close(&client);
    return reply.status;
}

#define ASK(f, trailer) ask_with_trailer(f, trailer, sizeof trailer - 1)

static void test_malformed_trailers_are_refused(void **state)
{
    assert_int_equal(ASK(*state, "a\r\n\r\n" NEXT), 400);
    assert_int_equal(ASK(*state, ": b\r\n\r\n" NEXT), 400);
    assert_int_equal(ASK(*state, "a : b\r\n\r\n" NEXT), 400);
    assert_int_equal(ASK(*state, "a: b\n\r\n" NEXT), 400);
    assert_int_equal(ASK(*state, "a: b\r\n\n" NEXT), 400);
    assert_int_equal(ASK(*state, "\n" NEXT), 400);
    assert_int_equal(ASK(*state, "a: b\rc: d\r\n\r\n" NEXT), 400);
    assert_int_equal(ASK(*state, "a: b\r\r\n\r\n" NEXT), 400);
    assert_int_equal(ASK(*state, " a: b\r\n\r\n" NEXT), 400);
    assert_int_equal(ASK(*state, "a: b\r\n c\r\n\r\n" NEXT), 400);
    assert_int_equal(ASK(*state, "a: b\0\r\n\r\n" NEXT), 400);
    assert_int_equal(ASK(*state, "a: \x01\r\n\r\n" NEXT), 400);
    assert_int_equal(ASK(*state, "a: \x7f\r\n\r\n" NEXT), 400);
    assert_int_equal(ASK(*state, "a\xff: b\r\n\r\n" NEXT), 400);
    assert_int_equal(ASK(*state, "GET / HTTP/1.1\r\nA: b\r\n\r\n" NEXT), 400);
}

/* What would have changed how the request is read comes too late. */
static void test_trailers_that_only_a_head_may_have_are_refused(void **state)
{
    assert_int_equal(ASK(*state, "Content-Length: 5\r\n\r\n" NEXT), 400);
    assert_int_equal(ASK(*state, "transfer-encoding: chunked\r\n\r\n" NEXT), 400);
    assert_int_equal(ASK(*state, "HOST: y\r\n\r\n" NEXT), 400);
    assert_int_equal(ASK(*state, "Authorization: Bearer x\r\n\r\n" NEXT), 400);
    assert_int_equal(ASK(*state, "Connection: close\r\n\r\n" NEXT), 400);
    assert_int_equal(ASK(*state, "Trailer: a\r\n\r\n" NEXT), 400);
    assert_int_equal(ASK(*state, "x-host: y\r\n\r\n"), 200);
}

static int ask_with_size(struct fixture *f, size_t len)
{
    struct buf text = {0};
    size_t frame = strlen("a: \r\n\r\n");
    int status;

    buf_append_text(&text, "a: ");
    memset(buf_reserve(&text, len), 'b', len - frame);
    text.len += len - frame;
    buf_append_text(&text, "\r\n\r\n");
    status = ask_with_trailer(f, (const char *)text.data, text.len);
    buf_fini(&text);
    return status;
}

static void test_trailers_have_8192_bytes(void **state)
{
    assert_int_equal(ask_with_size(*state, 8191), 200);
    assert_int_equal(ask_with_size(*state, 8192), 200);
    assert_int_equal(ask_with_size(*state, 8193), 431);
    assert_int_equal(ask_with_size(*state, 819200), 431);
}

static int ask_with_count(struct fixture *f, int count)
{
    struct buf text = {0};
    int status;

    for (int i = 0; i < count; i++) {
        buf_append_text(&text, "a: b\r\n");
    }
    buf_append_text(&text, "\r\n");
    status = ask_with_trailer(f, (const char *)text.data, text.len);
    buf_fini(&text);
    return status;
}

static void test_trailers_are_100_lines(void **state)
{
    assert_int_equal(ask_with_count(*state, 100), 200);
    assert_int_equal(ask_with_count(*state, 101), 431);
}

/* The body in pieces: the trailers are there at its end, and what was taken of the head
 * before stays where it is. */
static struct bytes type_at_end;
static struct bytes host;

static void on_body(void *user, const struct http_piece *piece)
{
    struct http_request *request = user;

    if (piece->event == HTTP_BODY_END) {
        type_at_end = http_trailer(request, "x-type");
        assert_memory_equal(host.data, "x", 1);
        assert_ptr_equal(host.data, http_header(request, "host").data);
        http_respond(request, 200, NULL, type_at_end);
    }
}

static void stream_it(struct fixture *f, struct http_request *request)
{
    (void)f;
    http_stream_body(request);
}

static void read_it(struct fixture *f, struct http_request *request)
{
    (void)f;
    host = http_header(request, "host");
    assert_null(http_trailer(request, "x-type").data);
    http_set_user(request, request, NULL);
    http_read_body(request, on_body);
}

static void test_trailers_are_there_at_the_end_of_a_body_in_pieces(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->on_head = stream_it;
    f->on_handle = read_it;
    client_open_tcp(&client, f);
    client_say(&client, CHUNKED "5\r\nhello\r\n0\r\nX-Type: late");
    turn(f);
    client_say(&client, "r\r\n\r\n");
    expect(&client, "later");
    client_close(&client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_with_trailers, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_trailers_are_there_with_the_whole_body),
        TEST(test_request_behind_trailers_is_the_next),
        TEST(test_trailers_may_be_cut_anywhere),
        TEST(test_malformed_trailers_are_refused),
        TEST(test_trailers_that_only_a_head_may_have_are_refused),
        TEST(test_trailers_have_8192_bytes),
        TEST(test_trailers_are_100_lines),
        TEST(test_trailers_are_there_at_the_end_of_a_body_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
