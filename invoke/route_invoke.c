/* Invoke and InvokeAsync: what the driver answers, as Lambda says it. */
#include "invoke/base64.h"
#include "invoke/invoke_read.h"
#include "invoke/routes.h"

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

static void ask(struct invoke *invoke)
{
    struct call *call = invoke->call;

    http_set_user(call->request, invoke, on_gone);
    driver_invoke(call->service->driver, &invoke->request);
}

void route_invoke(struct call *call, const struct principal *principal)
{
    static const enum invoke_type types[] = {INVOKE_REQUEST_RESPONSE, INVOKE_EVENT, INVOKE_DRY_RUN};
    struct invoke *invoke = call_alloc(call, sizeof *invoke);

    if (invoke == NULL) {
        return;
    }
    invoke->call = call;
    invoke->request.cb = on_answer;
    if (invoke_read_type(invoke, types, sizeof types / sizeof types[0]) &&
        invoke_read_log_type(invoke) && invoke_read(invoke, principal, "Invoke")) {
        ask(invoke);
    }
}

/* --- InvokeAsync: an Event by its old name --------------------------------------------- */

static void on_async_answer(struct invoke_request *request)
{
    struct invoke *invoke = container_of(request, struct invoke, request);
    struct call *call = invoke->call;

    if (request->error.name != NULL) {
        call_fail_driver(call, &request->error);
        return;
    }
    add_header(call, "x-amz-durable-execution-arn", request->execution_arn);
    call_respond(call, 202, NULL, bytes_of("", 0)); /* its Status is the answer's own */
}

void route_invoke_async(struct call *call, const struct principal *principal)
{
    struct invoke *invoke = call_alloc(call, sizeof *invoke);

    if (invoke == NULL) {
        return;
    }
    invoke->call = call;
    invoke->request.type = INVOKE_EVENT;
    invoke->request.cb = on_async_answer;
    if (invoke_read(invoke, principal, "InvokeAsync")) {
        ask(invoke);
    }
}
