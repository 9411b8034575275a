#include "journal/segment.h"

#include <inttypes.h>

#include "engine/base/err.h"
#include "journal/layout.h"
#include "journal/thread.h"

struct bytes key_segment(uint8_t out[KEY_SEGMENT_BYTES], const struct id *exec_id,
                         uint64_t first_record, uint16_t piece)
{
    memcpy(out, exec_id->bytes, sizeof exec_id->bytes);
    put_u64be(out + 16, first_record);
    put_u16be(out + 24, piece);
    return bytes_of(out, KEY_SEGMENT_BYTES);
}

static void put_large(struct segment_pack *pack, uint64_t first_record, struct bytes frame)
{
    uint8_t key[KEY_SEGMENT_BYTES];
    uint16_t piece = 0;

    for (size_t at = 0; at < frame.len; at += VIEW_VALUE_BYTES) {
        size_t left = frame.len - at;

        view_put(pack->txn, VIEW_SEGMENT, key_segment(key, &pack->exec_id, first_record, piece++),
                 bytes_of(frame.data + at, (left < VIEW_VALUE_BYTES) ? left : VIEW_VALUE_BYTES));
    }
    pack->has_written = true;
}

static void flush(struct segment_pack *pack)
{
    uint8_t key[KEY_SEGMENT_BYTES];

    if (pack->frames.len > 0) {
        view_put(pack->txn, VIEW_SEGMENT, key_segment(key, &pack->exec_id, pack->first_record, 0),
                 buf_bytes(&pack->frames));
        pack->has_written = true;
    }
    pack->frames.len = 0;
}

void segment_pack_frame(struct segment_pack *pack, uint64_t first_record, struct bytes frame)
{
    if (pack->frames.len + frame.len > VIEW_VALUE_BYTES) {
        flush(pack);
    }
    if (frame.len > VIEW_VALUE_BYTES) {
        put_large(pack, first_record, frame);
        return;
    }
    if (pack->frames.len == 0) {
        pack->first_record = first_record;
    }
    buf_append(&pack->frames, frame.data, frame.len);
    if (pack->frames.failed) {
        pack->frames.failed = false;
        pack->txn->status = (pack->txn->status != 0) ? pack->txn->status : VIEWS_FULL;
    }
}

void segment_pack_end(struct segment_pack *pack)
{
    flush(pack);
    buf_fini(&pack->frames);
}

void segment_pack_drop(struct segment_pack *pack)
{
    if (pack->has_written) {
        (void)view_delete_prefix(pack->txn, VIEW_SEGMENT,
                                 bytes_of(pack->exec_id.bytes, sizeof pack->exec_id.bytes));
    }
    buf_fini(&pack->frames);
}

/* A walk over the values of one execution. */
struct walk {
    MDB_cursor *cursor;
    const struct id *exec_id;
    MDB_val key;
    MDB_val value;
    const char *path;
};

static int damaged(const struct walk *walk, const char *what)
{
    char text[ID_TEXT_LEN + 1];

    id_format(walk->exec_id, text);
    return ERR(ERR_CORRUPT, "%s: execution %s: %s", walk->path, text, what);
}

static bool is_ours(const struct walk *walk)
{
    return walk->key.mv_size == KEY_SEGMENT_BYTES &&
           memcmp(walk->key.mv_data, walk->exec_id->bytes, sizeof walk->exec_id->bytes) == 0;
}

static uint64_t first_record_of(const struct walk *walk)
{
    return get_u64be((const uint8_t *)walk->key.mv_data + 16);
}

static uint16_t piece_of(const struct walk *walk)
{
    return get_u16be((const uint8_t *)walk->key.mv_data + 24);
}

static int seek(struct walk *walk, uint64_t first_record, MDB_cursor_op then)
{
    uint8_t bytes[KEY_SEGMENT_BYTES];
    struct bytes key = key_segment(bytes, walk->exec_id, first_record, 0);
    int rc;

    walk->key = env_val(key.data, key.len);
    rc = mdb_cursor_get(walk->cursor, &walk->key, &walk->value, MDB_SET_RANGE);
    if (then == MDB_PREV) {
        rc = mdb_cursor_get(walk->cursor, &walk->key, &walk->value,
                            (rc == MDB_NOTFOUND) ? MDB_LAST : MDB_PREV);
    }
    return rc;
}

