/* Synchronous invokes that wait for the end of a durable execution. */
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/driver/state.h"

static void waiter_finish(struct waiter *waiter, const struct exec *exec, bool has_payload,
                          struct bytes payload, struct bytes error)
{
    struct invoke_request *request = waiter->request;
    struct arena arena;

    if (request != NULL) {
        arena_init(&arena, 0);
        request->execution_arn = arn_of(&arena, exec);
        request->state = NULL;
        invoke_answer_result(request, has_payload, payload, exec->status != EXEC_SUCCEEDED, error);
        arena_fini(&arena);
    }
    list_remove(&waiter->link);
    mem_free(waiter);
}

void waiters_answer(struct task *task)
{
    struct hot *hot = hot_of(task->exec);
    const struct record *last;

    if (task->record_count == 0) {
        return; /* told again after a crash: nobody waits */
    }
    last = &task->records[task->record_count - 1];
    while (!list_is_empty(&hot->waiters)) {
        waiter_finish(container_of(hot->waiters.next, struct waiter, link), task->exec,
                      last->has_payload, last->payload, last->error);
    }
}

/* The execution of this name has ended before: its stored outcome is the answer. */
struct stored {
    struct journal_wait wait;
    struct driver *driver;
    struct waiter *waiter;
    struct id exec_id;
};

static int find_outcome(void *arg, const struct record *record, uint64_t record_no)
{
    struct stored *stored = arg;
    struct exec *exec = core_find(stored->driver->core, &stored->exec_id);

    (void)record_no;
    if (record->kind < EXECUTION_SUCCEEDED || record->kind > EXECUTION_TIMED_OUT) {
        return 0;
    }
    if (exec == NULL) {
        return 0;
    }
    waiter_finish(stored->waiter, exec, record->has_payload, record->payload, record->error);
    stored->waiter = NULL;
    return 1;
}

static void on_stored(struct journal_wait *wait)
{
    struct stored *stored = container_of(wait, struct stored, wait);

    (void)view_walk(stored->driver, &stored->exec_id, find_outcome, stored);
    if (stored->waiter != NULL) {
        if (stored->waiter->request != NULL) {
            stored->waiter->request->state = NULL;
            invoke_answer_error(stored->waiter->request, 500, "ServiceException",
                                "The outcome of the execution cannot be read.");
        }
        list_remove(&stored->waiter->link);
        mem_free(stored->waiter);
    }
    mem_free(stored);
}

void waiter_answer_stored(struct task *task, struct waiter *waiter)
{
    struct stored *stored = mem_calloc(1, sizeof *stored);
    struct hot *hot = hot_of(task->exec);

    if (stored == NULL) {
        invoke_answer_error(waiter->request, 500, "ServiceException",
                            "The daemon is out of memory.");
        mem_free(waiter);
        return;
    }
    stored->driver = task->driver;
    stored->waiter = waiter;
    stored->exec_id = task->exec->id;
    list_push_back(&hot->waiters, &waiter->link); /* keeps it hot */
    journal_wait_applied(task->driver->journal, &stored->wait, hot->last_lsn, on_stored);
}

/* The execution goes on, and need not stay in memory for this one. */
void waiter_abandon(struct waiter *waiter)
{
    struct hot *hot = waiter->hot;

    waiter->request = NULL;
    if (hot != NULL) {
        list_remove(&waiter->link);
        mem_free(waiter);
        hot_settle(hot);
    }
}
