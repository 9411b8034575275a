#include "sdk/lib/json_read.h"

#define DEPTH_MAX 64

static bool pass_value(struct json_read *read, int depth);

static void pass_space(struct json_read *read)
{
    while (read->at < read->end &&
           (*read->at == ' ' || *read->at == '\t' || *read->at == '\n' || *read->at == '\r')) {
        read->at++;
    }
}

static bool is_next(const struct json_read *read, char c)
{
    return read->at < read->end && *read->at == c;
}

bool json_passes(struct json_read *read, char c)
{
    pass_space(read);
    if (!is_next(read, c)) {
        return false;
    }
    read->at++;
    pass_space(read);
    return true;
}

static bool pass_hex4(struct json_read *read)
{
    for (int i = 0; i < 4; i++) {
        char c = (read->at < read->end) ? *read->at++ : ' ';

        if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'))) {
            return false;
        }
    }
    return true;
}

static bool pass_escape(struct json_read *read)
{
    char c = (read->at < read->end) ? *read->at++ : '\0';

    return (c == 'u') ? pass_hex4(read) : c != '\0' && strchr("\"\\/bfnrt", c) != NULL;
}

static bool pass_string(struct json_read *read)
{
    read->at++;
    while (read->at < read->end) {
        char c = *read->at++;

        if (c == '"') {
            return true;
        }
        if ((unsigned char)c < 0x20 || (c == '\\' && !pass_escape(read))) {
            return false;
        }
    }
    return false;
}

static bool pass_digits(struct json_read *read)
{
    const char *from = read->at;

    while (read->at < read->end && *read->at >= '0' && *read->at <= '9') {
        read->at++;
    }
    return read->at > from;
}

static bool pass_number(struct json_read *read)
{
    if (is_next(read, '-')) {
        read->at++;
    }
    if (is_next(read, '0')) {
        read->at++;
    } else if (!pass_digits(read)) {
        return false;
    }
    if (is_next(read, '.')) {
        read->at++;
        if (!pass_digits(read)) {
            return false;
        }
    }
    if (is_next(read, 'e') || is_next(read, 'E')) {
        read->at++;
        if (is_next(read, '+') || is_next(read, '-')) {
            read->at++;
        }
        return pass_digits(read);
    }
    return true;
}

static bool pass_word(struct json_read *read, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(read->end - read->at) < len || memcmp(read->at, word, len) != 0) {
        return false;
    }
    read->at += len;
    return true;
}

static bool pass_member(struct json_read *read, bool is_object, int depth)
{
    if (is_object) {
        pass_space(read);
        if (!is_next(read, '"') || !pass_string(read) || !json_passes(read, ':')) {
            return false;
        }
    }
    return pass_value(read, depth + 1);
}

static bool pass_nested(struct json_read *read, int depth)
{
    bool is_object = *read->at == '{';
    char close = is_object ? '}' : ']';

    if (depth >= DEPTH_MAX) {
        return false;
    }
    read->at++;
    if (json_passes(read, close)) {
        return true;
    }
    do {
        if (!pass_member(read, is_object, depth)) {
            return false;
        }
    } while (json_passes(read, ','));
    return json_passes(read, close);
}

static bool pass_value(struct json_read *read, int depth)
{
    pass_space(read);
    if (read->at == read->end) {
        return false;
    }
    switch (*read->at) {
    case '{':
    case '[':
        return pass_nested(read, depth);
    case '"':
        return pass_string(read);
    case 't':
        return pass_word(read, "true");
    case 'f':
        return pass_word(read, "false");
    case 'n':
        return pass_word(read, "null");
    default:
        return pass_number(read);
    }
}

bool json_pass(struct json_read *read, struct bytes *ret_value)
{
    const char *from;

    pass_space(read);
    from = read->at;
    if (!pass_value(read, 0)) {
        return false;
    }
    *ret_value = bytes_of(from, (size_t)(read->at - from));
    pass_space(read);
    return true;
}

bool json_is_valid(struct bytes text)
{
    struct json_read read = {(const char *)text.data, (const char *)text.data + text.len};
    struct bytes value;

    return text.len > 0 && json_pass(&read, &value) && read.at == read.end;
}
