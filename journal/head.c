#include "journal/head.h"

#include "engine/core/operation.h"
#include "journal/layout.h"
#include "journal/segment.h"

#define DAY_MS ((int64_t)86400000)

static const struct id no_function;

bool head_parse(const struct id *exec_id, struct bytes value, struct journal_head *ret_head)
{
    const uint8_t *in = value.data;
    struct journal_head head = {.exec_id = *exec_id};

    if (value.len < HEAD_BYTES) {
        return false;
    }
    head.tenant = get_u64le(in);
    memcpy(head.function_id.bytes, in + 8, sizeof head.function_id.bytes);
    memcpy(head.name_hash.bytes, in + 24, sizeof head.name_hash.bytes);
    head.status = in[40];
    head.kind = in[41];
    head.is_brief = get_u16le(in + 42) != 0;
    head.revision = get_u32le(in + 44);
    head.retention_days = get_u32le(in + 48);
    head.title_epoch = get_u32le(in + 52);
    head.start_ms = (int64_t)get_u64le(in + 56);
    head.end_ms = (int64_t)get_u64le(in + 64);
    head.wake_ms = (int64_t)get_u64le(in + 72);
    head.last_event = get_u64le(in + 80);
    head.last_record = get_u64le(in + 88);
    memcpy(head.chain, in + 96, sizeof head.chain);
    head.title = bytes_of(in + HEAD_BYTES, value.len - HEAD_BYTES);
    *ret_head = head;
    return head.status >= 1 && head.status < FRAME_STATUSES_MAX && head.last_record >= 1;
}

static void put_fields(const struct journal_head *head, uint8_t out[HEAD_BYTES])
{
    put_u64le(out, head->tenant);
    memcpy(out + 8, head->function_id.bytes, sizeof head->function_id.bytes);
    memcpy(out + 24, head->name_hash.bytes, sizeof head->name_hash.bytes);
    out[40] = head->status;
    out[41] = head->kind;
    put_u16le(out + 42, head->is_brief ? 1 : 0);
    put_u32le(out + 44, head->revision);
    put_u32le(out + 48, head->retention_days);
    put_u32le(out + 52, head->title_epoch);
    put_u64le(out + 56, (uint64_t)head->start_ms);
    put_u64le(out + 64, (uint64_t)head->end_ms);
    put_u64le(out + 72, (uint64_t)head->wake_ms);
    put_u64le(out + 80, head->last_event);
    put_u64le(out + 88, head->last_record);
    memcpy(out + 96, head->chain, sizeof head->chain);
}

bool head_is_next(const struct journal_head *head, const struct frame_header *header)
{
    bool is_first = (header->flags & FRAME_FIRST) != 0;

    return is_first == (head->last_record == 0) && header->first_record == head->last_record + 1 &&
           header->first_event == head->last_event + 1 &&
           (is_first || header->tenant == head->tenant);
}

bool head_is_ended(const struct journal_head *head)
{
    return head->last_record > 0 && head->status != EXEC_RUNNING;
}

void head_advance(struct journal_head *head, const struct frame_header *header,
                  const struct frame_opening *opening)
{
    if (head->last_record == 0) {
        head->exec_id = header->exec_id;
        head->tenant = header->tenant;
        head->function_id = opening->function_id;
        head->name_hash = opening->name_hash;
        head->start_ms = opening->start_ms;
        head->kind = opening->kind;
        head->title = opening->title;
        head->title_epoch = header->key_epoch;
    }
    head->status = header->status;
    head->is_brief = (header->flags & FRAME_BRIEF) != 0;
    head->revision = header->revision;
    head->retention_days = header->retention_days;
    head->wake_ms = header->wake_ms;
    head->last_event += header->events;
    head->last_record += header->records;
    memcpy(head->chain, header->chain, sizeof head->chain);
    if (!head_is_ended(head)) {
        head->end_ms = 0;
    } else if (head->end_ms == 0) {
        head->end_ms = header->time_ms;
    }
}

int64_t head_expires_ms(const struct journal_head *head)
{
    if (!head_is_ended(head)) {
        return 0;
    }
    if (head->is_brief) {
        return head->end_ms + FRAME_BRIEF_MS;
    }
    if (head->retention_days == 0) {
        return 0;
    }
    return head->end_ms / 2 + head->retention_days * DAY_MS / 2 > INT64_MAX / 2
               ? INT64_MAX
               : head->end_ms + head->retention_days * DAY_MS;
}

struct bytes key_timed(uint8_t out[KEY_TIMED_BYTES], int64_t ms, const struct id *exec_id)
{
    put_u64be(out, (uint64_t)ms);
    memcpy(out + 8, exec_id->bytes, sizeof exec_id->bytes);
    return bytes_of(out, KEY_TIMED_BYTES);
}

struct bytes key_name(uint8_t out[KEY_NAME_BYTES], uint64_t tenant, const struct id *function_id,
                      const struct id *name_hash)
{
    put_u64be(out, tenant);
    memcpy(out + 8, function_id->bytes, sizeof function_id->bytes);
    memcpy(out + 24, name_hash->bytes, sizeof name_hash->bytes);
    return bytes_of(out, KEY_NAME_BYTES);
}

struct bytes key_listed(uint8_t out[KEY_STATUS_BYTES], uint64_t tenant,
                        const struct id *function_id, uint8_t status, int64_t start_ms,
                        const struct id *exec_id)
{
    uint8_t *at = out + 24;

    put_u64be(out, tenant);
    memcpy(out + 8, function_id->bytes, sizeof function_id->bytes);
    if (status != 0) {
        *at++ = status;
    }
    put_u64be(at, (uint64_t)start_ms);
    memcpy(at + 8, exec_id->bytes, sizeof exec_id->bytes);
    return bytes_of(out, (status != 0) ? KEY_STATUS_BYTES : KEY_INDEX_BYTES);
}

