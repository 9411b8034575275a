/* Judges one state: opens the directory as a daemon that starts after a power cut does,
 * and compares what it finds with the story. */
#ifndef TESTS_POWERCUT_JUDGE_H
#define TESTS_POWERCUT_JUDGE_H

#include "tests/powercut/story.h"

#define JUDGE_TEXT_MAX 240U

struct judge {
    const struct story *story;
    char dir[4096];
    uv_loop_t loop;
    struct journal *journal;
    struct buf found; /* what was read */
    struct arena arena;
    uint64_t lsn;   /* where the journal that is judged ends */
    uint64_t shard; /* which of the older executions have their frames read this time */
    char problem[JUDGE_TEXT_MAX];

    /* Counters. */
    uint64_t frames_read;
    uint64_t lost;          /* states that lack something acknowledged */
    uint64_t refused_early; /* that could not be opened before anything was promised */
};

struct judge_question {
    uint64_t acked_lsn; /* at least so far must the log go */
    bool is_deep;       /* everything, also with journal_verify() and every seal opened */
    bool is_early;      /* the daemon had not been ready yet */
};

void judge_init(struct judge *judge, const struct story *story, const char *dir);
void judge_fini(struct judge *judge);

/* Opens and closes, as a daemon does that has nothing to do. False: judge->problem. */
bool judge_recover(struct judge *judge);

/* False: judge->problem says why. */
bool judge_state(struct judge *judge, const struct judge_question *question);

/* --- for the files that look at one thing each; false: judge->problem is set --------- */

bool judge_fail(struct judge *judge, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool judge_executions(struct judge *judge, bool is_deep);
bool judge_names(struct judge *judge);
bool judge_due(struct judge *judge);
bool judge_objects(struct judge *judge);
bool judge_functions(struct judge *judge);
bool judge_verify(struct judge *judge); /* of a directory that is closed */

#endif /* TESTS_POWERCUT_JUDGE_H */
