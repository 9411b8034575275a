#include "engine/base/json.h"

void json_open(struct buf *buf, char bracket)
{
    buf_append(buf, &bracket, 1);
}

void json_close(struct buf *buf, char bracket)
{
    buf_append(buf, &bracket, 1);
}

void json_element(struct buf *buf)
{
    uint8_t last = (buf->len > 0) ? buf->data[buf->len - 1] : '[';

    if (last != '[' && last != '{') {
        buf_append(buf, ",", 1);
    }
}

void json_key(struct buf *buf, const char *key)
{
    json_element(buf);
    buf_append(buf, "\"", 1);
    buf_append_text(buf, key);
    buf_append(buf, "\":", 2);
}

/* Length of the well-formed UTF-8 sequence at the start of `text`, or 0
 * (RFC 3629 section 4). */
static size_t utf8_len(struct bytes text)
{
    static const uint32_t min[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = text.data[0];
    size_t len = (first < 0x80) ? 1 : (first >= 0xF0) ? 4 : (first >= 0xE0) ? 3 : 2;
    uint32_t point = (len == 1) ? first : first & (0xFFU >> (len + 1));

    if ((first >= 0x80 && first < 0xC2) || first > 0xF4 || len > text.len) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((text.data[i] & 0xC0) != 0x80) {
            return 0;
        }
        point = (point << 6) | (text.data[i] & 0x3F);
    }
    if (point < min[len] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) {
        return 0;
    }
    return len;
}

static void append_escaped(struct buf *buf, uint8_t byte)
{
    switch (byte) {
    case '"':
        buf_append(buf, "\\\"", 2);
        break;
    case '\\':
        buf_append(buf, "\\\\", 2);
        break;
    case '\n':
        buf_append(buf, "\\n", 2);
        break;
    case '\r':
        buf_append(buf, "\\r", 2);
        break;
    case '\t':
        buf_append(buf, "\\t", 2);
        break;
    default:
        buf_printf(buf, "\\u%04x", byte);
        break;
    }
}

void json_quoted(struct buf *buf, struct bytes text)
{
    size_t from = 0;
    size_t at = 0;

    buf_append(buf, "\"", 1);
    while (at < text.len) {
        uint8_t byte = text.data[at];
        size_t len;

        if (byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\') {
            at++;
            continue;
        }
        len = utf8_len(bytes_of(text.data + at, text.len - at));
        if (byte >= 0x80 && len > 0) {
            at += len;
            continue;
        }
        buf_append(buf, text.data + from, at - from);
        if (byte >= 0x80) {
            buf_append(buf, "\xEF\xBF\xBD", 3);
        } else {
            append_escaped(buf, byte);
        }
        from = ++at;
    }
    buf_append(buf, text.data + from, at - from);
    buf_append(buf, "\"", 1);
}

void json_text(struct buf *buf, const char *text)
{
    json_quoted(buf, bytes_of_text(text));
}

#define DIGITS_MAX 20U /* of 64 bits */

/* At least `width` of them. */
static void append_digits(struct buf *buf, uint64_t number, size_t width)
{
    char digits[DIGITS_MAX];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0 || sizeof digits - at < width);
    buf_append(buf, digits + at, sizeof digits - at);
}

/* Returns what is left without its sign. */
static uint64_t append_sign(struct buf *buf, int64_t value)
{
    if (value >= 0) {
        return (uint64_t)value;
    }
    buf_append(buf, "-", 1);
    return 0 - (uint64_t)value;
}

void json_int(struct buf *buf, int64_t value)
{
    append_digits(buf, append_sign(buf, value), 1);
}

void json_bool(struct buf *buf, bool value)
{
    buf_append_text(buf, value ? "true" : "false");
}

void json_seconds(struct buf *buf, int64_t time_ms)
{
    uint64_t ms = append_sign(buf, time_ms);

    append_digits(buf, ms / 1000, 1);
    buf_append(buf, ".", 1);
    append_digits(buf, ms % 1000, 3);
}
