/* Attempts in environments: dispatch, checkpoints and their answers, and the end. What an
 * attempt is told at first is in resume.c. */
#include <assert.h>

#include "engine/base/crash.h"
#include "engine/base/mem.h"
#include "engine/driver/state.h"

static const struct invocation_events durable_events;

struct run *run_create(struct driver *driver)
{
    struct list *item = list_pop_front(&driver->free_runs);
    struct run *run =
        (item != NULL) ? container_of(item, struct run, link) : mem_calloc(1, sizeof *run);

    if (run == NULL) {
        return NULL;
    }
    run->driver = driver;
    list_init(&run->link);
    driver->runs_open++;
    return run;
}

/* Its memory stays, unless it is much. */
static void empty(struct buf *buf)
{
    if (buf->cap > WIRE_PIECE_BYTES) {
        buf_fini(buf);
    }
    buf->len = 0;
    buf->failed = false;
}

void run_free(struct run *run)
{
    struct driver *driver = run->driver;
    struct buf answer = run->answer;
    struct buf reply = run->reply;

    if (run->is_waiting) {
        journal_wait_cancel(driver->journal, &run->wait);
    }
    if (run->invocation.revision != NULL) {
        function_revision_unref(run->invocation.revision);
    }
    mem_free((void *)(uintptr_t)run->invocation.execution.data);
    empty(&answer);
    empty(&reply);
    *run = (struct run){.answer = answer, .reply = reply};
    driver->runs_open--;
    list_push_back(&driver->free_runs, &run->link);
}

/* --- the end of an attempt ------------------------------------------------------------ */

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Lambda: errors of the sandbox are tried again at once, timeouts and failures of
 * the handler with a growing delay. */
static void fill_error(struct task *task, const char *type, const char *message)
{
    struct command *command = &task->command;

    command->outcome = OUTCOME_ERROR;
    command->has_error = true;
    command->error = task_error(task, type, message);
    command->is_uncounted = strcmp(type, "Pawl.NeighbourLost") == 0;
    command->is_throttled = strcmp(type, "TooManyRequestsException") == 0;
    command->is_final = strcmp(type, EVENT_SHUT_TYPE) == 0;
    command->is_retryable = (has_prefix(type, "Runtime.") || has_prefix(type, "Sandbox.") ||
                             has_prefix(type, "Extension.")) &&
                            strcmp(type, "Sandbox.Timedout") != 0;
}

static void fill_outcome(struct task *task, const struct wire_complete *complete)
{
    struct command *command = &task->command;

    if (complete->outcome > OUTCOME_HELD) {
        fill_error(task, "Runtime.ProtocolError", "The invocation ended with an unknown outcome.");
        return;
    }
    command->outcome = (enum outcome)complete->outcome;
    command->has_payload = complete->has_payload;
    command->payload = task_copy(task, complete->payload);
    command->has_error =
        complete->outcome != OUTCOME_SUCCEEDED && complete->outcome != OUTCOME_PENDING;
    command->error = task_copy(task, complete->error);
}

static struct task *complete_task(struct run *run)
{
    struct task *task = task_create(run->driver, COMMAND_COMPLETE, &run->exec->id, NULL, NULL);

    task->command.attempt = run->attempt;
    return task;
}

/* For who waits; without memory there is none. */
static void keep_log_tail(struct hot *hot, const struct invocation *invocation)
{
    struct bytes tail = invocation_log_tail(invocation);

    hot->log_tail.len = 0;
    if (hot->wants_log_tail) {
        buf_append(&hot->log_tail, tail.data, tail.len);
    }
}

static void end_attempt(struct run *run, const struct invocation_end *end)
{
    struct hot *hot = hot_of(run->exec);
    struct task *task = complete_task(run);

    if (end->is_complete) {
        fill_outcome(task, &end->complete);
    } else {
        fill_error(task, end->error_type, end->error_message);
        if (end->error.len > 0) {
            task->command.error = task_copy(task, end->error);
        }
        hot->environment = 0;
        hot->known_record = 0;
    }
    keep_log_tail(hot, &run->invocation);
    hot->run = NULL;
    run_free(run);
    task_submit(task);
}

/* The daemon ends, and it with it: its attempt stays open in the log, and the next life
 * of the daemon finds it cut off, as it would after a crash. */
