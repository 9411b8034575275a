/* Memory that clients can make a server hold: so much and no more.
 *
 * A budget may be part of another one that several servers share. What is below its reserve is
 * always a server's own; only what is beyond counts in the shared one. So a neighbour that has
 * filled that leaves each server enough for its small requests.
 *
 * Any thread may call, but for a budget that has a shared one: that is one thread's, since its
 * own part and the shared one are not counted in one step. A budget is zeroed but for its first
 * three members, and outlives what was taken of it. */
#ifndef INVOKE_HTTP_BUDGET_H
#define INVOKE_HTTP_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct http_budget {
    uint64_t max;               /* bytes */
    uint64_t reserve;           /* of them, beside what is shared */
    struct http_budget *shared; /* NULL: of nobody else's; has none itself */
    atomic_uint_fast64_t used;
};

static inline uint64_t http_budget_beyond(const struct http_budget *budget, uint64_t bytes)
{
    return (bytes > budget->reserve) ? bytes - budget->reserve : 0;
}

/* False: there is no room, and nothing was taken. */
static inline bool http_budget_take_own(struct http_budget *budget, uint64_t bytes,
                                        uint64_t *ret_before)
{
    uint64_t before = atomic_fetch_add_explicit(&budget->used, bytes, memory_order_relaxed);

    *ret_before = before;
    if (bytes <= budget->max && before <= budget->max - bytes) {
        return true;
    }
    atomic_fetch_sub_explicit(&budget->used, bytes, memory_order_relaxed);
    return false;
}

static inline bool http_budget_take(struct http_budget *budget, uint64_t bytes)
{
    uint64_t before;
    uint64_t more;

    if (bytes == 0) {
        return true;
    }
    if (!http_budget_take_own(budget, bytes, &before)) {
        return false;
    }
    if (budget->shared == NULL) {
        return true;
    }
    more = http_budget_beyond(budget, before + bytes) - http_budget_beyond(budget, before);
    if (more == 0 || http_budget_take_own(budget->shared, more, &before)) {
        return true;
    }
    atomic_fetch_sub_explicit(&budget->used, bytes, memory_order_relaxed);
    return false;
}

static inline void http_budget_give(struct http_budget *budget, uint64_t bytes)
{
    uint64_t before;

    if (bytes == 0) {
        return;
    }
    before = atomic_fetch_sub_explicit(&budget->used, bytes, memory_order_relaxed);
    if (budget->shared != NULL) {
        atomic_fetch_sub_explicit(&budget->shared->used,
                                  http_budget_beyond(budget, before) -
                                      http_budget_beyond(budget, before - bytes),
                                  memory_order_relaxed);
    }
}

/* Whether so much could be taken now: promises nothing. */
static inline bool http_budget_has_room(struct http_budget *budget, uint64_t bytes)
{
    uint64_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);

    return used <= budget->max && bytes <= budget->max - used;
}

#endif /* INVOKE_HTTP_BUDGET_H */
