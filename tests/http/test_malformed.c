/* What two readers could understand differently is refused, and harms nobody else. */
#include <stdlib.h>

#include "tests/http/fixture.h"
#include "tests/http/transcript.h"

struct malformed {
    const char *name;
    const char *text;
    size_t len;
    int status;
};

#define CASE(name, text, status)                                                                   \
    {                                                                                              \
        name, text, sizeof text - 1, status                                                        \
    }
#define HOST "Host: x\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define SMUGGLED "GET /smuggled HTTP/1.1\r\n" HOST "\r\n"

static const struct malformed cases[] = {
    /* the request line */
    CASE("no version", "GET /\r\n" HOST "\r\n", 400),
    CASE("no target", "GET HTTP/1.1\r\n" HOST "\r\n", 400),
    CASE("empty target", "GET  HTTP/1.1\r\n" HOST "\r\n", 400),
    CASE("two spaces", "GET  / HTTP/1.1\r\n" HOST "\r\n", 400),
    CASE("space in the target", "GET /a b HTTP/1.1\r\n" HOST "\r\n", 400),
    CASE("tab for a space", "GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400),
    CASE("tab in the target", "GET /a\tb HTTP/1.1\r\n" HOST "\r\n", 400),
    CASE("leading space", " GET / HTTP/1.1\r\n" HOST "\r\n", 400),
    CASE("trailing space", "GET / HTTP/1.1 \r\n" HOST "\r\n", 400),
    CASE("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    CASE("HTTP/1.2", "GET / HTTP/1.2\r\n" HOST "\r\n", 505),
    CASE("HTTP/0.9 with a number", "GET / HTTP/0.9\r\n" HOST "\r\n", 505),
    CASE("version in lower case", "GET / http/1.1\r\n" HOST "\r\n", 400),
    CASE("version with two digits", "GET / HTTP/1.10\r\n" HOST "\r\n", 400),
    CASE("version without a dot", "GET / HTTP/11\r\n" HOST "\r\n", 400),
    CASE("method with a brace", "GE{ / HTTP/1.1\r\n" HOST "\r\n", 400),
    CASE("method of 33 characters", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n" HOST "\r\n",
         400),
    CASE("method missing", " / HTTP/1.1\r\n" HOST "\r\n", 400),
    CASE("relative target", "GET a HTTP/1.1\r\n" HOST "\r\n", 400),
    CASE("authority target", "CONNECT x:80 HTTP/1.1\r\n" HOST "\r\n", 400),
    CASE("https target", "GET https://x/ HTTP/1.1\r\n" HOST "\r\n", 400),
    CASE("absolute target without a path", "GET http://x HTTP/1.1\r\n" HOST "\r\n", 400),
    CASE("fragment in the target", "GET /a#b HTTP/1.1\r\n" HOST "\r\n", 400),
    CASE("NUL in the target", "GET /\0 HTTP/1.1\r\n" HOST "\r\n", 400),
    CASE("DEL in the target", "GET /\x7f HTTP/1.1\r\n" HOST "\r\n", 400),
    CASE("high byte in the target", "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", 400),
    CASE("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 400),
    CASE("two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400),
    /* lines */
    CASE("bare LF behind the request line", "GET / HTTP/1.1\n" HOST "\r\n", 400),
    CASE("another byte for the CR", "GET / HTTP/1.1X\n" HOST "\r\n", 400),
    CASE("bare LF behind a header", "GET / HTTP/1.1\r\nHost: x\n\r\n", 400),
    CASE("bare LF at the end", "GET / HTTP/1.1\r\n" HOST "\n", 400),
    CASE("bare LF first", "\nGET / HTTP/1.1\r\n" HOST "\r\n", 400),
    CASE("bare CR behind a header", "GET / HTTP/1.1\r\nA: b\rHost: x\r\n\r\n", 400),
    CASE("CR CR LF", "GET / HTTP/1.1\r\nHost: x\r\r\n\r\n", 400),
    CASE("CR in the request line", "GET /\r HTTP/1.1\r\n" HOST "\r\n", 400),
    CASE("bare CR hides a length", POST "A: b\rContent-Length: 40\r\n\r\n" SMUGGLED, 400),
    /* headers */
    CASE("folded header", "GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n", 400),
    CASE("folded with a tab", "GET / HTTP/1.1\r\n" HOST "A: b\r\n\tc\r\n\r\n", 400),
    CASE("first header folded", "GET / HTTP/1.1\r\n " HOST "\r\n", 400),
    CASE("folded transfer-encoding", POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
    CASE("space before the colon", "GET / HTTP/1.1\r\n" HOST "A : b\r\n\r\n", 400),
    CASE("space before the colon of a length", POST "Content-Length : 5\r\n\r\nhello", 400),
    CASE("no colon", "GET / HTTP/1.1\r\n" HOST "A\r\n\r\n", 400),
    CASE("no name", "GET / HTTP/1.1\r\n" HOST ": b\r\n\r\n", 400),
    CASE("space in a name", "GET / HTTP/1.1\r\n" HOST "A b: c\r\n\r\n", 400),
    CASE("bracket in a name", "GET / HTTP/1.1\r\n" HOST "A[0]: c\r\n\r\n", 400),
    CASE("NUL in a name", "GET / HTTP/1.1\r\n" HOST "A\0: c\r\n\r\n", 400),
    CASE("high byte in a name", "GET / HTTP/1.1\r\n" HOST "A\xff: c\r\n\r\n", 400),
    CASE("NUL in a value", "GET / HTTP/1.1\r\n" HOST "A: b\0c\r\n\r\n", 400),
    CASE("control in a value", "GET / HTTP/1.1\r\n" HOST "A: b\x01\r\n\r\n", 400),
    CASE("DEL in a value", "GET / HTTP/1.1\r\n" HOST "A: b\x7f\r\n\r\n", 400),
    /* Host */
    CASE("no Host", "GET / HTTP/1.1\r\nA: b\r\n\r\n", 400),
    CASE("two Hosts", "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400),
    CASE("two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\n" HOST "hOST: y\r\n\r\n", 400),
    CASE("Host with a path", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", 400),
    CASE("Host with a user", "GET / HTTP/1.1\r\nHost: a@x\r\n\r\n", 400),
    CASE("Host with a comma", "GET / HTTP/1.1\r\nHost: x,y\r\n\r\n", 400),
    CASE("Host with a space", "GET / HTTP/1.1\r\nHost: x y\r\n\r\n", 400),
    CASE("absolute target of another host", "GET http://y/ HTTP/1.1\r\n" HOST "\r\n", 400),
    CASE("absolute target, no Host, 1.0", "GET http://y/ HTTP/1.0\r\n\r\n", 400),
    /* Content-Length */
    CASE("two lengths, equal", POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
    CASE("two lengths, differing", POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
    CASE("length list", POST "Content-Length: 5, 5\r\n\r\nhello", 400),
    CASE("length with a plus", POST "Content-Length: +5\r\n\r\nhello", 400),
    CASE("length with a minus", POST "Content-Length: -5\r\n\r\nhello", 400),
    CASE("length in hex", POST "Content-Length: 0x5\r\n\r\nhello", 400),
    CASE("length with a space inside", POST "Content-Length: 1 0\r\n\r\nhellohello", 400),
    CASE("length with a fraction", POST "Content-Length: 5.0\r\n\r\nhello", 400),
    CASE("empty length", POST "Content-Length:\r\n\r\n", 400),
    CASE("length of words", POST "Content-Length: five\r\n\r\nhello", 400),
    CASE("length beyond 64 bits", POST "Content-Length: 18446744073709551621\r\n\r\nhello", 400),
    CASE("length of 2^64 - 1", POST "Content-Length: 18446744073709551615\r\n\r\n", 413),
    CASE("huge length", POST "Content-Length: 99999999999\r\n\r\n", 413),
    /* Transfer-Encoding */
    CASE("length and coding",
         POST "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX", 400),
    CASE("coding and length",
         POST "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nX", 400),
    CASE("coding and length 0",
         POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n", 400),
    CASE("chunked is not last", POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
    CASE("no chunked", POST "Transfer-Encoding: gzip\r\n\r\n", 400),
    CASE("gzip, then chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    CASE("chunked twice", POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501),
    CASE("two codings", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
         400),
    CASE("coding and identity",
         POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400),
    CASE("identity", POST "Transfer-Encoding: identity\r\n\r\n", 400),
    CASE("xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    CASE("chunked with a vertical tab", POST "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", 400),
    CASE("chunked in quotes", POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 400),
    CASE("chunked with a parameter", POST "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n", 400),
    CASE("empty coding", POST "Transfer-Encoding:\r\n\r\n", 400),
    CASE("coding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400),
    /* chunks */
    CASE("chunk size of no digits", CHUNKED "\r\nhello\r\n", 400),
    CASE("chunk size of letters", CHUNKED "xyz\r\n", 400),
    CASE("chunk size with 0x", CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", 400),
    CASE("chunk size with a plus", CHUNKED "+5\r\nhello\r\n0\r\n\r\n", 400),
    CASE("chunk size with a minus", CHUNKED "-5\r\nhello\r\n0\r\n\r\n", 400),
    CASE("chunk size with a space before", CHUNKED " 5\r\nhello\r\n0\r\n\r\n", 400),
    CASE("chunk size with a space behind", CHUNKED "5 \r\nhello\r\n0\r\n\r\n", 400),
    CASE("chunk size beyond 64 bits", CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n", 400),
    CASE("chunk size of 2^64 - 1", CHUNKED "FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n", 413),
    CASE("chunk size that wraps the sum", CHUNKED "5\r\nhello\r\nFFFFFFFFFFFFFFFB\r\n", 413),
    CASE("huge chunk", CHUNKED "5\r\nhello\r\nFFFFFFFFFFFFFFB\r\n", 413),
    CASE("bare LF behind the size", CHUNKED "5\nhello\r\n0\r\n\r\n", 400),
    CASE("CR and a byte behind the size", CHUNKED "5\rXhello\r\n0\r\n\r\n", 400),
    CASE("no CR LF behind a chunk", CHUNKED "5\r\nhelloXX0\r\n\r\n", 400),
    CASE("bare LF behind a chunk", CHUNKED "5\r\nhello\n0\r\n\r\n", 400),
    CASE("chunk longer than it says", CHUNKED "5\r\nhello!\r\n0\r\n\r\n", 400),
    CASE("bare LF behind the last size", CHUNKED "5\r\nhello\r\n0\n\r\n", 400),
    CASE("bare LF at the end of chunks", CHUNKED "5\r\nhello\r\n0\r\n\n" SMUGGLED, 400),
    CASE("CR and a byte at the end of chunks", CHUNKED "0\r\n\rX" SMUGGLED, 400),
    CASE("trailer", CHUNKED "5\r\nhello\r\n0\r\nA: b\r\n\r\n", 400),
    CASE("request for a trailer", CHUNKED "0\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400),
    CASE("chunk extension of 65 bytes",
         CHUNKED "5;aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg"
                 "\r\nhello\r\n0\r\n\r\n",
         400),
    CASE("bare LF in a chunk extension", CHUNKED "5;a\nhello\r\n0\r\n\r\n", 400),
    CASE("bare CR in a chunk extension", CHUNKED "5;a\rhello\r\n0\r\n\r\n", 400),
    CASE("bare LF in a quoted extension", CHUNKED "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n", 400),
    CASE("chunk extension without a name", CHUNKED "5;\r\nhello\r\n0\r\n\r\n", 400),
    /* Expect */
    CASE("another expectation", POST "Content-Length: 1\r\nExpect: 200-ok\r\n\r\na", 417),
};

enum { CASES = sizeof cases / sizeof cases[0] };

static void expect_error(struct client *client, const struct malformed *c)
{
    struct reply reply;

    client_reply(client, &reply);
    if (reply.status != c->status) {
        fail_msg("%s: got %d, not %d", c->name, reply.status, c->status);
    }
    assert_non_null(strstr(reply.head, "connection: close\r\n"));
    assert_non_null(strstr(reply.head, "content-type: application/json\r\n"));
    assert_null(strstr(reply.head, "x-amzn-errortype"));
    assert_non_null(memmem(reply.body.data, reply.body.len, "\"Message\":\"", 11));
    assert_non_null(memmem(reply.body.data, reply.body.len, "\"message\":\"", 11));
    assert_int_equal(memcmp(reply.body.data + reply.body.len - 2, "\"}", 2), 0);
    client_expect_end(client);
}

/* The second connection is open all the time and goes on. */
static void test_each_is_refused_and_the_next_connection_is_unaffected(void **state)
{
    struct fixture *f = *state;
    struct client other;
    struct reply reply;

    client_open_tcp(&other, f);
    for (size_t i = 0; i < CASES; i++) {
        int handled = f->handled;
        struct client client;

        client_open_tcp(&client, f);
        client_send(&client, cases[i].text, cases[i].len);
        expect_error(&client, &cases[i]);
        client_close(&client);
        if (f->handled != handled) {
            fail_msg("%s: it reached the handler", cases[i].name);
        }
        client_say(&other, "GET /other HTTP/1.1\r\n" HOST "\r\n");
        client_reply(&other, &reply);
        assert_int_equal(reply.status, 200);
    }
    client_close(&other);
}

static size_t cut_once(void *arg)
{
    size_t *next = arg;
    size_t len = *next;

    *next = SIZE_MAX;
    return len;
}

static size_t cut_all(void *arg)
{
    (void)arg;
    return 1;
}

static void expect_same(const struct malformed *c, transcript_cut cut, void *arg,
                        const struct buf *whole)
{
    struct buf text = {0};

    transcript_write(&text, bytes_of(c->text, c->len), cut, arg);
    if (!bytes_equal(buf_bytes(&text), buf_bytes(whole))) {
        fail_msg("%s: '%.*s', in one piece '%.*s'", c->name, (int)text.len, (char *)text.data,
                 (int)whole->len, (char *)whole->data);
    }
    buf_fini(&text);
}

static void test_each_is_refused_alike_wherever_it_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        struct buf whole = {0};
        size_t piece = SIZE_MAX;
        char wanted[32];

        transcript_write(&whole, bytes_of(cases[i].text, cases[i].len), cut_once, &piece);
        (void)snprintf(wanted, sizeof wanted, "refused %d", cases[i].status);
        assert_true(bytes_equal(buf_bytes(&whole), bytes_of_text(wanted)));
        for (size_t at = 1; at < cases[i].len; at++) {
            piece = at;
            expect_same(&cases[i], cut_once, &piece, &whole);
        }
        expect_same(&cases[i], cut_all, NULL, &whole);
        buf_fini(&whole);
    }
}

/* The control: the same table, made well-formed, is not refused. */
static void test_neighbours_of_the_malformed_are_accepted(void **state)
{
    static const struct malformed good[] = {
        CASE("method of 32 characters",
             "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1\r\n" HOST "\r\n", 200),
        CASE("asterisk", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 200),
        CASE("empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 200),
        CASE("IPv6 Host", "GET / HTTP/1.1\r\nHost: [::1]:9100\r\n\r\n", 200),
        CASE("no Host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 200),
        CASE("length with spaces around", POST "Content-Length:  5  \r\n\r\nhello", 200),
        CASE("length with zeros", POST "Content-Length: 0005\r\n\r\nhello", 200),
        CASE("CHUNKED", POST "Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n", 200),
        CASE("chunk size in both cases", CHUNKED "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n",
             200),
        CASE("chunk size with zeros", CHUNKED "0005\r\nhello\r\n000\r\n\r\n", 200),
        CASE("chunk extension of 64 bytes",
             CHUNKED "5;aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"
                     "\r\nhello\r\n0\r\n\r\n",
             200),
        CASE("high bytes in a value", "GET / HTTP/1.1\r\n" HOST "A: \xc3\xa4\r\n\r\n", 200),
        CASE("odd characters in a name", "GET / HTTP/1.1\r\n" HOST "!#$%&'*+-.^_`|~9: b\r\n\r\n",
             200),
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int status = ask(f, good[i].text);

        if (status != good[i].status) {
            fail_msg("%s: got %d", good[i].name, status);
        }
    }
    assert_int_equal(f->handled, sizeof good / sizeof good[0]);
}

/* A refusal takes its turn behind the answers of what came before it. */
static void test_refusal_waits_for_earlier_answers(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct reply reply;

    client_open_tcp(&client, f);
    client_say(&client, "GET /later HTTP/1.1\r\n" HOST "\r\nBROKEN\r\n\r\n" SMUGGLED);
    WAIT_FOR(f, f->held_count == 1);
    http_respond(f->held[0], 201, NULL, (struct bytes){0});
    client_reply(&client, &reply);
    assert_int_equal(reply.status, 201);
    client_reply(&client, &reply);
    assert_int_equal(reply.status, 400);
    client_expect_end(&client);
    assert_int_equal(f->handled, 1);
    client_close(&client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_is_refused_and_the_next_connection_is_unaffected),
        TEST(test_each_is_refused_alike_wherever_it_is_cut),
        TEST(test_neighbours_of_the_malformed_are_accepted),
        TEST(test_refusal_waits_for_earlier_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
