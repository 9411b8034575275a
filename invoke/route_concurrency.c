/* Reserved concurrency of functions: the number, as Lambda's three operations. */
#include "engine/driver/concurrency.h"
#include "invoke/member.h"
#include "invoke/routes.h"
#include "invoke/setting_call.h"

#define RESERVED "ReservedConcurrentExecutions"

static bool read_reserved(struct call *call, uint32_t *ret_reserved)
{
    struct problem problem = {0};
    bool is_good = call_read_json(call);

    if (!is_good) {
        return false;
    }
    if (member_get(call->json, RESERVED) == NULL) {
        is_good = problem_invalid(&problem,
                                  "1 validation error detected: Value null at "
                                  "'reservedConcurrentExecutions' failed to satisfy constraint: "
                                  "Member must not be null");
    }
    if (!is_good || !member_number(call->json, RESERVED, 0, INT32_MAX, ret_reserved, &problem)) {
        call_fail_problem(call, &problem);
        return false;
    }
    return true;
}

void route_put_concurrency(struct call *call, const struct principal *principal)
{
    struct driver *driver = call->service->driver;
    struct function *function;
    struct setting_call *setting;
    uint32_t reserved = 0;
    int r;

    (void)principal;
    if (!read_reserved(call, &reserved)) {
        return;
    }
    function = setting_call_function(call);
    setting = (function != NULL) ? setting_call_make(call, 200) : NULL;
    if (setting == NULL) {
        return;
    }
    json_open(&call->out, '{');
    json_key(&call->out, RESERVED);
    json_int(&call->out, reserved);
    json_close(&call->out, '}');
    r = concurrency_reserve(driver, function, reserved, setting, setting_call_done);
    if (r == CONCURRENCY_TOO_LITTLE_LEFT) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "Specified ReservedConcurrentExecutions for function decreases account's "
                  "UnreservedConcurrentExecution below its minimum value of [%u]. The account has "
                  "%u (concurrency_max of the daemon's configuration), of which %u are not "
                  "reserved.",
                  CONCURRENCY_UNRESERVED_MIN, concurrency_limit(driver),
                  concurrency_unreserved(driver));
    } else if (r != 0) {
        setting_call_fail(call, r);
    }
}

void route_get_concurrency(struct call *call, const struct principal *principal)
{
    const struct function *function = setting_call_function(call);
    uint32_t reserved = 0;

    (void)principal;
    if (function == NULL) {
        return;
    }
    json_open(&call->out, '{');
    if (concurrency_reserved(function, &reserved)) {
        json_key(&call->out, RESERVED);
        json_int(&call->out, reserved);
    }
    json_close(&call->out, '}');
    call_answer(call, 200);
}

/* None to delete is what was wanted. */
void route_delete_concurrency(struct call *call, const struct principal *principal)
{
    struct function *function = setting_call_function(call);
    struct setting_call *setting = (function != NULL) ? setting_call_make(call, 204) : NULL;
    uint32_t reserved;
    int r;

    (void)principal;
    if (setting == NULL) {
        return;
    }
    r = concurrency_release(call->service->driver, function, setting, setting_call_done);
    if (r == FUNCTION_NOT_FOUND && !concurrency_reserved(function, &reserved)) {
        call_respond(call, 204, NULL, bytes_of(NULL, 0));
    } else if (r != 0) {
        setting_call_fail(call, r);
    }
}
