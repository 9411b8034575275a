/* Suite callback: requirements 4-N. */
#include "tests/conformance/handlers/handlers.h"

#include <jansson.h>
#include <string.h>
#include <time.h>

#define HANDLER(name)                                                                              \
    static int name(struct pawl_context *ctx, struct pawl_value input,                             \
                    struct pawl_value *ret_result)

/* Creates the callback whose name is the JSON string `name`. */
static int create(struct pawl_context *ctx, struct pawl_value name,
                  const struct pawl_callback_options *options, struct pawl_callback *ret_callback)
{
    return pawl_callback_create(ctx, pawl_json_unquote(ctx, name), options, ret_callback);
}

/* Creates one and waits for its answer. */
static int ask(struct pawl_context *ctx, struct pawl_value name,
               const struct pawl_callback_options *options, struct pawl_value *ret_result)
{
    struct pawl_callback callback;

    PAWL_TRY(create(ctx, name, options, &callback));
    return pawl_callback_result(ctx, &callback, ret_result);
}

HANDLER(basic)
{
    return ask(ctx, input, NULL, ret_result);
}

HANDLER(named)
{
    (void)input;
    return ask(ctx, pawl_value("\"approval\""), NULL, ret_result);
}

HANDLER(timeout)
{
    static const struct pawl_callback_options options = {.timeout_s = 5};

    return ask(ctx, input, &options, ret_result);
}

HANDLER(heartbeat_timeout)
{
    static const struct pawl_callback_options options = {.heartbeat_s = 5};

    return ask(ctx, input, &options, ret_result);
}

HANDLER(heartbeat)
{
    static const struct pawl_callback_options options = {.heartbeat_s = 10};

    return ask(ctx, input, &options, ret_result);
}

static int with_step(struct pawl_context *ctx, struct pawl_value name,
                     const struct pawl_callback_options *options, struct pawl_value *ret_result)
{
    struct pawl_callback callback;

    PAWL_TRY(create(ctx, name, options, &callback));
    PAWL_TRY(pawl_step(ctx, "between", step_return, &name, NULL, NULL));
    return pawl_callback_result(ctx, &callback, ret_result);
}

HANDLER(step_between)
{
    return with_step(ctx, input, NULL, ret_result);
}

HANDLER(step_and_timeout)
{
    static const struct pawl_callback_options options = {.timeout_s = 5};

    return with_step(ctx, input, &options, ret_result);
}

static int with_wait(struct pawl_context *ctx, struct pawl_value name, uint32_t timeout_s,
                     uint32_t wait_s, struct pawl_value *ret_result)
{
    struct pawl_callback_options options = {.timeout_s = timeout_s};
    struct pawl_callback callback;

    PAWL_TRY(create(ctx, name, &options, &callback));
    PAWL_TRY(pawl_wait_s(ctx, "between", wait_s));
    return pawl_callback_result(ctx, &callback, ret_result);
}

HANDLER(wait_between)
{
    return with_wait(ctx, input, 0, 5, ret_result);
}

HANDLER(wait_and_timeout)
{
    return with_wait(ctx, input, 3, 6, ret_result);
}

HANDLER(wait_after)
{
    PAWL_TRY(ask(ctx, input, NULL, ret_result));
    return pawl_wait_s(ctx, "after", 2);
}

/* Goes on after the callback's failure, and answers with what it said. */
static int catch_and_wait(struct pawl_context *ctx, struct pawl_value name,
                          const struct pawl_callback_options *options,
                          struct pawl_value *ret_result)
{
    int r = ask(ctx, name, options, NULL);

    if (r != PAWL_FAILED) {
        return r == 0 ? pawl_fail(ctx, "TestError", "the callback did not fail") : r;
    }
    *ret_result = pawl_value(pawl_json_quote(ctx, pawl_error(ctx)->message));
    return pawl_wait_s(ctx, "after", 2);
}

HANDLER(failure_caught)
{
    return catch_and_wait(ctx, input, NULL, ret_result);
}

