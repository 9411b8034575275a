#include "invoke/http_connection.h"

#include <assert.h>

#include "engine/base/mem.h"
#include "invoke/http_errand.h"

/* The happy path of a request:
 *
 *   - on_read() hands what came to http_connection_take(), which feeds the parser;
 *   - at the end of the head the router says how large the body may be;
 *   - at the end of the body the router gets the request, and answers it in the
 *     same call or later; the answer goes to `output`, or to the request's own
 *     buffer while earlier ones are unanswered;
 *   - at the end of the turn http_connection_visit() writes `output`.
 *
 * Everything that calls the router may find the connection closed when it returns:
 * its memory stays until libuv has closed the handle, which is never inside a call. */

#define BIT(n) (1U << (n))
#define LEFT "The client went away before its request was complete."

static const unsigned allowed[HTTP_CONNECTION_STATES] = {
    [HTTP_CONNECTION_OPEN] = BIT(HTTP_CONNECTION_LAST) | BIT(HTTP_CONNECTION_CLOSED),
    [HTTP_CONNECTION_LAST] = BIT(HTTP_CONNECTION_LINGER) | BIT(HTTP_CONNECTION_CLOSED),
    [HTTP_CONNECTION_LINGER] = BIT(HTTP_CONNECTION_CLOSED),
    [HTTP_CONNECTION_CLOSED] = 0,
};

void http_connection_move(struct http_connection *connection, enum http_connection_state next)
{
    assert(allowed[connection->state] & BIT(next));
    connection->state = next;
    connection->since_ms = uv_now(connection->server->loop);
    if (next == HTTP_CONNECTION_LINGER) {
        http_server_keep_ticking(connection->server);
    }
}

void http_connection_visit_later(struct http_connection *connection)
{
    if (connection->state != HTTP_CONNECTION_CLOSED) {
        http_server_flush_later(connection->server, &connection->dirty);
    }
}

bool http_connection_is_all_sent(const struct http_connection *connection)
{
    return list_is_empty(&connection->requests) && connection->output.len == 0 &&
           connection->write_left == 0 &&
           (connection->tls == NULL || connection->tls->output.len == 0);
}

/* --- the end ------------------------------------------------------------------- */

static void destroy(struct http_connection *connection)
{
    struct http_server *server = connection->server;

    http_budget_give(&server->census->unread, connection->unread_bytes);
    buf_fini(&connection->input);
    buf_fini(&connection->output);
    buf_fini(&connection->writing);
    http_tls_destroy(connection->tls);
    if (connection->address != NULL) {
        http_census_exit(server->census, connection->address);
    }
    http_connection_uncount(connection);
    if (connection->is_refused) {
        http_census_unrefuse(server->census);
    }
    list_remove(&connection->dirty);
    list_remove(&connection->link);
    mem_free(connection);
    http_server_forget(server);
}

static void after_close(uv_handle_t *handle)
{
    destroy(container_of(handle, struct http_connection, socket.handle));
}

/* Tells the handlers of what is in flight; one may answer, or close the server. */
static void tell_gone(struct http_connection *connection)
{
    struct list *item = connection->requests.next;

    while (item != &connection->requests) {
        struct http_request *request = container_of(item, struct http_request, link);

        item = item->next;
        if (http_request_is_in_flight(request) && !request->is_gone_told) {
            http_request_tell_gone(request);
            item = connection->requests.next; /* the list may be another */
        }
    }
}

/* What is in flight belongs to its handler alone from now on. */
static void drop_requests(struct http_connection *connection)
{
    struct list *item;

    connection->receiving = NULL;
    while ((item = list_pop_front(&connection->requests)) != NULL) {
        struct http_request *request = container_of(item, struct http_request, link);

        if (http_request_is_in_flight(request)) {
            request->connection = NULL;
            if (request->sent_on != NULL) {
                http_carry_lost(request);
            }
        } else {
            http_request_release(request);
        }
    }
    connection->request_count = 0;
}

void http_connection_kill(struct http_connection *connection)
{
    if (connection->state == HTTP_CONNECTION_CLOSED) {
        return;
    }
    http_connection_move(connection, HTTP_CONNECTION_CLOSED);
    list_remove(&connection->dirty);
    uv_close(&connection->socket.handle, after_close);
    http_body_cut(connection, 400, LEFT);
    tell_gone(connection);
    drop_requests(connection);
}

void http_connection_break(struct http_connection *connection)
{
    connection->is_broken = true;
    http_connection_visit_later(connection);
}

static void drop_incomplete(struct http_connection *connection)
{
    if (connection->receiving != NULL) {
        http_request_release(connection->receiving);
        connection->receiving = NULL;
        connection->request_count--;
    }
}

