/* The control plane of functions. Changes are answered when they are durable. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/driver/function_name.h"
#include "invoke/function_answer.h"
#include "invoke/function_body.h"
#include "invoke/function_change.h"
#include "invoke/function_layers.h"
#include "invoke/member.h"
#include "invoke/moment.h"
#include "invoke/routes.h"

/* --- changes ---------------------------------------------------------------------------- */

static bool read_new(struct function_change *change, struct problem *problem)
{
    struct call *call = change->call;
    json_t *code = NULL;

    function_body_default(&change->config);
    if (!member_object(call->json, "Code", &code, problem) ||
        !member_flag(call->json, "Publish", &change->publishes, problem) ||
        !function_body_read(call->json, true, http_arena(call->request), &change->config,
                            problem) ||
        !function_layers_read(call, &change->config, problem)) {
        return false;
    }
    return function_body_read_code(code, &change->archive, problem) &&
           runtime_check_named(call, change->config.runtime, problem);
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
    struct function_change *change;
    struct bytes name;
    int r;

    (void)principal;
    if (!call_read_json(call)) {
        return;
    }
    name = read_name(call);
    if (name.data == NULL) {
        return;
    }
    change = function_change_make(call, CHANGE_CREATE, name);
    if (change == NULL) {
        return;
    }
    if (!read_new(change, &problem)) {
        function_change_fail(change, &problem);
        return;
    }
    r = function_create(functions, name, &change->config, buf_bytes(&change->archive),
                        change->publishes, moment_now_ms(), change, function_change_done);
    if (r != 0) {
        function_change_refuse(change, r);
    }
}

/* The function of an update, with the body read; NULL: answered. */
static struct function *begin_update(struct call *call, struct function_change **ret_change)
{
    struct function *function;

    if (!call_read_json(call)) {
        return NULL;
    }
    function = call_latest(call, 0);
    if (function == NULL || !function_change_check_id(call, &function->latest->revision_id)) {
        return NULL;
    }
    *ret_change = function_change_make(call, CHANGE_UPDATE, bytes_of_text(function->name));
    return (*ret_change != NULL) ? function : NULL;
}

static void update(struct function_change *change, struct function *function,
                   const struct function_config *config)
{
    int r = function_update(driver_functions(change->call->service->driver), function, config,
                            buf_bytes(&change->archive), change->publishes, moment_now_ms(), change,
                            function_change_done);

    if (r != 0) {
        function_change_refuse(change, r);
    }
}

/* What the function would be. */
static void answer_dry_run(struct function_change *change, const struct function *function)
{
    struct function_revision shown = *function->latest;
    uint8_t hash[32];

    seal_sha256(buf_bytes(&change->archive), hash);
    for (size_t i = 0; i < sizeof hash; i++) {
        (void)snprintf(shown.code + 2 * i, 3, "%02x", hash[i]);
    }
    shown.code_bytes = change->archive.len;
    buf_fini(&change->archive);
    function_answer_put(&change->call->out, &shown, bytes_of("", 0));
    call_answer(change->call, 200);
}

void route_update_function_code(struct call *call, const struct principal *principal)
{
    struct problem problem = {0};
    struct function_change *change = NULL;
    struct function *function = begin_update(call, &change);
    bool is_dry_run = false;

    (void)principal;
    if (function == NULL) {
        return;
    }
    if (!member_flag(call->json, "Publish", &change->publishes, &problem) ||
        !member_flag(call->json, "DryRun", &is_dry_run, &problem) ||
        !function_body_refuse_publish_to(call->json, &problem) ||
        !function_body_check_architecture(call->json, &problem) ||
        !function_body_read_code(call->json, &change->archive, &problem)) {
        function_change_fail(change, &problem);
    } else if (is_dry_run) {
        answer_dry_run(change, function);
    } else {
        update(change, function, NULL);
    }
}

void route_update_function_configuration(struct call *call, const struct principal *principal)
{
    struct problem problem = {0};
    struct function_change *change = NULL;
    struct function *function = begin_update(call, &change);

    (void)principal;
    if (function == NULL) {
        return;
    }
    change->config = function->latest->config;
    if (!function_body_read(call->json, false, http_arena(call->request), &change->config,
                            &problem) ||
        !function_layers_read(call, &change->config, &problem) ||
        (member_get(call->json, "Runtime") != NULL &&
         !runtime_check_named(call, change->config.runtime, &problem))) {
        function_change_fail(change, &problem);
        return;
    }
    update(change, function, &change->config);
}

/* --- deleting ----------------------------------------------------------------------------- */

static void delete_function(struct call *call, struct function *function)
{
    struct function_change *change =
        function_change_make(call, CHANGE_DELETE, bytes_of_text(function->name));
    int r;

    if (change == NULL) {
        return;
    }
    r = function_delete(driver_functions(call->service->driver), function, change,
                        function_change_done);
    if (r != 0) {
        function_change_refuse(change, r);
    }
}

