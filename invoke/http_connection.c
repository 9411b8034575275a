#include "invoke/http_connection.h"

#include <assert.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"

/* The happy path of a request:
 *
 *   - on_read() hands what came to take_input(), which feeds the parser;
 *   - at the end of the head the router says how large the body may be;
 *   - at the end of the body the router gets the request, and answers it in the
 *     same call or later; the answer goes to `output`, or to the request's own
 *     buffer while earlier ones are unanswered;
 *   - at the end of the turn http_connection_visit() writes `output`.
 *
 * Everything that calls the router may find the connection closed when it returns:
 * its memory stays until libuv has closed the handle, which is never inside a call. */

#define BIT(n) (1U << (n))
#define KEPT_BYTES_MAX ((size_t)64 << 10)
#define BODY_RESERVE_BYTES_MAX ((uint64_t)64 << 10)

static const unsigned allowed[HTTP_CONNECTION_STATES] = {
    [HTTP_CONNECTION_OPEN] = BIT(HTTP_CONNECTION_LAST) | BIT(HTTP_CONNECTION_CLOSED),
    [HTTP_CONNECTION_LAST] = BIT(HTTP_CONNECTION_LINGER) | BIT(HTTP_CONNECTION_CLOSED),
    [HTTP_CONNECTION_LINGER] = BIT(HTTP_CONNECTION_CLOSED),
    [HTTP_CONNECTION_CLOSED] = 0,
};

static void move(struct http_connection *connection, enum http_connection_state next)
{
    assert(allowed[connection->state] & BIT(next));
    connection->state = next;
    connection->since_ms = uv_now(connection->server->loop);
}

static void visit_later(struct http_connection *connection)
{
    if (connection->state != HTTP_CONNECTION_CLOSED) {
        http_server_flush_later(connection->server, &connection->dirty);
    }
}

/* Neither in a handler's hands nor on its way out. */
static bool is_all_sent(const struct http_connection *connection)
{
    return list_is_empty(&connection->requests) && connection->output.len == 0 &&
           connection->write_left == 0;
}

static struct http_request *first_request(const struct http_connection *connection)
{
    return list_is_empty(&connection->requests)
               ? NULL
               : container_of(connection->requests.next, struct http_request, link);
}

static struct http_request *last_request(const struct http_connection *connection)
{
    return list_is_empty(&connection->requests)
               ? NULL
               : container_of(connection->requests.prev, struct http_request, link);
}

/* --- the end ------------------------------------------------------------------- */

static void destroy(struct http_connection *connection)
{
    struct http_server *server = connection->server;

    buf_fini(&connection->input);
    buf_fini(&connection->output);
    buf_fini(&connection->writing);
    if (connection->address != NULL) {
        http_address_leave(&server->addresses, connection->address);
    }
    server->refused_count -= connection->is_refused ? 1 : 0;
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
    move(connection, HTTP_CONNECTION_CLOSED);
    list_remove(&connection->dirty);
    uv_close(&connection->socket.handle, after_close);
    tell_gone(connection);
    drop_requests(connection);
}

void http_connection_break(struct http_connection *connection)
{
    connection->is_broken = true;
    visit_later(connection);
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
    move(connection, HTTP_CONNECTION_LAST);
    drop_incomplete(connection);
    if (is_all_sent(connection)) {
        http_connection_kill(connection);
    }
    visit_later(connection);
}

/* --- requests come in ---------------------------------------------------------- */

static struct http_request *begin_request(struct http_connection *connection)
{
    struct http_request *request = http_request_acquire(connection->server);

    if (request == NULL) {
        return NULL;
    }
    request->connection = connection;
    request->is_unix = connection->is_unix;
    request->peer_uid = connection->peer_uid;
    list_push_back(&connection->requests, &request->link);
    connection->request_count++;
    connection->receiving = request;
    connection->since_ms = uv_now(connection->server->loop);
    http_parser_begin(&connection->parser, &request->head, &request->body);
    return request;
}

