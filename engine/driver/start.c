/* Invokes: ordinary ones go straight to the pool; durable and asynchronous ones
 * start an execution, and are answered when that is durable, or at its end. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/err.h"
#include "engine/base/json.h"
#include "engine/base/mem.h"
#include "engine/driver/state.h"

#define EVENT_RETRIES_MAX 2U /* Lambda's default event invoke config */
#define EVENT_AGE_S 21600U   /* 6 hours */
#define EVENT_RETENTION_DAYS 14U
#define ASYNC_PAYLOAD_BYTES_MAX (1024U * 1024U)

static const struct invocation_events plain_events;

/* --- names -------------------------------------------------------------------------- */

static bool take_prefix(struct bytes *text, const char *prefix)
{
    size_t len = strlen(prefix);

    if (text->len < len || memcmp(text->data, prefix, len) != 0) {
        return false;
    }
    *text = bytes_of(text->data + len, text->len - len);
    return true;
}

static struct bytes take_part(struct bytes *text)
{
    const uint8_t *colon = (text->len > 0) ? memchr(text->data, ':', text->len) : NULL;
    struct bytes part = *text;

    if (colon == NULL) {
        *text = (struct bytes){0};
        return part;
    }
    part.len = (size_t)(colon - text->data);
    *text = bytes_of(colon + 1, text->len - part.len - 1);
    return part;
}

static bool is_account(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    return text.len == 12;
}

static bool is_tenant(struct bytes account, uint64_t tenant)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%012llu", (unsigned long long)tenant);
    return bytes_equal(account, bytes_of_text(text));
}

/* name · name:q · account:function:name[:q] · arn:aws:lambda:region:account:function:name[:q] */
bool reference_parse(struct bytes text, uint64_t tenant, struct reference *ret_reference)
{
    struct reference reference = {0};
    struct bytes part;

    if (take_prefix(&text, "arn:aws:lambda:")) {
        (void)take_part(&text); /* region: there is one */
    }
    part = take_part(&text);
    if (is_account(part) && take_prefix(&text, "function:")) {
        reference.is_foreign = !is_tenant(part, tenant);
        part = take_part(&text);
    }
    reference.name = part;
    reference.qualifier = text;
    *ret_reference = reference;
    return part.len > 0 && part.len <= 140;
}

struct bytes arn_make(struct arena *arena, struct bytes function, struct bytes name,
                      const struct id *id)
{
    size_t len = function.len + name.len + ID_TEXT_LEN + 24;
    char *arn = arena_alloc(arena, len);
    char text[ID_TEXT_LEN + 1];

    if (arn == NULL) {
        return (struct bytes){0};
    }
    id_format(id, text);
    (void)snprintf(arn, len, "%.*s/durable-execution/%.*s/%s", (int)function.len,
                   (const char *)function.data, (int)name.len, (const char *)name.data, text);
    return bytes_of_text(arn);
}

struct bytes arn_of(struct arena *arena, const struct exec *exec)
{
    return arn_make(arena, exec->function, exec->name, &exec->id);
}

struct bytes arena_function(struct arena *arena, const struct function *function)
{
    size_t len = strlen(function->arn) + sizeof ":$LATEST";
    char *arn = arena_alloc(arena, len);

    if (arn == NULL) {
        return (struct bytes){0};
    }
    (void)snprintf(arn, len, "%s:$LATEST", function->arn);
    return bytes_of_text(arn);
}

/* --- answers --------------------------------------------------------------------------- */

static void answer_error(struct invoke_request *request, int status, const char *name,
                         const char *message)
{
    request->error = (struct driver_error){status, name, message};
    request->cb(request);
}

static void put_member(struct buf *json, const char *key, struct bytes text)
{
    json_key(json, key);
    json_quoted(json, text);
}

