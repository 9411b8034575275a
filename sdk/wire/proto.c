#include "sdk/wire/proto.h"

#include <assert.h>

#include "engine/base/err.h"

#define VARINT_MAX 10U
#define WIRE_VARINT 0U
#define WIRE_FIXED64 1U
#define WIRE_BYTES 2U
#define WIRE_FIXED32 5U

/* --- writing ------------------------------------------------------------------ */

static size_t varint_len(uint64_t value)
{
    size_t len = 1;

    while (value >= 0x80) {
        value >>= 7;
        len++;
    }
    return len;
}

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

static void put_number(struct buf *buf, uint32_t tag, uint64_t value)
{
    uint8_t *at;

    if (value == 0) {
        return;
    }
    at = buf_reserve(buf, 2 * VARINT_MAX);
    if (at != NULL) {
        uint8_t *end = put_varint(put_varint(at, tag << 3 | WIRE_VARINT), value);

        buf->len += (size_t)(end - at);
    }
}

static void put_bytes(struct buf *buf, uint32_t tag, struct bytes bytes)
{
    uint8_t *at = buf_reserve(buf, 2 * VARINT_MAX + bytes.len);
    uint8_t *end;

    if (at == NULL) {
        return;
    }
    end = put_varint(put_varint(at, tag << 3 | WIRE_BYTES), bytes.len);
    if (bytes.len > 0) {
        memcpy(end, bytes.data, bytes.len);
    }
    buf->len += (size_t)(end - at) + bytes.len;
}

static void put_fixed(struct buf *buf, const struct proto_field *field, const uint8_t *data)
{
    for (size_t i = 0; i < field->max; i++) {
        if (data[i] != 0) {
            put_bytes(buf, field->tag, bytes_of(data, field->max));
            return;
        }
    }
}

/* The length before the message is known only after it. Place is left for the
 * length of the message before this one, which is nearly always right. */
static void put_message(struct buf *buf, const struct proto_field *field, const void *item,
                        size_t *guess)
{
    uint8_t *at = buf_reserve(buf, 2 * VARINT_MAX);
    size_t begun;
    size_t len;
    size_t need;

    if (at == NULL) {
        return;
    }
    buf->len += (size_t)(put_varint(at, field->tag << 3 | WIRE_BYTES) - at) + *guess;
    begun = buf->len;
    proto_put(buf, field->of, item);
    len = buf->len - begun;
    need = varint_len(len);
    if (need != *guess && buf_reserve(buf, VARINT_MAX) != NULL) {
        memmove(buf->data + begun - *guess + need, buf->data + begun, len);
        buf->len = buf->len - *guess + need;
        begun = begun - *guess + need;
        *guess = need;
    }
    if (!buf->failed) {
        put_varint(buf->data + begun - need, len);
    }
}

static void put_array(struct buf *buf, const struct proto_field *field, const char *from)
{
    const char *items;
    size_t count;
    size_t guess = 1;

    memcpy(&items, from + field->offset, sizeof items);
    memcpy(&count, from + field->count_offset, sizeof count);
    for (size_t i = 0; i < count && !buf->failed; i++) {
        if (field->kind == PROTO_TEXTS) {
            put_bytes(buf, field->tag, ((const struct bytes *)(const void *)items)[i]);
        } else {
            put_message(buf, field, items + i * field->of->size, &guess);
        }
    }
}

static void put_field(struct buf *buf, const struct proto_field *field, const char *from)
{
    const char *at = from + field->offset;
    struct bytes bytes;
    uint32_t u32;
    uint64_t u64;

    switch (field->kind) {
    case PROTO_BOOL:
        put_number(buf, field->tag, *(const bool *)at);
        break;
    case PROTO_U32:
        memcpy(&u32, at, sizeof u32);
        put_number(buf, field->tag, u32);
        break;
    case PROTO_U64:
        memcpy(&u64, at, sizeof u64);
        put_number(buf, field->tag, u64);
        break;
    case PROTO_BYTES:
        memcpy(&bytes, at, sizeof bytes);
        if (bytes.len > 0) {
            put_bytes(buf, field->tag, bytes);
        }
        break;
    case PROTO_FIXED:
        put_fixed(buf, field, (const uint8_t *)at);
        break;
    case PROTO_TEXTS:
    case PROTO_MESSAGES:
        put_array(buf, field, from);
        break;
    }
}

void proto_put(struct buf *buf, const struct proto_message *message, const void *from)
{
    for (size_t i = 0; i < message->count; i++) {
        put_field(buf, &message->fields[i], from);
    }
}

/* --- reading ------------------------------------------------------------------ */

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

static struct cursor cursor_of(struct bytes body)
{
    return (struct cursor){body.data, (body.len > 0) ? body.data + body.len : body.data};
}

/* One field as it stands in the input. */
struct token {
    uint32_t tag;
    uint32_t wire;
    uint64_t number;
    struct bytes bytes;
};

