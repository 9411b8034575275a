/* From answers to bytes: in the order of the requests, and to the kernel in as few
 * calls as it takes. What it does not take at once is libuv's to write; meanwhile
 * `output` gathers what comes next. */
#include <assert.h>

#include "invoke/http_connection.h"
#include "invoke/http_errand.h"

/* --- writing ------------------------------------------------------------------- */

static void drop_large(struct buf *buf)
{
    if (buf->cap > HTTP_KEPT_BYTES_MAX) {
        buf_fini(buf);
    }
}

static void after_write(uv_write_t *write, int status)
{
    struct http_connection *connection = container_of(write, struct http_connection, write);

    connection->write_left = 0;
    connection->writing.len = 0;
    drop_large(&connection->writing);
    if (connection->state == HTTP_CONNECTION_CLOSED) {
        return;
    }
    if (status != 0) {
        http_connection_kill(connection);
        return;
    }
    http_connection_visit_later(connection);
}

/* libuv takes the rest and says when it is gone. */
static int write_rest(struct http_connection *connection, struct buf *output, size_t written)
{
    struct buf rest = *output;
    uv_buf_t buf = uv_buf_init((char *)rest.data + written, (unsigned)(rest.len - written));

    *output = connection->writing;
    connection->writing = rest;
    connection->write_left = buf.len;
    connection->write_ms = uv_now(connection->server->loop);
    http_server_keep_ticking(connection->server);
    return uv_write(&connection->write, &connection->socket.stream, &buf, 1, after_write);
}

static int write_out(struct http_connection *connection, struct buf *output)
{
    uv_buf_t buf = uv_buf_init((char *)output->data, (unsigned)output->len);
    int written;

    if (output->len == 0) {
        return 0;
    }
    assert(output->len <= UINT32_MAX); /* of a handful of answers; libuv counts in 32 bits */
    written = uv_try_write(&connection->socket.stream, &buf, 1);
    if (written < 0 && written != UV_EAGAIN) {
        return written;
    }
    if (written < 0 || (size_t)written < output->len) {
        return write_rest(connection, output, (written < 0) ? 0 : (size_t)written);
    }
    output->len = 0;
    drop_large(output);
    return 0;
}

int http_connection_write(struct http_connection *connection)
{
    struct http_tls *tls = connection->tls;

    if (connection->write_left > 0) {
        return 0;
    }
    if (tls == NULL) {
        return write_out(connection, &connection->output);
    }
    if (!http_tls_seal(tls, &connection->output)) {
        return UV_EPROTO;
    }
    drop_large(&connection->output);
    return write_out(connection, &tls->output);
}

/* What the kernel has not taken; behind it what waits for its turn. */
static uint64_t unread_bytes(const struct http_connection *connection)
{
    uint64_t bytes = connection->output.len;
    const struct list *item;

    bytes += (connection->write_left > 0) ? connection->writing.len : 0;
    bytes += (connection->tls != NULL) ? connection->tls->output.len : 0;
    list_for_each (item, &connection->requests) {
        bytes += container_of(item, const struct http_request, link)->answer.len;
    }
    return bytes;
}

bool http_connection_keep_unread(struct http_connection *connection)
{
    struct http_budget *budget = &connection->server->census->unread;
    uint64_t before = connection->unread_bytes;
    uint64_t now = unread_bytes(connection);

    if (now <= before) {
        http_budget_give(budget, before - now);
    } else if (!http_budget_take(budget, now - before)) {
        return false;
    }
    connection->unread_bytes = now;
    return true;
}

bool http_connection_is_stuck(struct http_connection *connection, uint64_t now_ms)
{
    size_t left = connection->socket.stream.write_queue_size;

    if (connection->write_left == 0 || connection->server->limits.idle_ms == 0) {
        return false;
    }
    if (left < connection->write_left) {
        connection->write_left = left;
        connection->write_ms = now_ms;
    }
    return now_ms - connection->write_ms >= connection->server->limits.idle_ms;
}

/* --- the order of answers ------------------------------------------------------ */

struct buf *http_connection_answer_of(struct http_connection *connection,
                                      struct http_request *request)
{
    return (http_connection_first(connection) == request) ? &connection->output : &request->answer;
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
    struct http_request *first = http_connection_first(connection);

    while (first != NULL && first->state == HTTP_REQUEST_ANSWERED) {
        http_request_release(first);
        connection->request_count--;
        first = http_connection_first(connection);
        if (first != NULL) {
            take_answer(connection, first);
        }
    }
    http_connection_continue(connection);
    http_connection_visit_later(connection);
}

size_t http_connection_unread(struct http_connection *connection, struct http_request *request)
{
    if (http_connection_first(connection) != request) {
        return request->answer.len;
    }
    if (connection->output.len + connection->write_left > HTTP_UNREAD_BYTES_MAX &&
        http_connection_write(connection) != 0) {
        return SIZE_MAX;
    }
    return connection->output.len + connection->socket.stream.write_queue_size;
}

void http_connection_tell_read(struct http_connection *connection)
{
    struct http_request *first = http_connection_first(connection);
    void (*on_read)(void *user);

    if (first != NULL && first->sent_on != NULL && first->state == HTTP_REQUEST_STREAMING) {
        http_carry_written(first);
    }
    if (first == NULL || first->on_read == NULL ||
        http_connection_unread(connection, first) >= first->unread_below) {
        return;
    }
    on_read = first->on_read;
    first->on_read = NULL;
    on_read(first->user);
}

bool http_connection_is_last(const struct http_connection *connection,
                             const struct http_request *request)
{
    return !request->is_keep_alive || (connection->state != HTTP_CONNECTION_OPEN &&
                                       http_connection_last(connection) == request);
}
