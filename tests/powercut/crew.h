/* Workers that share the states of a recording, each with a disk of its own. A worker that
 * is killed by a state (LMDB may crash on a damaged file, or hang) has found a violation,
 * and another goes on behind it. Which writes a state keeps is decided by the seed and its
 * number alone, so any state can be made again. */
#ifndef TESTS_POWERCUT_CREW_H
#define TESTS_POWERCUT_CREW_H

#include "tests/powercut/disk.h"

#define CREW_MAX 64U
#define CREW_PROBLEM_MAX 240U

struct crew_state {
    uint64_t number;
    size_t op; /* the operation after which it is cut */
    enum disk_variant variant;
    struct prng prng;
    struct disk *disk; /* at that operation; to be cut, judged, restored */
    char problem[CREW_PROBLEM_MAX];
};

struct crew_counts {
    uint64_t variants[DISK_VARIANTS];
    uint64_t violations;
};

struct crew {
    const struct tape *tape;
    const char *dir;
    uint64_t states;
    uint64_t seed;
    uint64_t workers;  /* at most CREW_MAX */
    size_t first_cuts; /* cuts that one state in twenty is taken from, and no other */
    bool ignores_syncs;
    void *arg;

    /* In the worker's process: before its first state, with the directory that a state is
     * made in; at each operation that has happened; for a state, false with state->problem
     * set when it is not what it should be; and after the last. */
    void (*begin)(void *arg, uint64_t worker, const char *dir);
    void (*happened)(void *arg, const struct tape_op *op); /* may be NULL */
    bool (*judge)(void *arg, struct crew_state *state);
    void (*end)(void *arg);
};

/* Prints the first violations of each worker. */
struct crew_counts crew_run(const struct crew *crew);

#endif /* TESTS_POWERCUT_CREW_H */