void route_delete_function(struct call *call, const struct principal *principal)
{
    struct bytes qualifier;
    struct bytes name = call_function_name(call, call->labels[0], &qualifier);
    struct function *function;

    (void)principal;
    if (name.data == NULL) {
        return;
    }
    function = function_find(driver_functions(call->service->driver), name);
    if (function == NULL) {
        call_fail_function(call, name, qualifier);
    } else if (qualifier.len > 0) {
        route_delete_version(call, function, qualifier);
    } else {
        delete_function(call, function);
    }
}

/* --- reading ------------------------------------------------------------------------------ */

void route_get_function_configuration(struct call *call, const struct principal *principal)
{
    struct bytes qualifier;
    const struct function_revision *revision = call_revision(call, 0, &qualifier);

    (void)principal;
    if (revision != NULL) {
        function_answer_put(&call->out, revision, qualifier);
        call_answer(call, 200);
    }
}

void route_get_function(struct call *call, const struct principal *principal)
{
    struct bytes qualifier;
    const struct function_revision *revision = call_revision(call, 0, &qualifier);

    (void)principal;
    if (revision == NULL) {
        return;
    }
    json_open(&call->out, '{');
    json_key(&call->out, "Configuration");
    function_answer_put(&call->out, revision, qualifier);
    json_key(&call->out, "Code");
    json_open(&call->out, '{');
    json_key(&call->out, "RepositoryType");
    json_text(&call->out, "Pawl"); /* stored here: there is no place to fetch it from */
    json_close(&call->out, '}');
    function_answer_put_tags(&call->out, revision->function);
    function_answer_put_concurrency(&call->out, revision->function);
    json_close(&call->out, '}');
    call_answer(call, 200);
}

/* --- listing ------------------------------------------------------------------------------ */

/* A walk over functions, or with `is_all` over all their versions too, $LATEST first. */
struct walk {
    const struct functions *functions;
    struct bytes name; /* of the one before; empty at the start */
    uint32_t version;  /* likewise; 0: $LATEST */
    bool is_all;
};

static const struct function_revision *walk_next(struct walk *walk)
{
    const struct function *function = NULL;
    const struct function_revision *next = NULL;

    if (walk->is_all && walk->name.len > 0) {
        function = function_find(walk->functions, walk->name);
        next = (function != NULL) ? function_version_next(function, walk->version) : NULL;
    }
    if (next == NULL) {
        function = function_next(walk->functions, walk->name);
        next = (function != NULL) ? function->latest : NULL;
    }
    return next;
}

static void walk_to(struct walk *walk, const struct function_revision *revision)
{
    walk->name = bytes_of_text(revision->function->name);
    walk->version = revision->version;
}

/* The marker is the last name of the page before, and its version if that has one. */
static bool read_marker(struct call *call, struct walk *walk)
{
    struct function_name name = {0};
    struct bytes marker;

    if (!call_query(call, "Marker", &marker)) {
        return false;
    }
    if (marker.len > 0 && (!function_name_parse(marker, &name) || name.account != 0)) {
        call_fail(call, 400, "InvalidParameterValueException", "The Marker is not one of ours.");
        return false;
    }
    walk->name = name.name;
    walk->version = version_parse(name.qualifier);
    return true;
}

static bool read_all(struct call *call, struct walk *walk)
{
    struct bytes text;

    if (!call_query(call, "FunctionVersion", &text)) {
        return false;
    }
    walk->is_all = bytes_equal(text, bytes_of("ALL", 3));
    if (!walk->is_all && text.len > 0) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "1 validation error detected: Value at 'functionVersion' failed to satisfy "
                  "constraint: Member must satisfy enum value set: [ALL]");
        return false;
    }
    return true;
}

static void put_next_marker(struct call *call, const struct walk *walk)
{
    json_key(&call->out, "NextMarker");
    if (walk->version == 0) {
        json_quoted(&call->out, walk->name);
    } else { /* a plain name needs no escapes */
        buf_printf(&call->out, "\"%.*s:%" PRIu32 "\"", (int)walk->name.len,
                   (const char *)walk->name.data, walk->version);
    }
}

void route_list_functions(struct call *call, const struct principal *principal)
{
    struct walk walk = {.functions = driver_functions(call->service->driver)};
    const struct function_revision *revision;
    uint32_t items_max;

    (void)principal;
    if (!call_page(call, &items_max) || !read_marker(call, &walk) || !read_all(call, &walk)) {
        return;
    }
    json_open(&call->out, '{');
    json_key(&call->out, "Functions");
    json_open(&call->out, '[');
    revision = walk_next(&walk);
    for (uint32_t count = 0; revision != NULL && count < items_max; count++) {
        json_element(&call->out);
        function_answer_put(&call->out, revision,
                            walk.is_all ? bytes_of_text(revision->qualifier) : bytes_of("", 0));
        walk_to(&walk, revision);
        revision = walk_next(&walk);
    }
    json_close(&call->out, ']');
    if (revision != NULL) {
        put_next_marker(call, &walk);
    }
    json_close(&call->out, '}');
    call_answer(call, 200);
}
