/* Nearly a thousand requests that two readers could understand differently, made by
 * combining what is wrong with where it may stand. Each goes over a socket of its own with
 * a second request behind it: it is refused, the second one is not looked at, the next
 * connection is served, and of all of them nothing stays in memory. */
#include <malloc.h>
#include <stdlib.h>

#include "invoke/http_connection.h"
#include "tests/http/fixture.h"

#define HOST "Host: x\r\n"
#define POST "POST /bad HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define SMUGGLED "GET /smuggled HTTP/1.1\r\n" HOST "\r\n"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int case_count;

/* A string with its zero bytes. */
#define TEXT(text) ((struct bytes){(const uint8_t *)(text), sizeof(text) - 1})

/* --- one case ---------------------------------------------------------------------- */

static void fail_case(const char *why, const struct buf *text, const char *what, int number)
{
    char shown[400];
    size_t len = 0;

    for (size_t i = 0; i < text->len && len < sizeof shown - 8; i++) {
        uint8_t c = text->data[i];

        len += (size_t)snprintf(shown + len, sizeof shown - len,
                                (c >= 0x20 && c < 0x7f) ? "%c" : "\\x%02x", c);
    }
    fail_msg("%s: %s %d: %s", why, what, number, shown);
}

/* `text` is emptied. */
static void expect_refused(struct fixture *f, const char *why, struct buf *text)
{
    int handled = f->handled;
    struct client client;
    struct reply reply;

    buf_append_text(text, "\r\n\r\n" SMUGGLED SMUGGLED);
    assert_false(text->failed);
    client_open_tcp(&client, f);
    client_send(&client, (const char *)text->data, text->len);
    client_reply(&client, &reply);
    if (reply.status < 400 || strstr(reply.head, "connection: close\r\n") == NULL) {
        fail_case(why, text, "was answered", reply.status);
    }
    client_expect_end(&client);
    client_close(&client);
    if (f->handled != handled) {
        fail_case(why, text, "reached the handler, requests:", f->handled - handled);
    }
    text->len = 0;
    case_count++;
}

static void expect_accepted(struct fixture *f, const char *why, struct buf *text)
{
    struct client client;
    struct reply reply;

    client_open_tcp(&client, f);
    client_send(&client, (const char *)text->data, text->len);
    client_reply(&client, &reply);
    if (reply.status != 200) {
        fail_case(why, text, "was answered", reply.status);
    }
    client_close(&client);
    text->len = 0;
    case_count++;
}

/* What each group of cases begins and ends with. */
struct group {
    struct fixture *f;
    struct http_server *server;
    struct buf text;
    size_t used_before;
};

static void begin(struct group *group, struct fixture *f)
{
    *group = (struct group){.f = f, .server = f->server};
    case_count = 0;
    assert_int_equal(ask(f, "GET /good HTTP/1.1\r\n" HOST "\r\n"), 200);
    group->used_before = mallinfo2().uordblks;
}

static void end(struct group *group, int cases_min)
{
    buf_fini(&group->text);
    assert_true(case_count >= cases_min);
    assert_int_equal(ask(group->f, "GET /good HTTP/1.1\r\n" HOST "\r\n"), 200);
    WAIT_FOR(group->f, group->server->connection_count == 0 && fixture_connections(group->f) == 0);
    assert_int_equal(group->server->request_count, 0);
    assert_int_equal(atomic_load(&group->server->census->bodies.used), 0);
    assert_true(mallinfo2().uordblks < group->used_before + (1 << 20));
}

static void add(struct group *group, struct bytes text)
{
    buf_append(&group->text, text.data, text.len);
}

static void refuse(struct group *group, const char *why)
{
    expect_refused(group->f, why, &group->text);
}

/* --- the end of the body: two that disagree --------------------------------------------- */

