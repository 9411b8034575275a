#include <assert.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/alias.h"
#include "engine/driver/functions.h"

/* The plain text of a setting: format u8, length of the name u16 (little-endian), name,
 * document. */
#define SETTING_FORMAT 1U
#define SETTING_HEAD_BYTES 3U
static const char *const kind_names[SETTING_KINDS] = {
    [SETTING_ALIAS] = "alias",
    [SETTING_CONCURRENCY] = "concurrency",
    [SETTING_EVENT_INVOKE] = "event-invoke",
    [SETTING_TAGS] = "tags",
    [SETTING_POLICY] = "policy",
    [SETTING_PROVISIONED] = "provisioned",
    [SETTING_RECURSION] = "recursion",
    [SETTING_MANAGEMENT] = "management",
};

/* On its way to the journal. */
struct setting_change {
    struct journal_append append;
    struct list link; /* settings.changing of the function */
    struct functions *functions;
    struct held *held;
    struct setting *setting; /* the new one; of a delete without a document */
    struct buf entry;
    bool is_canceled; /* called back already */
    void *arg;
    setting_cb cb;
};

/* --- objects ---------------------------------------------------------------------------- */

/* Names may be anybody's words: only their hash is in the key. */
static void setting_key(struct object_key *ret_key, const struct functions *functions,
                        const struct id *function_id, const struct setting *setting)
{
    char function[ID_TEXT_LEN + 1];
    char name[ID_TEXT_LEN + 1];
    struct id hash;

    seal_hash(functions->keys, setting->name, &hash);
    id_format(&hash, name);
    id_format(function_id, function);
    object_key_format(ret_key, functions->tenant, "setting/%s/%s/%s", function,
                      kind_names[setting->kind], name);
}

static int seal_setting(struct setting_change *change)
{
    const struct setting *setting = change->setting;
    const uint8_t head[SETTING_HEAD_BYTES] = {SETTING_FORMAT, (uint8_t)setting->name.len,
                                              (uint8_t)(setting->name.len >> 8)};
    struct object_key key;
    struct buf plain = {0};
    int r;

    setting_key(&key, change->functions, &change->held->function.id, setting);
    if (setting->json.data == NULL) {
        uint8_t *out = buf_reserve(&change->entry, 2 + OBJECT_KEY_MAX);

        change->entry.len = (out != NULL) ? object_forget(&key, out) : 0;
        return (out != NULL) ? 0 : ERR(ERR_NOMEM, "delete a setting");
    }
    buf_append(&plain, head, sizeof head);
    buf_append(&plain, setting->name.data, setting->name.len);
    buf_append(&plain, setting->json.data, setting->json.len);
    r = plain.failed ? ERR(ERR_NOMEM, "a setting of %zu bytes", setting->json.len)
                     : object_seal_buf(change->functions->keys, KEY_CONFIG, &key, buf_bytes(&plain),
                                       &change->entry);
    buf_fini(&plain);
    return r;
}

/* The kind is in the key, behind the function's id. */
static bool read_kind(struct bytes key, size_t skip, enum setting_kind *ret_kind)
{
    size_t start = skip + ID_TEXT_LEN + 1;

    for (int kind = 0; kind < SETTING_KINDS && key.len > start; kind++) {
        size_t len = strlen(kind_names[kind]);

        if (key.len > start + len && key.data[start + len] == '/' &&
            memcmp(key.data + start, kind_names[kind], len) == 0) {
            *ret_kind = (enum setting_kind)kind;
            return true;
        }
    }
    return false;
}

int setting_load(struct functions *functions, struct held *held, struct bytes key, size_t skip,
                 struct bytes plain)
{
    struct setting *setting = NULL;
    enum setting_kind kind;
    struct object_key expected;
    size_t name_len = (plain.len >= SETTING_HEAD_BYTES)
                          ? (size_t)(plain.data[1] | plain.data[2] << 8)
                          : SETTING_NAME_MAX + 1;

