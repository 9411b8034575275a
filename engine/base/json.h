/* Writing JSON without a tree, into a growing buffer. Commas are kept by the
 * caller's order of calls: json_key() and json_element() put one when needed.
 *
 *     json_open(&b, '{'); json_key(&b, "Name"); json_quoted(&b, name); json_close(&b, '}'); */
#ifndef ENGINE_BASE_JSON_H
#define ENGINE_BASE_JSON_H

#include "engine/base/bytes.h"

void json_open(struct buf *buf, char bracket);  /* '{' or '[' */
void json_close(struct buf *buf, char bracket); /* '}' or ']' */

/* Puts a comma unless this is the first member, then "key":. */
void json_key(struct buf *buf, const char *key);
/* Puts a comma unless this is the first element of the array. */
void json_element(struct buf *buf);

/* A string value. Bytes that are not UTF-8 become U+FFFD (RFC 8259 section 8.1). */
void json_quoted(struct buf *buf, struct bytes text);
void json_text(struct buf *buf, const char *text);
void json_int(struct buf *buf, int64_t value);
void json_bool(struct buf *buf, bool value);
/* Epoch milliseconds as fractional seconds: 1764802628.83, as Lambda's API has it. */
void json_seconds(struct buf *buf, int64_t time_ms);

#endif /* ENGINE_BASE_JSON_H */
