/* How records change an execution. Live, a command makes records and applies them
 * here; after a crash the same records are read back and applied here. So what a
 * command decided and what recovery rebuilds cannot differ. Records from disk are
 * checked: one that does not fit is ERR_CORRUPT, never an assertion. */
#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/core/execution_edit.h"

#define RECORD_BYTES_SMALL 64U /* what a record without payload is charged */

/* The type of the operation that this record starts, or OP_NONE. Ends of steps and
 * contexts start one when it is new: a SUCCEED may come without its START. */
static enum op_type record_starts(const struct exec *exec, const struct record *record)
{
    switch (record->kind) {
    case CONTEXT_STARTED:
        return OP_CONTEXT;
    case WAIT_STARTED:
        return OP_WAIT;
    case CALLBACK_STARTED:
        return OP_CALLBACK;
    case CHAINED_INVOKE_STARTED:
        return OP_CHAINED_INVOKE;
    case CONTEXT_SUCCEEDED:
    case CONTEXT_FAILED:
        return (exec_find_op(exec, record->op_id) == NULL) ? OP_CONTEXT : OP_NONE;
    case STEP_STARTED:
    case STEP_SUCCEEDED:
    case STEP_FAILED:
        return (exec_find_op(exec, record->op_id) == NULL) ? OP_STEP : OP_NONE;
    default:
        return OP_NONE;
    }
}

/* Every operation has a place among the deadlines from its start: a timer that is set
 * later cannot fail. */
static int add_op(struct exec *exec, struct op *op, enum op_type type, const struct record *record)
{
    int r = heap_reserve(&exec->deadlines, exec->op_count + 1U - exec->deadlines.count);

    if (r == 0) {
        r = table_insert(&exec->op_table, &op->by_id, table_hash(op->id));
    }
    if (r != 0) {
        op_destroy(op);
        return r;
    }
    op->type = type;
    op->status = OP_STARTED;
    op->start_ms = record->time_ms;
    op->parent = (record->parent_id.len > 0) ? exec_find_op(exec, record->parent_id) : NULL;
    if (op->parent != NULL) {
        list_push_back(&op->parent->children, &op->sibling);
    }
    list_push_back(&exec->ops, &op->in_exec);
    exec->op_count++;
    return 0;
}

static void set_deadline(struct exec *exec, struct op *op)
{
    int64_t due_ms = op->due_ms;

    if (op->type == OP_CALLBACK) {
        due_ms = op->timeout_ms;
        if (op->heartbeat_ms != 0 && (due_ms == 0 || op->heartbeat_ms < due_ms)) {
            due_ms = op->heartbeat_ms;
        }
    }
    if (due_ms == 0) {
        heap_remove(&exec->deadlines, &op->deadline);
        return;
    }
    (void)heap_set(&exec->deadlines, &op->deadline, due_ms);
}

static struct payload_ref ref_of(const struct exec *exec, bool is_there, struct bytes payload)
{
    if (!is_there) {
        return (struct payload_ref){0};
    }
    return (struct payload_ref){.record_no = exec->records, .len = (uint32_t)payload.len};
}

static void prune(struct op *context)
{
    struct op *at = context;

    /* Depth first without recursion: down to the first child, else to the next
     * sibling, else up; `context` itself is not pruned. */
    for (;;) {
        if (!list_is_empty(&at->children)) {
            at = container_of(at->children.next, struct op, sibling);
        } else {
            while (at != context && at->sibling.next == &at->parent->children) {
                at = at->parent;
            }
            if (at == context) {
                return;
            }
            at = container_of(at->sibling.next, struct op, sibling);
        }
        at->is_pruned = true;
    }
}

static void end_op(struct exec *exec, struct op *op, enum op_status status,
                   const struct record *record)
{
    bool was_pending = op->type == OP_WAIT || op->type == OP_CALLBACK ||
                       op->type == OP_CHAINED_INVOKE || op->status == OP_PENDING;

    exec->pending_count -= was_pending ? 1 : 0;
    op->status = status;
    op->end_ms = record->time_ms;
    op->due_ms = 0;
    op->timeout_ms = 0;
    op->heartbeat_ms = 0;
    op->result = ref_of(exec, record->has_payload, record->payload);
    op->error = ref_of(exec, record->has_error, record->error);
    heap_remove(&exec->deadlines, &op->deadline);
}

static bool keep_text(struct bytes *text, struct bytes from)
{
    text->data = mem_dup(from.data, from.len);
    text->len = (text->data != NULL) ? from.len : 0;
    return text->data != NULL;
}

