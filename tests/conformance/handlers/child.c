/* Suite child: requirements 3-N. */
#include "tests/conformance/handlers/handlers.h"

#include <string.h>

#define HANDLER(name)                                                                              \
    static int name(struct pawl_context *ctx, struct pawl_value input,                             \
                    struct pawl_value *ret_result)
#define CHILD(name)                                                                                \
    static int name(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)

#define LARGE_BYTES (300U * 1024U) /* over the 256 KiB that are stored of a result */

CHILD(one_step)
{
    return pawl_step(ctx, "work", step_return, arg, NULL, ret_result);
}

HANDLER(basic)
{
    return pawl_child(ctx, "child", one_step, &input, ret_result);
}

HANDLER(named)
{
    struct pawl_value value = json_member_text(ctx, input, "value");
    const char *name = pawl_json_unquote(ctx, json_member_text(ctx, input, "name"));

    return pawl_child(ctx, name, one_step, &value, ret_result);
}

CHILD(two_steps)
{
    struct pawl_value first;

    PAWL_TRY(pawl_step(ctx, "first", step_return, arg, NULL, &first));
    return pawl_step(ctx, "second", step_return, &first, NULL, ret_result);
}

HANDLER(sequential)
{
    return pawl_child(ctx, "child", two_steps, &input, ret_result);
}

CHILD(failing_step)
{
    (void)arg;
    return pawl_step(ctx, "fails", step_fail, NULL, &no_retry, ret_result);
}

HANDLER(fails)
{
    (void)input;
    return pawl_child(ctx, "child", failing_step, NULL, ret_result);
}

HANDLER(caught)
{
    int r = pawl_child(ctx, "child", failing_step, NULL, NULL);

    if (r != PAWL_FAILED) {
        return r == 0 ? pawl_fail(ctx, "TestError", "the child did not fail") : r;
    }
    return pawl_step(ctx, "recover", step_return, &input, NULL, ret_result);
}

CHILD(nesting)
{
    PAWL_TRY(pawl_step(ctx, "outer-step", step_return, arg, NULL, NULL));
    return pawl_child(ctx, "inner", one_step, arg, ret_result);
}

HANDLER(nested)
{
    return pawl_child(ctx, "outer", nesting, &input, ret_result);
}

CHILD(retried_step)
{
    return pawl_step(ctx, "flaky", step_fail_first, arg, &retry_each_s, ret_result);
}

HANDLER(retried)
{
    return pawl_child(ctx, "child", retried_step, &input, ret_result);
}

CHILD(exhausted_step)
{
    static const struct pawl_retry retry = {
        .max_attempts = 2, .initial_delay_s = 1, .jitter = PAWL_JITTER_NONE};
    static const struct pawl_step_options options = {.retry = &retry};

    (void)arg;
    return pawl_step(ctx, "fails", step_fail, NULL, &options, ret_result);
}

HANDLER(exhausted)
{
    (void)input;
    return pawl_child(ctx, "child", exhausted_step, NULL, ret_result);
}

HANDLER(replayed)
{
    PAWL_TRY(pawl_child(ctx, "child", one_step, &input, ret_result));
    return pawl_wait_s(ctx, "after", 1);
}

CHILD(step_then_wait)
{
    PAWL_TRY(pawl_step(ctx, "work", step_return, arg, NULL, ret_result));
    return pawl_wait_s(ctx, "inside", 1);
}

HANDLER(mixed)
{
    return pawl_child(ctx, "child", step_then_wait, &input, ret_result);
}

CHILD(large_result)
{
    struct pawl_value small;
    char *text;

    pawl_info(ctx, "child runs with %s", ((struct pawl_value *)arg)->data);
    PAWL_TRY(pawl_step(ctx, "work", step_return, arg, NULL, &small));
    text = pawl_alloc(ctx, LARGE_BYTES + 1);
    memset(text, small.len > 1 ? small.data[1] : 'x', LARGE_BYTES);
    text[0] = text[LARGE_BYTES - 1] = '"';
    *ret_result = (struct pawl_value){text, LARGE_BYTES};
    return 0;
}

