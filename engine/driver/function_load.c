#include <assert.h>
#include <sys/random.h>

#include "engine/base/err.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/driver/function_record.h"
#include "engine/driver/functions.h"
#include "engine/driver/layers.h"

/* Archives are loaded first, then functions, then their revisions and settings, then layers
 * and their versions. What an interrupted change left is a revision or layer version that no
 * function or layer knows, a setting without a function, version or alias or of a deleted
 * one, or an archive that neither a revision nor a layer version has. */

#define REGION_MAX 64U

struct load {
    struct functions *functions;
    struct buf plain;
    struct buf orphans; /* keys (struct object_key) of what no function knows */
    size_t skip;        /* bytes of the key before the name or id */
};

/* --- visitors ------------------------------------------------------------------------- */

static int load_archive(void *arg, struct bytes key, struct bytes value)
{
    struct load *load = arg;
    struct bytes name = bytes_of(key.data + load->skip, key.len - load->skip);
    char text[CODE_NAME_LEN + 1] = {0};
    struct archive_record record;
    struct code *code;
    int r = object_open(load->functions->keys, KEY_CODE, key, value, &load->plain);

    if (r == 0) {
        r = archive_record_get(buf_bytes(&load->plain), &record);
    }
    if (r == 0 && !code_is_name(name)) {
        r = ERR(ERR_CORRUPT, "object %.*s has no hash", (int)key.len, key.data);
    }
    if (r != 0) {
        return r;
    }
    memcpy(text, name.data, name.len);
    r = code_obtain(load->functions, text, record.bytes, &code);
    if (r == 0) {
        code->is_stored = true;
        code->unpacked_bytes = record.unpacked_bytes;
        code_release(code);
    }
    return r;
}

static int read_id(const struct load *load, struct bytes key, struct id *ret_id)
{
    if (key.len < load->skip + ID_TEXT_LEN ||
        !id_parse((const char *)key.data + load->skip, ID_TEXT_LEN, ret_id)) {
        return ERR(ERR_CORRUPT, "object %.*s has no id", (int)key.len, key.data);
    }
    return 0;
}

static int add_function(struct functions *functions, const struct id *id,
                        const struct function_record *record)
{
    struct held *held;
    int r = held_create(&held, functions, id, record->name, record->created_ms);

    if (r != 0) {
        return r;
    }
    held->function.is_deleted = record->is_deleted;
    held->function.last_revision = record->last_revision;
    held->function.last_version = record->last_version;
    held->is_visible = !record->is_deleted;
    r = functions_index(functions, held);
    if (r != 0) {
        held_destroy(held);
        return r;
    }
    if (record->is_deleted) {
        return 0;
    }
    if (functions_find_name(functions, bytes_of_text(record->name)) != NULL) {
        return ERR(ERR_CORRUPT, "two functions are named %.64s", record->name);
    }
    return functions_take_name(functions, held);
}

static int load_function(void *arg, struct bytes key, struct bytes value)
{
    struct load *load = arg;
    struct function_record record;
    struct id id;
    int r = object_open(load->functions->keys, KEY_CONFIG, key, value, &load->plain);

    if (r == 0) {
        r = function_record_get(buf_bytes(&load->plain), &record);
    }
    if (r == 0) {
        r = read_id(load, key, &id);
    }
    return (r == 0) ? add_function(load->functions, &id, &record) : r;
}

static int check_key(const struct object_key *expected, struct bytes key)
{
    return bytes_equal(bytes_of_text(expected->text), key)
               ? 0
               : ERR(ERR_CORRUPT, "object %s is at another place", expected->text);
}

static int note_orphan(struct load *load, struct bytes key)
{
    struct object_key copy = {{0}};

    memcpy(copy.text, key.data, key.len); /* object_open() has checked its length */
    buf_append(&load->orphans, &copy, sizeof copy);
    return load->orphans.failed ? ERR(ERR_NOMEM, "leftovers") : 0;
}

static int load_revision(void *arg, struct bytes key, struct bytes value)
{
    struct load *load = arg;
    struct held_revision *revision;
    struct held *held = NULL;
    struct object_key expected;
    struct id id;
    int r = object_open(load->functions->keys, KEY_CONFIG, key, value, &load->plain);

    if (r == 0) {
        r = read_id(load, key, &id);
    }
    if (r != 0) {
        return r;
    }
    held = functions_find_held(load->functions, &id);
    if (held == NULL) {
        return note_orphan(load, key);
    }
    r = held_revision_create(&revision, load->functions, buf_bytes(&load->plain));
    if (r != 0) {
        return r;
    }
    if (revision_record_is_listed(buf_bytes(&load->plain)) &&
        revision->revision.number > held->function.last_revision) {
        held_revision_destroy(revision);
        return note_orphan(load, key);
    }
    held_add_revision(held, revision);
    revision_key(&expected, load->functions, &id, revision->revision.number);
    return check_key(&expected, key);
}

