#include <inttypes.h>

#include "engine/base/err.h"
#include "engine/base/log.h"
#include "engine/core/operation.h"
#include "journal/head.h"
#include "journal/internal.h"
#include "journal/layout.h"
#include "journal/thread.h"

/* Lists of executions by start time. When SUCCEEDED is among what is asked for, the
 * table `index` is walked and the rest left out; else the small tables by status
 * are walked side by side, and whichever comes next is taken. */

#define SLICE_MS 20

enum { LIST_MORE = 1 << 30 };

/* Start time and id: the order of every list. */
#define PLACE_BYTES 24U

struct source {
    MDB_cursor *cursor;
    uint8_t prefix[25]; /* tenant, function, maybe status */
    size_t prefix_len;
    bool has_row;
    uint8_t place[PLACE_BYTES];
    uint8_t status;
};

struct list_walk {
    struct journal *journal;
    const struct journal_list *list;
    MDB_txn *txn;
    struct source sources[FRAME_STATUSES_MAX];
    unsigned source_count;
    bool has_last;
    uint8_t last[PLACE_BYTES]; /* that was visited */
};

static void put_place(uint8_t out[PLACE_BYTES], int64_t start_ms, const struct id *exec_id)
{
    put_u64be(out, (uint64_t)start_ms);
    memcpy(out + 8, exec_id->bytes, sizeof exec_id->bytes);
}

static bool is_wanted(const struct list_walk *walk, uint8_t status)
{
    return walk->list->statuses == 0 || (walk->list->statuses & (1U << status)) != 0;
}

/* Takes over the row under the cursor if it belongs to the source. */
static int take_row(struct source *source, int rc, MDB_val key, MDB_val value)
{
    source->has_row = rc == 0 && key.mv_size == source->prefix_len + PLACE_BYTES &&
                      memcmp(key.mv_data, source->prefix, source->prefix_len) == 0;
    if (source->has_row) {
        memcpy(source->place, (const uint8_t *)key.mv_data + source->prefix_len, PLACE_BYTES);
        source->status = (value.mv_size == 1) ? *(const uint8_t *)value.mv_data : 0;
    }
    return (rc == MDB_NOTFOUND) ? 0 : rc;
}

static int advance(const struct list_walk *walk, struct source *source)
{
    MDB_val key;
    MDB_val value;
    int rc = mdb_cursor_get(source->cursor, &key, &value,
                            walk->list->is_oldest_first ? MDB_NEXT : MDB_PREV);

    return take_row(source, rc, key, value);
}

/* Oldest first: to the first row at or behind `place`. Newest first: to the last
 * row before it. */
static int seek(const struct list_walk *walk, struct source *source,
                const uint8_t place[PLACE_BYTES])
{
    uint8_t bytes[sizeof source->prefix + PLACE_BYTES];
    MDB_val key = env_val(bytes, source->prefix_len + PLACE_BYTES);
    MDB_val value;
    int rc;

    memcpy(bytes, source->prefix, source->prefix_len);
    memcpy(bytes + source->prefix_len, place, PLACE_BYTES);
    rc = mdb_cursor_get(source->cursor, &key, &value, MDB_SET_RANGE);
    if (!walk->list->is_oldest_first) {
        rc = mdb_cursor_get(source->cursor, &key, &value,
                            (rc == MDB_NOTFOUND) ? MDB_LAST : MDB_PREV);
    }
    return take_row(source, rc, key, value);
}

/* Where the walk begins or goes on: the stricter of the bound and the position. */
static void find_start(const struct list_walk *walk, uint8_t place[PLACE_BYTES])
{
    static const struct id none;
    const struct journal_list *list = walk->list;
    bool has_before = list->started_before_ms > 0 && list->started_before_ms < INT64_MAX;
    uint8_t bound[PLACE_BYTES];

    if (list->is_oldest_first) {
        put_place(bound, (list->started_after_ms > 0) ? list->started_after_ms : 0, &none);
    } else {
        put_place(bound, has_before ? list->started_before_ms + 1 : INT64_MAX, &none);
    }
    memcpy(place, bound, PLACE_BYTES);
    if (walk->has_last && (memcmp(walk->last, bound, PLACE_BYTES) > 0) == list->is_oldest_first) {
        memcpy(place, walk->last, PLACE_BYTES);
    }
}

static bool is_past_end(const struct list_walk *walk, const struct source *source)
{
    int64_t start_ms = (int64_t)get_u64be(source->place);

    if (walk->list->is_oldest_first) {
        return walk->list->started_before_ms > 0 && start_ms > walk->list->started_before_ms;
    }
    return start_ms < walk->list->started_after_ms;
}

