/* Preloaded into a process that uses a journal: writes down each write and sync of
 * the two data files before (a write) or after (a sync) it happens. */
#undef _FILE_OFFSET_BITS /* it would make one symbol of pwrite and pwrite64 */

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/journal/powercut/recording.h"

#define EXPORT __attribute__((visibility("default")))

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int recording_fd = -1;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static int (*real_fdatasync)(int);
static int (*real_fsync)(int);
static int (*real_ftruncate)(int, off_t);

static void find(void *ret_function, const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    memcpy(ret_function, &found, sizeof found);
}

static void start(void)
{
    const char *path = getenv(RECORDING_VARIABLE);

    find(&real_write, "write");
    find(&real_pwrite, "pwrite");
    find(&real_writev, "writev");
    find(&real_pwritev, "pwritev");
    find(&real_fdatasync, "fdatasync");
    find(&real_fsync, "fsync");
    find(&real_ftruncate, "ftruncate");
    if (path != NULL) {
        recording_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    }
}

/* RECORDED_FILES when the descriptor is neither. */
static enum recorded_file file_of(int fd)
{
    char name[64];
    char path[PATH_MAX];
    ssize_t len;

    (void)pthread_once(&once, start);
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    len = (recording_fd >= 0) ? readlink(name, path, sizeof path - 1) : -1;
    if (len < 0) {
        return RECORDED_FILES;
    }
    path[len] = '\0';
    if (strstr(path, "/log/data.mdb") != NULL) {
        return RECORDED_LOG;
    }
    return (strstr(path, "/views/data.mdb") != NULL) ? RECORDED_VIEWS : RECORDED_FILES;
}

static void put(const void *data, size_t len)
{
    if (real_write(recording_fd, data, len) != (ssize_t)len) {
        abort(); /* half a recording proves nothing */
    }
}

static void record(enum recorded_kind kind, enum recorded_file file, off_t offset,
                   const struct iovec *parts, int count)
{
    struct recorded head = {
        .kind = (uint32_t)kind, .file = (uint32_t)file, .offset = (uint64_t)offset};

    for (int i = 0; i < count; i++) {
        head.len += parts[i].iov_len;
    }
    (void)pthread_mutex_lock(&mutex);
    put(&head, sizeof head);
    for (int i = 0; i < count; i++) {
        put(parts[i].iov_base, parts[i].iov_len);
    }
    (void)pthread_mutex_unlock(&mutex);
}

static void record_write(int fd, off_t offset, const struct iovec *parts, int count)
{
    enum recorded_file file = file_of(fd);
    int flags = fcntl(fd, F_GETFL);

    if (file != RECORDED_FILES) {
        record(((flags & O_DSYNC) != 0) ? RECORDED_DSYNC : RECORDED_WRITE, file, offset, parts,
               count);
    }
}

/* The meta page goes through a descriptor of its own, opened with O_DSYNC. */
static void record_end(int fd)
{
    enum recorded_file file = file_of(fd);

    if (file != RECORDED_FILES && (fcntl(fd, F_GETFL) & O_DSYNC) != 0) {
        record(RECORDED_DSYNC_END, file, 0, NULL, 0);
    }
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    ssize_t written;

    record_write(fd, offset, &part, 1);
    written = real_pwrite(fd, data, len, offset);
    record_end(fd);
    return written;
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t len, off_t offset)
{
    return pwrite(fd, data, len, offset);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    record_write(fd, offset, parts, count);
    return real_pwritev(fd, parts, count, offset);
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset)
{
    return pwritev(fd, parts, count, offset);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    (void)pthread_once(&once, start);
    if (file_of(fd) != RECORDED_FILES) {
        record_write(fd, lseek(fd, 0, SEEK_CUR), parts, count);
    }
    return real_writev(fd, parts, count);
}

EXPORT ssize_t write(int fd, const void *data, size_t len)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};

    (void)pthread_once(&once, start);
    if (fd == RECORDING_ACK_FD && recording_fd >= 0) {
        record(RECORDED_ACK, RECORDED_FILES, 0, &part, 1);
        return (ssize_t)len;
    }
    if (file_of(fd) != RECORDED_FILES) {
        record_write(fd, lseek(fd, 0, SEEK_CUR), &part, 1);
    }
    return real_write(fd, data, len);
}

static int record_sync(int fd, int r)
{
    enum recorded_file file = file_of(fd);

    if (r == 0 && file != RECORDED_FILES) {
        record(RECORDED_SYNC, file, 0, NULL, 0);
    }
    return r;
}

EXPORT int fdatasync(int fd)
{
    (void)pthread_once(&once, start);
    return record_sync(fd, real_fdatasync(fd));
}

EXPORT int fsync(int fd)
{
    (void)pthread_once(&once, start);
    return record_sync(fd, real_fsync(fd));
}

EXPORT int ftruncate(int fd, off_t len)
{
    enum recorded_file file = file_of(fd);

    if (file != RECORDED_FILES) {
        record(RECORDED_TRUNCATE, file, len, NULL, 0);
    }
    return real_ftruncate(fd, len);
}

EXPORT int ftruncate64(int fd, off_t len)
{
    return ftruncate(fd, len);
}
