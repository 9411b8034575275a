/* Aliases of functions. Changes are answered when they are durable. */
#include <inttypes.h>

#include "engine/driver/function_name.h"
#include "invoke/function_answer.h"
#include "invoke/function_change.h"
#include "invoke/member.h"
#include "invoke/moment.h"
#include "invoke/routes.h"

#define VERSION_TEXT_MAX 1024

/* One change under way; in the call's arena. */
struct alias_change {
    struct call *call;
    struct function *function; /* its name: of a function deleted meanwhile nothing is left */
    struct bytes name;
    int status;
};

/* --- answers ---------------------------------------------------------------------------- */

static void fail_unknown(struct call *call, const struct function *function, struct bytes name)
{
    call_fail(call, 404, "ResourceNotFoundException", "Cannot find alias arn: %s:%.*s",
              function->arn, (int)name.len, (const char *)name.data);
}

static void refuse(struct call *call, int code)
{
    switch (code) {
    case FUNCTION_NOT_FOUND:
        call_fail(call, 404, "ResourceNotFoundException",
                  "The function, version or alias was deleted meanwhile.");
        break;
    case FUNCTION_BUSY:
        call_fail(
            call, 409, "ResourceConflictException",
            "The operation cannot be performed at this time. Another change of this alias, or "
            "of a version, is under way: try again.");
        break;
    case FUNCTION_TOO_MANY:
    case FUNCTION_TOO_LARGE:
        call_fail(call, 400, "AliasLimitExceededException",
                  "The function has too many aliases and settings: delete some.");
        break;
    case FUNCTION_FULL:
        call_fail_full(call);
        break;
    default:
        call_fail_change(call);
    }
}

static void on_put(void *arg, int status)
{
    struct alias_change *change = arg;
    struct call *call = change->call;
    struct alias alias;

    if (status == 0) {
        driver_function_changed(call->service->driver, change->function);
    }
    if (status != 0) {
        refuse(call, status);
    } else if (change->status == 204) {
        call_respond(call, 204, NULL, bytes_of(NULL, 0));
    } else if (alias_find(change->function, change->name, &alias)) {
        alias_answer_put(&call->out, change->function, &alias);
        call_answer(call, change->status);
    } else {
        fail_unknown(call, change->function, change->name);
    }
}

static struct alias_change *make_change(struct call *call, struct function *function,
                                        struct bytes name, int status)
{
    struct alias_change *change = call_alloc(call, sizeof *change);

    if (change != NULL) {
        *change = (struct alias_change){
            .call = call, .function = function, .name = name, .status = status};
    }
    return change;
}

static void put(struct call *call, struct function *function, const struct alias *alias, int status)
{
    struct alias_change *change = make_change(call, function, alias->name, status);
    int r;

    if (change == NULL) {
        return;
    }
    r = alias_put(driver_functions(call->service->driver), function, alias, moment_now_ms(), change,
                  on_put);
    if (r != 0) {
        refuse(call, r);
    }
}

/* --- what is asked: false is answered --------------------------------------------------- */

/* "$LATEST" or a version that is there. */
static bool read_version(struct call *call, const struct function *function, struct bytes text,
                         uint32_t *ret_version)
{
    uint32_t version = version_parse(text);
    bool is_latest = bytes_equal(text, bytes_of_text("$LATEST"));

    if (!is_latest && function_version_find(function, version) == NULL) {
        call_fail_function(call, bytes_of_text(function->name), text);
        return false;
    }
    *ret_version = version;
    return true;
}

static bool read_function_version(struct call *call, const struct function *function,
                                  bool is_needed, struct alias *alias)
{
    struct problem problem = {0};
    struct bytes text = {0};

    if (!member_bytes(call->json, "FunctionVersion", VERSION_TEXT_MAX, &text, &problem)) {
        call_fail_problem(call, &problem);
        return false;
    }
    if (text.data == NULL && is_needed) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "1 validation error detected: Value null at 'functionVersion' failed to satisfy "
                  "constraint: Member must not be null");
        return false;
    }
    return text.data == NULL || read_version(call, function, text, &alias->version);
}

