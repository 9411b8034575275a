#include "engine/base/json_scan.h"

#include <endian.h>

#define NUMBER_CHARS_MAX 40
#define TOKENS_MAX 100000

const struct json_limits json_limits_payload = {0};
const struct json_limits json_limits_request = {.tokens_max = TOKENS_MAX,
                                                .number_chars_max = NUMBER_CHARS_MAX};

/* What may come next. */
enum expect {
    EXPECT_VALUE,
    EXPECT_VALUE_OR_END, /* just inside '[' */
    EXPECT_NAME,         /* behind a ',' of an object */
    EXPECT_NAME_OR_END,  /* just inside '{' */
    EXPECT_COMMA_OR_END, /* behind a value */
};

/* What is open is a bit each, the innermost lowest: 1 for an object. */
struct scan {
    const uint8_t *at;
    const uint8_t *end;
    const struct json_limits *limits;
    uint64_t open;
    uint32_t depth;
    uint32_t tokens;
    enum expect expect;
    const char *problem;
};

static bool fail(struct scan *scan, const char *text)
{
    scan->problem = text;
    return false;
}

static bool count_token(struct scan *scan)
{
    scan->tokens++;
    return scan->limits->tokens_max == 0 || scan->tokens <= scan->limits->tokens_max ||
           fail(scan, "there are too many values");
}

static void skip_blanks(struct scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\t' || *scan->at == '\r')) {
        scan->at++;
    }
}

/* --- strings ----------------------------------------------------------------------- */

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20U) >= 'a' && (c | 0x20U) <= 'f');
}

static bool scan_escape(struct scan *scan)
{
    size_t left = (size_t)(scan->end - scan->at);

    if (left >= 2 && scan->at[1] != '\0' && strchr("\"\\/bfnrt", scan->at[1]) != NULL) {
        scan->at += 2;
        return true;
    }
    if (left < 6 || scan->at[1] != 'u') {
        return fail(scan, "an escape is malformed");
    }
    for (int i = 2; i < 6; i++) {
        if (!is_hex(scan->at[i])) {
            return fail(scan, "an escape is malformed");
        }
    }
    scan->at += 6;
    return true;
}

static bool is_tail(const struct scan *scan, size_t i)
{
    return (size_t)(scan->end - scan->at) > i && (scan->at[i] & 0xC0U) == 0x80;
}

/* One character of more than a byte: the shortest form, no surrogates, at most
 * U+10FFFF (RFC 3629 section 4). */
static bool scan_wide(struct scan *scan)
{
    uint8_t c = scan->at[0];
    uint8_t second = (scan->end - scan->at > 1) ? scan->at[1] : 0;
    size_t len = 0;

    if (c >= 0xC2 && c <= 0xDF) {
        len = 2;
    } else if (c >= 0xE0 && c <= 0xEF) {
        len = ((c == 0xE0 && second < 0xA0) || (c == 0xED && second > 0x9F)) ? 0 : 3;
    } else if (c >= 0xF0 && c <= 0xF4) {
        len = ((c == 0xF0 && second < 0x90) || (c == 0xF4 && second > 0x8F)) ? 0 : 4;
    }
    for (size_t i = 1; i < len; i++) {
        if (!is_tail(scan, i)) {
            len = 0;
        }
    }
    scan->at += len;
    return len > 0 || fail(scan, "a string is not UTF-8");
}

/* Of eight bytes, how many at the front are plain ASCII text: no quote, no backslash,
 * nothing below a blank or above 0x7E. A special byte leaves its highest bit set in one
 * of the words; a borrow goes only upwards, so the lowest one set is never false. */
static size_t count_plain(const uint8_t *at)
{
    const uint64_t ones = 0x0101010101010101U;
    const uint64_t highs = 0x8080808080808080U;
    uint64_t word;
    uint64_t quote;
    uint64_t slash;
    uint64_t special;

    memcpy(&word, at, sizeof word);
    word = le64toh(word);
    quote = word ^ (ones * '"');
    slash = word ^ (ones * '\\');
    special = (word | (word - ones * 0x20) | (quote - ones) | (slash - ones)) & highs;
    return (special == 0) ? 8 : (size_t)__builtin_ctzll(special) / 8;
}

static void skip_plain(struct scan *scan)
{
    size_t count = 8;

    while (count == 8 && scan->end - scan->at >= 8) {
        count = count_plain(scan->at);
        scan->at += count;
    }
    while (count == 8 && scan->at < scan->end && *scan->at >= 0x20 && *scan->at < 0x80 &&
           *scan->at != '"' && *scan->at != '\\') {
        scan->at++;
    }
}

static bool scan_string(struct scan *scan)
{
    scan->at++;
    for (;;) {
        skip_plain(scan);
        if (scan->at == scan->end) {
            return fail(scan, "a string does not end");
        }
        if (*scan->at == '"') {
            scan->at++;
            return true;
        }
        if (*scan->at == '\\') {
            if (!scan_escape(scan)) {
                return false;
            }
        } else if (*scan->at < 0x20) {
            return fail(scan, "a string has a control character");
        }
        while (scan->at < scan->end && *scan->at >= 0x80) {
            if (!scan_wide(scan)) {
                return false;
            }
        }
    }
}