/* To the value that holds `record`: the last that begins at or before it. */
static int find_start(struct walk *walk, uint64_t record)
{
    int rc = seek(walk, record + 1, MDB_PREV);

    if (rc == 0 && is_ours(walk)) {
        return (piece_of(walk) == 0) ? 0 : seek(walk, first_record_of(walk), MDB_SET_RANGE);
    }
    return seek(walk, record, MDB_SET_RANGE);
}

/* Puts the frame that starts in this value together from its pieces. */
static int gather(struct walk *walk, uint64_t len, struct buf *spare)
{
    uint64_t first_record = first_record_of(walk);
    uint16_t piece = 0;

    spare->len = 0;
    buf_append(spare, walk->value.mv_data, walk->value.mv_size);
    while (spare->len < len && !spare->failed) {
        if (mdb_cursor_get(walk->cursor, &walk->key, &walk->value, MDB_NEXT) != 0 ||
            !is_ours(walk) || first_record_of(walk) != first_record || piece_of(walk) != ++piece) {
            return damaged(walk, "a piece of a frame is missing");
        }
        buf_append(spare, walk->value.mv_data, walk->value.mv_size);
    }
    if (spare->failed) {
        spare->failed = false;
        return ERR(ERR_NOMEM, "frame of %" PRIu64 " bytes", len);
    }
    return (spare->len == len) ? 0 : damaged(walk, "a frame is longer than its header says");
}

static int visit_frame(struct walk *walk, struct bytes frame, uint64_t *record,
                       journal_frame_visit visit, void *arg)
{
    struct frame_header header;
    struct frame_opening opening;
    struct bytes sealed;
    int r = 0;

    if (!frame_parse(frame, &header, &opening, &sealed)) {
        return damaged(walk, "a frame cannot be read");
    }
    if (header.first_record + header.records > *record) {
        r = visit(arg, frame);
        *record = header.first_record + header.records;
    }
    return r;
}

/* All frames of the value that the walk stands on. */
static int visit_value(struct walk *walk, uint64_t *record, struct buf *spare,
                       journal_frame_visit visit, void *arg)
{
    struct bytes rest = env_bytes(walk->value);
    int r = 0;

    if (piece_of(walk) != 0) {
        return damaged(walk, "a frame has no beginning");
    }
    while (r == 0 && rest.len > 0) {
        uint64_t len = frame_claimed_len(rest);
        bool is_alone = rest.data == walk->value.mv_data;

        if (len == 0 || (len > rest.len && !is_alone)) {
            return damaged(walk, "a frame is cut off");
        }
        if (len > rest.len) {
            r = gather(walk, len, spare);
            return (r == 0) ? visit_frame(walk, buf_bytes(spare), record, visit, arg) : r;
        }
        r = visit_frame(walk, bytes_of(rest.data, len), record, visit, arg);
        rest = bytes_of(rest.data + len, rest.len - len);
    }
    return r;
}

int segment_read(const struct views *views, MDB_txn *txn, const struct id *exec_id,
                 uint64_t *record, int64_t until_ms, struct buf *spare, journal_frame_visit visit,
                 void *arg)
{
    scoped_cursor MDB_cursor *cursor = NULL;
    struct walk walk = {.exec_id = exec_id, .path = views->env.path};
    int rc = mdb_cursor_open(txn, views->tables[VIEW_SEGMENT], &cursor);
    int r = 0;

    walk.cursor = cursor;
    if (rc == 0) {
        rc = find_start(&walk, *record);
    }
    while (rc == 0 && r == 0 && is_ours(&walk)) {
        r = visit_value(&walk, record, spare, visit, arg);
        if (r == 0) {
            rc = mdb_cursor_get(cursor, &walk.key, &walk.value, MDB_NEXT);
        }
        if (r == 0 && rc == 0 && is_ours(&walk) && thread_now_ms() >= until_ms) {
            r = SEGMENT_MORE;
        }
    }
    return (rc == 0 || rc == MDB_NOTFOUND) ? r : env_err(&views->env, rc, "read frames");
}
