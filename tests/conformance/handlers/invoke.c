/* Suite invoke: requirements 5-N, and the ordinary functions that they call. */
#include "tests/conformance/handlers/handlers.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HANDLER(name)                                                                              \
    static int name(struct pawl_context *ctx, struct pawl_value input,                             \
                    struct pawl_value *ret_result)

#define LARGE_BYTES (1000U * 1000U) /* near the 1 MiB that a chained invoke may carry */

/* --- targets ---------------------------------------------------------------------- */

HANDLER(echo)
{
    (void)ctx;
    *ret_result = input;
    return 0;
}

HANDLER(failing)
{
    (void)input;
    (void)ret_result;
    return pawl_fail(ctx, "TargetError", "this function always fails");
}

/* Answers only where it knows for whom it runs. */
HANDLER(tenant)
{
    if (pawl_invocation(ctx)->tenant_id[0] == '\0') {
        return pawl_fail(ctx, "TargetError", "no tenant id");
    }
    *ret_result = input;
    return 0;
}

HANDLER(measure)
{
    *ret_result = pawl_format(ctx, "%zu", input.len);
    return 0;
}

static int take_a_while(struct pawl_context *ctx, void *arg, struct pawl_value *ret)
{
    const struct timespec while_ = {.tv_nsec = 100000000};

    (void)ctx;
    (void)arg;
    (void)ret;
    (void)nanosleep(&while_, NULL);
    return 0;
}

/* As many short steps as the input says. */
HANDLER(many_steps)
{
    long count = strtol(input.data, NULL, 10);

    (void)ret_result;
    for (long i = 0; i < count; i++) {
        PAWL_TRY(pawl_step(ctx, NULL, take_a_while, NULL, NULL, NULL));
    }
    return 0;
}

/* --- requirements ------------------------------------------------------------------- */

static int invoke_target(struct pawl_context *ctx, const char *variable, struct pawl_value payload,
                         struct pawl_value *ret_result)
{
    return pawl_invoke(ctx, NULL, getenv(variable), payload, NULL, ret_result);
}

static int invoke_echo(struct pawl_context *ctx, struct pawl_value payload,
                       struct pawl_value *ret_result)
{
    return invoke_target(ctx, "CONFORMANCE_ECHO", payload, ret_result);
}

HANDLER(basic)
{
    return invoke_echo(ctx, input, ret_result);
}

HANDLER(named)
{
    const char *name = pawl_json_unquote(ctx, json_member_text(ctx, input, "name"));
    struct pawl_value payload = json_member_text(ctx, input, "payload");

    return pawl_invoke(ctx, name, getenv("CONFORMANCE_ECHO"), payload, NULL, ret_result);
}

HANDLER(null_payload)
{
    (void)input;
    return invoke_echo(ctx, pawl_value("null"), ret_result);
}

HANDLER(fails)
{
    return invoke_target(ctx, "CONFORMANCE_FAILING", input, ret_result);
}

/* 0 when the target failed, as it should. */
static int catch_failure(struct pawl_context *ctx, struct pawl_value payload)
{
    int r = invoke_target(ctx, "CONFORMANCE_FAILING", payload, NULL);

    if (r == 0) {
        return pawl_fail(ctx, "TestError", "the target did not fail");
    }
    return r == PAWL_FAILED ? 0 : r;
}

HANDLER(caught)
{
    PAWL_TRY(catch_failure(ctx, input));
    *ret_result = pawl_value("\"fallback\"");
    return 0;
}

HANDLER(large)
{
    char *text = pawl_alloc(ctx, LARGE_BYTES + 1);
    struct pawl_value measured;

    (void)input;
    memset(text, 'x', LARGE_BYTES);
    text[0] = text[LARGE_BYTES - 1] = '"';
    PAWL_TRY(invoke_target(ctx, "CONFORMANCE_MEASURE", (struct pawl_value){text, LARGE_BYTES},
                           &measured));
    if (strtoul(measured.data, NULL, 10) != LARGE_BYTES) {
        return pawl_fail(ctx, "TestError", "the target saw %s bytes", measured.data);
    }
    *ret_result = measured;
    return 0;
}

HANDLER(for_tenant)
{
    struct pawl_invoke_options options = {
        .tenant_id = pawl_json_unquote(ctx, json_member_text(ctx, input, "tenantId"))};

    return pawl_invoke(ctx, NULL, getenv("CONFORMANCE_TENANT"),
                       json_member_text(ctx, input, "payload"), &options, ret_result);
}

HANDLER(then_wait)
{
    PAWL_TRY(invoke_echo(ctx, input, ret_result));
    return pawl_wait_s(ctx, NULL, 1);
}

HANDLER(caught_then_wait)
{
    (void)ret_result;
    PAWL_TRY(catch_failure(ctx, input));
    return pawl_wait_s(ctx, NULL, 1);
}

HANDLER(after_step)
{
    struct pawl_value value = pawl_value("\"from the step\"");

    (void)input;
    PAWL_TRY(pawl_step(ctx, NULL, step_return, &value, NULL, &value));
    return invoke_echo(ctx, value, ret_result);
}

HANDLER(before_step)
{
    struct pawl_value value;

    PAWL_TRY(invoke_echo(ctx, input, &value));
    return pawl_step(ctx, NULL, step_return, &value, NULL, ret_result);
}

static int invoking_child(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    return invoke_echo(ctx, *(struct pawl_value *)arg, ret_result);
}

HANDLER(in_child)
{
    return pawl_child(ctx, NULL, invoking_child, &input, ret_result);
}

HANDLER(twice)
{
    struct pawl_value first;

    PAWL_TRY(invoke_echo(ctx, input, &first));
    return invoke_echo(ctx, first, ret_result);
}

/* The payload goes out as the serializer writes it. */
HANDLER(payload_serdes)
{
    struct pawl_value data = upper_serialize(ctx, json_member_text(ctx, input, "data"));
    const char *quoted = pawl_json_quote(ctx, data.data);

    return invoke_echo(ctx, pawl_format(ctx, "{\"data\":%s}", quoted), ret_result);
}

HANDLER(result_serdes)
{
    struct pawl_value answer;

    PAWL_TRY(invoke_echo(ctx, input, &answer));
    *ret_result = pawl_value(pawl_json_quote(ctx, upper_serialize(ctx, answer).data));
    return 0;
}

const struct pawl_handler invoke_handlers[] = {
    {"echo", echo},
    {"failing", failing},
    {"tenant", tenant},
    {"measure", measure},
    {"many-steps", many_steps},
    {"5-1", basic},
    {"5-2", named},
    {"5-3", basic}, /* with a complex object */
    {"5-4", null_payload},
    {"5-5", fails},
    {"5-6", caught},
    {"5-7", large},
    {"5-8", for_tenant},
    {"5-9", then_wait},
    {"5-10", caught_then_wait},
    {"5-11", after_step},
    {"5-12", before_step},
    {"5-13", in_child},
    {"5-14", twice},
    {"5-15", payload_serdes},
    {"5-16", result_serdes},
    {NULL, NULL},
};
