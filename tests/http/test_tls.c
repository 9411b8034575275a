/* TLS in front of the server, spoken by OpenSSL as a client in the same thread. What a
 * real client meets is in tests/daemon/tlstest.py; this is about times, memory and floods. */
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "invoke/http_connection.h"
#include "tests/http/fixture.h"

#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#define LATER "GET /later HTTP/1.1\r\nHost: x\r\n\r\n"

static char directory[] = "/tmp/test_tls.XXXXXX";
static char certificate_path[64];
static char key_path[64];

/* --- a certificate ------------------------------------------------------------------- */

static void write_files(X509 *certificate, EVP_PKEY *key)
{
    FILE *file = fopen(certificate_path, "we");

    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    assert_int_equal(fclose(file), 0);
    file = fopen(key_path, "we");
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(file), 0);
}

static int make_files(void **state)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_NAME *name;

    (void)state;
    assert_non_null(mkdtemp(directory));
    (void)snprintf(certificate_path, sizeof certificate_path, "%s/cert", directory);
    (void)snprintf(key_path, sizeof key_path, "%s/key", directory);
    assert_non_null(key);
    assert_non_null(certificate);
    name = X509_get_subject_name(certificate);
    assert_int_equal(
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"x", -1, -1, 0),
        1);
    assert_int_equal(X509_set_issuer_name(certificate, name), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), -60));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600));
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    write_files(certificate, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    assert_int_equal(unlink(certificate_path), 0);
    assert_int_equal(unlink(key_path), 0);
    assert_int_equal(rmdir(directory), 0);
    return 0;
}

static int open_with_tls(void **state)
{
    struct fixture *f;
    int r = set_up(state);

    f = *state;
    assert_int_equal(http_server_use_tls(f->server, certificate_path, key_path), 0);
    return r;
}

/* --- clients --------------------------------------------------------------------------- */

struct secure {
    struct client client;
    SSL_CTX *context;
    SSL *session;
    bool is_ended;
};

static void secure_open(struct secure *secure, struct fixture *f)
{
    *secure = (struct secure){.is_ended = false};
    client_open_tcp(&secure->client, f);
    secure->context = SSL_CTX_new(TLS_client_method());
    assert_non_null(secure->context);
    secure->session = SSL_new(secure->context);
    assert_non_null(secure->session);
    assert_int_equal(SSL_set_fd(secure->session, secure->client.fd), 1);
}

static void secure_connect(struct secure *secure, struct fixture *f)
{
    secure_open(secure, f);
    WAIT_FOR(f, SSL_connect(secure->session) == 1);
}

static void secure_close(struct secure *secure)
{
    SSL_free(secure->session);
    SSL_CTX_free(secure->context);
    client_close(&secure->client);
}

static void secure_send(struct secure *secure, const void *data, size_t len)
{
    const uint8_t *bytes = data;

    while (len > 0) {
        int sent = SSL_write(secure->session, bytes, (len < 16384) ? (int)len : 16384);

        if (sent > 0) {
            bytes += sent;
            len -= (size_t)sent;
        } else {
            assert_int_equal(SSL_get_error(secure->session, sent), SSL_ERROR_WANT_WRITE);
        }
        turn(secure->client.f);
    }
}

/* Reads what is there. */
static void secure_poll(struct secure *secure)
{
    uint8_t bytes[16384];
    int len;

    while ((len = SSL_read(secure->session, bytes, sizeof bytes)) > 0) {
        buf_append(&secure->client.received, bytes, (size_t)len);
    }
    secure->is_ended = SSL_get_error(secure->session, len) != SSL_ERROR_WANT_READ;
}

static bool has_received(struct secure *secure, const char *text)
{
    secure_poll(secure);
    return secure->client.received.len > 0 &&
           memmem(secure->client.received.data, secure->client.received.len, text, strlen(text)) !=
               NULL;
}

static void secure_ask(struct secure *secure)
{
    secure->client.received.len = 0;
    secure_send(secure, GET, strlen(GET));
    WAIT_FOR(secure->client.f, has_received(secure, "GET /? "));
    assert_int_equal(memcmp(secure->client.received.data, "HTTP/1.1 200 OK\r\n", 17), 0);
}

static struct http_connection *only_connection(struct fixture *f)
{
    return container_of(f->server->connections.next, struct http_connection, link);
}

/* --- time -------------------------------------------------------------------------------- */

static enum http_connection_state state_at(struct fixture *f, uint64_t passed_ms)
{
    struct http_connection *connection = only_connection(f);

    http_connection_check_time(connection, connection->since_ms + passed_ms);
    return connection->state;
}