/* The result is not stored, so the replay makes it again: whole. */
HANDLER(large)
{
    struct pawl_value result;

    pawl_log_replays(ctx, true);
    PAWL_TRY(pawl_child(ctx, "child", large_result, &input, &result));
    PAWL_TRY(pawl_wait_s(ctx, "after", 1));
    if (result.len != LARGE_BYTES || result.data[LARGE_BYTES / 2] != input.data[1]) {
        return pawl_fail(ctx, "TestError", "the large result came back wrong");
    }
    *ret_result = pawl_format(ctx, "%zu", result.len);
    return 0;
}

CHILD(crash_first)
{
    PAWL_TRY(pawl_checkpoint(ctx)); /* the start of this step is durable */
    if (pawl_invocation(ctx)->number == 1) {
        crash();
    }
    return step_return(ctx, arg, ret_result);
}

CHILD(interrupted_step)
{
    return pawl_step(ctx, "crashes", crash_first, arg, NULL, ret_result);
}

HANDLER(interrupted)
{
    return pawl_child(ctx, "child", interrupted_step, &input, ret_result);
}

CHILD(only_wait)
{
    PAWL_TRY(pawl_wait_s(ctx, "inside", 1));
    return step_return(ctx, arg, ret_result);
}

HANDLER(wait_inside)
{
    struct pawl_value value;

    PAWL_TRY(pawl_child(ctx, "child", only_wait, &input, &value));
    return pawl_step(ctx, "outside", step_return, &value, NULL, ret_result);
}

CHILD(upper_result)
{
    struct pawl_value value;

    PAWL_TRY(pawl_step(ctx, "work", step_return, arg, NULL, &value));
    *ret_result = upper_serialize(ctx, value);
    return 0;
}

/* Stored as the serializer wrote it, read back as a plain text. */
HANDLER(custom_serdes)
{
    struct pawl_value stored;

    PAWL_TRY(pawl_child(ctx, "child", upper_result, &input, &stored));
    *ret_result = pawl_value(pawl_json_quote(ctx, stored.data));
    return 0;
}

HANDLER(fails_itself)
{
    (void)input;
    return pawl_child(ctx, "child", step_fail, NULL, ret_result);
}

HANDLER(null_result)
{
    struct pawl_value null = pawl_value("null");

    (void)input;
    return pawl_child(ctx, "child", step_return, &null, ret_result);
}

CHILD(only_log)
{
    pawl_info(ctx, "child runs with %s", ((struct pawl_value *)arg)->data);
    return step_return(ctx, arg, ret_result);
}

HANDLER(logs)
{
    pawl_log_replays(ctx, true);
    PAWL_TRY(pawl_child(ctx, "child", only_log, &input, ret_result));
    return pawl_wait_s(ctx, "after", 1);
}

HANDLER(mixed_inside_and_after)
{
    struct pawl_value value;

    PAWL_TRY(pawl_child(ctx, "child", step_then_wait, &input, &value));
    PAWL_TRY(pawl_step(ctx, "outside", step_return, &value, NULL, ret_result));
    return pawl_wait_s(ctx, "after", 1);
}

const struct pawl_handler child_handlers[] = {
    {"3-1", basic},        {"3-2", named},          {"3-3", sequential},
    {"3-4", fails},        {"3-5", caught},         {"3-6", nested},
    {"3-7", retried},      {"3-8", exhausted},      {"3-9", replayed},
    {"3-10", mixed},       {"3-11", large},         {"3-12", interrupted},
    {"3-13", wait_inside}, {"3-14", custom_serdes}, {"3-15", fails_itself},
    {"3-16", null_result}, {"3-17", logs},          {"3-18", mixed_inside_and_after},
    {NULL, NULL},
};