static const struct bytes codings[] = {
    TEXT("chunked"),
    TEXT("Chunked"),
    TEXT("xchunked"),
    TEXT("chunked, identity"),
    TEXT("identity, chunked"),
    TEXT("chunked, chunked"),
    TEXT("chunked,"),
    TEXT(", chunked"),
    TEXT("gzip"),
    TEXT("gzip, chunked"),
    TEXT("gzip\tchunked"),
    TEXT("identity"),
    TEXT(""),
    TEXT("chunk"),
    TEXT("chunkedd"),
    TEXT("\"chunked\""),
    TEXT("'chunked'"),
    TEXT("chunked;q=0.5"),
    TEXT("chunked x"),
    TEXT("\vchunked"),
    TEXT("\fchunked"),
    TEXT("chunked\0"),
    TEXT("\0chunked"),
    TEXT("chunked\xa0"),
    TEXT("\xef\xbb\xbf"
         "chunked"),
};
#define WELL_FORMED_CODINGS 2 /* the first ones, where they stand alone */

static void add_coding(struct group *group, struct bytes coding)
{
    add(group, TEXT("Transfer-Encoding: "));
    add(group, coding);
    add(group, TEXT("\r\n"));
}

/* RFC 9112 section 6.3: a length beside a coding ought to be handled as an error. */
static void test_length_and_coding_together(void **state)
{
    static const struct bytes lengths[] = {
        TEXT("Content-Length: 5\r\n"), TEXT("Content-Length: 0\r\n"),
        TEXT("content-length: 44\r\n"), TEXT("Content-Length: 5\r\nContent-Length: 0\r\n")};
    struct group group;

    begin(&group, *state);
    for (size_t i = 0; i < COUNT(codings); i++) {
        for (size_t j = 0; j < COUNT(lengths); j++) {
            add(&group, TEXT(POST));
            add(&group, lengths[j]);
            add_coding(&group, codings[i]);
            add(&group, TEXT("\r\n0\r\n\r\n"));
            refuse(&group, "a length, then a coding");
            add(&group, TEXT(POST));
            add_coding(&group, codings[i]);
            add(&group, lengths[j]);
            add(&group, TEXT("\r\n0\r\n\r\n"));
            refuse(&group, "a coding, then a length");
        }
    }
    end(&group, 200);
}

static void test_codings_that_are_not_chunked_alone(void **state)
{
    struct group group;

    begin(&group, *state);
    for (size_t i = 0; i < COUNT(codings); i++) {
        if (i >= WELL_FORMED_CODINGS) {
            add(&group, TEXT(POST));
            add_coding(&group, codings[i]);
            add(&group, TEXT("\r\n0\r\n\r\n"));
            refuse(&group, "a coding that is not `chunked`");
        }
        add(&group, TEXT(POST));
        add_coding(&group, TEXT("chunked"));
        add_coding(&group, codings[i]);
        add(&group, TEXT("\r\n0\r\n\r\n"));
        refuse(&group, "a second coding");
        add(&group, TEXT("POST /bad HTTP/1.0\r\n"));
        add_coding(&group, codings[i]);
        add(&group, TEXT("\r\n0\r\n\r\n"));
        refuse(&group, "a coding in HTTP/1.0");
    }
    end(&group, 60);
}

static const struct bytes lengths[] = {
    TEXT(""),
    TEXT("-1"),
    TEXT("+5"),
    TEXT("5,5"),
    TEXT("5, 5"),
    TEXT("5,6"),
    TEXT("0x5"),
    TEXT("5.0"),
    TEXT("5e0"),
    TEXT("five"),
    TEXT("5 5"),
    TEXT("5\t5"),
    TEXT("\v5"),
    TEXT("5\v"),
    TEXT("5\0"),
    TEXT("\0005"),
    TEXT("5;a"),
    TEXT("\"5\""),
    TEXT("5\xa0"),
    TEXT("5_0"),
    TEXT("1 0"),
    TEXT("-0"),
    TEXT("+0"),
    TEXT("0b1"),
    TEXT("5L"),
    TEXT("\xd9\xa5"),
    TEXT("18446744073709551616"),
    TEXT("18446744073709551621"),
    TEXT("99999999999999999999999999999999999999"),
    TEXT("9223372036854775808"),
    TEXT("18446744073709551615"),
};