/* Of what few executions have: nothing is kept of nothing. */
static bool keep_rare(struct bytes *text, struct bytes from)
{
    return from.len == 0 || keep_text(text, from);
}

static int start_execution(struct exec *exec, const struct record *record)
{
    if (exec->status != EXEC_STATUS_NONE) {
        return ERR_CORRUPT;
    }
    if (!keep_text(&exec->name, record->name) || !keep_text(&exec->function, record->function) ||
        !keep_text(&exec->tenant_id, record->tenant_id) ||
        !keep_text(&exec->parent_op, record->parent_op) ||
        !keep_rare(&exec->trace_id, record->trace_id) ||
        !keep_rare(&exec->on_success, record->on_success) ||
        !keep_rare(&exec->on_failure, record->on_failure)) {
        return ERR_NOMEM; /* exec_destroy() frees what is there */
    }
    exec->parent_exec = record->parent_exec;
    exec->telling_id = record->request_id;
    exec->kind = record->exec_kind;
    exec->revision = record->revision;
    exec->retention_days = record->retention_days;
    exec->retries_max = record->retries_max;
    exec->event_age_s = record->event_age_s;
    exec->timeout_s = record->timeout_s;
    memcpy(exec->digest, record->digest, sizeof exec->digest);
    exec->start_ms = record->time_ms;
    exec->deadline_ms =
        (record->timeout_s != 0) ? record->time_ms + (int64_t)record->timeout_s * 1000 : 0;
    exec->input = ref_of(exec, record->has_payload, record->payload);
    exec->status = EXEC_RUNNING;
    return 0;
}

static int end_execution(struct exec *exec, enum exec_status status, const struct record *record)
{
    if (exec->status != EXEC_RUNNING) {
        return ERR_CORRUPT;
    }
    exec->status = status;
    exec->end_ms = record->time_ms;
    exec->is_running = false;
    exec->is_live = false;
    exec->is_held = false;
    exec->retry_ms = 0;
    exec->result = ref_of(exec, record->has_payload, record->payload);
    exec->error = ref_of(exec, record->has_error, record->error);
    buf_fini(&exec->result_copy);
    return 0;
}

static int evolve_step(struct exec *exec, struct op *op, const struct record *record)
{
    if (op->type != OP_STEP) {
        return ERR_CORRUPT;
    }
    if (record->kind == STEP_STARTED) {
        op->status = OP_STARTED;
        op->due_ms = 0;
        return 0;
    }
    op->attempt++;
    if (record->delay_s == 0) {
        end_op(exec, op, (record->kind == STEP_SUCCEEDED) ? OP_SUCCEEDED : OP_FAILED, record);
        return 0;
    }
    op->status = OP_PENDING;
    op->due_ms = record->due_ms;
    op->error = ref_of(exec, record->has_error, record->error);
    if (record->has_payload) {
        op->result = ref_of(exec, true, record->payload); /* kept for waitForCondition */
    }
    exec->pending_count++;
    set_deadline(exec, op);
    return 0;
}

static int evolve_context(struct exec *exec, struct op *op, const struct record *record)
{
    if (op->type != OP_CONTEXT) {
        return ERR_CORRUPT;
    }
    if (record->kind == CONTEXT_STARTED) {
        return 0;
    }
    end_op(exec, op, (record->kind == CONTEXT_SUCCEEDED) ? OP_SUCCEEDED : OP_FAILED, record);
    op->replay_children = record->replay_children;
    if (!op->replay_children) {
        prune(op);
    }
    return 0;
}

static int evolve_wait(struct exec *exec, struct op *op, const struct record *record)
{
    if (op->type != OP_WAIT || op->status != OP_STARTED) {
        return ERR_CORRUPT;
    }
    if (record->kind == WAIT_STARTED) {
        op->wait_s = record->delay_s;
        op->due_ms = record->due_ms;
        exec->pending_count++;
        set_deadline(exec, op);
        return 0;
    }
    end_op(exec, op, (record->kind == WAIT_SUCCEEDED) ? OP_SUCCEEDED : OP_CANCELLED, record);
    return 0;
}

static int64_t after_s(int64_t from_ms, uint32_t seconds)
{
    return (seconds != 0) ? from_ms + (int64_t)seconds * 1000 : 0;
}

/* What a callback's time runs from: the clock's, also when that was set back. */
static int64_t clock_of(const struct record *record)
{
    return (record->due_ms != 0) ? record->due_ms : record->time_ms;
}

