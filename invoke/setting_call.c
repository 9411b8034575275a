#include "invoke/setting_call.h"

struct function *setting_call_function(struct call *call)
{
    struct bytes qualifier;
    struct function *function = call_function(call, 0, &qualifier);

    if (function != NULL && qualifier.len > 0) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "This operation is permitted on Lambda functions only. Aliases and versions do "
                  "not support this operation. Please specify either a function name or an "
                  "unqualified function ARN.");
        return NULL;
    }
    return function;
}

struct setting_call *setting_call_make(struct call *call, int status)
{
    struct setting_call *setting = call_alloc(call, sizeof *setting);

    if (setting != NULL) {
        *setting = (struct setting_call){.call = call, .status = status};
    }
    return setting;
}

void setting_call_fail(struct call *call, int code)
{
    switch (code) {
    case FUNCTION_NOT_FOUND:
        call_fail(call, 404, "ResourceNotFoundException",
                  "The function, or what was to be deleted of it, does not exist.");
        break;
    case FUNCTION_BUSY:
        call_fail(call, 409, "ResourceConflictException",
                  "The operation cannot be performed at this time. Another change of the same "
                  "setting is in progress: try again.");
        break;
    case FUNCTION_TOO_LARGE:
        call_fail(call, 413, "RequestTooLargeException",
                  "All settings of a function together have at most %u bytes, one at most %u.",
                  SETTINGS_BYTES_MAX, SETTING_BYTES_MAX);
        break;
    case FUNCTION_TOO_MANY:
        call_fail(call, 402, "ServiceQuotaExceededException",
                  "A function has at most %u settings: aliases, configurations and the like.",
                  SETTINGS_MAX);
        break;
    case FUNCTION_FULL:
        call_fail_full(call);
        break;
    default:
        call_fail_change(call);
    }
}

void setting_call_done(void *arg, int status)
{
    const struct setting_call *setting = arg;
    struct call *call = setting->call;

    if (status != 0) {
        setting_call_fail(call, status);
    } else if (setting->status == 204) {
        call_respond(call, 204, NULL, bytes_of(NULL, 0));
    } else {
        call_answer(call, setting->status);
    }
}

void setting_call_put(struct call *call, struct function *function, enum setting_kind kind,
                      struct bytes name, struct bytes json, int status)
{
    struct setting_call *setting = setting_call_make(call, status);
    int r;

    if (setting == NULL) {
        return;
    }
    r = setting_put(driver_functions(call->service->driver), function, kind, name, json, setting,
                    setting_call_done);
    if (r != 0) {
        setting_call_fail(call, r);
    }
}
