#include "engine/driver/function_name.h"

#define PARTS_MAX 8
#define ACCOUNT_DIGITS 12

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' || c == '_';
}

bool function_name_is_plain(struct bytes text)
{
    if (text.len == 0 || text.len > FUNCTION_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!is_name_char(text.data[i])) {
            return false;
        }
    }
    return true;
}

uint32_t version_parse(struct bytes text)
{
    uint64_t version = 0;

    if (text.len == 0 || text.len > 10 || text.data[0] == '0') {
        return 0;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i])) {
            return 0;
        }
        version = version * 10 + (uint64_t)(text.data[i] - '0');
    }
    return (version <= UINT32_MAX) ? (uint32_t)version : 0;
}

bool alias_name_is_valid(struct bytes name)
{
    bool has_other = false;

    for (size_t i = 0; i < name.len; i++) {
        if (!is_name_char(name.data[i])) {
            return false;
        }
        has_other = has_other || !is_digit(name.data[i]);
    }
    return has_other && name.len <= ALIAS_NAME_MAX;
}

static bool is_qualifier(struct bytes text)
{
    if (text.len == 0 || text.len > FUNCTION_QUALIFIER_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!is_name_char(text.data[i]) && text.data[i] != '$' && text.data[i] != '.') {
            return false;
        }
    }
    return true;
}

static bool parse_account(struct bytes text, uint64_t *ret_account)
{
    uint64_t account = 0;

    if (text.len != ACCOUNT_DIGITS) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i])) {
            return false;
        }
        account = account * 10 + (uint64_t)(text.data[i] - '0');
    }
    *ret_account = account;
    return true;
}

/* Cuts at every ':'; PARTS_MAX + 1 when there are more. */
static size_t split(struct bytes text, struct bytes parts[PARTS_MAX])
{
    size_t count = 0;

    for (;;) {
        const uint8_t *colon = (text.len > 0) ? memchr(text.data, ':', text.len) : NULL;
        size_t len = (colon != NULL) ? (size_t)(colon - text.data) : text.len;

        if (count == PARTS_MAX) {
            return PARTS_MAX + 1;
        }
        parts[count++] = bytes_of(text.data, len);
        if (colon == NULL) {
            return count;
        }
        text = bytes_of(text.data + len + 1, text.len - len - 1);
    }
}

static bool is_word(struct bytes part, const char *word)
{
    return bytes_equal(part, bytes_of_text(word));
}

/* How many of the parts stand before the name; PARTS_MAX when the form is unknown. */
static size_t read_prefix(const struct bytes *parts, size_t count, struct function_name *name)
{
    if (count <= 2) {
        return 0;
    }
    if (count <= 4 && is_word(parts[1], "function") && parse_account(parts[0], &name->account)) {
        return 2;
    }
    if (count >= 7 && is_word(parts[0], "arn") && is_word(parts[1], "aws") &&
        is_word(parts[2], "lambda") && parts[3].len > 0 && is_word(parts[5], "function") &&
        parse_account(parts[4], &name->account)) {
        name->region = parts[3];
        return 6;
    }
    return PARTS_MAX;
}

bool function_name_parse(struct bytes text, struct function_name *ret_name)
{
    struct bytes parts[PARTS_MAX];
    struct function_name name = {0};
    size_t count = split(text, parts);
    size_t at = (count <= PARTS_MAX) ? read_prefix(parts, count, &name) : PARTS_MAX;

    if (at == PARTS_MAX || at >= count || !function_name_is_plain(parts[at])) {
        return false;
    }
    name.name = parts[at];
    if (count == at + 2) {
        name.qualifier = parts[at + 1];
        if (!is_qualifier(name.qualifier)) {
            return false;
        }
    }
    if (count > at + 2) {
        return false;
    }
    *ret_name = name;
    return true;
}