static void add_length(struct group *group, struct bytes length)
{
    add(group, TEXT("Content-Length: "));
    add(group, length);
    add(group, TEXT("\r\n"));
}

static void test_lengths_that_are_not_one_number(void **state)
{
    struct group group;

    begin(&group, *state);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        add(&group, TEXT(POST));
        add_length(&group, lengths[i]);
        add(&group, TEXT("\r\nhello"));
        refuse(&group, "a malformed length");
        add(&group, TEXT(POST));
        add_length(&group, TEXT("5"));
        add_length(&group, lengths[i]);
        add(&group, TEXT("\r\nhello"));
        refuse(&group, "a malformed second length");
        add(&group, TEXT(POST));
        add_length(&group, lengths[i]);
        add_length(&group, TEXT("5"));
        add(&group, TEXT("\r\nhello"));
        refuse(&group, "a malformed first length");
    }
    end(&group, 90);
}

/* --- chunks ---------------------------------------------------------------------------- */

static const struct bytes chunk_sizes[] = {
    TEXT(""),
    TEXT(" 5"),
    TEXT("5 "),
    TEXT("\t5"),
    TEXT("5\t"),
    TEXT("0x5"),
    TEXT("+5"),
    TEXT("-5"),
    TEXT("g"),
    TEXT("5g"),
    TEXT("5,"),
    TEXT("5.0"),
    TEXT("5 5"),
    TEXT("\0005"),
    TEXT("5\0"),
    TEXT("\v5"),
    TEXT("5\v"),
    TEXT("\"5\""),
    TEXT("5;"),
    TEXT(";5"),
    TEXT("5;=a"),
    TEXT("5;;a"),
    TEXT("5;a;"),
    TEXT("5;a;=b"),
    TEXT("5;a=\n"),
    TEXT("5;a\rb"),
    TEXT("5;a\0b"),
    TEXT("5 ;a"),
    TEXT("\xa0"),
    TEXT("5\xa0"),
    TEXT("5;\x7f"),
    TEXT("5;a=\"b"),
    TEXT("FFFFFFFFFFFFFFFFF"),
    TEXT("10000000000000005"),
    TEXT("FFFFFFFFFFFFFFFF"),
    TEXT("7FFFFFFFFFFFFFFF"),
    TEXT("00000000000000000000000000000000000005g"),
};
static const struct bytes chunk_ends[] = {TEXT("\n"),   TEXT("\r"),     TEXT("\r\r\n"),
                                          TEXT("\n\r"), TEXT("\r\0\n"), TEXT("\rX")};

static void test_chunks_whose_size_or_end_is_unclear(void **state)
{
    struct group group;

    begin(&group, *state);
    for (size_t i = 0; i < COUNT(chunk_sizes); i++) {
        add(&group, TEXT(CHUNKED));
        add(&group, chunk_sizes[i]);
        add(&group, TEXT("\r\nhello\r\n0\r\n\r\n"));
        refuse(&group, "a malformed size of the first chunk");
        add(&group, TEXT(CHUNKED "5\r\nhello\r\n"));
        add(&group, chunk_sizes[i]);
        add(&group, TEXT("\r\nhello\r\n0\r\n\r\n"));
        refuse(&group, "a malformed size of a later chunk");
    }
    for (size_t i = 0; i < COUNT(chunk_ends); i++) {
        add(&group, TEXT(CHUNKED "5"));
        add(&group, chunk_ends[i]);
        add(&group, TEXT("hello\r\n0\r\n\r\n"));
        refuse(&group, "a malformed line end behind a size");
        add(&group, TEXT(CHUNKED "5\r\nhello"));
        add(&group, chunk_ends[i]);
        add(&group, TEXT("0\r\n\r\n"));
        refuse(&group, "a malformed line end behind a chunk");
        add(&group, TEXT(CHUNKED "5;a"));
        add(&group, chunk_ends[i]);
        add(&group, TEXT("hello\r\n0\r\n\r\n"));
        refuse(&group, "a malformed line end behind an extension");
        add(&group, TEXT(CHUNKED "5\r\nhello\r\n0"));
        add(&group, chunk_ends[i]);
        add(&group, TEXT("\r\n"));
        refuse(&group, "a malformed line end behind the last size");
        add(&group, TEXT(CHUNKED "5\r\nhello\r\n0\r\n"));
        add(&group, chunk_ends[i]);
        refuse(&group, "a malformed line end at the end");
    }
    end(&group, 95);
}

