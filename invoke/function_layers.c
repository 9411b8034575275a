#include "invoke/function_layers.h"

#include "invoke/layer_name.h"
#include "invoke/member.h"

#define LISTED_MAX 100 /* to be told how many there may be */

static bool find(const struct call *call, const json_t *item, struct layer_version **ret_version,
                 struct problem *problem)
{
    const char *arn = json_is_string(item) ? json_string_value(item) : "";

    if (!layer_version_parse(call, bytes_of(arn, json_string_length(item)), ret_version)) {
        return problem_invalid(problem,
                               "1 validation error detected: Value '%.256s' at 'layers' failed to "
                               "satisfy constraint: it must be the ARN of a layer version, as in "
                               "%s:layer:NAME:VERSION",
                               arn, "arn:aws:lambda:REGION:ACCOUNT");
    }
    return *ret_version != NULL ||
           problem_invalid(problem, "Layer version %.256s does not exist.", arn);
}

static bool check_other(const struct layer_version *one, const struct layer_version *other,
                        struct problem *problem)
{
    if (one == other) {
        return problem_invalid(problem, "Layer version %.256s is listed twice.", one->arn);
    }
    return one->layer != other->layer ||
           problem_invalid(problem,
                           "Two different versions of the same layer are not allowed to be "
                           "referenced in the same function. %.256s and %.256s are versions of "
                           "the same layer.",
                           other->arn, one->arn);
}

static bool read_all(const struct call *call, const json_t *list, struct function_layer *layers,
                     struct problem *problem)
{
    struct layer_version *versions[FUNCTION_LAYERS_MAX];

    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!find(call, json_array_get(list, i), &versions[i], problem)) {
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (!check_other(versions[i], versions[j], problem)) {
                return false;
            }
        }
        layers[i] = (struct function_layer){.arn = versions[i]->arn,
                                            .code = versions[i]->code,
                                            .code_bytes = versions[i]->code_bytes};
    }
    return true;
}

bool function_layers_read(struct call *call, struct function_config *config,
                          struct problem *problem)
{
    struct function_layer *layers;
    json_t *list = NULL;
    size_t count;

    if (!member_array(call->json, "Layers", LISTED_MAX, &list, problem)) {
        return false;
    }
    if (list == NULL) {
        return true;
    }
    count = json_array_size(list);
    if (count > FUNCTION_LAYERS_MAX) {
        return problem_invalid(problem, "Cannot reference more than %u layers.",
                               FUNCTION_LAYERS_MAX);
    }
    layers = arena_alloc(http_arena(call->request), (count + 1) * sizeof *layers);
    if (layers == NULL) {
        return problem_memory(problem);
    }
    if (!read_all(call, list, layers, problem)) {
        return false;
    }
    config->layers = layers;
    config->layer_count = count;
    return true;
}

void function_layers_put(struct buf *json, const struct function_config *config)
{
    if (config->layer_count == 0) {
        return;
    }
    json_key(json, "Layers");
    json_open(json, '[');
    for (size_t i = 0; i < config->layer_count; i++) {
        json_element(json);
        json_open(json, '{');
        json_key(json, "Arn");
        json_text(json, config->layers[i].arn);
        json_key(json, "CodeSize");
        json_int(json, (int64_t)config->layers[i].code_bytes);
        json_close(json, '}');
    }
    json_close(json, ']');
}
