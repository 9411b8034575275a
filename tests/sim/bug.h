/* Faults planted in the simulated driver or its workers, never in the product. Each
 * is one that somebody could write; a law has to find it. */
#ifndef TESTS_SIM_BUG_H
#define TESTS_SIM_BUG_H

enum bug {
    BUG_NONE,
    BUG_ANSWER_EARLY,    /* answers before the frame is durable */
    BUG_DISPATCH_EARLY,  /* dispatches before the attempt is durable */
    BUG_NO_TOKEN,        /* takes any attempt for the current one */
    BUG_NO_REPEAT,       /* takes a checkpoint sent again for a new one */
    BUG_LOSE_TIMERS,     /* forgets due times of executions that are not in memory */
    BUG_FORGET_CHAINED,  /* loads no chained results */
    BUG_DOUBLE_DISPATCH, /* hands one attempt to two workers */
    BUG_LOSE_FAILURES,   /* does not journal the count of failures */
    BUG_COMMIT_EARLY,    /* lets commands in while the frame is being written */
    BUG_EARLY_WAKE,      /* a clock that is five seconds fast, for timers only */
    BUG_TORN_BATCH,      /* answers a batch of which the last frame is missing */
    BUG_DOUBLE_APPEND,   /* writes a frame again whose outcome was unknown */
    BUG_NOTIFY_EARLY,    /* the child is told that its parent knows before it does */
    BUG_LOST_WORKER,     /* does not notice that a worker is gone */
    BUG_CHAIN_ONCE,      /* does not start a child again after a crash */
    BUG_SENT_EARLY,      /* takes a start for sent that may yet be refused */
    BUG_CLOSED_ONCE,     /* does not tell a parent again after a crash */
    BUG_RUN_EARLY,       /* an at-most-once step runs before its START is answered */
    BUG_STALE_LOAD,      /* loads without the last record */
    BUG_FORGET_CHANGE,   /* leaves operations that changed out of an answer */
    BUG_LOSE_CALLBACK,   /* answers a callback, and drops it */
    BUG_NAME_TWICE,      /* does not look for a name in the journal */
    BUG_TELL_ONCE,       /* does not tell a destination again after a crash */
    BUG_TOLD_EARLY,      /* an end is noted to be told before it is */
    BUGS,
};

/* "none", "answer-early", ... */
const char *bug_name(enum bug bug);

/* BUGS when there is none of that name. */
enum bug bug_parse(const char *name);

#endif /* TESTS_SIM_BUG_H */
