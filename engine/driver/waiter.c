/* Synchronous invokes that wait for the end of a durable execution. */
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/driver/state.h"

void waiter_drop(struct waiter *waiter)
{
    if (waiter->is_reading) {
        journal_wait_cancel(waiter->driver->journal, &waiter->wait);
    }
    list_remove(&waiter->link);
    mem_free(waiter);
}

static void waiter_finish(struct waiter *waiter, const struct exec *exec, bool has_payload,
                          struct bytes payload, struct bytes error)
{
    struct invoke_request *request = waiter->request;
    struct arena arena;

    if (request != NULL) {
        arena_init(&arena, 0);
        request->execution_arn = arn_of(&arena, exec);
        request->state = NULL;
        request->log_tail = buf_bytes(&waiter->hot->log_tail);
        invoke_note_version(request, arn_version(exec->function));
        invoke_answer_result(request, has_payload, payload, exec->status != EXEC_SUCCEEDED, error);
        arena_fini(&arena);
    }
    waiter_drop(waiter);
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
static int find_outcome(void *arg, const struct record *record, uint64_t record_no)
{
    struct waiter **waiter = arg;

    (void)record_no;
    if (record->kind < EXECUTION_SUCCEEDED || record->kind > EXECUTION_TIMED_OUT) {
        return 0;
    }
    waiter_finish(*waiter, (*waiter)->hot->exec, record->has_payload, record->payload,
                  record->error);
    *waiter = NULL;
    return 1;
}

static void on_applied(struct journal_wait *wait)
{
    struct waiter *waiter = container_of(wait, struct waiter, wait);
    struct hot *hot = waiter->hot;

    waiter->is_reading = false;
    (void)view_walk(waiter->driver, &hot->exec->id, find_outcome, &waiter);
    if (waiter != NULL) {
        if (waiter->request != NULL) {
            waiter->request->state = NULL;
            invoke_answer_error(waiter->request, 500, "ServiceException",
                                "The outcome of the execution cannot be read.");
        }
        waiter_drop(waiter);
    }
    hot_settle(hot);
}

void waiter_answer_stored(struct task *task, struct waiter *waiter)
{
    struct hot *hot = hot_of(task->exec);

    waiter->hot = hot;
    waiter->is_reading = true;
    list_push_back(&hot->waiters, &waiter->link); /* keeps it hot */
    journal_wait_applied(task->driver->journal, &waiter->wait, hot->last_lsn, on_applied);
}

/* The execution goes on, and need not stay in memory for this one. */
void waiter_abandon(struct waiter *waiter)
{
    struct hot *hot = waiter->hot;

    waiter->request = NULL;
    if (hot != NULL) {
        waiter_drop(waiter);
        hot_settle(hot);
    }
}
