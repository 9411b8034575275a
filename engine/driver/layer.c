#include "engine/driver/layer.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/layers.h"

#define ARN_MAX 256U
#define LAYERS_MIN 16U

struct held_layer *held_layer_of(const struct layer *layer)
{
    return container_of((struct layer *)(uintptr_t)layer, struct held_layer, layer);
}

struct held_layer_version *held_layer_version_of(const struct layer_version *version)
{
    return container_of((struct layer_version *)(uintptr_t)version, struct held_layer_version,
                        version);
}

/* --- names ------------------------------------------------------------------------------ */

static int compare(struct bytes a, struct bytes b)
{
    int order = memcmp(a.data, b.data, (a.len < b.len) ? a.len : b.len);

    return (order != 0) ? order : (a.len > b.len) - (a.len < b.len);
}

/* Where the first name is that is not less than `name`, or with `is_after` greater. */
static size_t find_place(const struct functions *functions, struct bytes name, bool is_after)
{
    size_t low = 0;
    size_t high = functions->layer_count;

    while (low < high && name.len > 0) {
        size_t middle = low + (high - low) / 2;
        int order = compare(bytes_of_text(functions->layers[middle]->layer.name), name);

        if (order < 0 || (order == 0 && is_after)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct held_layer *layers_find(const struct functions *functions, struct bytes name)
{
    size_t place = find_place(functions, name, false);

    return (place < functions->layer_count &&
            bytes_equal(bytes_of_text(functions->layers[place]->layer.name), name))
               ? functions->layers[place]
               : NULL;
}

struct layer *layer_find(const struct functions *functions, struct bytes name)
{
    struct held_layer *held = layers_find(functions, name);

    return (held != NULL && held->layer.version_count > 0) ? &held->layer : NULL;
}

struct layer *layer_next(const struct functions *functions, struct bytes after)
{
    for (size_t i = find_place(functions, after, true); i < functions->layer_count; i++) {
        if (functions->layers[i]->layer.version_count > 0) {
            return &functions->layers[i]->layer;
        }
    }
    return NULL;
}

/* --- layers ----------------------------------------------------------------------------- */

static void held_layer_destroy(struct held_layer *held)
{
    struct list *item;

    while ((item = list_pop_front(&held->layer.versions)) != NULL) {
        held_layer_version_destroy(
            held_layer_version_of(container_of(item, struct layer_version, link)));
    }
    mem_free((void *)(uintptr_t)held->layer.name);
    mem_free((void *)(uintptr_t)held->layer.arn);
    mem_free(held);
}

static int held_layer_create(struct held_layer **ret_held, const struct functions *functions,
                             struct bytes name)
{
    struct held_layer *held = mem_calloc(1, sizeof *held);
    char arn[ARN_MAX];
    int len =
        snprintf(arn, sizeof arn, "arn:aws:lambda:%s:%012" PRIu64 ":layer:%.*s", functions->region,
                 functions->tenant, (int)name.len, (const char *)name.data);

    assert(len > 0 && len < (int)sizeof arn); /* region and name were checked */
    if (held == NULL) {
        return ERR(ERR_NOMEM, "layer");
    }
    list_init(&held->layer.versions);
    held->layer.name = mem_dup(name.data, name.len);
    held->layer.arn = mem_dup(arn, (size_t)len);
    if (held->layer.name == NULL || held->layer.arn == NULL) {
        held_layer_destroy(held);
        return ERR(ERR_NOMEM, "layer");
    }
    *ret_held = held;
    return 0;
}

static int grow(struct functions *functions)
{
    size_t cap = (functions->layer_cap > 0) ? functions->layer_cap * 2 : LAYERS_MIN;
    struct held_layer **layers = mem_realloc(functions->layers, cap * sizeof(struct held_layer *));

    if (layers == NULL) {
        return ERR(ERR_NOMEM, "%zu layers", cap);
    }
    functions->layers = layers;
    functions->layer_cap = cap;
    return 0;
}

int layers_obtain(struct functions *functions, struct bytes name, struct held_layer **ret_layer)
{
    size_t place = find_place(functions, name, false);
    struct held_layer *held = layers_find(functions, name);
    int r = 0;

    if (held == NULL && functions->layer_count == functions->layer_cap) {
        r = grow(functions);
    }
    if (r == 0 && held == NULL) {
        r = held_layer_create(&held, functions, name);
        if (r == 0) {
            memmove(functions->layers + place + 1, functions->layers + place,
                    (functions->layer_count - place) * sizeof(struct held_layer *));
            functions->layers[place] = held;
            functions->layer_count++;
        }
    }
    if (r == 0) {
        *ret_layer = held;
    }
    return r;
}

void layers_drop(struct functions *functions, struct held_layer *held)
{
    size_t place = find_place(functions, bytes_of_text(held->layer.name), false);

    if (held->is_publishing || held->layer.last_version > 0) {
        return;
    }
    assert(functions->layers[place] == held);
    functions->layer_count--;
    memmove(functions->layers + place, functions->layers + place + 1,
            (functions->layer_count - place) * sizeof(struct held_layer *));
    held_layer_destroy(held);
}

void layers_free(struct functions *functions)
{
    while (functions->layer_count > 0) {
        held_layer_destroy(functions->layers[--functions->layer_count]);
    }
    mem_free(functions->layers);
    functions->layers = NULL;
    functions->layer_cap = 0;
}

/* --- versions --------------------------------------------------------------------------- */

static int attach_code(struct held_layer_version *held, struct functions *functions)
{
    struct code *code = code_find(functions, held->version.code);

    if (code == NULL || code->bytes != held->version.code_bytes) {
        return ERR(ERR_CORRUPT, "the code of a layer, %.16s…, is not stored", held->version.code);
    }
    code->references++;
    held->code = code;
    return 0;
}

static int name_version(struct held_layer_version *held, const struct layer *layer)
{
    char arn[ARN_MAX];
    int len = snprintf(arn, sizeof arn, "%s:%" PRIu32, layer->arn, held->version.version);

    held->version.arn = mem_dup(arn, (size_t)len);
    return (held->version.arn != NULL) ? 0 : ERR(ERR_NOMEM, "layer version");
}

int held_layer_version_create(struct held_layer_version **ret_held, struct functions *functions,
                              const struct layer *layer, struct bytes record)
{
    struct held_layer_version *held = mem_calloc(1, sizeof *held);
    const char *name;
    int r = 0;

    if (held == NULL) {
        return ERR(ERR_NOMEM, "layer version");
    }
    list_init(&held->version.link);
    held->plain_len = record.len;
    held->plain = mem_dup(record.data, record.len);
    if (held->plain == NULL) {
        r = ERR(ERR_NOMEM, "layer version of %zu bytes", record.len);
    }
    if (r == 0) {
        r = layer_version_record_get(bytes_of(held->plain, record.len), &name, &held->version);
    }
    if (r == 0) {
        r = attach_code(held, functions);
    }
    if (r == 0) {
        r = name_version(held, layer);
    }
    if (r != 0) {
        held_layer_version_destroy(held);
        return r;
    }
    *ret_held = held;
    return 0;
}

void held_layer_version_destroy(struct held_layer_version *held)
{
    if (held == NULL) {
        return;
    }
    code_release(held->code);
    mem_free((void *)(uintptr_t)held->version.arn);
    mem_free(held->plain);
    mem_free(held);
}

void held_layer_add(struct held_layer *layer, struct held_layer_version *held)
{
    struct list *before = &layer->layer.versions;
    uint32_t number = held->version.version;

    while (before->prev != &layer->layer.versions &&
           container_of(before->prev, struct layer_version, link)->version > number) {
        before = before->prev;
    }
    list_push_back(before, &held->version.link);
    held->version.layer = &layer->layer;
    layer->layer.version_count++;
    if (layer->layer.last_version < number) {
        layer->layer.last_version = number;
    }
}

void held_layer_remove(struct held_layer_version *held)
{
    list_remove(&held->version.link);
    held->version.layer->version_count--;
    held_layer_version_destroy(held);
}