/* --- lines ------------------------------------------------------------------------------ */

static void test_line_ends_other_than_cr_lf(void **state)
{
    static const struct bytes lines[] = {TEXT("GET /bad HTTP/1.1"), TEXT("Host: x"), TEXT("A: b"),
                                         TEXT("C: d"), TEXT("")};
    static const struct bytes ends[] = {
        TEXT("\n"),    TEXT("\r"),     TEXT("\r\r\n"), TEXT("\n\n"),   TEXT("\n\r"), TEXT("\r\0\n"),
        TEXT("\r \n"), TEXT("\v\r\n"), TEXT("\0\r\n"), TEXT("\x85\n"), TEXT("\rX\n")};
    struct group group;

    begin(&group, *state);
    for (size_t bad = 0; bad < COUNT(lines); bad++) {
        for (size_t i = 0; i < COUNT(ends); i++) {
            for (size_t line = 0; line < COUNT(lines); line++) {
                add(&group, lines[line]);
                add(&group, (line == bad) ? ends[i] : TEXT("\r\n"));
            }
            refuse(&group, "a line that does not end in CR LF");
        }
    }
    end(&group, 55);
}

static void test_folded_lines(void **state)
{
    static const struct bytes folds[] = {TEXT(" "),   TEXT("\t"),  TEXT("  "),
                                         TEXT(" \t"), TEXT(" : "), TEXT(" Content-Length: 5")};
    static const struct bytes before[] = {TEXT(""),
                                          TEXT(HOST),
                                          TEXT(HOST "A: b\r\n"),
                                          TEXT(HOST "A:\r\n"),
                                          TEXT(HOST "Transfer-Encoding:\r\n"),
                                          TEXT(HOST "Content-Length: 1\r\n")};
    struct group group;

    begin(&group, *state);
    for (size_t i = 0; i < COUNT(before); i++) {
        for (size_t j = 0; j < COUNT(folds); j++) {
            add(&group, TEXT("POST /bad HTTP/1.1\r\n"));
            add(&group, before[i]);
            add(&group, folds[j]);
            add(&group, TEXT("chunked\r\n" HOST "\r\n0\r\n\r\n"));
            refuse(&group, "a line that begins with white space");
        }
    }
    end(&group, 36);
}

/* --- bytes where they may not be ---------------------------------------------------------- */

static const char separators[] = "\"(),/:;<=>?@[\\]{} ";

static void refuse_around(struct group *group, const char *why, const char *before, uint8_t c,
                          const char *behind)
{
    add(group, bytes_of_text(before));
    add(group, bytes_of(&c, 1));
    add(group, bytes_of_text(behind));
    refuse(group, why);
}

static void test_control_characters(void **state)
{
    struct group group;

    begin(&group, *state);
    for (unsigned i = 0; i <= 0x7f; i = (i == 0x1f) ? 0x7f : i + 1) {
        uint8_t c = (uint8_t)i;

        refuse_around(&group, "a control character in the method", "GE", c,
                      "T /bad HTTP/1.1\r\n" HOST);
        refuse_around(&group, "a control character in the target", "GET /b", c,
                      "ad HTTP/1.1\r\n" HOST);
        refuse_around(&group, "a control character in the version", "GET /bad HTTP/", c,
                      "1.1\r\n" HOST);
        refuse_around(&group, "a control character in a name", "GET /bad HTTP/1.1\r\n" HOST "A", c,
                      "b: c");
        if (c != '\t') {
            refuse_around(&group, "a control character in a value",
                          "GET /bad HTTP/1.1\r\n" HOST "A: b", c, "c");
        }
        refuse_around(&group, "a control character in the host", "GET /bad HTTP/1.1\r\nHost: x", c,
                      "y");
        refuse_around(&group, "a control character in a size", CHUNKED "5", c, "0\r\nhello");
    }
    end(&group, 220);
}

