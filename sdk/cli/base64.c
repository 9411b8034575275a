#include "sdk/cli/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void cli_base64_append(struct buf *buf, struct bytes data)
{
    size_t len = (data.len + 2) / 3 * 4;
    uint8_t *out = buf_reserve(buf, len);

    if (out == NULL) {
        return;
    }
    buf->len += len;
    for (size_t i = 0; i < data.len; i += 3) {
        size_t left = data.len - i;
        uint32_t group = (uint32_t)data.data[i] << 16;

        group |= (left > 1) ? (uint32_t)data.data[i + 1] << 8 : 0;
        group |= (left > 2) ? (uint32_t)data.data[i + 2] : 0;
        *out++ = (uint8_t)digits[group >> 18];
        *out++ = (uint8_t)digits[(group >> 12) & 63];
        *out++ = (left > 1) ? (uint8_t)digits[(group >> 6) & 63] : '=';
        *out++ = (left > 2) ? (uint8_t)digits[group & 63] : '=';
    }
}

static int digit_value(uint8_t c)
{
    const char *place = (c != 0) ? strchr(digits, c) : NULL;

    return (place != NULL) ? (int)(place - digits) : -1;
}

bool cli_base64_decode(struct buf *buf, struct bytes text)
{
    uint32_t group = 0;
    size_t padding = 0;

    while (padding < 2 && padding < text.len && text.data[text.len - 1 - padding] == '=') {
        padding++;
    }
    if (text.len % 4 != 0) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        int value = (i < text.len - padding) ? digit_value(text.data[i]) : 0;

        if (value < 0) {
            return false;
        }
        group = group << 6 | (uint32_t)value;
        if (i % 4 == 3) {
            uint8_t out[3] = {(uint8_t)(group >> 16), (uint8_t)(group >> 8), (uint8_t)group};

            buf_append(buf, out, (i + 1 == text.len) ? 3 - padding : 3);
        }
    }
    return true;
}
