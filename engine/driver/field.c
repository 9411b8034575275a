#include "engine/driver/field.h"

#include "engine/base/err.h"

#define TEXT_NONE UINT32_MAX /* in place of a length: NULL */

void field_put_number(struct buf *buf, uint64_t value, size_t len)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    buf_append(buf, bytes, len);
}

void field_put_bytes(struct buf *buf, struct bytes bytes)
{
    field_put_number(buf, bytes.len, 4);
    buf_append(buf, bytes.data, bytes.len);
    field_put_number(buf, 0, 1);
}

void field_put_text(struct buf *buf, const char *text)
{
    if (text == NULL) {
        field_put_number(buf, TEXT_NONE, 4);
    } else {
        field_put_bytes(buf, bytes_of_text(text));
    }
}

/* --- reading ---------------------------------------------------------------------------- */

const uint8_t *field_take(struct field_cursor *cursor, size_t len)
{
    const uint8_t *at = cursor->at;

    if (cursor->is_bad || len > cursor->left) {
        cursor->is_bad = true;
        return NULL;
    }
    cursor->at += len;
    cursor->left -= len;
    return at;
}

uint64_t field_number(struct field_cursor *cursor, size_t len)
{
    const uint8_t *at = field_take(cursor, len);
    uint64_t value = 0;

    for (size_t i = 0; at != NULL && i < len; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

uint32_t field_u32(struct field_cursor *cursor)
{
    return (uint32_t)field_number(cursor, 4);
}

static struct bytes take_bytes(struct field_cursor *cursor, size_t len)
{
    const uint8_t *at = field_take(cursor, len);

    if (field_number(cursor, 1) != 0) {
        cursor->is_bad = true;
    }
    return cursor->is_bad ? bytes_of(NULL, 0) : bytes_of(at, len);
}

struct bytes field_bytes(struct field_cursor *cursor)
{
    uint32_t len = field_u32(cursor);

    return take_bytes(cursor, len);
}

const char *field_text(struct field_cursor *cursor)
{
    uint32_t len = field_u32(cursor);
    struct bytes bytes;

    if (len == TEXT_NONE) {
        return NULL;
    }
    bytes = take_bytes(cursor, len);
    if (bytes.data != NULL && memchr(bytes.data, '\0', bytes.len) != NULL) {
        cursor->is_bad = true;
    }
    return cursor->is_bad ? NULL : (const char *)bytes.data;
}

struct field_cursor field_open(struct bytes bytes, uint64_t format_max, uint64_t *ret_format)
{
    struct field_cursor cursor = {.at = bytes.data, .left = bytes.len};
    uint64_t format = field_number(&cursor, 1);

    if (format < 1 || format > format_max) {
        cursor.is_bad = true;
    }
    *ret_format = format;
    return cursor;
}

int field_check_end(const struct field_cursor *cursor, const char *what)
{
    if (cursor->is_bad || cursor->left != 0) {
        return ERR(ERR_CORRUPT, "the record of %s does not have the expected form", what);
    }
    return 0;
}
