#include "journal/views.h"

#include <inttypes.h>

#include "engine/base/crash.h"
#include "engine/base/err.h"
#include "engine/base/log.h"
#include "journal/head.h"
#include "journal/layout.h"
#include "journal/object.h"
#include "journal/segment.h"

/* A batch is applied in one transaction: executions in the order of their ids, each
 * with all its frames at once; then objects and what is damaged, by LSN; then
 * "applied". A failure leaves the views as they were.
 *
 * What cannot be right (a frame that nobody can read, or that does not follow the
 * last one) is kept in `damaged` and said in the log; the rest goes on. */

#define EXPIRE_ROWS_MAX 16384U

static const char applied_key[] = "applied";

static const char *const table_names[VIEW_TABLES] = {
    [VIEW_HEAD] = "head",      [VIEW_SEGMENT] = "segment", [VIEW_DUE] = "due",
    [VIEW_NAME] = "name",      [VIEW_INDEX] = "index",     [VIEW_STATUS] = "status",
    [VIEW_EXPIRE] = "expire",  [VIEW_OBJECT] = "object",   [VIEW_PIECE] = "piece",
    [VIEW_DAMAGED] = "damaged"};

int views_open(struct views *views, const char *path, uint64_t map_bytes, bool is_read_only)
{
    struct env_options options = {.map_bytes = map_bytes,
                                  .tables = table_names,
                                  .table_count = VIEW_TABLES,
                                  .is_read_only = is_read_only};

    return env_open(&views->env, path, &options, views->tables);
}

void views_close(struct views *views)
{
    env_close(&views->env);
}

int views_get_applied(struct views *views, uint64_t *ret_lsn)
{
    MDB_val key = env_val(applied_key, strlen(applied_key));
    MDB_val value;
    scoped_txn MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(views->env.mdb, NULL, MDB_RDONLY, &txn);

    if (rc == 0) {
        rc = mdb_get(txn, views->env.meta, &key, &value);
    }
    if (rc == MDB_NOTFOUND) {
        *ret_lsn = 0;
        return 0;
    }
    if (rc != 0 || value.mv_size != sizeof *ret_lsn) {
        return ERR(ERR_CORRUPT, "%s: its LSN cannot be read: restore it from a backup",
                   views->env.path);
    }
    *ret_lsn = get_u64le(value.mv_data);
    return 0;
}

static void note(struct view_txn *txn, int rc, enum view_table table)
{
    if (txn->status == 0) {
        txn->status = env_err(&txn->views->env, rc, table_names[table]);
    }
}

void view_put(struct view_txn *txn, enum view_table table, struct bytes key, struct bytes value)
{
    MDB_val mdb_key = env_val(key.data, key.len);
    MDB_val mdb_value = env_val(value.data, value.len);

    if (txn->status == 0) {
        note(txn, mdb_put(txn->mdb, txn->views->tables[table], &mdb_key, &mdb_value, 0), table);
    }
}

void view_put_new(struct view_txn *txn, enum view_table table, struct bytes key, struct bytes value)
{
    MDB_val mdb_key = env_val(key.data, key.len);
    MDB_val mdb_value = env_val(value.data, value.len);
    int rc;

    if (txn->status != 0) {
        return;
    }
    rc = mdb_put(txn->mdb, txn->views->tables[table], &mdb_key, &mdb_value, MDB_NOOVERWRITE);
    note(txn, (rc == MDB_KEYEXIST) ? 0 : rc, table);
}

void view_delete(struct view_txn *txn, enum view_table table, struct bytes key)
{
    MDB_val mdb_key = env_val(key.data, key.len);
    int rc;

    if (txn->status == 0) {
        rc = mdb_del(txn->mdb, txn->views->tables[table], &mdb_key, NULL);
        note(txn, (rc == MDB_NOTFOUND) ? 0 : rc, table);
    }
}

bool view_get(struct view_txn *txn, enum view_table table, struct bytes key,
              struct bytes *ret_value)
{
    MDB_val mdb_key = env_val(key.data, key.len);
    MDB_val value;
    int rc;

    if (txn->status != 0) {
        return false;
    }
    rc = mdb_get(txn->mdb, txn->views->tables[table], &mdb_key, &value);
    note(txn, (rc == MDB_NOTFOUND) ? 0 : rc, table);
    if (rc == 0) {
        *ret_value = env_bytes(value);
    }
    return rc == 0;
}

static bool has_prefix(MDB_val key, struct bytes prefix)
{
    return key.mv_size >= prefix.len && memcmp(key.mv_data, prefix.data, prefix.len) == 0;
}