static void test_characters_that_no_name_has(void **state)
{
    struct group group;

    begin(&group, *state);
    for (size_t i = 0; separators[i] != 0; i++) {
        uint8_t c = (uint8_t)separators[i];

        refuse_around(&group, "a separator in the method", "GE", c, "T /bad HTTP/1.1\r\n" HOST);
        if (c != ':') {
            refuse_around(&group, "a separator in a name", "GET /bad HTTP/1.1\r\n" HOST "A", c,
                          "b: c");
        }
        refuse_around(&group, "a separator before the colon", "GET /bad HTTP/1.1\r\n" HOST "A", c,
                      (c == ':') ? "\n" : ": c");
    }
    for (unsigned i = 0x80; i <= 0xff; i += 0x11) {
        uint8_t c = (uint8_t)i;

        refuse_around(&group, "a high byte in the method", "GE", c, "T /bad HTTP/1.1\r\n" HOST);
        refuse_around(&group, "a high byte in the target", "GET /b", c, "ad HTTP/1.1\r\n" HOST);
        refuse_around(&group, "a high byte in a name", "GET /bad HTTP/1.1\r\n" HOST "A", c, ": b");
        refuse_around(&group, "a high byte in the host", "GET /bad HTTP/1.1\r\nHost: x", c, "y");
    }
    end(&group, 80);
}

/* --- the request line, and where it goes ---------------------------------------------------- */

static const struct bytes request_lines[] = {
    TEXT("GET"),
    TEXT("GET /bad"),
    TEXT("GET HTTP/1.1"),
    TEXT("GET  HTTP/1.1"),
    TEXT("GET  /bad HTTP/1.1"),
    TEXT("GET /bad  HTTP/1.1"),
    TEXT("GET /bad HTTP/1.1 "),
    TEXT(" GET /bad HTTP/1.1"),
    TEXT("GET /bad HTTP/1.1 x"),
    TEXT("GET /b ad HTTP/1.1"),
    TEXT("GET /bad\tHTTP/1.1"),
    TEXT("/bad HTTP/1.1"),
    TEXT("HTTP/1.1 200 OK"),
    TEXT("GET bad HTTP/1.1"),
    TEXT("GET ../bad HTTP/1.1"),
    TEXT("GET ?bad HTTP/1.1"),
    TEXT("GET #bad HTTP/1.1"),
    TEXT("GET /bad#x HTTP/1.1"),
    TEXT("GET *x HTTP/1.1"),
    TEXT("GET **bad HTTP/1.1"),
    TEXT("GET x:80 HTTP/1.1"),
    TEXT("CONNECT x:80 HTTP/1.1"),
    TEXT("GET //user@ HTTP/1.x"),
    TEXT("GET http:/bad HTTP/1.1"),
    TEXT("GET http://x HTTP/1.1"),
    TEXT("GET http:// HTTP/1.1"),
    TEXT("GET http://x?bad HTTP/1.1"),
    TEXT("GET http://y/bad HTTP/1.1"),
    TEXT("GET http://x:1/bad HTTP/1.1"),
    TEXT("GET http://u@x/bad HTTP/1.1"),
    TEXT("GET https://x/bad HTTP/1.1"),
    TEXT("GET ftp://x/bad HTTP/1.1"),
    TEXT("GET /bad HTTP/1"),
    TEXT("GET /bad HTTP/1."),
    TEXT("GET /bad HTTP/.1"),
    TEXT("GET /bad HTTP/11"),
    TEXT("GET /bad HTTP/1.10"),
    TEXT("GET /bad HTTP/01.1"),
    TEXT("GET /bad HTTP/1.2"),
    TEXT("GET /bad HTTP/0.9"),
    TEXT("GET /bad HTTP/2.0"),
    TEXT("GET /bad HTTP/2"),
    TEXT("GET /bad HTTP/3.0"),
    TEXT("GET /bad HTTP/1,1"),
    TEXT("GET /bad HTTP 1.1"),
    TEXT("GET /bad http/1.1"),
    TEXT("GET /bad Http/1.1"),
    TEXT("GET /bad HTTPS/1.1"),
    TEXT("GET /bad XHTTP/1.1"),
    TEXT("GET /bad HTTP/-1.1"),
    TEXT("GET /bad HTTP/1.1HTTP/1.1"),
    TEXT("PRI * HTTP/2.0"),
    TEXT("\xef\xbb\xbfGET /bad HTTP/1.1"),
};