static bool is_cut_off(const struct run *run, const struct invocation_end *end)
{
    if (!run->driver->is_closing) {
        return false;
    }
    if (end->is_complete) {
        return run->is_suspended && end->complete.outcome == OUTCOME_PENDING;
    }
    return run->is_suspended || strcmp(end->error_type, "Pawl.Restarted") == 0;
}

static void on_durable_ended(struct invocation *invocation, const struct invocation_end *end)
{
    struct run *run = container_of(invocation, struct run, invocation);

    if (run->exec == NULL) {
        run_free(run); /* fenced: nobody is interested any more */
    } else if (is_cut_off(run, end)) {
        hot_of(run->exec)->run = NULL;
        run_free(run);
    } else {
        end_attempt(run, end);
    }
}

/* --- dispatch ---------------------------------------------------------------------------- */

static struct function_revision *find_revision(struct hot *hot)
{
    const struct exec *exec = hot->exec;
    struct function *function;

    if (hot->revision == NULL) {
        function = function_find_id(hot->driver->functions, &exec->function_id);
        hot->revision =
            (function != NULL) ? function_revision_find(function, exec->revision) : NULL;
        if (hot->revision != NULL) {
            function_revision_ref(hot->revision);
        }
    }
    return hot->revision;
}

static void fail_dispatch(struct hot *hot, const char *type, const char *message)
{
    struct task *task = task_create(hot->driver, COMMAND_COMPLETE, &hot->exec->id, NULL, NULL);

    task->command.attempt = hot->exec->attempt;
    fill_error(task, type, message);
    task_submit(task);
}

void run_dispatch(struct hot *hot, uint32_t attempt)
{
    struct driver *driver = hot->driver;
    struct function_revision *revision = find_revision(hot);
    struct arena arena;
    struct bytes arn;
    struct run *run;

    assert(hot->run == NULL);
    if (driver->is_closing) {
        return; /* the next life of the daemon finds it cut off */
    }
    if (revision == NULL) {
        fail_dispatch(hot, "ResourceNotFoundException", "The function does not exist any more.");
        return;
    }
    if (hot->exec->kind == EXEC_EVENT && gate_is_shut(&revision->function->gate)) {
        fail_dispatch(hot, EVENT_SHUT_TYPE,
                      "The reserved concurrency of the function is 0: it is never run.");
        return;
    }
    run = run_create(driver);
    if (run == NULL) {
        fail_dispatch(hot, "Sandbox.OutOfMemory", "The daemon is out of memory.");
        return;
    }
    run->exec = hot->exec;
    run->attempt = attempt;
    hot->run = run;
    arena_init(&arena, 0);
    arn = arn_of(&arena, hot->exec);
    function_revision_ref(revision);
    run->invocation.revision = revision;
    run->invocation.events = &durable_events;
    run->invocation.request_id = hot->exec->request_id;
    run->invocation.tenant_id = hot->exec->tenant_id;
    run->invocation.execution = bytes_of(mem_dup(arn.data, arn.len), arn.len);
    run->invocation.affinity = hot->environment;
    run->invocation.wants_log_tail = hot->wants_log_tail;
    run->invocation.is_durable = hot->exec->kind == EXEC_DURABLE;
    run->invocation.is_patient = true;
    arena_fini(&arena);
    pool_invoke(driver->pool, &run->invocation);
}

void run_fence(struct hot *hot)
{
    struct run *run = hot->run;

    if (run == NULL) {
        return;
    }
    hot->run = NULL;
    hot->environment = 0;
    hot->known_record = 0;
    run->exec = NULL;
    run->must_send = false;
    if (run->is_waiting) {
        journal_wait_cancel(hot->driver->journal, &run->wait);
        run->is_waiting = false;
    }
    invocation_cancel(hot->driver->pool, &run->invocation, "the attempt was ended");
}

void run_notify(struct hot *hot)
{
    if (hot->run != NULL && hot->run->is_sent) {
        invocation_send(hot->driver->pool, &hot->run->invocation, WIRE_NOTICE, (struct bytes){0});
    }
}

static void on_durable_placed(struct invocation *invocation, uint64_t environment)
{
    struct run *run = container_of(invocation, struct run, invocation);

    run->is_placed = true;
    run->environment = environment;
    if (run->exec != NULL) {
        run_send(run);
    }
}

/* --- checkpoints ----------------------------------------------------------------------------- */

