#include <assert.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/function_name.h"
#include "engine/driver/layers.h"
#include "engine/driver/parcel.h"

/* --- publishing: an archive, the version, the layer ------------------------------------- */

struct layer_publishing {
    struct parcel parcel;
    struct list link; /* functions.layer_publishings */
    struct held_layer *layer;
    struct held_layer_version *version; /* until the layer has it */
    bool is_canceled;                   /* called back already */
    void *arg;
    layer_published_cb cb;
};

static void publishing_destroy(struct layer_publishing *publishing)
{
    struct functions *functions = publishing->parcel.functions;

    held_layer_version_destroy(publishing->version);
    if (publishing->layer != NULL) {
        publishing->layer->is_publishing = false;
        layers_drop(functions, publishing->layer);
    }
    parcel_fini(&publishing->parcel);
    list_remove(&publishing->link);
    mem_free(publishing);
    functions_unhold(functions);
}

/* The publishing is gone when `cb` runs. */
static void on_done(struct parcel *parcel, const char *error)
{
    struct layer_publishing *publishing = container_of(parcel, struct layer_publishing, parcel);
    struct held_layer_version *version = publishing->version;
    bool is_canceled = publishing->is_canceled;
    layer_published_cb cb = publishing->cb;
    void *arg = publishing->arg;

    if (error == NULL && !is_canceled) {
        held_layer_add(publishing->layer, version);
        publishing->version = NULL;
    }
    publishing_destroy(publishing);
    if (!is_canceled) {
        cb(arg, (error == NULL) ? &version->version : NULL, error);
    }
}

static const struct parcel_events parcel_events = {.done = on_done};

static int add_object(struct parcel *parcel, const struct object_key *key, struct buf *plain)
{
    int r = plain->failed ? ERR(ERR_NOMEM, "record of a layer")
                          : parcel_add_object(parcel, key, buf_bytes(plain));

    buf_fini(plain);
    return r;
}

/* Written and read again: what is kept is what a restart will find. */
static int add_version(struct layer_publishing *publishing, struct bytes about, int64_t now_ms)
{
    struct parcel *parcel = &publishing->parcel;
    struct layer *layer = &publishing->layer->layer;
    const struct layer_version form = {.layer = layer,
                                       .version = layer->last_version + 1,
                                       .created_ms = now_ms,
                                       .code = parcel->code->name,
                                       .code_bytes = parcel->code->bytes,
                                       .about = about};
    struct object_key key;
    struct buf plain = {0};
    int r;

    layer_version_record_put(&plain, &form);
    r = plain.failed ? ERR(ERR_NOMEM, "record of a layer")
                     : held_layer_version_create(&publishing->version, parcel->functions, layer,
                                                 buf_bytes(&plain));
    if (r != 0) {
        buf_fini(&plain);
        return r;
    }
    layer_version_key(&key, parcel->functions, bytes_of_text(layer->name), form.version);
    return add_object(parcel, &key, &plain);
}

static int add_layer(struct layer_publishing *publishing)
{
    const struct layer *layer = &publishing->layer->layer;
    const struct layer_record record = {.name = layer->name,
                                        .last_version = layer->last_version + 1};
    struct object_key key;
    struct buf plain = {0};

    layer_record_put(&plain, &record);
    layer_key(&key, publishing->parcel.functions, bytes_of_text(layer->name));
    return add_object(&publishing->parcel, &key, &plain);
}

static int check_publish(const struct functions *functions, struct bytes name, struct bytes about,
                         struct bytes archive)
{
    const struct held_layer *held = layers_find(functions, name);

    if (!function_name_is_plain(name)) {
        return ERR(ERR_INVALID, "a layer's name of %zu bytes", name.len);
    }
    if (archive.len > FUNCTION_ARCHIVE_BYTES_MAX || about.len > LAYER_ABOUT_BYTES_MAX) {
        return FUNCTION_TOO_LARGE;
    }
    if (held != NULL && held->is_publishing) {
        return FUNCTION_BUSY;
    }
    if (held != NULL && held->layer.version_count >= LAYER_VERSIONS_MAX) {
        return FUNCTION_TOO_MANY;
    }
    return ((held == NULL && functions->layer_count >= LAYERS_MAX) ||
            journal_is_full(functions->journal))
               ? FUNCTION_FULL
               : 0;
}

static int prepare(struct layer_publishing *publishing, struct bytes name, struct bytes about,
                   struct bytes archive, int64_t now_ms)
{
    int r = layers_obtain(publishing->parcel.functions, name, &publishing->layer);

    if (r == 0) {
        publishing->layer->is_publishing = true;
        r = parcel_take_archive(&publishing->parcel, archive);
    }
    if (r == 0) {
        r = add_version(publishing, about, now_ms);
    }
    if (r == 0) {
        r = add_layer(publishing);
    }
    if (r == 0) {
        r = parcel_make_slots(&publishing->parcel);
    }
    return (r == 0) ? parcel_unpack(&publishing->parcel) : r;
}

int layer_publish(struct functions *functions, struct bytes name, struct bytes about,
                  struct bytes archive, int64_t now_ms, void *arg, layer_published_cb cb)
{
    struct layer_publishing *publishing;
    int r = check_publish(functions, name, about, archive);

    if (r != 0) {
        return r;
    }
    publishing = mem_calloc(1, sizeof *publishing);
    if (publishing == NULL) {
        return ERR(ERR_NOMEM, "publish a layer");
    }
    parcel_init(&publishing->parcel, functions, &parcel_events);
    publishing->arg = arg;
    publishing->cb = cb;
    list_push_back(&functions->layer_publishings, &publishing->link);
    functions_hold(functions);
    r = prepare(publishing, name, about, archive, now_ms);
    if (r != 0) {
        publishing_destroy(publishing);
    }
    return r;
}

