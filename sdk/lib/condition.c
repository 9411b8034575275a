/* Waiting for a condition: one step of many attempts, each of which records the state
 * that the next one starts from. */
#include "sdk/lib/retry.h"

#define ATTEMPTS_DEFAULT 60U
#define INITIAL_DELAY_S_DEFAULT 5U
#define MAX_DELAY_S_DEFAULT 300U
#define RATE_DEFAULT 1.5

struct condition {
    struct call call;
    pawl_check_fn *check;
    void *arg;
    const struct pawl_condition_options *options;
};

struct look {
    const struct condition *condition;
    struct pawl_value state;
    bool is_done;
};

static struct pawl_value last_state(struct condition *condition)
{
    struct pawl_value state = condition->options->initial_state;

    if (condition->call.memo != NULL) {
        invocation_lock(condition->call.ctx->inv);
        if (condition->call.memo->has_result) {
            state = value_of(true, condition->call.memo->result);
        }
        invocation_unlock(condition->call.ctx->inv);
    }
    return state;
}

static uint32_t pause_s(const struct condition *condition, struct pawl_value state,
                        uint32_t attempt)
{
    const struct pawl_condition_options *options = condition->options;
    struct backoff backoff = {
        .initial_delay_s =
            options->initial_delay_s ? options->initial_delay_s : INITIAL_DELAY_S_DEFAULT,
        .max_delay_s = options->max_delay_s ? options->max_delay_s : MAX_DELAY_S_DEFAULT,
        .rate = (options->backoff_rate != 0) ? options->backoff_rate : RATE_DEFAULT,
        .jitter = options->jitter,
    };
    uint32_t delay_s;

    if (options->delay_s == NULL) {
        return backoff_delay_s(&backoff, attempt, call_jitter(&condition->call, attempt));
    }
    delay_s = options->delay_s(state, attempt, condition->arg);
    delay_s = (delay_s < 1) ? 1 : delay_s;
    return (delay_s > OP_DELAY_S_MAX) ? OP_DELAY_S_MAX : delay_s;
}

static int check_once(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    struct look *look = arg;
    const struct condition *condition = look->condition;

    *ret_result = look->state; /* what a check leaves alone stays as it is */
    return condition->check(ctx, condition->arg, look->state, ret_result, &look->is_done);
}

static int close_failed(struct condition *condition, const struct pawl_error *error)
{
    struct op_update update = call_update(&condition->call, OP_FAIL);

    update.has_error = true;
    update.error = context_encode_error(condition->call.ctx, error);
    return call_send(&condition->call, &update);
}

static int record_state(struct condition *condition, struct pawl_value state, bool is_done,
                        uint32_t attempt)
{
    struct op_update update = call_update(&condition->call, is_done ? OP_SUCCEED : OP_RETRY);

    update.has_payload = state.data != NULL;
    update.payload = value_bytes(state);
    if (!is_done) {
        update.has_step_options = true;
        update.delay_s = pause_s(condition, state, attempt);
    }
    return call_send(&condition->call, &update);
}

static int on_look(struct condition *condition, struct pawl_context *ctx, struct pawl_value state,
                   bool is_done)
{
    uint32_t max = condition->options->max_attempts;

    max = (max != 0) ? max : ATTEMPTS_DEFAULT;
    if (!is_done && ctx->attempt >= max) {
        (void)pawl_fail(ctx, "WaitForConditionError",
                        "waitForCondition exceeded maximum attempts (%u)", max);
        return close_failed(condition, &ctx->error);
    }
    if (state.len > OP_PAYLOAD_BYTES_MAX) {
        (void)pawl_fail(ctx, "Pawl.Limit", "the state of %zu bytes is over the %u that are stored",
                        state.len, OP_PAYLOAD_BYTES_MAX);
        return close_failed(condition, &ctx->error);
    }
    return record_state(condition, state, is_done, ctx->attempt);
}

static int look(struct condition *condition)
{
    struct look look = {.condition = condition, .state = last_state(condition)};
    struct pawl_value state = PAWL_ABSENT;
    struct pawl_context ctx;
    int r;

    context_init(&ctx, condition->call.ctx, CONTEXT_STEP, condition->call.id);
    ctx.attempt = call_attempt(&condition->call);
    r = context_run(&ctx, check_once, &look, &state);
    if (r == PAWL_SUSPENDED) {
        return context_suspend(condition->call.ctx);
    }
    return (r == PAWL_FAILED) ? close_failed(condition, &ctx.error)
                              : on_look(condition, &ctx, state, look.is_done);
}

static int move(struct condition *condition, enum op_status status)
{
    struct op_update update;

    switch (status) {
    case OP_STATUS_NONE:
    case OP_READY:
        update = call_update(&condition->call, OP_START);
        PAWL_TRY(call_queue(&condition->call, &update));
        return look(condition);
    case OP_STARTED:
        return look(condition);
    default:
        return call_block(&condition->call, OP_PENDING);
    }
}

int pawl_wait_for_condition(struct pawl_context *ctx, const char *name, pawl_check_fn *check,
                            void *arg, const struct pawl_condition_options *options,
                            struct pawl_value *ret_state)
{
    static const struct pawl_condition_options defaults;
    struct condition condition = {
        .check = check, .arg = arg, .options = (options != NULL) ? options : &defaults};
    enum op_status status;

    PAWL_TRY(call_begin(&condition.call, ctx, OP_STEP, name, "WaitForCondition"));
    while ((status = call_status(&condition.call)) < OP_SUCCEEDED) {
        PAWL_TRY(move(&condition, status));
    }
    return call_outcome(&condition.call, ret_state);
}