/* The environment knows what it has just sent; not what it got in return. */
static bool is_own(const struct task *task, const struct op *op)
{
    if (op->type != OP_STEP && op->type != OP_CONTEXT) {
        return false;
    }
    if (op->status == OP_PENDING) {
        return false;
    }
    for (uint32_t i = 0; i < task->command.update_count; i++) {
        if (bytes_equal(task->command.updates[i].id, op->id)) {
            return true;
        }
    }
    return false;
}

static bool add_changes(struct task *task, struct wire_checkpointed *answer)
{
    struct exec *exec = task->exec;
    const struct hot *hot = hot_of(exec);
    uint32_t count = operations_changed(exec, exec->reply_no);
    struct list *item = exec->changes.prev;

    if (count == 0) {
        return true;
    }
    answer->operations = arena_alloc(&task->arena, count * sizeof *answer->operations);
    for (; count > 0 && answer->operations != NULL; count--, item = item->prev) {
        struct op *op = container_of(item, struct op, in_changes);
        struct wire_operation *operation = &answer->operations[answer->operation_count];

        if (is_own(task, op)) {
            continue;
        }
        operation_of(task->driver, exec, op, &task->arena, operation);
        if (!operation_fill_payloads(hot, op, operation)) {
            return false; /* loaded in the middle of an attempt: cannot be */
        }
        answer->operation_count++;
    }
    return true;
}

static void answer_checkpoint(struct task *task)
{
    struct run *run = task->arg;
    struct wire_checkpointed answer = {.seq = task->command.seq};

    if (task->refusal != REFUSAL_NONE) {
        answer.refusal = bytes_of_text(task->refusal == REFUSAL_INVALID ? "INVALID" : "STALE");
        answer.message = bytes_of_text(task->message);
    }
    if (run->exec == NULL || !id_equal(&run->exec->id, &task->command.exec_id) ||
        run->attempt != task->command.attempt) {
        return; /* ended meanwhile, and perhaps another's by now */
    }
    if (task->is_repeat) {
        answer.refusal = bytes_of_text("STALE"); /* one answer each on this connection */
    }
    if (answer.refusal.len == 0 && run->driver->is_closing) {
        answer.refusal = bytes_of_text("SUSPEND");
        answer.message = bytes_of_text("The daemon is being stopped.");
        run->is_suspended = true;
    }
    if (answer.refusal.len == 0) {
        struct hot *hot = hot_of(task->exec);

        if (!add_changes(task, &answer)) {
            invocation_cancel(run->driver->pool, &run->invocation, "a payload is missing");
            return;
        }
        answer.last = task->exec->records;
        hot->known_record = task->exec->records;
        hot->known_change = task->exec->change_no;
        hot_drop_payloads(hot);
    }
    run->answer.len = 0;
    wire_put_checkpointed(&run->answer, &task->arena, &answer);
    invocation_send(run->driver->pool, &run->invocation, WIRE_CHECKPOINTED,
                    buf_bytes(&run->answer));
}

static void on_checkpoint(struct run *run, struct bytes body)
{
    struct task *task =
        task_create(run->driver, COMMAND_CHECKPOINT, &run->exec->id, answer_checkpoint, run);
    struct wire_checkpoint checkpoint;
    int r = wire_get_checkpoint(&task->arena, task_copy(task, body), &checkpoint);

    task->command.attempt = run->attempt;
    if (r == 0) {
        task->command.seq = checkpoint.seq;
        task->command.updates = checkpoint.updates;
        task->command.update_count = (uint32_t)checkpoint.update_count;
        for (size_t i = 0; i < checkpoint.update_count; i++) {
            child_resolve(run->driver, task, &checkpoint.updates[i]);
        }
        if (CRASH_CONTROL(skip_token)) {
            task->command.seq = run->exec->seq + 1;
        }
    } /* else seq 0: refused as stale, and the environment ends the invocation */
    task_submit(task);
}

static void on_durable_message(struct invocation *invocation, enum wire_type type,
                               struct bytes body)
{
    struct run *run = container_of(invocation, struct run, invocation);

    if (run->exec == NULL || !run->is_sent) {
        return;
    }
    if (type == WIRE_CHECKPOINT) {
        on_checkpoint(run, body);
    } else if (type == WIRE_NEED_FULL) {
        run->is_full = true;
        run_send(run);
    }
}

static const struct invocation_events durable_events = {
    .on_placed = on_durable_placed,
    .on_message = on_durable_message,
    .on_ended = on_durable_ended,
};
