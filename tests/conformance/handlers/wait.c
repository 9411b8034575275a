/* Suite wait: requirements 2-N. */
#include "tests/conformance/handlers/handlers.h"

#define HANDLER(name)                                                                              \
    static int name(struct pawl_context *ctx, struct pawl_value input,                             \
                    struct pawl_value *ret_result)

HANDLER(basic)
{
    (void)input;
    (void)ret_result;
    return pawl_wait_s(ctx, NULL, 2);
}

HANDLER(named)
{
    (void)input;
    (void)ret_result;
    return pawl_wait_s(ctx, "custom_wait_name", 2);
}

HANDLER(two_waits)
{
    (void)input;
    PAWL_TRY(pawl_wait_s(ctx, "wait-1", 2));
    PAWL_TRY(pawl_wait_s(ctx, "wait-2", 2));
    *ret_result = pawl_value("{\"completedWaits\":2}");
    return 0;
}

HANDLER(one_minute)
{
    (void)input;
    (void)ret_result;
    return pawl_wait_s(ctx, NULL, 60);
}

HANDLER(one_hour)
{
    (void)input;
    (void)ret_result;
    return pawl_wait_s(ctx, NULL, 60 * 60);
}

const struct pawl_handler wait_handlers[] = {
    {"2-1", basic},      {"2-2", named},    {"2-3", two_waits},
    {"2-4", one_minute}, {"2-5", one_hour}, {NULL, NULL},
};