static bool read_weight(struct call *call, const struct function *function, const char *key,
                        const json_t *value, struct alias *alias)
{
    double weight = json_is_number(value) ? json_number_value(value) : -1;

    if (!(weight >= 0 && weight <= 1)) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "1 validation error detected: Value at 'routingConfig.additionalVersionWeights' "
                  "failed to satisfy constraint: Map value must satisfy constraint: [Member must "
                  "have value less than or equal to 1.0, Member must have value greater than or "
                  "equal to 0.0, Member must not be null]");
        return false;
    }
    if (version_parse(bytes_of_text(key)) == 0) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "1 validation error detected: Value at 'routingConfig.additionalVersionWeights' "
                  "failed to satisfy constraint: Map keys must satisfy constraint: [Member must "
                  "satisfy regular expression pattern: [0-9]+]");
        return false;
    }
    alias->weight = weight;
    return read_version(call, function, bytes_of_text(key), &alias->other);
}

/* Weights that are given replace what was there, also when they are none. */
static bool read_routing(struct call *call, const struct function *function, struct alias *alias)
{
    struct problem problem = {0};
    json_t *routing = NULL;
    json_t *weights = NULL;
    const char *key;

    if (!member_object(call->json, "RoutingConfig", &routing, &problem) ||
        !member_object(routing, "AdditionalVersionWeights", &weights, &problem)) {
        call_fail_problem(call, &problem);
        return false;
    }
    if (routing == NULL) {
        return true;
    }
    alias->other = 0;
    alias->weight = 0;
    if (json_object_size(weights) > 1) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "Number of items in AdditionalVersionWeights cannot be greater than 1");
        return false;
    }
    key = json_object_iter_key(json_object_iter(weights));
    return key == NULL || read_weight(call, function, key, json_object_get(weights, key), alias);
}

static bool check_routing(struct call *call, const struct alias *alias)
{
    if (alias->other != 0 && alias->version == 0) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "$LATEST is not supported for an alias pointing to more than 1 version");
        return false;
    }
    if (alias->other != 0 && alias->version == alias->other) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "Invalid function version %" PRIu32 ". Function version %" PRIu32
                  " is already included in routing configuration.",
                  alias->version, alias->version);
        return false;
    }
    return true;
}

static bool read_description(struct call *call, struct alias *alias)
{
    struct problem problem = {0};

    if (!member_bytes(call->json, "Description", ALIAS_DESCRIPTION_MAX, &alias->description,
                      &problem)) {
        call_fail_problem(call, &problem);
        return false;
    }
    return true;
}

static bool read_members(struct call *call, const struct function *function, bool is_new,
                         struct alias *alias)
{
    return read_function_version(call, function, is_new, alias) &&
           read_routing(call, function, alias) && check_routing(call, alias) &&
           read_description(call, alias);
}

static bool read_name(struct call *call, struct bytes *ret_name)
{
    struct problem problem = {0};
    struct bytes name = {0};

    if (!member_bytes(call->json, "Name", ALIAS_NAME_MAX, &name, &problem)) {
        call_fail_problem(call, &problem);
        return false;
    }
    if (!alias_name_is_valid(name)) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "1 validation error detected: Value '%.*s' at 'name' failed to satisfy "
                  "constraint: Member must satisfy regular expression pattern: "
                  "(?!^[0-9]+$)([a-zA-Z0-9-_]+)",
                  (int)name.len, (name.len > 0) ? (const char *)name.data : "");
        return false;
    }
    *ret_name = name;
    return true;
}

/* --- routes ----------------------------------------------------------------------------- */

void route_create_alias(struct call *call, const struct principal *principal)
{
    struct bytes qualifier;
    struct function *function;
    struct alias alias = {.description = bytes_of("", 0)};
    struct alias present;

    (void)principal;
    if (!call_read_json(call)) {
        return;
    }
    function = call_function(call, 0, &qualifier);
    if (function == NULL || !read_name(call, &alias.name) ||
        !read_members(call, function, true, &alias)) {
        return;
    }
    if (alias_find(function, alias.name, &present)) {
        call_fail(call, 409, "ResourceConflictException", "Alias already exists: %s:%.*s",
                  function->arn, (int)alias.name.len, (const char *)alias.name.data);
        return;
    }
    put(call, function, &alias, 201);
}

