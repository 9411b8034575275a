/* Provisioned concurrency of versions and aliases. */
#include "engine/driver/provisioned.h"
#include "invoke/function_answer.h"
#include "invoke/member.h"
#include "invoke/moment.h"
#include "invoke/routes.h"
#include "invoke/setting_call.h"

#define REQUESTED "ProvisionedConcurrentExecutions"

static void put_number(struct buf *json, const char *key, uint32_t number)
{
    json_key(json, key);
    json_int(json, number);
}

static void put_members(struct buf *json, const struct provisioned *provisioned)
{
    static const char *const statuses[] = {
        [PROVISIONED_IN_PROGRESS] = "IN_PROGRESS",
        [PROVISIONED_READY] = "READY",
        [PROVISIONED_FAILED] = "FAILED",
    };
    char moment[MOMENT_TEXT_MAX];

    put_number(json, "RequestedProvisionedConcurrentExecutions", provisioned->requested);
    put_number(json, "AllocatedProvisionedConcurrentExecutions", provisioned->allocated);
    put_number(json, "AvailableProvisionedConcurrentExecutions", provisioned->available);
    json_key(json, "Status");
    json_text(json, statuses[provisioned->status]);
    if (provisioned->status == PROVISIONED_FAILED) {
        json_key(json, "StatusReason");
        json_text(json, "An environment could not be started: the function's log says why. It is "
                        "tried again every minute.");
    }
    json_key(json, "LastModified");
    json_text(json, moment_format(moment, provisioned->modified_ms));
}

/* The function, with the qualifier of a version or alias; NULL: answered. */
static struct function *find(struct call *call, struct bytes *ret_qualifier)
{
    struct function_revision *revision = call_revision(call, 0, ret_qualifier);

    if (revision == NULL) {
        return NULL;
    }
    if (revision->version == 0) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "Provisioned Concurrency Configs cannot be applied to unpublished function "
                  "versions.");
        return NULL;
    }
    return revision->function;
}

static void fail_absent(struct call *call)
{
    call_fail(call, 404, "ProvisionedConcurrencyConfigNotFoundException",
              "No Provisioned Concurrency Config found for this function");
}

/* --- changes ------------------------------------------------------------------------------ */

struct put {
    struct call *call;
    struct function *function;
    struct bytes qualifier; /* of the request */
};

static void on_put(void *arg, int status)
{
    const struct put *put = arg;
    struct call *call = put->call;
    struct provisioned provisioned;

    if (status != 0) {
        setting_call_fail(call, status);
        return;
    }
    if (!provisioned_find(call->service->driver, put->function, put->qualifier, &provisioned)) {
        fail_absent(call);
        return;
    }
    json_open(&call->out, '{');
    put_members(&call->out, &provisioned);
    json_close(&call->out, '}');
    call_answer(call, 202);
}

static void refuse(struct call *call, int code)
{
    const struct driver *driver = call->service->driver;

    switch (code) {
    case PROVISIONED_TOO_MANY:
        call_fail(call, 400, "InvalidParameterValueException",
                  "Requested Provisioned Concurrency is more than this daemon gives: all functions "
                  "together have %u environments so (half of environments_max), one version at "
                  "most environments_each_max.",
                  provisioned_max(driver));
        break;
    case PROVISIONED_PER_TENANT:
        call_fail(call, 400, "InvalidParameterValueException",
                  "Provisioned Concurrency is not for functions with TenancyConfig PER_TENANT.");
        break;
    case PROVISIONED_WEIGHTED:
        call_fail(call, 400, "InvalidParameterValueException",
                  "Alias with weights can not be used with Provisioned Concurrency");
        break;
    default:
        setting_call_fail(call, code);
    }
}

