#include "invoke/invoke_read.h"

#include "engine/base/json_scan.h"
#include "engine/driver/function_name.h"
#include "invoke/base64.h"

#define CLIENT_CONTEXT_TEXT_MAX 3583U
#define TENANT_ID_MAX 256U
#define TRACE_ID_MAX 256U

static struct bytes header(const struct call *call, const char *name)
{
    struct bytes value = http_header(call->request, name);

    return (value.data != NULL) ? value : bytes_of("", 0);
}

static bool fail_invalid(struct call *call, const char *message)
{
    call_fail(call, 400, "InvalidParameterValueException", "%s", message);
    return false;
}

static bool fail_type(struct invoke *invoke, const enum invoke_type *types, size_t count)
{
    bool has_event = false;

    for (size_t i = 0; i < count; i++) {
        has_event = has_event || types[i] == INVOKE_EVENT;
    }
    call_fail(invoke->call, 400, "InvalidParameterValueException",
              "1 validation error detected: Value at 'invocationType' failed to satisfy "
              "constraint: Member must satisfy enum value set: [%sRequestResponse, DryRun]",
              has_event ? "Event, " : "");
    return false;
}

bool invoke_read_type(struct invoke *invoke, const enum invoke_type *types, size_t count)
{
    static const char *const names[] = {[INVOKE_REQUEST_RESPONSE] = "RequestResponse",
                                        [INVOKE_EVENT] = "Event",
                                        [INVOKE_DRY_RUN] = "DryRun"};
    struct bytes text = header(invoke->call, "x-amz-invocation-type");

    for (size_t i = 0; i < count; i++) {
        if (bytes_equal(text, bytes_of_text(names[types[i]]))) {
            invoke->request.type = types[i];
            return true;
        }
    }
    return text.len == 0 || fail_type(invoke, types, count);
}

bool invoke_read_log_type(struct invoke *invoke)
{
    struct bytes text = header(invoke->call, "x-amz-log-type");

    invoke->wants_log = bytes_equal(text, bytes_of_text("Tail"));
    if (!invoke->wants_log && text.len > 0 && !bytes_equal(text, bytes_of_text("None"))) {
        return fail_invalid(invoke->call, "1 validation error detected: Value at 'logType' failed "
                                          "to satisfy constraint: Member must satisfy enum value "
                                          "set: [None, Tail]");
    }
    invoke->wants_log = invoke->wants_log && invoke->request.type == INVOKE_REQUEST_RESPONSE;
    invoke->request.wants_log_tail = invoke->wants_log;
    return true;
}

static bool is_tenant_id(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!is_word && (c == '\0' || strchr("._:/=+-@ ", c) == NULL)) {
            return false;
        }
    }
    return text.len <= TENANT_ID_MAX;
}

static bool is_durable(struct invoke *invoke)
{
    struct function_name name;
    const struct function *function;

    if (!function_name_parse(invoke->request.function, &name)) {
        return false;
    }
    function = function_find(driver_functions(invoke->call->service->driver), name.name);
    return function != NULL && function->latest->config.is_durable;
}

/* An SDK repeats a call that it has lost under the same invocation id. A durable
 * function's execution that has no name of its own takes it as its name: so the
 * repetition attaches to what the first one has started. */
static bool read_execution_name(struct invoke *invoke)
{
    struct bytes name = header(invoke->call, "x-amz-durable-execution-name");

    if (name.len > 0 && !function_name_is_plain(name)) {
        return fail_invalid(invoke->call,
                            "1 validation error detected: Value at 'durableExecutionName' failed "
                            "to satisfy constraint: Member must satisfy regular expression "
                            "pattern: [a-zA-Z0-9-_]{1,64}");
    }
    if (name.len == 0) {
        struct bytes id = header(invoke->call, "amz-sdk-invocation-id");

        if (function_name_is_plain(id) && is_durable(invoke)) {
            name = id;
        } else if (function_name_is_plain(id) && invoke->request.type == INVOKE_EVENT) {
            invoke->request.client_token = id;
        }
    }
    invoke->request.execution_name = name;
    return true;
}

static bool read_names(struct invoke *invoke)
{
    invoke->request.tenant_id = header(invoke->call, "x-amz-tenant-id");
    invoke->request.trace_id = header(invoke->call, "x-amzn-trace-id");
    if (!is_tenant_id(invoke->request.tenant_id)) {
        return fail_invalid(invoke->call, "1 validation error detected: Value at 'tenantId' failed "
                                          "to satisfy constraint: Member must satisfy regular "
                                          "expression pattern: [a-zA-Z0-9\\._:\\/=+\\-@ ]{1,256}");
    }
    if (invoke->request.trace_id.len > TRACE_ID_MAX) {
        return fail_invalid(invoke->call, "X-Amzn-Trace-Id is longer than 256 characters.");
    }
    return read_execution_name(invoke);
}

/* Decoded into call->out, which is not needed before the answer. */
static bool read_client_context(struct invoke *invoke)
{
    struct call *call = invoke->call;
    struct bytes text = header(call, "x-amz-client-context");
    struct bytes context;

    if (text.len == 0) {
        return true;
    }
    if (text.len > CLIENT_CONTEXT_TEXT_MAX) {
        return fail_invalid(call, "Client context must be no more than 3583 bytes.");
    }
    if (!base64_decode(&call->out, text) ||
        !json_scan(buf_bytes(&call->out), &json_limits_request, NULL)) {
        return fail_invalid(call, "Client context must be a valid Base64-encoded JSON object.");
    }
    context = arena_copy(http_arena(call->request), buf_bytes(&call->out));
    if (call->out.failed || context.data == NULL) {
        call_fail_memory(call);
        return false;
    }
    call->out.len = 0;
    if (invoke->request.type == INVOKE_REQUEST_RESPONSE) { /* an event has none, as in Lambda */
        invoke->request.client_context = context;
    }
    return true;
}

static bool read_payload(struct invoke *invoke, const char *operation)
{
    struct bytes payload = http_body(invoke->call->request);
    struct json_problem problem;
    size_t max = (invoke->request.type == INVOKE_EVENT) ? OP_INVOKE_PAYLOAD_BYTES_MAX
                                                        : EXEC_PAYLOAD_BYTES_MAX;

    if (payload.len > max) {
        call_fail(invoke->call, 413, "RequestTooLargeException",
                  "Request must be smaller than %zu bytes for the %s operation", max, operation);
        return false;
    }
    if (payload.len > 0 && !json_scan(payload, &json_limits_payload, &problem)) {
        call_fail(invoke->call, 400, "InvalidRequestContentException",
                  "Could not parse request body into json: at byte %zu: %s", problem.offset,
                  problem.text);
        return false;
    }
    invoke->request.payload = payload;
    return true;
}

bool invoke_read(struct invoke *invoke, const struct principal *principal, const char *operation)
{
    struct call *call = invoke->call;

    invoke->request.principal = principal;
    invoke->request.request_id = call->id;
    invoke->request.function =
        call_function_name(call, call->labels[0], &invoke->request.qualifier);
    return invoke->request.function.data != NULL && read_names(invoke) &&
           read_client_context(invoke) && read_payload(invoke, operation);
}
