/* The smallest workflow: a step, a pause that holds no process, another step. */
#include <pawl/pawl.h>

static int greet(struct pawl_context *ctx, void *arg, struct pawl_value *ret_greeting)
{
    const char *name = arg;

    pawl_info(ctx, "saying hello");
    *ret_greeting =
        pawl_format(ctx, "%s", pawl_json_quote(ctx, pawl_printf(ctx, "hello, %s", name)));
    return 0;
}

static int part(struct pawl_context *ctx, void *arg, struct pawl_value *ret_parting)
{
    const struct pawl_value *greeting = arg;

    pawl_info(ctx, "saying goodbye");
    *ret_parting = pawl_format(ctx, "{\"said\":%s,\"then\":\"goodbye\"}", greeting->data);
    return 0;
}

static int handler(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret_result)
{
    char *name = pawl_json_unquote(ctx, input);
    struct pawl_value greeting;

    if (name == NULL) {
        return pawl_fail(ctx, "BadInput", "the input is a name, as a JSON string");
    }
    PAWL_TRY(pawl_step(ctx, "greet", greet, name, NULL, &greeting));
    PAWL_TRY(pawl_wait_s(ctx, "pause", 2));
    return pawl_step(ctx, "part", part, &greeting, NULL, ret_result);
}

int main(void)
{
    return pawl_run(handler);
}
