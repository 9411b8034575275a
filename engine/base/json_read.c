#include "engine/base/json_read.h"

void json_read_begin(struct json_reader *reader, struct bytes text, struct arena *arena)
{
    *reader = (struct json_reader){.at = text.data, .end = text.data + text.len, .arena = arena};
}

static bool lose(struct json_reader *reader)
{
    reader->is_lost = true;
    reader->at = reader->end;
    return false;
}

bool json_read_is_whole(const struct json_reader *reader)
{
    return !reader->is_lost;
}

/* What comes next, behind blanks; 0 at the end. */
static uint8_t look(struct json_reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' ||
                                        *reader->at == '\t' || *reader->at == '\r')) {
        reader->at++;
    }
    return (reader->at < reader->end) ? *reader->at : 0;
}

static bool take(struct json_reader *reader, uint8_t wanted)
{
    if (look(reader) != wanted) {
        return false;
    }
    reader->at++;
    return true;
}

bool json_read_open(struct json_reader *reader, char bracket)
{
    return take(reader, (uint8_t)bracket) || lose(reader);
}

/* The scan has seen that commas are where they belong. */
static bool has_next(struct json_reader *reader, uint8_t bracket)
{
    (void)take(reader, ',');
    if (take(reader, bracket)) {
        return false;
    }
    return reader->at < reader->end || lose(reader);
}

bool json_read_element(struct json_reader *reader)
{
    return has_next(reader, ']');
}

/* --- strings ------------------------------------------------------------------------- */

/* As it is written, between its quotes. */
static bool take_written(struct json_reader *reader, struct bytes *ret_text, bool *ret_is_escaped)
{
    const uint8_t *from;
    const uint8_t *at;

    *ret_is_escaped = false;
    if (!take(reader, '"')) {
        return lose(reader);
    }
    from = reader->at;
    for (at = from; at < reader->end && *at != '"'; at++) {
        if (*at == '\\' && at + 1 < reader->end) {
            *ret_is_escaped = true;
            at++;
        }
    }
    if (at == reader->end) {
        return lose(reader);
    }
    *ret_text = bytes_of(from, (size_t)(at - from));
    reader->at = at + 1;
    return true;
}

bool json_read_name(struct json_reader *reader, struct bytes *ret_name)
{
    bool is_escaped;

    return has_next(reader, '}') && take_written(reader, ret_name, &is_escaped) &&
           (take(reader, ':') || lose(reader));
}

/* The four digits at `text` behind "\u", or UINT32_MAX. */
static uint32_t unit_of(const uint8_t *text, const uint8_t *end)
{
    uint32_t unit = 0;

    if (end - text < 6 || text[0] != '\\' || text[1] != 'u') {
        return UINT32_MAX;
    }
    for (int i = 2; i < 6; i++) {
        uint8_t c = text[i];

        unit = unit << 4 | (uint32_t)((c <= '9') ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return unit;
}

static size_t put_utf8(uint8_t *out, uint32_t point)
{
    size_t len = (point < 0x80) ? 1 : (point < 0x800) ? 2 : (point < 0x10000) ? 3 : 4;
    static const uint8_t firsts[] = {0, 0, 0xC0, 0xE0, 0xF0};

    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (point & 0x3F));
        point >>= 6;
    }
    out[0] = (uint8_t)(firsts[len] | point);
    return len;
}

/* One character, of one "\uXXXX" or two. Returns how long that is, 0 where it is a half. */
static size_t decode_unit(const uint8_t *text, const uint8_t *end, uint32_t *ret_point)
{
    uint32_t first = unit_of(text, end);
    uint32_t second;

    if (first < 0xD800 || (first > 0xDFFF && first <= 0xFFFF)) {
        *ret_point = first;
        return 6;
    }
    second = (first <= 0xDBFF) ? unit_of(text + 6, end) : UINT32_MAX;
    if (second < 0xDC00 || second > 0xDFFF) {
        return 0;
    }
    *ret_point = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
    return 12;
}

/* What the escape at `text` stands for goes to `out`. Returns how long it is, or 0. */
static size_t decode_escape(const uint8_t *text, const uint8_t *end, uint8_t *out, size_t *len)
{
    static const char letters[] = "bfnrt";
    static const char meanings[] = "\b\f\n\r\t";
    const char *letter = strchr(letters, text[1]);
    uint32_t point;
    size_t used;

    if (text[1] != 'u') {
        out[(*len)++] = (letter != NULL) ? (uint8_t)meanings[letter - letters] : text[1];
        return 2;
    }
    used = decode_unit(text, end, &point);
    if (used > 0) {
        *len += put_utf8(out + *len, point);
    }
    return used;
}

/* It becomes no longer than it is written. */
static bool decode(struct json_reader *reader, struct bytes written, struct bytes *ret_text)
{
    uint8_t *out = arena_alloc(reader->arena, written.len);
    const uint8_t *end = written.data + written.len;
    size_t len = 0;

    if (out == NULL) {
        return lose(reader);
    }
    for (const uint8_t *at = written.data; at < end;) {
        size_t used = 1;

        if (*at == '\\') {
            used = decode_escape(at, end, out, &len);
        } else {
            out[len++] = *at;
        }
        if (used == 0) {
            return lose(reader);
        }
        at += used;
    }
    *ret_text = bytes_of(out, len);
    return true;
}

bool json_read_string(struct json_reader *reader, struct bytes *ret_text)
{
    struct bytes written;
    bool is_escaped;

    if (!take_written(reader, &written, &is_escaped)) {
        return false;
    }
    if (is_escaped) {
        return decode(reader, written, ret_text);
    }
    *ret_text = written;
    return true;
}

/* --- members ------------------------------------------------------------------------- */

bool json_read_member(struct json_reader *reader, struct bytes name,
                      const struct json_member *members, size_t count, struct bytes *texts)
{
    for (size_t i = 0; i < count; i++) {
        if (name.len == members[i].name_len && memcmp(name.data, members[i].name, name.len) == 0) {
            return texts[i].data == NULL && json_read_string(reader, &texts[i]) &&
                   texts[i].len <= members[i].max;
        }
    }
    return false;
}

bool json_read_members(struct json_reader *reader, const struct json_member *members, size_t count,
                       struct bytes *texts)
{
    struct bytes name;

    if (!json_read_open(reader, '{')) {
        return false;
    }
    while (json_read_name(reader, &name)) {
        if (!json_read_member(reader, name, members, count, texts)) {
            return false;
        }
    }
    return json_read_is_whole(reader);
}
