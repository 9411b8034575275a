#include <inttypes.h>
#include <limits.h>

#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "journal/head.h"
#include "journal/internal.h"
#include "journal/layout.h"
#include "journal/object.h"
#include "journal/segment.h"
#include "journal/thread.h"

/* The reads of one execution, one name, due times and objects. A walk that lasts
 * longer than SLICE_MS goes on in a new read transaction, because LMDB cannot
 * reuse a page while an older one is open. */

#define SLICE_MS 20

static int begin(struct journal *journal, MDB_txn **txn)
{
    return env_err(&journal->views.env,
                   mdb_txn_begin(journal->views.env.mdb, NULL, MDB_RDONLY, txn), "begin read");
}

/* 0, JOURNAL_NOT_FOUND or an error. */
static int get(struct journal *journal, MDB_txn *txn, enum view_table table, struct bytes key,
               struct bytes *ret_value)
{
    MDB_val mdb_key = env_val(key.data, key.len);
    MDB_val value;
    int rc = mdb_get(txn, journal->views.tables[table], &mdb_key, &value);

    if (rc == MDB_NOTFOUND) {
        return JOURNAL_NOT_FOUND;
    }
    if (rc == 0) {
        *ret_value = env_bytes(value);
    }
    return env_err(&journal->views.env, rc, "get");
}

static int read_head(struct journal *journal, MDB_txn *txn, const struct id *exec_id,
                     struct journal_head *ret_head)
{
    char text[ID_TEXT_LEN + 1];
    struct bytes value = {0};
    int r = get(journal, txn, VIEW_HEAD, bytes_of(exec_id->bytes, sizeof exec_id->bytes), &value);

    if (r == 0 && !head_parse(exec_id, value, ret_head)) {
        id_format(exec_id, text);
        r = ERR(ERR_CORRUPT, "%s: execution %s: its head cannot be read", journal->views.env.path,
                text);
    }
    return r;
}

int journal_get_head(struct journal *journal, const struct id *exec_id, struct arena *arena,
                     struct journal_head *ret_head)
{
    scoped_txn MDB_txn *txn = NULL;
    struct journal_head head;
    int r = begin(journal, &txn);

    if (r == 0) {
        r = read_head(journal, txn, exec_id, &head);
    }
    if (r != 0) {
        return r;
    }
    head.title = (arena != NULL) ? arena_copy(arena, head.title) : (struct bytes){0};
    if (arena != NULL && head.title.data == NULL) {
        return ERR(ERR_NOMEM, "title of an execution");
    }
    *ret_head = head;
    return 0;
}

int journal_read_frames(struct journal *journal, const struct id *exec_id, uint64_t from_record,
                        journal_frame_visit visit, void *arg)
{
    uint64_t record = (from_record > 0) ? from_record : 1;
    struct journal_head head;
    struct buf spare = {0};
    int r = SEGMENT_MORE;

    while (r == SEGMENT_MORE) {
        scoped_txn MDB_txn *txn = NULL;

        r = begin(journal, &txn);
        if (r == 0) {
            r = read_head(journal, txn, exec_id, &head);
        }
        if (r == 0 && head.is_brief) {
            r = JOURNAL_NOT_FOUND;
        }
        if (r == 0) {
            r = segment_read(&journal->views, txn, exec_id, &record, thread_now_ms() + SLICE_MS,
                             &spare, visit, arg);
        }
    }
    buf_fini(&spare);
    return r;
}

int journal_find_name(struct journal *journal, uint64_t tenant, const struct id *function_id,
                      const struct id *name_hash, struct id *ret_exec_id)
{
    uint8_t key[KEY_NAME_BYTES];
    scoped_txn MDB_txn *txn = NULL;
    struct bytes value = {0};
    int r = begin(journal, &txn);

    if (r == 0) {
        r = get(journal, txn, VIEW_NAME, key_name(key, tenant, function_id, name_hash), &value);
    }
    if (r == 0 && value.len != sizeof ret_exec_id->bytes) {
        r = ERR(ERR_CORRUPT, "%s: a name leads nowhere", journal->views.env.path);
    }
    if (r == 0) {
        memcpy(ret_exec_id->bytes, value.data, sizeof ret_exec_id->bytes);
    }
    return r;
}

static void get_due(MDB_val key, struct journal_due *due)
{
    due->wake_ms = (int64_t)get_u64be(key.mv_data);
    memcpy(due->exec_id.bytes, (const uint8_t *)key.mv_data + 8, sizeof due->exec_id.bytes);
}

/* Rows of `due` behind the position, in order; the cursor stands on each. */
static int next_due(MDB_cursor *cursor, const struct journal_due *after, bool is_first,
                    struct journal_due *ret_due)
{
    uint8_t bytes[KEY_TIMED_BYTES];
    struct bytes from = key_timed(bytes, after->wake_ms, &after->exec_id);
    MDB_val key = env_val(from.data, from.len);
    MDB_val value;
    int rc = mdb_cursor_get(cursor, &key, &value, is_first ? MDB_SET_RANGE : MDB_NEXT);

    if (rc == 0 && bytes_equal(env_bytes(key), from)) {
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    if (rc == 0 && key.mv_size != KEY_TIMED_BYTES) {
        return MDB_CORRUPTED;
    }
    if (rc == 0) {
        get_due(key, ret_due);
    }
    return rc;
}

int journal_read_due(struct journal *journal, int64_t until_ms, struct journal_due *after,
                     struct journal_due *ret_due, size_t max)
{
    scoped_txn MDB_txn *txn = NULL;
    scoped_cursor MDB_cursor *cursor = NULL;
    struct journal_due found;
    size_t count = 0;
    int rc;
    int r = begin(journal, &txn);

