#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "journal/internal.h"
#include "journal/place.h"
#include "journal/thread.h"

/* The views are copied first, the log after them, and nothing is trimmed meanwhile.
 * So the copy of the views ends at some LSN a, and the copy of the log, made later,
 * holds everything from a + 1 (or before) to all that was committed when it began.
 * The other way round the views could be newer than the log, which cannot be
 * opened; with trimming between the two, entries could be in neither.
 *
 * Each file is written under another name and renamed when it is synced, the log's
 * last: what a backup that was cut off leaves behind cannot be opened by mistake. */

struct journal_backup {
    struct journal *journal;
    char *dir;
    journal_backup_cb cb;
    void *arg;
    pthread_t thread;
    int status; /* the thread's until `is_done` */
    _Atomic bool is_done;
};

static int check_empty(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int entries = 0;

    if (dir == NULL) {
        return ERR(ERR_SYSTEM, "%s: %s", path, strerror(errno));
    }
    while ((entry = readdir(dir)) != NULL && entries <= 2) {
        entries++;
    }
    (void)closedir(dir);
    return (entries <= 2) ? 0 : ERR(ERR_INVALID, "%s is not empty: name a new directory", path);
}

/* Compacted; when LMDB finds the free list in the way of that, page by page. */
static int copy_pages(const struct env *env, int fd, const char *path)
{
    int rc = mdb_env_copyfd2(env->mdb, fd, MDB_CP_COMPACT);

    if (rc == MDB_INCOMPATIBLE) {
        rc = (ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0)
                 ? mdb_env_copyfd2(env->mdb, fd, 0)
                 : errno;
    }
    if (rc == 0 && fsync(fd) != 0) {
        rc = errno;
    }
    return (rc == 0) ? 0 : ERR(ERR_IO, "backup to %s: %s", path, mdb_strerror(rc));
}

static int copy_file(const struct env *env, const char *part, const char *path)
{
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int r;

    if (fd < 0) {
        return ERR(ERR_SYSTEM, "create %s: %s", part, strerror(errno));
    }
    r = copy_pages(env, fd, path);
    (void)close(fd);
    if (r == 0 && rename(part, path) != 0) {
        r = ERR(ERR_SYSTEM, "rename %s: %s", part, strerror(errno));
    }
    return r;
}

static int copy_env(const struct env *env, const char *backup_dir, const char *name)
{
    char *dir = place_join(backup_dir, name);
    char *part = (dir != NULL) ? place_join(dir, "data.mdb.part") : NULL;
    char *path = (dir != NULL) ? place_join(dir, "data.mdb") : NULL;
    int r = ERR_NOMEM;

    if (part == NULL || path == NULL) {
        (void)ERR(ERR_NOMEM, "path of a backup");
    } else {
        r = place_make_dir(dir);
        r = (r == 0) ? copy_file(env, part, path) : r;
        r = (r == 0) ? place_sync_dir(dir) : r;
    }
    mem_free(path);
    mem_free(part);
    mem_free(dir);
    return r;
}

static int copy_all(struct journal_backup *backup)
{
    struct journal *journal = backup->journal;
    int r = place_make_dir(backup->dir);

    if (r == 0) {
        r = check_empty(backup->dir);
    }
    if (r == 0) {
        r = copy_env(&journal->views.env, backup->dir, "views");
    }
    if (r == 0) {
        r = copy_env(hot_log_env(journal->log), backup->dir, "log");
    }
    return (r == 0) ? place_sync_dir(backup->dir) : r;
}

static void *run(void *arg)
{
    struct journal_backup *backup = arg;

    backup->status = copy_all(backup);
    atomic_store(&backup->is_done, true);
    (void)uv_async_send(&backup->journal->wakeup);
    return NULL;
}

static void free_backup(struct journal_backup *backup)
{
    mem_free(backup->dir);
    mem_free(backup);
}

int journal_backup(struct journal *journal, const char *dir, void *arg, journal_backup_cb cb)
{
    struct journal_backup *backup;
    int r;

    if (journal->backup != NULL) {
        return ERR(ERR_LIMIT, "a backup is running: wait for its end");
    }
    backup = mem_calloc(1, sizeof *backup);
    if (backup == NULL) {
        return ERR(ERR_NOMEM, "backup");
    }
    *backup = (struct journal_backup){
        .journal = journal, .cb = cb, .arg = arg, .dir = mem_dup(dir, strlen(dir))};
    if (backup->dir == NULL) {
        free_backup(backup);
        return ERR(ERR_NOMEM, "path of a backup");
    }
    writer_hold_trimming(journal->writer, true);
    r = thread_start(&backup->thread, run, backup, "pawl-backup");
    if (r != 0) {
        writer_hold_trimming(journal->writer, false);
        free_backup(backup);
        return r;
    }
    journal->backup = backup;
    journal_update_ref(journal);
    return 0;
}

void journal_backup_check(struct journal *journal)
{
    struct journal_backup *backup = journal->backup;

    if (backup == NULL || !atomic_load(&backup->is_done)) {
        return;
    }
    (void)pthread_join(backup->thread, NULL);
    writer_hold_trimming(journal->writer, false);
    journal->backup = NULL;
    backup->cb(backup->arg, backup->status);
    free_backup(backup);
}
