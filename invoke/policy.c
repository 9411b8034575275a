#include "invoke/policy.h"

#include <stdio.h>

#include "invoke/json_tree.h"
#include "invoke/member.h"

#define ACCOUNT_DIGITS 12
#define ARN_MAX 2048U

/* --- members ---------------------------------------------------------------------------- */

struct permission {
    const char *statement_id;
    const char *action;
    const char *principal;
    const char *source_arn;
    const char *source_account;
    const char *event_source_token;
    const char *organization;
    const char *url_auth_type;
    bool is_via_url;
};

static bool has_only(const char *text, const char *more)
{
    for (; *text != '\0'; text++) {
        bool is_letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');

        if (!is_letter && !(*text >= '0' && *text <= '9') && strchr(more, *text) == NULL) {
            return false;
        }
    }
    return true;
}

static bool is_account(const char *text)
{
    return strlen(text) == ACCOUNT_DIGITS && strspn(text, "0123456789") == ACCOUNT_DIGITS;
}

static bool refuse(struct problem *problem, const char *member, const char *value)
{
    return problem_invalid(problem,
                           "1 validation error detected: Value '%.256s' at '%s' failed to satisfy "
                           "constraint: it does not have the form that Lambda's API asks for",
                           value, member);
}

/* lambda:* lambda:Name or * */
static bool is_action(const char *action)
{
    static const char prefix[] = "lambda:";

    if (strcmp(action, "*") == 0) {
        return true;
    }
    if (strncmp(action, prefix, strlen(prefix)) != 0) {
        return false;
    }
    action += strlen(prefix);
    return strcmp(action, "*") == 0 ||
           (*action != '\0' && action[strcspn(action, "0123456789")] == '\0' &&
            has_only(action, ""));
}

bool policy_check_statement_id(struct bytes id, struct problem *problem)
{
    char text[POLICY_STATEMENT_ID_MAX + 1] = "";

    if (id.len > 0 && id.len <= POLICY_STATEMENT_ID_MAX) {
        memcpy(text, id.data, id.len);
    }
    return (text[0] != '\0' && strlen(text) == id.len && has_only(text, "-_.")) ||
           refuse(problem, "statementId", text);
}

static bool check_required(const struct permission *permission, struct problem *problem)
{
    const char *missing = (permission->statement_id == NULL) ? "statementId"
                          : (permission->action == NULL)     ? "action"
                          : (permission->principal == NULL)  ? "principal"
                                                             : NULL;

    if (missing != NULL) {
        return problem_invalid(problem,
                               "1 validation error detected: Value null at '%s' failed to satisfy "
                               "constraint: Member must not be null",
                               missing);
    }
    return policy_check_statement_id(bytes_of_text(permission->statement_id), problem) &&
           (is_action(permission->action) || refuse(problem, "action", permission->action));
}

static bool check_optional(const struct permission *permission, struct problem *problem)
{
    const char *account = permission->source_account;
    const char *token = permission->event_source_token;
    const char *organization = permission->organization;
    const char *type = permission->url_auth_type;

    if (account != NULL && !is_account(account)) {
        return refuse(problem, "sourceAccount", account);
    }
    if (token != NULL && (*token == '\0' || !has_only(token, "._-"))) {
        return refuse(problem, "eventSourceToken", token);
    }
    if (organization != NULL && (strncmp(organization, "o-", 2) != 0 || strlen(organization) < 12 ||
                                 !has_only(organization + 2, ""))) {
        return refuse(problem, "principalOrgID", organization);
    }
    if (type != NULL && strcmp(type, "NONE") != 0 && strcmp(type, "AWS_IAM") != 0) {
        return refuse(problem, "functionUrlAuthType", type);
    }
    return true;
}

static bool read_permission(const json_t *body, struct permission *permission,
                            struct problem *problem)
{
    return member_text(body, "StatementId", POLICY_STATEMENT_ID_MAX, &permission->statement_id,
                       problem) &&
           member_text(body, "Action", 256, &permission->action, problem) &&
           member_text(body, "Principal", ARN_MAX, &permission->principal, problem) &&
           member_text(body, "SourceArn", ARN_MAX, &permission->source_arn, problem) &&
           member_text(body, "SourceAccount", ACCOUNT_DIGITS, &permission->source_account,
                       problem) &&
           member_text(body, "EventSourceToken", 256, &permission->event_source_token, problem) &&
           member_text(body, "PrincipalOrgID", 34, &permission->organization, problem) &&
           member_text(body, "FunctionUrlAuthType", 16, &permission->url_auth_type, problem) &&
           member_flag(body, "InvokedViaFunctionUrl", &permission->is_via_url, problem) &&
           check_required(permission, problem) && check_optional(permission, problem);
}

