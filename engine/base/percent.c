#include "engine/base/percent.h"

int percent_take(struct bytes *rest)
{
    int c = rest->data[0];
    size_t len = 1;

    if (c == '%') {
        int high = (rest->len > 2) ? percent_hex(rest->data[1]) : -1;
        int low = (high >= 0) ? percent_hex(rest->data[2]) : -1;

        if (low < 0) {
            return -1;
        }
        c = high << 4 | low;
        len = 3;
    }
    *rest = bytes_of(rest->data + len, rest->len - len);
    return c;
}

bool percent_is_well_formed(struct bytes text)
{
    while (text.len > 0) {
        const uint8_t *mark = memchr(text.data, '%', text.len);

        if (mark == NULL) {
            return true;
        }
        text = bytes_of(mark, text.len - (size_t)(mark - text.data));
        if (percent_take(&text) < 0) {
            return false;
        }
    }
    return true;
}

struct bytes percent_decode(struct bytes text, struct arena *arena)
{
    uint8_t *decoded = arena_alloc(arena, text.len + 1);
    size_t len = 0;

    if (decoded == NULL) {
        return (struct bytes){0};
    }
    while (text.len > 0) {
        int c = percent_take(&text);

        if (c < 0) {
            return (struct bytes){0};
        }
        decoded[len++] = (uint8_t)c;
    }
    decoded[len] = 0;
    return bytes_of(decoded, len);
}
