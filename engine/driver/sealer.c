#include "engine/driver/sealer.h"

#include "engine/base/err.h"

#define TITLE_MAX 2048U /* ARN up to 1,024, name up to 64, and the seal */

static uint32_t count_events(const struct record *records, uint32_t count)
{
    uint32_t events = 0;

    for (uint32_t i = 0; i < count; i++) {
        events += record_is_event(records[i].kind) ? 1 : 0;
    }
    return events;
}

/* Function ARN, a zero byte, execution name. */
static int put_title(struct buf *out, const struct tenant_keys *keys, const struct exec *exec)
{
    uint8_t plain[TITLE_MAX];
    size_t len = exec->function.len + 1 + exec->name.len;
    uint8_t *room = buf_reserve(out, len + SEAL_OVERHEAD);

    if (room == NULL || len > sizeof plain) {
        return ERR(ERR_LIMIT, "title of an execution");
    }
    memcpy(plain, exec->function.data, exec->function.len);
    plain[exec->function.len] = 0;
    memcpy(plain + exec->function.len + 1, exec->name.data, exec->name.len);
    seal(keys, KEY_PAYLOAD, bytes_of(plain, len), bytes_of(exec->id.bytes, sizeof exec->id.bytes),
         room);
    out->len += len + SEAL_OVERHEAD;
    return 0;
}

/* A name of its own; else it is called by its id, and is found by it. */
static bool has_name(const struct exec *exec)
{
    char text[ID_TEXT_LEN + 1];

    id_format(&exec->id, text);
    return !bytes_equal(exec->name, bytes_of(text, ID_TEXT_LEN));
}

static int put_opening(struct buf *out, const struct tenant_keys *keys, const struct exec *exec)
{
    struct frame_opening opening = {
        .function_id = exec->function_id, .start_ms = exec->start_ms, .kind = (uint8_t)exec->kind};
    uint8_t *room = buf_reserve(out, FRAME_OPENING_BYTES);

    if (room == NULL) {
        return ERR(ERR_NOMEM, "opening");
    }
    if (has_name(exec)) {
        seal_hash(keys, exec->name, &opening.name_hash);
    }
    frame_opening_put(&opening, room);
    out->len += FRAME_OPENING_BYTES;
    return put_title(out, keys, exec);
}

/* An event that has succeeded is answered, and nobody can ask for it; one that failed is
 * kept and listed, and a child's end is told to its parent first. What a destination is to
 * be told is kept until it was. */
static uint8_t flags_of(const struct exec *exec, uint32_t count)
{
    bool is_first = exec->records == count;
    bool is_brief = exec->kind == EXEC_EVENT && exec->status == EXEC_SUCCEEDED &&
                    id_is_none(&exec->parent_exec) &&
                    (exec->on_success.len == 0 || exec->is_parent_notified);

    return (uint8_t)((is_first ? FRAME_FIRST : 0) | (is_brief ? FRAME_BRIEF : 0));
}

static struct frame_header header_of(const struct tenant_keys *keys, const struct exec *exec,
                                     const struct record *records, uint32_t count)
{
    uint32_t events = count_events(records, count);

    return (struct frame_header){
        .format = FRAME_FORMAT,
        .suite = FRAME_SUITE,
        .flags = flags_of(exec, count),
        .status = (uint8_t)exec->status,
        .key_epoch = tenant_keys_epoch(keys),
        .tenant = exec->tenant,
        .exec_id = exec->id,
        .first_event = exec->events - events + 1,
        .events = events,
        .attempt = exec->attempt,
        .first_record = exec->records - count + 1,
        .records = count,
        .revision = exec->revision,
        .time_ms = records[count - 1].time_ms,
        .wake_ms = exec_wake_ms(exec),
        .retention_days = exec->retention_days,
    };
}

/* What binds a frame to its place: its header, and the chain before it. */
#define BOUND_BYTES (FRAME_AAD_BYTES + SEAL_CHAIN_BYTES)

static void bind(uint8_t bound[BOUND_BYTES], const uint8_t *header,
                 const uint8_t chain[SEAL_CHAIN_BYTES])
{
    memcpy(bound, header, FRAME_AAD_BYTES);
    memcpy(bound + FRAME_AAD_BYTES, chain, SEAL_CHAIN_BYTES);
}

/* The chain must survive sealing again under another key: suite and epoch, and the
 * lengths that depend on them, are left out of it. */
static void continue_chain(const struct tenant_keys *keys, const uint8_t *header,
                           struct bytes plain, uint8_t chain[SEAL_CHAIN_BYTES])
{
    uint8_t neutral[FRAME_AAD_BYTES];
    uint8_t before[SEAL_CHAIN_BYTES];

