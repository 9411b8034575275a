/* What is asked well is understood, however it arrives. */
#include <stdlib.h>
#include <unistd.h>

#include "tests/http/fixture.h"
#include "tests/http/transcript.h"

static void expect_body(struct client *client, int status, const char *body)
{
    struct reply reply;

    client_reply(client, &reply);
    assert_int_equal(reply.status, status);
    assert_string_equal((const char *)reply.body.data, body);
}

static void test_get_reaches_the_handler_with_path_and_query(void **state)
{
    struct client client;

    client_open_tcp(&client, *state);
    client_say(&client, "GET /a%2Fb?c=d&e HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_body(&client, 200, "GET /a%2Fb?c=d&e ");
    client_close(&client);
}

static void test_body_of_announced_length_is_read(void **state)
{
    struct client client;

    client_open_tcp(&client, *state);
    client_say(&client, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    expect_body(&client, 200, "POST /p? hello");
    client_say(&client, "POST /q HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    expect_body(&client, 200, "POST /q? ");
    client_close(&client);
}

static void test_chunked_body_is_read(void **state)
{
    struct client client;

    client_open_tcp(&client, *state);
    client_say(&client, "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "5\r\nhello\r\n6;name=value\r\n world\r\n0\r\n\r\n");
    expect_body(&client, 200, "POST /p? hello world");
    client_say(&client, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_body(&client, 200, "GET /next? ");
    client_close(&client);
}

static void test_connection_is_kept_for_many_requests(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_open_tcp(&client, f);
    for (int i = 0; i < 100; i++) {
        client_say(&client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        expect_body(&client, 200, "GET /? ");
    }
    assert_int_equal(f->handled, 100);
    client_close(&client);
}

static void test_connection_close_is_done_and_said(void **state)
{
    struct client client;
    struct reply reply;

    client_open_tcp(&client, *state);
    client_say(&client, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    client_reply(&client, &reply);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.head, "connection: close\r\n"));
    client_expect_end(&client);
    client_close(&client);
}

/* What follows "close" is nobody's, and does not cost the client its answer. */
static void test_nothing_is_handled_behind_connection_close(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_open_tcp(&client, f);
    client_say(&client, "GET /1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                        "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_body(&client, 200, "GET /1? ");
    client_expect_end(&client);
    assert_int_equal(f->handled, 1);
    client_close(&client);
}

static void test_http_1_0_closes_unless_it_asks_to_be_kept(void **state)
{
    struct client client;
    struct reply reply;

    client_open_tcp(&client, *state);
    client_say(&client, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    client_reply(&client, &reply);
    assert_non_null(strstr(reply.head, "connection: keep-alive\r\n"));
    client_say(&client, "GET / HTTP/1.0\r\n\r\n");
    client_reply(&client, &reply);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.head, "connection: close\r\n"));
    client_expect_end(&client);
    client_close(&client);
}

static void test_head_is_answered_without_its_body(void **state)
{
    struct client client;
    struct reply reply;

    client_open_tcp(&client, *state);
    client_say(&client, "HEAD /h HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
    client_reply_to_head(&client, &reply);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.head, "content-length: 9\r\n"));
    expect_body(&client, 200, "GET /? ");
    client_close(&client);
}

static void test_unknown_methods_are_the_routers(void **state)
{
    struct client client;

    client_open_tcp(&client, *state);
    client_say(&client, "FROB /x HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_body(&client, 200, "FROB /x? ");
    client_say(&client, "CONNECT /x HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_body(&client, 200, "CONNECT /x? ");
    client_close(&client);
}

static void test_offer_to_upgrade_is_ignored(void **state)
{
    struct client client;

    client_open_tcp(&client, *state);
    client_say(&client,
               "GET /1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    expect_body(&client, 200, "GET /1? ");
    client_say(&client, "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_body(&client, 200, "GET /2? ");
    client_close(&client);
}

static void test_absolute_target_must_name_the_host(void **state)
{
    struct client client;

    client_open_tcp(&client, *state);
    client_say(&client, "GET http://x:1/a?b HTTP/1.1\r\nHost: x:1\r\n\r\n");
    expect_body(&client, 200, "GET /a?b ");
    client_close(&client);
    assert_int_equal(ask(*state, "GET http://y/a HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
}

static void test_expect_100_continue_is_answered_before_the_body(void **state)
{
    struct client client;
    struct reply reply;

    client_open_tcp(&client, *state);
    client_say(&client, "PUT /p HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                        "Expect: 100-continue\r\n\r\n");
    client_reply(&client, &reply);
    assert_int_equal(reply.status, 100);
    client_say(&client, "ok");
    expect_body(&client, 200, "PUT /p? ok");
    client_close(&client);
}

static void test_one_empty_line_before_a_request_is_forgiven(void **state)
{
    struct client client;

    client_open_tcp(&client, *state);
    client_say(&client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na\r\n"
                        "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_body(&client, 200, "POST /? a");
    expect_body(&client, 200, "GET /2? ");
    client_close(&client);
}

/* --- what the handler can ask -------------------------------------------------- */

static void expect_query(struct http_request *request, const char *key, size_t n,
                         const char *wanted)
{
    struct bytes value = http_query_value(request, key, n);

    if (wanted == NULL) {
        assert_null(value.data);
        return;
    }
    assert_non_null(value.data);
    assert_true(bytes_equal(value, bytes_of_text(wanted)));
}

static void ask_everything(struct fixture *f, struct http_request *request)
{
    (void)f;
    assert_true(bytes_equal(http_header(request, "x-one"), bytes_of_text("1")));
    assert_true(bytes_equal(http_header(request, "x-two"), bytes_of_text("a \t b")));
    assert_non_null(http_header(request, "x-empty").data);
    assert_int_equal(http_header(request, "x-empty").len, 0);
    assert_null(http_header(request, "x-none").data);

    expect_query(request, "Statuses", 0, "RUNNING");
    expect_query(request, "Statuses", 1, "FAILED");
    expect_query(request, "Statuses", 2, NULL);
    expect_query(request, "flag", 0, "");
    expect_query(request, "empty", 0, "");
    expect_query(request, "a b", 0, "x=y");
    expect_query(request, "bad", 0, NULL);
    expect_query(request, "Status", 0, NULL);
    http_respond(request, 204, NULL, (struct bytes){0});
}

static void test_headers_paths_and_queries_are_decoded(void **state)
{
    struct fixture *f = *state;

    f->on_handle = ask_everything;
    assert_int_equal(ask(f, "GET /x?Statuses=RUNNING&Statuses=FAILED&flag&empty=&a%20b=x=y&bad=%zz"
                            " HTTP/1.1\r\nhOsT: x\r\nX-One:1\r\nX-TWO: \t a \t b \t\r\nX-One: 2\r\n"
                            "x-empty:\r\n\r\n"),
                     204);
}

static void check_unix(struct fixture *f, struct http_request *request)
{
    (void)f;
    assert_true(http_is_unix(request));
    assert_int_equal(http_peer_uid(request), getuid());
    http_respond(request, 204, NULL, (struct bytes){0});
}

static void check_tcp(struct fixture *f, struct http_request *request)
{
    (void)f;
    assert_false(http_is_unix(request));
    assert_int_equal(http_peer_uid(request), (uid_t)-1);
    http_respond(request, 204, NULL, (struct bytes){0});
}

static void test_handler_knows_who_is_at_the_unix_socket(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct reply reply;

    f->on_handle = check_unix;
    client_open_unix(&client, f);
    client_say(&client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    client_reply(&client, &reply);
    assert_int_equal(reply.status, 204);
    client_close(&client);
    f->on_handle = check_tcp;
    assert_int_equal(ask(f, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 204);
}

/* --- pieces -------------------------------------------------------------------- */

static const char three_requests[] =
    "POST /1?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nX-A: some value\r\n\r\nhello world"
    "\r\nPUT /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    "3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"
    "GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

static bool is_over(struct client *client)
{
    client_poll(client);
    return client->is_ended;
}

/* The Date header may change between two runs. */
static void blank_dates(struct buf *text)
{
    uint8_t *at = text->data;

    while ((at = memmem(at, text->len - (size_t)(at - text->data), "date: ", 6)) != NULL) {
        memset(at, '-', 35);
    }
}

static void collect(struct fixture *f, size_t cut, struct buf *ret_text)
{
    struct client client;

    client_open_unix(&client, f);
    client_send(&client, three_requests, cut);
    client_send(&client, three_requests + cut, sizeof three_requests - 1 - cut);
    WAIT_FOR(f, is_over(&client));
    *ret_text = client.received;
    client.received = (struct buf){0};
    client_close(&client);
    blank_dates(ret_text);
}

static void test_cut_at_every_byte_the_answers_are_the_same(void **state)
{
    struct buf whole;

    collect(*state, 0, &whole);
    assert_non_null(memmem(whole.data, whole.len, "POST /1?a=b hello world", 23));
    assert_non_null(memmem(whole.data, whole.len, "PUT /2? abc0123456789", 21));
    for (size_t cut = 1; cut < sizeof three_requests - 1; cut++) {
        struct buf text;

        collect(*state, cut, &text);
        assert_int_equal(text.len, whole.len);
        assert_memory_equal(text.data, whole.data, whole.len);
        buf_fini(&text);
    }
    buf_fini(&whole);
}

static void test_bytes_that_come_one_by_one_are_understood(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_open_tcp(&client, f);
    for (size_t i = 0; i < sizeof three_requests - 1; i++) {
        client_send(&client, three_requests + i, 1);
    }
    WAIT_FOR(f, is_over(&client));
    assert_int_equal(f->handled, 3);
    assert_string_equal(f->last, "GET /3? ");
    client_close(&client);
}

static size_t random_piece(void *arg)
{
    return 1 + prng_below(arg, 40);
}

static size_t whole_piece(void *arg)
{
    (void)arg;
    return SIZE_MAX;
}

static void test_random_pieces_give_the_same_transcript(void **state)
{
    struct bytes stream = bytes_of(three_requests, sizeof three_requests - 1);
    struct buf whole = {0};

    (void)state;
    transcript_write(&whole, stream, whole_piece, NULL);
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct prng prng = {.state = seed};
        struct buf text = {0};

        transcript_write(&text, stream, random_piece, &prng);
        assert_true(bytes_equal(buf_bytes(&text), buf_bytes(&whole)));
        buf_fini(&text);
    }
    buf_fini(&whole);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_get_reaches_the_handler_with_path_and_query),
        TEST(test_body_of_announced_length_is_read),
        TEST(test_chunked_body_is_read),
        TEST(test_connection_is_kept_for_many_requests),
        TEST(test_connection_close_is_done_and_said),
        TEST(test_nothing_is_handled_behind_connection_close),
        TEST(test_http_1_0_closes_unless_it_asks_to_be_kept),
        TEST(test_head_is_answered_without_its_body),
        TEST(test_unknown_methods_are_the_routers),
        TEST(test_offer_to_upgrade_is_ignored),
        TEST(test_absolute_target_must_name_the_host),
        TEST(test_expect_100_continue_is_answered_before_the_body),
        TEST(test_one_empty_line_before_a_request_is_forgiven),
        TEST(test_headers_paths_and_queries_are_decoded),
        TEST(test_handler_knows_who_is_at_the_unix_socket),
        TEST(test_cut_at_every_byte_the_answers_are_the_same),
        TEST(test_bytes_that_come_one_by_one_are_understood),
        TEST(test_random_pieces_give_the_same_transcript),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
