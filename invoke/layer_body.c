#include "invoke/layer_body.h"

#include "engine/driver/layer.h"
#include "invoke/function_body.h"
#include "invoke/json_tree.h"
#include "invoke/member.h"

#define DESCRIPTION_MAX 256
#define LICENSE_MAX 512
#define LAYER_RUNTIMES_MAX 15
#define LAYER_ARCHITECTURES_MAX 2
#define RUNTIME_MAX 64U

static bool is_runtime(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.') {
            return false;
        }
    }
    return text.len > 0 && text.len <= RUNTIME_MAX;
}

static bool is_architecture(struct bytes text)
{
    return bytes_equal(text, bytes_of_text("x86_64")) || bytes_equal(text, bytes_of_text("arm64"));
}

static bool check_list(const json_t *body, const char *key, size_t max,
                       bool (*is_good)(struct bytes text), struct problem *problem)
{
    json_t *list = NULL;
    json_t *item;
    size_t i;

    if (!member_array(body, key, max, &list, problem)) {
        return false;
    }
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item) ||
            !is_good(bytes_of(json_string_value(item), json_string_length(item)))) {
            return problem_invalid(problem,
                                   "1 validation error detected: Value '%.64s' at '%s' failed to "
                                   "satisfy constraint: Member must satisfy enum value set",
                                   json_is_string(item) ? json_string_value(item) : "", key);
        }
    }
    return true;
}

static bool check(const json_t *body, struct problem *problem)
{
    const char *text = NULL;

    return member_text(body, "Description", DESCRIPTION_MAX, &text, problem) &&
           member_text(body, "LicenseInfo", LICENSE_MAX, &text, problem) &&
           check_list(body, "CompatibleRuntimes", LAYER_RUNTIMES_MAX, is_runtime, problem) &&
           check_list(body, "CompatibleArchitectures", LAYER_ARCHITECTURES_MAX, is_architecture,
                      problem);
}

static bool keep(const json_t *body, struct buf *about, struct problem *problem)
{
    static const char *const kept[] = {"Description", "LicenseInfo", "CompatibleRuntimes",
                                       "CompatibleArchitectures"};
    json_t *tree = json_object();

    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        json_t *value = member_get(body, kept[i]);

        if (value != NULL) {
            (void)json_object_set(tree, kept[i], value);
        }
    }
    json_tree_put(about, tree);
    json_decref(tree);
    return !about->failed || problem_memory(problem);
}

bool layer_body_read(const json_t *body, struct buf *about, struct buf *archive,
                     struct problem *problem)
{
    json_t *content = NULL;

    if (!member_object(body, "Content", &content, problem)) {
        return false;
    }
    if (content == NULL) {
        return problem_invalid(problem, "1 validation error detected: Value null at 'content' "
                                        "failed to satisfy constraint: Member must not be null");
    }
    return check(body, problem) && keep(body, about, problem) &&
           function_body_read_code(content, archive, problem);
}

/* --- filters -------------------------------------------------------------------------------- */

static bool refuse(struct call *call, const char *member, struct bytes value)
{
    call_fail(call, 400, "InvalidParameterValueException",
              "1 validation error detected: Value '%.*s' at '%s' failed to satisfy constraint: "
              "Member must satisfy enum value set",
              (value.len < RUNTIME_MAX) ? (int)value.len : (int)RUNTIME_MAX,
              (const char *)value.data, member);
    return false;
}

bool layer_filter_read(struct call *call, struct layer_filter *ret_filter)
{
    if (!call_query(call, "CompatibleRuntime", &ret_filter->runtime) ||
        !call_query(call, "CompatibleArchitecture", &ret_filter->architecture)) {
        return false;
    }
    if (ret_filter->runtime.len > 0 && !is_runtime(ret_filter->runtime)) {
        return refuse(call, "compatibleRuntime", ret_filter->runtime);
    }
    return ret_filter->architecture.len == 0 || is_architecture(ret_filter->architecture) ||
           refuse(call, "compatibleArchitecture", ret_filter->architecture);
}

static bool lists(const json_t *about, const char *key, struct bytes wanted)
{
    const json_t *list = json_object_get(about, key);

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));

        if (bytes_equal(bytes_of_text(text), wanted)) {
            return true;
        }
    }
    return wanted.len == 0;
}

bool layer_filter_takes(const struct layer_filter *filter, struct bytes text)
{
    json_t *about;
    bool is_taken;

    if (filter->runtime.len == 0 && filter->architecture.len == 0) {
        return true;
    }
    about = json_tree_read(text);
    is_taken = lists(about, "CompatibleRuntimes", filter->runtime) &&
               lists(about, "CompatibleArchitectures", filter->architecture);
    json_decref(about);
    return is_taken;
}
