#include "invoke/error_fit.h"

#include "engine/core/operation.h"

#define MEMBERS_BYTES 80U /* the names of all four, with what stands between them */
#define LINE_BYTES 3U     /* quotes and a comma */
#define TYPE_BYTES_MAX 1024U
#define MARK " … (shortened)"

/* Of a byte in JSON, at most. One that is no UTF-8 becomes U+FFFD. */
static size_t cost_of(uint8_t c)
{
    if (c < 0x20) {
        return 6;
    }
    return (c == '"' || c == '\\') ? 2 : (c < 0x80) ? 1 : 3;
}

static size_t cost(struct bytes text)
{
    size_t bytes = 0;

    for (size_t i = 0; i < text.len; i++) {
        bytes += cost_of(text.data[i]);
    }
    return bytes;
}

/* What fits of the beginning, in whole characters. */
static struct bytes beginning(struct bytes text, size_t max)
{
    size_t bytes = 0;
    size_t len = 0;

    while (len < text.len && bytes + cost_of(text.data[len]) <= max) {
        bytes += cost_of(text.data[len++]);
    }
    while (len > 0 && len < text.len && (text.data[len] & 0xC0U) == 0x80) {
        len--;
    }
    return bytes_of(text.data, len);
}

static bool shorten(struct bytes *text, size_t max, struct arena *arena)
{
    struct bytes kept = beginning(*text, max - cost(bytes_of_text(MARK)));
    uint8_t *copy = arena_alloc(arena, kept.len + sizeof MARK);

    if (copy == NULL) {
        return false;
    }
    if (kept.len > 0) {
        memcpy(copy, kept.data, kept.len);
    }
    memcpy(copy + kept.len, MARK, sizeof MARK);
    *text = bytes_of(copy, kept.len + sizeof MARK - 1);
    return true;
}

bool error_fit(struct error_object *error, struct arena *arena)
{
    size_t type = cost(error->type);
    size_t bytes = MEMBERS_BYTES + type + cost(error->message) + cost(error->data);

    for (size_t i = 0; i < error->stack_count; i++) {
        bytes += LINE_BYTES + cost(error->stack[i]);
    }
    while (bytes > OP_ERROR_BYTES_MAX && error->stack_count > 0) {
        bytes -= LINE_BYTES + cost(error->stack[--error->stack_count]);
    }
    if (bytes <= OP_ERROR_BYTES_MAX) {
        return true;
    }
    bytes -= cost(error->data);
    error->data = (struct bytes){0};
    if (type > TYPE_BYTES_MAX) {
        bytes -= type - TYPE_BYTES_MAX;
        type = TYPE_BYTES_MAX;
        if (!shorten(&error->type, TYPE_BYTES_MAX, arena)) {
            return false;
        }
    }
    return bytes <= OP_ERROR_BYTES_MAX ||
           shorten(&error->message, OP_ERROR_BYTES_MAX - MEMBERS_BYTES - type, arena);
}