HANDLER(timeout_caught)
{
    static const struct pawl_callback_options options = {.timeout_s = 3};

    return catch_and_wait(ctx, input, &options, ret_result);
}

/* Seconds since 1970 of an ISO time in UTC; -1 if it is none. */
static long long parse_time(const char *text)
{
    struct tm tm = {0};

    return text != NULL && strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) != NULL ? timegm(&tm) : -1;
}

/* The deserializer of a typed answer: its timestamp becomes a number. */
HANDLER(typed_answer)
{
    struct pawl_value answer;
    const char *time_text;

    PAWL_TRY(ask(ctx, input, NULL, &answer));
    time_text = pawl_json_unquote(ctx, json_member_text(ctx, answer, "timestamp"));
    *ret_result = pawl_format(ctx, "{\"received\":{\"id\":%s,\"message\":%s,\"timestamp\":%lld}}",
                              json_member_text(ctx, answer, "id").data,
                              json_member_text(ctx, answer, "message").data, parse_time(time_text));
    return 0;
}

HANDLER(numeric_answer)
{
    struct pawl_value answer;
    long long count;

    PAWL_TRY(ask(ctx, input, NULL, &answer));
    count = strtoll(answer.data, NULL, 10);
    *ret_result = pawl_format(ctx, "{\"count\":%lld,\"doubled\":%lld}", count, 2 * count);
    return 0;
}

static struct pawl_value both(struct pawl_context *ctx, struct pawl_value a, struct pawl_value b)
{
    return pawl_format(ctx, "[%s,%s]", a.data, b.data);
}

HANDLER(one_after_the_other)
{
    struct pawl_value a;
    struct pawl_value b;

    PAWL_TRY(ask(ctx, json_item_text(ctx, input, 0), NULL, &a));
    PAWL_TRY(ask(ctx, json_item_text(ctx, input, 1), NULL, &b));
    *ret_result = both(ctx, a, b);
    return 0;
}

static int create_both(struct pawl_context *ctx, struct pawl_value names,
                       struct pawl_callback *ret_a, struct pawl_callback *ret_b)
{
    PAWL_TRY(create(ctx, json_item_text(ctx, names, 0), NULL, ret_a));
    return create(ctx, json_item_text(ctx, names, 1), NULL, ret_b);
}

HANDLER(both_in_order)
{
    struct pawl_callback callback_a;
    struct pawl_callback callback_b;
    struct pawl_value a;
    struct pawl_value b;

    PAWL_TRY(create_both(ctx, input, &callback_a, &callback_b));
    PAWL_TRY(pawl_callback_result(ctx, &callback_a, &a));
    PAWL_TRY(pawl_callback_result(ctx, &callback_b, &b));
    *ret_result = both(ctx, a, b);
    return 0;
}

HANDLER(both_in_reverse)
{
    struct pawl_callback callback_a;
    struct pawl_callback callback_b;
    struct pawl_value a;
    struct pawl_value b;

    PAWL_TRY(create_both(ctx, input, &callback_a, &callback_b));
    PAWL_TRY(pawl_callback_result(ctx, &callback_b, &b));
    PAWL_TRY(pawl_callback_result(ctx, &callback_a, &a));
    *ret_result = both(ctx, a, b);
    return 0;
}

const struct pawl_handler callback_handlers[] = {
    {"4-1", basic},
    {"4-2", named},
    {"4-3", timeout},
    {"4-4", heartbeat_timeout},
    {"4-5", heartbeat},
    {"4-6", basic}, /* the failure goes up */
    {"4-7", step_between},
    {"4-8", step_and_timeout},
    {"4-9", wait_between},
    {"4-10", wait_between}, /* the failure goes up */
    {"4-11", wait_and_timeout},
    {"4-12", wait_after},
    {"4-13", failure_caught},
    {"4-14", timeout_caught},
    {"4-15", typed_answer},
    {"4-16", numeric_answer},
    {"4-17", one_after_the_other},
    {"4-18", both_in_order},
    {"4-19", both_in_reverse},
    {NULL, NULL},
};
