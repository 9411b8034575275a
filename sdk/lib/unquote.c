/* The text of a JSON string (RFC 8259 section 7). */
#include "sdk/lib/context.h"

struct quoted {
    const char *at;
    const char *end;
};

static bool get_hex4(struct quoted *quoted, uint32_t *ret_unit)
{
    uint32_t unit = 0;

    if (quoted->end - quoted->at < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        char c = *quoted->at++;
        uint32_t digit;

        if (c >= '0' && c <= '9') {
            digit = (uint32_t)(c - '0');
        } else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
            digit = (uint32_t)((c | 0x20) - 'a') + 10;
        } else {
            return false;
        }
        unit = unit << 4 | digit;
    }
    *ret_unit = unit;
    return true;
}

static char *put_point(char *to, uint32_t point)
{
    if (point < 0x80) {
        *to++ = (char)point;
    } else if (point < 0x800) {
        *to++ = (char)(0xC0 | point >> 6);
        *to++ = (char)(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        *to++ = (char)(0xE0 | point >> 12);
        *to++ = (char)(0x80 | (point >> 6 & 0x3F));
        *to++ = (char)(0x80 | (point & 0x3F));
    } else {
        *to++ = (char)(0xF0 | point >> 18);
        *to++ = (char)(0x80 | (point >> 12 & 0x3F));
        *to++ = (char)(0x80 | (point >> 6 & 0x3F));
        *to++ = (char)(0x80 | (point & 0x3F));
    }
    return to;
}

/* After "\u". A C text cannot hold U+0000; it becomes U+FFFD, as does half a pair. */
static char *put_unit(struct quoted *quoted, char *to)
{
    uint32_t high;
    uint32_t low;

    if (!get_hex4(quoted, &high)) {
        return NULL;
    }
    if (high >= 0xD800 && high < 0xDC00 && quoted->end - quoted->at >= 6 && quoted->at[0] == '\\' &&
        quoted->at[1] == 'u') {
        quoted->at += 2;
        if (!get_hex4(quoted, &low)) {
            return NULL;
        }
        if (low >= 0xDC00 && low < 0xE000) {
            return put_point(to, 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00));
        }
        quoted->at -= 6;
    }
    return put_point(to, (high == 0 || (high >= 0xD800 && high < 0xE000)) ? 0xFFFD : high);
}

static char *put_escape(struct quoted *quoted, char *to)
{
    static const char from[] = "\"\\/bfnrt";
    static const char into[] = "\"\\/\b\f\n\r\t";
    const char *found;
    char c;

    if (quoted->at == quoted->end) {
        return NULL;
    }
    c = *quoted->at++;
    if (c == 'u') {
        return put_unit(quoted, to);
    }
    found = (c != '\0') ? strchr(from, c) : NULL;
    if (found == NULL) {
        return NULL;
    }
    *to++ = into[found - from];
    return to;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Without white space around it and the quotes; false when these are not there. */
static bool strip(struct pawl_value value, struct quoted *ret_quoted)
{
    const char *at = value.data;
    const char *end = at;

    if (value.data == NULL) {
        return false;
    }
    end += value.len;
    while (at < end && is_space(*at)) {
        at++;
    }
    while (at < end && is_space(end[-1])) {
        end--;
    }
    *ret_quoted = (struct quoted){at + 1, end - 1};
    return end - at >= 2 && *at == '"' && end[-1] == '"';
}

char *pawl_json_unquote(struct pawl_context *ctx, struct pawl_value value)
{
    struct quoted quoted;
    char *text;
    char *to;

    if (!strip(value, &quoted)) {
        return NULL;
    }
    /* No escape is shorter than what it stands for, but U+0000 of six is three. */
    text = pawl_alloc(ctx, (size_t)(quoted.end - quoted.at) + 1);
    to = text;
    while (quoted.at < quoted.end) {
        char c = *quoted.at++;

        if (c == '"' || (unsigned char)c < 0x20) {
            return NULL;
        }
        if (c != '\\') {
            *to++ = c;
            continue;
        }
        to = put_escape(&quoted, to);
        if (to == NULL) {
            return NULL;
        }
    }
    return text;
}
