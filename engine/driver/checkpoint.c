/* Checkpoints over HTTP: the token that a durable function gets with its event and with
 * each answer, and the two calls that it makes with it.
 *
 * A token is (execution, attempt, number of the next checkpoint) and a MAC; nothing is
 * kept for it. It is good for one checkpoint of the attempt that runs; the answer to the
 * last one is kept while the attempt runs, for a client that did not hear it. */
#include <assert.h>

#include "engine/base/json.h"
#include "engine/base/mem.h"
#include "engine/driver/operation_json.h"
#include "engine/driver/request.h"
#include "engine/driver/state.h"

#define TOKEN_KIND 'k'
#define STALE_TEXT "Invalid Checkpoint Token: no invocation with this token is running."

struct checkpoint_token {
    struct id exec_id;
    uint32_t attempt;
    uint32_t seq;
};

#define TOKEN_FIELDS (1 + sizeof(struct checkpoint_token))

void driver_checkpoint_token(const struct driver *driver, const struct id *exec_id,
                             uint32_t attempt, uint32_t seq, char text[TOKEN_TEXT_MAX])
{
    struct checkpoint_token token = {.exec_id = *exec_id, .attempt = attempt, .seq = seq};
    uint8_t fields[TOKEN_FIELDS] = {TOKEN_KIND};

    memcpy(fields + 1, &token, sizeof token);
    token_make(driver->keys, bytes_of(fields, sizeof fields), text);
}

static bool open_token(const struct driver *driver, struct bytes text,
                       struct checkpoint_token *ret_token)
{
    uint8_t fields[TOKEN_FIELDS_MAX];
    size_t len;

    if (!token_open(driver->keys, text, fields, &len) || len != TOKEN_FIELDS ||
        fields[0] != TOKEN_KIND) {
        return false;
    }
    memcpy(ret_token, fields + 1, sizeof *ret_token);
    return true;
}

static void fail_stale(struct execution_request *request)
{
    request_fail(request, 400, "InvalidParameterValueException", STALE_TEXT);
}

/* The execution that path and token name alike. */
static bool read_token(const struct driver *driver, struct execution_request *request,
                       struct checkpoint_token *ret_token)
{
    struct id exec_id;

    return request_parse_arn(request->arn, &exec_id) &&
           open_token(driver, request->token, ret_token) && id_equal(&exec_id, &ret_token->exec_id);
}

/* The run that it speaks for, if that still goes on. */
static struct run *find_run(const struct driver *driver, const struct checkpoint_token *token)
{
    struct exec *exec = core_find(driver->core, &token->exec_id);
    struct run *run = (exec != NULL && exec->state == EXEC_HOT && hot_of(exec) != NULL)
                          ? hot_of(exec)->run
                          : NULL;

    return (run != NULL && run->attempt == token->attempt && run->is_sent) ? run : NULL;
}

/* --- the answer to a checkpoint --------------------------------------------------------- */

/* What the same command has just recorded is not in memory: the function has it. */
static void fill_own(const struct task *task, struct wire_operation *operation)
{
    for (uint32_t i = 0; i < task->command.update_count; i++) {
        const struct op_update *update = &task->command.updates[i];

        if (!bytes_equal(update->id, operation->id)) {
            continue;
        }
        if (operation->has_result && update->has_payload) {
            operation->result = update->payload;
        }
        if (operation->has_error && update->has_error) {
            operation->error = update->error;
        }
    }
}

/* False when a payload of it is nowhere: an empty one would be a lie. */
static bool put_operation(struct task *task, struct buf *json, const struct op *op)
{
    struct wire_operation operation;

    operation_of(task->driver, task->exec, op, &task->arena, &operation);
    (void)operation_fill_payloads(hot_of(task->exec), op, &operation);
    fill_own(task, &operation);
    if ((operation.has_result && operation.result.data == NULL) ||
        (operation.has_error && operation.error.data == NULL)) {
        return false;
    }
    operation_put_json(json, &operation, JSON_TIME_ANSWER);
    return true;
}

