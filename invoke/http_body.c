/* Bodies in pieces: a request that is in its handler's hands while its body still comes.
 *
 * It stays `receiving` on its connection until the body has ended (END), cannot go on
 * (CUT), or the handler has answered without waiting for it: then nothing behind it can
 * be read, so the connection ends with that answer. While the handler holds it, what the
 * parser has not seen waits in the connection's `input`, and the rest in the kernel. */
#include <assert.h>

#include "invoke/http_connection.h"
#include "invoke/http_errand.h"

static bool is_held(const struct http_request *request)
{
    return request->on_body == NULL || request->is_body_paused;
}

bool http_body_is_streaming(const struct http_connection *connection)
{
    return connection->receiving != NULL && http_request_is_in_flight(connection->receiving);
}

bool http_body_is_held(const struct http_connection *connection)
{
    return http_body_is_streaming(connection) && is_held(connection->receiving);
}

static void tell(struct http_request *request, struct http_piece piece)
{
    if (request->on_body != NULL) {
        request->on_body(request->user, &piece);
    }
}

/* --- the two ends ---------------------------------------------------------------- */

/* Before anyone is told, who may answer at once. */
static void leave(struct http_connection *connection, struct http_request *request)
{
    connection->receiving = NULL;
    if (!request->is_keep_alive && connection->state == HTTP_CONNECTION_OPEN) {
        http_connection_move(connection, HTTP_CONNECTION_LAST);
    }
}

static void finish(struct http_connection *connection)
{
    struct http_request *request = connection->receiving;

    leave(connection, request);
    tell(request, (struct http_piece){.event = HTTP_BODY_END});
}

void http_body_cut(struct http_connection *connection, int status, const char *reason)
{
    struct http_request *request = connection->receiving;

    if (!http_body_is_streaming(connection)) {
        return;
    }
    request->is_keep_alive = false;
    leave(connection, request);
    tell(request, (struct http_piece){.event = HTTP_BODY_CUT, .status = status, .reason = reason});
}

void http_body_stop(struct http_request *request)
{
    struct http_connection *connection = request->connection;

    if (connection->receiving == request) {
        request->is_keep_alive &= connection->parser.part == HTTP_PART_DONE;
        leave(connection, request);
    }
}

/* --- between them ---------------------------------------------------------------- */

void http_body_go_on(struct http_connection *connection)
{
    if (!http_body_is_streaming(connection) || is_held(connection->receiving)) {
        return;
    }
    if (connection->parser.part == HTTP_PART_DONE) {
        finish(connection);
    } else {
        http_connection_continue(connection);
    }
}

void http_body_begin(struct http_connection *connection)
{
    struct http_request *request = connection->receiving;
    struct http_server *server = connection->server;

    http_request_move(request, HTTP_REQUEST_HANDLED);
    server->handle(server->arg, request);
    http_body_go_on(connection);
}

void http_body_take(struct http_connection *connection, int r)
{
    struct http_request *request = connection->receiving;

    if (request->body.len > 0) {
        tell(request,
             (struct http_piece){.event = HTTP_BODY_PIECE, .bytes = buf_bytes(&request->body)});
        if (connection->receiving != request) {
            return; /* it has been answered, or the client is gone */
        }
        request->body.len = 0;
    }
    if (r >= 400) {
        http_body_cut(connection, r, connection->parser.reason);
    } else {
        http_body_go_on(connection);
    }
}

/* --- the handler's side ---------------------------------------------------------- */

void http_stream_body(struct http_request *request)
{
    assert(request->state == HTTP_REQUEST_RECEIVING);
    request->is_streamed = true;
}

/* From the loop, not from inside the handler's call. */
static void go_on_later(struct http_request *request)
{
    struct http_connection *connection = request->connection;

    if (request->errand != NULL) {
        http_errand_go_on_later(request->errand);
    } else if (connection != NULL && connection->receiving == request) {
        http_connection_visit_later(connection);
    }
}

void http_read_body(struct http_request *request,
                    void (*on_body)(void *user, const struct http_piece *piece))
{
    assert(request->is_streamed && http_request_is_in_flight(request));
    request->on_body = on_body;
    go_on_later(request);
}

void http_pause_body(struct http_request *request)
{
    request->is_body_paused = true;
}

void http_resume_body(struct http_request *request)
{
    request->is_body_paused = false;
    go_on_later(request);
}

struct bytes http_trailer(const struct http_request *request, const char *lower_name)
{
    const struct http_head *trailers = request->trailers;

    return (trailers != NULL) ? http_head_field(trailers, lower_name, 0) : (struct bytes){0};
}
