#include "engine/driver/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/log.h"

#define PATH_BYTES_MAX (LOG_NAME_BYTES_MAX + 16)

static void make_path(const struct log_file *file, const char *suffix, char path[PATH_BYTES_MAX])
{
    (void)snprintf(path, PATH_BYTES_MAX, "%.*s.jsonl%s", (int)file->name.len,
                   (const char *)file->name.data, suffix);
}

int log_file_open(const struct log_dir *dir, const struct log_file *file, const char *suffix,
                  int flags)
{
    char path[PATH_BYTES_MAX];

    make_path(file, suffix, path);
    return openat(dir->fd, path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static uint64_t size_of(const struct log_dir *dir, const struct log_file *file, const char *suffix)
{
    struct stat st;
    char path[PATH_BYTES_MAX];

    make_path(file, suffix, path);
    return (fstatat(dir->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0) ? (uint64_t)st.st_size : 0;
}

/* A line that a crash has cut off must not swallow the next one. */
static void end_torn_line(const struct log_dir *dir, struct log_file *file)
{
    int fd = log_file_open(dir, file, "", O_RDWR | O_APPEND);
    char last = '\n';

    if (fd < 0) {
        return;
    }
    if (file->size > 0 && pread(fd, &last, 1, (off_t)file->size - 1) == 1 && last != '\n' &&
        write(fd, "\n", 1) == 1) {
        file->size++;
    }
    (void)close(fd);
}

void log_file_know(const struct log_dir *dir, struct log_file *file)
{
    if (file->is_known) {
        return;
    }
    file->is_known = true;
    file->start = size_of(dir, file, ".1");
    file->size = size_of(dir, file, "");
    end_torn_line(dir, file);
}

static void complain(struct log_file *file, const char *what)
{
    if (!file->has_complained) {
        file->has_complained = true;
        log_warn("the log of function %.*s: %s: %s", (int)file->name.len,
                 (const char *)file->name.data, what, strerror(errno));
    }
}

static void rotate(const struct log_dir *dir, struct log_file *file)
{
    char from[PATH_BYTES_MAX];
    char to[PATH_BYTES_MAX];

    make_path(file, "", from);
    make_path(file, ".1", to);
    if (renameat(dir->fd, from, dir->fd, to) != 0) {
        complain(file, "rotate");
        return;
    }
    file->old_start = file->start;
    file->start += file->size;
    file->size = 0;
}

static void write_all(struct log_file *file, int fd, struct bytes bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.data, bytes.len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            complain(file, "write");
            return;
        }
        file->size += (uint64_t)n;
        bytes = bytes_of(bytes.data + n, bytes.len - (size_t)n);
    }
    file->has_complained = false;
}

void log_file_write(const struct log_dir *dir, struct log_file *file, struct bytes bytes)
{
    int fd;

    if (bytes.len == 0) {
        return;
    }
    log_file_know(dir, file);
    if (file->size > 0 && file->size + bytes.len > dir->file_bytes_max) {
        rotate(dir, file);
    }
    fd = log_file_open(dir, file, "", O_WRONLY | O_APPEND | O_CREAT);
    if (fd < 0) {
        complain(file, "open");
        return;
    }
    write_all(file, fd, bytes);
    (void)close(fd);
}