void route_update_alias(struct call *call, const struct principal *principal)
{
    struct bytes qualifier;
    struct function *function;
    struct alias alias;

    (void)principal;
    if (!call_read_json(call)) {
        return;
    }
    function = call_function(call, 0, &qualifier);
    if (function == NULL) {
        return;
    }
    if (!alias_find(function, call->labels[1], &alias)) {
        fail_unknown(call, function, call->labels[1]);
    } else if (function_change_check_id(call, &alias.revision_id) &&
               read_members(call, function, false, &alias)) {
        put(call, function, &alias, 200);
    }
}

void route_get_alias(struct call *call, const struct principal *principal)
{
    struct bytes qualifier;
    const struct function *function = call_function(call, 0, &qualifier);
    struct alias alias;

    (void)principal;
    if (function == NULL) {
        return;
    }
    if (!alias_find(function, call->labels[1], &alias)) {
        fail_unknown(call, function, call->labels[1]);
        return;
    }
    alias_answer_put(&call->out, function, &alias);
    call_answer(call, 200);
}

/* One that is not there (any more) is deleted already. */
void route_delete_alias(struct call *call, const struct principal *principal)
{
    struct bytes qualifier;
    struct function *function = call_function(call, 0, &qualifier);
    struct alias_change *change;
    struct alias alias;
    int r;

    (void)principal;
    if (function == NULL) {
        return;
    }
    if (!alias_find(function, call->labels[1], &alias)) {
        call_respond(call, 204, NULL, bytes_of(NULL, 0));
        return;
    }
    change = make_change(call, function, call->labels[1], 204);
    if (change == NULL) {
        return;
    }
    r = alias_delete(driver_functions(call->service->driver), function, change->name, change,
                     on_put);
    if (r != 0) {
        refuse(call, r);
    }
}

/* --- listing ---------------------------------------------------------------------------- */

struct listing {
    const struct function *function;
    bool is_filtered;
    uint32_t version; /* with `is_filtered`: only those that name it */
    struct bytes after;
};

static bool read_listing(struct call *call, struct listing *listing)
{
    struct bytes version;
    struct bytes marker;

    if (!call_query(call, "FunctionVersion", &version) || !call_query(call, "Marker", &marker)) {
        return false;
    }
    if (marker.len > 0 && !alias_name_is_valid(marker)) {
        call_fail(call, 400, "InvalidParameterValueException", "The Marker is not one of ours.");
        return false;
    }
    listing->after = (marker.len > 0) ? marker : (struct bytes){0};
    listing->is_filtered = version.len > 0;
    return version.len == 0 || read_version(call, listing->function, version, &listing->version);
}

static bool list_next(struct listing *listing, struct alias *ret_alias)
{
    while (alias_next(listing->function, listing->after, ret_alias)) {
        if (!listing->is_filtered || ret_alias->version == listing->version) {
            return true;
        }
        listing->after = ret_alias->name;
    }
    return false;
}

void route_list_aliases(struct call *call, const struct principal *principal)
{
    struct bytes qualifier;
    struct listing listing = {.function = call_function(call, 0, &qualifier)};
    struct alias alias;
    uint32_t items_max;
    bool is_more;

    (void)principal;
    if (listing.function == NULL || !call_page(call, &items_max) || !read_listing(call, &listing)) {
        return;
    }
    json_open(&call->out, '{');
    json_key(&call->out, "Aliases");
    json_open(&call->out, '[');
    is_more = list_next(&listing, &alias);
    for (uint32_t count = 0; is_more && count < items_max; count++) {
        json_element(&call->out);
        alias_answer_put(&call->out, listing.function, &alias);
        listing.after = alias.name;
        is_more = list_next(&listing, &alias);
    }
    json_close(&call->out, ']');
    if (is_more) {
        json_key(&call->out, "NextMarker");
        json_quoted(&call->out, listing.after);
    }
    json_close(&call->out, '}');
    call_answer(call, 200);
}
