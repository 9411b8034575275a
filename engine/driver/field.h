/* Fields of a sealed record: numbers are little-endian, a text is its length (u32), its
 * bytes and a zero byte. Reading checks everything and believes nothing, also of what was
 * sealed by ourselves. */
#ifndef ENGINE_DRIVER_FIELD_H
#define ENGINE_DRIVER_FIELD_H

#include "engine/base/bytes.h"

/* --- writing: appends; buf->failed tells of lack of memory ------------------------------ */

void field_put_number(struct buf *buf, uint64_t value, size_t len);
void field_put_bytes(struct buf *buf, struct bytes bytes);
void field_put_text(struct buf *buf, const char *text); /* NULL is another one than "" */

/* --- reading ---------------------------------------------------------------------------- */

struct field_cursor {
    const uint8_t *at;
    size_t left;
    bool is_bad; /* from here on everything is zero */
};

/* So many bytes, or NULL. */
const uint8_t *field_take(struct field_cursor *cursor, size_t len);
uint64_t field_number(struct field_cursor *cursor, size_t len);
uint32_t field_u32(struct field_cursor *cursor);
/* They point into what is read, and a zero byte is behind them. */
struct bytes field_bytes(struct field_cursor *cursor);
const char *field_text(struct field_cursor *cursor);

/* A record begins with its format, a number from 1 to `format_max`. */
struct field_cursor field_open(struct bytes bytes, uint64_t format_max, uint64_t *ret_format);
/* 0, or ERR_CORRUPT when there was less or more than was read. */
int field_check_end(const struct field_cursor *cursor, const char *what);

#endif /* ENGINE_DRIVER_FIELD_H */
