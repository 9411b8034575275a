#include "tenants/private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/err.h"

static int check_access(int fd, const char *path)
{
    struct stat info;

    if (fstat(fd, &info) != 0) {
        return ERR(ERR_IO, "stat %s: %s", path, strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return ERR(ERR_INVALID, "not a regular file: %s", path);
    }
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return ERR(ERR_INVALID, "others have access (mode %03o): run chmod go= %s",
                   (unsigned)(info.st_mode & 0777U), path);
    }
    if (info.st_uid != geteuid() && info.st_uid != 0) {
        return ERR(ERR_INVALID, "owned by user %u, not by the daemon's: chown %s",
                   (unsigned)info.st_uid, path);
    }
    return 0;
}

/* Reads up to `max` + 1 bytes, to see a file that is too large. */
static int read_all(int fd, const char *path, uint8_t *out, size_t max, size_t *ret_len)
{
    size_t len = 0;
    ssize_t got;
    uint8_t beyond;

    do {
        got = (len < max) ? read(fd, out + len, max - len) : read(fd, &beyond, 1);
        if (got < 0 && errno != EINTR) {
            return ERR(ERR_IO, "read %s: %s", path, strerror(errno));
        }
        if (got > 0 && len == max) {
            return ERR(ERR_INVALID, "more than %zu bytes: restore %s", max, path);
        }
        len += (got > 0) ? (size_t)got : 0;
    } while (got != 0);
    *ret_len = len;
    return 0;
}

int private_file_read(const char *path, uint8_t *out, size_t max, size_t *ret_len)
{
    /* O_NONBLOCK: a fifo must not hold up the start. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int r;

    if (fd < 0 && errno == ENOENT) {
        return PRIVATE_FILE_ABSENT;
    }
    if (fd < 0) {
        return ERR(ERR_IO, "open %s: %s", path, strerror(errno));
    }
    r = check_access(fd, path);
    if (r == 0) {
        r = read_all(fd, path, out, max, ret_len);
    }
    (void)close(fd);
    return r;
}

static int write_all(int fd, const char *path, struct bytes content)
{
    size_t done = 0;

    while (done < content.len) {
        ssize_t wrote = write(fd, content.data + done, content.len - done);

        if (wrote < 0 && errno != EINTR) {
            return ERR(ERR_IO, "write %s: %s", path, strerror(errno));
        }
        done += (wrote > 0) ? (size_t)wrote : 0;
    }
    if (fsync(fd) != 0) {
        return ERR(ERR_IO, "fsync %s: %s", path, strerror(errno));
    }
    return 0;
}

static int staged_name(const char *path, char staged[PATH_MAX])
{
    int len = snprintf(staged, PATH_MAX, "%s.new", path);

    return (len > 0 && len < PATH_MAX) ? 0 : ERR(ERR_INVALID, "path too long: %s", path);
}

static int sync_directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX] = ".";
    int fd;
    int r = 0;

    if (slash != NULL) {
        (void)snprintf(dir, sizeof dir, "%.*s", (int)(slash - path) + 1, path);
    }
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        r = ERR(ERR_IO, "sync directory %s: %s", dir, strerror(errno));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return r;
}

int private_file_stage(const char *path, mode_t mode, struct bytes content)
{
    char staged[PATH_MAX];
    int fd;
    int r = staged_name(path, staged);

    if (r != 0) {
        return r;
    }
    (void)unlink(staged);
    fd = open(staged, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) {
        return ERR(ERR_IO, "create %s: %s", staged, strerror(errno));
    }
    r = write_all(fd, staged, content);
    (void)close(fd);
    return (r == 0) ? sync_directory_of(staged) : r;
}

int private_file_publish(const char *path)
{
    char staged[PATH_MAX];
    int r = staged_name(path, staged);

    if (r != 0) {
        return r;
    }
    r = renameat2(AT_FDCWD, staged, AT_FDCWD, path, RENAME_NOREPLACE);
    if (r != 0 && errno == EINVAL && access(path, F_OK) != 0) {
        r = rename(staged, path); /* a file system without RENAME_NOREPLACE */
    }
    if (r != 0 && errno == EEXIST) {
        return ERR(ERR_INVALID, "there already is %s: is another daemon starting?", path);
    }
    if (r != 0) {
        return ERR(ERR_IO, "rename to %s: %s", path, strerror(errno));
    }
    return sync_directory_of(path);
}

int private_file_create(const char *path, mode_t mode, struct bytes content)
{
    int r = private_file_stage(path, mode, content);

    return (r == 0) ? private_file_publish(path) : r;
}
