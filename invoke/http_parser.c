#include "invoke/http_parser.h"

#include <assert.h>

#include "engine/base/list.h"

/* In its loose mode llhttp takes "5 CR x" for the end of a line and skips any two
 * bytes behind a chunk: a way to smuggle. */
#if !LLHTTP_STRICT_MODE
#error "build llhttp and its users with -DLLHTTP_STRICT_MODE=1"
#endif

#define STATUS_BAD 400
#define STATUS_TOO_LARGE 413
#define STATUS_NO_MEMORY 503

static int refuse(struct http_parser *parser, int status, const char *reason)
{
    parser->status = status;
    parser->reason = reason;
    return status;
}

static struct http_parser *owner_of(llhttp_t *llhttp)
{
    return container_of(llhttp, struct http_parser, llhttp);
}

/* --- what llhttp reports ------------------------------------------------------- */

static int on_headers_complete(llhttp_t *llhttp)
{
    struct http_parser *parser = owner_of(llhttp);

    llhttp->upgrade = 0; /* an offer we do not take up: RFC 9110 section 7.8 */
    parser->is_keep_alive = llhttp_should_keep_alive(llhttp) != 0;
    parser->is_chunked = (llhttp->flags & F_CHUNKED) != 0;
    parser->body_bytes = parser->is_chunked ? 0 : llhttp->content_length;
    parser->part = HTTP_PART_BODY;
    return 0;
}

static int on_message_complete(llhttp_t *llhttp)
{
    owner_of(llhttp)->part = HTTP_PART_DONE;
    return HPE_PAUSED;
}

static int on_body(llhttp_t *llhttp, const char *data, size_t len)
{
    struct http_parser *parser = owner_of(llhttp);

    if (len > parser->body_bytes_max - parser->body_bytes_seen) {
        refuse(parser, STATUS_TOO_LARGE, HTTP_BODY_TOO_LARGE);
        return HPE_USER;
    }
    parser->body_bytes_seen += len;
    buf_append(parser->body, data, len);
    if (parser->body->failed) {
        refuse(parser, STATUS_NO_MEMORY, "Out of memory.");
        return HPE_USER;
    }
    return 0;
}

/* The size of a chunk is known, its data is not read yet. */
static int on_chunk_header(llhttp_t *llhttp)
{
    struct http_parser *parser = owner_of(llhttp);

    parser->extension_bytes = 0;
    parser->has_extension_name = false;
    if (llhttp->content_length > parser->body_bytes_max - parser->body_bytes_seen) {
        refuse(parser, STATUS_TOO_LARGE, HTTP_BODY_TOO_LARGE);
        return HPE_USER;
    }
    if (llhttp->content_length == 0) {
        parser->part = HTTP_PART_LAST_CHUNK;
        return HPE_PAUSED;
    }
    return 0;
}

static int count_extension(llhttp_t *llhttp, size_t len)
{
    struct http_parser *parser = owner_of(llhttp);

    if (len > HTTP_CHUNK_EXTENSION_BYTES_MAX - parser->extension_bytes) {
        refuse(parser, STATUS_BAD, "A chunk's extensions are longer than 64 bytes.");
        return HPE_USER;
    }
    parser->extension_bytes += (unsigned)len;
    return 0;
}

static int on_extension(llhttp_t *llhttp, const char *data, size_t len)
{
    (void)data;
    return count_extension(llhttp, len);
}

static int on_extension_name(llhttp_t *llhttp, const char *data, size_t len)
{
    (void)data;
    owner_of(llhttp)->has_extension_name |= len > 0;
    return count_extension(llhttp, len);
}

/* With the ';' before it. */
static int on_extension_name_complete(llhttp_t *llhttp)
{
    struct http_parser *parser = owner_of(llhttp);

    if (!parser->has_extension_name) {
        refuse(parser, STATUS_BAD, "A chunk's extension has no name.");
        return HPE_USER;
    }
    parser->has_extension_name = false;
    return count_extension(llhttp, 1);
}

/* With the '=' before it. */
static int on_extension_complete(llhttp_t *llhttp)
{
    return count_extension(llhttp, 1);
}

static const llhttp_settings_t settings = {
    .on_headers_complete = on_headers_complete,
    .on_message_complete = on_message_complete,
    .on_body = on_body,
    .on_chunk_header = on_chunk_header,
    .on_chunk_extension_name = on_extension_name,
    .on_chunk_extension_value = on_extension,
    .on_chunk_extension_name_complete = on_extension_name_complete,
    .on_chunk_extension_value_complete = on_extension_complete,
};

/* --- feeding ------------------------------------------------------------------- */

void http_parser_begin(struct http_parser *parser, struct http_head *head, struct buf *body)
{
    *parser = (struct http_parser){.part = HTTP_PART_HEAD, .head = head, .body = body};
    llhttp_init(&parser->llhttp, HTTP_REQUEST, &settings);
}

