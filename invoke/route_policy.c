/* AddPermission, GetPolicy, RemovePermission: a policy is of the function, or of one of its
 * qualifiers. */
#include "invoke/json_tree.h"
#include "invoke/moment.h"
#include "invoke/policy.h"
#include "invoke/routes.h"
#include "invoke/setting_call.h"

/* The ARN of what the policy is about; data NULL: answered. */
static struct bytes make_resource(struct call *call, const struct function *function,
                                  struct bytes qualifier)
{
    size_t len = strlen(function->arn);
    char *arn = call_alloc(call, len + 1 + qualifier.len + 1);

    if (arn == NULL) {
        return (struct bytes){0};
    }
    memcpy(arn, function->arn, len);
    if (qualifier.len > 0) {
        arn[len++] = ':';
        memcpy(arn + len, qualifier.data, qualifier.len);
    }
    return bytes_of(arn, len + qualifier.len);
}

/* Lambda's optimistic lock. A policy that does not exist yet has the revision of its
 * function. */
static bool check_revision(const struct function *function, const json_t *stored,
                           struct bytes wanted, struct problem *problem)
{
    char of_function[ID_TEXT_LEN + 1];

    id_format(&function->latest->revision_id, of_function);
    return policy_check_revision(stored, wanted, of_function, problem);
}

static void put(struct call *call, struct function *function, struct bytes qualifier,
                json_t *stored, int status)
{
    struct id revision =
        id_make(moment_now_ms(), 0, call->service->id_count++, &call->service->prng);
    struct buf text = {0};

    if (json_array_size(policy_statements(stored)) == 0) {
        setting_call_put(call, function, SETTING_POLICY, qualifier, (struct bytes){0}, status);
        return;
    }
    json_tree_put(&text, policy_set_revision(stored, &revision) ? stored : NULL);
    if (text.failed) {
        call_fail_memory(call);
    } else {
        setting_call_put(call, function, SETTING_POLICY, qualifier, buf_bytes(&text), status);
    }
    buf_fini(&text);
}

/* --- adding --------------------------------------------------------------------------------- */

static bool read_revision(const struct call *call, struct bytes *ret_revision,
                          struct problem *problem)
{
    const json_t *revision = json_object_get(call->json, "RevisionId");

    if (revision != NULL && !json_is_null(revision) && !json_is_string(revision)) {
        return problem_invalid(problem, "RevisionId must be a string.");
    }
    *ret_revision = bytes_of_text(json_string_value(revision));
    return true;
}

static bool add_permission(struct call *call, const struct function *function,
                           struct bytes resource, json_t *stored, struct problem *problem)
{
    struct bytes revision = {0};
    json_t *statement = NULL;

    if (stored == NULL) {
        return problem_memory(problem);
    }
    if (!read_revision(call, &revision, problem)) {
        return false;
    }
    statement = policy_make_statement(call->json, resource, problem);
    if (statement == NULL) {
        return false;
    }
    json_open(&call->out, '{');
    json_key(&call->out, "Statement");
    json_tree_put_quoted(&call->out, statement);
    json_close(&call->out, '}');
    return policy_add(stored, statement, problem) &&
           check_revision(function, stored, revision, problem);
}

void route_add_permission(struct call *call, const struct principal *principal)
{
    struct problem problem = {0};
    struct bytes qualifier;
    struct bytes resource;
    struct function *function;
    json_t *stored;

    (void)principal;
    if (!call_read_json(call)) {
        return;
    }
    function = call_function(call, 0, &qualifier);
    if (function == NULL) {
        return;
    }
    resource = make_resource(call, function, qualifier);
    if (resource.data == NULL) {
        return;
    }
    stored = policy_read(setting_find(function, SETTING_POLICY, qualifier));
    if (add_permission(call, function, resource, stored, &problem)) {
        put(call, function, qualifier, stored, 201);
    } else {
        call_fail_problem(call, &problem);
    }
    json_decref(stored);
}

/* --- removing and showing ------------------------------------------------------------------- */

static bool remove_statement(const struct function *function, json_t *stored, struct bytes id,
                             struct bytes revision, struct problem *problem)
{
    if (stored == NULL) {
        return problem_memory(problem);
    }
    return policy_remove(stored, id, problem) && /* labels end with a zero byte */
           check_revision(function, stored, revision, problem);
}

void route_remove_permission(struct call *call, const struct principal *principal)
{
    struct problem problem = {0};
    struct bytes qualifier;
    struct bytes revision;
    struct function *function = call_function(call, 0, &qualifier);
    json_t *stored;

    (void)principal;
    if (function == NULL || !call_query(call, "RevisionId", &revision)) {
        return;
    }
    stored = policy_read(setting_find(function, SETTING_POLICY, qualifier));
    if (remove_statement(function, stored, call->labels[1], revision, &problem)) {
        put(call, function, qualifier, stored, 204);
    } else {
        call_fail_problem(call, &problem);
    }
    json_decref(stored);
}

void route_get_policy(struct call *call, const struct principal *principal)
{
    struct bytes qualifier;
    const struct function *function = call_function(call, 0, &qualifier);
    struct bytes text;
    json_t *stored;

    (void)principal;
    if (function == NULL) {
        return;
    }
    text = setting_find(function, SETTING_POLICY, qualifier);
    if (text.data == NULL) {
        call_fail(call, 404, "ResourceNotFoundException",
                  "The resource you requested does not "
                  "exist.");
        return;
    }
    stored = policy_read(text);
    json_open(&call->out, '{');
    json_key(&call->out, "Policy");
    json_tree_put_quoted(&call->out, policy_document(stored));
    json_key(&call->out, "RevisionId");
    json_text(&call->out, policy_revision(stored));
    json_close(&call->out, '}');
    json_decref(stored);
    call_answer(call, 200);
}
