/* Attempts in environments: INVOKE with what the environment does not know yet,
 * checkpoints and their answers, and the end. */
#include <assert.h>
#include <stdlib.h>

#include "engine/base/crash.h"
#include "engine/base/err.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/driver/state.h"

#define CALLBACK_TOKEN_KIND 'c'

static const struct invocation_events durable_events;
static void send_invoke(struct run *run);

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

void run_free(struct run *run)
{
    struct driver *driver = run->driver;
    struct buf answer = run->answer;

    if (run->is_waiting) {
        journal_wait_cancel(driver->journal, &run->wait);
    }
    if (run->invocation.revision != NULL) {
        function_revision_unref(run->invocation.revision);
    }
    mem_free((void *)(uintptr_t)run->invocation.execution.data);
    answer.len = 0;
    if (answer.cap > WIRE_PIECE_BYTES) {
        buf_fini(&answer);
    }
    *run = (struct run){.answer = answer};
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

static void end_attempt(struct run *run, const struct invocation_end *end)
{
    struct hot *hot = hot_of(run->exec);
    struct task *task = complete_task(run);

    if (end->is_complete) {
        fill_outcome(task, &end->complete);
    } else {
        fill_error(task, end->error_type, end->error_message);
        hot->environment = 0;
        hot->known_record = 0;
    }
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
    return strcmp(end->error_type, "Pawl.Restarted") == 0;
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
    run->invocation.is_durable = hot->exec->kind == EXEC_DURABLE;
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

/* --- INVOKE --------------------------------------------------------------------------------- */

void callback_id_make(const struct driver *driver, const struct exec *exec, struct bytes op_id,
                      char text[TOKEN_TEXT_MAX])
{
    uint8_t fields[1 + sizeof exec->id.bytes + OP_ID_MAX];

    fields[0] = CALLBACK_TOKEN_KIND;
    memcpy(fields + 1, exec->id.bytes, sizeof exec->id.bytes);
    memcpy(fields + 1 + sizeof exec->id.bytes, op_id.data, op_id.len);
    token_make(driver->keys, bytes_of(fields, 1 + sizeof exec->id.bytes + op_id.len), text);
}

/* Everything of an operation but its payloads. */
void operation_of(const struct driver *driver, const struct exec *exec, const struct op *op,
                  struct arena *arena, struct wire_operation *ret)
{
    char callback_id[TOKEN_TEXT_MAX];

    *ret = (struct wire_operation){
        .id = op->id,
        .type = op->type,
        .status = op->status,
        .parent_id = (op->parent != NULL) ? op->parent->id : (struct bytes){0},
        .name = op->name,
        .sub_type = op->sub_type,
        .attempt = op->attempt,
        .replay_children = op->replay_children,
        .is_pruned = op->is_pruned,
        .has_result = op->result.record_no != 0,
        .has_error = op->error.record_no != 0,
        .start_ms = op->start_ms,
        .end_ms = op->end_ms,
        .due_ms = op->due_ms,
    };
    if (op->type == OP_CALLBACK) {
        callback_id_make(driver, exec, op->id, callback_id);
        ret->callback_id = arena_copy(arena, bytes_of_text(callback_id));
    }
}

/* False when a payload is not in memory. */
static bool fill_payloads(const struct hot *hot, const struct op *op, struct wire_operation *ret)
{
    const struct payload *found;

    if (ret->has_result) {
        found = hot_find_payload(hot, op->result.record_no, false);
        if (found == NULL) {
            return false;
        }
        ret->result = bytes_of(found->data, found->len);
    }
    if (ret->has_error) {
        found = hot_find_payload(hot, op->error.record_no, true);
        if (found == NULL) {
            return false;
        }
        ret->error = bytes_of(found->data, found->len);
    }
    return true;
}

static uint32_t count_changes(const struct exec *exec, uint64_t after)
{
    uint32_t count = 0;
    const struct list *item = exec->changes.prev;

    while (item != &exec->changes && container_of(item, struct op, in_changes)->changed > after) {
        count++;
        item = item->prev;
    }
    return count;
}

/* The input and all operations that changed after `after`, if memory has them. */
static bool fill_from_memory(struct run *run, struct arena *arena, uint64_t after,
                             struct wire_invoke *invoke)
{
    const struct hot *hot = hot_of(run->exec);
    const struct exec *exec = run->exec;
    const struct payload *input = hot_find_payload(hot, 1, false);
    const struct list *item = exec->changes.prev;

    invoke->operation_count = count_changes(exec, after);
    if (exec->input.record_no != 0) {
        if (input == NULL) {
            return false;
        }
        invoke->has_payload = true;
        invoke->payload = bytes_of(input->data, input->len);
    }
    if (invoke->operation_count == 0) {
        return true;
    }
    invoke->operations = arena_alloc(arena, invoke->operation_count * sizeof *invoke->operations);
    if (invoke->operations == NULL) {
        return false;
    }
    for (size_t i = invoke->operation_count; i > 0; i--) {
        struct op *op = container_of(item, struct op, in_changes);

        operation_of(run->driver, exec, op, arena, &invoke->operations[i - 1]);
        if (!fill_payloads(hot, op, &invoke->operations[i - 1])) {
            return false;
        }
        item = item->prev;
    }
    return true;
}

/* What an INVOKE says besides operations. */
static void fill_invoke(struct run *run, struct arena *arena, struct wire_invoke *invoke)
{
    const struct exec *exec = run->exec;
    struct bytes request_id = {0};
    char text[ID_TEXT_LEN + 1];

    id_format(&exec->request_id, text);
    request_id = arena_copy(arena, bytes_of_text(text));
    *invoke = (struct wire_invoke){
        .request_id = request_id,
        .function_arn = exec->function,
        .deadline_ms = driver_now_ms() + (int64_t)run->invocation.revision->config.timeout_s * 1000,
        .tenant_id = exec->tenant_id,
        .is_durable = exec->kind == EXEC_DURABLE,
        .execution_arn = run->invocation.execution,
        .attempt = run->attempt,
        .execution_id = bytes_of(exec->id.bytes, sizeof exec->id.bytes),
        .last = exec->records,
        .start_ms = exec->start_ms,
    };
}

static void send_filled(struct run *run, struct arena *arena, const struct wire_invoke *invoke)
{
    struct hot *hot = hot_of(run->exec);

    run->answer.len = 0;
    wire_put_invoke(&run->answer, arena, invoke);
    core_delivered(run->exec);
    hot->environment = run->environment;
    hot->known_record = run->exec->records;
    hot->known_change = run->exec->change_no;
    hot_drop_payloads(hot);
    run->is_sent = true;
    run->must_send = false;
    CRASH_POINT(before_invoke);
    invocation_send(run->driver->pool, &run->invocation, WIRE_INVOKE, buf_bytes(&run->answer));
    CRASH_POINT(after_invoke);
}

/* --- INVOKE with everything, from the views --------------------------------------------------- */

struct filling {
    struct run *run;
    struct arena *arena;
    struct wire_invoke *invoke;
};

static void fill_record(struct wire_operation *operation, const struct op *op,
                        const struct record *record, uint64_t record_no, struct arena *arena)
{
    if (op->result.record_no == record_no) {
        operation->result = arena_copy(arena, record->payload);
    }
    if (op->error.record_no == record_no) {
        operation->error = arena_copy(arena, record->error);
    }
}

/* Operations are in start order here as in the list, and found by their position,
 * kept in `order` while an INVOKE is made. */
static int fill_visit(void *arg, const struct record *record, uint64_t record_no)
{
    struct filling *filling = arg;
    const struct exec *exec = filling->run->exec;
    struct op *op;

    if (record->kind == EXECUTION_STARTED) {
        filling->invoke->has_payload = record->has_payload;
        filling->invoke->payload = arena_copy(filling->arena, record->payload);
        return 0;
    }
    if (record->op_id.len == 0 || (!record->has_payload && !record->has_error)) {
        return 0;
    }
    op = exec_find_op(exec, record->op_id);
    if (op != NULL && !op->is_pruned) {
        fill_record(&filling->invoke->operations[op->order], op, record, record_no, filling->arena);
    }
    return 0;
}

static int list_operations(struct run *run, struct arena *arena, struct wire_invoke *invoke)
{
    const struct exec *exec = run->exec;
    struct list *item;
    uint32_t count = 0;

    invoke->operations = arena_alloc(arena, (exec->op_count + 1) * sizeof *invoke->operations);
    if (invoke->operations == NULL) {
        return ERR(ERR_NOMEM, "operations of an invocation");
    }
    list_for_each (item, &exec->ops) {
        struct op *op = container_of(item, struct op, in_exec);

        if (!op->is_pruned) {
            op->order = count;
            operation_of(run->driver, exec, op, arena, &invoke->operations[count++]);
        }
    }
    invoke->operation_count = count;
    return 0;
}

static void send_everything(struct run *run)
{
    struct arena arena;
    struct wire_invoke invoke;
    struct filling filling = {.run = run, .arena = &arena, .invoke = &invoke};
    int r;

    arena_init(&arena, (size_t)256 << 20);
    fill_invoke(run, &arena, &invoke);
    r = list_operations(run, &arena, &invoke);
    if (r == 0) {
        r = view_walk(run->driver, &run->exec->id, fill_visit, &filling);
    }
    if (r == 0) {
        send_filled(run, &arena, &invoke);
    } else {
        log_error("%.*s: its state cannot be read: %s", (int)run->invocation.execution.len,
                  (const char *)run->invocation.execution.data, err_text(r));
        invocation_cancel(run->driver->pool, &run->invocation, "its state cannot be read");
    }
    arena_fini(&arena);
}

static void on_applied(struct journal_wait *wait)
{
    struct run *run = container_of(wait, struct run, wait);

    run->is_waiting = false;
    if (run->exec != NULL) {
        send_invoke(run); /* something else may have been committed meanwhile */
    }
}

static void send_from_views(struct run *run)
{
    uint64_t lsn = hot_of(run->exec)->last_lsn;

    if (journal_applied_lsn(run->driver->journal) >= lsn) {
        send_everything(run);
        return;
    }
    run->is_full = true;
    run->is_waiting = true;
    journal_wait_applied(run->driver->journal, &run->wait, lsn, on_applied);
}

/* Sends what memory has; or all of it, from the views. Never what is not durable:
 * while the execution commits, this waits for run_committed(). */
static void send_invoke(struct run *run)
{
    const struct hot *hot = hot_of(run->exec);
    struct wire_invoke invoke;
    struct arena arena;
    bool is_warm = hot->environment == run->environment && hot->known_record != 0 &&
                   !run->is_full && run->exec->kind == EXEC_DURABLE;

    if (run->exec->is_committing) {
        run->must_send = true;
        return;
    }
    run->must_send = false;
    arena_init(&arena, 0);
    fill_invoke(run, &arena, &invoke);
    invoke.base = is_warm ? hot->known_record : 0;
    if (!run->is_full && fill_from_memory(run, &arena, is_warm ? hot->known_change : 0, &invoke)) {
        send_filled(run, &arena, &invoke);
    } else {
        send_from_views(run);
    }
    arena_fini(&arena);
}

void run_committed(struct hot *hot)
{
    if (hot->run != NULL && hot->run->must_send && !hot->exec->is_committing) {
        send_invoke(hot->run);
    }
}

static void on_durable_placed(struct invocation *invocation, uint64_t environment)
{
    struct run *run = container_of(invocation, struct run, invocation);

    run->is_placed = true;
    run->environment = environment;
    if (run->exec != NULL) {
        send_invoke(run);
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
    uint32_t count = count_changes(exec, exec->reply_no);
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
        if (!fill_payloads(hot, op, operation)) {
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
        send_invoke(run);
    }
}

static const struct invocation_events durable_events = {
    .on_placed = on_durable_placed,
    .on_message = on_durable_message,
    .on_ended = on_durable_ended,
};