    if (name_len > SETTING_NAME_MAX || SETTING_HEAD_BYTES + name_len > plain.len ||
        plain.data[0] != SETTING_FORMAT || !read_kind(key, skip, &kind)) {
        return ERR(ERR_CORRUPT, "object %.*s is not a setting", (int)key.len, key.data);
    }
    plain = bytes_of(plain.data + SETTING_HEAD_BYTES, plain.len - SETTING_HEAD_BYTES);
    setting = setting_create(kind, bytes_of(plain.data, name_len),
                             bytes_of(plain.data + name_len, plain.len - name_len));
    if (setting == NULL || settings_reserve(&held->settings) != 0) {
        mem_free(setting);
        return ERR(ERR_NOMEM, "a setting of %zu bytes", plain.len);
    }
    setting_key(&expected, functions, &held->function.id, setting);
    settings_set(&held->settings, setting);
    return bytes_equal(bytes_of_text(expected.text), key)
               ? 0
               : ERR(ERR_CORRUPT, "object %s is at another place", expected.text);
}

/* --- changes ------------------------------------------------------------------------------ */

static bool is_changing(const struct settings *settings, enum setting_kind kind, struct bytes name)
{
    struct list *item;

    list_for_each (item, &settings->changing) {
        const struct setting_change *change = container_of(item, struct setting_change, link);

        if (setting_compare(change->setting, kind, name) == 0) {
            return true;
        }
    }
    return false;
}

static void change_free(struct setting_change *change)
{
    if (!list_is_empty(&change->link)) {
        list_remove(&change->link);
        change->held->settings.changing_count--;
        change->held->settings.changing_bytes -= setting_bytes(change->setting);
    }
    mem_free(change->setting);
    buf_fini(&change->entry);
    mem_free(change);
}

static struct setting_change *change_create(struct functions *functions, struct held *held,
                                            enum setting_kind kind, struct bytes name,
                                            struct bytes json)
{
    struct setting_change *change = mem_calloc(1, sizeof *change);

    if (change == NULL) {
        return NULL;
    }
    list_init(&change->link);
    change->functions = functions;
    change->held = held;
    change->setting = setting_create(kind, name, json);
    if (change->setting == NULL) {
        mem_free(change);
        return NULL;
    }
    return change;
}

/* It is of a version or an alias, and that is not there (any more). */
static bool is_orphan(const struct held *held, const struct setting *setting)
{
    static const bool is_of_qualifier[SETTING_KINDS] = {[SETTING_EVENT_INVOKE] = true,
                                                        [SETTING_POLICY] = true,
                                                        [SETTING_PROVISIONED] = true,
                                                        [SETTING_MANAGEMENT] = true};

    return is_of_qualifier[setting->kind] &&
           function_resolve(&held->function, setting->name, UINT64_MAX) == NULL;
}

/* The registry shows it. A function that was deleted meanwhile has no settings. */
static int finish(struct setting_change *change)
{
    struct setting *setting = change->setting;
    struct held *held = change->held;
    struct object_key key;

    if (held->function.is_deleted || is_orphan(held, setting)) {
        setting_key(&key, change->functions, &held->function.id, setting);
        (void)removal_of_one(change->functions, &key); /* without memory: at the next start */
        return FUNCTION_NOT_FOUND;
    }
    list_remove(&change->link);
    held->settings.changing_count--;
    held->settings.changing_bytes -= setting_bytes(setting);
    change->setting = NULL;
    settings_set(&held->settings, setting);
    return 0;
}

/* The change is gone when `cb` runs. */
static void on_appended(struct journal_append *append)
{
    struct setting_change *change = container_of(append, struct setting_change, append);
    struct functions *functions = change->functions;
    bool is_canceled = change->is_canceled;
    setting_cb cb = change->cb;
    void *arg = change->arg;
    int status = is_canceled ? 0 : finish(change);

    change_free(change);
    if (!is_canceled) {
        cb(arg, status);
    }
    functions_unhold(functions);
}

