/* Preloaded into a process with a data directory: writes down each write, sync and new
 * name of its files, before (writes, names) or after (syncs) it happens.
 *
 * Not recorded: files that mean nothing after a crash (locks, ballast), and the logs of
 * functions. A child of the process records nothing: it may have inherited descriptors,
 * but what it does is not the daemon's. */
#undef _FILE_OFFSET_BITS /* it would make one symbol of pwrite and pwrite64 */

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/powercut/recording.h"

#define EXPORT __attribute__((visibility("default")))
#define NO_FILE UINT32_MAX

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int recording_fd = -1;
static pid_t owner;
static char data_dir[PATH_MAX];
static uint64_t *counter;
static ino_t others[RECORDED_OTHERS_MAX];
static uint32_t other_count;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static int (*real_fdatasync)(int);
static int (*real_fsync)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_open)(const char *, int, ...);
static int (*real_rename)(const char *, const char *);
static int (*real_renameat2)(int, const char *, int, const char *, unsigned);
static int (*real_unlink)(const char *);

/* --- starting ---------------------------------------------------------------------------- */

static void find(void *ret_function, const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    memcpy(ret_function, &found, sizeof found);
}

static void find_all(void)
{
    find(&real_write, "write");
    find(&real_pwrite, "pwrite");
    find(&real_writev, "writev");
    find(&real_pwritev, "pwritev");
    find(&real_fdatasync, "fdatasync");
    find(&real_fsync, "fsync");
    find(&real_ftruncate, "ftruncate");
    find(&real_open, "open64");
    find(&real_rename, "rename");
    find(&real_renameat2, "renameat2");
    find(&real_unlink, "unlink");
}

static void map_counter(const char *path)
{
    int fd = real_open(path, O_RDWR | O_CLOEXEC);

    counter = (fd >= 0) ? mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                        : MAP_FAILED;
    if (counter == MAP_FAILED) {
        abort(); /* who asked for it would wait for it */
    }
    (void)close(fd);
}

static void start(void)
{
    const char *path = getenv(RECORDING_FILE);
    const char *data = getenv(RECORDING_DATA);
    const char *count = getenv(RECORDING_COUNTER);

    find_all();
    if (path == NULL || data == NULL) {
        return;
    }
    (void)snprintf(data_dir, sizeof data_dir, "%s", data);
    if (count != NULL) {
        map_counter(count);
    }
    owner = getpid();
    recording_fd = real_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
}

static bool is_recording(void)
{
    (void)pthread_once(&once, start);
    return recording_fd >= 0 && getpid() == owner;
}

/* --- files and names ------------------------------------------------------------------- */

/* The part of the path inside of the data directory, or NULL. */
static const char *inside(const char *path)
{
    size_t len = strlen(data_dir);

    if (strncmp(path, data_dir, len) != 0 || (path[len] != '/' && path[len] != '\0')) {
        return NULL;
    }
    return (path[len] == '/') ? path + len + 1 : path + len;
}

static bool has_end(const char *path, const char *end)
{
    size_t len = strlen(path);

    return len >= strlen(end) && strcmp(path + len - strlen(end), end) == 0;
}

static bool is_ignored(const char *name)
{
    return strncmp(name, "logs/", 5) == 0 || has_end(name, "lock") || has_end(name, "lock.mdb") ||
           has_end(name, "ballast");
}

static uint32_t other_file(ino_t number)
{
    uint32_t file = 0;

    (void)pthread_mutex_lock(&mutex);
    while (file < other_count && others[file] != number) {
        file++;
    }
    if (file == other_count) {
        if (other_count == RECORDED_OTHERS_MAX) {
            abort();
        }
        others[other_count++] = number;
    }
    (void)pthread_mutex_unlock(&mutex);
    return RECORDED_FILES + file;
}

static const char *name_of(int fd, char path[PATH_MAX])
{
    char link[64];
    ssize_t len;

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    len = readlink(link, path, PATH_MAX - 1);
    if (len < 0) {
        return NULL;
    }
    path[len] = '\0';
    return inside(path);
}

/* NO_FILE when the descriptor is of nothing that is recorded. */
static uint32_t file_of(int fd)
{
    char path[PATH_MAX];
    const char *name = is_recording() ? name_of(fd, path) : NULL;
    struct stat stat;

    if (name == NULL || is_ignored(name) || fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode)) {
        return NO_FILE;
    }
    if (strcmp(name, "log/data.mdb") == 0 || strcmp(name, "log.new/data.mdb") == 0) {
        return RECORDED_LOG;
    }
    return (strcmp(name, "views/data.mdb") == 0 || strcmp(name, "views.new/data.mdb") == 0)
               ? RECORDED_VIEWS
               : other_file(stat.st_ino);
}

/* --- recording ---------------------------------------------------------------------------- */

static void put(const void *data, size_t len)
{
    if (real_write(recording_fd, data, len) != (ssize_t)len) {
        abort(); /* half a recording proves nothing */
    }
}

