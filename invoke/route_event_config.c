/* The event invoke config of a function: one for each qualifier. What of it holds for an
 * event, the driver reads when the event is accepted. */
#include "engine/driver/alias.h"
#include "engine/driver/event_settings.h"
#include "engine/driver/function_name.h"
#include "invoke/function_answer.h"
#include "invoke/member.h"
#include "invoke/moment.h"
#include "invoke/routes.h"
#include "invoke/setting_call.h"

#define ITEMS_MAX 50U

struct config_change {
    struct call *call;
    struct function *function;
    struct bytes qualifier;
    struct event_settings settings;
};

/* --- answers ---------------------------------------------------------------------------- */

static void put_destination(struct buf *json, const char *key, struct bytes destination)
{
    json_key(json, key);
    json_open(json, '{');
    if (destination.len > 0) {
        json_key(json, "Destination");
        json_quoted(json, destination);
    }
    json_close(json, '}');
}

static void put_config(struct buf *json, const struct function *function, struct bytes qualifier,
                       const struct event_settings *settings)
{
    json_open(json, '{');
    json_key(json, "LastModified");
    json_seconds(json, settings->modified_ms);
    function_answer_put_arn(json, "FunctionArn", function, qualifier);
    if (settings->has_retries) {
        json_key(json, "MaximumRetryAttempts");
        json_int(json, settings->retries_max);
    }
    if (settings->has_age) {
        json_key(json, "MaximumEventAgeInSeconds");
        json_int(json, settings->age_s);
    }
    json_key(json, "DestinationConfig");
    json_open(json, '{');
    put_destination(json, "OnSuccess", settings->on_success);
    put_destination(json, "OnFailure", settings->on_failure);
    json_close(json, '}');
    json_close(json, '}');
}

static void fail_none(struct call *call, const struct function *function, struct bytes qualifier)
{
    call_fail(call, 404, "ResourceNotFoundException",
              "The function %s:%.*s doesn't have an EventInvokeConfig", function->arn,
              (int)qualifier.len, (const char *)qualifier.data);
}

/* --- what was asked ------------------------------------------------------------------------- */

/* The qualifier of a config: "" is $LATEST. */
static struct bytes qualifier_of(struct bytes given)
{
    return (given.len > 0) ? given : bytes_of_text("$LATEST");
}

static struct config_change *begin(struct call *call)
{
    struct config_change *change = call_alloc(call, sizeof *change);

    if (change == NULL) {
        return NULL;
    }
    change->call = call;
    change->settings = event_settings_default;
    change->function = call_function(call, 0, &change->qualifier);
    if (change->function == NULL) {
        return NULL;
    }
    change->qualifier = arena_copy(http_arena(call->request), qualifier_of(change->qualifier));
    if (change->qualifier.data == NULL) {
        call_fail_memory(call);
        return NULL;
    }
    return change;
}

static bool fail_destination(struct problem *problem, struct bytes arn, const char *why)
{
    return problem_invalid(problem, "The destination ARN %.*s is invalid: %s", (int)arn.len,
                           (const char *)arn.data, why);
}

/* Why this function cannot be told of that one's ends; NULL: it can. */
static const char *refusal_of(const struct function *source, const struct function *target,
                              struct bytes qualifier)
{
    const struct function_revision *revision;
    const struct function_config *config;

    if (target == NULL) {
        return "there is no such function.";
    }
    revision = function_resolve(target, qualifier, UINT64_MAX);
    if (revision == NULL) {
        return "this version or alias does not exist.";
    }
    config = &revision->config;
    if (target == source) {
        return "it is the function itself.";
    }
    if (config->is_durable && qualifier.len == 0) {
        return "a durable function needs a version, an alias or $LATEST.";
    }
    if (config->is_per_tenant && !source->latest->config.is_per_tenant) {
        return "it needs a tenant id, and this function's events have none.";
    }
    return NULL;
}

static bool check_destination(const struct config_change *change, struct bytes arn,
                              struct problem *problem)
{
    const struct service *service = change->call->service;
    struct function_name name;
    const char *why;

    if (arn.len == 0) {
        return true;
    }
    if (!function_name_parse(arn, &name) || name.region.len == 0) {
        return fail_destination(problem, arn,
                                "Pawl tells functions, by their ARN; it has no queues, topics, "
                                "buses and buckets to tell.");
    }
    if (name.account != change->call->principal.tenant ||
        !bytes_equal(name.region, bytes_of_text(service->region))) {
        return fail_destination(problem, arn, "it is not a function of this daemon.");
    }
    why = refusal_of(change->function, function_find(driver_functions(service->driver), name.name),
                     name.qualifier);
    return why == NULL || fail_destination(problem, arn, why);
}

/* {"OnSuccess": {"Destination": ARN}}: absent leaves it as it is, {} takes it away. */
static bool read_destination(const struct config_change *change, const json_t *config,
                             const char *key, struct bytes *destination, struct problem *problem)
{
    json_t *object = NULL;
    struct bytes arn = bytes_of("", 0);

    if (!member_object(config, key, &object, problem) || object == NULL) {
        return problem->status == 0;
    }
    if (!member_bytes(object, "Destination", EVENT_DESTINATION_MAX, &arn, problem) ||
        !check_destination(change, arn, problem)) {
        return false;
    }
    *destination = arn;
    return true;
}

