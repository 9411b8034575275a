/* TagResource, UntagResource, ListTags: a resource is a function, by its ARN. */
#include "invoke/json_tree.h"
#include "invoke/member.h"
#include "invoke/routes.h"
#include "invoke/setting_call.h"
#include "invoke/tags.h"

#define NO_NAME bytes_of("", 0)

/* NULL: answered. */
static struct function *find_resource(struct call *call)
{
    struct bytes resource = call->labels[0];

    if (resource.len < 4 || memcmp(resource.data, "arn:", 4) != 0) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "1 validation error detected: Value '%.*s' at 'resource' failed to satisfy "
                  "constraint: it must be the ARN of a function",
                  (int)((resource.len < 256) ? resource.len : 256), (const char *)resource.data);
        return NULL;
    }
    return setting_call_function(call);
}

/* Takes `tags` over. They are stored also when there are none: those of the function's
 * creation do not come back. */
static void put(struct call *call, struct function *function, json_t *tags)
{
    struct buf text = {0};

    json_tree_put(&text, tags);
    json_decref(tags);
    if (text.failed) {
        call_fail_memory(call);
    } else {
        setting_call_put(call, function, SETTING_TAGS, NO_NAME, buf_bytes(&text), 204);
    }
    buf_fini(&text);
}

static bool merge(struct call *call, json_t *tags, const json_t *more)
{
    struct problem problem = {0};
    bool is_good = json_object_size(more) > 0;

    if (!is_good) {
        (void)problem_invalid(&problem, "Tags must be an object with at least one tag.");
    } else if (tags == NULL || json_object_update(tags, (json_t *)(uintptr_t)more) != 0) {
        is_good = problem_memory(&problem);
    } else {
        is_good = tags_check(more, &problem) && tags_check(tags, &problem);
    }
    if (!is_good) {
        call_fail_problem(call, &problem);
    }
    return is_good;
}

void route_tag_resource(struct call *call, const struct principal *principal)
{
    struct function *function;
    json_t *tags;

    (void)principal;
    if (!call_read_json(call)) {
        return;
    }
    function = find_resource(call);
    if (function == NULL) {
        return;
    }
    tags = tags_of(function);
    if (merge(call, tags, member_get(call->json, "Tags"))) {
        put(call, function, tags);
    } else {
        json_decref(tags);
    }
}

/* How many were named; -1: answered. */
static int remove_keys(struct call *call, json_t *tags)
{
    struct problem problem = {0};
    char text[4 * TAG_KEY_CHARS_MAX + 1];
    struct bytes key;
    int count = 0;

    while ((key = http_query_value(call->request, "tagKeys", (size_t)count)).data != NULL) {
        if (!tags_check_key(key, &problem)) {
            call_fail_problem(call, &problem);
            return -1;
        }
        memcpy(text, key.data, key.len);
        text[key.len] = '\0';
        (void)json_object_del(tags, text);
        count++;
    }
    if (count == 0) {
        call_fail(call, 400, "InvalidParameterValueException",
                  "1 validation error detected: Value null at 'tagKeys' failed to satisfy "
                  "constraint: Member must not be null");
        return -1;
    }
    return count;
}

void route_untag_resource(struct call *call, const struct principal *principal)
{
    struct function *function = find_resource(call);
    json_t *tags;

    (void)principal;
    if (function == NULL) {
        return;
    }
    tags = tags_of(function);
    if (tags == NULL) {
        call_fail_memory(call);
    } else if (remove_keys(call, tags) > 0) {
        put(call, function, tags);
    } else {
        json_decref(tags);
    }
}

void route_list_tags(struct call *call, const struct principal *principal)
{
    const struct function *function = find_resource(call);
    json_t *tags;

    (void)principal;
    if (function == NULL) {
        return;
    }
    tags = tags_of(function);
    json_open(&call->out, '{');
    json_key(&call->out, "Tags");
    json_tree_put(&call->out, tags);
    json_close(&call->out, '}');
    json_decref(tags);
    call_answer(call, 200);
}