static int load_setting(void *arg, struct bytes key, struct bytes value)
{
    struct load *load = arg;
    struct held *held = NULL;
    struct id id;
    int r = object_open(load->functions->keys, KEY_CONFIG, key, value, &load->plain);

    if (r == 0) {
        r = read_id(load, key, &id);
    }
    if (r != 0) {
        return r;
    }
    held = functions_find_held(load->functions, &id);
    if (held == NULL || held->function.is_deleted) {
        return note_orphan(load, key);
    }
    return setting_load(load->functions, held, key, load->skip, buf_bytes(&load->plain));
}

/* --- layers ---------------------------------------------------------------------------- */

static int load_layer(void *arg, struct bytes key, struct bytes value)
{
    struct load *load = arg;
    struct layer_record record;
    struct held_layer *layer;
    struct object_key expected;
    int r = object_open(load->functions->keys, KEY_CONFIG, key, value, &load->plain);

    if (r == 0) {
        r = layer_record_get(buf_bytes(&load->plain), &record);
    }
    if (r == 0) {
        r = layers_obtain(load->functions, bytes_of_text(record.name), &layer);
    }
    if (r != 0) {
        return r;
    }
    layer->layer.last_version = record.last_version;
    layer_key(&expected, load->functions, bytes_of_text(record.name));
    return check_key(&expected, key);
}

static int add_layer_version(struct load *load, struct held_layer *layer, struct bytes key)
{
    struct held_layer_version *version;
    struct object_key expected;
    int r = held_layer_version_create(&version, load->functions, &layer->layer,
                                      buf_bytes(&load->plain));

    if (r != 0) {
        return r;
    }
    held_layer_add(layer, version);
    layer_version_key(&expected, load->functions, bytes_of_text(layer->layer.name),
                      version->version.version);
    return check_key(&expected, key);
}

static int load_layer_version(void *arg, struct bytes key, struct bytes value)
{
    struct load *load = arg;
    struct layer_version found = {.version = 0};
    struct held_layer *layer;
    const char *name;
    int r = object_open(load->functions->keys, KEY_CONFIG, key, value, &load->plain);

    if (r == 0) {
        r = layer_version_record_get(buf_bytes(&load->plain), &name, &found);
    }
    if (r != 0) {
        return r;
    }
    layer = layers_find(load->functions, bytes_of_text(name));
    return (layer == NULL || found.version > layer->layer.last_version)
               ? note_orphan(load, key)
               : add_layer_version(load, layer, key);
}

static int read_kind(struct load *load, const char *kind, journal_object_visit visit)
{
    struct object_key prefix;

    object_key_format(&prefix, load->functions->tenant, "%s/", kind);
    load->skip = strlen(prefix.text);
    return journal_read_objects(load->functions->journal, bytes_of_text(prefix.text), visit, load);
}

static int check_functions(const struct functions *functions)
{
    struct table_node *node = NULL;
    size_t bucket = 0;

    while ((node = table_walk(&functions->by_id, &bucket, node)) != NULL) {
        const struct function *function = container_of(node, struct function, by_id);

        if (function->latest == NULL) {
            return ERR(ERR_CORRUPT, "function %s has no revision", function->name);
        }
    }
    return 0;
}

/* --- leftovers -------------------------------------------------------------------------- */

static void remove_orphans(struct functions *functions)
{
    struct table_node *node = NULL;
    size_t bucket = 0;

    while ((node = table_walk(&functions->by_id, &bucket, node)) != NULL) {
        settings_remove_orphans(functions, held_of(container_of(node, struct function, by_id)));
    }
}

static int remove_leftovers(struct load *load)
{
    size_t count = load->orphans.len / sizeof(struct object_key);
    int r = 0;

    for (size_t i = 0; i < count && r == 0; i++) {
        struct object_key key;

        memcpy(&key, load->orphans.data + i * sizeof key, sizeof key);
        r = removal_of_one(load->functions, &key);
    }
    if (count > 0) {
        log_info("removed %zu objects that an interrupted change left", count);
    }
    remove_orphans(load->functions);
    return (r == 0) ? code_remove_unused(load->functions, UINT32_MAX) : r;
}

