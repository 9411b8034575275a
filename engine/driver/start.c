/* Invokes: ordinary ones go straight to the pool; durable and asynchronous ones
 * start an execution, and are answered when that is durable, or at its end. */
#include "engine/base/mem.h"
#include "engine/driver/state.h"

#define EVENT_RETRIES_MAX 2U /* Lambda's default event invoke config */
#define EVENT_AGE_S 21600U   /* 6 hours */
#define EVENT_RETENTION_DAYS 14U
#define ASYNC_PAYLOAD_BYTES_MAX (1024U * 1024U)

/* --- starting ------------------------------------------------------------------------------- */

static void on_start_refused(struct task *task, struct invoke_request *request)
{
    if (task->refusal == REFUSAL_CONFLICT && request->execution_name.len == 0) {
        invoke_answer_error(
            request, 409, "ResourceConflictException",
            "This amz-sdk-invocation-id was used with another payload: each request "
            "needs one of its own.");
    } else if (task->refusal == REFUSAL_CONFLICT) {
        invoke_answer_error(
            request, 409, "DurableExecutionAlreadyStartedException",
            "An execution of this name exists with another payload: choose another name, "
            "or send the same payload.");
    } else if (task->refusal == REFUSAL_DAMAGED) {
        invoke_answer_error(request, 500, "ServiceException", task->message);
    } else {
        invoke_answer_error(request, 429, "TooManyRequestsException", task->message);
    }
}

static void on_event_started(struct task *task)
{
    struct invoke_request *request = task->arg;

    if (request == NULL) {
        return;
    }
    request->state = NULL;
    if (task->refusal != REFUSAL_NONE) {
        on_start_refused(task, request);
        return;
    }
    if (task->exec->kind == EXEC_DURABLE) {
        request->execution_arn = arn_of(&task->arena, task->exec);
    }
    request->executed_version = "$LATEST";
    request->cb(request);
}

static void on_sync_started(struct task *task)
{
    struct waiter *waiter = task->arg;
    struct hot *hot;

    if (task->refusal != REFUSAL_NONE) {
        if (waiter->request != NULL) {
            waiter->request->state = NULL;
            on_start_refused(task, waiter->request);
        }
        mem_free(waiter);
        return;
    }
    hot = hot_of(task->exec);
    if (exec_is_closed(task->exec)) {
        waiter_answer_stored(task, waiter);
        return;
    }
    waiter->hot = hot;
    list_push_back(&hot->waiters, &waiter->link);
}

void start_fill(struct task *task, struct function_revision *revision, struct bytes name,
                struct bytes payload, bool has_payload, enum exec_kind kind)
{
    const struct function *function = revision->function;
    struct record *started = &task->command.started;

    task->revision = revision;
    function_revision_ref(revision);
    task->command.tenant = function->tenant;
    task->command.function_id = function->id;
    *started = (struct record){
        .kind = EXECUTION_STARTED,
        .name = task_copy(task, name),
        .function = arena_function(&task->arena, function),
        .has_payload = has_payload,
        .payload = task_copy(task, payload),
        .exec_kind = kind,
        .revision = revision->number,
        .timeout_s = (kind == EXEC_DURABLE) ? revision->config.execution_timeout_s : 0,
        .retention_days =
            (kind == EXEC_DURABLE) ? revision->config.retention_days : EVENT_RETENTION_DAYS,
        .retries_max = EVENT_RETRIES_MAX,
        .event_age_s = EVENT_AGE_S,
    };
    seal_digest(payload, started->digest);
}

/* An execution without a name of its own is called by its id. */
static bool find_by_id(struct driver *driver, const struct command *command, struct id *ret_id)
{
    struct bytes name = command->started.name;
    struct journal_head head;

    return id_parse((const char *)name.data, name.len, ret_id) &&
           journal_get_head(driver->journal, ret_id, NULL, &head) == 0 &&
           id_is_none(&head.name_hash) && id_equal(&head.function_id, &command->function_id);
}

