#include <assert.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/alias.h"
#include "engine/driver/change.h"

static int make_held(struct change *change, struct bytes name, int64_t now_ms)
{
    struct functions *functions = change->functions;
    struct id id = functions_make_id(functions, now_ms);
    char text[FUNCTION_NAME_MAX + 1] = {0};
    struct held *held;
    int r;

    memcpy(text, name.data, name.len);
    r = held_create(&held, functions, &id, text, now_ms);
    if (r != 0) {
        return r;
    }
    r = functions_index(functions, held);
    if (r == 0) {
        r = functions_take_name(functions, held);
        if (r != 0) {
            functions_unindex(functions, held);
        }
    }
    if (r != 0) {
        held_destroy(held);
        return r;
    }
    held->change = change;
    change->held = held;
    change->is_new = true;
    return 0;
}

/* --- create, update, delete --------------------------------------------------------------- */

static bool is_name(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];

        if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') &&
            c != '-' && c != '_') {
            return false;
        }
    }
    return name.len > 0 && name.len <= FUNCTION_NAME_MAX;
}

static int check_create(const struct functions *functions, struct bytes name, struct bytes archive)
{
    const struct held *held = is_name(name) ? functions_find_name(functions, name) : NULL;

    if (!is_name(name)) {
        return ERR(ERR_INVALID,
                   "a function's name of %zu bytes has other characters than "
                   "letters, digits, '-' and '_', or is longer than %u",
                   name.len, FUNCTION_NAME_MAX);
    }
    if (held != NULL) {
        return held->is_visible ? FUNCTION_EXISTS : FUNCTION_BUSY;
    }
    if (archive.len > FUNCTION_ARCHIVE_BYTES_MAX) {
        return FUNCTION_TOO_LARGE;
    }
    if (functions->name_count >= FUNCTIONS_MAX || journal_is_full(functions->journal)) {
        return FUNCTION_FULL;
    }
    return 0;
}

static int prepare_create(struct change *change, struct bytes name,
                          const struct function_config *config, struct bytes archive,
                          bool publishes, int64_t now_ms)
{
    int r = parcel_take_archive(&change->parcel, archive);

    if (r == 0) {
        r = make_held(change, name, now_ms);
    }
    if (r == 0) {
        r = change_add_revision(change, config, now_ms);
    }
    if (r == 0 && publishes) {
        r = change_add_version(change, &change->revision->revision, NULL, now_ms);
    }
    if (r == 0) {
        r = change_add_function(change);
    }
    if (r == 0) {
        r = parcel_make_slots(&change->parcel);
    }
    return (r == 0) ? parcel_unpack(&change->parcel) : r;
}

int function_create(struct functions *functions, struct bytes name,
                    const struct function_config *config, struct bytes archive, bool publishes,
                    int64_t now_ms, void *arg, function_changed_cb cb)
{
    struct change *change;
    int r = check_create(functions, name, archive);

    if (r == 0) {
        r = change_create(&change, functions, arg, cb);
    }
    if (r != 0) {
        return r;
    }
    r = prepare_create(change, name, config, archive, publishes, now_ms);
    if (r != 0) {
        change_destroy(change);
    }
    return r;
}

static int check_change(const struct held *held)
{
    if (held->function.is_deleted) {
        return FUNCTION_NOT_FOUND;
    }
    return (held->change != NULL) ? FUNCTION_BUSY : 0;
}

static int begin_change(struct change **ret_change, struct functions *functions, struct held *held,
                        void *arg, function_changed_cb cb)
{
    int r = check_change(held);

    if (r == 0) {
        r = change_create(ret_change, functions, arg, cb);
    }
    if (r == 0) {
        (*ret_change)->held = held;
        held->change = *ret_change;
    }
    return r;
}

/* An unchanged version is not published again. */
static int publish_update(struct change *change, int64_t now_ms)
{
    int r = change_add_version(change, &change->revision->revision, NULL, now_ms);

    return (r == FUNCTION_UNCHANGED) ? 0 : r;
}