static bool read_requested(struct call *call, uint32_t *requested)
{
    struct problem problem = {0};

    if (!call_read_json(call)) {
        return false;
    }
    if (member_number(call->json, REQUESTED, 1, INT32_MAX, requested, &problem) &&
        (*requested > 0 ||
         problem_invalid(&problem, "1 validation error detected: Value null at "
                                   "'provisionedConcurrentExecutions' failed to satisfy "
                                   "constraint: Member must not be null"))) {
        return true;
    }
    call_fail_problem(call, &problem);
    return false;
}

void route_put_provisioned(struct call *call, const struct principal *principal)
{
    struct bytes qualifier;
    struct function *function;
    uint32_t requested = 0;
    struct put *put;
    int r;

    (void)principal;
    if (!read_requested(call, &requested)) {
        return;
    }
    function = find(call, &qualifier);
    put = (function != NULL) ? call_alloc(call, sizeof *put) : NULL;
    if (put == NULL) {
        return;
    }
    *put = (struct put){.call = call, .function = function, .qualifier = qualifier};
    r = provisioned_put(call->service->driver, function, qualifier, requested, moment_now_ms(), put,
                        on_put);
    if (r != 0) {
        refuse(call, r);
    }
}

void route_delete_provisioned(struct call *call, const struct principal *principal)
{
    struct bytes qualifier;
    struct function *function = find(call, &qualifier);
    struct setting_call *setting = (function != NULL) ? setting_call_make(call, 204) : NULL;
    int r;

    (void)principal;
    if (setting == NULL) {
        return;
    }
    r = provisioned_delete(call->service->driver, function, qualifier, setting, setting_call_done);
    if (r == FUNCTION_NOT_FOUND) {
        fail_absent(call);
    } else if (r != 0) {
        setting_call_fail(call, r);
    }
}

/* --- reading ------------------------------------------------------------------------------- */

static void get_one(struct call *call)
{
    struct bytes qualifier;
    const struct function *function = find(call, &qualifier);
    struct provisioned provisioned;

    if (function == NULL) {
        return;
    }
    if (!provisioned_find(call->service->driver, function, qualifier, &provisioned)) {
        fail_absent(call);
        return;
    }
    json_open(&call->out, '{');
    put_members(&call->out, &provisioned);
    json_close(&call->out, '}');
    call_answer(call, 200);
}

static void put_item(struct buf *json, const struct function *function,
                     const struct provisioned *provisioned)
{
    json_element(json);
    json_open(json, '{');
    function_answer_put_arn(json, "FunctionArn", function, provisioned->qualifier);
    put_members(json, provisioned);
    json_close(json, '}');
}

static void list_all(struct call *call)
{
    const struct driver *driver = call->service->driver;
    const struct function *function = setting_call_function(call);
    struct provisioned provisioned;
    struct bytes after;
    uint32_t items_max;
    bool is_more;

    if (function == NULL || !call_page(call, &items_max) || !call_query(call, "Marker", &after)) {
        return;
    }
    json_open(&call->out, '{');
    json_key(&call->out, "ProvisionedConcurrencyConfigs");
    json_open(&call->out, '[');
    is_more = provisioned_next(driver, function, after, &provisioned);
    for (uint32_t count = 0; is_more && count < items_max; count++) {
        put_item(&call->out, function, &provisioned);
        after = provisioned.qualifier;
        is_more = provisioned_next(driver, function, after, &provisioned);
    }
    json_close(&call->out, ']');
    if (is_more) {
        json_key(&call->out, "NextMarker");
        json_quoted(&call->out, after);
    }
    json_close(&call->out, '}');
    call_answer(call, 200);
}

/* Both have the same path; the list is told by its query. */
void route_get_provisioned(struct call *call, const struct principal *principal)
{
    struct bytes list;

    (void)principal;
    if (!call_query(call, "List", &list)) {
        return;
    }
    if (list.len == 0) {
        get_one(call);
    } else if (bytes_equal(list, bytes_of_text("ALL"))) {
        list_all(call);
    } else {
        call_fail(call, 400, "InvalidParameterValueException",
                  "The query parameter List must be ALL.");
    }
}
