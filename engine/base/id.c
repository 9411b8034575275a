#include "engine/base/id.h"

struct id id_make(int64_t time_ms, uint8_t shard, uint32_t counter, struct prng *prng)
{
    struct id id;
    uint64_t random = prng_next(prng);

    for (int i = 0; i < 6; i++) {
        id.bytes[i] = (uint8_t)((uint64_t)time_ms >> (40 - 8 * i));
    }
    id.bytes[6] = (uint8_t)(0x70U | ((counter >> 8) & 0x0FU));
    id.bytes[7] = (uint8_t)counter;
    memcpy(id.bytes + 8, &random, sizeof random);
    id.bytes[8] = (uint8_t)(0x80U | (id.bytes[8] & 0x3FU));
    id.bytes[9] = shard;
    return id;
}

static bool is_dash_place(int place)
{
    return place == 8 || place == 13 || place == 18 || place == 23;
}

void id_format(const struct id *id, char text[ID_TEXT_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    int at = 0;

    for (int i = 0; i < 16; i++) {
        if (is_dash_place(at)) {
            text[at++] = '-';
        }
        text[at++] = digits[id->bytes[i] >> 4];
        text[at++] = digits[id->bytes[i] & 0x0F];
    }
    text[at] = '\0';
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return -1;
}

bool id_parse(const char *text, size_t len, struct id *ret_id)
{
    struct id id;
    int at = 0;

    if (len != ID_TEXT_LEN) {
        return false;
    }
    for (int i = 0; i < 16; i++) {
        int high;
        int low;

        if (is_dash_place(at) && text[at++] != '-') {
            return false;
        }
        high = digit_value(text[at++]);
        low = digit_value(text[at++]);
        if (high < 0 || low < 0) {
            return false;
        }
        id.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *ret_id = id;
    return true;
}
