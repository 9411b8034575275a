/* Invokes: ordinary ones go straight to the pool; durable and asynchronous ones
 * start an execution, and are answered when that is durable, or at its end. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/mem.h"
#include "engine/driver/event_settings.h"
#include "engine/driver/function_name.h"
#include "engine/driver/lineage.h"
#include "engine/driver/state.h"

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
        invoke_answer_throttled(request, "ConcurrentInvocationLimitExceeded", task->message);
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
    invoke_note_version(request, arn_version(task->exec->function));
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
    hot->wants_log_tail = hot->wants_log_tail || task->wants_log_tail;
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
        .function = arena_function(&task->arena, revision),
        .has_payload = has_payload,
        .payload = task_copy(task, payload),
        .exec_kind = kind,
        .revision = revision->number,
        .timeout_s = (kind == EXEC_DURABLE) ? revision->config.execution_timeout_s : 0,
        .retention_days =
            (kind == EXEC_DURABLE) ? revision->config.retention_days : EVENT_RETENTION_DAYS,
        .retries_max = EVENT_RETRIES_MAX,
        .event_age_s = EVENT_AGE_MAX_S,
    };
    seal_digest(payload, started->digest);
}

void start_settle_event(struct task *task, const struct function *function, struct bytes qualifier)
{
    struct record *started = &task->command.started;
    struct event_settings settings;

    if (!event_settings_find(function, qualifier, &task->arena, &settings)) {
        return;
    }
    started->retries_max = settings.retries_max;
    started->event_age_s = settings.age_s;
    started->on_success = settings.on_success;
    started->on_failure = settings.on_failure;
    if (settings.on_success.len > 0 || settings.on_failure.len > 0) {
        started->request_id = driver_make_id(task->driver);
    }
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
    struct id id = id_is_none(&request->request_id) ? driver_make_id(driver) : request->request_id;
    struct task *task = task_create(driver, COMMAND_START, &id, on_event_started, (void *)request);
    struct bytes name = name_of(request);
    char id_text[ID_TEXT_LEN + 1];

    id_format(&id, id_text);
    start_fill(task, revision, (name.len > 0) ? name : bytes_of_text(id_text), request->payload,
               request->payload.len > 0, revision->config.is_durable ? EXEC_DURABLE : EXEC_EVENT);
    task->command.started.tenant_id = task_copy(task, request->tenant_id);
    task->command.started.trace_id = task_copy(task, request->trace_id);
    if (request->type == INVOKE_EVENT) {
        start_settle_event(task, revision->function, request->asked_qualifier);
    }
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
    task->wants_log_tail = request->wants_log_tail;
    task->done = on_sync_started;
    task->arg = waiter;
    return true;
}

/* Who waits for the answer is told at once, before anything is started; who comes back to an
 * execution that was started before is not held up. */
static bool is_throttled(struct driver *driver, struct task *task, struct invoke_request *request,
                         const struct function_revision *revision)
{
    const struct command *command = &task->command;
    const char *reason = (request->type == INVOKE_REQUEST_RESPONSE)
                             ? pool_limit_reason(driver->pool, revision)
                             : NULL;

    if (reason == NULL || command->is_known ||
        core_find_name(driver->core, &command->function_id, command->started.name) != NULL) {
        return false;
    }
    task_drop(task);
    invoke_answer_throttled(request, reason, "Rate Exceeded.");
    return true;
}

static void start_execution(struct driver *driver, struct invoke_request *request,
                            struct function_revision *revision)
{
    struct task *task = make_start(driver, request, revision);

    if (has_happened(driver, task)) {
        task_drop(task);
        request->cb(request);
        return;
    }
    if (is_throttled(driver, task, request, revision)) {
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
        invoke_answer_throttled(request, "CallerRateLimitExceeded", "Rate exceeded: try again.");
    } else {
        return false;
    }
    return true;
}

/* The revision that is to run; NULL: answered. */
static struct function_revision *find_revision(struct driver *driver,
                                               struct invoke_request *request)
{
    struct function_revision *revision;
    struct reference reference;
    char message[REFERENCE_NOT_FOUND_MAX];

    if (!reference_parse(driver, request->function, request->principal->tenant, &reference) ||
        request->qualifier.len > FUNCTION_QUALIFIER_MAX) {
        invoke_answer_error(request, 400, "InvalidParameterValueException",
                            "The function name or its qualifier is malformed.");
        return NULL;
    }
    if (reference.qualifier.len > 0 && request->qualifier.len > 0 &&
        !bytes_equal(reference.qualifier, request->qualifier)) {
        invoke_answer_error(request, 400, "InvalidParameterValueException",
                            "The derived qualifier from the function name does not match the "
                            "specified qualifier.");
        return NULL;
    }
    if (request->qualifier.len > 0) {
        reference.qualifier = request->qualifier;
    }
    request->asked_qualifier = reference.qualifier;
    revision = reference_find(driver, &reference);
    if (revision == NULL) {
        reference_not_found(driver, request->principal->tenant, &reference, message);
        invoke_answer_error(request, 404, "ResourceNotFoundException", message);
    } else {
        invoke_note_version(request, bytes_of_text(revision->qualifier));
    }
    return revision;
}

/* What needs no environment, or may not have one. False: answered. */
static bool check_invoke(struct invoke_request *request, const struct function_revision *revision)
{
    const char *message = check_request(request, &revision->config, request->asked_qualifier);

    if (message != NULL) {
        invoke_answer_error(request, 400, "InvalidParameterValueException", message);
        return false;
    }
    if (request->type == INVOKE_EVENT && request->payload.len > ASYNC_PAYLOAD_BYTES_MAX) {
        invoke_answer_error(request, 413, "RequestTooLargeException",
                            "The payload of an asynchronous invoke has at most 1048576 bytes.");
        return false;
    }
    if (request->type == INVOKE_DRY_RUN) {
        request->cb(request);
        return false;
    }
    if (lineage_is_loop(revision->function, request->trace_id)) {
        invoke_answer_error(request, 400, LINEAGE_LOOP_TYPE, LINEAGE_LOOP_MESSAGE);
        return false;
    }
    return true;
}

void driver_invoke(struct driver *driver, struct invoke_request *request)
{
    struct function_revision *revision;
    bool is_journaled;

    request->state = NULL;
    revision = find_revision(driver, request);
    if (revision == NULL || !check_invoke(request, revision)) {
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

void driver_invoke_resume(struct driver *driver, struct invoke_request *request)
{
    (void)driver;
    if (request->state != NULL && request->state_kind == INVOKE_STATE_RUN) {
        plain_resume(request->state);
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
