/* What a runtime is given: headers, and the event: the caller's payload as it is, or of a
 * durable execution its state (lambda-api.md section 3.1). */
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/json.h"
#include "engine/driver/operation_json.h"
#include "invoke/guest_parts.h"

static void add(struct http_request *request, const char *name, struct bytes value)
{
    if (value.len > 0) {
        http_add_header(request, name, value);
    }
}

static void add_headers(struct http_request *request, const struct wire_invoke *invoke)
{
    char deadline[24];

    (void)snprintf(deadline, sizeof deadline, "%" PRId64, invoke->deadline_ms);
    add(request, "Lambda-Runtime-Aws-Request-Id", invoke->request_id);
    add(request, "Lambda-Runtime-Deadline-Ms", bytes_of_text(deadline));
    add(request, "Lambda-Runtime-Invoked-Function-Arn", invoke->function_arn);
    add(request, "Lambda-Runtime-Trace-Id", invoke->trace_id);
    add(request, "Lambda-Runtime-Client-Context", invoke->client_context);
    add(request, "Lambda-Runtime-Aws-Tenant-Id", invoke->tenant_id);
}

static void put_updated(struct buf *json, const struct wire_invoke *invoke)
{
    json_key(json, "UpdatedOperationIds");
    json_open(json, '[');
    for (size_t i = 0; i < invoke->operation_count; i++) {
        if (invoke->operations[i].is_updated) {
            json_element(json);
            json_quoted(json, invoke->operations[i].id);
        }
    }
    json_close(json, ']');
}

static void put_event(struct buf *json, const struct driver *driver,
                      const struct wire_invoke *invoke)
{
    char token[TOKEN_TEXT_MAX];
    struct id exec_id;

    memcpy(exec_id.bytes, invoke->execution_id.data, sizeof exec_id.bytes);
    driver_checkpoint_token(driver, &exec_id, invoke->attempt, 1, token);
    json_open(json, '{');
    json_key(json, "DurableExecutionArn");
    json_quoted(json, invoke->execution_arn);
    json_key(json, "CheckpointToken");
    json_text(json, token);
    json_key(json, "InitialExecutionState");
    json_open(json, '{');
    state_put_page(json, invoke, 0, 0, JSON_TIME_EVENT);
    json_close(json, '}');
    put_updated(json, invoke);
    json_close(json, '}');
}

void guest_give(struct guest *guest, struct http_request *request, const struct wire_invoke *invoke)
{
    struct buf json = {0};
    struct bytes event = bytes_of("{}", 2);

    if (invoke->is_durable) {
        put_event(&json, guest->service->driver, invoke);
        event = buf_bytes(&json);
    } else if (invoke->has_payload && invoke->payload.len > 0) {
        event = invoke->payload;
    }
    if (json.failed) {
        guest_refuse(request, 500, "Runtime.OutOfMemory", "The daemon is out of memory.");
    } else {
        add_headers(request, invoke);
        http_respond(request, 200, "application/json", event);
    }
    buf_fini(&json);
}
