/* All deadlines of the pool on one timer, which is set to the earliest of them. A
 * deadline that is taken back leaves the timer as it is: it then fires once for
 * nothing, which is cheaper than setting it for every invocation. */
#ifndef ENGINE_DRIVER_DEADLINES_H
#define ENGINE_DRIVER_DEADLINES_H

#include <uv.h>

#include "engine/base/heap.h"
#include "engine/base/list.h"

enum deadline_kind { DEADLINE_INVOCATION, DEADLINE_PLACE, DEADLINE_KINDS };

typedef void (*deadline_cb)(struct heap_node *node);

struct deadlines {
    uv_timer_t timer;
    struct heap heaps[DEADLINE_KINDS]; /* keys are of deadlines_now_ms() */
    deadline_cb expired[DEADLINE_KINDS];
    int64_t armed_ms; /* when the timer fires; 0 = it is not set */
};

/* Milliseconds that never go back. */
int64_t deadlines_now_ms(void);

void deadlines_init(struct deadlines *deadlines, uv_loop_t *loop, deadline_cb on_invocation,
                    deadline_cb on_place);
/* Every node must be out. `cb` is called for the timer, with `data`. */
void deadlines_close(struct deadlines *deadlines, void *data, uv_close_cb cb);

/* Room for so many nodes of this kind together: setting them cannot fail then. */
int deadlines_reserve(struct deadlines *deadlines, enum deadline_kind kind, size_t count);
/* The node is out of the heap again when its callback is called. */
void deadlines_set(struct deadlines *deadlines, enum deadline_kind kind, struct heap_node *node,
                   int64_t at_ms);
void deadlines_remove(struct deadlines *deadlines, enum deadline_kind kind, struct heap_node *node);

#endif /* ENGINE_DRIVER_DEADLINES_H */
