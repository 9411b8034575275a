/* Invoke: headers to a request of the driver's, the payload through as it is. It is
 * scanned once, never parsed. */
#include "invoke/base64.h"
#include "invoke/function_name.h"
#include "invoke/json_scan.h"
#include "invoke/routes.h"

#define CLIENT_CONTEXT_TEXT_MAX 3583U
#define TENANT_ID_MAX 256U
#define TRACE_ID_MAX 256U

struct invoke {
    struct call *call;
    struct invoke_request request;
    bool wants_log;
};

/* --- what was asked ------------------------------------------------------------------- */

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

static bool read_type(struct invoke *invoke)
{
    static const char *const types[] = {[INVOKE_REQUEST_RESPONSE] = "RequestResponse",
                                        [INVOKE_EVENT] = "Event",
                                        [INVOKE_DRY_RUN] = "DryRun"};
    struct bytes text = header(invoke->call, "x-amz-invocation-type");

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (bytes_equal(text, bytes_of_text(types[i]))) {
            invoke->request.type = (enum invoke_type)i;
            return true;
        }
    }
    return text.len == 0 ||
           fail_invalid(invoke->call, "1 validation error detected: Value at 'invocationType' "
                                      "failed to satisfy constraint: Member must satisfy enum "
                                      "value set: [Event, RequestResponse, DryRun]");
}

static bool read_log_type(struct invoke *invoke)
{
    struct bytes text = header(invoke->call, "x-amz-log-type");

    invoke->wants_log = bytes_equal(text, bytes_of_text("Tail"));
    if (!invoke->wants_log && text.len > 0 && !bytes_equal(text, bytes_of_text("None"))) {
        return fail_invalid(invoke->call, "1 validation error detected: Value at 'logType' failed "
                                          "to satisfy constraint: Member must satisfy enum value "
                                          "set: [None, Tail]");
    }
    invoke->request.wants_log_tail =
        invoke->wants_log && invoke->request.type == INVOKE_REQUEST_RESPONSE;
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

/* An SDK repeats a call that it has lost under the same invocation id. A durable
 * function's execution that has no name of its own takes it as its name: so the
 * repetition attaches to what the first one has started. */
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
    invoke->request.client_context = context;
    return true;
}

static bool read_payload(struct invoke *invoke)
{
    struct bytes payload = http_body(invoke->call->request);
    struct json_problem problem;
    size_t max = (invoke->request.type == INVOKE_EVENT) ? OP_INVOKE_PAYLOAD_BYTES_MAX
                                                        : EXEC_PAYLOAD_BYTES_MAX;

    if (payload.len > max) {
        call_fail(invoke->call, 413, "RequestTooLargeException",
                  "Request must be smaller than %zu bytes for the Invoke operation", max);
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

/* --- the answer --------------------------------------------------------------------------- */

static void add_header(struct call *call, const char *name, struct bytes value)
{
    if (value.len > 0) {
        http_add_header(call->request, name, value);
    }
}

static void add_log(struct call *call, struct bytes tail)
{
    struct buf text = {0};

    base64_append(&text, tail);
    if (!text.failed) {
        add_header(call, "x-amz-log-result", buf_bytes(&text));
    }
    buf_fini(&text);
}

static void on_answer(struct invoke_request *request)
{
    struct invoke *invoke = container_of(request, struct invoke, request);
    struct call *call = invoke->call;

    add_header(call, "x-amz-durable-execution-arn", request->execution_arn);
    if (request->error.name != NULL) {
        call_fail_driver(call, &request->error);
        return;
    }
    add_header(call, "x-amz-executed-version", bytes_of_text(request->executed_version));
    if (request->type != INVOKE_REQUEST_RESPONSE) {
        call_respond(call, (request->type == INVOKE_EVENT) ? 202 : 204, NULL, bytes_of("", 0));
        return;
    }
    add_header(call, "x-amz-function-error", bytes_of_text(request->function_error));
    if (invoke->wants_log) {
        add_log(call, request->log_tail);
    }
    call_respond(call, 200, "application/json",
                 request->has_payload ? request->result : bytes_of("", 0));
}

static void on_gone(void *user)
{
    struct invoke *invoke = user;

    driver_invoke_abandon(invoke->call->service->driver, &invoke->request);
    call_fail(invoke->call, 408, "RequestTimeoutException", "The client has left.");
}

void route_invoke(struct call *call, const struct principal *principal)
{
    struct invoke *invoke = call_alloc(call, sizeof *invoke);

    if (invoke == NULL) {
        return;
    }
    invoke->call = call;
    invoke->request.principal = principal;
    invoke->request.function = call->labels[0];
    invoke->request.cb = on_answer;
    if (!call_query(call, "Qualifier", &invoke->request.qualifier) || !read_type(invoke) ||
        !read_log_type(invoke) || !read_names(invoke) || !read_client_context(invoke) ||
        !read_payload(invoke)) {
        return;
    }
    http_set_user(call->request, invoke, on_gone);
    driver_invoke(call->service->driver, &invoke->request);
}
