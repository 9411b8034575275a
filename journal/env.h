/* One LMDB environment, opened the only way we trust: synced commits, no write
 * map, descriptors close-on-exec, directory entries synced after creation.
 *
 * Its table `meta` holds the format version and the identity that ties the hot
 * log and the views of one journal together. */
#ifndef JOURNAL_ENV_H
#define JOURNAL_ENV_H

#include <lmdb.h>
#include <stdbool.h>

#include "engine/base/bytes.h"
#include "engine/base/id.h"

#define ENV_FORMAT 1U

struct env {
    MDB_env *mdb;
    MDB_dbi meta;
    char *path; /* for messages */
    uint32_t page_bytes;
};

/* What an operation on a full map or a full disk returns, everywhere in here. */
enum { ENV_FULL = 1 };

struct env_options {
    uint64_t map_bytes;
    const char *const *tables; /* besides `meta` */
    unsigned table_count;
    bool is_read_only; /* must exist; takes no lock and changes nothing */
};

/* Creates directory, environment and tables as needed. A newer format is
 * ERR_INVALID with a sentence. `ret_dbis` has room for table_count. On failure
 * nothing stays open. */
int env_open(struct env *env, const char *path, const struct env_options *options,
             MDB_dbi *ret_dbis);
void env_close(struct env *env); /* harmless when not open */

/* The identity is none until it is set, once. */
int env_get_identity(const struct env *env, struct id *ret_identity);
int env_set_identity(struct env *env, const struct id *identity);

/* Pages in use, those free for reuse not counted; walks the list of free pages. */
int env_count_pages(const struct env *env, uint64_t *ret_used, uint64_t *ret_map);

/* True while the file's end is far from the map's: no need to count. */
bool env_is_roomy(const struct env *env, uint64_t pages_wanted);

/* The part of the map in use, in percent; cheap while less than 80. */
unsigned env_used_percent(const struct env *env);

/* Bytes until that part of the map is in use; as cheap. */
uint64_t env_room_bytes(const struct env *env, unsigned percent);

/* An empty commit. LMDB lends out pages freed by commit n from commit n + 2 on, so
 * this lets a full environment use what was just deleted. */
int env_touch(struct env *env);

/* 0, ENV_FULL, or ERR_IO with `what` and the path in its text. */
int env_err(const struct env *env, int rc, const char *what);

/* Commits and forgets `*txn` whatever happens. ENV_FULL only when it is certain
 * that nothing was written that counts. */
int env_commit(struct env *env, MDB_txn **txn);

void env_abort(MDB_txn **txn);
#define scoped_txn __attribute__((cleanup(env_abort)))
void env_close_cursor(MDB_cursor **cursor);
#define scoped_cursor __attribute__((cleanup(env_close_cursor)))

static inline MDB_val env_val(const void *data, size_t len)
{
    return (MDB_val){.mv_size = len, .mv_data = (void *)(uintptr_t)data};
}

static inline struct bytes env_bytes(MDB_val val)
{
    return bytes_of(val.mv_data, val.mv_size);
}

#endif /* JOURNAL_ENV_H */
