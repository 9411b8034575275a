/* The calls about files, wrapped. */
#undef _FILE_OFFSET_BITS /* it would make one symbol of open and open64 */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/faults/fault.h"

#define PARTS_MAX 1024

/* Returns for a call that gives 0 or -1 and is not made. */
#define PASS(meeting)                                                                              \
    do {                                                                                           \
        enum fault_kind kind_ = (meeting);                                                         \
        if (kind_ == FAULT_ERROR) {                                                                \
            return -1;                                                                             \
        }                                                                                          \
        if (kind_ == FAULT_LIE) {                                                                  \
            return 0;                                                                              \
        }                                                                                          \
    } while (0)

static size_t half(size_t len)
{
    return (len > 1) ? len / 2 : len;
}

/* --- open and close -------------------------------------------------------------------------- */

static int open_at(int dir_fd, const char *path, int flags, mode_t mode)
{
    static int (*real)(int, const char *, int, ...);
    int fd;

    FAULT_FIND("openat", real);
    if (fault_meet_path(FAULT_open, dir_fd, path) == FAULT_ERROR) {
        return -1;
    }
    fd = real(dir_fd, path, flags, mode);
    fault_note_open(fd, dir_fd, path);
    return fd;
}

static mode_t mode_of(int flags, va_list args)
{
    return ((flags & (O_CREAT | __O_TMPFILE)) != 0) ? va_arg(args, mode_t) : 0;
}

