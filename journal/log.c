#include "journal/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>

#include "engine/base/crash.h"
#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "journal/layout.h"

/* Kept free, so that trimming, which copies a few pages before it frees many,
 * works in a log that takes nothing more. */
#define RESERVE_PAGES_MIN 32U
#define RESERVE_SHARE 32U /* of the map */

struct hot_log {
    struct env env;
    MDB_dbi pieces;
    uint64_t map_bytes;
    _Atomic uint64_t first; /* written by the thread that appends */
    _Atomic uint64_t last;
};

static const char epoch_key[] = "epoch";

struct env *hot_log_env(struct hot_log *log)
{
    return &log->env;
}

uint64_t hot_log_first(const struct hot_log *log)
{
    return atomic_load(&log->first);
}

uint64_t hot_log_last(const struct hot_log *log)
{
    return atomic_load(&log->last);
}

static int find_edge(struct hot_log *log, MDB_txn *txn, MDB_cursor_op edge, uint64_t *ret_lsn)
{
    scoped_cursor MDB_cursor *cursor = NULL;
    MDB_val key;
    MDB_val value;
    int rc = mdb_cursor_open(txn, log->pieces, &cursor);

    if (rc == 0) {
        rc = mdb_cursor_get(cursor, &key, &value, edge);
    }
    if (rc == MDB_NOTFOUND) {
        *ret_lsn = 0;
        return 0;
    }
    if (rc != 0) {
        return env_err(&log->env, rc, "find its ends");
    }
    if (key.mv_size != sizeof *ret_lsn) {
        return ERR(ERR_CORRUPT, "%s: a key is not an LSN: restore it from a backup", log->env.path);
    }
    *ret_lsn = get_u64be(key.mv_data);
    return 0;
}

static int find_edges(struct hot_log *log)
{
    scoped_txn MDB_txn *txn = NULL;
    uint64_t first = 0;
    uint64_t last = 0;
    int r = env_err(&log->env, mdb_txn_begin(log->env.mdb, NULL, MDB_RDONLY, &txn), "begin read");

    if (r == 0) {
        r = find_edge(log, txn, MDB_FIRST, &first);
    }
    if (r == 0) {
        r = find_edge(log, txn, MDB_LAST, &last);
    }
    if (r == 0) {
        atomic_store(&log->first, first);
        atomic_store(&log->last, last);
    }
    return r;
}

int hot_log_open(struct hot_log **ret_log, const char *path, uint64_t map_bytes, bool is_read_only)
{
    static const char *const tables[] = {"log"};
    struct env_options options = {
        .map_bytes = map_bytes, .tables = tables, .table_count = 1, .is_read_only = is_read_only};
    struct hot_log *log = mem_calloc(1, sizeof *log);
    int r;

    if (log == NULL) {
        return ERR(ERR_NOMEM, "hot log");
    }
    log->map_bytes = map_bytes;
    r = env_open(&log->env, path, &options, &log->pieces);
    if (r == 0) {
        r = find_edges(log);
    }
    if (r != 0) {
        hot_log_close(log);
        return r;
    }
    *ret_log = log;
    return 0;
}

void hot_log_close(struct hot_log *log)
{
    if (log != NULL) {
        env_close(&log->env);
        mem_free(log);
    }
}

static int get_epoch(struct hot_log *log, MDB_txn *txn, uint64_t *ret_epoch)
{
    MDB_val key = env_val(epoch_key, strlen(epoch_key));
    MDB_val value;
    int rc = mdb_get(txn, log->env.meta, &key, &value);

    if (rc == MDB_NOTFOUND) {
        *ret_epoch = 0;
        return 0;
    }
    if (rc != 0 || value.mv_size != sizeof *ret_epoch) {
        return ERR(ERR_CORRUPT, "%s: its epoch cannot be read: restore it from a backup",
                   log->env.path);
    }
    *ret_epoch = get_u64le(value.mv_data);
    return 0;
}