/* --- deleting, and the policy ----------------------------------------------------------- */

struct layer_edit {
    struct journal_append append;
    struct list link; /* functions.layer_edits */
    struct functions *functions;
    struct held_layer_version *held;
    struct held_layer_version *next; /* in its place; NULL: it is deleted */
    struct buf entry;
    bool is_canceled; /* called back already */
    void *arg;
    layer_changed_cb cb;
};

static void edit_destroy(struct layer_edit *edit)
{
    struct functions *functions = edit->functions;

    held_layer_version_destroy(edit->next);
    buf_fini(&edit->entry);
    list_remove(&edit->link);
    mem_free(edit);
    functions_unhold(functions);
}

/* What nobody uses goes at once; without memory at the next sweep. */
static void finish(struct layer_edit *edit)
{
    struct held_layer *layer = held_layer_of(edit->held->version.layer);
    struct code *code = edit->held->code;

    if (edit->next != NULL) {
        held_layer_add(layer, edit->next);
        edit->next = NULL;
    }
    held_layer_remove(edit->held);
    if (code->references == 0) {
        (void)code_remove(code);
    }
}

/* The edit is gone when `cb` runs. */
static void on_appended(struct journal_append *append)
{
    struct layer_edit *edit = container_of(append, struct layer_edit, append);
    struct functions *functions = edit->functions;
    bool is_canceled = edit->is_canceled;
    layer_changed_cb cb = edit->cb;
    void *arg = edit->arg;

    if (!is_canceled) {
        finish(edit);
    }
    functions_hold(functions);
    edit_destroy(edit);
    if (!is_canceled) {
        cb(arg, 0);
    }
    functions_unhold(functions);
}

static int edit_create(struct layer_edit **ret_edit, struct functions *functions,
                       struct layer_version *version, void *arg, layer_changed_cb cb)
{
    struct held_layer_version *held = held_layer_version_of(version);
    struct layer_edit *edit = held->is_changing ? NULL : mem_calloc(1, sizeof *edit);

    if (edit == NULL) {
        return held->is_changing ? FUNCTION_BUSY : ERR(ERR_NOMEM, "change of a layer");
    }
    edit->functions = functions;
    edit->held = held;
    edit->arg = arg;
    edit->cb = cb;
    list_push_back(&functions->layer_edits, &edit->link);
    functions_hold(functions);
    *ret_edit = edit;
    return 0;
}

static void append(struct layer_edit *edit, enum journal_entry_kind kind)
{
    edit->held->is_changing = true;
    edit->append.kind = kind;
    edit->append.is_reserved = kind == JOURNAL_DELETE;
    edit->append.data = buf_bytes(&edit->entry);
    journal_append(edit->functions->journal, &edit->append, on_appended);
}

int layer_version_delete(struct functions *functions, struct layer_version *version, void *arg,
                         layer_changed_cb cb)
{
    struct layer_edit *edit;
    struct object_key key;
    uint8_t *out;
    int r = edit_create(&edit, functions, version, arg, cb);

    if (r != 0) {
        return r;
    }
    out = buf_reserve(&edit->entry, 2 + OBJECT_KEY_MAX);
    if (out == NULL) {
        edit_destroy(edit);
        return ERR(ERR_NOMEM, "delete a layer version");
    }
    layer_version_key(&key, functions, bytes_of_text(version->layer->name), version->version);
    edit->entry.len = object_forget(&key, out);
    append(edit, JOURNAL_DELETE);
    return 0;
}

static int make_next(struct layer_edit *edit, struct bytes policy)
{
    struct functions *functions = edit->functions;
    struct layer_version form = edit->held->version;
    struct object_key key;
    struct buf plain = {0};
    int r;

    form.policy = policy;
    layer_version_record_put(&plain, &form);
    layer_version_key(&key, functions, bytes_of_text(form.layer->name), form.version);
    r = plain.failed
            ? ERR(ERR_NOMEM, "record of a layer")
            : held_layer_version_create(&edit->next, functions, form.layer, buf_bytes(&plain));
    if (r == 0) {
        r = object_seal_buf(functions->keys, KEY_CONFIG, &key, buf_bytes(&plain), &edit->entry);
    }
    buf_fini(&plain);
    return r;
}

int layer_version_set_policy(struct functions *functions, struct layer_version *version,
                             struct bytes policy, void *arg, layer_changed_cb cb)
{
    struct layer_edit *edit;
    int r;

    if (policy.len > LAYER_POLICY_BYTES_MAX) {
        return FUNCTION_TOO_LARGE;
    }
    if (journal_is_full(functions->journal)) {
        return FUNCTION_FULL;
    }
    r = edit_create(&edit, functions, version, arg, cb);
    if (r != 0) {
        return r;
    }
    r = make_next(edit, policy);
    if (r != 0) {
        edit_destroy(edit);
        return r;
    }
    append(edit, JOURNAL_PUT);
    return 0;
}

/* --- the end ---------------------------------------------------------------------------- */

void layers_cancel(struct functions *functions, const char *error)
{
    struct list *item;

    list_for_each (item, &functions->layer_publishings) {
        struct layer_publishing *publishing = container_of(item, struct layer_publishing, link);

        publishing->is_canceled = true;
        publishing->parcel.is_canceled = true;
        publishing->cb(publishing->arg, NULL, error);
    }
    list_for_each (item, &functions->layer_edits) {
        struct layer_edit *edit = container_of(item, struct layer_edit, link);

        edit->is_canceled = true;
        edit->cb(edit->arg, ERR_CANCELED);
    }
}