static void test_request_lines_of_another_form(void **state)
{
    struct group group;

    begin(&group, *state);
    for (size_t i = 0; i < COUNT(request_lines); i++) {
        add(&group, request_lines[i]);
        add(&group, TEXT("\r\n" HOST));
        refuse(&group, "a malformed request line");
    }
    end(&group, 50);
}

static void test_hosts_that_are_not_one_host(void **state)
{
    static const char bad[] = "\"#,/<>?@\\^`{|} ";
    struct group group;

    begin(&group, *state);
    for (size_t i = 0; bad[i] != 0; i++) {
        refuse_around(&group, "a character that no host has", "GET /bad HTTP/1.1\r\nHost: x",
                      (uint8_t)bad[i], "y");
    }
    add(&group, TEXT("GET /bad HTTP/1.1\r\nA: b"));
    refuse(&group, "no Host");
    for (int i = 0; i < 4; i++) {
        static const struct bytes second[] = {TEXT("Host: x"), TEXT("host: y"), TEXT("HOST:"),
                                              TEXT("Host: x, y")};

        add(&group, TEXT("GET /bad HTTP/1.1\r\n" HOST));
        add(&group, second[i]);
        refuse(&group, "two Hosts");
        add(&group, TEXT("GET /bad HTTP/1.0\r\n" HOST "A: b\r\n"));
        add(&group, second[i]);
        refuse(&group, "two Hosts in HTTP/1.0");
    }
    end(&group, 20);
}

/* --- too much ----------------------------------------------------------------------------- */

static void add_many(struct group *group, char c, size_t count)
{
    uint8_t *room = buf_reserve(&group->text, count);

    assert_non_null(room);
    memset(room, c, count);
    group->text.len += count;
}

/* Of one kind, so large in all. */
struct size {
    const char *what;
    size_t max;
    void (*make)(struct group *group, size_t size);
};

static void make_line(struct group *group, size_t size)
{
    add(group, TEXT("GET /"));
    add_many(group, 'a', size - strlen("GET / HTTP/1.1"));
    add(group, TEXT(" HTTP/1.1\r\n" HOST "\r\n"));
}

static void make_query(struct group *group, size_t size)
{
    add(group, TEXT("GET /?"));
    add_many(group, 'a', size - strlen("GET /? HTTP/1.1"));
    add(group, TEXT(" HTTP/1.1\r\n" HOST "\r\n"));
}

static void make_method(struct group *group, size_t size)
{
    add_many(group, 'A', size);
    add(group, TEXT(" / HTTP/1.1\r\n" HOST "\r\n"));
}

static void make_value(struct group *group, size_t size)
{
    add(group, TEXT("GET / HTTP/1.1\r\n" HOST "A: "));
    add_many(group, 'b', size - strlen("GET / HTTP/1.1\r\n" HOST "A: \r\n\r\n"));
    add(group, TEXT("\r\n\r\n"));
}

static void make_name(struct group *group, size_t size)
{
    add(group, TEXT("GET / HTTP/1.1\r\n" HOST));
    add_many(group, 'b', size - strlen("GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n"));
    add(group, TEXT(": a\r\n\r\n"));
}

static void make_fields(struct group *group, size_t count)
{
    add(group, TEXT("GET / HTTP/1.1\r\n" HOST));
    for (size_t i = 1; i < count; i++) {
        add(group, TEXT("A: b\r\n"));
    }
    add(group, TEXT("\r\n"));
}

