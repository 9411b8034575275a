#include "tenants/sigv4.h"

#include <assert.h>
#include <stdlib.h>

#include "engine/base/percent.h"

/* --- text ----------------------------------------------------------------------------- */

/* Written into memory whose size was counted before. */
struct text {
    uint8_t *data;
    size_t len;
    size_t max;
};

static void put(struct text *text, struct bytes piece)
{
    assert(piece.len <= text->max - text->len);
    if (piece.len > 0) {
        memcpy(text->data + text->len, piece.data, piece.len);
    }
    text->len += piece.len;
}

static void put_char(struct text *text, char c)
{
    put(text, bytes_of(&c, 1));
}

static bool is_unreserved(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static void put_encoded(struct text *text, int c)
{
    static const char digits[] = "0123456789ABCDEF";

    if (is_unreserved(c)) {
        put_char(text, (char)c);
        return;
    }
    put_char(text, '%');
    put_char(text, digits[(c >> 4) & 15]);
    put_char(text, digits[c & 15]);
}

struct bytes sigv4_take(struct bytes *rest, char mark)
{
    const uint8_t *found = (rest->len > 0) ? memchr(rest->data, mark, rest->len) : NULL;
    struct bytes before = *rest;

    if (found == NULL) {
        *rest = bytes_of(rest->data, 0);
        return before;
    }
    before.len = (size_t)(found - rest->data);
    *rest = bytes_of(found + 1, rest->len - before.len - 1);
    return before;
}

/* --- the path --------------------------------------------------------------------------- */

static void put_path(struct text *text, struct bytes path)
{
    if (path.len == 0) {
        put_char(text, '/');
    }
    for (size_t i = 0; i < path.len; i++) {
        if (path.data[i] == '/') {
            put_char(text, '/');
        } else {
            put_encoded(text, path.data[i]);
        }
    }
}

/* --- the query -------------------------------------------------------------------------- */

struct parameter {
    struct bytes name; /* encoded again */
    struct bytes value;
};

static int compare_bytes(struct bytes a, struct bytes b)
{
    size_t len = (a.len < b.len) ? a.len : b.len;
    int order = (len > 0) ? memcmp(a.data, b.data, len) : 0;

    return (order != 0) ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_parameters(const void *a, const void *b)
{
    const struct parameter *left = a;
    const struct parameter *right = b;
    int order = compare_bytes(left->name, right->name);

    return (order != 0) ? order : compare_bytes(left->value, right->value);
}

/* Decoded and encoded again; false when it is malformed. */
static bool recode(struct text *text, struct bytes part, struct bytes *ret_recoded)
{
    size_t at = text->len;

    while (part.len > 0) {
        int c = percent_take(&part);

        if (c < 0) {
            return false;
        }
        put_encoded(text, c);
    }
    *ret_recoded = bytes_of(text->data + at, text->len - at);
    return true;
}

/* `scratch` has room for three times the query. */
static bool read_query(struct bytes query, struct text *scratch, struct parameter *parameters,
                       size_t *ret_count)
{
    size_t count = 0;

    while (query.len > 0) {
        struct bytes value = sigv4_take(&query, '&');
        struct bytes name = sigv4_take(&value, '=');
        struct parameter *parameter = &parameters[count];

        if (name.len == 0 && value.len == 0) {
            continue; /* nothing between two '&' */
        }
        if (count == SIGV4_PARAMETERS_MAX || !recode(scratch, name, &parameter->name) ||
            !recode(scratch, value, &parameter->value)) {
            return false;
        }
        if (!bytes_equal(parameter->name, bytes_of("X-Amz-Signature", 15))) {
            count++;
        }
    }
    *ret_count = count;
    return true;
}

static bool put_query(struct text *text, struct arena *arena, struct bytes query)
{
    struct parameter parameters[SIGV4_PARAMETERS_MAX + 1];
    struct text scratch = {.max = 3 * query.len};
    size_t count = 0;

    if (query.len == 0) {
        return true;
    }
    scratch.data = arena_alloc(arena, scratch.max);
    if (scratch.data == NULL || !read_query(query, &scratch, parameters, &count)) {
        return false;
    }
    qsort(parameters, count, sizeof parameters[0], compare_parameters);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            put_char(text, '&');
        }
        put(text, parameters[i].name);
        put_char(text, '=');
        put(text, parameters[i].value);
    }
    return true;
}

/* --- headers ------------------------------------------------------------------------------ */

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool sigv4_is_folded(struct bytes value)
{
    for (size_t i = 0; i < value.len; i++) {
        bool is_edge = i == 0 || i + 1 == value.len || is_space(value.data[i - 1]);

        if (is_space(value.data[i]) && (value.data[i] != ' ' || is_edge)) {
            return true;
        }
    }
    return false;
}

/* Without spaces at its ends, and one for each run of them. */
static void put_value(struct text *text, struct bytes value)
{
    bool is_first = true;
    bool is_after_space = false;

    for (size_t i = 0; i < value.len; i++) {
        if (is_space(value.data[i])) {
            is_after_space = true;
            continue;
        }
        if (is_after_space && !is_first) {
            put_char(text, ' ');
        }
        put_char(text, (char)value.data[i]);
        is_first = false;
        is_after_space = false;
    }
}

static void put_header(struct text *text, const struct request_head *head, struct bytes name)
{
    bool is_first = true;

    put(text, name);
    put_char(text, ':');
    for (size_t i = 0; i < head->header_count; i++) {
        if (!bytes_equal(head->headers[i].name, name)) {
            continue;
        }
        if (!is_first) {
            put_char(text, ',');
        }
        put_value(text, head->headers[i].value);
        is_first = false;
    }
    put_char(text, '\n');
}

