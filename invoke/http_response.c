/* Answers: the status line, the fields, and the body whole or in chunks. */
#include <assert.h>
#include <stdio.h>

#include "invoke/http_connection.h"
#include "invoke/http_errand.h"

#define HEAD_BYTES 256U /* of what we write ourselves, at most */
#define RETRY_AFTER_S "1"

struct reason {
    int status;
    const char *text;
};

static const struct reason reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {424, "Failed Dependency"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

/* Clients must not care; an unknown one is named by its class. */
static const char *reason_of(int status)
{
    static const char *const classes[] = {"OK", "Redirection", "Client Error", "Server Error"};

    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status) {
            return reasons[i].text;
        }
    }
    return classes[status / 100 - 2];
}

/* --- fields -------------------------------------------------------------------- */

/* A line break in a value would begin a field or an answer of the value's author. */
static void append_value(struct buf *buf, struct bytes value)
{
    uint8_t *room = buf_reserve(buf, value.len);

    if (room == NULL) {
        return;
    }
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.data[i];

        room[i] = ((c < 0x20 && c != '\t') || c == 0x7f) ? ' ' : c;
    }
    buf->len += value.len;
}

static void append_field(struct buf *buf, const char *name, struct bytes value)
{
    buf_append_text(buf, name);
    buf_append(buf, ": ", 2);
    append_value(buf, value);
    buf_append(buf, "\r\n", 2);
}

static void append_number(struct buf *buf, uint64_t number, unsigned base)
{
    char digits[24];
    size_t at = sizeof digits;

    do {
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0);
    buf_append(buf, digits + at, sizeof digits - at);
}

void http_add_header(struct http_request *request, const char *name, struct bytes value)
{
    assert(request->state == HTTP_REQUEST_HANDLED || request->state == HTTP_REQUEST_RECEIVING);
    append_field(&request->fields, name, value);
}

/* --- the head of an answer ----------------------------------------------------- */

static bool may_have_body(const struct http_request *request, int status)
{
    return !request->is_head && status != 204 && status != 304;
}

static void append_connection(struct buf *buf, const struct http_request *request)
{
    if (http_connection_is_last(request->connection, request)) {
        buf_append_text(buf, "connection: close\r\n");
    } else if (request->head.minor == 0) {
        buf_append_text(buf, "connection: keep-alive\r\n");
    }
}

static void append_head(struct buf *buf, struct http_request *request, int status,
                        const char *content_type)
{
    buf_append_text(buf, "HTTP/1.1 ");
    append_number(buf, (uint64_t)status, 10);
    buf_append(buf, " ", 1);
    buf_append_text(buf, reason_of(status));
    buf_append_text(buf, "\r\ndate: ");
    buf_append_text(buf, http_server_date(request->server));
    buf_append(buf, "\r\n", 2);
    if (content_type != NULL) {
        append_field(buf, "content-type", bytes_of_text(content_type));
    }
    buf_append(buf, request->fields.data, request->fields.len);
    append_connection(buf, request);
    if (request->fields.failed) {
        buf->failed = true;
    }
}

/* An answer that lacks memory must not look like a whole one. */
static void turn(struct http_request *request, const struct buf *answer)
{
    struct http_connection *connection = request->connection;

    if (answer->failed) {
        http_connection_break(connection);
    }
    http_connection_answered(connection);
}

/* --- whole answers ------------------------------------------------------------- */

static void respond(struct http_request *request, int status, const char *content_type,
                    struct bytes body)
{
    struct buf *answer = http_connection_answer_of(request->connection, request);

    http_body_stop(request);
    (void)buf_reserve(answer, HEAD_BYTES + request->fields.len + body.len);
    append_head(answer, request, status, content_type);
    if (status != 204 && status != 304) {
        buf_append_text(answer, "content-length: ");
        append_number(answer, body.len, 10);
        buf_append(answer, "\r\n", 2);
    }
    buf_append(answer, "\r\n", 2);
    if (may_have_body(request, status)) {
        buf_append(answer, body.data, body.len);
    }
    http_request_move(request, HTTP_REQUEST_ANSWERED);
    turn(request, answer);
}

void http_respond(struct http_request *request, int status, const char *content_type,
                  struct bytes body)
{
    assert(request->state == HTTP_REQUEST_HANDLED);
    assert(status >= 200 && status <= 599);

    if (request->errand != NULL) {
        http_errand_respond(request->errand, status, content_type, body);
        return;
    }
    if (request->connection == NULL) {
        http_request_release(request);
        return;
    }
    respond(request, status, content_type, body);
}

/* `reason` is a sentence of ours: nothing in it needs escaping. Clients look for it under
 * either name. */
