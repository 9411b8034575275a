/* The views: tables derived from the log, in an LMDB environment of their own,
 * changed only by the applier, one synced transaction a batch.
 *
 *     meta     "applied" -> LSN up to which the views hold everything
 *     head     execution -> what is known of it (journal/head.h)
 *     segment  execution, first record u64, piece u16 -> frames, verbatim
 *     due      wake ms, execution -> nothing
 *     name     tenant, function, name hash -> execution
 *     index    tenant, function or none for all, start ms, execution -> status u8
 *     status   tenant, function or none, status u8, start ms, execution -> nothing;
 *              not for SUCCEEDED, so it stays small
 *     expire   end of retention ms, execution -> nothing
 *     object   key -> 0, value; or 1, LSN u64le, length u64le: it is in `piece`
 *     piece    LSN u64, piece u16 -> part of an object
 *     damaged  LSN u64, piece u16 -> kind u8, part of an entry nobody could read
 *
 * Numbers in keys are big-endian. */
#ifndef JOURNAL_VIEWS_H
#define JOURNAL_VIEWS_H

#include "journal/batch.h"
#include "journal/env.h"

enum view_table {
    VIEW_HEAD,
    VIEW_SEGMENT,
    VIEW_DUE,
    VIEW_NAME,
    VIEW_INDEX,
    VIEW_STATUS,
    VIEW_EXPIRE,
    VIEW_OBJECT,
    VIEW_PIECE,
    VIEW_DAMAGED,
    VIEW_TABLES,
};

/* A value of at most this size takes whole pages of LMDB without loss. */
#define VIEW_VALUE_BYTES 16360U

struct views {
    struct env env;
    MDB_dbi tables[VIEW_TABLES];
};

enum { VIEWS_FULL = ENV_FULL };

int views_open(struct views *views, const char *path, uint64_t map_bytes, bool is_read_only);
void views_close(struct views *views);

int views_get_applied(struct views *views, uint64_t *ret_lsn);

/* Applies the batch in one transaction. VIEWS_FULL: nothing has changed. */
int views_apply(struct views *views, const struct batch *batch);

/* Deletes executions whose retention ended by `now_ms`, at most `*max`, which it
 * lowers by how many; a bounded transaction, so call it until nothing is left:
 * `ret_is_done`. */
int views_expire(struct views *views, int64_t now_ms, uint32_t *max, bool *ret_is_done);

/* --- for the files that write one table each ------------------------------------ */

/* One transaction of the writer, with the first error it met. */
struct view_txn {
    struct views *views;
    MDB_txn *mdb;
    int status;
};

/* Do nothing once `status` is not 0. */
void view_put(struct view_txn *txn, enum view_table table, struct bytes key, struct bytes value);
void view_put_new(struct view_txn *txn, enum view_table table, struct bytes key,
                  struct bytes value); /* keeps what is there */
void view_delete(struct view_txn *txn, enum view_table table, struct bytes key);

/* False when missing, or after an error. Valid until the next change. */
bool view_get(struct view_txn *txn, enum view_table table, struct bytes key,
              struct bytes *ret_value);

/* Deletes every row whose key starts with `prefix`; returns how many. */
uint64_t view_delete_prefix(struct view_txn *txn, enum view_table table, struct bytes prefix);

/* Rows of (number u64, piece u16): a value cut into pieces of VIEW_VALUE_BYTES. */
void view_put_pieces(struct view_txn *txn, enum view_table table, uint64_t number,
                     struct bytes value);

#endif /* JOURNAL_VIEWS_H */