static void record(enum recorded_kind kind, uint32_t file, off_t offset, const struct iovec *parts,
                   int count)
{
    struct recorded head = {.kind = (uint32_t)kind, .file = file, .offset = (uint64_t)offset};

    for (int i = 0; i < count; i++) {
        head.len += parts[i].iov_len;
    }
    (void)pthread_mutex_lock(&mutex);
    put(&head, sizeof head);
    for (int i = 0; i < count; i++) {
        put(parts[i].iov_base, parts[i].iov_len);
    }
    if (counter != NULL) {
        (void)__atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
    }
    (void)pthread_mutex_unlock(&mutex);
}

static void record_name(enum recorded_kind kind, uint32_t file, const char *name,
                        const char *second)
{
    struct iovec parts[2] = {{.iov_base = (void *)(uintptr_t)name, .iov_len = strlen(name) + 1},
                             {.iov_base = (void *)(uintptr_t)second}};

    parts[1].iov_len = (second != NULL) ? strlen(second) + 1 : 0;
    record(kind, file, 0, parts, 2);
}

static void record_write(int fd, off_t offset, const struct iovec *parts, int count)
{
    uint32_t file = file_of(fd);
    int flags = fcntl(fd, F_GETFL);

    if (file != NO_FILE) {
        record(((flags & O_DSYNC) != 0) ? RECORDED_DSYNC : RECORDED_WRITE, file,
               (offset >= 0) ? offset : lseek(fd, 0, SEEK_CUR), parts, count);
    }
}

/* The meta page goes through a descriptor of its own, opened with O_DSYNC. */
static void record_end(int fd)
{
    uint32_t file = file_of(fd);

    if (file != NO_FILE && (fcntl(fd, F_GETFL) & O_DSYNC) != 0) {
        record(RECORDED_DSYNC_END, file, 0, NULL, 0);
    }
}

static int record_sync(int fd, int r)
{
    char path[PATH_MAX];
    const char *name = (r == 0 && is_recording()) ? name_of(fd, path) : NULL;
    struct stat stat;
    uint32_t file;

    if (name == NULL) {
        return r;
    }
    if (fstat(fd, &stat) == 0 && S_ISDIR(stat.st_mode)) {
        record_name(RECORDED_DIR_SYNC, 0, name, NULL);
        return r;
    }
    file = file_of(fd);
    if (file != NO_FILE) {
        record(RECORDED_SYNC, file, 0, NULL, 0);
    }
    return r;
}

/* --- what is taken the place of --------------------------------------------------------- */

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
    record_write(fd, -1, parts, count);
    return real_writev(fd, parts, count);
}

EXPORT ssize_t write(int fd, const void *data, size_t len)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};

    if (fd == RECORDING_ACK_FD && is_recording()) {
        record(RECORDED_ACK, RECORDED_FILES, 0, &part, 1);
        return (ssize_t)len;
    }
    record_write(fd, -1, &part, 1);
    return real_write(fd, data, len);
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
    uint32_t file = file_of(fd);

    if (file != NO_FILE) {
        record(RECORDED_TRUNCATE, file, len, NULL, 0);
    }
    return real_ftruncate(fd, len);
}

EXPORT int ftruncate64(int fd, off_t len)
{
    return ftruncate(fd, len);
}

static const char *recorded_name(const char *path)
{
    const char *name = is_recording() ? inside(path) : NULL;

    return (name != NULL && !is_ignored(name)) ? name : NULL;
}

/* A new file has its number by what it is, so it is recorded after it is made; nothing
 * can be written to it before. */
static int open_recorded(const char *path, int flags, mode_t mode)
{
    const char *name = ((flags & O_CREAT) != 0) ? recorded_name(path) : NULL;
    bool is_new = name != NULL && access(path, F_OK) != 0;
    int fd;
    uint32_t file;

    (void)pthread_once(&once, start);
    fd = real_open(path, flags, mode);
    file = (is_new && fd >= 0) ? file_of(fd) : NO_FILE;
    if (file != NO_FILE) {
        record_name(RECORDED_CREATE, file, name, NULL);
    }
    return fd;
}

EXPORT int open(const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = ((flags & (O_CREAT | O_TMPFILE)) != 0) ? va_arg(args, mode_t) : 0;
    va_end(args);
    return open_recorded(path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = ((flags & (O_CREAT | O_TMPFILE)) != 0) ? va_arg(args, mode_t) : 0;
    va_end(args);
    return open_recorded(path, flags, mode);
}

static void record_rename(const char *from, const char *to)
{
    const char *old = recorded_name(from);
    const char *new = recorded_name(to);

    if (old != NULL && new != NULL) {
        record_name(RECORDED_RENAME, 0, old, new);
    }
}

EXPORT int rename(const char *from, const char *to)
{
    record_rename(from, to);
    return real_rename(from, to);
}

/* Recorded when it went well: the caller has another way where it does not. */
EXPORT int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    int r;

    (void)pthread_once(&once, start);
    r = real_renameat2(from_dir, from, to_dir, to, flags);
    if (r == 0 && from_dir == AT_FDCWD && to_dir == AT_FDCWD) {
        record_rename(from, to);
    }
    return r;
}

EXPORT int unlink(const char *path)
{
    const char *name = recorded_name(path);

    if (name != NULL && access(path, F_OK) == 0) {
        record_name(RECORDED_UNLINK, 0, name, NULL);
    }
    return real_unlink(path);
}