/* --- the canonical request ------------------------------------------------------------------ */

/* No more than this: a name is in the list once, so each header is copied at most once. */
static size_t measure(const struct request_head *head, struct bytes signed_headers)
{
    size_t size = head->method.len + 3 * head->path.len + 4 * head->query.len + 16;

    for (size_t i = 0; i < head->header_count; i++) {
        size += head->headers[i].name.len + head->headers[i].value.len + 3;
    }
    return size + 4 * signed_headers.len;
}

struct bytes sigv4_canonical(struct arena *arena, const struct request_head *head,
                             struct bytes signed_headers)
{
    struct text text = {.max = measure(head, signed_headers)};
    struct bytes names = signed_headers;

    text.data = arena_alloc(arena, text.max);
    if (text.data == NULL) {
        return (struct bytes){0};
    }
    put(&text, head->method);
    put_char(&text, '\n');
    put_path(&text, head->path);
    put_char(&text, '\n');
    if (!put_query(&text, arena, head->query)) {
        return (struct bytes){0};
    }
    put_char(&text, '\n');
    while (names.len > 0) {
        put_header(&text, head, sigv4_take(&names, ';'));
    }
    put_char(&text, '\n');
    put(&text, signed_headers);
    put_char(&text, '\n');
    return bytes_of(text.data, text.len);
}

/* --- hashes ----------------------------------------------------------------------------------- */

void sigv4_hex(const uint8_t digest[32], char out[SIGV4_HEX_LEN])
{
    char text[SIGV4_HEX_LEN + 1];

    (void)sodium_bin2hex(text, sizeof text, digest, 32);
    memcpy(out, text, SIGV4_HEX_LEN);
}

void sigv4_hash(struct bytes data, char out[SIGV4_HEX_LEN])
{
    uint8_t digest[crypto_hash_sha256_BYTES];

    (void)crypto_hash_sha256(digest, data.data, data.len);
    sigv4_hex(digest, out);
}

static void hmac(struct bytes key, struct bytes text, uint8_t out[32])
{
    crypto_auth_hmacsha256_state state;

    (void)crypto_auth_hmacsha256_init(&state, key.data, key.len);
    (void)crypto_auth_hmacsha256_update(&state, text.data, text.len);
    (void)crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
}

void sigv4_key_derive(struct bytes secret, struct bytes day, struct bytes region,
                      struct bytes service, struct sigv4_key *ret_key)
{
    uint8_t first[4 + 128];
    uint8_t key[32];

    assert(secret.len <= 128);
    memcpy(first, "AWS4", 4);
    memcpy(first + 4, secret.data, secret.len);
    hmac(bytes_of(first, 4 + secret.len), day, key);
    hmac(bytes_of(key, sizeof key), region, key);
    hmac(bytes_of(key, sizeof key), service, key);
    hmac(bytes_of(key, sizeof key), bytes_of_text(SIGV4_TERMINATOR), key);
    (void)crypto_auth_hmacsha256_init(&ret_key->state, key, sizeof key);
    sodium_memzero(first, sizeof first);
    sodium_memzero(key, sizeof key);
}

void sigv4_sign(const struct sigv4_key *key, struct bytes date, struct bytes scope,
                const char hash[SIGV4_HEX_LEN], char ret_signature[SIGV4_HEX_LEN])
{
    static const uint8_t line_end[1] = {'\n'};
    crypto_auth_hmacsha256_state state = key->state;
    uint8_t digest[32];

    (void)crypto_auth_hmacsha256_update(&state, (const uint8_t *)SIGV4_ALGORITHM "\n",
                                        sizeof SIGV4_ALGORITHM);
    (void)crypto_auth_hmacsha256_update(&state, date.data, date.len);
    (void)crypto_auth_hmacsha256_update(&state, line_end, 1);
    (void)crypto_auth_hmacsha256_update(&state, scope.data, scope.len);
    (void)crypto_auth_hmacsha256_update(&state, line_end, 1);
    (void)crypto_auth_hmacsha256_update(&state, (const uint8_t *)hash, SIGV4_HEX_LEN);
    (void)crypto_auth_hmacsha256_final(&state, digest);
    sigv4_hex(digest, ret_signature);
    sodium_memzero(&state, sizeof state);
}

/* --- dates -------------------------------------------------------------------------------------
 */

/* Digits only; -1 otherwise. */
static int read_digits(const uint8_t *data, size_t len)
{
    int number = 0;

    for (size_t i = 0; i < len; i++) {
        if (data[i] < '0' || data[i] > '9') {
            return -1;
        }
        number = number * 10 + (data[i] - '0');
    }
    return number;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return (month == 2 && is_leap(year)) ? 29 : days[month - 1];
}

static int64_t days_since_1970(int year, int month, int day)
{
    int64_t past = year - 1; /* whole years since year 1 */
    int64_t days = past * 365 + past / 4 - past / 100 + past / 400 - 719162;

    for (int i = 1; i < month; i++) {
        days += days_of(year, i);
    }
    return days + day - 1;
}

bool sigv4_parse_date(struct bytes text, int64_t *ret_s)
{
    int year, month, day, hour, minute, second;

    if (text.len != SIGV4_DATE_LEN || text.data[8] != 'T' || text.data[15] != 'Z') {
        return false;
    }
    year = read_digits(text.data, 4);
    month = read_digits(text.data + 4, 2);
    day = read_digits(text.data + 6, 2);
    hour = read_digits(text.data + 9, 2);
    minute = read_digits(text.data + 11, 2);
    second = read_digits(text.data + 13, 2);
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_of(year, month) ||
        hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) {
        return false;
    }
    *ret_s = days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}