static bool put_changes(struct task *task, struct buf *json)
{
    const struct exec *exec = task->exec;
    uint32_t count = operations_changed(exec, exec->reply_no);
    const struct list *item = &exec->changes;

    for (uint32_t i = 0; i < count; i++) {
        item = item->prev;
    }
    for (; count > 0; count--, item = item->next) {
        const struct op *op = container_of(item, struct op, in_changes);

        if (!op->is_pruned && !put_operation(task, json, op)) {
            return false;
        }
    }
    return true;
}

static bool put_answer(struct task *task, struct buf *json)
{
    char token[TOKEN_TEXT_MAX];
    bool is_whole;

    driver_checkpoint_token(task->driver, &task->exec->id, task->command.attempt,
                            task->command.seq + 1, token);
    json_open(json, '{');
    json_key(json, "CheckpointToken");
    json_text(json, token);
    json_key(json, "NewExecutionState");
    json_open(json, '{');
    json_key(json, "Operations");
    json_open(json, '[');
    is_whole = put_changes(task, json);
    json_close(json, ']');
    json_close(json, '}');
    json_close(json, '}');
    return is_whole;
}

/* It is kept beside the run, for one that asks again. */
static bool make_answer(struct task *task, struct run *run, const struct pending *pending)
{
    run->reply.len = 0;
    run->reply.failed = false;
    run->client_token_len = 0;
    if (!put_answer(task, &run->reply)) {
        return false;
    }
    run->client_token_len = pending->client_token_len;
    memcpy(run->client_token, pending->client_token, pending->client_token_len);
    return true;
}

static void give_answer(const struct run *run, struct execution_request *request)
{
    request->kept = buf_bytes(&run->reply);
    request->json.failed = run->reply.failed;
    request_answer(request);
}

static void repeat_answer(struct run *run, struct execution_request *request)
{
    struct bytes kept =
        (run != NULL) ? bytes_of(run->client_token, run->client_token_len) : (struct bytes){0};

    if (kept.len == 0 || !bytes_equal(kept, request->client_token) || run->reply.failed) {
        fail_stale(request);
        return;
    }
    give_answer(run, request);
}

/* Also when the client has left: it may ask again. */
static void on_accepted(struct task *task, struct run *run)
{
    struct pending *pending = task->arg;
    struct hot *hot = hot_of(task->exec);
    struct execution_request *request;

    if (!make_answer(task, run, pending)) { /* loaded in the middle of an attempt: cannot be */
        invocation_cancel(run->driver->pool, &run->invocation, "a payload is missing");
        request = request_take(pending);
        if (request != NULL) {
            fail_stale(request);
        }
        return;
    }
    hot->known_record = task->exec->records;
    hot->known_change = task->exec->change_no;
    hot_drop_payloads(hot);
    request = request_take(pending);
    if (request != NULL) {
        give_answer(run, request);
    }
}

static void on_checkpointed(struct task *task)
{
    const struct checkpoint_token token = {.exec_id = task->command.exec_id,
                                           .attempt = task->command.attempt};
    struct run *run = find_run(task->driver, &token);
    struct execution_request *request;

    if (run != NULL && task->refusal == REFUSAL_NONE && !task->is_repeat) {
        on_accepted(task, run);
        return;
    }
    request = request_take(task->arg);
    if (request == NULL) {
        return;
    }
    if (task->is_repeat) {
        repeat_answer(run, request);
    } else if (task->refusal == REFUSAL_INVALID || task->refusal == REFUSAL_FULL ||
               task->refusal == REFUSAL_DAMAGED) {
        (void)request_answer_refusal(task, request);
    } else {
        fail_stale(request);
    }
}

/* What is absent stays so. */
static struct bytes copy_given(struct task *task, struct bytes bytes)
{
    return (bytes.data != NULL) ? task_copy(task, bytes) : bytes;
}

static void keep_client_token(struct pending *pending, struct bytes token)
{
    pending->client_token_len = (token.len <= sizeof pending->client_token) ? token.len : 0;
    if (pending->client_token_len > 0) {
        memcpy(pending->client_token, token.data, token.len);
    }
}

