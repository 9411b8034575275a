#include "tests/sim/bug.h"

#include <string.h>

static const char *const names[BUGS] = {
    [BUG_NONE] = "none",
    [BUG_ANSWER_EARLY] = "answer-early",
    [BUG_DISPATCH_EARLY] = "dispatch-early",
    [BUG_NO_TOKEN] = "no-token",
    [BUG_NO_REPEAT] = "no-repeat",
    [BUG_LOSE_TIMERS] = "lose-timers",
    [BUG_FORGET_CHAINED] = "forget-chained",
    [BUG_DOUBLE_DISPATCH] = "double-dispatch",
    [BUG_LOSE_FAILURES] = "lose-failures",
    [BUG_COMMIT_EARLY] = "commit-early",
    [BUG_EARLY_WAKE] = "early-wake",
    [BUG_TORN_BATCH] = "torn-batch",
    [BUG_DOUBLE_APPEND] = "double-append",
    [BUG_NOTIFY_EARLY] = "notify-early",
    [BUG_LOST_WORKER] = "lost-worker",
    [BUG_CHAIN_ONCE] = "chain-once",
    [BUG_SENT_EARLY] = "sent-early",
    [BUG_CLOSED_ONCE] = "closed-once",
    [BUG_RUN_EARLY] = "run-early",
    [BUG_STALE_LOAD] = "stale-load",
    [BUG_FORGET_CHANGE] = "forget-change",
    [BUG_LOSE_CALLBACK] = "lose-callback",
    [BUG_NAME_TWICE] = "name-twice",
    [BUG_TELL_ONCE] = "tell-once",
    [BUG_TOLD_EARLY] = "told-early",
};

const char *bug_name(enum bug bug)
{
    return names[bug];
}

enum bug bug_parse(const char *name)
{
    unsigned bug = 0;

    while (bug < BUGS && strcmp(names[bug], name) != 0) {
        bug++;
    }
    return (enum bug)bug;
}
