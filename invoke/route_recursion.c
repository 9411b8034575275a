/* What is to happen to a function that invokes itself in a loop: stored and shown. */
#include "invoke/member.h"
#include "invoke/routes.h"
#include "invoke/setting_call.h"

#define NO_NAME bytes_of("", 0)

static void write_config(struct buf *json, const char *loop)
{
    json_open(json, '{');
    json_key(json, "RecursiveLoop");
    json_text(json, loop);
    json_close(json, '}');
}

static bool read_loop(struct call *call, const char **loop, struct problem *problem)
{
    if (!member_text(call->json, "RecursiveLoop", 16, loop, problem)) {
        return false;
    }
    return (*loop != NULL && (strcmp(*loop, "Allow") == 0 || strcmp(*loop, "Terminate") == 0)) ||
           problem_invalid(problem,
                           "1 validation error detected: Value '%s' at 'recursiveLoop' failed to "
                           "satisfy constraint: Member must satisfy enum value set: [Allow, "
                           "Terminate]",
                           (*loop != NULL) ? *loop : "null");
}

void route_put_recursion(struct call *call, const struct principal *principal)
{
    struct problem problem = {0};
    const char *loop = NULL;
    struct function *function;

    (void)principal;
    if (!call_read_json(call)) {
        return;
    }
    function = setting_call_function(call);
    if (function == NULL) {
        return;
    }
    if (!read_loop(call, &loop, &problem)) {
        call_fail_problem(call, &problem);
        return;
    }
    write_config(&call->out, loop);
    if (call->out.failed) {
        call_fail_memory(call);
        return;
    }
    setting_call_put(call, function, SETTING_RECURSION, NO_NAME, buf_bytes(&call->out), 200);
}

void route_get_recursion(struct call *call, const struct principal *principal)
{
    const struct function *function = setting_call_function(call);
    struct bytes stored;

    (void)principal;
    if (function == NULL) {
        return;
    }
    stored = setting_find(function, SETTING_RECURSION, NO_NAME);
    if (stored.data != NULL) {
        buf_append(&call->out, stored.data, stored.len);
    } else {
        write_config(&call->out, "Terminate");
    }
    call_answer(call, 200);
}
