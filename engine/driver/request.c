/* Requests about one execution: from an ARN or a callback id to a command, and its
 * answer. All of them are answered after what they did, or saw, is durable. */
#include <assert.h>
#include <stdio.h>

#include "engine/base/err.h"
#include "engine/base/json.h"
#include "engine/base/mem.h"
#include "engine/driver/request.h"
#include "engine/driver/state.h"

static void pending_free(struct pending *pending)
{
    list_remove(&pending->link);
    arena_fini(&pending->arena);
    mem_free(pending);
}

/* The request is its owner's again from the first line of `cb`, which may free it. */
static void hand_back(struct execution_request *request)
{
    struct buf json = request->json;

    request->cb(request);
    buf_fini(&json);
}

void request_answer(struct execution_request *request)
{
    struct pending *pending = request->state;

    if (pending != NULL) {
        pending_free(pending);
        request->state = NULL;
    }
    hand_back(request);
}

void request_fail(struct execution_request *request, int status, const char *name,
                  const char *message)
{
    request->failure =
        (struct driver_error){.http_status = status, .name = name, .message = message};
    request_answer(request);
}

struct pending *request_open(struct driver *driver, struct execution_request *request)
{
    struct pending *pending = mem_calloc(1, sizeof *pending);

    request->failure = (struct driver_error){0};
    request->json = (struct buf){0};
    request->kept = (struct bytes){0};
    request->state = NULL;
    if (pending == NULL) {
        request_fail(request, 500, "ServiceException", "The daemon is out of memory.");
        return NULL;
    }
    arena_init(&pending->arena, 0);
    pending->driver = driver;
    pending->request = request;
    request->state = pending;
    list_push_back(&driver->requests, &pending->link);
    return pending;
}

/* The pending is found again by its task; the client may be gone. */
void driver_abandon(struct driver *driver, struct execution_request *request)
{
    struct pending *pending = request->state;

    (void)driver;
    if (pending != NULL) {
        pending->request = NULL;
        request->state = NULL;
    }
}

void requests_answer_all(struct driver *driver)
{
    struct list *item = driver->requests.next;

    while (item != &driver->requests) {
        struct pending *pending = container_of(item, struct pending, link);

        item = item->next;
        if (pending->request != NULL) {
            struct execution_request *request = pending->request;

            pending->request = NULL;
            request->state = NULL;
            request->failure =
                (struct driver_error){.http_status = 503,
                                      .name = "ServiceException",
                                      .message = "The daemon is shutting down: try again."};
            hand_back(request);
        }
    }
}

/* --- ids ------------------------------------------------------------------------------ */

/* …:function:NAME:QUALIFIER/durable-execution/EXECUTION_NAME/UUID. The UUID alone names
 * it; the rest must be what we gave out, which is checked once it is loaded. */
bool request_parse_arn(struct bytes arn, struct id *ret_id)
{
    return arn.len > ID_TEXT_LEN && arn.data[arn.len - ID_TEXT_LEN - 1] == '/' &&
           id_parse((const char *)arn.data + arn.len - ID_TEXT_LEN, ID_TEXT_LEN, ret_id);
}

static bool is_same_arn(const struct exec *exec, struct bytes arn)
{
    struct arena arena;
    bool is_same;

    arena_init(&arena, 0);
    is_same = bytes_equal(arn_of(&arena, exec), arn);
    arena_fini(&arena);
    return is_same;
}

static void fail_not_found(struct execution_request *request)
{
    request_fail(request, 404, "ResourceNotFoundException", "Durable execution not found.");
}

struct execution_request *request_take(struct pending *pending)
{
    struct execution_request *request = pending->request;

    if (request == NULL) {
        pending_free(pending);
    }
    return request;
}

static struct task *open_task(struct driver *driver, struct execution_request *request,
                              enum command_kind kind, task_done done)
{
    struct id exec_id;
    struct pending *pending = request_open(driver, request);

