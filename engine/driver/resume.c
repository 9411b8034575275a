/* What an attempt is told: INVOKE, with what changed since its environment last saw the
 * execution, from memory; or with everything, from the views. */
#include "engine/base/crash.h"
#include "engine/base/err.h"
#include "engine/base/log.h"
#include "engine/driver/state.h"

#define CALLBACK_TOKEN_KIND 'c'

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
        .due_ms = (op->type == OP_WAIT) ? op->start_ms + (int64_t)op->wait_s * 1000 : op->due_ms,
    };
    if (op->type == OP_CALLBACK) {
        callback_id_make(driver, exec, op->id, callback_id);
        ret->callback_id = arena_copy(arena, bytes_of_text(callback_id));
    }
}

/* False when a payload is not in memory. */
bool operation_fill_payloads(const struct hot *hot, const struct op *op, struct wire_operation *ret)
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

uint32_t operations_changed(const struct exec *exec, uint64_t after)
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

    invoke->operation_count = operations_changed(exec, after);
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
        if (!operation_fill_payloads(hot, op, &invoke->operations[i - 1])) {
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
        .trace_id = trace_of_run(arena, exec->trace_id, &exec->id, &exec->function_id),
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

    core_delivered(run->exec);
    hot->environment = run->environment;
    hot->known_record = run->exec->records;
    hot->known_change = run->exec->change_no;
    run->is_sent = true;
    run->must_send = false;
    CRASH_POINT(before_invoke);
    invocation_invoke(run->driver->pool, &run->invocation, arena, invoke, &run->answer);
    hot_drop_payloads(hot);
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
    const struct hot *hot = hot_of(exec);
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
            operation_of(run->driver, exec, op, arena, &invoke->operations[count]);
            invoke->operations[count++].is_updated =
                hot->known_record != 0 && op->changed > hot->known_change;
        }
    }
    invoke->operation_count = count;
    return 0;
}

/* Every result that an operation has was found: a workflow is never told less than what is
 * recorded. */
static int check_whole(const struct wire_invoke *invoke)
{
    if (invoke->has_payload && invoke->payload.data == NULL) {
        return ERR_CORRUPT;
    }
    for (size_t i = 0; i < invoke->operation_count; i++) {
        const struct wire_operation *operation = &invoke->operations[i];

        if ((operation->has_result && operation->result.data == NULL) ||
            (operation->has_error && operation->error.data == NULL)) {
            return ERR_CORRUPT;
        }
    }
    return 0;
}

int run_read_state(struct run *run, struct arena *arena, struct wire_invoke *ret_invoke)
{
    struct filling filling = {.run = run, .arena = arena, .invoke = ret_invoke};
    int r;

    fill_invoke(run, arena, ret_invoke);
    r = list_operations(run, arena, ret_invoke);
    if (r == 0) {
        r = view_walk(run->driver, &run->exec->id, fill_visit, &filling);
    }
    return (r == 0) ? check_whole(ret_invoke) : r;
}

static void keep_retried(struct run *run, const struct wire_invoke *invoke)
{
    struct list *item;

    list_for_each (item, &run->exec->ops) {
        const struct op *op = container_of(item, struct op, in_exec);

        if (!op->is_pruned) {
            hot_keep_retried(hot_of(run->exec), op, &invoke->operations[op->order]);
        }
    }
}

static void send_everything(struct run *run)
{
    struct arena arena;
    struct wire_invoke invoke;
    int r;

    arena_init(&arena, STATE_ARENA_BYTES_MAX);
    r = run_read_state(run, &arena, &invoke);
    if (r == 0) {
        keep_retried(run, &invoke);
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
        run_send(run); /* something else may have been committed meanwhile */
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

/* A runtime's function remembers nothing, and memory keeps only news: it gets all of it
 * from the views, in order, but for the first time. */
static bool may_use_memory(const struct run *run)
{
    return !run->invocation.is_guest || run->exec->op_count == 0;
}

/* Sends what memory has; or all of it, from the views. Never what is not durable:
 * while the execution commits, this waits for run_committed(). */
void run_send(struct run *run)
{
    const struct hot *hot = hot_of(run->exec);
    struct wire_invoke invoke;
    struct arena arena;
    bool is_warm = hot->environment == run->environment && hot->known_record != 0 &&
                   !run->is_full && run->exec->kind == EXEC_DURABLE && !run->invocation.is_guest;

    if (run->exec->is_committing) {
        run->must_send = true;
        return;
    }
    run->must_send = false;
    arena_init(&arena, 0);
    fill_invoke(run, &arena, &invoke);
    invoke.base = is_warm ? hot->known_record : 0;
    if (!run->is_full && may_use_memory(run) &&
        fill_from_memory(run, &arena, is_warm ? hot->known_change : 0, &invoke)) {
        send_filled(run, &arena, &invoke);
    } else {
        send_from_views(run);
    }
    arena_fini(&arena);
}

void run_committed(struct hot *hot)
{
    if (hot->run != NULL && hot->run->must_send && !hot->exec->is_committing) {
        run_send(hot->run);
    }
}
