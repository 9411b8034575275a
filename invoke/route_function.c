/* The control plane of functions. Changes are answered when they are durable. */
#include "invoke/function_answer.h"
#include "invoke/function_body.h"
#include "invoke/function_name.h"
#include "invoke/member.h"
#include "invoke/moment.h"
#include "invoke/routes.h"
#include "runtime/launcher.h"

#define LIST_ITEMS_MAX 50U /* of one page, whatever is asked: Lambda's */

/* One change under way; in the call's arena. The archive is on the heap: it is larger
 * than an arena should be. */
struct change {
    struct call *call;
    struct function_config config;
    struct buf archive;
    struct bytes name;
    bool is_create;
    bool is_delete;
};

static struct change *make_change(struct call *call)
{
    struct change *change = call_alloc(call, sizeof *change);

    if (change != NULL) {
        change->call = call;
    }
    return change;
}

static void answer_function(struct call *call, int status, const struct function *function,
                            struct bytes qualifier)
{
    function_answer_put(&call->out, function, qualifier);
    call_answer(call, status);
}

/* --- changes ---------------------------------------------------------------------------- */

static bool is_about_archive(const char *error)
{
    return strncmp(error, LAUNCHER_BLAMES_ARCHIVE, strlen(LAUNCHER_BLAMES_ARCHIVE)) == 0;
}

static void on_changed(void *arg, struct function *function, const char *error)
{
    struct change *change = arg;
    struct call *call = change->call;

    buf_fini(&change->archive);
    if (error == NULL) {
        driver_function_changed(call->service->driver, function);
    }
    if (error != NULL && is_about_archive(error)) {
        call_fail(call, 400, "InvalidParameterValueException", "Could not unzip uploaded file: %s",
                  error);
    } else if (error != NULL) {
        call_fail(call, 500, "ServiceException", "The code cannot be taken in now: %s. Try again.",
                  error);
    } else if (change->is_delete) {
        call_respond(call, 204, NULL, bytes_of(NULL, 0));
    } else {
        answer_function(call, change->is_create ? 201 : 200, function, bytes_of("", 0));
    }
}

static void fail_problem(struct change *change, const struct problem *problem)
{
    buf_fini(&change->archive);
    call_fail_problem(change->call, problem);
}

/* What the functions said at once: `code` is one of enum FUNCTION_..., or an error. */
static void fail_change(struct change *change, int code)
{
    struct call *call = change->call;
    int len = (int)change->name.len;
    const char *name = (const char *)change->name.data;

    buf_fini(&change->archive);
    switch (code) {
    case FUNCTION_EXISTS:
        call_fail(call, 409, "ResourceConflictException", "Function already exist: %.*s", len,
                  name);
        break;
    case FUNCTION_NOT_FOUND:
        call_fail(call, 404, "ResourceNotFoundException", "Function not found: %.*s", len, name);
        break;
    case FUNCTION_TOO_LARGE:
        call_fail(call, 413, "RequestTooLargeException",
                  "The archive or the settings of the function are too large.");
        break;
    case FUNCTION_BUSY:
        call_fail(call, 409, "ResourceConflictException",
                  "The operation cannot be performed at this time. An update is in progress for "
                  "resource: %.*s",
                  len, name);
        break;
    case FUNCTION_FULL:
        call_fail(call, 429, "TooManyRequestsException",
                  "There are too many functions, or the journal takes no new work: see 'pawl "
                  "status'.");
        break;
    default:
        call_fail(call, 500, "ServiceException",
                  "The change could not be made: the daemon's log says why.");
    }
}

static bool read_new(struct change *change, struct problem *problem)
{
    struct call *call = change->call;
    json_t *code = NULL;

    function_body_default(&change->config);
    if (!member_object(call->json, "Code", &code, problem) ||
        !function_body_read(call->json, true, http_arena(call->request), &change->config,
                            problem)) {
        return false;
    }
    return function_body_read_code(code, &change->archive, problem);
}

/* The name is in the body here. NULL data: answered. */
static struct bytes read_name(struct call *call)
{
    struct problem problem = {0};
    struct bytes text = {0};
    struct bytes qualifier;

    if (!member_bytes(call->json, "FunctionName", 140, &text, &problem)) {
        call_fail_problem(call, &problem);
        return (struct bytes){0};
    }
    if (text.data == NULL) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "1 validation error detected: Value null at 'functionName' failed to satisfy "
                  "constraint: Member must not be null");
        return (struct bytes){0};
    }
    text = call_function_name(call, text, &qualifier);
    if (text.data != NULL && qualifier.len > 0) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "A function is created without a qualifier.");
        return (struct bytes){0};
    }
    return text;
}

void route_create_function(struct call *call, const struct principal *principal)
{
    struct problem problem = {0};
    struct functions *functions = driver_functions(call->service->driver);
    struct change *change;
    int r;

    (void)principal;
    if (!call_read_json(call)) {
        return;
    }
    change = make_change(call);
    if (change == NULL) {
        return;
    }
    change->is_create = true;
    change->name = read_name(call);
    if (change->name.data == NULL) {
        return;
    }
    if (!read_new(change, &problem)) {
        fail_problem(change, &problem);
        return;
    }
    r = function_create(functions, change->name, &change->config, buf_bytes(&change->archive),
                        moment_now_ms(), change, on_changed);
    if (r != 0) {
        fail_change(change, r);
    }
}