static void make_body(struct group *group, size_t size)
{
    buf_printf(&group->text, POST "Content-Length: %zu\r\n\r\n", size);
    add_many(group, 'a', size);
}

static void make_chunk(struct group *group, size_t size)
{
    buf_printf(&group->text, CHUNKED "%zx\r\n", size);
    add_many(group, 'a', size);
    add(group, TEXT("\r\n0\r\n\r\n"));
}

static void make_chunks(struct group *group, size_t size)
{
    add(group, TEXT(CHUNKED));
    for (size_t i = 0; i < size; i++) {
        add(group, TEXT("1\r\na\r\n"));
    }
    add(group, TEXT("0\r\n\r\n"));
}

static void make_extension(struct group *group, size_t size)
{
    add(group, TEXT(CHUNKED "5;"));
    add_many(group, 'a', size - 1);
    add(group, TEXT("\r\nhello\r\n0\r\n\r\n"));
}

static void make_extensions(struct group *group, size_t size)
{
    add(group, TEXT(CHUNKED "5"));
    for (size_t i = 0; i + 1 < size; i += 2) {
        add(group, TEXT(";a"));
    }
    add(group, (size % 2 == 1) ? TEXT("b\r\nhello\r\n0\r\n\r\n") : TEXT("\r\nhello\r\n0\r\n\r\n"));
}

/* What a thread has read together with its head is whole: the connection can go on. */
static void expect_too_large(struct fixture *f, struct buf *text)
{
    buf_append(text, "", 1);
    assert_int_equal(ask(f, (const char *)text->data), 413);
    text->len = 0;
    case_count++;
}

static void test_sizes_around_their_limit(void **state)
{
    static const struct size sizes[] = {
        {"request line", HTTP_LINE_BYTES_MAX, make_line},
        {"query", HTTP_LINE_BYTES_MAX, make_query},
        {"method", HTTP_METHOD_BYTES_MAX, make_method},
        {"value", HTTP_HEAD_BYTES_MAX, make_value},
        {"name", HTTP_HEAD_BYTES_MAX, make_name},
        {"headers", HTTP_FIELDS_MAX, make_fields},
        {"body", 10000, make_body},
        {"chunk", 10000, make_chunk},
        {"chunks", 10000, make_chunks},
        {"extension", HTTP_CHUNK_EXTENSION_BYTES_MAX, make_extension},
        {"extensions", HTTP_CHUNK_EXTENSION_BYTES_MAX, make_extensions},
    };
    struct fixture *f = *state;
    struct group group;

    f->body_bytes_max = 10000;
    begin(&group, f);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        sizes[i].make(&group, sizes[i].max - 1);
        expect_accepted(f, sizes[i].what, &group.text);
        sizes[i].make(&group, sizes[i].max);
        expect_accepted(f, sizes[i].what, &group.text);
        sizes[i].make(&group, sizes[i].max + 1);
        if (f->thread_count > 0 && sizes[i].make == make_body) {
            expect_too_large(f, &group.text);
        } else {
            refuse(&group, sizes[i].what);
        }
        sizes[i].make(&group, sizes[i].max * 100);
        refuse(&group, sizes[i].what);
    }
    end(&group, 44);
}

/* --- the control: odd, and right -------------------------------------------------------------- */

