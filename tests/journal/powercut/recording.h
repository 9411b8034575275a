/* What a recording holds: a stream of operations on the two data files, and of
 * acknowledgements, in the order in which they happened. */
#ifndef TESTS_JOURNAL_POWERCUT_RECORDING_H
#define TESTS_JOURNAL_POWERCUT_RECORDING_H

#include <stdint.h>

#define RECORDING_VARIABLE "POWERCUT_RECORDING"
#define RECORDING_ACK_FD 1000 /* what is written there is an acknowledgement */

enum recorded_kind {
    RECORDED_WRITE = 1,
    RECORDED_SYNC = 2,      /* everything written to the file before */
    RECORDED_DSYNC = 3,     /* a write that is durable when it returns */
    RECORDED_DSYNC_END = 6, /* now it has */
    RECORDED_TRUNCATE = 4,  /* offset is the new length */
    RECORDED_ACK = 5,
};

enum recorded_file { RECORDED_LOG, RECORDED_VIEWS, RECORDED_FILES };

struct recorded {
    uint32_t kind;
    uint32_t file;
    uint64_t offset;
    uint64_t len; /* of the data that follow */
};

#endif /* TESTS_JOURNAL_POWERCUT_RECORDING_H */
