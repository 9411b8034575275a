/* Percent-encoding (RFC 3986 section 2.1) of path segments and query values. A '+'
 * is a '+': AWS's clients write a space as %20, and a callback id has plus signs. */
#include "invoke/http.h"

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20U;
    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}

/* Takes one character, encoded or not, off `rest`; -1 when it is malformed. */
static int next_char(struct bytes *rest)
{
    int c = rest->data[0];
    size_t len = 1;

    if (c == '%') {
        int high = (rest->len > 2) ? hex_value(rest->data[1]) : -1;
        int low = (high >= 0) ? hex_value(rest->data[2]) : -1;

        if (low < 0) {
            return -1;
        }
        c = high << 4 | low;
        len = 3;
    }
    *rest = bytes_of(rest->data + len, rest->len - len);
    return c;
}

struct bytes http_decode(struct http_request *request, struct bytes text)
{
    uint8_t *decoded = arena_alloc(http_arena(request), text.len + 1);
    size_t len = 0;

    if (decoded == NULL) {
        return (struct bytes){0};
    }
    while (text.len > 0) {
        int c = next_char(&text);

        if (c < 0) {
            return (struct bytes){0};
        }
        decoded[len++] = (uint8_t)c;
    }
    return bytes_of(decoded, len); /* a zero byte follows: the arena is zeroed */
}

/* Compares without a copy; a malformed name is no name. */
static bool is_key(struct bytes name, struct bytes key)
{
    for (size_t i = 0; i < key.len; i++) {
        if (name.len == 0 || next_char(&name) != key.data[i]) {
            return false;
        }
    }
    return name.len == 0;
}

/* Cuts the text before the first `mark` off `rest`. */
static struct bytes cut(struct bytes *rest, char mark)
{
    const uint8_t *found = (rest->len > 0) ? memchr(rest->data, mark, rest->len) : NULL;
    struct bytes before = *rest;

    if (found == NULL) {
        *rest = bytes_of(rest->data + rest->len, 0);
        return before;
    }
    before.len = (size_t)(found - rest->data);
    *rest = bytes_of(found + 1, rest->len - before.len - 1);
    return before;
}

struct bytes http_query_value(struct http_request *request, const char *key, size_t n)
{
    struct bytes rest = http_query(request);

    while (rest.len > 0) {
        struct bytes value = cut(&rest, '&');
        struct bytes name = cut(&value, '=');

        if (is_key(name, bytes_of_text(key)) && n-- == 0) {
            return http_decode(request, value);
        }
    }
    return (struct bytes){0};
}
