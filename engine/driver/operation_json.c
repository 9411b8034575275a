#include "engine/driver/operation_json.h"

#include <stdio.h>

#include "engine/base/json.h"
#include "engine/driver/state.h"

#define PAGE_BYTES ((size_t)5 << 20)

static void put_time(struct buf *json, const char *key, int64_t time_ms, enum json_time time)
{
    json_key(json, key);
    if (time == JSON_TIME_EVENT) {
        json_int(json, time_ms);
    } else {
        json_seconds(json, time_ms);
    }
}

static void put_text(struct buf *json, const char *key, struct bytes text)
{
    if (text.len > 0) {
        json_key(json, key);
        json_quoted(json, text);
    }
}

static void put_outcome(struct buf *json, const struct wire_operation *operation)
{
    if (operation->has_result) {
        json_key(json, "Result");
        json_quoted(json, operation->result);
    }
    if (operation->has_error) {
        json_key(json, "Error");
        history_put_error_object(json, operation->error);
    }
}

static void put_step(struct buf *json, const struct wire_operation *operation, enum json_time time)
{
    json_key(json, "StepDetails");
    json_open(json, '{');
    json_key(json, "Attempt");
    json_int(json, operation->attempt);
    if (operation->status == OP_PENDING && operation->due_ms != 0) {
        put_time(json, "NextAttemptTimestamp", operation->due_ms, time);
    }
    put_outcome(json, operation);
    json_close(json, '}');
}

static void put_wait(struct buf *json, const struct wire_operation *operation, enum json_time time)
{
    json_key(json, "WaitDetails");
    json_open(json, '{');
    put_time(json, "ScheduledEndTimestamp", operation->due_ms, time);
    json_close(json, '}');
}

static void put_context(struct buf *json, const struct wire_operation *operation)
{
    json_key(json, "ContextDetails");
    json_open(json, '{');
    put_outcome(json, operation);
    if (operation->replay_children) {
        json_key(json, "ReplayChildren");
        json_bool(json, true);
    }
    json_close(json, '}');
}

static void put_callback(struct buf *json, const struct wire_operation *operation)
{
    json_key(json, "CallbackDetails");
    json_open(json, '{');
    put_text(json, "CallbackId", operation->callback_id);
    put_outcome(json, operation);
    json_close(json, '}');
}

static void put_details(struct buf *json, const struct wire_operation *operation,
                        enum json_time time)
{
    switch (operation->type) {
    case OP_STEP:
        put_step(json, operation, time);
        break;
    case OP_WAIT:
        put_wait(json, operation, time);
        break;
    case OP_CONTEXT:
        put_context(json, operation);
        break;
    case OP_CALLBACK:
        put_callback(json, operation);
        break;
    case OP_CHAINED_INVOKE:
        json_key(json, "ChainedInvokeDetails");
        json_open(json, '{');
        put_outcome(json, operation);
        json_close(json, '}');
        break;
    default:
        break;
    }
}

void operation_put_json(struct buf *json, const struct wire_operation *operation,
                        enum json_time time)
{
    json_element(json);
    json_open(json, '{');
    put_text(json, "Id", operation->id);
    put_text(json, "ParentId", operation->parent_id);
    put_text(json, "Name", operation->name);
    put_text(json, "Type", bytes_of_text(op_type_text(operation->type)));
    put_text(json, "SubType", operation->sub_type);
    put_time(json, "StartTimestamp", operation->start_ms, time);
    if (operation->end_ms != 0) {
        put_time(json, "EndTimestamp", operation->end_ms, time);
    }
    put_text(json, "Status", bytes_of_text(op_status_text(operation->status)));
    put_details(json, operation, time);
    json_close(json, '}');
}

/* …/durable-execution/NAME/UUID */
static void put_names(struct buf *json, struct bytes arn)
{
    size_t id_at = arn.len;
    size_t name_at;

    while (id_at > 0 && arn.data[id_at - 1] != '/') {
        id_at--;
    }
    name_at = (id_at > 0) ? id_at - 1 : 0;
    while (name_at > 0 && arn.data[name_at - 1] != '/') {
        name_at--;
    }
    put_text(json, "Id", bytes_of(arn.data + id_at, arn.len - id_at));
    if (id_at > name_at) {
        put_text(json, "Name", bytes_of(arn.data + name_at, id_at - 1 - name_at));
    }
}

void operation_put_execution(struct buf *json, const struct wire_invoke *invoke,
                             enum json_time time)
{
    json_element(json);
    json_open(json, '{');
    put_names(json, invoke->execution_arn);
    put_text(json, "Type", bytes_of_text("EXECUTION"));
    put_time(json, "StartTimestamp", invoke->start_ms, time);
    put_text(json, "Status", bytes_of_text("STARTED"));
    json_key(json, "ExecutionDetails");
    json_open(json, '{');
    if (invoke->has_payload) {
        json_key(json, "InputPayload");
        json_quoted(json, invoke->payload);
    }
    json_close(json, '}');
    json_close(json, '}');
}

void state_put_page(struct buf *json, const struct wire_invoke *invoke, size_t from,
                    uint32_t items_max, enum json_time time)
{
    size_t count = invoke->operation_count + 1;
    size_t start = json->len;
    size_t at = from;
    char marker[24];

    json_key(json, "Operations");
    json_open(json, '[');
    for (; at < count && (items_max == 0 || at - from < items_max); at++) {
        if (at > from && json->len - start > PAGE_BYTES) {
            break;
        }
        if (at == 0) {
            operation_put_execution(json, invoke, time);
        } else {
            operation_put_json(json, &invoke->operations[at - 1], time);
        }
    }
    json_close(json, ']');
    if (at < count) {
        (void)snprintf(marker, sizeof marker, "%zu", at);
        json_key(json, "NextMarker");
        json_text(json, marker);
    }
}