    if (r != 0) {
        return r;
    }
    max = (max < INT_MAX) ? max : INT_MAX;
    rc = mdb_cursor_open(txn, journal->views.tables[VIEW_DUE], &cursor);
    while (rc == 0 && count < max) {
        rc = next_due(cursor, after, count == 0, &found);
        if (rc != 0 || found.wake_ms > until_ms) {
            break;
        }
        ret_due[count++] = found;
        *after = found;
    }
    if (rc != 0 && rc != MDB_NOTFOUND) {
        return env_err(&journal->views.env, rc, "read due times");
    }
    return (int)count;
}

int journal_next_due(struct journal *journal, int64_t after_ms, int64_t *ret_wake_ms)
{
    struct journal_due after = {.wake_ms = after_ms};
    struct journal_due found = {0};
    int r;

    memset(after.exec_id.bytes, 0xFF, sizeof after.exec_id.bytes);
    r = journal_read_due(journal, INT64_MAX, &after, &found, 1);
    if (r < 0) {
        return r;
    }
    *ret_wake_ms = (r > 0) ? found.wake_ms : 0;
    return 0;
}

/* --- objects ----------------------------------------------------------------------- */

enum { OBJECTS_MORE = 1 << 30 };

static bool has_prefix(MDB_val key, struct bytes prefix)
{
    return key.mv_size >= prefix.len &&
           (prefix.len == 0 || memcmp(key.mv_data, prefix.data, prefix.len) == 0);
}

struct object_walk {
    struct bytes prefix;
    struct buf last; /* the key that was visited; empty at first */
    struct buf spare;
    journal_object_visit visit;
    void *arg;
};

static int visit_object(struct journal *journal, MDB_txn *txn, struct object_walk *walk,
                        MDB_val key, MDB_val row)
{
    struct bytes value = {0};
    int r = object_value(&journal->views, txn, env_bytes(row), &walk->spare, &value);

    if (r == 0) {
        r = walk->visit(walk->arg, env_bytes(key), value);
    }
    walk->last.len = 0;
    buf_append(&walk->last, key.mv_data, key.mv_size);
    return (r == 0 && walk->last.failed) ? ERR(ERR_NOMEM, "key of an object") : r;
}

static int seek_object(MDB_cursor *cursor, const struct object_walk *walk, MDB_val *key,
                       MDB_val *row)
{
    struct bytes from = (walk->last.len > 0) ? buf_bytes(&walk->last) : walk->prefix;
    int rc;

    *key = env_val(from.data, from.len);
    rc = mdb_cursor_get(cursor, key, row, (from.len > 0) ? MDB_SET_RANGE : MDB_FIRST);
    if (rc == 0 && walk->last.len > 0 && bytes_equal(env_bytes(*key), from)) {
        rc = mdb_cursor_get(cursor, key, row, MDB_NEXT);
    }
    return rc;
}

static int read_objects(struct journal *journal, struct object_walk *walk)
{
    int64_t until_ms = thread_now_ms() + SLICE_MS;
    scoped_txn MDB_txn *txn = NULL;
    scoped_cursor MDB_cursor *cursor = NULL;
    MDB_val key;
    MDB_val row;
    int rc;
    int r = begin(journal, &txn);

    if (r != 0) {
        return r;
    }
    rc = mdb_cursor_open(txn, journal->views.tables[VIEW_OBJECT], &cursor);
    if (rc == 0) {
        rc = seek_object(cursor, walk, &key, &row);
    }
    while (rc == 0 && r == 0 && has_prefix(key, walk->prefix)) {
        r = visit_object(journal, txn, walk, key, row);
        if (r == 0 && thread_now_ms() >= until_ms) {
            return OBJECTS_MORE;
        }
        rc = (r == 0) ? mdb_cursor_get(cursor, &key, &row, MDB_NEXT) : 0;
    }
    return (rc == 0 || rc == MDB_NOTFOUND) ? r : env_err(&journal->views.env, rc, "read objects");
}

int journal_read_objects(struct journal *journal, struct bytes prefix, journal_object_visit visit,
                         void *arg)
{
    struct object_walk walk = {.prefix = prefix, .visit = visit, .arg = arg};
    int r = OBJECTS_MORE;

    while (r == OBJECTS_MORE) {
        r = read_objects(journal, &walk);
    }
    buf_fini(&walk.last);
    buf_fini(&walk.spare);
    return r;
}

int journal_get_object(struct journal *journal, struct bytes key, struct buf *ret_value)
{
    scoped_txn MDB_txn *txn = NULL;
    struct buf spare = {0};
    struct bytes row = {0};
    struct bytes value = {0};
    int r;

    if (key.len == 0 || key.len > JOURNAL_KEY_MAX) {
        return JOURNAL_NOT_FOUND;
    }
    r = begin(journal, &txn);
    if (r == 0) {
        r = get(journal, txn, VIEW_OBJECT, key, &row);
    }
    if (r == 0) {
        r = object_value(&journal->views, txn, row, &spare, &value);
    }
    if (r == 0) {
        buf_append(ret_value, value.data, value.len);
        r = ret_value->failed ? ERR(ERR_NOMEM, "value of an object") : 0;
    }
    buf_fini(&spare);
    return r;
}