static int evolve_callback(struct exec *exec, struct op *op, const struct record *record)
{
    if (op->type != OP_CALLBACK || op->status != OP_STARTED) {
        return ERR_CORRUPT;
    }
    switch (record->kind) {
    case CALLBACK_STARTED:
        op->timeout_s = record->timeout_s;
        op->heartbeat_s = record->heartbeat_s;
        op->timeout_ms = after_s(clock_of(record), record->timeout_s);
        op->heartbeat_ms = after_s(clock_of(record), record->heartbeat_s);
        exec->pending_count++;
        set_deadline(exec, op);
        return 0;
    case NOTE_HEARTBEAT:
        op->heartbeat_ms = after_s(clock_of(record), op->heartbeat_s);
        set_deadline(exec, op);
        return 0;
    case CALLBACK_SUCCEEDED:
        end_op(exec, op, OP_SUCCEEDED, record);
        return 0;
    case CALLBACK_FAILED:
        end_op(exec, op, OP_FAILED, record);
        return 0;
    default:
        end_op(exec, op, OP_TIMED_OUT, record);
        return 0;
    }
}

void exec_chain_sent(struct exec *exec, struct op *op)
{
    if (!op->is_chain_sent) {
        op->is_chain_sent = true;
        exec->unsent_chains--;
    }
}

static enum op_status chained_status(enum record_kind kind)
{
    switch (kind) {
    case CHAINED_INVOKE_SUCCEEDED:
        return OP_SUCCEEDED;
    case CHAINED_INVOKE_FAILED:
        return OP_FAILED;
    case CHAINED_INVOKE_TIMED_OUT:
        return OP_TIMED_OUT;
    default:
        return OP_STOPPED;
    }
}

/* The payload of a result that came while the parent ran is in the note; the event
 * that follows has it again, so a history is whole without notes. */
static int evolve_chained(struct exec *exec, struct op *op, const struct record *record)
{
    if (op->type != OP_CHAINED_INVOKE || op->status != OP_STARTED) {
        return ERR_CORRUPT;
    }
    if (record->kind == CHAINED_INVOKE_STARTED) {
        op->input = ref_of(exec, record->has_payload, record->payload);
        op->child_id = record->request_id;
        exec->pending_count++;
        exec->unsent_chains++;
        return 0;
    }
    exec_chain_sent(exec, op);
    if (record->kind == NOTE_CHAINED_RESULT) {
        if (op->has_pending_result) {
            return ERR_CORRUPT;
        }
        op->has_pending_result = true;
        op->pending_status = record->op_status;
        exec->pending_results++;
        if (buf_reserve(&op->pending_copy, record->payload.len + record->error.len) == NULL) {
            return ERR_NOMEM;
        }
        buf_append(&op->pending_copy, record->payload.data, record->payload.len);
        buf_append(&op->pending_copy, record->error.data, record->error.len);
        op->pending_has_payload = record->has_payload;
        op->pending_has_error = record->has_error;
        op->pending_payload_len = record->payload.len;
        return 0;
    }
    if (op->has_pending_result) {
        op->has_pending_result = false;
        exec->pending_results--;
    }
    end_op(exec, op, chained_status(record->kind), record);
    buf_fini(&op->pending_copy);
    return 0;
}

static int evolve_op(struct exec *exec, const struct record *record, struct op *op)
{
    switch (record->kind) {
    case STEP_STARTED:
    case STEP_SUCCEEDED:
    case STEP_FAILED:
        exec->failures = 0; /* a checkpoint came through */
        return evolve_step(exec, op, record);
    case CONTEXT_STARTED:
    case CONTEXT_SUCCEEDED:
    case CONTEXT_FAILED:
        exec->failures = 0;
        return evolve_context(exec, op, record);
    case WAIT_STARTED:
    case WAIT_SUCCEEDED:
    case WAIT_CANCELLED:
        return evolve_wait(exec, op, record);
    case NOTE_STEP_READY:
        if (op->type != OP_STEP || op->status != OP_PENDING) {
            return ERR_CORRUPT;
        }
        op->status = OP_READY;
        op->due_ms = 0;
        exec->pending_count--;
        heap_remove(&exec->deadlines, &op->deadline);
        return 0;
    case CALLBACK_STARTED:
    case CALLBACK_SUCCEEDED:
    case CALLBACK_FAILED:
    case CALLBACK_TIMED_OUT:
    case NOTE_HEARTBEAT:
        return evolve_callback(exec, op, record);
    default:
        return evolve_chained(exec, op, record);
    }
}

