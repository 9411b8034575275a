/* Chained invokes: a target is started as an execution of its own, whose id is
 * chosen when the operation is recorded, so starting it again is harmless. Its end
 * is told to the parent, and then noted in the child; until that note is durable
 * the child stays due, and recovery tells the parent again. */
#include "engine/base/crash.h"
#include "engine/driver/lineage.h"
#include "engine/driver/state.h"

#define CHAINED_RETENTION_DAYS 14U

/* Why the target cannot be started, perhaps in `text`; NULL: it can, and `ret_revision` is what
 * is to run. */
static const char *find_target(struct driver *driver, struct bytes target, uint64_t tenant,
                               struct bytes tenant_id, struct function_revision **ret_revision,
                               const char **ret_type, char text[REFERENCE_NOT_FOUND_MAX])
{
    struct reference reference;
    struct function_revision *revision;

    *ret_type = "ResourceNotFoundException";
    if (!reference_parse(driver, target, tenant, &reference)) {
        return "Function not found: its name is malformed.";
    }
    revision = reference_find(driver, &reference);
    if (revision == NULL) {
        reference_not_found(driver, tenant, &reference, text);
        return text;
    }
    *ret_type = "InvalidParameterValueException";
    if (revision->config.is_durable && reference.qualifier.len == 0) {
        return "You cannot invoke a durable function using an unqualified ARN.";
    }
    *ret_revision = revision;
    return tenancy_refusal(&revision->config, tenant_id);
}

/* Looks the target up while the checkpoint is on its way to the core. An alias chooses
 * here: the version is in the ARN that is recorded. */
void child_resolve(struct driver *driver, struct task *task, struct op_update *update)
{
    struct function_revision *revision;
    const char *message;
    const char *type;
    char name[ID_TEXT_LEN + 1];
    char text[REFERENCE_NOT_FOUND_MAX];

    if (update->type != OP_CHAINED_INVOKE || update->action != OP_START) {
        return;
    }
    update->child_id = driver_make_id(driver);
    message = find_target(driver, update->function, TENANT_DEFAULT, update->tenant_id, &revision,
                          &type, text);
    if (message != NULL) {
        update->has_error = true;
        update->error = task_error(task, type, message);
        return;
    }
    id_format(&update->child_id, name);
    update->child_arn = arn_make(&task->arena, arena_function(&task->arena, revision),
                                 bytes_of_text(name), &update->child_id);
}

/* From here on the start stands in the log before any later frame of its parent, so
 * recovery need not look for it. Until then (it waits, or was refused because too much is
 * in memory) the parent stays due and asks again. */
void child_taken_in(struct task *task)
{
    const struct record *started = &task->command.started;
    struct exec *parent;
    struct op *op;

    if (task->command.kind != COMMAND_START || id_is_none(&started->parent_exec)) {
        return;
    }
    parent = core_find(task->driver->core, &started->parent_exec);
    if (parent == NULL || parent->state != EXEC_HOT || parent->is_missing) {
        return;
    }
    op = exec_find_op(parent, started->parent_op);
    if (op != NULL) {
        core_chain_sent(parent, op);
    }
}

/* The child was there already, after a crash, and has ended. */
static void on_started(struct task *task)
{
    if (task->refusal == REFUSAL_NONE && !task->is_new && exec_is_closed(task->exec)) {
        task_submit(task_create(task->driver, COMMAND_TICK, &task->exec->id, NULL, NULL));
    }
}

static void fail_chain(struct driver *driver, const struct exec *parent, const struct op *op,
                       const char *type, const char *message)
{
    struct task *task = task_create(driver, COMMAND_CHAINED_ENDED, &parent->id, NULL, NULL);

    task->command.op_id = task_copy(task, op->id);
    task->command.op_status = OP_FAILED;
    task->command.has_error = true;
    task->command.error = task_error(task, type, message);
    task_submit(task);
}

/* What was recorded of the operation's start: in the frame at hand, and when it is asked
 * for again in the views only. */
struct finding {
    struct task *task; /* where copies live */
    struct bytes op_id;
    bool has_payload;
    struct bytes payload;
    struct bytes arn;
};

static int find_start(void *arg, const struct record *record, uint64_t record_no)
{
    struct finding *finding = arg;

    (void)record_no;
    if (record->kind != CHAINED_INVOKE_STARTED || !bytes_equal(record->op_id, finding->op_id)) {
        return 0;
    }
    finding->has_payload = record->has_payload;
    finding->payload = task_copy(finding->task, record->payload);
    finding->arn = task_copy(finding->task, record->arn);
    return 1;
}

static void read_start(struct finding *finding, const struct exec *parent, bool is_again)
{
    struct task *task = finding->task;

    if (is_again) {
        (void)view_walk(task->driver, &parent->id, find_start, finding);
        return;
    }
    for (uint32_t i = 0; i < task->record_count && finding->arn.len == 0; i++) {
        const struct record *record = &task->records[i];

        if (record->kind == CHAINED_INVOKE_STARTED && bytes_equal(record->op_id, finding->op_id)) {
            finding->arn = record->arn;
        }
    }
}