#define OPEN(name)                                                                                 \
    EXPORT int name(const char *path, int flags, ...)                                              \
    {                                                                                              \
        mode_t mode;                                                                               \
        va_list args;                                                                              \
                                                                                                   \
        va_start(args, flags);                                                                     \
        mode = mode_of(flags, args);                                                               \
        va_end(args);                                                                              \
        return open_at(AT_FDCWD, path, flags, mode);                                               \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                               \
    EXPORT int name(int dir_fd, const char *path, int flags, ...)                                  \
    {                                                                                              \
        mode_t mode;                                                                               \
        va_list args;                                                                              \
                                                                                                   \
        va_start(args, flags);                                                                     \
        mode = mode_of(flags, args);                                                               \
        va_end(args);                                                                              \
        return open_at(dir_fd, path, flags, mode);                                                 \
    }
OPENAT(openat)
OPENAT(openat64)

/* The descriptor is gone also where an error is told: so it is on Linux. */
EXPORT int close(int fd)
{
    static int (*real)(int);
    enum fault_kind kind;
    int error;
    int r;

    FAULT_FIND("close", real);
    kind = fault_meet_fd(FAULT_close, fd);
    error = errno;
    fault_note_close(fd);
    r = real(fd);
    if (kind == FAULT_ERROR) {
        errno = error;
        return -1;
    }
    return r;
}

/* --- reading and writing --------------------------------------------------------------------- */

EXPORT ssize_t read(int fd, void *data, size_t len)
{
    static ssize_t (*real)(int, void *, size_t);
    enum fault_kind kind;

    FAULT_FIND("read", real);
    kind = fault_meet_fd(FAULT_read, fd);
    return (kind == FAULT_ERROR) ? -1 : real(fd, data, (kind == FAULT_SHORT) ? half(len) : len);
}

#define PREAD(name)                                                                                \
    EXPORT ssize_t name(int fd, void *data, size_t len, off_t offset)                              \
    {                                                                                              \
        static ssize_t (*real)(int, void *, size_t, off_t);                                        \
        enum fault_kind kind;                                                                      \
                                                                                                   \
        FAULT_FIND("pread", real);                                                                 \
        kind = fault_meet_fd(FAULT_pread, fd);                                                     \
        return (kind == FAULT_ERROR)                                                               \
                   ? -1                                                                            \
                   : real(fd, data, (kind == FAULT_SHORT) ? half(len) : len, offset);              \
    }
PREAD(pread)
PREAD(pread64)

EXPORT ssize_t write(int fd, const void *data, size_t len)
{
    static ssize_t (*real)(int, const void *, size_t);
    enum fault_kind kind;

    FAULT_FIND("write", real);
    kind = fault_meet_fd(FAULT_write, fd);
    if (kind == FAULT_ERROR || kind == FAULT_LIE) {
        return (kind == FAULT_ERROR) ? -1 : (ssize_t)len;
    }
    return real(fd, data, (kind == FAULT_SHORT) ? half(len) : len);
}

#define PWRITE(name)                                                                               \
    EXPORT ssize_t name(int fd, const void *data, size_t len, off_t offset)                        \
    {                                                                                              \
        static ssize_t (*real)(int, const void *, size_t, off_t);                                  \
        enum fault_kind kind;                                                                      \
                                                                                                   \
        FAULT_FIND("pwrite", real);                                                                \
        kind = fault_meet_fd(FAULT_pwrite, fd);                                                    \
        if (kind == FAULT_ERROR || kind == FAULT_LIE) {                                            \
            return (kind == FAULT_ERROR) ? -1 : (ssize_t)len;                                      \
        }                                                                                          \
        return real(fd, data, (kind == FAULT_SHORT) ? half(len) : len, offset);                    \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

static size_t count_bytes(const struct iovec *parts, int count)
{
    size_t bytes = 0;

    for (int i = 0; i < count; i++) {
        bytes += parts[i].iov_len;
    }
    return bytes;
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    static ssize_t (*real)(int, const struct iovec *, int);
    struct iovec fewer[PARTS_MAX];
    enum fault_kind kind;

    FAULT_FIND("writev", real);
    kind = fault_meet_fd(FAULT_writev, fd);
    if (kind == FAULT_ERROR || kind == FAULT_LIE) {
        return (kind == FAULT_ERROR) ? -1 : (ssize_t)count_bytes(parts, count);
    }
    if (kind != FAULT_SHORT || count < 1 || count > PARTS_MAX) {
        return real(fd, parts, count);
    }
    memcpy(fewer, parts, (size_t)count * sizeof *parts);
    count = (count + 1) / 2;
    fewer[count - 1].iov_len = half(fewer[count - 1].iov_len);
    return real(fd, fewer, count);
}

EXPORT int fsync(int fd)
{
    static int (*real)(int);

    FAULT_FIND("fsync", real);
    PASS(fault_meet_fd(FAULT_fsync, fd));
    return real(fd);
}

EXPORT int fdatasync(int fd)
{
    static int (*real)(int);

    FAULT_FIND("fdatasync", real);
    PASS(fault_meet_fd(FAULT_fdatasync, fd));
    return real(fd);
}

#define FTRUNCATE(name)                                                                            \
    EXPORT int name(int fd, off_t len)                                                             \
    {                                                                                              \
        static int (*real)(int, off_t);                                                            \
                                                                                                   \
        FAULT_FIND("ftruncate", real);                                                             \
        PASS(fault_meet_fd(FAULT_ftruncate, fd));                                                  \
        return real(fd, len);                                                                      \
    }
FTRUNCATE(ftruncate)
FTRUNCATE(ftruncate64)

#define LSEEK(name)                                                                                \
    EXPORT off_t name(int fd, off_t offset, int whence)                                            \
    {                                                                                              \
        static off_t (*real)(int, off_t, int);                                                     \
                                                                                                   \
        FAULT_FIND("lseek", real);                                                                 \
        return (fault_meet_fd(FAULT_lseek, fd) == FAULT_ERROR) ? -1 : real(fd, offset, whence);    \
    }
LSEEK(lseek)
LSEEK(lseek64)

/* It tells its error, and does not set it. */
#define FALLOCATE(name)                                                                            \
    EXPORT int name(int fd, off_t offset, off_t len)                                               \
    {                                                                                              \
        static int (*real)(int, off_t, off_t);                                                     \
                                                                                                   \
        FAULT_FIND("posix_fallocate", real);                                                       \
        return (fault_meet_fd(FAULT_fallocate, fd) == FAULT_ERROR) ? errno                         \
                                                                   : real(fd, offset, len);        \
    }
FALLOCATE(posix_fallocate)
FALLOCATE(posix_fallocate64)

/* Memory that is no file counts everywhere but in the daemon. */
#define MMAP(name)                                                                                 \
    EXPORT void *name(void *address, size_t len, int protection, int flags, int fd, off_t offset)  \
    {                                                                                              \
        static void *(*real)(void *, size_t, int, int, int, off_t);                                \
                                                                                                   \
        FAULT_FIND("mmap", real);                                                                  \
        return (fault_meet_fd(FAULT_mmap, fd) == FAULT_ERROR)                                      \
                   ? MAP_FAILED                                                                    \
                   : real(address, len, protection, flags, fd, offset);                            \
    }
MMAP(mmap)
MMAP(mmap64)

EXPORT int flock(int fd, int operation)
{
    static int (*real)(int, int);

    FAULT_FIND("flock", real);
    PASS(fault_meet_fd(FAULT_flock, fd));
    return real(fd, operation);
}

#define FCNTL(name)                                                                                \
    EXPORT int name(int fd, int command, ...)                                                      \
    {                                                                                              \
        static int (*real)(int, int, ...);                                                         \
        va_list args;                                                                              \
        void *argument;                                                                            \
                                                                                                   \
        va_start(args, command);                                                                   \
        argument = va_arg(args, void *);                                                           \
        va_end(args);                                                                              \
        FAULT_FIND("fcntl", real);                                                                 \
        PASS(fault_meet_fd(FAULT_fcntl, fd));                                                      \
        return real(fd, command, argument);                                                        \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

/* --- names ----------------------------------------------------------------------------------- */

EXPORT int rename(const char *from, const char *to)
{
    static int (*real)(const char *, const char *);

    FAULT_FIND("rename", real);
    PASS(fault_meet_path(FAULT_rename, AT_FDCWD, to));
    return real(from, to);
}

EXPORT int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    static int (*real)(int, const char *, int, const char *);

    FAULT_FIND("renameat", real);
    PASS(fault_meet_path(FAULT_rename, to_dir, to));
    return real(from_dir, from, to_dir, to);
}

EXPORT int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    static int (*real)(int, const char *, int, const char *, unsigned);

    FAULT_FIND("renameat2", real);
    PASS(fault_meet_path(FAULT_rename, to_dir, to));
    return real(from_dir, from, to_dir, to, flags);
}

EXPORT int unlink(const char *path)
{
    static int (*real)(const char *);

    FAULT_FIND("unlink", real);
    PASS(fault_meet_path(FAULT_unlink, AT_FDCWD, path));
    return real(path);
}

EXPORT int unlinkat(int dir_fd, const char *path, int flags)
{
    static int (*real)(int, const char *, int);

    FAULT_FIND("unlinkat", real);
    PASS(fault_meet_path(((flags & AT_REMOVEDIR) != 0) ? FAULT_rmdir : FAULT_unlink, dir_fd, path));
    return real(dir_fd, path, flags);
}

EXPORT int mkdir(const char *path, mode_t mode)
{
    static int (*real)(const char *, mode_t);

    FAULT_FIND("mkdir", real);
    PASS(fault_meet_path(FAULT_mkdir, AT_FDCWD, path));
    return real(path, mode);
}

EXPORT int mkdirat(int dir_fd, const char *path, mode_t mode)
{
    static int (*real)(int, const char *, mode_t);

    FAULT_FIND("mkdirat", real);
    PASS(fault_meet_path(FAULT_mkdir, dir_fd, path));
    return real(dir_fd, path, mode);
}

EXPORT int rmdir(const char *path)
{
    static int (*real)(const char *);

    FAULT_FIND("rmdir", real);
    PASS(fault_meet_path(FAULT_rmdir, AT_FDCWD, path));
    return real(path);
}

#define STATVFS(name)                                                                              \
    EXPORT int name(const char *path, struct name *fs)                                             \
    {                                                                                              \
        static int (*real)(const char *, struct name *);                                           \
                                                                                                   \
        FAULT_FIND(#name, real);                                                                   \
        PASS(fault_meet_path(FAULT_statvfs, AT_FDCWD, path));                                      \
        return real(path, fs);                                                                     \
    }
STATVFS(statvfs)
STATVFS(statvfs64)

/* --- a control ------------------------------------------------------------------------------- */

struct MDB_txn;
int mdb_txn_commit(struct MDB_txn *txn);

/* Planted: the outcome of a commit is not looked at. */
EXPORT int mdb_txn_commit(struct MDB_txn *txn)
{
    static int (*real)(struct MDB_txn *);
    int r;

    FAULT_FIND("mdb_txn_commit", real);
    r = real(txn);
    return fault_is_planted("ignore-commit") ? 0 : r;
}
