/* Suite step: requirements 1-N. */
#include "tests/conformance/handlers/handlers.h"

#include <jansson.h>
#include <string.h>

#define HANDLER(name)                                                                              \
    static int name(struct pawl_context *ctx, struct pawl_value input,                             \
                    struct pawl_value *ret_result)
#define STEP(name)                                                                                 \
    static int name(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)

/* A JSON string as it is meant. */
static const char *unquote(struct pawl_context *ctx, struct pawl_value value)
{
    const char *text = pawl_json_unquote(ctx, value);

    return text != NULL ? text : "";
}

static struct pawl_value quote(struct pawl_context *ctx, const char *text)
{
    return pawl_value(pawl_json_quote(ctx, text));
}

STEP(greet)
{
    const char *name = unquote(ctx, *(struct pawl_value *)arg);

    *ret_result = quote(ctx, pawl_printf(ctx, "Hello, %s!", name));
    return 0;
}

HANDLER(basic)
{
    return pawl_step(ctx, NULL, greet, &input, NULL, ret_result);
}

HANDLER(named)
{
    return pawl_step(ctx, "custom_step_name", greet, &input, NULL, ret_result);
}

STEP(append_second)
{
    const char *first = unquote(ctx, *(struct pawl_value *)arg);

    *ret_result = quote(ctx, pawl_printf(ctx, "%s_second", first));
    return 0;
}

HANDLER(sequential)
{
    struct pawl_value first = pawl_value("\"first\"");

    (void)input;
    PAWL_TRY(pawl_step(ctx, NULL, step_return, &first, NULL, &first));
    return pawl_step(ctx, NULL, append_second, &first, NULL, ret_result);
}

STEP(build_response)
{
    struct pawl_value input = *(struct pawl_value *)arg;
    json_t *json = json_loadb(input.data, input.len, 0, NULL);
    json_t *tags = json_object_get(json, "tags");
    json_t *made = json_pack("{s:{s:O?,s:O?},s:I}", "user", "name", json_object_get(json, "name"),
                             "tags", tags, "count", (json_int_t)json_array_size(tags));
    char *text = json_dumps(made, JSON_COMPACT);

    *ret_result = pawl_format(ctx, "%s", text != NULL ? text : "null");
    free(text);
    json_decref(made);
    json_decref(json);
    return 0;
}

HANDLER(complex)
{
    return pawl_step(ctx, NULL, build_response, &input, NULL, ret_result);
}

HANDLER(null_result)
{
    struct pawl_value null = pawl_value("null");

    (void)input;
    return pawl_step(ctx, NULL, step_return, &null, NULL, ret_result);
}

STEP(return_upper)
{
    *ret_result = upper_serialize(ctx, *(struct pawl_value *)arg);
    return 0;
}

/* The step's result is stored as the serializer wrote it and read back as a plain text. */
HANDLER(custom_serdes)
{
    struct pawl_value stored;

    PAWL_TRY(pawl_step(ctx, NULL, return_upper, &input, NULL, &stored));
    *ret_result = quote(ctx, stored.data);
    return 0;
}

STEP(greet_and_log)
{
    pawl_info(ctx, "Greeting step started for: %s", unquote(ctx, *(struct pawl_value *)arg));
    PAWL_TRY(greet(ctx, arg, ret_result));
    pawl_info(ctx, "Greeting step completed with: %s", unquote(ctx, *ret_result));
    return 0;
}

HANDLER(logger)
{
    return pawl_step(ctx, NULL, greet_and_log, &input, NULL, ret_result);
}

HANDLER(step_and_wait)
{
    struct pawl_value computed = pawl_value("\"computed\"");

    (void)input;
    PAWL_TRY(pawl_step(ctx, NULL, step_return, &computed, NULL, ret_result));
    return pawl_wait_s(ctx, NULL, 2);
}

STEP(log_and_return)
{
    pawl_info(ctx, "step executed");
    return step_return(ctx, arg, ret_result);
}

HANDLER(replay_skips)
{
    struct pawl_value cached = pawl_value("\"cached_value\"");

    (void)input;
    PAWL_TRY(pawl_step(ctx, NULL, log_and_return, &cached, NULL, ret_result));
    return pawl_wait_s(ctx, NULL, 1);
}

STEP(log_and_fail)
{
    pawl_info(ctx, "step executed");
    return step_fail(ctx, arg, ret_result);
}

HANDLER(replay_fails_again)
{
    int r = pawl_step(ctx, NULL, log_and_fail, NULL, &no_retry, NULL);

    (void)input;
    (void)ret_result;
    if (r != PAWL_FAILED) {
        return r == 0 ? pawl_fail(ctx, "TestError", "the step did not fail") : r;
    }
    return pawl_wait_s(ctx, NULL, 1);
}

HANDLER(retry_once)
{
    struct pawl_value text = pawl_value("\"Operation succeeded\"");

    (void)input;
    return pawl_step(ctx, NULL, step_fail_first, &text, &retry_each_s, ret_result);
}