static bool get_varint(struct cursor *cursor, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < VARINT_MAX; i++) {
        uint8_t byte;

        if (cursor->at == cursor->end) {
            return false;
        }
        byte = *cursor->at++;
        value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static bool skip(struct cursor *cursor, uint64_t len, struct bytes *ret_bytes)
{
    if (len > (uint64_t)(cursor->end - cursor->at)) {
        return false;
    }
    *ret_bytes = bytes_of(cursor->at, (size_t)len);
    cursor->at += len;
    return true;
}

static bool get_token(struct cursor *cursor, struct token *ret_token)
{
    uint64_t key;

    if (!get_varint(cursor, &key) || key >> 3 == 0 || key >> 3 > 0x1FFFFFFF) {
        return false;
    }
    ret_token->tag = (uint32_t)(key >> 3);
    ret_token->wire = (uint32_t)(key & 7);
    switch (ret_token->wire) {
    case WIRE_VARINT:
        return get_varint(cursor, &ret_token->number);
    case WIRE_FIXED64:
        return skip(cursor, 8, &ret_token->bytes);
    case WIRE_FIXED32:
        return skip(cursor, 4, &ret_token->bytes);
    case WIRE_BYTES:
        return get_varint(cursor, &ret_token->number) &&
               skip(cursor, ret_token->number, &ret_token->bytes);
    default:
        return false; /* groups are long gone from the language */
    }
}

/* Tags come in order from every known writer, so the next one is usually next. */
static const struct proto_field *find_field(const struct proto_message *message, uint32_t tag,
                                            size_t *hint)
{
    for (size_t i = 0; i < message->count; i++) {
        size_t at = (*hint + i) % message->count;

        if (message->fields[at].tag == tag) {
            *hint = at;
            return &message->fields[at];
        }
    }
    return NULL;
}

static bool is_array(const struct proto_field *field)
{
    return field->kind == PROTO_TEXTS || field->kind == PROTO_MESSAGES;
}

/* How often the field stands in the body; 0 also where the body is malformed,
 * which the walk that asked will find for itself. */
static size_t count_field(struct bytes body, uint32_t tag)
{
    struct cursor cursor = cursor_of(body);
    struct token token;
    size_t count = 0;

    while (cursor.at < cursor.end) {
        if (!get_token(&cursor, &token)) {
            return 0;
        }
        count += (token.tag == tag && token.wire == WIRE_BYTES);
    }
    return count;
}

static size_t item_size(const struct proto_field *field)
{
    return (field->kind == PROTO_TEXTS) ? sizeof(struct bytes) : field->of->size;
}

/* The array is made whole when its first item comes. */
static int make_array(struct arena *arena, const struct proto_field *field, struct bytes body,
                      char **ret_items)
{
    size_t count = count_field(body, field->tag);

    if (count == 0 || count > field->max) {
        return ERR_PROTOCOL;
    }
    *ret_items = arena_alloc(arena, count * item_size(field));
    return (*ret_items != NULL) ? 0 : ERR_NOMEM;
}

static int add_item(struct arena *arena, const struct proto_field *field, struct bytes body,
                    const struct token *token, char *to)
{
    char *items;
    size_t count;
    int r;

    memcpy(&items, to + field->offset, sizeof items);
    memcpy(&count, to + field->count_offset, sizeof count);
    if (items == NULL) {
        r = make_array(arena, field, body, &items);
        if (r != 0) {
            return r;
        }
        memcpy(to + field->offset, &items, sizeof items);
    }
    items += count * item_size(field);
    count++;
    memcpy(to + field->count_offset, &count, sizeof count);
    if (field->kind == PROTO_TEXTS) {
        memcpy(items, &token->bytes, sizeof token->bytes);
        return 0;
    }
    return proto_get(arena, field->of, token->bytes, items);
}

static int take_number(const struct proto_field *field, uint64_t value, char *at)
{
    uint32_t u32 = (uint32_t)value;

    if (field->kind == PROTO_BOOL) {
        *(bool *)at = value != 0;
    } else if (field->kind == PROTO_U32) {
        memcpy(at, &u32, sizeof u32);
    } else {
        memcpy(at, &value, sizeof value);
    }
    return 0;
}

static int take_bytes(const struct proto_field *field, struct bytes bytes, char *at)
{
    if (field->kind == PROTO_FIXED) {
        if (bytes.len != 0 && bytes.len != field->max) {
            return ERR_PROTOCOL;
        }
        memset(at, 0, field->max);
        memcpy(at, bytes.data, bytes.len);
        return 0;
    }
    if (bytes.len > field->max) {
        return ERR_PROTOCOL;
    }
    memcpy(at, &bytes, sizeof bytes);
    return 0;
}

static int take_field(struct arena *arena, const struct proto_field *field, struct bytes body,
                      const struct token *token, char *to)
{
    bool is_number = field->kind <= PROTO_U64;

    if (token->wire != (is_number ? WIRE_VARINT : WIRE_BYTES)) {
        return ERR_PROTOCOL;
    }
    if (is_number) {
        return take_number(field, token->number, to + field->offset);
    }
    if (is_array(field)) {
        return add_item(arena, field, body, token, to);
    }
    return take_bytes(field, token->bytes, to + field->offset);
}

int proto_get(struct arena *arena, const struct proto_message *message, struct bytes body, void *to)
{
    struct cursor cursor = cursor_of(body);
    struct token token = {0};
    size_t hint = 0;

    while (cursor.at < cursor.end) {
        const struct proto_field *field;
        int r;

        if (!get_token(&cursor, &token)) {
            return ERR_PROTOCOL;
        }
        field = find_field(message, token.tag, &hint);
        if (field == NULL) {
            continue;
        }
        r = take_field(arena, field, body, &token, to);
        if (r != 0) {
            return r;
        }
    }
    return 0;
}
