#include "journal/env.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "journal/layout.h"
#include "journal/place.h"

#define TABLES_MAX 16U
#define ROOMY_PERCENT 80U
#define DISK_FULL_BYTES ((uint64_t)1 << 20)

static const char *const env_files[] = {"data.mdb", "lock.mdb", NULL};
static const char format_key[] = "format";
static const char identity_key[] = "identity";
static const char touch_key[] = "touched";

static bool is_full_code(int rc)
{
    return rc == MDB_MAP_FULL || rc == ENOSPC || rc == EDQUOT;
}

int env_err(const struct env *env, int rc, const char *what)
{
    if (rc == 0) {
        return 0;
    }
    if (is_full_code(rc)) {
        return ENV_FULL;
    }
    return ERR(ERR_IO, "%s: %s: %s", env->path, what, mdb_strerror(rc));
}

void env_abort(MDB_txn **txn)
{
    if (*txn != NULL) {
        mdb_txn_abort(*txn);
        *txn = NULL;
    }
}

void env_close_cursor(MDB_cursor **cursor)
{
    if (*cursor != NULL) {
        mdb_cursor_close(*cursor);
        *cursor = NULL;
    }
}

/* After a failed write of its meta page LMDB refuses every transaction until it is
 * reopened, and then the outcome of the commit is unknown. */
static bool is_usable(const struct env *env)
{
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(env->mdb, NULL, 0, &txn);

    env_abort(&txn);
    return rc == 0;
}