/* No more can be understood of what comes after it. */
static void refuse(struct http_connection *connection, int status, const char *reason)
{
    struct http_request *request = connection->receiving;

    connection->receiving = NULL;
    move(connection, HTTP_CONNECTION_LAST);
    http_request_refuse(request, status, reason);
}

static void complete(struct http_connection *connection)
{
    struct http_request *request = connection->receiving;
    struct http_server *server = connection->server;

    connection->receiving = NULL;
    if (!request->is_keep_alive) {
        move(connection, HTTP_CONNECTION_LAST);
    }
    http_request_move(request, HTTP_REQUEST_HANDLED);
    server->handle(server->arg, request);
}

static bool has_room(const struct http_server *server, uint64_t bytes)
{
    return bytes <= server->limits.buffered_bytes_max - server->buffered_bytes;
}

/* "100 Continue" is part of the answers' order: it waits for the request's turn. */
static void continue_if_asked(struct http_connection *connection)
{
    struct http_request *request = first_request(connection);

    if (request != NULL && request == connection->receiving && request->wants_continue) {
        request->wants_continue = false;
        buf_append_text(&connection->output, "HTTP/1.1 100 Continue\r\n\r\n");
        visit_later(connection);
    }
}

static void expect_body(struct http_connection *connection)
{
    struct http_request *request = connection->receiving;
    uint64_t announced = connection->parser.body_bytes;

    if (!has_room(connection->server, announced)) {
        refuse(connection, 503, "Too many request bodies are being read.");
        return;
    }
    connection->since_ms = uv_now(connection->server->loop);
    (void)buf_reserve(
        &request->body,
        (size_t)((announced < BODY_RESERVE_BYTES_MAX) ? announced : BODY_RESERVE_BYTES_MAX));
    request->wants_continue =
        request->head.minor == 1 && http_header(request, "expect").data != NULL;
    continue_if_asked(connection);
}

static void admit(struct http_connection *connection)
{
    struct http_request *request = connection->receiving;
    struct http_server *server = connection->server;
    size_t body_bytes_max;
    int r;

    request->is_keep_alive = connection->parser.is_keep_alive;
    request->is_head = bytes_equal(http_method(request), bytes_of_text("HEAD"));
    body_bytes_max = server->admit(server->arg, request);
    if (connection->state != HTTP_CONNECTION_OPEN) {
        return; /* the router has closed the server */
    }
    r = http_parser_admit(&connection->parser, body_bytes_max);
    if (r == HTTP_PARSER_DONE) {
        complete(connection);
    } else if (r == HTTP_PARSER_MORE) {
        expect_body(connection);
    } else {
        refuse(connection, r, connection->parser.reason);
    }
}

/* Bodies are charged as they arrive, not as announced: promising costs nothing. */
static bool charge(struct http_connection *connection)
{
    struct http_request *request = connection->receiving;
    uint64_t more = request->body.len - request->charged_bytes;

    if (!has_room(connection->server, more)) {
        return false;
    }
    request->charged_bytes += more;
    connection->server->buffered_bytes += more;
    return true;
}

static size_t take_some(struct http_connection *connection, const uint8_t *data, size_t len)
{
    size_t used;
    int r;

    if (connection->receiving == NULL && begin_request(connection) == NULL) {
        http_connection_kill(connection);
        return len;
    }
    r = http_parser_feed(&connection->parser, data, len, &used);
    if (r < 400 && !charge(connection)) {
        refuse(connection, 503, "Too many request bodies are being read.");
    } else if (r == HTTP_PARSER_HEAD) {
        admit(connection);
    } else if (r == HTTP_PARSER_DONE) {
        complete(connection);
    } else if (r != HTTP_PARSER_MORE) {
        refuse(connection, r, connection->parser.reason);
    }
    return used;
}

/* Nothing follows a request of HTTP/1.0: its answer may have to end the connection. */
static bool may_begin(const struct http_connection *connection)
{
    const struct http_request *last = last_request(connection);

    return connection->request_count < connection->server->limits.pipeline_max &&
           (last == NULL || last->head.minor == 1) &&
           connection->output.len + connection->write_left <= HTTP_UNREAD_BYTES_MAX;
}

