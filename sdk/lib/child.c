/* Child contexts: one operation that holds others.
 *
 * START and SUCCEED are queued and not waited for: what a child gives back follows from
 * operations that are durable, and whatever the handler does next is ordered after
 * them. A result that is too large to be stored is made again by each replay. */
#include "sdk/lib/context.h"

static int close_succeeded(struct call *call, struct pawl_value result)
{
    struct op_update update = call_update(call, OP_SUCCEED);

    update.has_payload = result.data != NULL;
    update.payload = value_bytes(result);
    if (result.len > OP_PAYLOAD_BYTES_MAX) {
        update.payload = bytes_of("", 0);
        update.replay_children = true;
    }
    return call_queue(call, &update);
}

static int close_failed(struct call *call, const struct pawl_error *error)
{
    struct op_update update = call_update(call, OP_FAIL);

    update.has_error = true;
    update.error = context_encode_error(call->ctx, error);
    return call_queue(call, &update);
}

int context_check_end(struct pawl_context *ctx)
{
    if (!pawl_is_replaying(ctx) || ctx->is_rerun) {
        return PAWL_OK;
    }
    invocation_hold(ctx->inv,
                    pawl_printf(ctx,
                                "more than %u operations are recorded in %s%s, but the code now "
                                "ends after them: deploy code that asks for the same operations, "
                                "or redrive the execution on the version it was started with",
                                ctx->counter, (ctx->id[0] != '\0') ? "context " : "the handler",
                                ctx->id));
    return context_suspend(ctx);
}

static int run(struct call *call, pawl_fn *fn, void *arg, bool is_rerun,
               struct pawl_value *ret_result)
{
    struct pawl_context child;
    int r;

    context_init(&child, call->ctx, CONTEXT_CHILD, call->id);
    child.is_rerun |= is_rerun;
    r = context_run(&child, fn, arg, ret_result);
    if (r != PAWL_SUSPENDED && context_check_end(&child) != PAWL_OK) {
        r = PAWL_SUSPENDED;
    }
    if (r == PAWL_SUSPENDED) {
        return context_suspend(call->ctx);
    }
    if (r == PAWL_FAILED) {
        call->ctx->error = child.error;
    }
    return r;
}

static int run_and_close(struct call *call, pawl_fn *fn, void *arg, struct pawl_value *ret_result)
{
    struct pawl_value result = PAWL_ABSENT;
    struct op_update update = call_update(call, OP_START);
    int r;

    if (call->memo == NULL) {
        PAWL_TRY(call_queue(call, &update));
    }
    r = run(call, fn, arg, false, &result);
    if (r == PAWL_FAILED) {
        struct pawl_error error = call->ctx->error;

        PAWL_TRY(close_failed(call, &error));
        return PAWL_FAILED;
    }
    if (r == PAWL_OK) {
        PAWL_TRY(close_succeeded(call, result));
        *ret_result = result;
    }
    return r;
}

static bool is_replaying_children(struct call *call)
{
    bool is_it;

    invocation_lock(call->ctx->inv);
    is_it = call->memo->replay_children;
    invocation_unlock(call->ctx->inv);
    return is_it;
}

int child_run(struct pawl_context *ctx, const char *name, const char *sub_type, pawl_fn *fn,
              void *arg, struct pawl_value *ret_result)
{
    struct pawl_value result = PAWL_ABSENT;
    enum op_status status;
    struct call call;
    int r;

    PAWL_TRY(call_begin(&call, ctx, OP_CONTEXT, name, sub_type));
    status = call_status(&call);
    if (status < OP_SUCCEEDED) {
        r = run_and_close(&call, fn, arg, &result);
    } else if (status == OP_SUCCEEDED && is_replaying_children(&call)) {
        r = run(&call, fn, arg, true, &result);
    } else {
        r = call_outcome(&call, &result);
    }
    if (r == PAWL_OK && ret_result != NULL) {
        *ret_result = result;
    }
    return r;
}

int pawl_child(struct pawl_context *ctx, const char *name, pawl_fn *fn, void *arg,
               struct pawl_value *ret_result)
{
    return child_run(ctx, name, "RunInChildContext", fn, arg, ret_result);
}