static int refuse_as_llhttp(struct http_parser *parser, enum llhttp_errno error)
{
    if (parser->status != 0) {
        return parser->status; /* by one of the callbacks above */
    }
    switch (error) {
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        return refuse(parser, STATUS_BAD, "Content-Length is there twice or with a coding.");
    case HPE_INVALID_CONTENT_LENGTH:
        return refuse(parser, STATUS_BAD, "The Content-Length header is malformed.");
    case HPE_INVALID_CHUNK_SIZE:
        return refuse(parser, STATUS_BAD, "A chunk's size is malformed.");
    default:
        return refuse(parser, STATUS_BAD, "The request is malformed.");
    }
}

static int parse(struct http_parser *parser, const uint8_t *data, size_t len, size_t *ret_used)
{
    enum llhttp_errno error = llhttp_execute(&parser->llhttp, (const char *)data, len);
    const char *stop;

    if (error == HPE_OK) {
        *ret_used = len;
        return 0;
    }
    stop = llhttp_get_error_pos(&parser->llhttp);
    *ret_used = (stop != NULL) ? (size_t)(stop - (const char *)data) : len;
    return (error == HPE_PAUSED) ? 0 : refuse_as_llhttp(parser, error);
}

/* llhttp knows only some methods and is laxer about targets than http_head.h: it
 * gets a request line of ours, with the version that decides on keep-alive. */
static int judge_head(struct http_parser *parser)
{
    const char *line = (parser->head->minor == 1) ? "POST / HTTP/1.1\r\n" : "POST / HTTP/1.0\r\n";
    const struct buf *text = &parser->head->text;
    size_t at = parser->head->fields_at;
    size_t used = 0;
    int r;

    r = parse(parser, (const uint8_t *)line, strlen(line), &used);
    if (r == 0) {
        r = parse(parser, text->data + at, text->len - at, &used);
    }
    if (r != 0) {
        return r;
    }
    if (parser->part == HTTP_PART_HEAD || used != text->len - at) {
        return refuse(parser, STATUS_BAD, "The request is malformed."); /* two readings of it */
    }
    return HTTP_PARSER_HEAD;
}

static int feed_head(struct http_parser *parser, const uint8_t *data, size_t len, size_t *ret_used)
{
    int r = http_head_feed(parser->head, data, len, ret_used);

    if (r == HTTP_HEAD_DONE) {
        return judge_head(parser);
    }
    return (r == 0) ? 0 : refuse(parser, r, parser->head->reason);
}

static int feed_trailers(struct http_parser *parser, const uint8_t *data, size_t len,
                         size_t *ret_used)
{
    size_t used;
    int r = http_head_feed(parser->trailers, data, len, &used);

    *ret_used += used;
    if (r == HTTP_HEAD_DONE) {
        parser->part = HTTP_PART_DONE;
        return 0;
    }
    return (r == 0) ? 0 : refuse(parser, r, parser->trailers->reason);
}

static int feed_last_chunk(struct http_parser *parser, const uint8_t *data, size_t len,
                           size_t *ret_used)
{
    size_t used = 0;

    if (parser->trailers != NULL) {
        return feed_trailers(parser, data, len, ret_used);
    }
    while (used < len && parser->last_seen < 2) {
        if (data[used++] != "\r\n"[parser->last_seen++]) {
            return refuse(parser, STATUS_BAD, "Trailers are not accepted.");
        }
    }
    *ret_used += used;
    if (parser->last_seen == 2) {
        parser->part = HTTP_PART_DONE;
    }
    return 0;
}

static int feed_body(struct http_parser *parser, const uint8_t *data, size_t len, size_t *ret_used)
{
    int r = 0;

    if (parser->part == HTTP_PART_BODY) {
        r = parse(parser, data, len, ret_used);
    }
    if (r == 0 && parser->part == HTTP_PART_LAST_CHUNK) {
        r = feed_last_chunk(parser, data + *ret_used, len - *ret_used, ret_used);
    }
    return (r == 0 && parser->part == HTTP_PART_DONE) ? HTTP_PARSER_DONE : r;
}

int http_parser_feed(struct http_parser *parser, const uint8_t *data, size_t len, size_t *ret_used)
{
    *ret_used = 0;
    assert(parser->part != HTTP_PART_DONE);

    if (parser->part == HTTP_PART_HEAD) {
        return feed_head(parser, data, len, ret_used);
    }
    return feed_body(parser, data, len, ret_used);
}

int http_parser_admit(struct http_parser *parser, size_t body_bytes_max)
{
    parser->body_bytes_max = body_bytes_max;
    if (parser->body_bytes > body_bytes_max) {
        return refuse(parser, STATUS_TOO_LARGE, HTTP_BODY_TOO_LARGE);
    }
    return (parser->part == HTTP_PART_DONE) ? HTTP_PARSER_DONE : HTTP_PARSER_MORE;
}