/* A new seek each time: a cursor is not trusted after a delete. */
uint64_t view_delete_prefix(struct view_txn *txn, enum view_table table, struct bytes prefix)
{
    scoped_cursor MDB_cursor *cursor = NULL;
    uint64_t count = 0;
    MDB_val key;
    MDB_val value;
    int rc;

    if (txn->status != 0) {
        return 0;
    }
    rc = mdb_cursor_open(txn->mdb, txn->views->tables[table], &cursor);
    while (rc == 0) {
        key = env_val(prefix.data, prefix.len);
        rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
        if (rc != 0 || !has_prefix(key, prefix)) {
            break;
        }
        rc = mdb_cursor_del(cursor, 0);
        count++;
    }
    note(txn, (rc == MDB_NOTFOUND) ? 0 : rc, table);
    return count;
}

void view_put_pieces(struct view_txn *txn, enum view_table table, uint64_t number,
                     struct bytes value)
{
    uint8_t key[10];
    uint16_t piece = 0;

    for (size_t at = 0; at < value.len; at += VIEW_VALUE_BYTES) {
        size_t left = value.len - at;

        put_u64be(key, number);
        put_u16be(key + 8, piece++);
        view_put(txn, table, bytes_of(key, sizeof key),
                 bytes_of(value.data + at, (left < VIEW_VALUE_BYTES) ? left : VIEW_VALUE_BYTES));
    }
}

/* --- a batch ---------------------------------------------------------------------- */

struct apply {
    struct view_txn txn;
    const struct batch *batch;
    struct buf before; /* a copy of the head's row: LMDB moves it */
    struct buf spare;
};

static void keep_damaged(struct apply *apply, const struct batch_entry *entry, const char *why)
{
    struct bytes data = batch_data(apply->batch, entry);
    char text[ID_TEXT_LEN + 1];

    id_format(&entry->exec_id, text);
    log_error("LSN %" PRIu64 ", execution %s: %s; kept in the table `damaged`", entry->lsn, text,
              why);
    apply->spare.len = 0;
    buf_append(&apply->spare, &entry->kind, 1);
    buf_append(&apply->spare, data.data, data.len);
    if (apply->spare.failed) {
        apply->spare.failed = false;
        apply->txn.status = (apply->txn.status != 0) ? apply->txn.status : VIEWS_FULL;
        return;
    }
    view_put_pieces(&apply->txn, VIEW_DAMAGED, entry->lsn, buf_bytes(&apply->spare));
}

/* False when there is a row that is no head. A head that is missing is zero. */
static bool load_head(struct apply *apply, const struct id *exec_id, struct journal_head *ret_head)
{
    struct bytes value = {0};

    *ret_head = (struct journal_head){0};
    if (!view_get(&apply->txn, VIEW_HEAD, bytes_of(exec_id->bytes, sizeof exec_id->bytes),
                  &value)) {
        return true;
    }
    apply->before.len = 0;
    buf_append(&apply->before, value.data, value.len);
    if (apply->before.failed) {
        apply->before.failed = false;
        apply->txn.status = (apply->txn.status != 0) ? apply->txn.status : VIEWS_FULL;
        return true;
    }
    return head_parse(exec_id, buf_bytes(&apply->before), ret_head);
}

static void apply_frame(struct apply *apply, struct segment_pack *pack, struct journal_head *head,
                        const struct batch_entry *entry)
{
    struct bytes frame = batch_data(apply->batch, entry);
    struct frame_header header;
    struct frame_opening opening;
    struct bytes sealed;

    if (!frame_parse(frame, &header, &opening, &sealed)) {
        keep_damaged(apply, entry, "a frame changed in memory");
        return;
    }
    if (!head_is_next(head, &header)) {
        keep_damaged(apply, entry, "a frame does not follow the last one");
        return;
    }
    head_advance(head, &header, &opening);
    segment_pack_frame(pack, header.first_record, frame);
}

static void apply_execution(struct apply *apply, const struct batch_entry *entries, size_t count)
{
    struct journal_head before;
    struct journal_head head;
    struct segment_pack pack = {.txn = &apply->txn, .exec_id = entries[0].exec_id};

    if (!load_head(apply, &entries[0].exec_id, &before)) {
        for (size_t i = 0; i < count; i++) {
            keep_damaged(apply, &entries[i], "the head of this execution cannot be read");
        }
        return;
    }
    head = before;
    for (size_t i = 0; i < count && apply->txn.status == 0; i++) {
        apply_frame(apply, &pack, &head, &entries[i]);
    }
    if (head.is_brief && head.last_record > before.last_record) {
        segment_pack_drop(&pack);
        head_put_brief(&apply->txn, &before, &head);
        return;
    }
    segment_pack_end(&pack);
    if (head.last_record > before.last_record) {
        head_put(&apply->txn, &before, &head);
    }
}

static void apply_other(struct apply *apply, const struct batch_entry *entry)
{
    struct bytes data = batch_data(apply->batch, entry);

    if (entry->is_damaged) {
        keep_damaged(apply, entry, "an entry cannot be read");
    } else if (!object_apply(&apply->txn, entry->kind, entry->lsn, data)) {
        keep_damaged(apply, entry, "an object has no proper key");
    }
}