/* --- the statement ------------------------------------------------------------------------ */

/* A service, an account, an ARN, or everybody. NULL: none of them. */
static json_t *make_principal(const char *text)
{
    if (strcmp(text, "*") == 0) {
        return json_string("*");
    }
    if (is_account(text)) {
        return json_pack("{s:o}", "AWS", json_sprintf("arn:aws:iam::%s:root", text));
    }
    if (strncmp(text, "arn:", 4) == 0) {
        return json_pack("{s:s}", "AWS", text);
    }
    return (strchr(text, '.') != NULL && has_only(text, ".-")) ? json_pack("{s:s}", "Service", text)
                                                               : NULL;
}

/* The conditions of one operator; none when all are NULL. */
static void add_condition(json_t *conditions, const char *operation, const char *key,
                          const char *value)
{
    json_t *of_operation;

    if (value == NULL) {
        return;
    }
    of_operation = json_object_get(conditions, operation);
    if (of_operation == NULL) {
        of_operation = json_object();
        (void)json_object_set_new(conditions, operation, of_operation);
    }
    (void)json_object_set_new(of_operation, key, json_string(value));
}

static json_t *make_conditions(const struct permission *permission)
{
    json_t *conditions = json_object();

    add_condition(conditions, "StringEquals", "AWS:SourceAccount", permission->source_account);
    add_condition(conditions, "StringEquals", "lambda:EventSourceToken",
                  permission->event_source_token);
    add_condition(conditions, "StringEquals", "aws:PrincipalOrgID", permission->organization);
    add_condition(conditions, "StringEquals", "lambda:FunctionUrlAuthType",
                  permission->url_auth_type);
    add_condition(conditions, "Bool", "lambda:InvokedViaFunctionUrl",
                  permission->is_via_url ? "true" : NULL);
    add_condition(conditions, "ArnLike", "AWS:SourceArn", permission->source_arn);
    return conditions;
}

static json_t *make_statement(const struct permission *permission, struct bytes resource,
                              struct problem *problem)
{
    json_t *principal = make_principal(permission->principal);
    json_t *conditions;
    json_t *statement;

    if (principal == NULL) {
        (void)problem_invalid(problem, "The provided principal was invalid. Please check the "
                                       "principal and try again.");
        return NULL;
    }
    statement = json_pack("{s:s,s:s,s:o,s:s,s:s%}", "Sid", permission->statement_id, "Effect",
                          "Allow", "Principal", principal, "Action", permission->action, "Resource",
                          (const char *)resource.data, resource.len);
    conditions = make_conditions(permission);
    if (json_object_size(conditions) > 0) {
        (void)json_object_set(statement, "Condition", conditions);
    }
    json_decref(conditions);
    if (statement == NULL) {
        (void)problem_memory(problem);
    }
    return statement;
}

json_t *policy_make_statement(const json_t *body, struct bytes resource, struct problem *problem)
{
    struct permission permission = {0};

    return read_permission(body, &permission, problem)
               ? make_statement(&permission, resource, problem)
               : NULL;
}

/* Everybody, an account, or its root. */
static bool is_layer_principal(const char *text)
{
    const char *root = strstr(text, ":iam::");

    return strcmp(text, "*") == 0 || is_account(text) ||
           (strncmp(text, "arn:aws", 7) == 0 && root != NULL &&
            strlen(root) == strlen(":iam::") + ACCOUNT_DIGITS + strlen(":root") &&
            strcmp(root + strlen(":iam::") + ACCOUNT_DIGITS, ":root") == 0);
}

json_t *policy_make_layer_statement(const json_t *body, const char *resource,
                                    struct problem *problem)
{
    struct permission permission = {0};