static bool is_about_op(enum record_kind kind)
{
    return (kind >= CONTEXT_STARTED && kind <= CHAINED_INVOKE_STOPPED) || kind == NOTE_STEP_READY ||
           kind == NOTE_HEARTBEAT || kind == NOTE_CHAINED_RESULT;
}

static void start_attempt(struct exec *exec, const struct record *record)
{
    exec->attempt = record->attempt;
    exec->request_id = record->request_id;
    exec->attempt_ms = record->time_ms;
    exec->is_running = true;
    exec->retry_ms = 0;
    exec->seq = 0;
    exec->delivered_no = exec->change_no; /* a dispatch carries everything */
    exec->reply_no = exec->change_no;
}

static int note_result(struct exec *exec, const struct record *record)
{
    struct bytes kept = record->has_error ? record->error : record->payload;

    exec->has_result = true;
    exec->result_has_payload = record->has_payload;
    exec->result_status = record->op_status;
    if (buf_reserve(&exec->result_copy, kept.len) == NULL) {
        return ERR_NOMEM;
    }
    buf_append(&exec->result_copy, kept.data, kept.len);
    return 0;
}

static int evolve_execution(struct exec *exec, const struct record *record)
{
    switch (record->kind) {
    case EXECUTION_STARTED:
        return start_execution(exec, record);
    case EXECUTION_SUCCEEDED:
        return end_execution(exec, EXEC_SUCCEEDED, record);
    case EXECUTION_FAILED:
        return end_execution(exec, EXEC_FAILED, record);
    case EXECUTION_STOPPED:
        return end_execution(exec, EXEC_STOPPED, record);
    case EXECUTION_TIMED_OUT:
        return end_execution(exec, EXEC_TIMED_OUT, record);
    case INVOCATION_COMPLETED:
        exec->is_running = false;
        exec->is_live = false;
        return 0;
    case NOTE_ATTEMPT_STARTED:
        start_attempt(exec, record);
        return 0;
    case NOTE_FAILURE_COUNTED:
        exec->failures = record->attempt;
        exec->retry_ms = record->due_ms;
        return 0;
    case NOTE_PARENT_NOTIFIED:
        exec->is_parent_notified = true;
        return 0;
    case NOTE_HELD:
        exec->is_held = true;
        return 0;
    case NOTE_REDRIVEN:
        exec->is_held = false;
        exec->failures = 0;
        return 0;
    case NOTE_EXECUTION_RESULT:
        return note_result(exec, record);
    default:
        return ERR_CORRUPT;
    }
}

static int check_order(const struct exec *exec, const struct record *record)
{
    bool is_first = record->kind == EXECUTION_STARTED;

    if (exec_is_closed(exec) && record->kind != NOTE_PARENT_NOTIFIED) {
        return ERR_CORRUPT;
    }
    if (record_is_event(record->kind) ? record->event_id != exec->events + 1
                                      : record->event_id != 0) {
        return ERR_CORRUPT;
    }
    return (is_first == (exec->records == 0)) ? 0 : ERR_CORRUPT;
}

static bool is_parent_there(const struct exec *exec, const struct record *record)
{
    const struct op *parent = exec_find_op(exec, record->parent_id);

    return record->parent_id.len == 0 || (parent != NULL && parent->type == OP_CONTEXT);
}

static int evolve_about_op(struct exec *exec, const struct record *record)
{
    enum op_type starts = record_starts(exec, record);
    struct op *op = exec_find_op(exec, record->op_id);
    int r;

    if (starts != OP_NONE) {
        if (op != NULL || !is_parent_there(exec, record)) {
            return ERR_CORRUPT;
        }
        op = op_create(record);
        if (op == NULL) {
            return ERR_NOMEM;
        }
        r = add_op(exec, op, starts, record);
        if (r != 0) {
            return r;
        }
    } else if (op == NULL) {
        return ERR_CORRUPT;
    }
    if (record->kind != NOTE_HEARTBEAT) { /* which a handler cannot see */
        exec_note_change(exec, op);
    }
    return evolve_op(exec, record, op);
}

int exec_evolve(struct exec *exec, const struct record *record)
{
    int r = check_order(exec, record);

    if (r != 0) {
        return r;
    }
    exec->records++;
    exec->events += record_is_event(record->kind) ? 1 : 0;
    exec->history_bytes += record->payload.len + record->error.len + RECORD_BYTES_SMALL;
    exec->last_ms = record->time_ms;
    return is_about_op(record->kind) ? evolve_about_op(exec, record)
                                     : evolve_execution(exec, record);
}
