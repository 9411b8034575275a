/* Published versions of functions. */
#include <inttypes.h>

#include "engine/driver/function_name.h"
#include "invoke/function_answer.h"
#include "invoke/function_body.h"
#include "invoke/function_change.h"
#include "invoke/member.h"
#include "invoke/moment.h"
#include "invoke/routes.h"

#define DESCRIPTION_MAX 256
#define HASH_TEXT_MAX 128

/* --- publishing ------------------------------------------------------------------------- */

static bool check_hash(struct call *call, const struct function *function)
{
    struct problem problem = {0};
    const char *wanted = NULL;
    struct buf present = {0};
    bool is_same;

    if (!member_text(call->json, "CodeSha256", HASH_TEXT_MAX, &wanted, &problem)) {
        call_fail_problem(call, &problem);
        return false;
    }
    if (wanted == NULL || wanted[0] == '\0') {
        return true;
    }
    function_answer_put_hash(&present, function->latest->code);
    is_same = bytes_equal(bytes_of_text(wanted), buf_bytes(&present));
    if (!is_same) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%.*s). Please "
                  "try again with the CodeSHA256 in $LATEST.",
                  wanted, (int)present.len, (const char *)present.data);
    }
    buf_fini(&present);
    return is_same;
}

static bool read_publish(struct call *call, const char **ret_description)
{
    struct problem problem = {0};

    if (!member_text(call->json, "Description", DESCRIPTION_MAX, ret_description, &problem) ||
        !function_body_refuse_publish_to(call->json, &problem)) {
        call_fail_problem(call, &problem);
        return false;
    }
    return true;
}

void route_publish_version(struct call *call, const struct principal *principal)
{
    const char *description = NULL;
    struct function_change *change;
    struct function *function;
    int r;

    (void)principal;
    if (!call_read_json(call)) {
        return;
    }
    function = call_latest(call, 0);
    if (function == NULL || !function_change_check_id(call, &function->latest->revision_id) ||
        !check_hash(call, function) || !read_publish(call, &description)) {
        return;
    }
    change = function_change_make(call, CHANGE_PUBLISH, bytes_of_text(function->name));
    if (change == NULL) {
        return;
    }
    change->publishes = true;
    r = function_publish(driver_functions(call->service->driver), function, description,
                         moment_now_ms(), change, function_change_done);
    if (r == FUNCTION_UNCHANGED) {
        function_change_answer_version(call, 201, function, true);
    } else if (r != 0) {
        function_change_refuse(change, r);
    }
}

/* --- listing ---------------------------------------------------------------------------- */

/* $LATEST, then the versions; the marker is the last one of the page before. */
static const struct function_revision *next_version(const struct function *function,
                                                    const struct function_revision *before)
{
    return (before == NULL) ? function->latest : function_version_next(function, before->version);
}

static bool read_marker(struct call *call, const struct function *function,
                        const struct function_revision **ret_first)
{
    struct bytes marker;
    uint32_t version;

    if (!call_query(call, "Marker", &marker)) {
        return false;
    }
    version = version_parse(marker);
    if (marker.len > 0 && version == 0 && !bytes_equal(marker, bytes_of_text("$LATEST"))) {
        call_fail(call, 400, "InvalidParameterValueException", "The Marker is not one of ours.");
        return false;
    }
    *ret_first = (marker.len > 0) ? function_version_next(function, version) : function->latest;
    return true;
}

void route_list_versions(struct call *call, const struct principal *principal)
{
    struct bytes qualifier;
    const struct function *function = call_function(call, 0, &qualifier);
    const struct function_revision *revision = NULL;
    const struct function_revision *last = NULL;
    uint32_t items_max;

    (void)principal;
    if (function == NULL || !call_page(call, &items_max) ||
        !read_marker(call, function, &revision)) {
        return;
    }
    json_open(&call->out, '{');
    json_key(&call->out, "Versions");
    json_open(&call->out, '[');
    for (uint32_t count = 0; revision != NULL && count < items_max; count++) {
        json_element(&call->out);
        function_answer_put(&call->out, revision, bytes_of_text(revision->qualifier));
        last = revision;
        revision = next_version(function, last);
    }
    json_close(&call->out, ']');
    if (revision != NULL) {
        json_key(&call->out, "NextMarker");
        json_text(&call->out, last->qualifier);
    }
    json_close(&call->out, '}');
    call_answer(call, 200);
}

/* --- deleting --------------------------------------------------------------------------- */

static void fail_in_use(struct call *call, const struct function_revision *revision)
{
    struct buf names = {0};
    struct bytes after = {0};
    struct alias alias;

    while (names.len < CALL_MESSAGE_MAX && alias_next(revision->function, after, &alias)) {
        if (alias_names_version(&alias, revision->version)) {
            buf_printf(&names, "%s%.*s", (names.len > 0) ? ", " : "", (int)alias.name.len,
                       (const char *)alias.name.data);
        }
        after = alias.name;
    }
    call_fail(call, 409, "ResourceConflictException",
              "Unable to delete version because the following aliases reference it: [%.*s]",
              (int)names.len, (const char *)names.data);
    buf_fini(&names);
}

static void delete_version(struct call *call, struct function_revision *revision)
{
    struct function_change *change =
        function_change_make(call, CHANGE_DELETE, bytes_of_text(revision->function->name));
    int r;

    if (change == NULL) {
        return;
    }
    r = function_delete_version(driver_functions(call->service->driver), revision, change,
                                function_change_done);
    if (r == FUNCTION_IN_USE) {
        fail_in_use(call, revision);
    } else if (r != 0) {
        function_change_refuse(change, r);
    }
}

/* One that is not there (any more) is deleted already. */
void route_delete_version(struct call *call, struct function *function, struct bytes qualifier)
{
    uint32_t version = version_parse(qualifier);
    struct function_revision *revision = function_version_find(function, version);

    if (bytes_equal(qualifier, bytes_of_text("$LATEST"))) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "$LATEST version cannot be deleted without deleting the function.");
    } else if (version == 0) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "Deletion of aliases is not currently supported.");
    } else if (revision == NULL) {
        call_respond(call, 204, NULL, bytes_of(NULL, 0));
    } else {
        delete_version(call, revision);
    }
}