void http_connection_drain(struct http_connection *connection)
{
    if (connection->state != HTTP_CONNECTION_OPEN) {
        return;
    }
    if (http_body_is_streaming(connection)) {
        connection->receiving->is_keep_alive = false; /* its end is the last one's */
        return;
    }
    http_connection_move(connection, HTTP_CONNECTION_LAST);
    drop_incomplete(connection);
    if (http_connection_is_all_sent(connection)) {
        http_connection_kill(connection);
    }
    http_connection_visit_later(connection);
}

void http_connection_part(struct http_connection *connection)
{
    if (connection->state == HTTP_CONNECTION_OPEN && connection->receiving != NULL &&
        !http_body_is_streaming(connection)) {
        http_connection_refuse(connection, 503, "The server is ending.");
    }
    http_connection_drain(connection);
}

/* --- reading ------------------------------------------------------------------- */

static void give_input(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    struct http_server *server =
        container_of(handle, struct http_connection, socket.handle)->server;

    (void)suggested;
    *ret_buf = uv_buf_init((char *)server->input->bytes, HTTP_READ_BYTES);
}

/* The client has closed its side. It may still read: what is in flight is answered,
 * while its handlers know that probably nobody waits. */
static void end_input(struct http_connection *connection)
{
    connection->is_ended = true;
    (void)uv_read_stop(&connection->socket.stream);
    if (connection->state == HTTP_CONNECTION_LINGER) {
        http_connection_kill(connection);
        return;
    }
    http_body_cut(connection, 400, LEFT);
    http_connection_drain(connection);
    tell_gone(connection);
    http_connection_visit_later(connection);
}

/* What cannot be handled yet waits, and nothing more is read. */
static void take(struct http_connection *connection, struct bytes data)
{
    size_t used = http_connection_take(connection, data.data, data.len);

    if (used < data.len && connection->state == HTTP_CONNECTION_OPEN) {
        (void)uv_read_stop(&connection->socket.stream);
        buf_append(&connection->input, data.data + used, data.len - used);
        connection->is_broken = connection->input.failed;
        http_connection_visit_later(connection); /* the turn's end may make room already */
    }
}

/* It has sent something else: most likely a URL with http:// where https:// belongs. */
static void refuse_plain(struct http_connection *connection)
{
    http_tls_destroy(connection->tls);
    connection->tls = NULL;
    if (http_connection_begin(connection) == NULL) {
        http_connection_kill(connection);
        return;
    }
    http_connection_refuse(connection, 400, "This port speaks TLS: use https.");
}

/* The handshake's last words are still for the client. */
static void end_tls(struct http_connection *connection)
{
    if (connection->tls->is_ready || connection->state != HTTP_CONNECTION_OPEN) {
        http_connection_kill(connection);
        return;
    }
    http_connection_move(connection, HTTP_CONNECTION_LAST);
    http_connection_visit_later(connection);
}

static void open_and_take(struct http_connection *connection, struct bytes data)
{
    struct http_input *input = connection->server->input;
    struct http_tls *tls = connection->tls;
    bool was_ready = tls->is_ready;
    size_t len = 0;
    int r = http_tls_open(tls, data, input->opened, sizeof input->opened, &len);

    if (r == HTTP_TLS_PLAIN) {
        refuse_plain(connection);
        return;
    }
    if (tls->is_ready && !was_ready) {
        connection->since_ms = uv_now(connection->server->loop); /* idle from here */
    }
    http_connection_visit_later(connection); /* TLS may have something to say itself */
    if (len > 0) {
        take(connection, bytes_of(input->opened, len));
    }
    if (r == HTTP_TLS_ENDED && connection->input.len > 0) {
        connection->is_ending = true;
    } else if (r == HTTP_TLS_ENDED && connection->state != HTTP_CONNECTION_CLOSED) {
        end_input(connection);
    } else if (r == HTTP_TLS_BROKEN || tls->output.len > HTTP_UNREAD_BYTES_MAX) {
        end_tls(connection);
    }
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct http_connection *connection =
        container_of(stream, struct http_connection, socket.stream);

    if (len == UV_EOF) {
        end_input(connection);
        return;
    }
    if (len < 0) {
        http_connection_kill(connection);
        return;
    }
    if (connection->state != HTTP_CONNECTION_OPEN) {
        return;
    }
    if (connection->tls != NULL) {
        open_and_take(connection, bytes_of(buf->base, (size_t)len));
    } else {
        take(connection, bytes_of(buf->base, (size_t)len));
    }
}

int http_connection_read(struct http_connection *connection)
{
    int r = uv_read_start(&connection->socket.stream, give_input, on_read);

    return (r == UV_EALREADY) ? 0 : r;
}

