/* A workflow as a user builds it: linked with the packed libpawl.a alone, with names of
 * its own that libpawl uses inside. */
#include <stdio.h>
#include <string.h>

#include <pawl/pawl.h>

int buf_append(int value);
int list_init(int value);

int buf_append(int value)
{
    return value + 1;
}

int list_init(int value)
{
    return value + 2;
}

static int add(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    *ret_result = pawl_format(ctx, "%d", buf_append(*(int *)arg));
    return PAWL_OK;
}

static int first(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    int number = list_init((int)input.len);

    return pawl_step(ctx, "add", add, &number, NULL, ret);
}

static int second(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)ctx;
    (void)input;
    *ret = pawl_value("\"second\"");
    return PAWL_OK;
}

int main(void)
{
    static const struct pawl_handler handlers[] = {
        {"first", first}, {"second", second}, {NULL, NULL}};

    return pawl_main(handlers);
}