static void test_handshake_has_five_seconds_in_all(void **state)
{
    struct fixture *f = *state;
    struct secure secure;
    uint64_t since_ms;

    NOT_WITH_THREADS(f);
    secure_open(&secure, f);
    WAIT_FOR(f, f->server->connection_count == 1);
    since_ms = only_connection(f)->since_ms;
    (void)SSL_connect(secure.session); /* its first word gives it no more time */
    WAIT_FOR(f, only_connection(f)->tls->is_begun);
    assert_int_equal(only_connection(f)->since_ms, since_ms);
    assert_int_equal(state_at(f, 4999), HTTP_CONNECTION_OPEN);
    assert_int_equal(state_at(f, 5000), HTTP_CONNECTION_CLOSED);
    secure_close(&secure);
}

static void test_idle_session_has_sixty_seconds(void **state)
{
    struct fixture *f = *state;
    struct secure secure;

    NOT_WITH_THREADS(f);
    secure_connect(&secure, f);
    secure_ask(&secure);
    assert_int_equal(state_at(f, 59999), HTTP_CONNECTION_OPEN);
    assert_int_equal(state_at(f, 60000), HTTP_CONNECTION_CLOSED);
    secure_close(&secure);
}

static void test_held_request_needs_no_timer(void **state)
{
    struct fixture *f = *state;
    struct secure secure;

    secure_connect(&secure, f);
    secure_send(&secure, LATER, strlen(LATER));
    WAIT_FOR(f, f->held_count == 1);
    assert_true(http_is_tls(f->held[0]));
    WAIT_FOR(f, uv_backend_timeout(&f->loop) == -1);
    secure_close(&secure);
    WAIT_FOR(f, f->gone == 1);
    http_respond(f->held[0], 200, NULL, (struct bytes){0});
}

/* --- much -------------------------------------------------------------------------------- */

static struct buf large;

static void answer_large(struct fixture *f, struct http_request *request)
{
    (void)f;
    http_respond(request, 200, "text/plain", buf_bytes(&large));
}

static void make_large(size_t len)
{
    uint8_t *room = buf_reserve(&large, len);

    assert_non_null(room);
    for (size_t i = 0; i < len; i++) {
        room[i] = (uint8_t)(i * 31 + i / 251);
    }
    large.len = len;
}

static void test_large_answer_is_whole(void **state)
{
    struct fixture *f = *state;
    struct secure secure;
    struct buf *received;

    make_large((size_t)16 << 20);
    f->on_handle = answer_large;
    secure_connect(&secure, f);
    received = &secure.client.received;
    secure_send(&secure, GET, strlen(GET));
    WAIT_FOR(f, (secure_poll(&secure), received->len > large.len));
    assert_memory_equal(received->data + received->len - large.len, large.data, large.len);
    secure_close(&secure);
    buf_fini(&large);
}

static size_t streamed_len;

static void on_body(void *user, const struct http_piece *piece)
{
    struct http_request *request = user;

    if (piece->event == HTTP_BODY_PIECE) {
        assert_memory_equal(piece->bytes.data, large.data + streamed_len, piece->bytes.len);
        streamed_len += piece->bytes.len;
        http_pause_body(request);
        http_resume_body(request);
    } else {
        assert_int_equal(piece->event, HTTP_BODY_END);
        http_respond(request, 200, "text/plain", bytes_of_text("GET /? "));
    }
}

static void on_head(struct fixture *f, struct http_request *request)
{
    (void)f;
    http_stream_body(request);
}

static void read_body(struct fixture *f, struct http_request *request)
{
    (void)f;
    http_set_user(request, request, NULL);
    http_read_body(request, on_body);
}

static void test_body_in_pieces_is_whole(void **state)
{
    struct fixture *f = *state;
    struct secure secure;
    char head[100];

    make_large((size_t)8 << 20);
    streamed_len = 0;
    f->body_bytes_max = large.len;
    f->on_head = on_head;
    f->on_handle = read_body;
    secure_connect(&secure, f);
    (void)snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
                   large.len);
    secure_send(&secure, head, strlen(head));
    secure_send(&secure, large.data, large.len);
    WAIT_FOR(f, has_received(&secure, "200 OK"));
    assert_int_equal(streamed_len, large.len);
    secure_close(&secure);
    buf_fini(&large);
}

/* Each asks for an answer; a client that reads none of them is not kept for ever. */
static void test_flood_of_key_updates_ends(void **state)
{
    struct fixture *f = *state;
    struct http_connection *connection;
    struct secure secure;
    size_t most = 0;
    int tries = 0;

    NOT_WITH_THREADS(f);
    secure_connect(&secure, f);
    secure_ask(&secure);
    connection = only_connection(f);
    while (f->server->connection_count > 0) {
        int r = SSL_key_update(secure.session, SSL_KEY_UPDATE_REQUESTED);

        r = (r == 1) ? SSL_do_handshake(secure.session) : r;
        if (f->server->connection_count > 0 && connection->state != HTTP_CONNECTION_CLOSED &&
            connection->tls->output.len > most) {
            most = connection->tls->output.len;
        }
        if (++tries % 64 == 0 || r != 1) {
            turn(f);
        }
        assert_true(tries < 1000000);
    }
    assert_true(most <= HTTP_UNREAD_BYTES_MAX + HTTP_READ_BYTES);
    secure_close(&secure);
    assert_int_equal(f->handled, 1);
}

