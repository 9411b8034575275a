/* The query of a request, by key. */
#include "engine/base/percent.h"
#include "invoke/http.h"

/* Compares without a copy; a malformed name is no name. */
static bool is_key(struct bytes name, struct bytes key)
{
    for (size_t i = 0; i < key.len; i++) {
        if (name.len == 0 || percent_take(&name) != key.data[i]) {
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
            return percent_decode(value, http_arena(request));
        }
    }
    return (struct bytes){0};
}