static void test_odd_requests_are_accepted(void **state)
{
    static const char token[] = "!#$%&'*+-.^_`|~09azAZ";
    static const struct bytes cases[] = {
        TEXT("\r\nGET / HTTP/1.1\r\n" HOST "\r\n"),
        TEXT("GET / HTTP/1.0\r\n\r\n"),
        TEXT("GET / HTTP/1.0\r\nHost:\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\nHost:\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\nhOsT:x\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\nHost: a.b-c_d~e:0\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\nHost: \t x \t \r\n\r\n"),
        TEXT("GET http://x/ HTTP/1.1\r\n" HOST "\r\n"),
        TEXT("GET HTTP://x/ HTTP/1.1\r\n" HOST "\r\n"),
        TEXT("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"),
        TEXT("GET // HTTP/1.1\r\n" HOST "\r\n"),
        TEXT("GET /../.. HTTP/1.1\r\n" HOST "\r\n"),
        TEXT("GET /%00%0d%0a HTTP/1.1\r\n" HOST "\r\n"),
        TEXT("GET /% HTTP/1.1\r\n" HOST "\r\n"),
        TEXT("GET /?? HTTP/1.1\r\n" HOST "\r\n"),
        TEXT("GET /\"<>\\^`{|} HTTP/1.1\r\n" HOST "\r\n"),
        TEXT("GET /http://y/ HTTP/1.1\r\n" HOST "\r\n"),
        TEXT("GET / HTTP/1.1\r\n" HOST "A:\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\n" HOST "A: b\tc\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\n" HOST "A: \xff\x80\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\n" HOST "A: b: c: d\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\n" HOST "A: b\r\nA: c\r\na: d\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\n" HOST "Transfer_Encoding: gzip\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\n" HOST "Content-Lengths: x\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\n" HOST "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\n" HOST "Connection: close, x\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\n" HOST "Connection: ,,\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\n" HOST "TE: trailers\r\nTrailer: x\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"),
        TEXT(POST "Content-Length: 0\r\n\r\n"),
        TEXT(POST "Content-Length:5\r\n\r\nhello"),
        TEXT(POST "Content-Length: 0000000000000005\r\n\r\nhello"),
        TEXT(POST "Content-Length:  5  \r\n\r\nhello"),
        TEXT(POST "Content-Length: 2\r\n\r\n\r\n"),
        TEXT(POST "Content-Length: 5\r\nExpect: 100-CONTINUE\r\n\r\nhello"),
        TEXT(POST "\r\n"),
        TEXT(POST "Transfer-Encoding:chunked\r\n\r\n0\r\n\r\n"),
        TEXT(POST "TRANSFER-ENCODING:  CHUNKED  \r\n\r\n0\r\n\r\n"),
        TEXT(CHUNKED "5\r\nhello\r\n0\r\n\r\n"),
        TEXT(CHUNKED "00005\r\nhello\r\n000\r\n\r\n"),
        TEXT(CHUNKED "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"),
        TEXT(CHUNKED "2\r\n\r\n\r\n0\r\n\r\n"),
        TEXT(CHUNKED "5;a\r\nhello\r\n0;b=c\r\n\r\n"),
        TEXT(CHUNKED "5;a=\"b;c\"\r\nhello\r\n0\r\n\r\n"),
        TEXT(CHUNKED "5;a;c=d\r\nhello\r\n0\r\n\r\n"),
    };
    struct fixture *f = *state;
    struct group group;

    begin(&group, f);
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (memmem(cases[i].data, cases[i].len, "Expect", 6) == NULL) { /* has two answers */
            add(&group, cases[i]);
            expect_accepted(f, "odd", &group.text);
        }
    }
    for (size_t i = 0; token[i] != 0; i++) {
        buf_printf(&group.text, "G%cT /%c HTTP/1.1\r\n" HOST "A%c%c: %c\r\n\r\n", token[i],
                   (token[i] == '#') ? '_' : token[i], token[i], token[i], token[i]);
        expect_accepted(f, "a character that a name may have", &group.text);
    }
    end(&group, 60);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_length_and_coding_together),
        TEST(test_codings_that_are_not_chunked_alone),
        TEST(test_lengths_that_are_not_one_number),
        TEST(test_chunks_whose_size_or_end_is_unclear),
        TEST(test_line_ends_other_than_cr_lf),
        TEST(test_folded_lines),
        TEST(test_control_characters),
        TEST(test_characters_that_no_name_has),
        TEST(test_request_lines_of_another_form),
        TEST(test_hosts_that_are_not_one_host),
        TEST(test_sizes_around_their_limit),
        TEST(test_odd_requests_are_accepted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
