/* AddLayerVersionPermission, GetLayerVersionPolicy, RemoveLayerVersionPermission: stored and
 * shown, as a function's policy is. */
#include "invoke/json_tree.h"
#include "invoke/layer_name.h"
#include "invoke/moment.h"
#include "invoke/policy.h"
#include "invoke/routes.h"

struct layer_policy_call {
    struct call *call;
    int status;
};

static void fail(struct call *call, int code)
{
    switch (code) {
    case FUNCTION_BUSY:
        call_fail(call, 409, "ResourceConflictException",
                  "The operation cannot be performed at this time. Another change of this layer "
                  "version is in progress: try again.");
        break;
    case FUNCTION_FULL:
        call_fail_full(call);
        break;
    default:
        call_fail(call, 500, "ServiceException",
                  "The policy could not be changed: the daemon's log says why.");
    }
}

static void on_changed(void *arg, int status)
{
    const struct layer_policy_call *policy = arg;
    struct call *call = policy->call;

    if (status != 0) {
        fail(call, status);
    } else if (policy->status == 204) {
        call_respond(call, 204, NULL, bytes_of(NULL, 0));
    } else {
        call_answer(call, policy->status);
    }
}

static void put(struct call *call, struct layer_version *version, const json_t *stored, int status)
{
    struct layer_policy_call *policy = call_alloc(call, sizeof *policy);
    bool is_empty = json_array_size(policy_statements(stored)) == 0;
    struct buf text = {0};
    int r;

    if (policy == NULL) {
        return;
    }
    *policy = (struct layer_policy_call){.call = call, .status = status};
    if (!is_empty) {
        json_tree_put(&text, stored);
    }
    if (text.failed) {
        call_fail_memory(call);
    } else {
        r = layer_version_set_policy(driver_functions(call->service->driver), version,
                                     is_empty ? (struct bytes){0} : buf_bytes(&text), policy,
                                     on_changed);
        if (r != 0) {
            fail(call, r);
        }
    }
    buf_fini(&text);
}

/* The policy's new revision. */
static bool renew(struct call *call, json_t *stored, struct problem *problem)
{
    struct id revision =
        id_make(moment_now_ms(), 0, call->service->id_count++, &call->service->prng);

    return policy_set_revision(stored, &revision) || problem_memory(problem);
}

static bool add_statement(struct call *call, const struct layer_version *version, json_t *stored,
                          struct bytes revision, struct problem *problem)
{
    json_t *statement = policy_make_layer_statement(call->json, version->arn, problem);

    if (statement == NULL) {
        return false;
    }
    json_open(&call->out, '{');
    json_key(&call->out, "Statement");
    json_tree_put_quoted(&call->out, statement);
    if (!policy_add(stored, statement, problem) ||
        !policy_check_revision(stored, revision, "", problem) || !renew(call, stored, problem)) {
        return false;
    }
    json_key(&call->out, "RevisionId");
    json_text(&call->out, policy_revision(stored));
    json_close(&call->out, '}');
    return true;
}

void route_add_layer_permission(struct call *call, const struct principal *principal)
{
    struct problem problem = {0};
    struct layer_version *version;
    struct bytes revision;
    json_t *stored;

    (void)principal;
    if (!call_read_json(call) || !call_query(call, "RevisionId", &revision)) {
        return;
    }
    version = layer_version_of_path(call);
    if (version == NULL) {
        return;
    }
    stored = policy_read(version->policy);
    if (stored == NULL) {
        call_fail_memory(call);
    } else if (add_statement(call, version, stored, revision, &problem)) {
        put(call, version, stored, 201);
    } else {
        call_fail_problem(call, &problem);
    }
    json_decref(stored);
}

void route_remove_layer_permission(struct call *call, const struct principal *principal)
{
    struct problem problem = {0};
    struct layer_version *version = layer_version_of_path(call);
    struct bytes revision;
    json_t *stored;

    (void)principal;
    if (version == NULL || !call_query(call, "RevisionId", &revision)) {
        return;
    }
    stored = policy_read(version->policy);
    if (stored == NULL) {
        call_fail_memory(call);
    } else if (policy_remove(stored, call->labels[2], &problem) &&
               policy_check_revision(stored, revision, "", &problem) &&
               renew(call, stored, &problem)) {
        put(call, version, stored, 204);
    } else {
        call_fail_problem(call, &problem);
    }
    json_decref(stored);
}

void route_get_layer_policy(struct call *call, const struct principal *principal)
{
    const struct layer_version *version = layer_version_of_path(call);
    json_t *stored;

    (void)principal;
    if (version == NULL) {
        return;
    }
    if (version->policy.data == NULL) {
        call_fail(call, 404, "ResourceNotFoundException",
                  "No policy is associated with the given resource.");
        return;
    }
    stored = policy_read(version->policy);
    json_open(&call->out, '{');
    json_key(&call->out, "Policy");
    json_tree_put_quoted(&call->out, policy_document(stored));
    json_key(&call->out, "RevisionId");
    json_text(&call->out, policy_revision(stored));
    json_close(&call->out, '}');
    json_decref(stored);
    call_answer(call, 200);
}
