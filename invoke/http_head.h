/* The head of a request: its request line and header fields, read strictly.
 *
 * Bytes come in pieces of any size and are kept as one text, which the fields
 * point into. Whatever two readers could understand differently is refused here
 * (RFC 9112 sections 2.2, 3 and 5): a line that does not end in CR LF, a folded
 * line, a space before the colon, a second Host. What the head says about the body
 * is judged by http_parser.h.
 *
 * The trailers behind a chunked body are read by the same rules. */
#ifndef INVOKE_HTTP_HEAD_H
#define INVOKE_HTTP_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/bytes.h"

enum {
    HTTP_LINE_BYTES_MAX = 8192,  /* of the request line, without CR LF */
    HTTP_HEAD_BYTES_MAX = 16384, /* of everything up to the empty line, with it */
    HTTP_FIELDS_MAX = 100,
    HTTP_METHOD_BYTES_MAX = 32,
};

/* A run of bytes of the text. */
struct http_span {
    uint16_t at;
    uint16_t len;
};

struct http_field {
    struct http_span name; /* in lower case */
    struct http_span value;
};

struct http_head {
    struct buf text;
    struct http_span method;
    struct http_span path;
    struct http_span query;
    struct http_span authority; /* of a target in absolute form, else empty */
    uint16_t line_at;           /* the line being read */
    uint16_t fields_at;         /* behind the request line; 0 before it is complete */
    uint16_t field_count;
    uint8_t minor; /* of the version: HTTP/1.0 or HTTP/1.1 */
    bool is_blank_seen;
    uint16_t trailer_bytes_max; /* 0: it is a head, not the trailers of one */
    const char *reason;         /* why it was refused, a sentence */
    struct http_field fields[HTTP_FIELDS_MAX];
};

/* Makes it ready for the next request; the text's memory stays. */
void http_head_reset(struct http_head *head);

/* Makes it ready for the trailers behind a chunked body: lines like those of a head, in
 * all at most so many bytes (with the empty line). What tells how a message is framed,
 * routed or allowed has come too late there and is refused. */
void http_head_reset_to_trailers(struct http_head *head, uint16_t bytes_max);
void http_head_fini(struct http_head *head);

#define HTTP_HEAD_DONE 1

/* Takes what belongs to the head and says how much that was. Returns 0: more is
 * needed; HTTP_HEAD_DONE: it is complete and well-formed; 400 and above: refuse
 * the request with this status, for `reason`. */
int http_head_feed(struct http_head *head, const uint8_t *data, size_t len, size_t *ret_used);

static inline struct bytes http_head_bytes(const struct http_head *head, struct http_span span)
{
    return bytes_of(head->text.data + span.at, span.len);
}

/* The n-th field of this name (in lower case), or data NULL. */
struct bytes http_head_field(const struct http_head *head, const char *lower_name, unsigned n);

/* Whether two texts are the same but for the case of ASCII letters. */
bool http_text_equal(struct bytes a, const char *b);

#endif /* INVOKE_HTTP_HEAD_H */