static size_t parse(struct http_connection *connection, const uint8_t *data, size_t len)
{
    size_t used = 0;

    while (used < len && connection->state == HTTP_CONNECTION_OPEN) {
        if (connection->receiving == NULL && !may_begin(connection)) {
            return used;
        }
        used += take_some(connection, data + used, len - used);
    }
    return len; /* what follows the last request is nobody's */
}

/* --- reading ------------------------------------------------------------------- */

static void give_input(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    struct http_server *server =
        container_of(handle, struct http_connection, socket.handle)->server;

    (void)suggested;
    *ret_buf = uv_buf_init((char *)server->input, HTTP_READ_BYTES);
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
    http_connection_drain(connection);
    tell_gone(connection);
    visit_later(connection);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct http_connection *connection =
        container_of(stream, struct http_connection, socket.stream);
    size_t used;

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
    used = parse(connection, (const uint8_t *)buf->base, (size_t)len);
    if (used < (size_t)len && connection->state == HTTP_CONNECTION_OPEN) {
        (void)uv_read_stop(stream);
        buf_append(&connection->input, buf->base + used, (size_t)len - used);
        connection->is_broken = connection->input.failed;
        visit_later(connection); /* the turn's end may make room already */
    }
}

static int start_reading(struct http_connection *connection)
{
    int r = uv_read_start(&connection->socket.stream, give_input, on_read);

    return (r == UV_EALREADY) ? 0 : r;
}

/* Goes on with what was read already; only then with what comes. */
static void resume(struct http_connection *connection)
{
    struct buf *input = &connection->input;

    if (input->len == 0 || connection->state != HTTP_CONNECTION_OPEN) {
        return;
    }
    buf_consume(input, parse(connection, input->data, input->len));
    if (input->len > 0) {
        return;
    }
    if (input->cap > KEPT_BYTES_MAX) {
        buf_fini(input);
    }
    if (connection->state != HTTP_CONNECTION_CLOSED && start_reading(connection) != 0) {
        http_connection_kill(connection);
    }
}

/* --- writing ------------------------------------------------------------------- */

static void after_write(uv_write_t *write, int status)
{
    struct http_connection *connection = container_of(write, struct http_connection, write);

    connection->write_left = 0;
    connection->writing.len = 0;
    if (connection->writing.cap > KEPT_BYTES_MAX) {
        buf_fini(&connection->writing);
    }
    if (connection->state == HTTP_CONNECTION_CLOSED) {
        return;
    }
    if (status != 0) {
        http_connection_kill(connection);
        return;
    }
    visit_later(connection);
}

/* libuv takes the rest and says when it is gone. */
static int write_rest(struct http_connection *connection, size_t written)
{
    struct buf rest = connection->output;
    uv_buf_t buf = uv_buf_init((char *)rest.data + written, (unsigned)(rest.len - written));

    connection->output = connection->writing;
    connection->writing = rest;
    connection->write_left = buf.len;
    connection->write_ms = uv_now(connection->server->loop);
    return uv_write(&connection->write, &connection->socket.stream, &buf, 1, after_write);
}

/* Returns 0, or what libuv says when the client cannot be written to. */
static int write_output(struct http_connection *connection)
{
    struct buf *output = &connection->output;
    uv_buf_t buf = uv_buf_init((char *)output->data, (unsigned)output->len);
    int written;

    if (connection->write_left > 0 || output->len == 0) {
        return 0;
    }
    written = uv_try_write(&connection->socket.stream, &buf, 1);
    if (written < 0 && written != UV_EAGAIN) {
        return written;
    }
    if (written < 0 || (size_t)written < output->len) {
        return write_rest(connection, (written < 0) ? 0 : (size_t)written);
    }
    output->len = 0;
    if (output->cap > KEPT_BYTES_MAX) {
        buf_fini(output);
    }
    return 0;
}

