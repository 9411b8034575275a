/* Many executions at once on one connection: a daemon that answers every checkpoint at
 * once and counts. */
#ifndef TESTS_SDK_CROWD_H
#define TESTS_SDK_CROWD_H

#include <stdbool.h>
#include <stdint.h>

struct crowd {
    int fd;
    unsigned executions; /* at once */
    unsigned rounds;     /* invocations of each, one after the other */
    uint64_t checkpoints;
    uint64_t updates;
    uint64_t completes;
    uint64_t failures; /* not SUCCEEDED with the expected result */
    uint64_t reads;    /* system calls that brought something */
};

/* Runs until all rounds of all executions have completed. False when the connection ends
 * or falls silent. */
bool crowd_run(struct crowd *crowd, const char *expected);

#endif /* TESTS_SDK_CROWD_H */