/* Lambda's optimistic lock. */
static bool check_revision(struct call *call, const struct function *function)
{
    struct problem problem = {0};
    const char *wanted = NULL;
    char present[ID_TEXT_LEN + 1];

    if (!member_text(call->json, "RevisionId", 64, &wanted, &problem)) {
        call_fail_problem(call, &problem);
        return false;
    }
    id_format(&function->latest->revision_id, present);
    if (wanted != NULL && strcmp(wanted, present) != 0) {
        call_fail(call, 412, "PreconditionFailedException",
                  "The RevisionId provided does not match the latest RevisionId. Call the "
                  "GetFunction/GetAlias API to retrieve the latest RevisionId");
        return false;
    }
    return true;
}

/* The function of an update, with the body read; NULL: answered. */
static struct function *begin_update(struct call *call, struct change **ret_change)
{
    struct bytes qualifier;
    struct function *function;

    if (!call_read_json(call)) {
        return NULL;
    }
    function = call_function(call, 0, &qualifier);
    if (function == NULL || !check_revision(call, function)) {
        return NULL;
    }
    *ret_change = make_change(call);
    if (*ret_change == NULL) {
        return NULL;
    }
    (*ret_change)->name = bytes_of_text(function->name);
    return function;
}

static void update(struct change *change, struct function *function,
                   const struct function_config *config)
{
    int r = function_update(driver_functions(change->call->service->driver), function, config,
                            buf_bytes(&change->archive), moment_now_ms(), change, on_changed);

    if (r != 0) {
        fail_change(change, r);
    }
}

void route_update_function_code(struct call *call, const struct principal *principal)
{
    struct problem problem = {0};
    struct change *change = NULL;
    struct function *function = begin_update(call, &change);
    bool is_publish = false;
    bool is_dry_run = false;

    (void)principal;
    if (function == NULL) {
        return;
    }
    if (!member_flag(call->json, "Publish", &is_publish, &problem) ||
        !member_flag(call->json, "DryRun", &is_dry_run, &problem) ||
        (is_publish && !problem_invalid(&problem, "Versions are not offered by this version of "
                                                  "Pawl: leave out Publish.")) ||
        !function_body_read_code(call->json, &change->archive, &problem)) {
        fail_problem(change, &problem);
        return;
    }
    if (is_dry_run) {
        buf_fini(&change->archive);
        answer_function(call, 200, function, bytes_of("", 0));
        return;
    }
    update(change, function, NULL);
}

void route_update_function_configuration(struct call *call, const struct principal *principal)
{
    struct problem problem = {0};
    struct change *change = NULL;
    struct function *function = begin_update(call, &change);

    (void)principal;
    if (function == NULL) {
        return;
    }
    change->config = function->latest->config;
    if (!function_body_read(call->json, false, http_arena(call->request), &change->config,
                            &problem)) {
        fail_problem(change, &problem);
        return;
    }
    update(change, function, &change->config);
}

void route_delete_function(struct call *call, const struct principal *principal)
{
    struct bytes qualifier;
    struct function *function = call_function(call, 0, &qualifier);
    struct change *change;
    int r;

    (void)principal;
    if (function == NULL) {
        return;
    }
    if (qualifier.len > 0) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "$LATEST version cannot be deleted without deleting the function.");
        return;
    }
    change = make_change(call);
    if (change == NULL) {
        return;
    }
    change->is_delete = true;
    change->name = bytes_of_text(function->name);
    r = function_delete(driver_functions(call->service->driver), function, change, on_changed);
    if (r != 0) {
        fail_change(change, r);
    }
}

/* --- reading ------------------------------------------------------------------------------ */

void route_get_function_configuration(struct call *call, const struct principal *principal)
{
    struct bytes qualifier;
    struct function *function = call_function(call, 0, &qualifier);

    (void)principal;
    if (function != NULL) {
        answer_function(call, 200, function, qualifier);
    }
}

void route_get_function(struct call *call, const struct principal *principal)
{
    struct bytes qualifier;
    struct function *function = call_function(call, 0, &qualifier);

    (void)principal;
    if (function == NULL) {
        return;
    }
    json_open(&call->out, '{');
    json_key(&call->out, "Configuration");
    function_answer_put(&call->out, function, qualifier);
    json_key(&call->out, "Code");
    json_open(&call->out, '{');
    json_key(&call->out, "RepositoryType");
    json_text(&call->out, "Pawl"); /* stored here: there is no place to fetch it from */
    json_close(&call->out, '}');
    function_answer_put_tags(&call->out, function);
    json_close(&call->out, '}');
    call_answer(call, 200);
}

/* The marker is the last name of the page before. */
void route_list_functions(struct call *call, const struct principal *principal)
{
    const struct functions *functions = driver_functions(call->service->driver);
    const struct function *function;
    struct bytes after;
    uint32_t items_max;
    uint32_t count = 0;

    (void)principal;
    if (!call_query_number(call, "MaxItems", 10000, LIST_ITEMS_MAX, &items_max) ||
        !call_query(call, "Marker", &after)) {
        return;
    }
    if (after.len > 0 && !function_name_is_plain(after)) {
        call_fail(call, 400, "InvalidParameterValueException", "The Marker is not one of ours.");
        return;
    }
    items_max = (items_max < LIST_ITEMS_MAX) ? items_max : LIST_ITEMS_MAX;
    json_open(&call->out, '{');
    json_key(&call->out, "Functions");
    json_open(&call->out, '[');
    function = function_next(functions, after);
    for (; function != NULL && count < items_max; count++) {
        json_element(&call->out);
        function_answer_put(&call->out, function, bytes_of("", 0));
        after = bytes_of_text(function->name);
        function = function_next(functions, after);
    }
    json_close(&call->out, ']');
    if (function != NULL) {
        json_key(&call->out, "NextMarker");
        json_quoted(&call->out, after);
    }
    json_close(&call->out, '}');
    call_answer(call, 200);
}
