#include "engine/driver/fault.h"

#ifdef PAWL_CRASH_POINTS

#include "engine/base/crash.h"
#include "engine/base/mem.h"

#define LATE_MS 20

/* What is given to the journal late; never freed: the daemon is about to be killed. */
struct late {
    uv_timer_t timer;
    struct journal_append own; /* answer-first: the task is gone by then */
    struct journal_append *append;
    journal_append_cb cb;
    struct driver *driver;
};

static void ignore(struct journal_append *append)
{
    (void)append;
}

static void on_late(uv_timer_t *timer)
{
    struct late *late = timer->data;

    uv_close((uv_handle_t *)timer, NULL);
    journal_append(late->driver->journal, late->append, late->cb);
}

bool fault_commit(struct task *task, journal_append_cb after_commit,
                  void (*finish)(struct task *task))
{
    struct late *late;

    if (!CRASH_CONTROL(answer_first) && !CRASH_CONTROL(uncommitted_refusal)) {
        return false;
    }
    late = mem_calloc(1, sizeof *late);
    late->driver = task->driver;
    late->append = &task->append;
    late->cb = after_commit;
    (void)uv_timer_init(task->driver->loop, &late->timer);
    late->timer.data = late;
    (void)uv_timer_start(&late->timer, on_late, LATE_MS, 0);
    if (CRASH_CONTROL(answer_first)) {
        late->own = task->append;
        late->own.data = bytes_of(mem_dup(task->frame.data, task->frame.len), task->frame.len);
        late->append = &late->own;
        late->cb = ignore;
        core_committed(task->driver->core, task->exec);
        finish(task);
    }
    return true;
}

bool fault_refuses(const struct task *task)
{
    const struct command *command = &task->command;
    const struct exec *exec;

    if (!CRASH_CONTROL(uncommitted_refusal) || command->kind != COMMAND_START) {
        return false;
    }
    exec = core_find_name(task->driver->core, &command->function_id, command->started.name);
    return exec != NULL && exec->is_committing &&
           memcmp(exec->digest, command->started.digest, sizeof exec->digest) != 0;
}

#else
typedef int fault_is_empty; /* ISO C wants something here */
#endif
