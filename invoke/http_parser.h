/* One request after the other out of a stream of bytes: the head, then the body.
 *
 * http_head.h reads the head. llhttp, in its strict mode, then judges over the same
 * bytes what they say about the body (Content-Length, Transfer-Encoding,
 * Connection) and decodes the body; what it forgives is refused here on top. The
 * result never depends on how the bytes were cut into pieces. */
#ifndef INVOKE_HTTP_PARSER_H
#define INVOKE_HTTP_PARSER_H

#include <llhttp.h>

#include "invoke/http_head.h"

enum { HTTP_CHUNK_EXTENSION_BYTES_MAX = 64 };

#define HTTP_BODY_TOO_LARGE "The body is too large."

enum http_part {
    HTTP_PART_HEAD,
    HTTP_PART_BODY,
    HTTP_PART_LAST_CHUNK, /* behind "0 CR LF": trailers, if allowed, and CR LF */
    HTTP_PART_DONE,
};

struct http_parser {
    enum http_part part;
    struct http_head *head;
    struct buf *body;
    struct http_head *trailers; /* NULL: they are refused */
    size_t body_bytes_max;      /* from http_parser_admit() */
    size_t body_bytes_seen;
    uint64_t body_bytes; /* announced; 0 when chunked */
    bool is_chunked;
    bool is_keep_alive;
    const char *reason; /* why it was refused, a sentence */
    int status;         /* noted by a callback of llhttp */
    unsigned extension_bytes;
    bool has_extension_name; /* of the extension that is being read */
    unsigned last_seen;      /* of the last chunk's CR LF */
    llhttp_t llhttp;
};

/* The next request goes into `head` and `body`, which must be empty. Whoever takes the
 * body in pieces may empty it again after any call. */
void http_parser_begin(struct http_parser *parser, struct http_head *head, struct buf *body);

/* Conditions of http_parser_feed(). 400 and above: refuse the request with this
 * status, for `reason`; nothing more can be read from this stream. */
enum {
    HTTP_PARSER_MORE = 0,
    HTTP_PARSER_HEAD = 1, /* the head is complete: http_parser_admit(), then feed on */
    HTTP_PARSER_DONE = 2, /* the request is complete */
};
int http_parser_feed(struct http_parser *parser, const uint8_t *data, size_t len, size_t *ret_used);

/* At HTTP_PARSER_HEAD: allows a body of this size. Returns HTTP_PARSER_MORE: it is
 * still to come; HTTP_PARSER_DONE: there is none; or 413. */
int http_parser_admit(struct http_parser *parser, size_t body_bytes_max);

/* At HTTP_PARSER_HEAD: trailers are not refused but go into `trailers`, which has been
 * made ready for them. */
static inline void http_parser_take_trailers(struct http_parser *parser, struct http_head *trailers)
{
    parser->trailers = trailers;
}

#endif /* INVOKE_HTTP_PARSER_H */