static void move_timed(struct view_txn *txn, enum view_table table, const struct id *exec_id,
                       int64_t before_ms, int64_t after_ms)
{
    uint8_t key[KEY_TIMED_BYTES];

    if (before_ms == after_ms) {
        return;
    }
    if (before_ms != 0) {
        view_delete(txn, table, key_timed(key, before_ms, exec_id));
    }
    if (after_ms != 0) {
        view_put(txn, table, key_timed(key, after_ms, exec_id), bytes_of("", 0));
    }
}

static void put_listed(struct view_txn *txn, const struct journal_head *head,
                       const struct id *function_id)
{
    uint8_t key[KEY_STATUS_BYTES];

    view_put(txn, VIEW_INDEX,
             key_listed(key, head->tenant, function_id, 0, head->start_ms, &head->exec_id),
             bytes_of(&head->status, 1));
    if (head->status != EXEC_SUCCEEDED) {
        view_put(txn, VIEW_STATUS,
                 key_listed(key, head->tenant, function_id, head->status, head->start_ms,
                            &head->exec_id),
                 bytes_of("", 0));
    }
}

static void delete_status(struct view_txn *txn, const struct journal_head *head,
                          const struct id *function_id)
{
    uint8_t key[KEY_STATUS_BYTES];

    if (head->status != EXEC_SUCCEEDED) {
        view_delete(txn, VIEW_STATUS,
                    key_listed(key, head->tenant, function_id, head->status, head->start_ms,
                               &head->exec_id));
    }
}

/* Each execution is listed twice: with its function, and with all. */
static void move_listed(struct view_txn *txn, const struct journal_head *before,
                        const struct journal_head *after)
{
    bool has_function = !id_is_none(&after->function_id);

    if (before->status == after->status) {
        return;
    }
    if (before->last_record > 0) {
        delete_status(txn, before, &no_function);
        if (has_function) {
            delete_status(txn, before, &before->function_id);
        }
    }
    put_listed(txn, after, &no_function);
    if (has_function) {
        put_listed(txn, after, &after->function_id);
    }
}

/* The name stays with whoever had it first. */
static void put_name(struct view_txn *txn, const struct journal_head *head)
{
    uint8_t key[KEY_NAME_BYTES];

    if (!id_is_none(&head->name_hash)) {
        view_put_new(txn, VIEW_NAME,
                     key_name(key, head->tenant, &head->function_id, &head->name_hash),
                     bytes_of(head->exec_id.bytes, sizeof head->exec_id.bytes));
    }
}

static void put_row(struct view_txn *txn, const struct journal_head *head, struct bytes title)
{
    struct buf value = {0};
    uint8_t *fields = buf_reserve(&value, HEAD_BYTES + title.len);

    if (fields == NULL) {
        txn->status = (txn->status != 0) ? txn->status : VIEWS_FULL; /* tried again */
        return;
    }
    put_fields(head, fields);
    value.len = HEAD_BYTES;
    buf_append(&value, title.data, title.len);
    view_put(txn, VIEW_HEAD, bytes_of(head->exec_id.bytes, sizeof head->exec_id.bytes),
             buf_bytes(&value));
    buf_fini(&value);
}

void head_put(struct view_txn *txn, const struct journal_head *before,
              const struct journal_head *after)
{
    put_row(txn, after, after->title);
    if (before->last_record == 0) {
        put_name(txn, after);
    }
    move_timed(txn, VIEW_DUE, &after->exec_id, before->wake_ms, after->wake_ms);
    move_timed(txn, VIEW_EXPIRE, &after->exec_id, head_expires_ms(before), head_expires_ms(after));
    move_listed(txn, before, after);
}

static void delete_listed(struct view_txn *txn, const struct journal_head *head,
                          const struct id *function_id)
{
    uint8_t key[KEY_STATUS_BYTES];

    delete_status(txn, head, function_id);
    view_delete(txn, VIEW_INDEX,
                key_listed(key, head->tenant, function_id, 0, head->start_ms, &head->exec_id));
}

static void delete_name(struct view_txn *txn, const struct journal_head *head)
{
    uint8_t name[KEY_NAME_BYTES];
    struct bytes key = key_name(name, head->tenant, &head->function_id, &head->name_hash);
    struct bytes owner = bytes_of(head->exec_id.bytes, sizeof head->exec_id.bytes);
    struct bytes found;

    if (view_get(txn, VIEW_NAME, key, &found) && bytes_equal(found, owner)) {
        view_delete(txn, VIEW_NAME, key);
    }
}

uint64_t head_delete(struct view_txn *txn, const struct journal_head *head)
{
    struct bytes key = bytes_of(head->exec_id.bytes, sizeof head->exec_id.bytes);

    delete_name(txn, head);
    delete_listed(txn, head, &no_function);
    if (!id_is_none(&head->function_id)) {
        delete_listed(txn, head, &head->function_id);
    }
    move_timed(txn, VIEW_DUE, &head->exec_id, head->wake_ms, 0);
    move_timed(txn, VIEW_EXPIRE, &head->exec_id, head_expires_ms(head), 0);
    view_delete(txn, VIEW_HEAD, key);
    return view_delete_prefix(txn, VIEW_SEGMENT, key);
}

void head_put_brief(struct view_txn *txn, const struct journal_head *before,
                    const struct journal_head *after)
{
    if (before->last_record > 0) {
        (void)head_delete(txn, before);
    }
    if (!id_is_none(&after->name_hash)) {
        put_row(txn, after, (struct bytes){0});
        put_name(txn, after);
        move_timed(txn, VIEW_EXPIRE, &after->exec_id, 0, head_expires_ms(after));
    }
}