int hot_log_claim(struct hot_log *log, uint64_t *ret_epoch)
{
    MDB_val key = env_val(epoch_key, strlen(epoch_key));
    MDB_val value;
    uint8_t number[8];
    uint64_t epoch = 0;
    scoped_txn MDB_txn *txn = NULL;
    int r = env_err(&log->env, mdb_txn_begin(log->env.mdb, NULL, 0, &txn), "begin");

    if (r == 0) {
        r = get_epoch(log, txn, &epoch);
    }
    if (r == 0) {
        put_u64le(number, ++epoch);
        value = env_val(number, sizeof number);
        r = env_err(&log->env, mdb_put(txn, log->env.meta, &key, &value, 0), "put epoch");
    }
    if (r == 0) {
        r = env_commit(&log->env, &txn);
    }
    if (r == 0) {
        *ret_epoch = epoch;
    }
    return r;
}

static void put_piece_header(uint8_t *out, uint8_t kind, uint64_t piece, uint64_t pieces)
{
    memset(out, 0, LOG_PIECE_HEADER_BYTES);
    out[0] = kind;
    put_u16le(out + 2, (uint16_t)piece);
    put_u16le(out + 4, (uint16_t)pieces);
}

/* Written straight into LMDB's page. */
static int put_piece(MDB_cursor *cursor, const struct journal_append *req, uint64_t piece,
                     uint64_t pieces)
{
    size_t at = piece * LOG_PIECE_BYTES;
    size_t len = (piece + 1 == pieces) ? req->data.len - at : LOG_PIECE_BYTES;
    uint8_t lsn[8];
    MDB_val key = env_val(lsn, sizeof lsn);
    MDB_val value = {.mv_size = LOG_PIECE_HEADER_BYTES + len};
    uint8_t *out;
    int rc;

    put_u64be(lsn, req->lsn - pieces + 1 + piece);
    rc = mdb_cursor_put(cursor, &key, &value, MDB_APPEND | MDB_RESERVE);
    if (rc == 0) {
        out = value.mv_data;
        put_piece_header(out, (uint8_t)req->kind, piece, pieces);
        memcpy(out + LOG_PIECE_HEADER_BYTES, req->data.data + at, len);
    }
    return rc;
}

static int put_batch(struct hot_log *log, MDB_txn *txn, const struct list *batch,
                     uint64_t *ret_last)
{
    scoped_cursor MDB_cursor *cursor = NULL;
    uint64_t last = hot_log_last(log);
    struct list *item;
    int rc = mdb_cursor_open(txn, log->pieces, &cursor);

    list_for_each (item, batch) {
        const struct journal_append *req = container_of(item, struct journal_append, link);
        uint64_t pieces = log_pieces(req->data.len);

        assert(pieces >= 1 && pieces <= LOG_PIECES_MAX);
        assert(req->lsn == last + pieces); /* without gaps */
        for (uint64_t piece = 0; rc == 0 && piece < pieces; piece++) {
            rc = put_piece(cursor, req, piece, pieces);
        }
        last = req->lsn;
    }
    *ret_last = last;
    return env_err(&log->env, rc, "append");
}

/* From the front, a new seek each time: a cursor is not trusted after a delete. */
static int trim_front(struct hot_log *log, MDB_txn *txn, const struct log_trim *trim, uint64_t last,
                      uint64_t *first)
{
    scoped_cursor MDB_cursor *cursor = NULL;
    uint64_t to = (trim->to < last) ? trim->to : last - 1;
    MDB_val key;
    MDB_val value;
    int rc;

    if (trim->max == 0 || *first == 0 || *first > to) {
        return 0;
    }
    rc = mdb_cursor_open(txn, log->pieces, &cursor);
    for (uint32_t n = 0; rc == 0 && n < trim->max && *first <= to; n++) {
        rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
        assert(rc != 0 || get_u64be(key.mv_data) == *first);
        if (rc == 0) {
            rc = mdb_cursor_del(cursor, 0);
            *first += 1;
        }
    }
    return env_err(&log->env, rc, "trim");
}

static uint64_t pages_of(const struct hot_log *log, const struct list *batch)
{
    uint64_t bytes = 0;
    struct list *item;

    list_for_each (item, batch) {
        bytes += container_of(item, struct journal_append, link)->data.len + 64;
    }
    return bytes / log->env.page_bytes * 5 / 4;
}

