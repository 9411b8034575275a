/* While the journal is full, what finishes or stops work goes on, in the reserve that it
 * keeps, and what makes it grow does not:
 *
 *   - a start is refused (at the door mostly in start.c, before it gets here), and a
 *     redrive. The parent of a chained execution stays due and asks again;
 *   - a checkpoint waits here, unanswered, until there is space. The workflow waits with it;
 *     if its invocation ends meanwhile, or the execution, it comes back stale;
 *   - a tick is left out. An execution in memory asks again by itself, and those in the
 *     journal are all looked at again when there is space. */
#include "engine/driver/state.h"

#define LOOK_AGAIN_MS 100

static const char full_message[] =
    "The journal is full: free disk space or raise [journal] sizes, then try again.";

static void on_full_timer(uv_timer_t *timer);

void full_init(struct driver *driver)
{
    list_init(&driver->held);
    (void)uv_timer_init(driver->loop, &driver->full_timer);
    driver->full_timer.data = driver;
}

bool full_may_use_reserve(const struct task *task)
{
    switch (task->command.kind) {
    case COMMAND_START:
    case COMMAND_CHECKPOINT:
    case COMMAND_TICK:
    case COMMAND_REDRIVE:
        return task->exec != NULL && exec_is_closed(task->exec);
    default:
        return true;
    }
}

static void look_again_later(struct driver *driver)
{
    if (!driver->is_closing) {
        (void)uv_timer_start(&driver->full_timer, on_full_timer, LOOK_AGAIN_MS, 0);
    }
}

static void hold(struct task *task)
{
    list_push_back(&task->driver->held, &task->link);
    look_again_later(task->driver);
}

/* An execution that has ended only tells its parent so. */
static bool skip_tick(struct task *task)
{
    struct driver *driver = task->driver;
    const struct exec *exec = core_find(driver->core, &task->command.exec_id);

    if (exec != NULL && exec_is_closed(exec)) {
        return false;
    }
    driver->is_tick_due = true;
    look_again_later(driver);
    task_refuse(task, REFUSAL_FULL, full_message);
    return true;
}

bool full_holds(struct task *task)
{
    if (!journal_is_full(task->driver->journal)) {
        return false;
    }
    switch (task->command.kind) {
    case COMMAND_START:
    case COMMAND_REDRIVE:
        task_refuse(task, REFUSAL_FULL, full_message);
        return true;
    case COMMAND_TICK:
        return skip_tick(task);
    case COMMAND_CHECKPOINT:
        if (task->command.update_count == 0) {
            return false; /* it asks what is new */
        }
        hold(task);
        return true;
    default:
        return false;
    }
}

/* Each may be held again: then it is at the end of the list, behind `last`. */
static void release(struct driver *driver)
{
    struct list *last = driver->held.prev;
    struct list *item;

    do {
        item = list_pop_front(&driver->held);
        if (item != NULL) {
            task_submit(container_of(item, struct task, link));
        }
    } while (item != NULL && item != last);
}

static void on_full_timer(uv_timer_t *timer)
{
    struct driver *driver = timer->data;

    if (journal_is_full(driver->journal)) {
        look_again_later(driver);
        return;
    }
    release(driver);
    if (driver->is_tick_due) {
        driver->is_tick_due = false;
        driver->due_after = (struct journal_due){0};
        due_start(driver);
    }
}

void full_close(struct driver *driver)
{
    struct list *item;

    (void)uv_timer_stop(&driver->full_timer);
    while ((item = list_pop_front(&driver->held)) != NULL) {
        task_refuse(container_of(item, struct task, link), REFUSAL_FULL, full_message);
    }
}