static void after_shutdown(uv_shutdown_t *shutdown, int status)
{
    (void)shutdown;
    (void)status; /* the read side tells what there is to know */
}

/* All is sent. Unless the client has closed already, it is waited for. */
static void finish(struct http_connection *connection)
{
    if (connection->is_ended ||
        uv_shutdown(&connection->shutdown, &connection->socket.stream, after_shutdown) != 0) {
        http_connection_kill(connection);
        return;
    }
    move(connection, HTTP_CONNECTION_LINGER);
    connection->input.len = 0;
    if (start_reading(connection) != 0) {
        http_connection_kill(connection);
    }
}

void http_connection_visit(struct http_connection *connection)
{
    if (connection->is_broken || connection->output.failed || write_output(connection) != 0) {
        http_connection_kill(connection);
        return;
    }
    resume(connection);
    if (connection->state == HTTP_CONNECTION_OPEN && connection->request_count == 0) {
        connection->since_ms = uv_now(connection->server->loop); /* idle from here */
    }
    if (connection->state == HTTP_CONNECTION_LAST && is_all_sent(connection)) {
        finish(connection);
    }
}

/* --- answers ------------------------------------------------------------------- */

struct buf *http_connection_answer_of(struct http_connection *connection,
                                      struct http_request *request)
{
    return (first_request(connection) == request) ? &connection->output : &request->answer;
}

/* What the next one in turn has said so far goes out. */
static void take_answer(struct http_connection *connection, struct http_request *request)
{
    struct buf *answer = &request->answer;

    if (connection->output.len == 0) {
        struct buf empty = connection->output;

        connection->output = *answer;
        *answer = empty;
    } else {
        buf_append(&connection->output, answer->data, answer->len);
        answer->len = 0;
    }
}

void http_connection_answered(struct http_connection *connection)
{
    struct http_request *first = first_request(connection);

    while (first != NULL && first->state == HTTP_REQUEST_ANSWERED) {
        http_request_release(first);
        connection->request_count--;
        first = first_request(connection);
        if (first != NULL) {
            take_answer(connection, first);
        }
    }
    continue_if_asked(connection);
    visit_later(connection);
}

size_t http_connection_unread(struct http_connection *connection, struct http_request *request)
{
    if (first_request(connection) != request) {
        return request->answer.len;
    }
    if (connection->output.len + connection->write_left > HTTP_UNREAD_BYTES_MAX &&
        write_output(connection) != 0) {
        return SIZE_MAX;
    }
    return connection->output.len + connection->socket.stream.write_queue_size;
}

bool http_connection_is_last(const struct http_connection *connection,
                             const struct http_request *request)
{
    return !request->is_keep_alive ||
           (connection->state != HTTP_CONNECTION_OPEN && last_request(connection) == request);
}

/* --- time ---------------------------------------------------------------------- */

static bool is_write_stuck(struct http_connection *connection, uint64_t now_ms)
{
    size_t left = connection->socket.stream.write_queue_size;

    if (connection->write_left == 0) {
        return false;
    }
    if (left < connection->write_left) {
        connection->write_left = left;
        connection->write_ms = now_ms;
    }
    return now_ms - connection->write_ms >= connection->server->limits.idle_ms;
}

/* After the time that a head may take, the body must come at a least rate. */
static bool is_body_slow(const struct http_connection *connection, uint64_t now_ms)
{
    const struct http_limits *limits = &connection->server->limits;
    uint64_t passed_ms = now_ms - connection->since_ms;

    return passed_ms > limits->header_ms &&
           connection->receiving->body.len <
               (passed_ms - limits->header_ms) * limits->body_bytes_per_s / 1000;
}

static void check_open(struct http_connection *connection, uint64_t now_ms)
{
    const struct http_limits *limits = &connection->server->limits;
    uint64_t passed_ms = now_ms - connection->since_ms;

    if (connection->receiving == NULL) {
        if (is_all_sent(connection) && passed_ms >= limits->idle_ms) {
            http_connection_kill(connection);
        }
    } else if (connection->parser.part == HTTP_PART_HEAD) {
        if (passed_ms >= limits->header_ms) {
            refuse(connection, 408, "The headers came too slowly.");
        }
    } else if (is_body_slow(connection, now_ms)) {
        refuse(connection, 408, "The body came too slowly.");
    }
}