/* A write that the disk took only in part comes back as EIO. */
static bool is_disk_full(const struct env *env)
{
    struct statvfs fs;

    return statvfs(env->path, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < DISK_FULL_BYTES;
}

int env_commit(struct env *env, MDB_txn **txn)
{
    MDB_txn *done = *txn;
    int rc;

    *txn = NULL; /* commit frees it, whether it succeeds or not */
    rc = mdb_txn_commit(done);
    if ((is_full_code(rc) || (rc == EIO && is_disk_full(env))) && is_usable(env)) {
        return ENV_FULL;
    }
    return (rc == 0) ? 0 : ERR(ERR_IO, "%s: commit: %s", env->path, mdb_strerror(rc));
}

static int put_meta(struct env *env, MDB_txn *txn, const char *name, const void *data, size_t len)
{
    MDB_val key = env_val(name, strlen(name));
    MDB_val value = env_val(data, len);

    return env_err(env, mdb_put(txn, env->meta, &key, &value, 0), name);
}

static int check_format(struct env *env, MDB_txn *txn, bool is_read_only)
{
    MDB_val key = env_val(format_key, strlen(format_key));
    MDB_val value;
    uint8_t format[4];
    int rc = mdb_get(txn, env->meta, &key, &value);

    if (rc == MDB_NOTFOUND && !is_read_only) {
        put_u32le(format, ENV_FORMAT);
        return put_meta(env, txn, format_key, format, sizeof format);
    }
    if (rc != 0 || value.mv_size != sizeof format) {
        return ERR(ERR_CORRUPT, "%s has no format version: restore it from a backup", env->path);
    }
    if (get_u32le(value.mv_data) > ENV_FORMAT) {
        return ERR(ERR_INVALID,
                   "%s has format %u, this version reads up to %u: start the version that wrote it",
                   env->path, get_u32le(value.mv_data), ENV_FORMAT);
    }
    return 0;
}

static int open_tables(struct env *env, const struct env_options *options, MDB_dbi *ret_dbis)
{
    unsigned create = options->is_read_only ? 0 : MDB_CREATE;
    scoped_txn MDB_txn *txn = NULL;
    int r;

    r = env_err(env, mdb_txn_begin(env->mdb, NULL, options->is_read_only ? MDB_RDONLY : 0, &txn),
                "begin");
    if (r == 0) {
        r = env_err(env, mdb_dbi_open(txn, "meta", create, &env->meta), "open meta");
    }
    if (r == 0) {
        r = check_format(env, txn, options->is_read_only);
    }
    for (unsigned i = 0; r == 0 && i < options->table_count; i++) {
        r = env_err(env, mdb_dbi_open(txn, options->tables[i], create, &ret_dbis[i]),
                    options->tables[i]);
    }
    return (r == 0) ? env_commit(env, &txn) : r;
}

/* LMDB leaves its descriptors open across exec on purpose. */
static int close_on_exec(struct env *env)
{
    mdb_filehandle_t fd;

    if (mdb_env_get_fd(env->mdb, &fd) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        return ERR(ERR_SYSTEM, "%s: cannot make its descriptor close-on-exec", env->path);
    }
    return 0;
}

static int open_mdb(struct env *env, const struct env_options *options)
{
    unsigned flags = MDB_NOTLS | MDB_NORDAHEAD;
    MDB_envinfo info;
    MDB_stat stat;
    int r;

    if (options->is_read_only) {
        flags |= MDB_RDONLY | MDB_NOLOCK;
    }
    r = env_err(env, mdb_env_create(&env->mdb), "create");
    if (r == 0) {
        r = env_err(env, mdb_env_set_mapsize(env->mdb, options->map_bytes), "map size");
    }
    if (r == 0) {
        r = env_err(env, mdb_env_set_maxdbs(env->mdb, TABLES_MAX), "tables");
    }
    if (r == 0) {
        r = env_err(env, mdb_env_open(env->mdb, env->path, flags, 0600), "open");
    }
    if (r == 0) {
        r = close_on_exec(env);
    }
    if (r == 0) {
        (void)mdb_env_stat(env->mdb, &stat);
        (void)mdb_env_info(env->mdb, &info);
        env->page_bytes = stat.ms_psize;
    }
    return r;
}

static int open_at(struct env *env, const char *path, const struct env_options *options,
                   MDB_dbi *ret_dbis)
{
    int r = 0;

    *env = (struct env){.path = mem_dup(path, strlen(path))};
    if (env->path == NULL) {
        return ERR(ERR_NOMEM, "path of an environment");
    }
    if (!options->is_read_only) {
        r = place_make_dir(path);
    }
    if (r == 0) {
        r = open_mdb(env, options);
    }
    if (r == 0) {
        r = open_tables(env, options, ret_dbis);
    }
    if (r == 0 && !options->is_read_only) {
        r = place_sync_dir(path);
    }
    if (r == ENV_FULL) {
        r = ERR(ERR_LIMIT, "%s: no space to open it: free some on its disk", path);
    }
    if (r != 0) {
        env_close(env);
    }
    return r;
}

/* Whole, with its tables, under another name; then it gets its own. Half an environment,
 * left by a power cut, could not be told from a damaged one. */
static int create(const char *path, const char *staged, const struct env_options *options)
{
    struct env env;
    MDB_dbi dbis[TABLES_MAX];
    int r = place_remove_dir(staged, env_files);

    if (r == 0) {
        r = open_at(&env, staged, options, dbis);
    }
    if (r != 0) {
        return r;
    }
    env_close(&env);
    r = place_remove_dir(path, env_files + 1); /* at most an old lock */
    return (r == 0) ? place_rename_dir(staged, path) : r;
}

static int create_if_absent(const char *path, const struct env_options *options)
{
    char *data = place_join(path, env_files[0]);
    char *staged = (data != NULL) ? place_stage(path) : NULL;
    int r = 0;

    if (staged == NULL) {
        r = ERR(ERR_NOMEM, "path of an environment");
    } else if (access(data, F_OK) != 0 && errno == ENOENT) {
        r = create(path, staged, options);
    }
    mem_free(data);
    mem_free(staged);
    return r;
}

int env_open(struct env *env, const char *path, const struct env_options *options,
             MDB_dbi *ret_dbis)
{
    int r = options->is_read_only ? 0 : create_if_absent(path, options);

    return (r == 0) ? open_at(env, path, options, ret_dbis) : r;
}

void env_close(struct env *env)
{
    if (env->mdb != NULL) {
        mdb_env_close(env->mdb);
    }
    mem_free(env->path);
    *env = (struct env){0};
}

int env_get_identity(const struct env *env, struct id *ret_identity)
{
    MDB_val key = env_val(identity_key, strlen(identity_key));
    MDB_val value;
    scoped_txn MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &txn);

    if (rc == 0) {
        rc = mdb_get(txn, env->meta, &key, &value);
    }
    if (rc == MDB_NOTFOUND) {
        *ret_identity = (struct id){0};
        return 0;
    }
    if (rc != 0 || value.mv_size != sizeof ret_identity->bytes) {
        return ERR(ERR_CORRUPT, "%s: its identity cannot be read: restore it from a backup",
                   env->path);
    }
    memcpy(ret_identity->bytes, value.mv_data, sizeof ret_identity->bytes);
    return 0;
}

