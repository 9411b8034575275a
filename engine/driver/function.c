#include "engine/driver/function.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/function_record.h"
#include "engine/driver/functions.h"

#define ARN_MAX 256U
#define NAMES_MIN 16U

struct held *held_of(const struct function *function)
{
    return container_of((struct function *)(uintptr_t)function, struct held, function);
}

struct held_revision *held_revision_of(const struct function_revision *revision)
{
    return container_of((struct function_revision *)(uintptr_t)revision, struct held_revision,
                        revision);
}

struct id functions_make_id(struct functions *functions, int64_t now_ms)
{
    return id_make(now_ms, 0, functions->counter++, &functions->prng);
}

/* --- one function ------------------------------------------------------------------ */

static char *make_arn(const struct functions *functions, const char *name)
{
    char arn[ARN_MAX];
    int len = snprintf(arn, sizeof arn, "arn:aws:lambda:%s:%012" PRIu64 ":function:%s",
                       functions->region, functions->tenant, name);

    assert(len > 0 && len < (int)sizeof arn); /* the region was checked when it was set */
    return mem_dup(arn, (size_t)len);
}

int held_create(struct held **ret_held, const struct functions *functions, const struct id *id,
                const char *name, int64_t created_ms)
{
    struct held *held = mem_calloc(1, sizeof *held);

    if (held == NULL) {
        return ERR(ERR_NOMEM, "function");
    }
    held->function.id = *id;
    held->function.tenant = functions->tenant;
    held->function.created_ms = created_ms;
    list_init(&held->function.revisions);
    list_init(&held->settings.changing);
    held->function.name = mem_dup(name, strlen(name));
    held->function.arn = make_arn(functions, name);
    if (held->function.name == NULL || held->function.arn == NULL) {
        held_destroy(held);
        return ERR(ERR_NOMEM, "function");
    }
    *ret_held = held;
    return 0;
}

void held_destroy(struct held *held)
{
    struct list *item;

    if (held == NULL) {
        return;
    }
    while ((item = list_pop_front(&held->function.revisions)) != NULL) {
        held_revision_destroy(held_revision_of(container_of(item, struct function_revision, link)));
    }
    settings_fini(&held->settings);
    mem_free((void *)(uintptr_t)held->function.name);
    mem_free((void *)(uintptr_t)held->function.arn);
    mem_free(held);
}

int functions_index(struct functions *functions, struct held *held)
{
    return table_insert(&functions->by_id, &held->function.by_id, id_hash(&held->function.id));
}

void functions_unindex(struct functions *functions, struct held *held)
{
    table_remove(&functions->by_id, &held->function.by_id);
}

struct held *functions_find_held(const struct functions *functions, const struct id *id)
{
    struct table_node *node;

    for (node = table_first(&functions->by_id, id_hash(id)); node != NULL;
         node = table_next(node)) {
        struct function *function = container_of(node, struct function, by_id);

        if (id_equal(&function->id, id)) {
            return held_of(function);
        }
    }
    return NULL;
}

/* One that is being created has no revision yet. */
struct function *function_find_id(const struct functions *functions, const struct id *id)
{
    struct held *held = functions_find_held(functions, id);

    return (held != NULL && held->function.latest != NULL) ? &held->function : NULL;
}

/* --- names ------------------------------------------------------------------------- */

static int compare(struct bytes a, struct bytes b)
{
    int order = memcmp(a.data, b.data, (a.len < b.len) ? a.len : b.len);

    return (order != 0 || a.len == b.len) ? order : (a.len < b.len) ? -1 : 1;
}