void http_connection_check_time(struct http_connection *connection, uint64_t now_ms)
{
    if (is_write_stuck(connection, now_ms)) {
        http_connection_kill(connection);
    } else if (connection->state == HTTP_CONNECTION_OPEN) {
        check_open(connection, now_ms);
    } else if (connection->state == HTTP_CONNECTION_LINGER &&
               now_ms - connection->since_ms >= connection->server->limits.header_ms) {
        http_connection_kill(connection);
    }
}

/* --- the beginning ------------------------------------------------------------- */

static int init_socket(struct http_connection *connection)
{
    uv_loop_t *loop = connection->server->loop;

    return connection->is_unix ? uv_pipe_init(loop, &connection->socket.pipe, 0)
                               : uv_tcp_init(loop, &connection->socket.tcp);
}

/* Notes who it is. A TCP client without a place in the table is refused. */
static int know_peer(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    struct sockaddr_storage peer = {0};
    int peer_len = sizeof peer;
    struct ucred cred;
    socklen_t cred_len = sizeof cred;
    uv_os_fd_t fd;

    if (connection->is_unix) {
        if (uv_fileno(&connection->socket.handle, &fd) != 0 ||
            getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len) != 0) {
            return UV_EIO;
        }
        connection->peer_uid = cred.uid;
        return 0;
    }
    (void)uv_tcp_nodelay(&connection->socket.tcp, 1);
    if (uv_tcp_getpeername(&connection->socket.tcp, (struct sockaddr *)&peer, &peer_len) != 0) {
        return UV_EIO;
    }
    connection->address = http_address_enter(&server->addresses, (struct sockaddr *)&peer);
    return (connection->address != NULL) ? 0 : UV_ENOMEM;
}

static bool is_too_many(const struct http_connection *connection)
{
    const struct http_server *server = connection->server;

    return server->connection_count - server->refused_count > server->limits.connections_max ||
           (connection->address != NULL &&
            connection->address->connection_count > server->limits.per_address_max);
}

/* Over the limit: a few get a 503 with time to read it, more are just closed. */
static void turn_away(struct http_connection *connection)
{
    struct http_server *server = connection->server;

    if (server->refused_count == HTTP_REFUSED_MAX || begin_request(connection) == NULL) {
        http_connection_kill(connection);
        return;
    }
    if (connection->address != NULL) {
        http_address_leave(&server->addresses, connection->address);
        connection->address = NULL;
    }
    connection->is_refused = true;
    server->refused_count++;
    refuse(connection, 503, "Too many connections.");
}

static struct http_connection *create(struct http_listener *listener)
{
    struct http_server *server = listener->server;
    struct http_connection *connection = mem_calloc(1, sizeof *connection);

    if (connection == NULL) {
        return NULL;
    }
    connection->server = server;
    connection->is_unix = listener->is_unix;
    connection->peer_uid = (uid_t)-1;
    list_init(&connection->dirty);
    list_init(&connection->requests);
    connection->since_ms = uv_now(server->loop);
    if (init_socket(connection) != 0) {
        mem_free(connection);
        return NULL;
    }
    http_server_join(server, &connection->link);
    return connection;
}

int http_connection_accept(struct http_listener *listener)
{
    struct http_connection *connection = create(listener);

    if (connection == NULL) {
        return ERR(ERR_NOMEM, "connection");
    }
    if (uv_accept(&listener->socket.stream, &connection->socket.stream) != 0 ||
        know_peer(connection) != 0) {
        http_connection_kill(connection);
        return 0;
    }
    if (is_too_many(connection)) {
        turn_away(connection);
    } else if (start_reading(connection) != 0) {
        http_connection_kill(connection);
    }
    return 0;
}