int env_set_identity(struct env *env, const struct id *identity)
{
    scoped_txn MDB_txn *txn = NULL;
    int r = env_err(env, mdb_txn_begin(env->mdb, NULL, 0, &txn), "begin");

    if (r == 0) {
        r = put_meta(env, txn, identity_key, identity->bytes, sizeof identity->bytes);
    }
    return (r == 0) ? env_commit(env, &txn) : r;
}

/* A record of the free list is a count of pages, then their numbers. */
static int count_free(const struct env *env, uint64_t *ret_free)
{
    scoped_txn MDB_txn *txn = NULL;
    scoped_cursor MDB_cursor *cursor = NULL;
    MDB_val key;
    MDB_val value;
    size_t count;
    int r = env_err(env, mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &txn), "begin read");

    if (r == 0) {
        r = env_err(env, mdb_cursor_open(txn, 0, &cursor), "cursor");
    }
    if (r != 0) {
        return r;
    }
    *ret_free = 0;
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        memcpy(&count, value.mv_data, sizeof count);
        *ret_free += count;
    }
    return 0;
}

static uint64_t map_pages(const struct env *env, uint64_t *ret_end)
{
    MDB_envinfo info;

    (void)mdb_env_info(env->mdb, &info); /* fails only without its arguments */
    *ret_end = info.me_last_pgno + 1;
    return info.me_mapsize / env->page_bytes;
}

int env_count_pages(const struct env *env, uint64_t *ret_used, uint64_t *ret_map)
{
    uint64_t free_pages;
    uint64_t end;
    int r = count_free(env, &free_pages);

    if (r == 0) {
        *ret_map = map_pages(env, &end);
        *ret_used = (end > free_pages) ? end - free_pages : 0;
    }
    return r;
}

bool env_is_roomy(const struct env *env, uint64_t pages_wanted)
{
    uint64_t end;
    uint64_t map = map_pages(env, &end);

    return end + pages_wanted <= map;
}

/* Pages in use; exactly only where it matters. */
static uint64_t used_pages(const struct env *env, uint64_t *ret_map)
{
    uint64_t used;

    *ret_map = map_pages(env, &used);
    if (used * 100 >= *ret_map * ROOMY_PERCENT && env_count_pages(env, &used, ret_map) != 0) {
        return *ret_map;
    }
    return used;
}

unsigned env_used_percent(const struct env *env)
{
    uint64_t map;
    uint64_t used = used_pages(env, &map);

    return (unsigned)(used * 100 / map);
}

uint64_t env_room_bytes(const struct env *env, unsigned percent)
{
    uint64_t map;
    uint64_t used = used_pages(env, &map);
    uint64_t limit = map * percent / 100;

    return (limit > used) ? (limit - used) * env->page_bytes : 0;
}

int env_touch(struct env *env)
{
    scoped_txn MDB_txn *txn = NULL;
    uint8_t number[8];
    int r = env_err(env, mdb_txn_begin(env->mdb, NULL, 0, &txn), "begin");

    if (r != 0) {
        return r;
    }
    put_u64le(number, (uint64_t)mdb_txn_id(txn));
    r = put_meta(env, txn, touch_key, number, sizeof number);
    return (r == 0) ? env_commit(env, &txn) : r;
}