static void test_connections_over_the_limit_are_closed(void **state)
{
    struct fixture *f = *state;
    struct http_limits limits = http_limits_default;
    struct secure first;
    struct client second;

    limits.connections_max = 1;
    fixture_reopen(f, &limits);
    assert_int_equal(http_server_use_tls(f->server, certificate_path, key_path), 0);
    secure_connect(&first, f);
    secure_ask(&first);
    client_open_tcp(&second, f);
    client_expect_end(&second);
    secure_ask(&first);
    secure_close(&first);
    client_close(&second);
}

/* --- the end ------------------------------------------------------------------------------ */

static void note_close(void *arg)
{
    struct fixture *f = arg;

    f->closed++;
    f->server = NULL;
}

static void test_close_answers_and_says_goodbye(void **state)
{
    struct fixture *f = *state;
    struct secure busy;
    struct secure begun;

    secure_connect(&busy, f);
    secure_send(&busy, LATER, strlen(LATER));
    WAIT_FOR(f, f->held_count == 1);
    secure_open(&begun, f);
    WAIT_FOR(f, fixture_connections(f) == 2);
    http_server_close(f->server, f, note_close);
    http_respond(f->held[0], 200, "text/plain", bytes_of_text("the last"));
    WAIT_FOR(f, has_received(&busy, "the last") && busy.is_ended);
    assert_true(has_received(&busy, "connection: close"));
    assert_int_equal(SSL_get_shutdown(busy.session), SSL_RECEIVED_SHUTDOWN);
    secure_close(&busy);
    secure_close(&begun);
    WAIT_FOR(f, f->closed == 1);
}

/* --- without memory ------------------------------------------------------------------------- */

static long fail_after = -1;
static bool has_failed;

static bool may_allocate(size_t size)
{
    (void)size;
    if (fail_after < 0 || fail_after-- > 0) {
        return true;
    }
    has_failed = true;
    return false;
}

static void ignore_error(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)text;
}

static bool try_asking(struct fixture *f)
{
    struct secure secure;
    uint64_t until = uv_hrtime() + 10000000000U;
    bool is_answered = false;
    long after = fail_after;
    int r = -1;

    secure_open(&secure, f);
    fail_after = -1; /* not the client's own */
    assert_non_null(buf_reserve(&secure.client.received, 65536));
    fail_after = after;
    while (uv_hrtime() < until && !secure.is_ended && !is_answered) {
        if (r != 1) {
            r = SSL_connect(secure.session);
            secure.is_ended = r != 1 && SSL_get_error(secure.session, r) != SSL_ERROR_WANT_READ;
            if (r == 1) {
                (void)SSL_write(secure.session, GET, (int)strlen(GET));
            }
        } else {
            is_answered = has_received(&secure, "GET /? ");
        }
        turn(f);
    }
    assert_true(secure.is_ended || is_answered);
    secure_close(&secure);
    return is_answered;
}

static void test_each_allocation_may_fail(void **state)
{
    struct fixture *f = *state;
    long n = 0;

    NOT_WITH_THREADS(f);
    err_set_sink(ignore_error);
    assert_true(try_asking(f));
    mem_set_hook(may_allocate);
    do {
        has_failed = false;
        fail_after = n++;
        (void)try_asking(f);
        fail_after = -1;
        assert_true(try_asking(f)); /* as if nothing had been */
    } while (has_failed);
    mem_set_hook(NULL);
    err_set_sink(NULL);
    assert_true(n > 4); /* connection, session, address, output */
}

static void test_files_that_cannot_be_used_leave_the_old_ones(void **state)
{
    struct fixture *f = *state;

    err_set_sink(ignore_error);
    assert_int_equal(http_server_use_tls(f->server, key_path, key_path), ERR_INVALID);
    assert_int_equal(http_server_use_tls(f->server, certificate_path, certificate_path),
                     ERR_INVALID);
    assert_int_equal(http_server_use_tls(f->server, "/none", key_path), ERR_INVALID);
    err_set_sink(NULL);
    assert_true(try_asking(f));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_with_tls, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_handshake_has_five_seconds_in_all),
        TEST(test_idle_session_has_sixty_seconds),
        TEST(test_held_request_needs_no_timer),
        TEST(test_large_answer_is_whole),
        TEST(test_body_in_pieces_is_whole),
        TEST(test_flood_of_key_updates_ends),
        TEST(test_connections_over_the_limit_are_closed),
        TEST(test_close_answers_and_says_goodbye),
        TEST(test_each_allocation_may_fail),
        TEST(test_files_that_cannot_be_used_leave_the_old_ones),
    };

    return cmocka_run_group_tests(tests, make_files, remove_files);
}