void http_request_refuse(struct http_request *request, int status, const char *reason)
{
    char body[320];
    int len = snprintf(body, sizeof body, "{\"Type\":\"%s\",\"Message\":\"%s\",\"message\":\"%s\"}",
                       (status >= 500) ? "Service" : "User", reason, reason);

    assert(len > 0 && (size_t)len < sizeof body);
    if (status == 503) {
        http_add_header(request, "retry-after", bytes_of_text(RETRY_AFTER_S));
    }
    request->is_keep_alive = false;
    if (request->errand != NULL) {
        http_errand_respond(request->errand, status, "application/json",
                            bytes_of(body, (size_t)len));
    } else {
        respond(request, status, "application/json", bytes_of(body, (size_t)len));
    }
}

/* --- answers in pieces --------------------------------------------------------- */

static void end_behind(struct http_request *request)
{
    if (request->connection->receiving != request) {
        http_connection_drain(request->connection); /* else when the body has ended */
    }
}

void http_begin(struct http_request *request, int status, const char *content_type)
{
    struct buf *answer;

    assert(status >= 200 && status <= 599);
    if (request->errand != NULL) {
        http_errand_begin(request->errand, status, content_type);
        return;
    }
    http_request_move(request, HTTP_REQUEST_STREAMING);
    if (request->connection == NULL) {
        return;
    }
    request->is_chunked = request->head.minor == 1;
    if (!request->is_chunked) {
        request->is_keep_alive = false; /* its end is the connection's */
        end_behind(request);
    }
    if (!may_have_body(request, status)) {
        request->is_head = true;
    }
    answer = http_connection_answer_of(request->connection, request);
    append_head(answer, request, status, content_type);
    buf_append_text(answer, request->is_chunked && status != 204 && status != 304
                                ? "transfer-encoding: chunked\r\n\r\n"
                                : "\r\n");
    turn(request, answer);
}

void http_request_cut(struct http_request *request)
{
    request->is_cut = true;
    request->is_gone_told = true; /* by our "no" */
    if (request->errand != NULL) {
        http_errand_cut(request->errand);
    } else if (request->connection != NULL) {
        http_connection_break(request->connection);
    }
}

static bool may_send(struct http_request *request)
{
    return request->connection != NULL &&
           http_connection_unread(request->connection, request) <= HTTP_UNREAD_BYTES_MAX;
}

static bool send_piece(struct http_request *request, struct bytes piece)
{
    struct buf *answer;

    if (piece.len == 0 || request->is_head) {
        return true;
    }
    answer = http_connection_answer_of(request->connection, request);
    if (request->is_chunked) {
        append_number(answer, piece.len, 16);
        buf_append(answer, "\r\n", 2);
    }
    buf_append(answer, piece.data, piece.len);
    if (request->is_chunked) {
        buf_append(answer, "\r\n", 2);
    }
    if (answer->failed) {
        return false;
    }
    http_connection_answered(request->connection);
    return true;
}

bool http_send(struct http_request *request, struct bytes piece)
{
    bool is_sent;

    assert(request->state == HTTP_REQUEST_STREAMING && !request->is_cut);
    is_sent = (request->errand != NULL) ? http_errand_send(request->errand, piece)
                                        : may_send(request) && send_piece(request, piece);
    if (!is_sent) {
        http_request_cut(request);
    }
    return is_sent;
}

void http_request_send(struct http_request *request, struct bytes piece)
{
    if (request->connection != NULL && !send_piece(request, piece)) {
        http_connection_break(request->connection);
    }
}

size_t http_unread(struct http_request *request)
{
    if (request->errand != NULL) {
        return http_errand_unread(request->errand);
    }
    return (request->connection == NULL) ? 0 : http_connection_unread(request->connection, request);
}

void http_call_when_read(struct http_request *request, size_t below, void (*on_read)(void *user))
{
    assert(request->state == HTTP_REQUEST_STREAMING && below > 0);
    request->unread_below = below;
    request->on_read = on_read;
    if (request->errand != NULL) {
        http_errand_call_when_read(request->errand, below);
    } else if (request->connection != NULL) {
        http_connection_visit_later(request->connection);
    }
}

void http_end(struct http_request *request)
{
    struct buf *answer;

    assert(request->state == HTTP_REQUEST_STREAMING);
    request->on_read = NULL;
    if (request->errand != NULL) {
        http_errand_end(request->errand);
        return;
    }
    if (request->connection == NULL) {
        http_request_release(request);
        return;
    }
    http_body_stop(request);
    answer = http_connection_answer_of(request->connection, request);
    if (request->is_chunked && !request->is_head && !request->is_cut) {
        buf_append_text(answer, "0\r\n\r\n");
    }
    http_request_move(request, HTTP_REQUEST_ANSWERED);
    turn(request, answer);
}
