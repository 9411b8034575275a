/* When AWS would move a function to a newer build of its runtime: stored and shown, by version.
 * Here an operator's runtime is one directory, and what is in it runs. */
#include <inttypes.h>
#include <stdio.h>

#include "invoke/function_answer.h"
#include "invoke/json_tree.h"
#include "invoke/member.h"
#include "invoke/routes.h"
#include "invoke/setting_call.h"

#define VERSION_ARN_MAX 2048U

struct management {
    const char *update_on;
    const char *version_arn; /* NULL: none */
};

struct subject {
    struct function *function;
    struct bytes qualifier; /* as it was asked for */
    struct bytes version;   /* that it leads to: what it is stored by */
};

static bool find(struct call *call, struct subject *subject)
{
    const struct function_revision *revision = call_revision(call, 0, &subject->qualifier);
    char *text;
    int len;

    if (revision == NULL) {
        return false;
    }
    subject->function = revision->function;
    subject->version = bytes_of_text("$LATEST");
    if (revision->version == 0) {
        return true;
    }
    text = call_alloc(call, 24);
    if (text == NULL) {
        return false;
    }
    len = snprintf(text, 24, "%" PRIu64, (uint64_t)revision->version);
    subject->version = bytes_of(text, (size_t)len);
    return true;
}

static void put_config(struct buf *json, const struct subject *subject,
                       const struct management *management)
{
    json_open(json, '{');
    json_key(json, "UpdateRuntimeOn");
    json_text(json, management->update_on);
    if (management->version_arn != NULL) {
        json_key(json, "RuntimeVersionArn");
        json_text(json, management->version_arn);
    }
    function_answer_put_arn(json, "FunctionArn", subject->function, subject->qualifier);
    json_close(json, '}');
}

/* What is stored has the ARN under which it was set; it is shown under the one asked for. */
static void put_stored(struct call *call, const struct subject *subject, struct bytes stored)
{
    json_t *json = json_tree_read(stored);
    struct management management = {.update_on = "Auto"};

    if (json_is_object(json)) {
        management.update_on = json_string_value(json_object_get(json, "UpdateRuntimeOn"));
        management.version_arn = json_string_value(json_object_get(json, "RuntimeVersionArn"));
    }
    put_config(&call->out, subject, &management);
    json_decref(json);
}

static bool check(const struct management *management, struct problem *problem)
{
    const char *on = (management->update_on != NULL) ? management->update_on : "null";
    bool is_manual = strcmp(on, "Manual") == 0;

    if (!is_manual && strcmp(on, "Auto") != 0 && strcmp(on, "FunctionUpdate") != 0) {
        return problem_invalid(problem,
                               "1 validation error detected: Value '%s' at 'updateRuntimeOn' "
                               "failed to satisfy constraint: Member must satisfy enum value set: "
                               "[Auto, Manual, FunctionUpdate]",
                               on);
    }
    if (is_manual && management->version_arn == NULL) {
        return problem_invalid(problem, "UpdateRuntimeOn Manual needs a RuntimeVersionArn.");
    }
    return is_manual || management->version_arn == NULL ||
           problem_invalid(problem, "A RuntimeVersionArn is for UpdateRuntimeOn Manual only.");
}

void route_put_management(struct call *call, const struct principal *principal)
{
    struct problem problem = {0};
    struct management management = {0};
    struct subject subject;

    (void)principal;
    if (!call_read_json(call) || !find(call, &subject)) {
        return;
    }
    if (!member_text(call->json, "UpdateRuntimeOn", 16, &management.update_on, &problem) ||
        !member_text(call->json, "RuntimeVersionArn", VERSION_ARN_MAX, &management.version_arn,
                     &problem) ||
        !check(&management, &problem)) {
        call_fail_problem(call, &problem);
        return;
    }
    put_config(&call->out, &subject, &management);
    if (call->out.failed) {
        call_fail_memory(call);
        return;
    }
    setting_call_put(call, subject.function, SETTING_MANAGEMENT, subject.version,
                     buf_bytes(&call->out), 200);
}

void route_get_management(struct call *call, const struct principal *principal)
{
    struct subject subject;

    (void)principal;
    if (!find(call, &subject)) {
        return;
    }
    put_stored(call, &subject, setting_find(subject.function, SETTING_MANAGEMENT, subject.version));
    call_answer(call, 200);
}
