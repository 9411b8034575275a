/* Functions for the tests of invoking; which one runs is decided by the name in _HANDLER. */
#include <pawl/pawl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *quoted(struct pawl_context *ctx, const char *text)
{
    return (text != NULL) ? pawl_printf(ctx, "\"%s\"", text) : "null";
}

/* What the daemon says of the invocation. */
static int facts(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    const struct pawl_invocation *of = pawl_invocation(ctx);

    (void)input;
    *ret = pawl_value(pawl_printf(
        ctx, "{\"requestId\":%s,\"functionArn\":%s,\"tenantId\":%s,\"traceId\":%s,\"context\":%s}",
        quoted(ctx, of->request_id), quoted(ctx, of->function_arn), quoted(ctx, of->tenant_id),
        quoted(ctx, of->trace_id),
        (of->client_context != NULL && of->client_context[0] != '\0') ? of->client_context
                                                                      : "null"));
    return 0;
}

/* The same after a pause: of an execution's second invocation. */
static int later_facts(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    PAWL_TRY(pawl_wait_s(ctx, "pause", 1));
    return facts(ctx, input, ret);
}

static int talks(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    pawl_info(ctx, "what it logged");
    (void)printf("what it printed\n");
    (void)fflush(stdout);
    *ret = input;
    return 0;
}

static int keeps(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)ctx;
    *ret = input;
    return 0;
}

static int fails(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)input;
    (void)ret;
    return pawl_fail(ctx, "Broken", "it never works");
}

static int crashes(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)ctx;
    (void)input;
    (void)ret;
    _exit(3);
}

/* Some text that is no JSON. */
static int mumbles(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)ctx;
    (void)input;
    *ret = pawl_value("not \"JSON\"");
    return 0;
}

/* A JSON text of as many bytes as the input says. */
static int fills(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    size_t len = strtoul(input.data, NULL, 10);
    char *text = pawl_alloc(ctx, len + 1);

    if (len < 2 || text == NULL) {
        return pawl_fail(ctx, "Broken", "so many bytes are not to be had");
    }
    memset(text, 'x', len);
    text[0] = '"';
    text[len - 1] = '"';
    *ret = (struct pawl_value){text, len};
    return 0;
}

/* Which version runs, and how it was deployed. */
static int version(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)input;
    *ret = pawl_value(pawl_printf(ctx, "{\"version\":%s,\"mark\":%s,\"arn\":%s}",
                                  quoted(ctx, getenv("AWS_LAMBDA_FUNCTION_VERSION")),
                                  quoted(ctx, getenv("MARK")),
                                  quoted(ctx, pawl_invocation(ctx)->function_arn)));
    return 0;
}

/* The same after somebody's answer, in another invocation. */
static int tell(struct pawl_context *ctx, const char *callback_id, void *arg)
{
    (void)ctx;
    (void)callback_id;
    (void)arg;
    return 0;
}

static int later_version(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    struct pawl_value answer;

    PAWL_TRY(pawl_wait_for_callback(ctx, "ask", tell, NULL, NULL, &answer));
    return version(ctx, input, ret);
}

/* Of the function that the input, a JSON text, names. */
static int others_version(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    return pawl_invoke(ctx, "other", pawl_json_unquote(ctx, input), pawl_value("null"), NULL, ret);
}

/* Invokes the function that the input names, with the same input. */
static int circles(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    return pawl_invoke(ctx, "round", pawl_json_unquote(ctx, input), input, NULL, ret);
}

/* The text of the file in /opt that the input names; null: there is none. */
static int reads(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    const char *name = pawl_json_unquote(ctx, input);
    char text[256] = "";
    FILE *file = fopen(pawl_printf(ctx, "/opt/%s", (name != NULL) ? name : ""), "re");

    if (file == NULL) {
        *ret = pawl_value("null");
        return 0;
    }
    (void)fgets(text, sizeof text, file);
    (void)fclose(file);
    *ret = pawl_value(quoted(ctx, text));
    return 0;
}

/* The same after somebody's answer, in another invocation. */
static int later_reads(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    struct pawl_value answer;

    PAWL_TRY(pawl_wait_for_callback(ctx, "ask", tell, NULL, NULL, &answer));
    return reads(ctx, input, ret);
}

static int waits_for_ever(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    *ret = input;
    return pawl_wait_s(ctx, "for ever", 86400);
}

static int waits(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    *ret = input;
    return pawl_wait_s(ctx, "a while", 3);
}

/* Thinks for two seconds before it answers. */
static int ponders(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)ctx;
    (void)sleep(2);
    *ret = input;
    return 0;
}

/* Until the file that the input names is in the directory HELD_DIR. */
static int is_held(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    const char *dir = getenv("HELD_DIR");
    const char *path = (dir != NULL && input.len > 2)
                           ? pawl_printf(ctx, "%s/%.*s", dir, (int)input.len - 2, input.data + 1)
                           : NULL;

    if (path == NULL) {
        return pawl_fail(ctx, "Broken", "HELD_DIR and a file's name are needed");
    }
    while (access(path, F_OK) != 0) {
        (void)usleep(5000); /* the function's timeout ends it otherwise */
    }
    *ret = input;
    return 0;
}

static const struct pawl_handler handlers[] = {
    {"ponders", ponders},
    {"facts", facts},
    {"later-facts", later_facts},
    {"talks", talks},
    {"keeps", keeps},
    {"fails", fails},
    {"crashes", crashes},
    {"mumbles", mumbles},
    {"fills", fills},
    {"version", version},
    {"later-version", later_version},
    {"others-version", others_version},
    {"circles", circles},
    {"reads", reads},
    {"later-reads", later_reads},
    {"waits-for-ever", waits_for_ever},
    {"waits", waits},
    {"is-held", is_held},
    {NULL, NULL},
};

int main(void)
{
    return pawl_main(handlers);
}
