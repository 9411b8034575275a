#include "engine/driver/log_piece.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"

#define READ_BYTES_MAX ((size_t)1024 * 1024)

int log_piece_read(const struct log_dir *dir, const struct log_file *file, uint64_t position,
                   struct log_piece *ret_piece)
{
    bool is_old = position < file->start;
    uint64_t offset = position - (is_old ? file->old_start : file->start);
    uint64_t left = is_old ? file->start - position : file->start + file->size - position;
    size_t len = (left < READ_BYTES_MAX) ? (size_t)left : READ_BYTES_MAX;
    uint8_t *data;
    ssize_t n;
    int fd;

    *ret_piece = (struct log_piece){.is_old = is_old, .is_last = len == left};
    fd = log_file_open(dir, file, is_old ? ".1" : "", O_RDONLY);
    if (fd < 0) {
        return (errno == ENOENT) ? 0 : ERR(ERR_IO, "read a log: %s", strerror(errno));
    }
    data = mem_realloc(NULL, len + 1);
    n = (data != NULL) ? pread(fd, data, len, (off_t)offset) : -1;
    (void)close(fd);
    if (n < 0) {
        mem_free(data);
        return (data == NULL) ? ERR(ERR_NOMEM, "read a log")
                              : ERR(ERR_IO, "read a log: %s", strerror(errno));
    }
    ret_piece->data = data;
    ret_piece->len = (size_t)n;
    return 0;
}

static bool matches(const struct log_filter *filter, struct bytes line)
{
    if (line.len < LOG_TIME_AT + LOG_TIME_LEN || line.data[0] != '{' ||
        line.data[line.len - 2] != '}' ||
        memcmp(line.data + LOG_TIME_AT, filter->since, LOG_TIME_LEN) < 0) {
        return false;
    }
    return filter->execution.len == 0 ||
           memmem(line.data, line.len, filter->execution.data, filter->execution.len) != NULL;
}

size_t log_piece_visit(const struct log_piece *piece, const struct log_filter *filter,
                       logs_visit visit, void *arg, bool *ret_is_ended)
{
    size_t done = 0;
    const uint8_t *feed;

    *ret_is_ended = false;
    while (!*ret_is_ended && (feed = memchr(piece->data + done, '\n', piece->len - done)) != NULL) {
        struct bytes line = bytes_of(piece->data + done, (size_t)(feed - piece->data) - done + 1);

        done += line.len;
        if (matches(filter, line)) {
            *ret_is_ended = visit(arg, line) != 0;
        }
    }
    return done;
}

size_t log_piece_skip_torn(const struct log_piece *piece, size_t done)
{
    if (piece->len == READ_BYTES_MAX && done == 0) {
        return piece->len;
    }
    return (piece->is_old && piece->is_last) ? piece->len : done;
}
