#include "engine/driver/deadlines.h"

#include <assert.h>

int64_t deadlines_now_ms(void)
{
    return (int64_t)(uv_hrtime() / 1000000U);
}

static void on_timer(uv_timer_t *timer);

/* The loop's own clock may lag behind, so the timer may fire early; it is set again then. */
static void arm(struct deadlines *deadlines, int64_t at_ms)
{
    int64_t wait_ms = at_ms - deadlines_now_ms();

    deadlines->armed_ms = at_ms;
    uv_update_time(deadlines->timer.loop);
    (void)uv_timer_start(&deadlines->timer, on_timer, (wait_ms > 0) ? (uint64_t)wait_ms : 0, 0);
}

static void run_expired(struct deadlines *deadlines, enum deadline_kind kind, int64_t now_ms)
{
    struct heap *heap = &deadlines->heaps[kind];
    struct heap_node *node;

    while ((node = heap_min(heap)) != NULL && node->key <= now_ms) {
        heap_remove(heap, node);
        deadlines->expired[kind](node);
    }
}

static void arm_earliest(struct deadlines *deadlines)
{
    struct heap_node *earliest = NULL;

    for (int i = 0; i < DEADLINE_KINDS; i++) {
        struct heap_node *node = heap_min(&deadlines->heaps[i]);

        if (node != NULL && (earliest == NULL || node->key < earliest->key)) {
            earliest = node;
        }
    }
    if (earliest != NULL && (deadlines->armed_ms == 0 || earliest->key < deadlines->armed_ms)) {
        arm(deadlines, earliest->key);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct deadlines *deadlines = container_of(timer, struct deadlines, timer);
    int64_t now_ms = deadlines_now_ms();

    deadlines->armed_ms = 0;
    for (int i = 0; i < DEADLINE_KINDS; i++) {
        run_expired(deadlines, (enum deadline_kind)i, now_ms);
    }
    if (!uv_is_closing((uv_handle_t *)timer)) {
        arm_earliest(deadlines);
    }
}

void deadlines_init(struct deadlines *deadlines, uv_loop_t *loop, deadline_cb on_invocation,
                    deadline_cb on_place)
{
    deadlines->expired[DEADLINE_INVOCATION] = on_invocation;
    deadlines->expired[DEADLINE_PLACE] = on_place;
    (void)uv_timer_init(loop, &deadlines->timer);
}

void deadlines_close(struct deadlines *deadlines, void *data, uv_close_cb cb)
{
    for (int i = 0; i < DEADLINE_KINDS; i++) {
        assert(deadlines->heaps[i].count == 0);
        heap_fini(&deadlines->heaps[i]);
    }
    deadlines->timer.data = data;
    uv_close((uv_handle_t *)&deadlines->timer, cb);
}

int deadlines_reserve(struct deadlines *deadlines, enum deadline_kind kind, size_t count)
{
    return heap_reserve(&deadlines->heaps[kind], count);
}

void deadlines_set(struct deadlines *deadlines, enum deadline_kind kind, struct heap_node *node,
                   int64_t at_ms)
{
    int r = heap_set(&deadlines->heaps[kind], node, at_ms);

    assert(r == 0); /* reserved */
    (void)r;
    if (deadlines->armed_ms == 0 || at_ms < deadlines->armed_ms) {
        arm(deadlines, at_ms);
    }
}

void deadlines_remove(struct deadlines *deadlines, enum deadline_kind kind, struct heap_node *node)
{
    heap_remove(&deadlines->heaps[kind], node);
}