static void apply_entries(struct apply *apply)
{
    const struct batch_entry *entries = apply->batch->entries;
    size_t count = apply->batch->count;
    size_t end;

    for (size_t i = 0; i < count && apply->txn.status == 0; i = end) {
        end = i + 1;
        if (id_is_none(&entries[i].exec_id)) {
            apply_other(apply, &entries[i]);
            continue;
        }
        while (end < count && id_equal(&entries[end].exec_id, &entries[i].exec_id)) {
            end++;
        }
        apply_execution(apply, &entries[i], end - i);
    }
}

static void put_applied(struct view_txn *txn, uint64_t lsn)
{
    uint8_t number[8];
    MDB_val key = env_val(applied_key, strlen(applied_key));
    MDB_val value = env_val(number, sizeof number);

    put_u64le(number, lsn);
    if (txn->status == 0) {
        txn->status = env_err(&txn->views->env,
                              mdb_put(txn->mdb, txn->views->env.meta, &key, &value, 0), "applied");
    }
}

int views_apply(struct views *views, const struct batch *batch)
{
    struct apply apply = {.txn = {.views = views}, .batch = batch};
    scoped_txn MDB_txn *txn = NULL;
    int r = env_err(&views->env, mdb_txn_begin(views->env.mdb, NULL, 0, &txn), "begin");

    if (r != 0) {
        return r;
    }
    apply.txn.mdb = txn;
    apply_entries(&apply);
    put_applied(&apply.txn, batch->last_lsn);
    buf_fini(&apply.before);
    buf_fini(&apply.spare);
    CRASH_POINT(before_views);
    r = (apply.txn.status == 0) ? env_commit(&views->env, &txn) : apply.txn.status;
    CRASH_POINT(after_views);
    return r;
}

/* --- expiry ------------------------------------------------------------------------ */

/* The execution whose retention ended first. False when none has. */
static bool find_expired(struct view_txn *txn, int64_t now_ms, struct id *ret_exec_id)
{
    scoped_cursor MDB_cursor *cursor = NULL;
    MDB_val key;
    MDB_val value;
    int rc = mdb_cursor_open(txn->mdb, txn->views->tables[VIEW_EXPIRE], &cursor);

    if (rc == 0) {
        rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    }
    if (rc != 0) {
        note(txn, (rc == MDB_NOTFOUND) ? 0 : rc, VIEW_EXPIRE);
        return false;
    }
    if (key.mv_size != KEY_TIMED_BYTES || get_u64be(key.mv_data) > (uint64_t)now_ms) {
        return false;
    }
    memcpy(ret_exec_id->bytes, (const uint8_t *)key.mv_data + 8, sizeof ret_exec_id->bytes);
    return true;
}

/* Rows that lead nowhere go too, so that one of them cannot stop all expiry. */
static uint64_t delete_execution(struct view_txn *txn, const struct id *exec_id, int64_t now_ms)
{
    struct bytes key = bytes_of(exec_id->bytes, sizeof exec_id->bytes);
    struct journal_head head;
    struct bytes value = {0};
    struct id found;
    uint64_t rows = 0;

    if (view_get(txn, VIEW_HEAD, key, &value) && head_parse(exec_id, value, &head)) {
        rows = head_delete(txn, &head);
    }
    if (txn->status == 0 && find_expired(txn, now_ms, &found) && id_equal(&found, exec_id)) {
        scoped_cursor MDB_cursor *cursor = NULL;
        MDB_val first;
        int rc = mdb_cursor_open(txn->mdb, txn->views->tables[VIEW_EXPIRE], &cursor);

        if (rc == 0) {
            rc = mdb_cursor_get(cursor, &first, NULL, MDB_FIRST);
        }
        note(txn, (rc == 0) ? mdb_cursor_del(cursor, 0) : rc, VIEW_EXPIRE);
    }
    return rows;
}

int views_expire(struct views *views, int64_t now_ms, uint32_t *max, bool *ret_is_done)
{
    struct view_txn view = {.views = views};
    scoped_txn MDB_txn *txn = NULL;
    struct id exec_id;
    uint64_t rows = 0;
    uint32_t left = *max;
    bool is_found = true;
    int r = env_err(&views->env, mdb_txn_begin(views->env.mdb, NULL, 0, &txn), "begin");

    if (r != 0) {
        return r;
    }
    view.mdb = txn;
    while (left > 0 && rows < EXPIRE_ROWS_MAX && view.status == 0) {
        is_found = find_expired(&view, now_ms, &exec_id);
        if (!is_found) {
            break;
        }
        rows += 16 + delete_execution(&view, &exec_id, now_ms);
        left--;
    }
    r = (view.status == 0) ? env_commit(&views->env, &txn) : view.status;
    if (r == 0) {
        *max = left;
        *ret_is_done = !is_found || left == 0;
    }
    return r;
}
