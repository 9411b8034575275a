/* Crash points: places where a test build of the daemon can be told to die, and
 * faults it can be told to have, so that the tests which must notice are seen to.
 *
 *     PAWL_CRASH_POINT=name:count   die by SIGKILL when `name` is passed the count-th time
 *     PAWL_CONTROL=name             behave wrongly in that one way
 *
 * Only builds with -Dcrash_points=true have them; in others both cost nothing. */
#ifndef ENGINE_BASE_CRASH_H
#define ENGINE_BASE_CRASH_H

#include <stdbool.h>

#define CRASH_POINTS(X)                                                                            \
    X(before_apply, "a command is about to be applied")                                            \
    X(before_append, "a frame is made and not yet given to the journal")                           \
    X(before_commit, "a batch is written and not yet committed")                                   \
    X(after_commit, "a batch is durable and nobody was told")                                      \
    X(before_actions, "back on the loop, before the actions")                                      \
    X(before_answer, "actions done, before the answer")                                            \
    X(after_answer, "the answer is on its way")                                                    \
    X(before_invoke, "an INVOKE is about to be sent")                                              \
    X(after_invoke, "an INVOKE was sent")                                                          \
    X(before_views, "the applier has read and not yet committed")                                  \
    X(after_views, "the views are committed")                                                      \
    X(before_trim, "the log is about to be trimmed")                                               \
    X(recovering, "an execution was loaded")                                                       \
    X(child_start, "a chained invoke is about to be started")                                      \
    X(parent_told, "the parent knows, the child has not noted it")

#define CRASH_CONTROLS(X)                                                                          \
    X(answer_first, "answer-first")                                                                \
    X(uncommitted_refusal, "uncommitted-refusal")                                                  \
    X(drop_due, "drop-due")                                                                        \
    X(skip_token, "skip-token")

enum crash_point {
#define X(name, text) CRASH_##name,
    CRASH_POINTS(X)
#undef X
        CRASH_POINT_COUNT
};

enum crash_control {
#define X(name, text) CONTROL_##name,
    CRASH_CONTROLS(X)
#undef X
        CRASH_CONTROL_COUNT
};

/* Prints the names, one a line; false in a build without them. */
bool crash_list_points(void);

#ifdef PAWL_CRASH_POINTS
void crash_pass(enum crash_point point);
bool crash_control(enum crash_control control);
#define CRASH_POINT(name) crash_pass(CRASH_##name)
#define CRASH_CONTROL(name) crash_control(CONTROL_##name)
#else
#define CRASH_POINT(name) ((void)0)
#define CRASH_CONTROL(name) false
#endif

#endif /* ENGINE_BASE_CRASH_H */