static bool read_settings(struct config_change *change, struct problem *problem)
{
    const json_t *body = change->call->json;
    struct event_settings *settings = &change->settings;
    json_t *destinations = NULL;

    if (!member_number(body, "MaximumRetryAttempts", 0, EVENT_RETRIES_MAX, &settings->retries_max,
                       problem) ||
        !member_number(body, "MaximumEventAgeInSeconds", EVENT_AGE_MIN_S, EVENT_AGE_MAX_S,
                       &settings->age_s, problem) ||
        !member_object(body, "DestinationConfig", &destinations, problem)) {
        return false;
    }
    settings->has_retries =
        settings->has_retries || member_get(body, "MaximumRetryAttempts") != NULL;
    settings->has_age = settings->has_age || member_get(body, "MaximumEventAgeInSeconds") != NULL;
    if (destinations == NULL) {
        return true;
    }
    return read_destination(change, destinations, "OnSuccess", &settings->on_success, problem) &&
           read_destination(change, destinations, "OnFailure", &settings->on_failure, problem);
}

/* --- changes ------------------------------------------------------------------------------------
 */

static void store(struct config_change *change)
{
    struct call *call = change->call;
    struct buf json = {0};

    change->settings.modified_ms = moment_now_ms();
    event_settings_put(&json, &change->settings);
    put_config(&call->out, change->function, change->qualifier, &change->settings);
    if (json.failed || call->out.failed) {
        call_fail_memory(call);
    } else {
        setting_call_put(call, change->function, SETTING_EVENT_INVOKE, change->qualifier,
                         buf_bytes(&json), 200);
    }
    buf_fini(&json);
}

static void change_config(struct call *call, bool is_update)
{
    struct config_change *change = begin(call);
    struct problem problem = {0};

    if (change == NULL || !call_read_json(call)) {
        return;
    }
    if (is_update && !event_settings_find(change->function, change->qualifier,
                                          http_arena(call->request), &change->settings)) {
        fail_none(call, change->function, change->qualifier);
        return;
    }
    if (!read_settings(change, &problem)) {
        call_fail_problem(call, &problem);
        return;
    }
    if (!change->settings.has_retries && !change->settings.has_age &&
        member_get(call->json, "DestinationConfig") == NULL && !is_update) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "You must specify at least one of error handling or destination setting.");
        return;
    }
    store(change);
}

void route_put_event_config(struct call *call, const struct principal *principal)
{
    (void)principal;
    change_config(call, false);
}

void route_update_event_config(struct call *call, const struct principal *principal)
{
    (void)principal;
    change_config(call, true);
}

void route_delete_event_config(struct call *call, const struct principal *principal)
{
    struct config_change *change = begin(call);

    (void)principal;
    if (change == NULL) {
        return;
    }
    if (setting_find(change->function, SETTING_EVENT_INVOKE, change->qualifier).data == NULL) {
        fail_none(call, change->function, change->qualifier);
        return;
    }
    setting_call_put(call, change->function, SETTING_EVENT_INVOKE, change->qualifier,
                     (struct bytes){0}, 204);
}

/* --- reads ---------------------------------------------------------------------------------------
 */

void route_get_event_config(struct call *call, const struct principal *principal)
{
    struct config_change *change = begin(call);

    (void)principal;
    if (change == NULL) {
        return;
    }
    if (!event_settings_find(change->function, change->qualifier, http_arena(call->request),
                             &change->settings)) {
        fail_none(call, change->function, change->qualifier);
        return;
    }
    put_config(&call->out, change->function, change->qualifier, &change->settings);
    call_answer(call, 200);
}

/* The marker is the qualifier of the last one that was listed. */
static void put_list(struct call *call, const struct function *function, struct bytes marker,
                     uint32_t max)
{
    const struct setting *setting =
        setting_next(function, SETTING_EVENT_INVOKE, (marker.len > 0) ? marker : (struct bytes){0});
    struct bytes last = {0};
    uint32_t count = 0;

    json_open(&call->out, '{');
    json_key(&call->out, "FunctionEventInvokeConfigs");
    json_open(&call->out, '[');
    for (; setting != NULL && count < max; count++) {
        struct event_settings settings;

        if (event_settings_parse(setting->json, http_arena(call->request), &settings)) {
            json_element(&call->out);
            put_config(&call->out, function, setting->name, &settings);
        }
        last = setting->name;
        setting = setting_next(function, SETTING_EVENT_INVOKE, last);
    }
    json_close(&call->out, ']');
    if (setting != NULL) {
        json_key(&call->out, "NextMarker");
        json_quoted(&call->out, last);
    }
    json_close(&call->out, '}');
}

void route_list_event_configs(struct call *call, const struct principal *principal)
{
    struct bytes qualifier;
    struct function *function = call_function(call, 0, &qualifier);
    struct bytes marker;
    uint32_t max;

    (void)principal;
    if (function == NULL || !call_query(call, "Marker", &marker) ||
        !call_query_number(call, "MaxItems", ITEMS_MAX, ITEMS_MAX, &max)) {
        return;
    }
    put_list(call, function, marker, max);
    call_answer(call, 200);
}
