#include "invoke/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_append(struct buf *buf, struct bytes data)
{
    uint8_t *out = buf_reserve(buf, (data.len + 2) / 3 * 4);

    if (out == NULL) {
        return;
    }
    for (size_t i = 0; i < data.len; i += 3) {
        size_t left = data.len - i;
        uint32_t bits = (uint32_t)data.data[i] << 16;

        bits |= (left > 1) ? (uint32_t)data.data[i + 1] << 8 : 0;
        bits |= (left > 2) ? (uint32_t)data.data[i + 2] : 0;
        *out++ = (uint8_t)alphabet[bits >> 18];
        *out++ = (uint8_t)alphabet[(bits >> 12) & 63U];
        *out++ = (uint8_t)((left > 1) ? alphabet[(bits >> 6) & 63U] : '=');
        *out++ = (uint8_t)((left > 2) ? alphabet[bits & 63U] : '=');
    }
    buf->len += (data.len + 2) / 3 * 4;
}

/* The number of a character, or 64 when it has none. */
static uint32_t number_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - (uint32_t)'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - (uint32_t)'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - (uint32_t)'0' + 52;
    }
    return (c == '+') ? 62 : (c == '/') ? 63 : 64;
}

static bool decode_group(const uint8_t *in, size_t chars, uint8_t *out)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < 4; i++) {
        uint32_t number = (i < chars) ? number_of(in[i]) : 0;

        if (number == 64) {
            return false;
        }
        bits = bits << 6 | number;
    }
    for (size_t i = 0; i + 1 < chars; i++) {
        out[i] = (uint8_t)(bits >> (16 - 8 * i));
    }
    return (chars == 4) || (bits & ((chars == 3) ? 0xFFU : 0xFFFFU)) == 0;
}

bool base64_decode(struct buf *buf, struct bytes text)
{
    size_t padding = 0;
    size_t groups = text.len / 4;
    uint8_t *out;

    if (text.len % 4 != 0) {
        return false;
    }
    while (padding < 2 && padding < text.len && text.data[text.len - 1 - padding] == '=') {
        padding++;
    }
    out = buf_reserve(buf, groups * 3);
    for (size_t i = 0; out != NULL && i < groups; i++) {
        size_t chars = (i + 1 == groups) ? 4 - padding : 4;

        if (!decode_group(text.data + 4 * i, chars, out + 3 * i)) {
            return false;
        }
    }
    buf->len += (out != NULL) ? groups * 3 - padding : 0;
    return true;
}
