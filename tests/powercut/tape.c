#include "tests/powercut/tape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void require(bool is_true, const char *what)
{
    if (!is_true) {
        (void)fprintf(stderr, "powercut: %s: %s\n", what, strerror(errno));
        exit(2);
    }
}

uint8_t *read_whole(const char *path, size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat stat;
    uint8_t *bytes;
    size_t len = 0;

    require(fd >= 0 && fstat(fd, &stat) == 0, path);
    bytes = calloc(1, (size_t)stat.st_size + 1);
    require(bytes != NULL, "memory");
    while (len < (size_t)stat.st_size) {
        ssize_t got = read(fd, bytes + len, (size_t)stat.st_size - len);

        require(got > 0, path);
        len += (size_t)got;
    }
    (void)close(fd);
    *ret_len = len;
    return bytes;
}

static void note_write(struct tape *tape, const struct tape_op *op)
{
    size_t end = op->head.offset + op->head.len;

    if (end > tape->file_max[op->head.file]) {
        tape->file_max[op->head.file] = end;
    }
}

static void add(struct tape *tape, const uint8_t *at)
{
    struct tape_op *op = &tape->ops[tape->count];

    memcpy(&op->head, at, sizeof op->head);
    op->data = at + sizeof op->head;
    require(op->head.file < TAPE_FILES_MAX, "file of an operation");
    require(op->head.kind != RECORDED_TRUNCATE, "a file was truncated, which is not replayed");
    if (tape_is_write(op)) {
        note_write(tape, op);
    }
    if (tape_is_write(op) || tape_is_name(op)) {
        tape->cuts[tape->cut_count++] = tape->count;
    }
    tape->commits[op->head.file] += (op->head.kind == RECORDED_DSYNC_END) ? 1 : 0;
    tape->count++;
}

void tape_load(struct tape *tape, const char *path)
{
    size_t len;
    size_t most;

    *tape = (struct tape){.bytes = read_whole(path, &len)};
    most = len / sizeof(struct recorded);
    tape->ops = calloc(most + 1, sizeof *tape->ops);
    tape->cuts = calloc(most + 1, sizeof *tape->cuts);
    require(tape->ops != NULL && tape->cuts != NULL, "memory");
    for (size_t at = 0; at < len;) {
        require(len - at >= sizeof(struct recorded), "cut off recording");
        add(tape, tape->bytes + at);
        at += sizeof(struct recorded) + tape->ops[tape->count - 1].head.len;
        require(at <= len, "cut off recording");
    }
    require(tape->cut_count > 0, "recording of nothing");
}

void tape_free(struct tape *tape)
{
    free(tape->bytes);
    free(tape->ops);
    free(tape->cuts);
}

size_t tape_cuts_before(const struct tape *tape, uint64_t seq)
{
    size_t count = 0;

    while (count + 1 < tape->cut_count && tape->cuts[count] + 1 < seq) {
        count++;
    }
    return count;
}