static int prepare_update(struct change *change, const struct function_config *config,
                          struct bytes archive, bool publishes, int64_t now_ms)
{
    int r = (archive.len > 0) ? parcel_take_archive(&change->parcel, archive) : 0;

    if (r == 0) {
        r = change_add_revision(
            change, (config != NULL) ? config : &change->held->function.latest->config, now_ms);
    }
    if (r == 0 && publishes) {
        r = publish_update(change, now_ms);
    }
    if (r == 0) {
        r = change_add_function(change);
    }
    if (r == 0) {
        r = parcel_make_slots(&change->parcel);
    }
    if (r == 0 && change->parcel.code != NULL) {
        return parcel_unpack(&change->parcel);
    }
    if (r == 0) {
        r = change_check_size(change);
    }
    if (r == 0) {
        parcel_store(&change->parcel);
    }
    return r;
}

int function_update(struct functions *functions, struct function *function,
                    const struct function_config *config, struct bytes archive, bool publishes,
                    int64_t now_ms, void *arg, function_changed_cb cb)
{
    struct change *change;
    int r;

    if (archive.len > FUNCTION_ARCHIVE_BYTES_MAX) {
        return FUNCTION_TOO_LARGE;
    }
    if (journal_is_full(functions->journal)) {
        return FUNCTION_FULL;
    }
    r = begin_change(&change, functions, held_of(function), arg, cb);
    if (r != 0) {
        return r;
    }
    r = prepare_update(change, config, archive, publishes, now_ms);
    if (r != 0) {
        change_destroy(change);
    }
    return r;
}

/* `r` is what came of the preparations. */
static int store_or_give_up(struct change *change, int r)
{
    if (r == 0) {
        r = parcel_make_slots(&change->parcel);
    }
    if (r != 0) {
        change_destroy(change);
        return r;
    }
    parcel_store(&change->parcel);
    return 0;
}

int function_delete(struct functions *functions, struct function *function, void *arg,
                    function_changed_cb cb)
{
    struct change *change;
    int r = begin_change(&change, functions, held_of(function), arg, cb);

    if (r != 0) {
        return r;
    }
    change->is_delete = true;
    change->parcel.is_reserved = true;
    return store_or_give_up(change, change_add_function(change));
}

/* --- versions ----------------------------------------------------------------------------- */

int function_publish(struct functions *functions, struct function *function,
                     const char *description, int64_t now_ms, void *arg, function_changed_cb cb)
{
    struct change *change;
    int r;

    if (journal_is_full(functions->journal)) {
        return FUNCTION_FULL;
    }
    r = begin_change(&change, functions, held_of(function), arg, cb);
    if (r != 0) {
        return r;
    }
    r = change_add_version(change, function->latest, description, now_ms);
    if (r == 0) {
        r = change_add_function(change);
    }
    return store_or_give_up(change, r);
}

static bool is_in_use(const struct function_revision *revision)
{
    struct bytes after = {0};
    struct alias alias;

    while (alias_next(revision->function, after, &alias)) {
        if (alias_names_version(&alias, revision->version)) {
            return true;
        }
        after = alias.name;
    }
    return false;
}

static int check_delete_version(const struct function_revision *revision)
{
    if (revision->is_deleted) {
        return FUNCTION_NOT_FOUND;
    }
    if (is_in_use(revision)) {
        return FUNCTION_IN_USE;
    }
    return (held_of(revision->function)->alias_changes > 0) ? FUNCTION_BUSY : 0;
}

int function_delete_version(struct functions *functions, struct function_revision *revision,
                            void *arg, function_changed_cb cb)
{
    struct change *change;
    int r;

    assert(revision->version != 0);
    r = check_delete_version(revision);
    if (r != 0) {
        return r;
    }
    r = begin_change(&change, functions, held_of(revision->function), arg, cb);
    if (r != 0) {
        return r;
    }
    change->is_delete = true;
    change->parcel.is_reserved = true;
    return store_or_give_up(change, change_hide_version(change, revision));
}