/* Goes on with what was read already; only then with what comes. */
static void resume(struct http_connection *connection)
{
    struct buf *input = &connection->input;

    http_body_go_on(connection);
    if (input->len == 0 || connection->state != HTTP_CONNECTION_OPEN) {
        return;
    }
    buf_consume(input, http_connection_take(connection, input->data, input->len));
    if (input->len > 0) {
        return;
    }
    if (input->cap > HTTP_KEPT_BYTES_MAX) {
        buf_fini(input);
    }
    if (connection->is_ending && connection->state != HTTP_CONNECTION_CLOSED) {
        end_input(connection);
    } else if (connection->state != HTTP_CONNECTION_CLOSED &&
               http_connection_read(connection) != 0) {
        http_connection_kill(connection);
    }
}

/* --- the end of a turn --------------------------------------------------------- */

static void after_shutdown(uv_shutdown_t *shutdown, int status)
{
    (void)shutdown;
    (void)status; /* the read side tells what there is to know */
}

/* All is sent. Unless the client has closed already, it is waited for. */
static void finish(struct http_connection *connection)
{
    if (connection->tls != NULL) {
        http_tls_end(connection->tls);
        (void)http_connection_write(connection); /* before the shutdown, or ahead of it */
    }
    if (connection->is_ended ||
        uv_shutdown(&connection->shutdown, &connection->socket.stream, after_shutdown) != 0) {
        http_connection_kill(connection);
        return;
    }
    http_connection_move(connection, HTTP_CONNECTION_LINGER);
    connection->input.len = 0;
    if (http_connection_read(connection) != 0) {
        http_connection_kill(connection);
    }
}

void http_connection_visit(struct http_connection *connection)
{
    if (connection->is_broken || connection->output.failed ||
        http_connection_write(connection) != 0 || !http_connection_keep_unread(connection)) {
        http_connection_kill(connection);
        return;
    }
    resume(connection);
    if (connection->state == HTTP_CONNECTION_OPEN && connection->request_count == 0 &&
        (connection->tls == NULL || connection->tls->is_ready)) {
        connection->since_ms = uv_now(connection->server->loop); /* idle from here */
        http_server_keep_ticking(connection->server);
    }
    if (connection->state == HTTP_CONNECTION_LAST && http_connection_is_all_sent(connection)) {
        finish(connection);
    }
    http_connection_tell_read(connection);
}

/* --- time ---------------------------------------------------------------------- */

/* After the time that a head may take, the body must come at a least rate. */
static bool is_body_slow(const struct http_connection *connection, uint64_t now_ms)
{
    const struct http_limits *limits = &connection->server->limits;
    uint64_t passed_ms = now_ms - connection->since_ms;

    return passed_ms > limits->header_ms &&
           connection->receiving->body.len <
               (passed_ms - limits->header_ms) * limits->body_bytes_per_s / 1000;
}

/* A request in its handler's hands has no deadline, however long it is kept. */
static bool check_idle(struct http_connection *connection, uint64_t passed_ms)
{
    uint32_t idle_ms = connection->server->limits.idle_ms;

    if (idle_ms == 0 || !http_connection_is_all_sent(connection)) {
        return false;
    }
    if (passed_ms >= idle_ms) {
        http_connection_kill(connection);
    }
    return true;
}

static bool check_open(struct http_connection *connection, uint64_t now_ms)
{
    uint64_t passed_ms = now_ms - connection->since_ms;

    if (connection->tls != NULL && !connection->tls->is_ready) {
        if (passed_ms >= connection->server->limits.header_ms) {
            http_connection_kill(connection);
        }
        return true;
    }
    if (connection->receiving == NULL) {
        return check_idle(connection, passed_ms);
    }
    if (http_body_is_streaming(connection) || connection->receiving->is_asked) {
        return false;
    }
    if (connection->parser.part != HTTP_PART_HEAD) {
        if (is_body_slow(connection, now_ms)) {
            http_connection_refuse(connection, 408, "The body came too slowly.");
        }
    } else if (passed_ms >= connection->server->limits.header_ms) {
        http_connection_refuse(connection, 408, "The headers came too slowly.");
    }
    return true;
}

bool http_connection_check_time(struct http_connection *connection, uint64_t now_ms)
{
    bool is_writing = connection->write_left > 0 && connection->server->limits.idle_ms > 0;

    if (http_connection_is_stuck(connection, now_ms)) {
        http_connection_kill(connection);
    } else if (connection->state == HTTP_CONNECTION_OPEN) {
        return check_open(connection, now_ms) || is_writing;
    } else if (connection->state == HTTP_CONNECTION_LINGER) {
        if (now_ms - connection->since_ms >= connection->server->limits.header_ms) {
            http_connection_kill(connection);
        }
        return true;
    }
    return is_writing;
}
