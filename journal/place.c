#include "journal/place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"

#define CIFS_MAGIC 0xFF534D42U
#define SMB2_MAGIC 0xFE534D42U

char *place_join(const char *dir, const char *name)
{
    struct buf path = {0};

    buf_append_text(&path, dir);
    buf_append_text(&path, "/");
    buf_append(&path, name, strlen(name) + 1);
    if (path.failed) {
        buf_fini(&path);
        return NULL;
    }
    return (char *)path.data;
}

int place_sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = (fd >= 0) ? fsync(fd) : -1;
    int error = errno;

    if (fd >= 0) {
        (void)close(fd);
    }
    return (rc == 0) ? 0 : ERR(ERR_IO, "sync %s: %s", path, strerror(error));
}

static int sync_parent(const char *path)
{
    char *parent = place_join(path, "..");
    int r = (parent != NULL) ? place_sync_dir(parent) : ERR(ERR_NOMEM, "path");

    mem_free(parent);
    return r;
}

int place_make_dir(const char *path)
{
    if (mkdir(path, 0700) == 0) {
        return sync_parent(path);
    }
    if (errno != EEXIST) {
        return ERR(ERR_SYSTEM, "make directory %s: %s", path, strerror(errno));
    }
    return 0;
}

char *place_stage(const char *path)
{
    struct buf staged = {0};

    buf_append_text(&staged, path);
    buf_append(&staged, ".new", sizeof ".new");
    if (staged.failed) {
        buf_fini(&staged);
        return NULL;
    }
    return (char *)staged.data;
}

int place_rename_dir(const char *from, const char *to)
{
    if (rename(from, to) != 0) {
        return ERR(ERR_SYSTEM, "rename %s to %s: %s", from, to, strerror(errno));
    }
    return sync_parent(to);
}

int place_remove_dir(const char *dir, const char *const *names)
{
    int r = 0;

    for (size_t i = 0; r == 0 && names[i] != NULL; i++) {
        char *path = place_join(dir, names[i]);

        if (path == NULL) {
            r = ERR(ERR_NOMEM, "path");
        } else if (unlink(path) != 0 && errno != ENOENT) {
            r = ERR(ERR_SYSTEM, "remove %s: %s", path, strerror(errno));
        }
        mem_free(path);
    }
    if (r == 0 && rmdir(dir) != 0 && errno != ENOENT) {
        r = ERR(ERR_SYSTEM, "remove %s: %s", dir, strerror(errno));
    }
    return r;
}

int place_check(const char *dir)
{
    struct statfs fs;

    if (statfs(dir, &fs) != 0) {
        return ERR(ERR_SYSTEM, "%s: %s", dir, strerror(errno));
    }
    switch ((uint32_t)fs.f_type) {
    case NFS_SUPER_MAGIC:
    case V9FS_MAGIC:
    case SMB_SUPER_MAGIC:
    case SMB2_MAGIC:
    case CIFS_MAGIC:
        return ERR(ERR_INVALID,
                   "%s is on a network file system, where a journal is not safe: "
                   "put the data directory on a local disk",
                   dir);
    case OVERLAYFS_SUPER_MAGIC:
        log_warn("%s is on overlay: what is written there may go with the container", dir);
        return 0;
    default:
        return 0;
    }
}

static int lock_file(const char *path, const char *dir, int *ret_fd)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0) {
        return ERR(ERR_SYSTEM, "open %s: %s", path, strerror(errno));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int error = errno;

        (void)close(fd);
        if (error == EWOULDBLOCK) {
            return ERR(ERR_INVALID, "%s is in use by another process: stop that one first", dir);
        }
        return ERR(ERR_SYSTEM, "lock %s: %s", path, strerror(error));
    }
    *ret_fd = fd;
    return 0;
}

int place_lock(const char *dir, int *ret_fd)
{
    char *path = place_join(dir, "lock");
    int r = (path != NULL) ? lock_file(path, dir, ret_fd) : ERR(ERR_NOMEM, "path");

    mem_free(path);
    return r;
}