/* {"errorType","errorMessage","stackTrace"?,"errorData"?} of an error object. */
static void put_error(struct buf *json, struct bytes encoded)
{
    struct error_object error = {0};
    struct arena arena;

    arena_init(&arena, 0);
    (void)wire_get_error(&arena, encoded, &error);
    json_open(json, '{');
    put_member(json, "errorType", error.type);
    put_member(json, "errorMessage", error.message);
    if (error.stack_count > 0) {
        json_key(json, "stackTrace");
        json_open(json, '[');
        for (size_t i = 0; i < error.stack_count; i++) {
            json_element(json);
            json_quoted(json, error.stack[i]);
        }
        json_close(json, ']');
    }
    json_close(json, '}');
    arena_fini(&arena);
}

static void answer_result(struct invoke_request *request, bool has_payload, struct bytes payload,
                          bool is_error, struct bytes error)
{
    struct buf json = {0};

    request->executed_version = "$LATEST";
    request->has_payload = has_payload;
    request->result = payload;
    if (is_error) {
        put_error(&json, error);
        request->function_error = "Unhandled";
        request->has_payload = true;
        request->result = buf_bytes(&json);
    }
    request->cb(request);
    buf_fini(&json);
}

/* --- waiting for the end of a durable execution ------------------------------------------- */

static void waiter_finish(struct waiter *waiter, const struct exec *exec, bool has_payload,
                          struct bytes payload, struct bytes error)
{
    struct invoke_request *request = waiter->request;
    struct arena arena;

    if (request != NULL) {
        arena_init(&arena, 0);
        request->execution_arn = arn_of(&arena, exec);
        request->state = NULL;
        answer_result(request, has_payload, payload, exec->status != EXEC_SUCCEEDED, error);
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
            answer_error(stored->waiter->request, 500, "ServiceException",
                         "The outcome of the execution cannot be read.");
        }
        list_remove(&stored->waiter->link);
        mem_free(stored->waiter);
    }
    mem_free(stored);
}

static void answer_stored(struct task *task, struct waiter *waiter)
{
    struct stored *stored = mem_calloc(1, sizeof *stored);
    struct hot *hot = hot_of(task->exec);

    if (stored == NULL) {
        answer_error(waiter->request, 500, "ServiceException", "The daemon is out of memory.");
        mem_free(waiter);
        return;
    }
    stored->driver = task->driver;
    stored->waiter = waiter;
    stored->exec_id = task->exec->id;
    list_push_back(&hot->waiters, &waiter->link); /* keeps it hot */
    journal_wait_applied(task->driver->journal, &stored->wait, hot->last_lsn, on_stored);
}

/* --- starting ------------------------------------------------------------------------------- */