    if (pending == NULL) {
        return NULL;
    }
    if (!request_parse_arn(request->arn, &exec_id)) {
        request_fail(request, 400, "InvalidParameterValueException",
                     "The durable execution ARN is malformed.");
        return NULL;
    }
    return task_create(driver, kind, &exec_id, done, pending);
}

bool request_answer_refusal(struct task *task, struct execution_request *request)
{
    switch (task->refusal) {
    case REFUSAL_NONE:
        break;
    case REFUSAL_NOT_FOUND:
        fail_not_found(request);
        return true;
    case REFUSAL_FULL:
        request_fail(request, 429, "TooManyRequestsException", task->message);
        return true;
    case REFUSAL_DAMAGED:
        request_fail(request, 500, "ServiceException", task->message);
        return true;
    case REFUSAL_CLOSED:
        request_fail(request, 400, "CallbackTimeoutException", task->message);
        return true;
    default:
        request_fail(request, 400, "InvalidParameterValueException", task->message);
        return true;
    }
    if (request->callback_id.len == 0 && request->token.len == 0 &&
        !is_same_arn(task->exec, request->arn)) {
        fail_not_found(request);
        return true;
    }
    return false;
}

/* --- stop, redrive ------------------------------------------------------------------------- */

static void on_stopped(struct task *task)
{
    struct execution_request *request = request_take(task->arg);

    if (request == NULL || request_answer_refusal(task, request)) {
        return;
    }
    request->time_ms = task->exec->end_ms;
    json_open(&request->json, '{');
    json_key(&request->json, "StopTimestamp");
    json_seconds(&request->json, request->time_ms);
    json_close(&request->json, '}');
    request_answer(request);
}

static struct bytes encode_error(struct task *task, const struct error_object *error)
{
    struct buf encoded = {0};
    struct bytes copy;

    wire_put_error(&encoded, error);
    copy = task_copy(task, buf_bytes(&encoded));
    buf_fini(&encoded);
    return copy;
}

void driver_stop(struct driver *driver, struct execution_request *request)
{
    struct error_object error = request->error;
    struct task *task = open_task(driver, request, COMMAND_STOP, on_stopped);

    if (task == NULL) {
        return;
    }
    if (error.type.len == 0 && error.message.len == 0) {
        error.type = bytes_of_text("Execution.Stopped");
        error.message = bytes_of_text("The execution was stopped.");
    }
    task->command.has_error = true;
    task->command.error = encode_error(task, &error);
    task_submit(task);
}

static void on_redriven(struct task *task)
{
    struct execution_request *request = request_take(task->arg);

    if (request != NULL && !request_answer_refusal(task, request)) {
        buf_append_text(&request->json, "{}");
        request_answer(request);
    }
}

void driver_redrive(struct driver *driver, struct execution_request *request)
{
    struct task *task = open_task(driver, request, COMMAND_REDRIVE, on_redriven);

    if (task != NULL) {
        task_submit(task);
    }
}

/* --- callbacks ------------------------------------------------------------------------------- */

static void on_called_back(struct task *task)
{
    struct execution_request *request = request_take(task->arg);

    if (request == NULL) {
        return;
    }
    if (task->refusal == REFUSAL_NOT_FOUND) {
        request_fail(request, 404, "ResourceNotFoundException", "Callback not found.");
    } else if (!request_answer_refusal(task, request)) {
        buf_append_text(&request->json, "{}");
        request_answer(request);
    }
}

static bool parse_callback_id(const struct driver *driver, struct bytes text, struct id *ret_id,
                              uint8_t fields[TOKEN_FIELDS_MAX], struct bytes *ret_op_id)
{
    size_t len;

    if (!token_open(driver->keys, text, fields, &len) || len <= 1 + sizeof ret_id->bytes ||
        fields[0] != 'c') {
        return false;
    }
    memcpy(ret_id->bytes, fields + 1, sizeof ret_id->bytes);
    *ret_op_id = bytes_of(fields + 1 + sizeof ret_id->bytes, len - 1 - sizeof ret_id->bytes);
    return true;
}

