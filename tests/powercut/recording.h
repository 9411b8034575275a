/* What a recording holds: a stream of operations on the files of a data directory, and
 * of acknowledgements, in the order in which they happened. */
#ifndef TESTS_POWERCUT_RECORDING_H
#define TESTS_POWERCUT_RECORDING_H

#include <stdint.h>

#define RECORDING_FILE "POWERCUT_RECORDING" /* written there */
#define RECORDING_DATA "POWERCUT_DATA"      /* of this data directory, as realpath() has it */

/* A file of 8 bytes or more that others map: how many operations there are, in the
 * machine's own order of bytes. What has an answer when it shows N was done by the first
 * N operations. Not needed. */
#define RECORDING_COUNTER "POWERCUT_COUNTER"

#define RECORDING_ACK_FD 1000 /* what is written there is an acknowledgement */

enum recorded_kind {
    RECORDED_WRITE = 1,
    RECORDED_SYNC = 2,      /* everything written to the file before */
    RECORDED_DSYNC = 3,     /* a write that is durable when it returns */
    RECORDED_DSYNC_END = 6, /* now it has */
    RECORDED_TRUNCATE = 4,  /* offset is the new length */
    RECORDED_ACK = 5,
    RECORDED_CREATE = 7,   /* data: the path; paths are relative and end with a zero byte */
    RECORDED_RENAME = 8,   /* data: two paths */
    RECORDED_UNLINK = 9,   /* data: the path */
    RECORDED_DIR_SYNC = 10 /* data: the path, empty for the data directory itself */
};

/* The files of a journal have fixed numbers, the others those that come. */
enum recorded_file { RECORDED_LOG, RECORDED_VIEWS, RECORDED_FILES };
#define RECORDED_OTHERS_MAX 16U

struct recorded {
    uint32_t kind;
    uint32_t file;
    uint64_t offset;
    uint64_t len; /* of the data that follow */
};

#endif /* TESTS_POWERCUT_RECORDING_H */
