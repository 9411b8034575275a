/* From bytes to requests: one after the other, as many as may be handled at once, each
 * shown to the router twice, at the end of its head and at the end of its body (or, if it
 * takes the body in pieces: http_body.c, right behind the head). */
#include "invoke/http_connection.h"
#include "invoke/http_errand.h"

#define BODY_RESERVE_BYTES_MAX ((uint64_t)64 << 10)

struct http_request *http_connection_begin(struct http_connection *connection)
{
    struct http_request *request = http_request_acquire(connection->server);

    if (request == NULL) {
        return NULL;
    }
    request->connection = connection;
    request->is_unix = connection->is_unix;
    request->is_tls = connection->tls != NULL;
    request->peer_uid = connection->peer_uid;
    list_push_back(&connection->requests, &request->link);
    connection->request_count++;
    connection->receiving = request;
    connection->since_ms = uv_now(connection->server->loop);
    http_server_keep_ticking(connection->server);
    http_parser_begin(&connection->parser, &request->head, &request->body);
    return request;
}

void http_connection_refuse(struct http_connection *connection, int status, const char *reason)
{
    struct http_request *request = connection->receiving;

    connection->receiving = NULL;
    http_connection_move(connection, HTTP_CONNECTION_LAST);
    http_request_refuse(request, status, reason);
}

static void complete(struct http_connection *connection)
{
    struct http_request *request = connection->receiving;
    struct http_server *server = connection->server;

    connection->receiving = NULL;
    if (!request->is_keep_alive) {
        http_connection_move(connection, HTTP_CONNECTION_LAST);
    }
    http_request_move(request, HTTP_REQUEST_HANDLED);
    server->handle(server->arg, request);
}

/* "100 Continue" is part of the answers' order: it waits for the request's turn. */
void http_connection_continue(struct http_connection *connection)
{
    struct http_request *request = http_connection_first(connection);

    if (request != NULL && request == connection->receiving && request->wants_continue &&
        request->state != HTTP_REQUEST_STREAMING && !http_body_is_held(connection)) {
        request->wants_continue = false;
        buf_append_text(&connection->output, "HTTP/1.1 100 Continue\r\n\r\n");
        http_connection_visit_later(connection);
    }
}

static void expect_body(struct http_connection *connection)
{
    struct http_request *request = connection->receiving;
    uint64_t announced = connection->parser.body_bytes;

    if (!http_budget_has_room(&connection->server->census->bodies, announced)) {
        http_connection_refuse(connection, 503, "Too many request bodies are being read.");
        return;
    }
    connection->since_ms = uv_now(connection->server->loop);
    (void)buf_reserve(
        &request->body,
        (size_t)((announced < BODY_RESERVE_BYTES_MAX) ? announced : BODY_RESERVE_BYTES_MAX));
    http_connection_continue(connection);
}

static bool expect_trailers(struct http_connection *connection)
{
    if (!connection->parser.is_chunked || connection->server->limits.trailer_bytes_max == 0) {
        return true;
    }
    if (!http_request_expect_trailers(connection->receiving)) {
        return false;
    }
    http_parser_take_trailers(&connection->parser, connection->receiving->trailers);
    return true;
}

void http_connection_admitted(struct http_connection *connection, size_t body_bytes_max)
{
    struct http_request *request = connection->receiving;
    int r = http_parser_admit(&connection->parser, body_bytes_max);

    if (r >= 400) {
        http_connection_refuse(connection, r, connection->parser.reason);
    } else if (!expect_trailers(connection)) {
        http_connection_refuse(connection, 503, "Out of memory.");
    } else if (request->is_streamed) {
        http_body_begin(connection);
    } else if (r == HTTP_PARSER_DONE) {
        complete(connection);
    } else {
        expect_body(connection);
    }
}

static bool expects_continue(const struct http_connection *connection)
{
    const struct http_request *request = connection->receiving;

    return connection->parser.part != HTTP_PART_DONE && request->head.minor == 1 &&
           http_header(request, "expect").data != NULL;
}

/* So small a body is judged when it is handed over, with its head. */
static bool is_here(const struct http_parser *parser, size_t rest)
{
    return parser->part == HTTP_PART_DONE || (!parser->is_chunked && parser->body_bytes <= rest);
}

/* `rest` bytes have been read behind the head. */
static void admit(struct http_connection *connection, size_t rest)
{
    struct http_request *request = connection->receiving;
    struct http_server *server = connection->server;
    size_t body_bytes_max;

    request->is_keep_alive = connection->parser.is_keep_alive;
    request->is_head = bytes_equal(http_method(request), bytes_of_text("HEAD"));
    request->wants_continue = expects_continue(connection);
    if (server->carrier != NULL && !is_here(&connection->parser, rest)) {
        if (!http_carry_ask(request)) {
            http_connection_refuse(connection, 503, "Out of memory.");
        }
        return;
    }
    body_bytes_max = server->admit(server->arg, request);
    if (connection->state == HTTP_CONNECTION_OPEN) { /* else the router has closed the server */
        http_connection_admitted(connection, body_bytes_max);
    }
}

/* Bodies are charged as they arrive, not as announced: promising costs nothing. */
static bool charge(struct http_connection *connection)
{
    struct http_request *request = connection->receiving;
    uint64_t more = request->body.len - request->charged_bytes;

    if (!http_budget_take(&connection->server->census->bodies, more)) {
        return false;
    }
    request->charged_bytes += more;
    return true;
}

static size_t take_some(struct http_connection *connection, const uint8_t *data, size_t len)
{
    size_t used;
    int r;

    if (connection->receiving == NULL && http_connection_begin(connection) == NULL) {
        http_connection_kill(connection);
        return len;
    }
    r = http_parser_feed(&connection->parser, data, len, &used);
    if (http_body_is_streaming(connection)) {
        http_body_take(connection, r);
    } else if (r < 400 && !charge(connection)) {
        http_connection_refuse(connection, 503, "Too many request bodies are being read.");
    } else if (r == HTTP_PARSER_HEAD) {
        admit(connection, len - used);
    } else if (r == HTTP_PARSER_DONE) {
        complete(connection);
    } else if (r != HTTP_PARSER_MORE) {
        http_connection_refuse(connection, r, connection->parser.reason);
    }
    return used;
}

/* Nothing follows a request of HTTP/1.0: its answer may have to end the connection. */
static bool may_begin(const struct http_connection *connection)
{
    const struct http_request *last = http_connection_last(connection);

    return connection->request_count < connection->server->limits.pipeline_max &&
           (last == NULL || last->head.minor == 1) &&
           connection->output.len + connection->write_left <= HTTP_UNREAD_BYTES_MAX;
}

size_t http_connection_take(struct http_connection *connection, const uint8_t *data, size_t len)
{
    size_t used = 0;

    while (used < len && connection->state == HTTP_CONNECTION_OPEN) {
        if ((connection->receiving == NULL)
                ? !may_begin(connection)
                : connection->receiving->is_asked || http_body_is_held(connection)) {
            return used;
        }
        used += take_some(connection, data + used, len - used);
    }
    return len; /* what follows the last request is nobody's */
}
