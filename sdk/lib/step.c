/* Steps.
 *
 *     (new) --START--> STARTED --+--SUCCEED--> SUCCEEDED
 *                                +--FAIL-----> FAILED
 *                                +--RETRY----> PENDING --(due)--> READY --START--> STARTED
 *
 * START is queued and not waited for: it travels with the SUCCEED, unless the step takes
 * longer than the flusher's tick or is at-most-once. What is found STARTED was cut off. */
#include <inttypes.h>
#include <time.h>

#include "engine/base/prng.h"
#include "sdk/lib/retry.h"

struct step {
    struct call call;
    pawl_fn *fn;
    void *arg;
    const struct pawl_retry *retry;
    enum pawl_semantics semantics;
};

uint64_t call_jitter(const struct call *call, uint32_t attempt)
{
    struct timespec now;
    struct prng prng;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    prng.state = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30 ^ attempt ^
                 table_hash(bytes_of_text(call->id));
    return prng_next(&prng);
}

uint32_t call_attempt(struct call *call)
{
    uint32_t finished = 0;

    if (call->memo != NULL) {
        invocation_lock(call->ctx->inv);
        finished = call->memo->attempt;
        invocation_unlock(call->ctx->inv);
    }
    return finished + 1;
}

static int start(struct step *step)
{
    struct op_update update = call_update(&step->call, OP_START);

    if (step->semantics == PAWL_AT_MOST_ONCE) {
        return call_send(&step->call, &update);
    }
    return call_queue(&step->call, &update);
}

static int close_succeeded(struct step *step, struct pawl_value result)
{
    struct op_update update = call_update(&step->call, OP_SUCCEED);

    update.has_payload = result.data != NULL;
    update.payload = value_bytes(result);
    return call_send(&step->call, &update);
}

static int close_failed(struct step *step, const struct pawl_error *error)
{
    struct op_update update = call_update(&step->call, OP_FAIL);

    update.has_error = true;
    update.error = context_encode_error(step->call.ctx, error);
    return call_send(&step->call, &update);
}

static int retry_later(struct step *step, const struct pawl_error *error, uint32_t delay_s)
{
    struct op_update update = call_update(&step->call, OP_RETRY);

    update.has_error = true;
    update.error = context_encode_error(step->call.ctx, error);
    update.has_step_options = true;
    update.delay_s = delay_s;
    return call_send(&step->call, &update);
}

static int on_failure(struct step *step, const struct pawl_error *error, bool is_final)
{
    uint32_t attempt = call_attempt(&step->call);
    uint32_t delay_s = 1;

    if (!is_final &&
        retry_decide(step->retry, error, attempt, call_jitter(&step->call, attempt), &delay_s)) {
        return retry_later(step, error, delay_s);
    }
    return close_failed(step, error);
}

/* One attempt. PAWL_OK: its outcome is recorded, whatever it is. */
static int attempt(struct step *step)
{
    struct pawl_context ctx;
    struct pawl_value result = PAWL_ABSENT;
    int r;

    context_init(&ctx, step->call.ctx, CONTEXT_STEP, step->call.id);
    ctx.attempt = call_attempt(&step->call);
    r = context_run(&ctx, step->fn, step->arg, &result);
    if (r == PAWL_SUSPENDED) {
        return context_suspend(step->call.ctx);
    }
    if (r == PAWL_FAILED) {
        return on_failure(step, &ctx.error, false);
    }
    if (result.len > OP_PAYLOAD_BYTES_MAX) {
        (void)pawl_fail(&ctx, "Pawl.Limit",
                        "the result of step %s has %zu bytes, more than the %u that are stored",
                        step->call.id, result.len, OP_PAYLOAD_BYTES_MAX);
        return on_failure(step, &ctx.error, true);
    }
    return close_succeeded(step, result);
}

static int interrupted(struct step *step)
{
    static const struct pawl_error error = {
        "StepInterruptedError", "the attempt was cut off, and it runs at most once", ""};

    return on_failure(step, &error, false);
}

/* One move in the diagram above. */
static int move(struct step *step, enum op_status status)
{
    switch (status) {
    case OP_STATUS_NONE:
    case OP_READY:
        PAWL_TRY(start(step));
        return attempt(step);
    case OP_STARTED:
        return (step->semantics == PAWL_AT_MOST_ONCE) ? interrupted(step) : attempt(step);
    default:
        return call_block(&step->call, OP_PENDING);
    }
}

static int run(struct step *step, struct pawl_value *ret_result)
{
    enum op_status status;

    while ((status = call_status(&step->call)) < OP_SUCCEEDED) {
        PAWL_TRY(move(step, status));
    }
    return call_outcome(&step->call, ret_result);
}

int pawl_step(struct pawl_context *ctx, const char *name, pawl_fn *fn, void *arg,
              const struct pawl_step_options *options, struct pawl_value *ret_result)
{
    static const struct pawl_step_options defaults;
    struct step step = {.fn = fn, .arg = arg};

    options = (options != NULL) ? options : &defaults;
    step.retry = options->retry;
    step.semantics = options->semantics;
    PAWL_TRY(call_begin(&step.call, ctx, OP_STEP, name, "Step"));
    return run(&step, ret_result);
}

uint32_t pawl_attempt(const struct pawl_context *ctx)
{
    return (ctx->kind == CONTEXT_STEP) ? ctx->attempt : 0;
}
