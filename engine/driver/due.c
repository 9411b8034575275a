/* Time: one timer for everything that will be due. Hot executions are in a heap;
 * those that are not are found in the journal's due view, some at a time. */
#include "engine/base/crash.h"
#include "engine/driver/state.h"

#define DUE_EACH 64U        /* loaded in one turn of the loop: about a millisecond */
#define TASKS_OPEN_MAX 128U /* then the rest waits its turn */
#define WAITING_MAX 2048U   /* for an environment: more would only fill the memory */
#define CROWDED_MS 10       /* between turns then: other functions may have room */
#define SLEEP_MS_MAX 3600000

static void on_timer(uv_timer_t *timer);

void due_note_cold(struct driver *driver, int64_t wake_ms)
{
    if (wake_ms == EXEC_WAKE_NEVER || (driver->cold_ms != 0 && driver->cold_ms <= wake_ms)) {
        return;
    }
    driver->cold_ms = wake_ms;
    due_arm(driver);
}

void due_arm(struct driver *driver)
{
    const struct heap_node *first = heap_min(&driver->timers);
    int64_t next_ms = driver->cold_ms;
    int64_t delay_ms;

    if (driver->is_closing) {
        return;
    }
    if (first != NULL && (next_ms == 0 || first->key < next_ms)) {
        next_ms = first->key;
    }
    if (next_ms == 0) {
        (void)uv_timer_stop(&driver->timer);
        return;
    }
    if (driver->armed_ms == next_ms && uv_is_active((uv_handle_t *)&driver->timer)) {
        return;
    }
    driver->armed_ms = next_ms;
    delay_ms = next_ms - driver_now_ms();
    if (delay_ms > SLEEP_MS_MAX) {
        delay_ms = SLEEP_MS_MAX; /* the wall clock may be set meanwhile */
    }
    uv_update_time(driver->loop);
    (void)uv_timer_start(&driver->timer, on_timer, (uint64_t)((delay_ms > 0) ? delay_ms : 0), 0);
}

static void tick(struct driver *driver, const struct id *exec_id)
{
    task_submit(task_create(driver, COMMAND_TICK, exec_id, NULL, NULL));
}

static void tick_hot(struct driver *driver, int64_t now_ms)
{
    struct heap_node *first;

    while ((first = heap_min(&driver->timers)) != NULL && first->key <= now_ms &&
           driver->tasks_open < TASKS_OPEN_MAX) {
        struct hot *hot = container_of(first, struct hot, timer);
        struct id exec_id = hot->exec->id;

        /* Asked for again by hot_settle(); meanwhile not in the way of the next. */
        (void)heap_set(&driver->timers, &hot->timer, now_ms + 1000);
        tick(driver, &exec_id);
    }
}

/* Entries of hot executions may be stale by a moment, and are passed over: those
 * have their timers in the heap. */
static void tick_cold(struct driver *driver, int64_t now_ms)
{
    struct journal_due due[DUE_EACH];
    int64_t next_ms = 0;
    int count;

    if (driver->cold_ms == 0 || driver->cold_ms > now_ms || CRASH_CONTROL(drop_due)) {
        driver->cold_ms = CRASH_CONTROL(drop_due) ? 0 : driver->cold_ms;
        return;
    }
    count = journal_read_due(driver->journal, now_ms, &driver->due_after, due, DUE_EACH);
    for (int i = 0; i < count; i++) {
        if (core_find(driver->core, &due[i].exec_id) == NULL) {
            tick(driver, &due[i].exec_id);
        }
    }
    if (count == (int)DUE_EACH) {
        return; /* more: cold_ms is still in the past */
    }
    driver->due_after = (struct journal_due){0};
    if (journal_next_due(driver->journal, now_ms, &next_ms) != 0) {
        next_ms = 0;
    }
    driver->cold_ms = next_ms;
}

static bool is_crowded(const struct driver *driver)
{
    struct pool_stats stats;

    pool_get_stats(driver->pool, &stats);
    return stats.waiting >= WAITING_MAX;
}

static void come_back(struct driver *driver, int64_t now_ms, uint64_t delay_ms)
{
    driver->armed_ms = now_ms;
    (void)uv_timer_start(&driver->timer, on_timer, delay_ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct driver *driver = timer->data;
    int64_t now_ms = driver_now_ms();

    driver->armed_ms = 0;
    tick_hot(driver, now_ms);
    if (driver->tasks_open >= TASKS_OPEN_MAX) {
        come_back(driver, now_ms, 1); /* when some of what is under way is done */
        return;
    }
    tick_cold(driver, now_ms);
    if (driver->cold_ms != 0 && driver->cold_ms <= now_ms && is_crowded(driver)) {
        come_back(driver, now_ms, CROWDED_MS);
        return;
    }
    due_arm(driver);
}

void due_start(struct driver *driver)
{
    driver->timer.data = driver;
    driver->cold_ms = 1; /* a walk from the start */
    due_arm(driver);
}
