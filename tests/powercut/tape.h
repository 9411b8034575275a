/* A recording in memory: its operations, in order. */
#ifndef TESTS_POWERCUT_TAPE_H
#define TESTS_POWERCUT_TAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/powercut/recording.h"

#define TAPE_FILES_MAX (RECORDED_FILES + RECORDED_OTHERS_MAX)

struct tape_op {
    struct recorded head;
    const uint8_t *data;
};

struct tape {
    uint8_t *bytes;
    struct tape_op *ops;
    size_t count;
    size_t *cuts; /* numbers of the operations that a power cut may come after */
    size_t cut_count;
    size_t file_max[TAPE_FILES_MAX]; /* how long each file gets */
    uint64_t commits[TAPE_FILES_MAX];
};

/* Ends the process, with a sentence, when it cannot be read to its end. */
void tape_load(struct tape *tape, const char *path);
void tape_free(struct tape *tape);

/* How many of the cuts come before the operation of this number, counted from 1. */
size_t tape_cuts_before(const struct tape *tape, uint64_t seq);

static inline bool tape_is_write(const struct tape_op *op)
{
    return op->head.kind == RECORDED_WRITE || op->head.kind == RECORDED_DSYNC;
}

static inline bool tape_is_name(const struct tape_op *op)
{
    return op->head.kind == RECORDED_CREATE || op->head.kind == RECORDED_RENAME ||
           op->head.kind == RECORDED_UNLINK;
}

/* Ends the process with the sentence and errno's unless it is true. */
void require(bool is_true, const char *what);

/* Whole, with a zero byte behind it. */
uint8_t *read_whole(const char *path, size_t *ret_len);

#endif /* TESTS_POWERCUT_TAPE_H */