/* A name that was used before leads to its execution, hot or not. */
static void find_known(struct driver *driver, struct task *task)
{
    struct command *command = &task->command;
    struct id name_hash;
    struct id known;

    if (core_find_name(driver->core, &command->function_id, command->started.name) != NULL) {
        return;
    }
    seal_hash(driver->keys, command->started.name, &name_hash);
    if (journal_find_name(driver->journal, command->tenant, &command->function_id, &name_hash,
                          &known) == 0 ||
        find_by_id(driver, command, &known)) {
        command->exec_id = known;
        command->is_known = true;
    }
}

/* Sent again by a client that did not see our answer, after the event has succeeded. */
static bool has_happened(struct driver *driver, const struct task *task)
{
    struct journal_head head;

    return task->command.is_known &&
           journal_get_head(driver->journal, &task->command.exec_id, NULL, &head) == 0 &&
           head.is_brief;
}

/* Of an event that is not durable the client's own id is the name, so that a request that
 * it sends again is one event. */
static struct bytes name_of(const struct invoke_request *request)
{
    return (request->execution_name.len > 0) ? request->execution_name : request->client_token;
}

/* What is asked for, as a command that is not submitted yet. */
static struct task *make_start(struct driver *driver, struct invoke_request *request,
                               struct function_revision *revision)
{
    struct id id = driver_make_id(driver);
    struct task *task = task_create(driver, COMMAND_START, &id, on_event_started, (void *)request);
    struct bytes name = name_of(request);
    char id_text[ID_TEXT_LEN + 1];

    id_format(&id, id_text);
    start_fill(task, revision, (name.len > 0) ? name : bytes_of_text(id_text), request->payload,
               true, revision->config.is_durable ? EXEC_DURABLE : EXEC_EVENT);
    task->command.started.tenant_id = task_copy(task, request->tenant_id);
    if (name.len > 0) {
        find_known(driver, task);
    }
    return task;
}

/* The caller waits for the end. False: no memory, and answered. */
static bool add_waiter(struct task *task, struct invoke_request *request)
{
    struct waiter *waiter = mem_calloc(1, sizeof *waiter);

    if (waiter == NULL) {
        invoke_answer_error(request, 500, "ServiceException", "The daemon is out of memory.");
        return false;
    }
    list_init(&waiter->link);
    waiter->driver = task->driver;
    waiter->request = request;
    request->state = waiter;
    request->state_kind = INVOKE_STATE_WAITER;
    task->done = on_sync_started;
    task->arg = waiter;
    return true;
}

static void start_execution(struct driver *driver, struct invoke_request *request,
                            struct function_revision *revision)
{
    struct task *task = make_start(driver, request, revision);

    if (has_happened(driver, task)) {
        task_drop(task);
        request->executed_version = "$LATEST";
        request->cb(request);
        return;
    }
    if (request->type != INVOKE_REQUEST_RESPONSE) {
        request->state = task;
        request->state_kind = INVOKE_STATE_TASK;
    } else if (!add_waiter(task, request)) {
        task_drop(task);
        return;
    }
    driver->started++;
    task_submit(task);
}

/* --- the door -------------------------------------------------------------------------------- */

const char *tenancy_refusal(const struct function_config *config, struct bytes tenant_id)
{
    if (config->is_per_tenant && tenant_id.len == 0) {
        return "The invoked function is enabled with tenancy configuration. Add a valid tenant ID "
               "in your request and try again.";
    }
    if (!config->is_per_tenant && tenant_id.len > 0) {
        return "The invoked function is not enabled with tenancy configuration. Remove the tenant "
               "ID from your request and try again.";
    }
    return NULL;
}

static const char *check_request(const struct invoke_request *request,
                                 const struct function_config *config, struct bytes qualifier)
{
    if (config->is_durable && qualifier.len == 0) {
        return "You cannot invoke a durable function using an unqualified ARN.";
    }
    if (!config->is_durable && request->execution_name.len > 0) {
        return "DurableExecutionName is only for durable functions.";
    }
    for (size_t i = 0; i < request->execution_name.len; i++) {
        uint8_t c = request->execution_name.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!is_letter && !(c >= '0' && c <= '9') && c != '-' && c != '_') {
            return "DurableExecutionName may have letters, digits, - and _.";
        }
    }
    if (request->execution_name.len > 64) {
        return "DurableExecutionName has at most 64 characters.";
    }
    return tenancy_refusal(config, request->tenant_id);
}