/* --- numbers and words --------------------------------------------------------------- */

static size_t scan_digits(struct scan *scan)
{
    const uint8_t *start = scan->at;

    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9') {
        scan->at++;
    }
    return (size_t)(scan->at - start);
}

static bool take(struct scan *scan, uint8_t c)
{
    if (scan->at == scan->end || *scan->at != c) {
        return false;
    }
    scan->at++;
    return true;
}

static bool scan_number(struct scan *scan)
{
    const uint8_t *start = scan->at;

    (void)take(scan, '-');
    if (!take(scan, '0') && scan_digits(scan) == 0) {
        return fail(scan, "a number has no digits");
    }
    if (take(scan, '.') && scan_digits(scan) == 0) {
        return fail(scan, "a fraction has no digits");
    }
    if (take(scan, 'e') || take(scan, 'E')) {
        (void)(take(scan, '+') || take(scan, '-'));
        if (scan_digits(scan) == 0) {
            return fail(scan, "an exponent has no digits");
        }
    }
    if (scan->limits->number_chars_max != 0 &&
        (size_t)(scan->at - start) > scan->limits->number_chars_max) {
        return fail(scan, "a number is too long");
    }
    return true;
}

static bool scan_word(struct scan *scan, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len) != 0) {
        return fail(scan, "a value is missing");
    }
    scan->at += len;
    return true;
}

/* --- the structure ------------------------------------------------------------------- */

static bool open_one(struct scan *scan, bool is_object)
{
    if (scan->depth == JSON_DEPTH_MAX) {
        return fail(scan, "it is nested too deeply");
    }
    scan->depth++;
    scan->open = (scan->open << 1) | (is_object ? 1U : 0U);
    scan->expect = is_object ? EXPECT_NAME_OR_END : EXPECT_VALUE_OR_END;
    scan->at++;
    return true;
}

static bool close_one(struct scan *scan)
{
    scan->depth--;
    scan->open >>= 1;
    scan->expect = EXPECT_COMMA_OR_END;
    scan->at++;
    return true;
}

static bool scan_value(struct scan *scan)
{
    uint8_t c = *scan->at;

    if (!count_token(scan)) {
        return false;
    }
    scan->expect = EXPECT_COMMA_OR_END;
    switch (c) {
    case '{':
    case '[':
        return open_one(scan, c == '{');
    case '"':
        return scan_string(scan);
    case 't':
        return scan_word(scan, "true");
    case 'f':
        return scan_word(scan, "false");
    case 'n':
        return scan_word(scan, "null");
    default:
        if (c == '-' || (c >= '0' && c <= '9')) {
            return scan_number(scan);
        }
        return fail(scan, "a value is missing");
    }
}

static bool scan_name(struct scan *scan)
{
    if (*scan->at != '"') {
        return fail(scan, "a member's name is missing");
    }
    if (!count_token(scan) || !scan_string(scan)) {
        return false;
    }
    skip_blanks(scan);
    if (!take(scan, ':')) {
        return fail(scan, "a colon is missing");
    }
    scan->expect = EXPECT_VALUE;
    return true;
}

static bool scan_behind(struct scan *scan)
{
    bool is_object = (scan->open & 1U) != 0;

    if (scan->depth == 0) {
        return fail(scan, "something follows the value");
    }
    if (*scan->at == (is_object ? '}' : ']')) {
        return close_one(scan);
    }
    if (!take(scan, ',')) {
        return fail(scan, "a comma or the end of an array or object is missing");
    }
    scan->expect = is_object ? EXPECT_NAME : EXPECT_VALUE;
    return true;
}

static bool scan_next(struct scan *scan)
{
    switch (scan->expect) {
    case EXPECT_VALUE_OR_END:
        return (*scan->at == ']') ? close_one(scan) : scan_value(scan);
    case EXPECT_VALUE:
        return scan_value(scan);
    case EXPECT_NAME_OR_END:
        return (*scan->at == '}') ? close_one(scan) : scan_name(scan);
    case EXPECT_NAME:
        return scan_name(scan);
    case EXPECT_COMMA_OR_END:
    default:
        return scan_behind(scan);
    }
}

bool json_scan(struct bytes text, const struct json_limits *limits,
               struct json_problem *ret_problem)
{
    static const uint8_t none[1];
    const uint8_t *start = (text.len > 0) ? text.data : none;
    struct scan scan = {.at = start, .end = start + text.len, .limits = limits};

    skip_blanks(&scan);
    while (scan.at < scan.end && scan_next(&scan)) {
        skip_blanks(&scan);
    }
    if (scan.problem == NULL && (scan.expect != EXPECT_COMMA_OR_END || scan.depth > 0)) {
        scan.problem = "it ends too early";
    }
    if (scan.problem != NULL && ret_problem != NULL) {
        *ret_problem =
            (struct json_problem){.text = scan.problem, .offset = (size_t)(scan.at - start)};
    }
    return scan.problem == NULL;
}
