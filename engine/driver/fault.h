/* Faults of test builds (engine/base/crash.h): each breaks one promise, so that the
 * storm can be seen to notice. Kept apart from the product, which has none of it. */
#ifndef ENGINE_DRIVER_FAULT_H
#define ENGINE_DRIVER_FAULT_H

#include "engine/driver/state.h"

#ifdef PAWL_CRASH_POINTS
/* answer-first: performs and answers now, appends some milliseconds later.
 * uncommitted-refusal: appends some milliseconds later. True: taken over. */
bool fault_commit(struct task *task, journal_append_cb after_commit,
                  void (*finish)(struct task *task));

/* uncommitted-refusal: true if a start must be refused because of another one that
 * is not durable yet. */
bool fault_refuses(const struct task *task);
#else
static inline bool fault_commit(struct task *task, journal_append_cb after_commit,
                                void (*finish)(struct task *task))
{
    (void)task;
    (void)after_commit;
    (void)finish;
    return false;
}

static inline bool fault_refuses(const struct task *task)
{
    (void)task;
    return false;
}
#endif

#endif /* ENGINE_DRIVER_FAULT_H */