/* Counting free pages costs a walk, so it is done only near the end of the map. */
static int check_room(struct hot_log *log, const struct list *batch)
{
    uint64_t reserve = log->map_bytes / log->env.page_bytes / RESERVE_SHARE;
    uint64_t wanted;
    uint64_t used;
    uint64_t map;
    int r;

    if (list_is_empty(batch)) {
        return 0;
    }
    reserve = (reserve > RESERVE_PAGES_MIN) ? reserve : RESERVE_PAGES_MIN;
    wanted = pages_of(log, batch) + reserve;
    if (env_is_roomy(&log->env, wanted)) {
        return 0;
    }
    r = env_count_pages(&log->env, &used, &map);
    if (r == 0 && used + wanted > map) {
        r = LOG_FULL;
    }
    return r;
}

static int check_epoch(struct hot_log *log, MDB_txn *txn, uint64_t epoch)
{
    uint64_t found = 0;
    int r = get_epoch(log, txn, &found);

    return (r == 0 && found != epoch) ? LOG_FENCED : r;
}

int hot_log_append(struct hot_log *log, uint64_t epoch, const struct list *batch,
                   const struct log_trim *trim)
{
    uint64_t first = hot_log_first(log);
    uint64_t last = hot_log_last(log);
    scoped_txn MDB_txn *txn = NULL;
    int r = check_room(log, batch);

    if (r == 0) {
        r = env_err(&log->env, mdb_txn_begin(log->env.mdb, NULL, 0, &txn), "begin");
    }
    if (r == 0) {
        r = check_epoch(log, txn, epoch);
    }
    if (r == 0) {
        r = put_batch(log, txn, batch, &last);
    }
    CRASH_POINT(before_trim);
    if (r == 0) {
        r = trim_front(log, txn, trim, last, &first);
    }
    CRASH_POINT(before_commit);
    if (r == 0) {
        r = env_commit(&log->env, &txn);
    }
    CRASH_POINT(after_commit);
    if (r != 0) {
        return r;
    }
    atomic_store(&log->first, (first == 0 && last != 0) ? 1 : first);
    atomic_store(&log->last, last);
    return 0;
}

static bool get_piece(MDB_val key, MDB_val value, struct log_piece *ret_piece)
{
    const uint8_t *in = value.mv_data;

    if (key.mv_size != sizeof ret_piece->lsn || value.mv_size <= LOG_PIECE_HEADER_BYTES) {
        return false;
    }
    ret_piece->lsn = get_u64be(key.mv_data);
    ret_piece->kind = in[0];
    ret_piece->piece = get_u16le(in + 2);
    ret_piece->pieces = get_u16le(in + 4);
    ret_piece->data = bytes_of(in + LOG_PIECE_HEADER_BYTES, value.mv_size - LOG_PIECE_HEADER_BYTES);
    return ret_piece->piece < ret_piece->pieces;
}

int hot_log_read(struct hot_log *log, uint64_t from, log_visit visit, void *arg)
{
    scoped_txn MDB_txn *txn = NULL;
    scoped_cursor MDB_cursor *cursor = NULL;
    struct log_piece piece;
    uint8_t lsn[8];
    MDB_val key = env_val(lsn, sizeof lsn);
    MDB_val value;
    int stop = 0;
    int rc = mdb_txn_begin(log->env.mdb, NULL, MDB_RDONLY, &txn);

    put_u64be(lsn, from);
    if (rc == 0) {
        rc = mdb_cursor_open(txn, log->pieces, &cursor);
    }
    if (rc == 0) {
        rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    }
    while (rc == 0 && stop == 0) {
        if (!get_piece(key, value, &piece)) {
            return ERR(ERR_CORRUPT, "%s: an entry has no header: restore it from a backup",
                       log->env.path);
        }
        stop = visit(arg, &piece);
        if (stop == 0) {
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        }
    }
    return (rc == MDB_NOTFOUND) ? 0 : (rc != 0) ? env_err(&log->env, rc, "read") : stop;
}