static void on_start_refused(struct task *task, struct invoke_request *request)
{
    if (task->refusal == REFUSAL_CONFLICT && request->execution_name.len == 0) {
        answer_error(request, 409, "ResourceConflictException",
                     "This amz-sdk-invocation-id was used with another payload: each request "
                     "needs one of its own.");
    } else if (task->refusal == REFUSAL_CONFLICT) {
        answer_error(request, 409, "DurableExecutionAlreadyStartedException",
                     "An execution of this name exists with another payload: choose another name, "
                     "or send the same payload.");
    } else if (task->refusal == REFUSAL_DAMAGED) {
        answer_error(request, 500, "ServiceException", task->message);
    } else {
        answer_error(request, 429, "TooManyRequestsException", task->message);
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
        answer_stored(task, waiter);
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
    struct arena arena;
    bool is_found;

    if (!id_parse((const char *)name.data, name.len, ret_id)) {
        return false;
    }
    arena_init(&arena, 0);
    is_found = journal_get_head(driver->journal, ret_id, &arena, &head) == 0 &&
               id_is_none(&head.name_hash) && id_equal(&head.function_id, &command->function_id);
    arena_fini(&arena);
    return is_found;
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
    struct arena arena;
    bool has;

    if (!task->command.is_known) {
        return false;
    }
    arena_init(&arena, 0);
    has = journal_get_head(driver->journal, &task->command.exec_id, &arena, &head) == 0 &&
          head.is_brief;
    arena_fini(&arena);
    return has;
}

/* Of an event that is not durable the client's own id is the name, so that a request that
 * it sends again is one event. */
static struct bytes name_of(const struct invoke_request *request)
{
    return (request->execution_name.len > 0) ? request->execution_name : request->client_token;
}

static void start_execution(struct driver *driver, struct invoke_request *request,
                            struct function_revision *revision)
{
    struct id id = driver_make_id(driver);
    bool is_sync = request->type == INVOKE_REQUEST_RESPONSE;
    struct waiter *waiter = is_sync ? mem_calloc(1, sizeof *waiter) : NULL;
    struct task *task =
        task_create(driver, COMMAND_START, &id, is_sync ? on_sync_started : on_event_started,
                    is_sync ? (void *)waiter : (void *)request);
    struct bytes name = name_of(request);
    char id_text[ID_TEXT_LEN + 1];

    id_format(&id, id_text);
    if (name.len == 0) {
        name = bytes_of_text(id_text);
    }
    start_fill(task, revision, name, request->payload, true,
               revision->config.is_durable ? EXEC_DURABLE : EXEC_EVENT);
    task->command.started.tenant_id = task_copy(task, request->tenant_id);
    if (name_of(request).len > 0) {
        find_known(driver, task);
    }
    if (is_sync) {
        list_init(&waiter->link);
        waiter->driver = driver;
        waiter->request = request;
        request->state = waiter;
        request->state_kind = INVOKE_STATE_WAITER;
    } else {
        request->state = task;
        request->state_kind = INVOKE_STATE_TASK;
    }
    if (has_happened(driver, task)) {
        task_drop(task);
        request->state = NULL;
        request->executed_version = "$LATEST";
        request->cb(request);
        return;
    }
    driver->started++;
    task_submit(task);
}

/* --- ordinary synchronous invokes ------------------------------------------------------------ */

void run_invoke_plain(struct driver *driver, struct function_revision *revision,
                      struct invoke_request *request)
{
    struct run *run = run_create(driver);

    if (run == NULL) {
        answer_error(request, 500, "ServiceException", "The daemon is out of memory.");
        return;
    }
    function_revision_ref(revision);
    run->request = request;
    request->state = run;
    request->state_kind = INVOKE_STATE_RUN;
    run->invocation.revision = revision;
    run->invocation.events = &plain_events;
    run->invocation.request_id = driver_make_id(driver);
    run->invocation.tenant_id = request->tenant_id;
    run->invocation.wants_log_tail = request->wants_log_tail;
    pool_invoke(driver->pool, &run->invocation);
}

static void on_plain_placed(struct invocation *invocation, uint64_t environment)
{
    struct run *run = container_of(invocation, struct run, invocation);
    const struct invoke_request *request = run->request;
    struct arena arena;
    struct wire_invoke invoke;
    char request_id[ID_TEXT_LEN + 1];

    run->environment = environment;
    if (request == NULL) {
        return; /* canceled a moment ago */
    }
    id_format(&invocation->request_id, request_id);
    arena_init(&arena, 0);
    invoke = (struct wire_invoke){
        .request_id = bytes_of_text(request_id),
        .function_arn = bytes_of_text(invocation->revision->function->arn),
        .deadline_ms = driver_now_ms() + (int64_t)invocation->revision->config.timeout_s * 1000,
        .has_payload = true,
        .payload = request->payload,
        .tenant_id = request->tenant_id,
        .trace_id = request->trace_id,
        .client_context = request->client_context,
    };
    run->answer.len = 0;
    wire_put_invoke(&run->answer, &arena, &invoke);
    run->is_sent = true;
    invocation_send(run->driver->pool, invocation, WIRE_INVOKE, buf_bytes(&run->answer));
    arena_fini(&arena);
}

static void on_plain_message(struct invocation *invocation, enum wire_type type, struct bytes body)
{
    /* libpawl does not send these for an ordinary function; nobody waits for them. */
    (void)invocation;
    (void)type;
    (void)body;
}

static void answer_plain(struct run *run, const struct invocation_end *end)
{
    struct invoke_request *request = run->request;
    uint8_t encoded[ERROR_TEXT_MAX];

    request->log_tail = invocation_log_tail(&run->invocation);
    if (!end->is_complete && strcmp(end->error_type, "TooManyRequestsException") == 0) {
        answer_error(request, 429, end->error_type, end->error_message);
    } else if (!end->is_complete) {
        answer_result(request, false, (struct bytes){0}, true,
                      error_encode(encoded, end->error_type, end->error_message));
    } else {
        answer_result(request, end->complete.has_payload, end->complete.payload,
                      end->complete.outcome != OUTCOME_SUCCEEDED, end->complete.error);
    }
}

static void on_plain_ended(struct invocation *invocation, const struct invocation_end *end)
{
    struct run *run = container_of(invocation, struct run, invocation);

    if (run->request != NULL) {
        run->request->state = NULL;
        run->driver->answered++;
        answer_plain(run, end);
    }
    run_free(run);
}

static const struct invocation_events plain_events = {
    .on_placed = on_plain_placed,
    .on_message = on_plain_message,
    .on_ended = on_plain_ended,
};

/* --- the door -------------------------------------------------------------------------------- */

static const char *check_tenancy(const struct function_config *config, struct bytes tenant_id)
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
    return check_tenancy(config, request->tenant_id);
}