    if (!member_text(body, "StatementId", POLICY_STATEMENT_ID_MAX, &permission.statement_id,
                     problem) ||
        !member_text(body, "Action", 22, &permission.action, problem) ||
        !member_text(body, "Principal", ARN_MAX, &permission.principal, problem) ||
        !member_text(body, "OrganizationId", 34, &permission.organization, problem) ||
        !check_required(&permission, problem) || !check_optional(&permission, problem)) {
        return NULL;
    }
    if (strcmp(permission.action, "lambda:GetLayerVersion") != 0) {
        (void)refuse(problem, "action", permission.action);
    } else if (strchr(permission.statement_id, '.') != NULL) {
        (void)refuse(problem, "statementId", permission.statement_id);
    } else if (!is_layer_principal(permission.principal)) {
        (void)refuse(problem, "principal", permission.principal);
    } else {
        return make_statement(&permission, bytes_of_text(resource), problem);
    }
    return NULL;
}

/* --- what is stored ------------------------------------------------------------------------- */

json_t *policy_read(struct bytes stored)
{
    json_t *tree = json_tree_read(stored);

    return (tree != NULL) ? tree
                          : json_pack("{s:s,s:{s:s,s:s,s:[]}}", "RevisionId", "", "Policy",
                                      "Version", "2012-10-17", "Id", "default", "Statement");
}

const json_t *policy_document(const json_t *stored)
{
    return json_object_get(stored, "Policy");
}

json_t *policy_statements(const json_t *stored)
{
    return json_object_get(policy_document(stored), "Statement");
}

size_t policy_find(const json_t *stored, const char *statement_id)
{
    const json_t *statements = policy_statements(stored);
    size_t count = json_array_size(statements);
    size_t i;

    for (i = 0; i < count; i++) {
        const char *id = json_string_value(json_object_get(json_array_get(statements, i), "Sid"));

        if (id != NULL && strcmp(id, statement_id) == 0) {
            break;
        }
    }
    return i;
}

const char *policy_revision(const json_t *stored)
{
    const char *revision = json_string_value(json_object_get(stored, "RevisionId"));

    return (revision != NULL) ? revision : "";
}

bool policy_set_revision(json_t *stored, const struct id *revision)
{
    char text[ID_TEXT_LEN + 1];

    id_format(revision, text);
    return json_object_set_new(stored, "RevisionId", json_string(text)) == 0;
}

/* --- changes -------------------------------------------------------------------------------- */

static size_t length_of(const json_t *stored)
{
    return json_dumpb(policy_document(stored), NULL, 0, JSON_COMPACT);
}

bool policy_add(json_t *stored, json_t *statement, struct problem *problem)
{
    const char *id = json_string_value(json_object_get(statement, "Sid"));
    bool is_new = policy_find(stored, id) == json_array_size(policy_statements(stored));

    if (!is_new) {
        (void)problem_set(problem, 409, "ResourceConflictException",
                          "The statement id (%s) provided already exists. Please provide a new "
                          "statement id, or remove the existing statement.",
                          id);
        json_decref(statement);
        return false;
    }
    if (json_array_append_new(policy_statements(stored), statement) != 0) {
        return problem_memory(problem);
    }
    return length_of(stored) <= POLICY_BYTES_MAX ||
           problem_set(problem, 400, "PolicyLengthExceededException",
                       "The final policy size (%zu) is bigger than the limit (%u).",
                       length_of(stored), POLICY_BYTES_MAX);
}

bool policy_remove(json_t *stored, struct bytes id, struct problem *problem)
{
    size_t place;

    if (!policy_check_statement_id(id, problem)) {
        return false;
    }
    place = policy_find(stored, (const char *)id.data);
    if (place == json_array_size(policy_statements(stored))) {
        return problem_set(problem, 404, "ResourceNotFoundException",
                           "Statement %.*s is not found in resource policy.", (int)id.len,
                           (const char *)id.data);
    }
    (void)json_array_remove(policy_statements(stored), place);
    return true;
}

bool policy_check_revision(const json_t *stored, struct bytes wanted, const char *otherwise,
                           struct problem *problem)
{
    const char *present = policy_revision(stored);

    if (present[0] == '\0') {
        present = otherwise;
    }
    return wanted.len == 0 || bytes_equal(wanted, bytes_of_text(present)) ||
           problem_set(problem, 412, "PreconditionFailedException",
                       "The RevisionId provided does not match the latest RevisionId. Call the "
                       "GetPolicy API to retrieve the latest RevisionId");
}