static int start_source(const struct list_walk *walk, struct source *source,
                        const uint8_t place[PLACE_BYTES])
{
    int rc = seek(walk, source, place);

    if (rc == 0 && walk->has_last && source->has_row &&
        memcmp(source->place, walk->last, PLACE_BYTES) == 0) {
        rc = advance(walk, source);
    }
    return rc;
}

static int add_source(struct list_walk *walk, uint8_t status, const uint8_t place[PLACE_BYTES])
{
    struct source *source = &walk->sources[walk->source_count];
    enum view_table table = (status == 0) ? VIEW_INDEX : VIEW_STATUS;
    int rc;

    *source = (struct source){.prefix_len = 24};
    put_u64be(source->prefix, walk->list->tenant);
    memcpy(source->prefix + 8, walk->list->function_id.bytes, 16);
    if (status != 0) {
        source->prefix[source->prefix_len++] = status;
    }
    rc = mdb_cursor_open(walk->txn, walk->journal->views.tables[table], &source->cursor);
    if (rc != 0) {
        return rc;
    }
    walk->source_count++;
    return start_source(walk, source, place);
}

static int add_sources(struct list_walk *walk)
{
    uint8_t place[PLACE_BYTES];
    int rc = 0;

    find_start(walk, place);
    if (is_wanted(walk, EXEC_SUCCEEDED)) {
        return add_source(walk, 0, place);
    }
    for (uint8_t status = 1; rc == 0 && status < FRAME_STATUSES_MAX; status++) {
        if (is_wanted(walk, status)) {
            rc = add_source(walk, status, place);
        }
    }
    return rc;
}

static void close_sources(struct list_walk *walk)
{
    while (walk->source_count > 0) {
        mdb_cursor_close(walk->sources[--walk->source_count].cursor);
    }
}

static struct source *next_source(struct list_walk *walk)
{
    struct source *next = NULL;

    for (unsigned i = 0; i < walk->source_count; i++) {
        struct source *source = &walk->sources[i];

        if (source->has_row && !is_past_end(walk, source) &&
            (next == NULL || (memcmp(source->place, next->place, PLACE_BYTES) < 0) ==
                                 walk->list->is_oldest_first)) {
            next = source;
        }
    }
    return next;
}

/* A row whose head is missing or damaged is left out, and said in the log. */
static int visit_row(struct list_walk *walk, const struct source *source, journal_head_visit visit,
                     void *arg)
{
    struct id exec_id;
    struct journal_head head;
    char text[ID_TEXT_LEN + 1];
    MDB_val key = env_val(exec_id.bytes, sizeof exec_id.bytes);
    MDB_val value;

    memcpy(exec_id.bytes, source->place + 8, sizeof exec_id.bytes);
    if (mdb_get(walk->txn, walk->journal->views.tables[VIEW_HEAD], &key, &value) != 0 ||
        !head_parse(&exec_id, env_bytes(value), &head)) {
        id_format(&exec_id, text);
        log_error("%s: execution %s is listed but has no head", walk->journal->views.env.path,
                  text);
        return 0;
    }
    return visit(arg, &head);
}

static int walk_rows(struct list_walk *walk, journal_head_visit visit, void *arg)
{
    int64_t until_ms = thread_now_ms() + SLICE_MS;
    struct source *source;
    int rc = 0;
    int r = 0;

    while (rc == 0 && r == 0 && (source = next_source(walk)) != NULL) {
        memcpy(walk->last, source->place, PLACE_BYTES);
        walk->has_last = true;
        if (source->prefix_len > 24 || is_wanted(walk, source->status)) {
            r = visit_row(walk, source, visit, arg);
        }
        if (r == 0) {
            rc = advance(walk, source);
        }
        if (r == 0 && rc == 0 && thread_now_ms() >= until_ms) {
            return LIST_MORE;
        }
    }
    return (rc == 0) ? r : env_err(&walk->journal->views.env, rc, "list");
}

static int read_slice(struct list_walk *walk, journal_head_visit visit, void *arg)
{
    const struct env *env = &walk->journal->views.env;
    scoped_txn MDB_txn *txn = NULL;
    int r = env_err(env, mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &txn), "begin read");

    if (r != 0) {
        return r;
    }
    walk->txn = txn;
    r = env_err(env, add_sources(walk), "list");
    if (r == 0) {
        r = walk_rows(walk, visit, arg);
    }
    close_sources(walk);
    return r;
}

int journal_read_list(struct journal *journal, const struct journal_list *list,
                      journal_head_visit visit, void *arg)
{
    struct list_walk walk = {.journal = journal, .list = list};
    int r = LIST_MORE;

    if (list->from_start_ms != 0 || !id_is_none(&list->from_exec_id)) {
        walk.has_last = true;
        put_place(walk.last, list->from_start_ms, &list->from_exec_id);
    }
    while (r == LIST_MORE) {
        r = read_slice(&walk, visit, arg);
    }
    return r;
}