/* What is not journaled needs no space in the journal. */
static bool is_overloaded(struct driver *driver, struct invoke_request *request, bool is_journaled)
{
    if (driver->is_closing) {
        answer_error(request, 503, "ServiceException", "The daemon is shutting down: try again.");
    } else if (is_journaled && journal_is_full(driver->journal)) {
        answer_error(request, 503, "ServiceException",
                     "The journal is full: free disk space or raise [journal] sizes.");
    } else if (is_journaled && journal_is_lagging(driver->journal)) {
        answer_error(request, 429, "TooManyRequestsException", "Rate exceeded: try again.");
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
        answer_error(request, 400, "InvalidParameterValueException",
                     "The function name is malformed.");
        return false;
    }
    if (reference.qualifier.len > 0 && request->qualifier.len > 0 &&
        !bytes_equal(reference.qualifier, request->qualifier)) {
        answer_error(request, 400, "InvalidParameterValueException",
                     "The qualifier in the name and the Qualifier parameter differ.");
        return false;
    }
    *ret_qualifier = (request->qualifier.len > 0) ? request->qualifier : reference.qualifier;
    *ret_function = reference.is_foreign ? NULL : function_find(driver->functions, reference.name);
    if (*ret_function == NULL ||
        (ret_qualifier->len > 0 && !bytes_equal(*ret_qualifier, bytes_of_text("$LATEST")))) {
        answer_error(request, 404, "ResourceNotFoundException", "Function not found.");
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
        answer_error(request, 400, "InvalidParameterValueException", message);
        return;
    }
    if (request->type == INVOKE_EVENT && request->payload.len > ASYNC_PAYLOAD_BYTES_MAX) {
        answer_error(request, 413, "RequestTooLargeException",
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
        run_invoke_plain(driver, revision, request);
    }
}

static void abandon_plain(struct run *run)
{
    run->request = NULL;
    run->invocation.tenant_id = (struct bytes){0};
    if (!run->is_sent) {
        invocation_cancel(run->driver->pool, &run->invocation, "the caller is gone");
    }
}

/* The execution goes on, and need not stay in memory for this one. */
static void abandon_waiter(struct waiter *waiter)
{
    struct hot *hot = waiter->hot;

    waiter->request = NULL;
    if (hot != NULL) {
        list_remove(&waiter->link);
        mem_free(waiter);
        hot_settle(hot);
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
        abandon_waiter(request->state);
        break;
    case INVOKE_STATE_TASK:
        ((struct task *)request->state)->arg = NULL;
        break;
    default:
        abandon_plain(request->state);
        break;
    }
    request->state = NULL;
}