/* The request may be gone before the answer; what the command points to is the task's. */
static void copy_updates(struct task *task, const struct execution_request *request)
{
    struct op_update *updates = NULL;

    if (request->update_count > 0) {
        updates = arena_alloc(&task->arena, request->update_count * sizeof *updates);
        assert(updates != NULL); /* the daemon ends, and reads its journal again */
    }
    for (size_t i = 0; i < request->update_count; i++) {
        struct op_update *update = &updates[i];

        *update = request->updates[i];
        update->id = copy_given(task, update->id);
        update->parent_id = copy_given(task, update->parent_id);
        update->name = copy_given(task, update->name);
        update->sub_type = copy_given(task, update->sub_type);
        update->payload = copy_given(task, update->payload);
        update->error = copy_given(task, update->error);
        update->function = copy_given(task, update->function);
        update->tenant_id = copy_given(task, update->tenant_id);
        child_resolve(task->driver, task, update);
    }
    task->command.updates = updates;
    task->command.update_count = (uint32_t)request->update_count;
}

void driver_checkpoint(struct driver *driver, struct execution_request *request)
{
    struct pending *pending = request_open(driver, request);
    struct checkpoint_token token;
    struct task *task;
    struct run *run;

    if (pending == NULL) {
        return;
    }
    run = read_token(driver, request, &token) ? find_run(driver, &token) : NULL;
    if (run != NULL && driver->is_closing) { /* the next life of the daemon goes on from here */
        run->is_suspended = true;
        run = NULL;
    }
    if (run == NULL) {
        fail_stale(request);
        return;
    }
    keep_client_token(pending, request->client_token);
    task = task_create(driver, COMMAND_CHECKPOINT, &token.exec_id, on_checkpointed, pending);
    task->command.attempt = token.attempt;
    task->command.seq = token.seq;
    copy_updates(task, request);
    task_submit(task);
}

/* --- the state, page by page ------------------------------------------------------------- */

/* The number of the page's first operation, as state_put_page() has it. */
static bool read_marker(struct bytes marker, size_t count, size_t *ret_from)
{
    size_t number = 0;

    for (size_t i = 0; i < marker.len; i++) {
        if (marker.data[i] < '0' || marker.data[i] > '9' || number > count) {
            return false;
        }
        number = number * 10 + (size_t)(marker.data[i] - '0');
    }
    *ret_from = number;
    return number < count;
}

static void put_page(struct execution_request *request, const struct wire_invoke *invoke)
{
    size_t from;

    if (!read_marker(request->marker, invoke->operation_count + 1, &from)) {
        request_fail(request, 400, "InvalidParameterValueException", "The marker is invalid.");
        return;
    }
    json_open(&request->json, '{');
    state_put_page(&request->json, invoke, from, request->items_max, JSON_TIME_ANSWER);
    json_close(&request->json, '}');
    request_answer(request);
}

static void render_state(struct driver *driver, struct execution_request *request,
                         const struct execution_view *view)
{
    struct checkpoint_token token;
    struct run *run = read_token(driver, request, &token) ? find_run(driver, &token) : NULL;
    struct wire_invoke invoke;
    struct arena arena;

    if (run == NULL || run->exec == NULL || token.seq != run->exec->seq + 1) {
        fail_stale(request);
        return;
    }
    if (run->exec->is_committing || run->exec->records != view->records) {
        request_view_again(request);
        return;
    }
    arena_init(&arena, STATE_ARENA_BYTES_MAX);
    if (run_read_state(run, &arena, &invoke) != 0) {
        request_fail(request, 500, "ServiceException", "The execution's state cannot be read.");
    } else {
        put_page(request, &invoke);
    }
    arena_fini(&arena);
}

void driver_get_state(struct driver *driver, struct execution_request *request)
{
    struct checkpoint_token token;

    if (!read_token(driver, request, &token) || find_run(driver, &token) == NULL) {
        if (request_open(driver, request) != NULL) {
            fail_stale(request);
        }
        return;
    }
    request_view(driver, request, render_state);
}