static struct task *callback_task(struct driver *driver, struct execution_request *request,
                                  enum op_status status)
{
    uint8_t fields[TOKEN_FIELDS_MAX];
    struct pending *pending = request_open(driver, request);
    struct bytes op_id;
    struct id exec_id;
    struct task *task;

    if (pending == NULL) {
        return NULL;
    }
    if (!parse_callback_id(driver, request->callback_id, &exec_id, fields, &op_id)) {
        request_fail(request, 404, "ResourceNotFoundException", "Callback not found.");
        return NULL;
    }
    task = task_create(driver, COMMAND_CALLBACK, &exec_id, on_called_back, pending);
    task->command.op_id = task_copy(task, op_id);
    task->command.op_status = status;
    return task;
}

void driver_callback_succeed(struct driver *driver, struct execution_request *request)
{
    struct task *task = callback_task(driver, request, OP_SUCCEEDED);

    if (task != NULL) {
        task->command.has_payload = request->payload.len > 0;
        task->command.payload = task_copy(task, request->payload);
        task_submit(task);
    }
}

void driver_callback_fail(struct driver *driver, struct execution_request *request)
{
    struct task *task = callback_task(driver, request, OP_FAILED);

    if (task != NULL) {
        task->command.has_error = true;
        task->command.error = encode_error(task, &request->error);
        task_submit(task);
    }
}

void driver_callback_heartbeat(struct driver *driver, struct execution_request *request)
{
    struct task *task = callback_task(driver, request, OP_STARTED);

    if (task != NULL) {
        task_submit(task);
    }
}

/* --- reading --------------------------------------------------------------------------------- */

static void on_views_ready(struct journal_wait *wait)
{
    struct pending *pending = container_of(wait, struct pending, wait);
    struct execution_request *request = request_take(pending);

    if (request != NULL) {
        pending->render(pending->driver, request, &pending->view);
    }
}

static struct bytes keep_bytes(struct pending *pending, struct bytes bytes)
{
    uint8_t *copy = arena_alloc(&pending->arena, bytes.len + 1);

    assert(copy != NULL); /* the daemon ends, and reads its journal again */
    if (bytes.len > 0) {
        memcpy(copy, bytes.data, bytes.len);
    }
    return bytes_of(copy, bytes.len);
}

static void keep_view(struct pending *pending, const struct exec *exec)
{
    pending->view = (struct execution_view){.id = exec->id,
                                            .name = keep_bytes(pending, exec->name),
                                            .function = keep_bytes(pending, exec->function),
                                            .trace_id = keep_bytes(pending, exec->trace_id),
                                            .kind = exec->kind,
                                            .status = exec->status,
                                            .is_held = exec->is_held,
                                            .start_ms = exec->start_ms,
                                            .end_ms = exec->end_ms,
                                            .timeout_s = exec->timeout_s,
                                            .retention_days = exec->retention_days,
                                            .events = exec->events,
                                            .records = exec->records};
}

/* The execution's state may be shown; now the views must hold it. */
static void on_readable(struct task *task)
{
    struct pending *pending = task->arg;
    struct execution_request *request = request_take(pending);

    if (request == NULL || request_answer_refusal(task, request)) {
        return;
    }
    keep_view(pending, task->exec);
    journal_wait_applied(task->driver->journal, &pending->wait, hot_of(task->exec)->last_lsn,
                         on_views_ready);
}

void request_view(struct driver *driver, struct execution_request *request, request_render render)
{
    struct task *task = open_task(driver, request, COMMAND_READ, on_readable);

    if (task != NULL) {
        ((struct pending *)task->arg)->render = render;
        task_submit(task);
    }
}

void request_view_again(struct execution_request *request)
{
    struct pending *pending = request->state;
    struct id exec_id = pending->view.id;

    arena_reset(&pending->arena);
    task_submit(task_create(pending->driver, COMMAND_READ, &exec_id, on_readable, pending));
}