static void start_child(struct driver *driver, struct exec *parent, struct op *op,
                        struct function_revision *revision, bool has_payload, struct bytes payload,
                        bool is_again)
{
    struct task *task = task_create(driver, COMMAND_START, &op->child_id, on_started, NULL);
    enum exec_kind kind = revision->config.is_durable ? EXEC_DURABLE : EXEC_EVENT;
    struct journal_head head;
    char name[ID_TEXT_LEN + 1];

    id_format(&op->child_id, name);
    start_fill(task, revision, bytes_of_text(name), payload, has_payload, kind);
    if (is_again) {
        task->command.is_known = journal_get_head(driver->journal, &op->child_id, NULL, &head) == 0;
    }
    task->command.started.tenant_id = task_copy(task, op->tenant_id);
    task->command.started.trace_id =
        trace_of_run(&task->arena, parent->trace_id, &parent->id, &parent->function_id);
    task->command.started.parent_exec = parent->id;
    task->command.started.parent_op = task_copy(task, op->id);
    task->command.started.retries_max = 0;
    task->command.started.retention_days = CHAINED_RETENTION_DAYS;
    CRASH_POINT(child_start);
    task_submit(task);
}

/* Asked for again, all of it is read from the views, which may not be there yet. */
static bool can_read(const struct driver *driver, const struct exec *parent)
{
    return hot_of(parent)->last_lsn <= journal_applied_lsn(driver->journal);
}

/* The function's ARN with the version that was chosen. */
static struct bytes chosen_target(const struct finding *finding, const struct op *op)
{
    const uint8_t *slash =
        (finding->arn.len > 0) ? memchr(finding->arn.data, '/', finding->arn.len) : NULL;

    return (slash != NULL) ? bytes_of(finding->arn.data, (size_t)(slash - finding->arn.data))
                           : op->function;
}

void child_start(struct task *task, const struct action *action)
{
    struct driver *driver = task->driver;
    struct exec *parent = task->exec;
    struct finding finding = {.task = task,
                              .op_id = action->op->id,
                              .has_payload = action->has_payload,
                              .payload = action->payload};
    struct function_revision *revision;
    const char *message;
    const char *type;
    char text[REFERENCE_NOT_FOUND_MAX];
    bool is_again = task->command.kind == COMMAND_TICK;

    if (driver->is_closing || (is_again && !can_read(driver, parent))) {
        return; /* the parent stays due */
    }
    read_start(&finding, parent, is_again);
    message = find_target(driver, chosen_target(&finding, action->op), parent->tenant,
                          action->op->tenant_id, &revision, &type, text);
    if (message == NULL && trace_is_loop(parent, revision->function)) {
        message = LINEAGE_LOOP_MESSAGE;
        type = LINEAGE_LOOP_TYPE;
    }
    if (message != NULL) {
        fail_chain(driver, parent, action->op, type, message);
        return;
    }
    start_child(driver, parent, action->op, revision, finding.has_payload, finding.payload,
                is_again);
}

/* --- the end of a child --------------------------------------------------------------- */

static void on_parent_told(struct task *task)
{
    const struct id *child_id = (const struct id *)task->arg;

    CRASH_POINT(parent_told);
    /* Told, or nobody there to tell: either way it need not be told again. */
    if (task->refusal != REFUSAL_FULL) {
        task_submit(task_create(task->driver, COMMAND_NOTIFIED, child_id, NULL, NULL));
    }
}

static void tell_parent(struct driver *driver, struct exec *child, enum op_status status,
                        bool has_payload, struct bytes payload, bool has_error, struct bytes error)
{
    struct task *task =
        task_create(driver, COMMAND_CHAINED_ENDED, &child->parent_exec, on_parent_told, NULL);

    task->arg =
        (void *)(uintptr_t)task_copy(task, bytes_of(child->id.bytes, sizeof child->id.bytes)).data;
    task->command.op_id = task_copy(task, child->parent_op);
    task->command.op_status = status;
    task->command.has_payload = has_payload;
    task->command.payload = task_copy(task, payload);
    task->command.has_error = has_error;
    task->command.error = task_copy(task, error);
    task_submit(task);
}

static enum op_status status_for_parent(enum exec_status status)
{
    switch (status) {
    case EXEC_SUCCEEDED:
        return OP_SUCCEEDED;
    case EXEC_TIMED_OUT:
        return OP_TIMED_OUT;
    case EXEC_STOPPED:
        return OP_STOPPED;
    default:
        return OP_FAILED;
    }
}

struct ending {
    struct driver *driver;
    struct exec *child;
};

static int find_end(void *arg, const struct record *record, uint64_t record_no)
{
    struct ending *ending = arg;

    (void)record_no;
    if (record->kind < EXECUTION_SUCCEEDED || record->kind > EXECUTION_TIMED_OUT) {
        return 0;
    }
    tell_parent(ending->driver, ending->child, status_for_parent(ending->child->status),
                record->has_payload, record->payload, record->has_error, record->error);
    return 1;
}

void child_ended(struct task *task)
{
    struct exec *child = task->exec;
    struct ending ending = {.driver = task->driver, .child = child};
    const struct record *last;

    if (id_is_none(&child->parent_exec) || child->is_parent_notified) {
        return;
    }
    if (task->record_count == 0) { /* told again after a crash */
        (void)view_walk(task->driver, &child->id, find_end, &ending);
        return;
    }
    last = &task->records[task->record_count - 1];
    tell_parent(task->driver, child, status_for_parent(child->status), last->has_payload,
                last->payload, last->has_error, last->error);
}