/* What is not journaled needs no space in the journal. */
static bool is_overloaded(struct driver *driver, struct invoke_request *request, bool is_journaled)
{
    if (driver->is_closing) {
        invoke_answer_error(request, 503, "ServiceException",
                            "The daemon is shutting down: try again.");
    } else if (is_journaled && journal_is_full(driver->journal)) {
        invoke_answer_error(request, 503, "ServiceException",
                            "The journal is full: free disk space or raise [journal] sizes.");
    } else if (is_journaled && journal_is_lagging(driver->journal)) {
        invoke_answer_error(request, 429, "TooManyRequestsException", "Rate exceeded: try again.");
    } else {
        return false;
    }
    return true;
}

static bool find_function(struct driver *driver, struct invoke_request *request,
                          struct function **ret_function, struct bytes *ret_qualifier)
{
    struct reference reference;

    if (!reference_parse(request->function, request->principal->tenant, &reference)) {
        invoke_answer_error(request, 400, "InvalidParameterValueException",
                            "The function name is malformed.");
        return false;
    }
    if (reference.qualifier.len > 0 && request->qualifier.len > 0 &&
        !bytes_equal(reference.qualifier, request->qualifier)) {
        invoke_answer_error(request, 400, "InvalidParameterValueException",
                            "The qualifier in the name and the Qualifier parameter differ.");
        return false;
    }
    *ret_qualifier = (request->qualifier.len > 0) ? request->qualifier : reference.qualifier;
    *ret_function = reference.is_foreign ? NULL : function_find(driver->functions, reference.name);
    if (*ret_function == NULL ||
        (ret_qualifier->len > 0 && !bytes_equal(*ret_qualifier, bytes_of_text("$LATEST")))) {
        invoke_answer_error(request, 404, "ResourceNotFoundException", "Function not found.");
        return false;
    }
    return true;
}

void driver_invoke(struct driver *driver, struct invoke_request *request)
{
    struct function *function;
    struct function_revision *revision;
    struct bytes qualifier;
    const char *message;
    bool is_journaled;

    request->state = NULL;
    if (!find_function(driver, request, &function, &qualifier)) {
        return;
    }
    revision = function->latest;
    message = check_request(request, &revision->config, qualifier);
    if (message != NULL) {
        invoke_answer_error(request, 400, "InvalidParameterValueException", message);
        return;
    }
    if (request->type == INVOKE_EVENT && request->payload.len > ASYNC_PAYLOAD_BYTES_MAX) {
        invoke_answer_error(request, 413, "RequestTooLargeException",
                            "The payload of an asynchronous invoke has at most 1048576 bytes.");
        return;
    }
    if (request->type == INVOKE_DRY_RUN) {
        request->executed_version = "$LATEST";
        request->cb(request);
        return;
    }
    is_journaled = revision->config.is_durable || request->type == INVOKE_EVENT;
    if (is_overloaded(driver, request, is_journaled)) {
        return;
    }
    if (is_journaled) {
        start_execution(driver, request, revision);
    } else {
        plain_invoke(driver, revision, request);
    }
}

/* `state` is a waiter, a task or a run: by what was asked for. */
void driver_invoke_abandon(struct driver *driver, struct invoke_request *request)
{
    (void)driver;
    if (request->state == NULL) {
        return;
    }
    switch (request->state_kind) {
    case INVOKE_STATE_WAITER:
        waiter_abandon(request->state);
        break;
    case INVOKE_STATE_TASK:
        ((struct task *)request->state)->arg = NULL;
        break;
    default:
        plain_abandon(request->state);
        break;
    }
    request->state = NULL;
}
