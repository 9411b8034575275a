/* Functions for the tests of Invoke: each says what it was given, or ends in some way. Which
 * one runs is decided by the name in _HANDLER. */
#include <pawl/pawl.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LARGE_BYTES_MAX (64U << 20U)

#define HANDLER(name)                                                                              \
    static int name(struct pawl_context *ctx, struct pawl_value input,                             \
                    struct pawl_value *ret_result)

HANDLER(echo)
{
    (void)ctx;
    *ret_result = input;
    return 0;
}

HANDLER(nothing)
{
    (void)ctx;
    (void)input;
    (void)ret_result;
    return 0;
}

HANDLER(context)
{
    const struct pawl_invocation *invocation = pawl_invocation(ctx);

    (void)input;
    *ret_result = pawl_format(
        ctx,
        "{\"requestId\":%s,\"functionArn\":%s,\"tenantId\":%s,\"traceId\":%s,"
        "\"clientContext\":%s,\"timeLeftMs\":%lld,\"hasInput\":%s}",
        pawl_json_quote(ctx, invocation->request_id),
        pawl_json_quote(ctx, invocation->function_arn), pawl_json_quote(ctx, invocation->tenant_id),
        pawl_json_quote(ctx, invocation->trace_id),
        pawl_json_quote(ctx, invocation->client_context), (long long)pawl_time_left_ms(ctx),
        (input.data != NULL) ? "true" : "false");
    return 0;
}

HANDLER(environment)
{
    const char *names[] = {"AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_REGION",
                           "COLOUR"};
    const char *values[4];

    (void)input;
    for (size_t i = 0; i < 4; i++) {
        const char *value = getenv(names[i]);

        values[i] = pawl_json_quote(ctx, (value != NULL) ? value : "");
    }
    *ret_result = pawl_format(ctx, "{\"name\":%s,\"version\":%s,\"region\":%s,\"colour\":%s}",
                              values[0], values[1], values[2], values[3]);
    return 0;
}

/* As many lines as the number that it is given. */
HANDLER(lines)
{
    long count = strtol(input.data, NULL, 10);

    for (long i = 1; i <= count; i++) {
        (void)printf("line %ld of %ld\n", i, count);
    }
    (void)fflush(stdout);
    return nothing(ctx, input, ret_result);
}

/* In its log. */
HANDLER(shows)
{
    (void)printf("GIVEN %.*s\n", (int)input.len, (input.data != NULL) ? input.data : "");
    (void)fflush(stdout);
    return nothing(ctx, input, ret_result);
}

HANDLER(fails)
{
    const struct pawl_error error = {
        .type = "Declined", .message = "card 1234", .data = "{\"code\":7}"};

    (void)input;
    (void)ret_result;
    return pawl_fail_with(ctx, &error);
}

HANDLER(sleeps)
{
    struct timespec time = {.tv_sec = strtol(input.data, NULL, 10)};

    (void)nanosleep(&time, NULL);
    return nothing(ctx, input, ret_result);
}

HANDLER(exits)
{
    (void)ctx;
    (void)ret_result;
    _exit((int)strtol(input.data, NULL, 10));
}

HANDLER(dies)
{
    (void)raise(SIGKILL);
    return nothing(ctx, input, ret_result);
}

/* A JSON string of so many bytes, its quotes included. */
HANDLER(large)
{
    unsigned long bytes = strtoul(input.data, NULL, 10);
    char *text;

    if (bytes < 2 || bytes > LARGE_BYTES_MAX) {
        return pawl_fail(ctx, "TestError", "how large?");
    }
    text = pawl_alloc(ctx, bytes);
    memset(text, 'x', bytes);
    text[0] = '"';
    text[bytes - 1] = '"';
    *ret_result = (struct pawl_value){.data = text, .len = bytes};
    return 0;
}

static int count_step(struct pawl_context *ctx, void *arg, struct pawl_value *ret)
{
    *ret = pawl_format(ctx, "%d", *(int *)arg);
    return 0;
}

/* A step, a wait of so many seconds, a step. */
HANDLER(pauses)
{
    int numbers[] = {1, 2};

    PAWL_TRY(pawl_step(ctx, "before", count_step, &numbers[0], NULL, NULL));
    PAWL_TRY(pawl_wait_s(ctx, "pause", (uint32_t)strtoul(input.data, NULL, 10)));
    return pawl_step(ctx, "after", count_step, &numbers[1], NULL, ret_result);
}

HANDLER(asks)
{
    struct pawl_callback callback;

    (void)input;
    PAWL_TRY(pawl_callback_create(ctx, "answer", NULL, &callback));
    return pawl_callback_result(ctx, &callback, ret_result);
}

int main(void)
{
    static const struct pawl_handler handlers[] = {
        {"echo", echo},   {"nothing", nothing}, {"context", context}, {"environment", environment},
        {"lines", lines}, {"fails", fails},     {"sleeps", sleeps},   {"exits", exits},
        {"dies", dies},   {"large", large},     {"pauses", pauses},   {"asks", asks},
        {"shows", shows}, {NULL, NULL},
    };

    return pawl_main(handlers);
}