    memcpy(neutral, header, sizeof neutral);
    neutral[1] = 0;
    memset(neutral + 4, 0, 4);
    memset(neutral + 84, 0, 8);
    memcpy(before, chain, sizeof before);
    seal_chain(keys, before, bytes_of(neutral, sizeof neutral), plain, chain);
}

int sealer_make(struct buf *out, struct buf *plain, const struct tenant_keys *keys,
                const struct exec *exec, const struct record *records, uint32_t count,
                uint8_t chain[SEAL_CHAIN_BYTES])
{
    struct frame_header header = header_of(keys, exec, records, count);
    size_t begun = out->len;
    uint8_t bound[BOUND_BYTES];
    uint8_t *room = buf_reserve(out, FRAME_HEADER_BYTES);
    int r = 0;

    plain->len = 0;
    plain->failed = false;
    if (room == NULL) {
        return ERR(ERR_NOMEM, "frame");
    }
    out->len += FRAME_HEADER_BYTES;
    if ((header.flags & FRAME_FIRST) != 0) {
        r = put_opening(out, keys, exec);
    }
    header.opening_len = (uint32_t)(out->len - begun - FRAME_HEADER_BYTES);
    wire_put_records(plain, NULL, records, count);
    header.sealed_len = (uint32_t)(plain->len + SEAL_OVERHEAD);
    if (r == 0 && (plain->failed || buf_reserve(out, header.sealed_len) == NULL)) {
        r = ERR(ERR_NOMEM, "frame of %zu bytes", plain->len);
    }
    if (r == 0) {
        frame_header_put(&header, out->data + begun);
        bind(bound, out->data + begun, chain);
        seal(keys, KEY_HISTORY, buf_bytes(plain), bytes_of(bound, sizeof bound),
             out->data + out->len);
        out->len += header.sealed_len;
        continue_chain(keys, out->data + begun, buf_bytes(plain), chain);
        memcpy(header.chain, chain, sizeof header.chain);
        frame_header_put(&header, out->data + begun);
    }
    return r;
}

int sealer_open(struct arena *arena, const struct tenant_keys *keys, struct bytes frame,
                uint8_t chain[SEAL_CHAIN_BYTES], struct frame_header *ret_header,
                struct frame_opening *ret_opening, struct record **ret_records, size_t *ret_count)
{
    struct frame_header header;
    struct frame_opening opening = {0};
    uint8_t bound[BOUND_BYTES];
    struct bytes sealed;
    uint8_t *plain;
    size_t plain_len;
    int r;

    if (!frame_parse(frame, &header, &opening, &sealed) || sealed.len < SEAL_OVERHEAD) {
        return ERR_CORRUPT;
    }
    plain_len = sealed.len - SEAL_OVERHEAD;
    plain = arena_alloc(arena, plain_len + 1);
    if (plain == NULL) {
        return ERR(ERR_NOMEM, "frame of %zu bytes", plain_len);
    }
    bind(bound, frame.data, chain);
    r = seal_open(keys, KEY_HISTORY, sealed, bytes_of(bound, sizeof bound), plain);
    if (r != 0) {
        return r;
    }
    continue_chain(keys, frame.data, bytes_of(plain, plain_len), chain);
    if (memcmp(chain, header.chain, sizeof header.chain) != 0) {
        return ERR_CORRUPT;
    }
    *ret_header = header;
    *ret_opening = opening;
    r = wire_get_records(arena, bytes_of(plain, plain_len), ret_records, ret_count);
    return (r == 0 && *ret_count != header.records) ? ERR_CORRUPT : r;
}

int sealer_open_title(struct arena *arena, const struct tenant_keys *keys, const struct id *exec_id,
                      struct bytes sealed, struct title *ret_title)
{
    size_t len = sealed.len - SEAL_OVERHEAD;
    const uint8_t *split;
    uint8_t *plain;
    int r;

    if (sealed.len < SEAL_OVERHEAD || sealed.len > TITLE_MAX + SEAL_OVERHEAD) {
        return ERR_CORRUPT;
    }
    plain = arena_alloc(arena, len + 1);
    if (plain == NULL) {
        return ERR(ERR_NOMEM, "title");
    }
    r = seal_open(keys, KEY_PAYLOAD, sealed, bytes_of(exec_id->bytes, sizeof exec_id->bytes),
                  plain);
    split = (r == 0) ? memchr(plain, 0, len) : NULL;
    if (split == NULL) {
        return (r != 0) ? r : ERR_CORRUPT;
    }
    ret_title->function = bytes_of(plain, (size_t)(split - plain));
    ret_title->name = bytes_of(split + 1, len - ret_title->function.len - 1);
    return 0;
}