static int load_all(struct functions *functions)
{
    struct load load = {.functions = functions};
    int r = read_kind(&load, "archive", load_archive);

    if (r == 0) {
        r = read_kind(&load, "function", load_function);
    }
    if (r == 0) {
        r = read_kind(&load, "revision", load_revision);
    }
    if (r == 0) {
        r = read_kind(&load, "setting", load_setting);
    }
    if (r == 0) {
        r = read_kind(&load, "layer", load_layer);
    }
    if (r == 0) {
        r = read_kind(&load, "layer-version", load_layer_version);
    }
    if (r == 0) {
        r = check_functions(functions);
    }
    if (r == 0) {
        r = remove_leftovers(&load);
    }
    if (load.plain.data != NULL) {
        explicit_bzero(load.plain.data, load.plain.cap);
    }
    buf_fini(&load.plain);
    buf_fini(&load.orphans);
    return r;
}

/* --- open and close ----------------------------------------------------------------------- */

static struct table_node *first_of(const struct table *table)
{
    size_t bucket = 0;

    return table_walk(table, &bucket, NULL);
}

static void functions_free(struct functions *functions)
{
    struct table_node *node;

    assert(list_is_empty(&functions->changes));
    while ((node = first_of(&functions->by_id)) != NULL) {
        struct held *held = held_of(container_of(node, struct function, by_id));

        functions_unindex(functions, held);
        held_destroy(held);
    }
    layers_free(functions);
    while ((node = first_of(&functions->codes)) != NULL) {
        code_destroy(container_of(node, struct code, by_name));
    }
    table_fini(&functions->by_id);
    table_fini(&functions->codes);
    mem_free(functions->names);
    mem_free(functions->region);
    mem_free(functions);
}

void functions_hold(struct functions *functions)
{
    functions->holds++;
}

void functions_unhold(struct functions *functions)
{
    assert(functions->holds > 0);
    if (--functions->holds == 0) {
        functions_free(functions);
    }
}

static int functions_create(struct functions **ret_functions, const char *region)
{
    struct functions *functions = mem_calloc(1, sizeof *functions);
    size_t len = strlen(region);

    if (functions == NULL) {
        return ERR(ERR_NOMEM, "functions");
    }
    list_init(&functions->changes);
    list_init(&functions->layer_publishings);
    list_init(&functions->layer_edits);
    functions->holds = 1;
    functions->region = mem_dup(region, len);
    if (functions->region == NULL || len > REGION_MAX) {
        functions_unhold(functions);
        return (len > REGION_MAX) ? ERR(ERR_INVALID, "region of %zu characters", len)
                                  : ERR(ERR_NOMEM, "functions");
    }
    if (getrandom(&functions->prng.state, sizeof functions->prng.state, 0) < 0) {
        functions_unhold(functions);
        return ERR(ERR_SYSTEM, "getrandom");
    }
    *ret_functions = functions;
    return 0;
}

int functions_open(struct functions **ret_functions, struct journal *journal,
                   const struct tenant_keys *keys, uint64_t tenant, const char *region,
                   struct launcher *launcher)
{
    struct functions *functions = NULL;
    int r = functions_create(&functions, region);

    if (r != 0 || functions == NULL) {
        return r;
    }
    functions->journal = journal;
    functions->keys = keys;
    functions->tenant = tenant;
    functions->launcher = launcher;
    r = load_all(functions);
    if (r != 0) {
        functions_close(functions);
        return r;
    }
    *ret_functions = functions;
    return 0;
}

static void cancel_settings(struct functions *functions)
{
    struct table_node *node = NULL;
    size_t bucket = 0;

    while ((node = table_walk(&functions->by_id, &bucket, node)) != NULL) {
        settings_cancel(held_of(container_of(node, struct function, by_id)));
    }
}

void functions_close(struct functions *functions)
{
    static const char error[] = "the daemon is ending";
    struct table_node *node = NULL;
    size_t bucket = 0;

    if (functions == NULL) {
        return;
    }
    functions->is_closed = true;
    changes_cancel(functions, error);
    cancel_settings(functions);
    layers_cancel(functions, error);
    while ((node = table_walk(&functions->codes, &bucket, node)) != NULL) {
        struct code *code = container_of(node, struct code, by_name);

        code_end_waiters(code, error);
        code_cancel(code);
    }
    functions_unhold(functions);
}
