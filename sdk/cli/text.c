#include "sdk/cli/text.h"

#include <stdbool.h>

struct range {
    uint32_t first;
    uint32_t last;
};

static const struct range zero_width[] = {
    {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A},   {0x064B, 0x065F},
    {0x0E34, 0x0E3A}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200D},   {0x20D0, 0x20FF},
    {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF}, {0xE0100, 0xE01EF},
};

static const struct range double_width[] = {
    {0x1100, 0x115F},   {0x231A, 0x231B},   {0x23E9, 0x23EC},   {0x2705, 0x2705},
    {0x274C, 0x274C},   {0x2E80, 0x303E},   {0x3041, 0xA4CF},   {0xA960, 0xA97F},
    {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},
    {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F7E0, 0x1F7EB},
    {0x1F900, 0x1F9FF}, {0x1FA70, 0x1FAFF}, {0x20000, 0x3FFFD},
};

/* Bidirectional marks and overrides: they let a text look like another one. */
static const struct range hidden[] = {
    {0x200E, 0x200F},
    {0x2028, 0x202E},
    {0x2060, 0x2064},
    {0x2066, 0x206F},
};

static bool is_in(uint32_t point, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (point >= ranges[i].first && point <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

#define IS_IN(point, ranges) is_in((point), (ranges), sizeof(ranges) / sizeof *(ranges))

#define POINT_BROKEN UINT32_MAX

/* One character from the start of a non-empty text; its length in bytes, 1 for a
 * byte that is not UTF-8 (RFC 3629). */
static size_t next_point(struct bytes text, uint32_t *ret_point)
{
    static const uint32_t min[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = text.data[0];
    size_t len = (first < 0x80) ? 1 : (first >= 0xF0) ? 4 : (first >= 0xE0) ? 3 : 2;
    uint32_t point = (len == 1) ? first : first & (0xFFU >> (len + 1));

    *ret_point = POINT_BROKEN;
    if ((first >= 0x80 && first < 0xC2) || first > 0xF4 || len > text.len) {
        return 1;
    }
    for (size_t i = 1; i < len; i++) {
        if ((text.data[i] & 0xC0) != 0x80) {
            return 1;
        }
        point = (point << 6) | (text.data[i] & 0x3FU);
    }
    if (point < min[len] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) {
        return 1;
    }
    *ret_point = point;
    return len;
}

static size_t point_width(uint32_t point)
{
    if (IS_IN(point, zero_width)) {
        return 0;
    }
    return IS_IN(point, double_width) ? 2 : 1;
}

struct bytes cli_text_fit(struct bytes text, size_t columns)
{
    size_t at = 0;
    size_t used = 0;

    while (at < text.len) {
        uint32_t point;
        size_t len = next_point(bytes_of(text.data + at, text.len - at), &point);
        size_t width = point_width(point);

        if (used + width > columns) {
            break;
        }
        used += width;
        at += len;
    }
    return bytes_of(text.data, at);
}

size_t cli_text_width(struct bytes text)
{
    size_t width = 0;

    for (size_t at = 0; at < text.len;) {
        uint32_t point;

        at += next_point(bytes_of(text.data + at, text.len - at), &point);
        width += point_width(point);
    }
    return width;
}

static bool is_printable(uint32_t point)
{
    return point >= 0x20 && point != 0x7F && !(point >= 0x80 && point < 0xA0) &&
           point != POINT_BROKEN && !IS_IN(point, hidden);
}

void cli_text_append_clean(struct buf *buf, struct bytes text)
{
    for (size_t at = 0; at < text.len;) {
        uint32_t point;
        size_t len = next_point(bytes_of(text.data + at, text.len - at), &point);

        if (point == '\t' || point == '\n' || point == '\r') {
            buf_append(buf, " ", 1);
        } else if (is_printable(point)) {
            buf_append(buf, text.data + at, len);
        } else {
            buf_append(buf, "?", 1);
        }
        at += len;
    }
}
