/* What only the outside can end: timers, callbacks, other functions. Each is started,
 * which is durable before anything else happens, and then blocked on. */
#include "sdk/lib/context.h"

static int start(struct call *call, const struct op_update *update)
{
    return (call->memo == NULL) ? call_send(call, update) : PAWL_OK;
}

static int finish(struct call *call, struct pawl_value *ret_result)
{
    PAWL_TRY(call_block(call, OP_STARTED));
    return call_outcome(call, ret_result);
}

int pawl_wait_s(struct pawl_context *ctx, const char *name, uint32_t seconds)
{
    struct op_update update;
    struct call call;

    PAWL_TRY(call_begin(&call, ctx, OP_WAIT, name, "Wait"));
    if (seconds < 1 || seconds > OP_DELAY_S_MAX) {
        return pawl_fail(ctx, "Pawl.Misuse", "a wait of %u seconds: it may have 1 to %u", seconds,
                         OP_DELAY_S_MAX);
    }
    update = call_update(&call, OP_START);
    update.wait_s = seconds;
    PAWL_TRY(start(&call, &update));
    return finish(&call, NULL);
}

/* --- other functions -------------------------------------------------------------- */

int pawl_invoke(struct pawl_context *ctx, const char *name, const char *function,
                struct pawl_value payload, const struct pawl_invoke_options *options,
                struct pawl_value *ret_result)
{
    struct op_update update;
    struct call call;

    PAWL_TRY(call_begin(&call, ctx, OP_CHAINED_INVOKE, name, "ChainedInvoke"));
    if (function == NULL || payload.len > OP_INVOKE_PAYLOAD_BYTES_MAX) {
        return pawl_fail(ctx, "Pawl.Limit",
                         "an invoke needs a function and a payload of at most %u bytes",
                         OP_INVOKE_PAYLOAD_BYTES_MAX);
    }
    update = call_update(&call, OP_START);
    update.has_payload = payload.data != NULL;
    update.payload = value_bytes(payload);
    update.function = bytes_of_text(function);
    if (options != NULL) {
        update.tenant_id = bytes_of_text(options->tenant_id);
        update.timeout_s = options->timeout_s;
    }
    PAWL_TRY(start(&call, &update));
    return finish(&call, ret_result);
}

/* --- callbacks -------------------------------------------------------------------- */

static struct bytes callback_id(struct call *call)
{
    struct bytes id;

    invocation_lock(call->ctx->inv);
    id = call->memo->callback_id;
    invocation_unlock(call->ctx->inv);
    return id;
}

int pawl_callback_create(struct pawl_context *ctx, const char *name,
                         const struct pawl_callback_options *options,
                         struct pawl_callback *ret_callback)
{
    struct op_update update;
    struct call call;
    struct bytes id;

    PAWL_TRY(call_begin(&call, ctx, OP_CALLBACK, name, "Callback"));
    update = call_update(&call, OP_START);
    if (options != NULL) {
        update.timeout_s = options->timeout_s;
        update.heartbeat_s = options->heartbeat_s;
    }
    PAWL_TRY(start(&call, &update));
    id = callback_id(&call);
    if (id.len == 0) {
        invocation_break(ctx->inv, WIRE_OUTCOME_ERROR, "Pawl.Protocol",
                         "the daemon gave a callback no id");
        return context_suspend(ctx);
    }
    ret_callback->id = (const char *)id.data;
    ret_callback->operation = pawl_printf(ctx, "%s", call.id);
    return PAWL_OK;
}

int pawl_callback_result(struct pawl_context *ctx, const struct pawl_callback *callback,
                         struct pawl_value *ret_result)
{
    struct call call = {.ctx = ctx, .type = OP_CALLBACK};

    if (ctx->is_suspended) {
        return PAWL_SUSPENDED;
    }
    if (ctx->kind != CONTEXT_STEP && ctx->inv->facts.is_durable) {
        invocation_lock(ctx->inv);
        call.memo = state_find(ctx->inv->memos, bytes_of_text(callback->operation));
        invocation_unlock(ctx->inv);
    }
    if (call.memo == NULL) {
        return pawl_fail(ctx, "Pawl.Misuse",
                         "this callback was not created in this execution, or it is awaited "
                         "inside a step");
    }
    return finish(&call, ret_result);
}

struct submission {
    pawl_submit_fn *submit;
    void *arg;
    const struct pawl_callback_options *options;
    const char *callback_id;
};

static int submit(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    const struct submission *submission = arg;

    (void)ret_result;
    return submission->submit(ctx, submission->callback_id, submission->arg);
}

static int submit_and_wait(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    struct submission *submission = arg;
    struct pawl_step_options options = {
        .retry = (submission->options != NULL) ? submission->options->retry : NULL};
    struct pawl_callback callback;

    PAWL_TRY(pawl_callback_create(ctx, NULL, submission->options, &callback));
    submission->callback_id = callback.id;
    PAWL_TRY(pawl_step(ctx, NULL, submit, submission, &options, NULL));
    return pawl_callback_result(ctx, &callback, ret_result);
}

int pawl_wait_for_callback(struct pawl_context *ctx, const char *name, pawl_submit_fn *submit_fn,
                           void *arg, const struct pawl_callback_options *options,
                           struct pawl_value *ret_result)
{
    struct submission submission = {.submit = submit_fn, .arg = arg, .options = options};

    return child_run(ctx, name, "WaitForCallback", submit_and_wait, &submission, ret_result);
}