/* What it replaces is not counted against it. */
static int check_room(const struct functions *functions, const struct settings *settings,
                      struct bytes before, size_t name_len, size_t json_len)
{
    size_t bytes = settings->bytes + settings->changing_bytes + name_len + json_len;

    if (before.data != NULL) {
        bytes -= name_len + before.len;
    } else if (settings->count + settings->changing_count >= SETTINGS_MAX) {
        return FUNCTION_TOO_MANY;
    }
    if (json_len > SETTING_BYTES_MAX || bytes > SETTINGS_BYTES_MAX) {
        return FUNCTION_TOO_LARGE;
    }
    return journal_is_full(functions->journal) ? FUNCTION_FULL : 0;
}

static int check_put(const struct functions *functions, const struct held *held,
                     enum setting_kind kind, struct bytes name, struct bytes json)
{
    const struct settings *settings = &held->settings;
    struct bytes before = setting_find(&held->function, kind, name);

    if (name.len > SETTING_NAME_MAX) {
        return ERR(ERR_INVALID, "the name of a setting has %zu bytes, more than %u", name.len,
                   SETTING_NAME_MAX);
    }
    if (is_changing(settings, kind, name)) {
        return FUNCTION_BUSY;
    }
    if (held->function.is_deleted || (json.data == NULL && before.data == NULL)) {
        return FUNCTION_NOT_FOUND;
    }
    return (json.data == NULL) ? 0 : check_room(functions, settings, before, name.len, json.len);
}

int setting_put(struct functions *functions, struct function *function, enum setting_kind kind,
                struct bytes name, struct bytes json, void *arg, setting_cb cb)
{
    struct held *held = held_of(function);
    struct setting_change *change;
    int r = check_put(functions, held, kind, name, json);

    if (r == 0) {
        r = settings_reserve(&held->settings);
    }
    if (r != 0) {
        return r;
    }
    change = change_create(functions, held, kind, name, json);
    if (change == NULL) {
        return ERR(ERR_NOMEM, "change of a setting");
    }
    r = seal_setting(change);
    if (r != 0) {
        change_free(change);
        return r;
    }
    change->arg = arg;
    change->cb = cb;
    list_push_back(&held->settings.changing, &change->link);
    held->settings.changing_count++;
    held->settings.changing_bytes += setting_bytes(change->setting);
    functions_hold(functions);
    change->append.kind = (json.data != NULL) ? JOURNAL_PUT : JOURNAL_DELETE;
    change->append.is_reserved = json.data == NULL;
    change->append.data = buf_bytes(&change->entry);
    journal_append(functions->journal, &change->append, on_appended);
    return 0;
}

void settings_cancel(struct held *held)
{
    struct list *item = held->settings.changing.next;

    while (item != &held->settings.changing) {
        struct setting_change *change = container_of(item, struct setting_change, link);

        item = item->next;
        change->is_canceled = true;
        change->cb(change->arg, ERR_CANCELED);
    }
}

/* What is under way removes itself; what cannot be removed now goes at the next start. */
void settings_remove_orphans(struct functions *functions, struct held *held)
{
    struct settings *settings = &held->settings;

    for (size_t i = settings->count; i > 0; i--) {
        struct object_key key;

        if (is_orphan(held, settings->items[i - 1])) {
            setting_key(&key, functions, &held->function.id, settings->items[i - 1]);
            (void)removal_of_one(functions, &key);
            settings_take_out(settings, i - 1);
        }
    }
}

/* What is under way removes itself. */
void settings_remove(struct functions *functions, struct held *held)
{
    struct settings *settings = &held->settings;
    struct removal *removal = NULL;

    if (settings->count > 0 &&
        removal_create(&removal, functions, (uint32_t)settings->count) == 0) {
        for (size_t i = 0; i < settings->count; i++) {
            struct object_key key;

            setting_key(&key, functions, &held->function.id, settings->items[i]);
            removal_add(removal, &key);
        }
    } /* without memory they go at the next start */
    while (settings->count > 0) {
        settings_take_out(settings, settings->count - 1);
    }
}