HANDLER(retries_exhausted)
{
    static const struct pawl_retry retry = {
        .max_attempts = 4, .initial_delay_s = 1, .max_delay_s = 1, .jitter = PAWL_JITTER_NONE};
    static const struct pawl_step_options options = {.retry = &retry};

    (void)input;
    return pawl_step(ctx, NULL, step_fail, NULL, &options, ret_result);
}

STEP(fail_twice)
{
    (void)arg;
    if (pawl_attempt(ctx) <= 2) {
        return pawl_fail(ctx, "StepError", "attempt %u fails", pawl_attempt(ctx));
    }
    *ret_result = pawl_value("\"third time lucky\"");
    return 0;
}

HANDLER(default_retry)
{
    (void)input;
    return pawl_step(ctx, NULL, fail_twice, NULL, NULL, ret_result);
}

HANDLER(custom_retry)
{
    static const struct pawl_retry retry = {
        .max_attempts = 5, .initial_delay_s = 2, .backoff_rate = 3, .jitter = PAWL_JITTER_NONE};
    static const struct pawl_step_options options = {.retry = &retry};

    (void)input;
    return pawl_step(ctx, NULL, fail_twice, NULL, &options, ret_result);
}

STEP(fail_transiently)
{
    (void)arg;
    if (pawl_attempt(ctx) == 1) {
        return pawl_fail(ctx, "TransientError", "try again");
    }
    *ret_result = pawl_value("\"done\"");
    return 0;
}

static bool is_transient(const struct pawl_error *error, void *arg)
{
    (void)arg;
    return strcmp(error->type, "TransientError") == 0;
}

static bool is_permanent(const struct pawl_error *error, void *arg)
{
    return !is_transient(error, arg);
}

static int run_filtered(struct pawl_context *ctx,
                        bool (*filter)(const struct pawl_error *error, void *arg),
                        struct pawl_value *ret_result)
{
    struct pawl_retry retry = {.max_attempts = 3,
                               .initial_delay_s = 1,
                               .max_delay_s = 1,
                               .jitter = PAWL_JITTER_NONE,
                               .is_retryable = filter};
    struct pawl_step_options options = {.retry = &retry};

    return pawl_step(ctx, NULL, fail_transiently, NULL, &options, ret_result);
}

HANDLER(retry_transient)
{
    (void)input;
    return run_filtered(ctx, is_transient, ret_result);
}

HANDLER(retry_not_transient)
{
    (void)input;
    return run_filtered(ctx, is_permanent, ret_result);
}

STEP(log_and_crash_first)
{
    pawl_info(ctx, "running with %s", unquote(ctx, *(struct pawl_value *)arg));
    PAWL_TRY(pawl_checkpoint(ctx)); /* the line has gone out before */
    if (pawl_attempt(ctx) == 1) {
        crash();
    }
    *ret_result = pawl_value("\"succeeded on second attempt\"");
    return 0;
}

HANDLER(at_most_once)
{
    static const struct pawl_step_options options = {.retry = &pawl_retry_none,
                                                     .semantics = PAWL_AT_MOST_ONCE};

    return pawl_step(ctx, "at_most_once_flaky_step", log_and_crash_first, &input, &options,
                     ret_result);
}

HANDLER(at_most_once_retried)
{
    struct pawl_step_options options = retry_each_s;

    options.semantics = PAWL_AT_MOST_ONCE;
    return pawl_step(ctx, NULL, log_and_crash_first, &input, &options, ret_result);
}

HANDLER(fails)
{
    (void)input;
    return pawl_step(ctx, NULL, step_fail, NULL, &no_retry, ret_result);
}

HANDLER(caught)
{
    struct pawl_value fallback = pawl_value("\"fallback_result\"");
    int r = pawl_step(ctx, NULL, step_fail, NULL, &no_retry, NULL);

    (void)input;
    if (r != PAWL_FAILED) {
        return r == 0 ? pawl_fail(ctx, "TestError", "the step did not fail") : r;
    }
    return pawl_step(ctx, NULL, step_return, &fallback, NULL, ret_result);
}

const struct pawl_handler step_handlers[] = {
    {"1-1", basic},
    {"1-2", named},
    {"1-3", sequential},
    {"1-4", complex},
    {"1-5", null_result},
    {"1-6", custom_serdes},
    {"1-7", logger},
    {"1-8", step_and_wait},
    {"1-9", replay_skips},
    {"1-10", replay_fails_again},
    {"1-11", retry_once},
    {"1-12", retries_exhausted},
    {"1-13", default_retry},
    {"1-14", custom_retry},
    {"1-15", retry_transient},
    {"1-16", retry_not_transient},
    {"1-17", at_most_once},
    {"1-18", at_most_once_retried},
    {"1-19", fails},
    {"1-20", caught},
    {NULL, NULL},
};