/* Where the first name is that is not less than `name`, or with `is_after` greater. */
static size_t find_place(const struct functions *functions, struct bytes name, bool is_after)
{
    size_t low = 0;
    size_t high = functions->name_count;

    if (name.len == 0) {
        return 0;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(bytes_of_text(functions->names[middle]->function.name), name);

        if (order < 0 || (order == 0 && is_after)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct held *functions_find_name(const struct functions *functions, struct bytes name)
{
    size_t place = find_place(functions, name, false);

    if (place == functions->name_count ||
        !bytes_equal(bytes_of_text(functions->names[place]->function.name), name)) {
        return NULL;
    }
    return functions->names[place];
}

static int grow_names(struct functions *functions)
{
    size_t cap = (functions->name_cap != 0) ? functions->name_cap * 2 : NAMES_MIN;
    struct held **names = mem_realloc(functions->names, cap * sizeof(struct held *));

    if (names == NULL) {
        return ERR(ERR_NOMEM, "names of %zu functions", cap);
    }
    functions->names = names;
    functions->name_cap = cap;
    return 0;
}

int functions_take_name(struct functions *functions, struct held *held)
{
    size_t place = find_place(functions, bytes_of_text(held->function.name), false);
    int r = (functions->name_count == functions->name_cap) ? grow_names(functions) : 0;

    if (r != 0) {
        return r;
    }
    memmove(functions->names + place + 1, functions->names + place,
            (functions->name_count - place) * sizeof(struct held *));
    functions->names[place] = held;
    functions->name_count++;
    return 0;
}

void functions_free_name(struct functions *functions, const struct held *held)
{
    size_t place = find_place(functions, bytes_of_text(held->function.name), false);

    assert(place < functions->name_count && functions->names[place] == held);
    functions->name_count--;
    memmove(functions->names + place, functions->names + place + 1,
            (functions->name_count - place) * sizeof(struct held *));
}

struct function *function_find(const struct functions *functions, struct bytes name)
{
    struct held *held = functions_find_name(functions, name);

    return (held != NULL && held->is_visible) ? &held->function : NULL;
}

struct function *function_next(const struct functions *functions, struct bytes after)
{
    for (size_t i = find_place(functions, after, true); i < functions->name_count; i++) {
        if (functions->names[i]->is_visible) {
            return &functions->names[i]->function;
        }
    }
    return NULL;
}

uint64_t functions_code_bytes(const struct functions *functions)
{
    struct table_node *node = NULL;
    size_t bucket = 0;
    uint64_t bytes = 0;

    while ((node = table_walk(&functions->codes, &bucket, node)) != NULL) {
        const struct code *code = container_of(node, struct code, by_name);

        bytes += code->is_stored ? code->bytes : 0;
    }
    return bytes;
}

/* --- revisions --------------------------------------------------------------------- */

static int attach_code(struct held_revision *held, struct functions *functions)
{
    struct code *code = code_find(functions, held->revision.code);

    if (code == NULL || code->bytes != held->revision.code_bytes) {
        return ERR(ERR_CORRUPT, "a revision's code %.16s… is not stored", held->revision.code);
    }
    code->references++;
    held->code = code;
    return 0;
}

static int find_part(const struct functions *functions, const struct function_layer *layer,
                     struct code **ret_part)
{
    *ret_part = code_find(functions, layer->code);
    return (*ret_part != NULL && (*ret_part)->bytes == layer->code_bytes)
               ? 0
               : ERR(ERR_CORRUPT, "the code of %s is not stored", layer->arn);
}

static int attach_layers(struct held_revision *held, struct functions *functions)
{
    const struct function_config *config = &held->revision.config;
    struct code *parts[FUNCTION_LAYERS_MAX];
    int r = 0;

    for (size_t i = 0; i < config->layer_count && r == 0; i++) {
        r = find_part(functions, &config->layers[i], &parts[i]);
    }
    if (r == 0 && config->layer_count > 0) {
        r = code_obtain_merged(functions, parts, config->layer_count, &held->layers);
    }
    held->revision.layers = (held->layers != NULL) ? held->layers->name : NULL;
    return r;
}

static void name_version(struct held_revision *held)
{
    (void)snprintf(held->version, sizeof held->version, "%" PRIu32, held->revision.version);
    held->revision.qualifier = (held->revision.version != 0) ? held->version : "$LATEST";
}

int held_revision_create(struct held_revision **ret_held, struct functions *functions,
                         struct bytes record)
{
    struct held_revision *held = mem_calloc(1, sizeof *held);
    int r = 0;

    if (held == NULL) {
        return ERR(ERR_NOMEM, "revision");
    }
    list_init(&held->revision.link);
    held->plain_len = record.len;
    held->plain = mem_dup(record.data, record.len);
    if (held->plain == NULL) {
        r = ERR(ERR_NOMEM, "revision of %zu bytes", record.len);
    }
    if (r == 0) {
        r = revision_record_get(bytes_of(held->plain, record.len), &held->revision);
    }
    if (r == 0) {
        r = attach_code(held, functions);
    }
    if (r == 0) {
        r = attach_layers(held, functions);
    }
    if (r != 0) {
        held_revision_destroy(held);
        return r;
    }
    name_version(held);
    *ret_held = held;
    return 0;
}

/* Environment variables are often secrets: they do not stay in freed memory. */
void held_revision_destroy(struct held_revision *held)
{
    if (held == NULL) {
        return;
    }
    code_release(held->layers);
    code_release(held->code);
    mem_free(held->revision.config.env);
    mem_free(held->revision.config.layers);
    if (held->plain != NULL) {
        explicit_bzero(held->plain, held->plain_len);
    }
    mem_free(held->plain);
    mem_free(held);
}

static void note_numbers(struct function *function, const struct function_revision *revision)
{
    if (revision->number > function->last_revision) {
        function->last_revision = revision->number;
    }
    if (revision->version > function->last_version) {
        function->last_version = revision->version;
    }
}

void held_add_revision(struct held *held, struct held_revision *revision)
{
    struct function *function = &held->function;
    struct list *before = &function->revisions;

    revision->revision.function = function;
    while (before->prev != &function->revisions &&
           container_of(before->prev, struct function_revision, link)->number >
               revision->revision.number) {
        before = before->prev;
    }
    list_push_back(before, &revision->revision.link);
    note_numbers(function, &revision->revision);
    if (revision->revision.version != 0) {
        if (!revision->revision.is_deleted) {
            function->version_count++;
            function_revision_ref(&revision->revision);
        }
    } else if (function->latest == NULL || function->latest->number < revision->revision.number) {
        if (function->latest != NULL) {
            function_revision_unref(function->latest);
        }
        function->latest = &revision->revision;
        function_revision_ref(function->latest);
    }
}

void held_hide_version(struct held_revision *revision)
{
    assert(revision->revision.version != 0 && !revision->revision.is_deleted);
    revision->revision.is_deleted = true;
    revision->revision.function->version_count--;
    function_revision_unref(&revision->revision);
}

bool held_keeps_revision(const struct function_revision *revision)
{
    return (revision->version != 0) ? !revision->is_deleted
                                    : revision == revision->function->latest;
}

/* Versions are asked for more often when they are new, and are in the order of numbers. */
struct function_revision *function_version_find(const struct function *function, uint32_t version)
{
    for (struct list *item = function->revisions.prev; item != &function->revisions;
         item = item->prev) {
        struct function_revision *revision = container_of(item, struct function_revision, link);

        if (version != 0 && revision->version == version) {
            return revision->is_deleted ? NULL : revision;
        }
    }
    return NULL;
}

struct function_revision *function_version_next(const struct function *function, uint32_t after)
{
    struct list *item;

    list_for_each (item, &function->revisions) {
        struct function_revision *revision = container_of(item, struct function_revision, link);

        if (revision->version > after && !revision->is_deleted) {
            return revision;
        }
    }
    return NULL;
}

struct function_revision *function_revision_find(const struct function *function, uint32_t number)
{
    struct list *item;

    list_for_each (item, &function->revisions) {
        struct function_revision *revision = container_of(item, struct function_revision, link);

        if (revision->number == number) {
            return revision;
        }
    }
    return NULL;
}

void function_revision_ref(struct function_revision *revision)
{
    revision->references++;
}

/* The memory stays: an execution that is only in the journal may ask for it by number. */
void function_revision_unref(struct function_revision *revision)
{
    assert(revision->references > 0);
    revision->references--;
}
