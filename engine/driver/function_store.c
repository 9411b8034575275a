#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/change.h"
#include "engine/driver/function_record.h"

void function_key(struct object_key *ret_key, const struct functions *functions,
                  const struct id *id)
{
    char text[ID_TEXT_LEN + 1];

    id_format(id, text);
    object_key_format(ret_key, functions->tenant, "function/%s", text);
}

void revision_key(struct object_key *ret_key, const struct functions *functions,
                  const struct id *id, uint32_t number)
{
    char text[ID_TEXT_LEN + 1];

    id_format(id, text);
    object_key_format(ret_key, functions->tenant, "revision/%s/%010" PRIu32, text, number);
}

/* --- what can fail ------------------------------------------------------------------- */

static void name_code(struct bytes archive, char name[CODE_NAME_LEN + 1])
{
    uint8_t hash[CODE_NAME_LEN / 2];

    seal_sha256(archive, hash);
    for (size_t i = 0; i < sizeof hash; i++) {
        (void)snprintf(name + 2 * i, 3, "%02x", hash[i]);
    }
}

/* The chunks are made from the launcher's own memfd, which nobody can change. */
static int take_archive(struct change *change, struct bytes archive)
{
    char name[CODE_NAME_LEN + 1];
    void *map;
    int r;

    name_code(archive, name);
    r = code_obtain(change->functions, name, archive.len, &change->code);
    if (r != 0) {
        return r;
    }
    change->memfd = code_seal_memfd(archive);
    if (change->memfd < 0 || archive.len == 0) {
        return (change->memfd < 0) ? change->memfd : 0;
    }
    map = mmap(NULL, archive.len, PROT_READ, MAP_PRIVATE, change->memfd, 0);
    if (map == MAP_FAILED) {
        return ERR(ERR_SYSTEM, "map an archive of %zu bytes", archive.len);
    }
    change->archive = map;
    return 0;
}

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

static int seal_object(struct change *change, const struct object_key *key, struct bytes plain)
{
    struct buf *entry = &change->objects[change->object_count];
    int r = object_seal_buf(change->functions->keys, KEY_CONFIG, key, plain, entry);

    if (r == 0) {
        change->object_count++;
    }
    return r;
}

static int seal_function(struct change *change, bool is_deleted)
{
    const struct function *function = &change->held->function;
    struct function_record record = {
        .name = function->name, .created_ms = function->created_ms, .is_deleted = is_deleted};
    struct object_key key;
    struct buf plain = {0};
    int r;

    function_record_put(&plain, &record);
    function_key(&key, change->functions, &function->id);
    r = plain.failed ? ERR(ERR_NOMEM, "record of a function")
                     : seal_object(change, &key, buf_bytes(&plain));
    buf_fini(&plain);
    return r;
}

static int seal_revision(struct change *change, const struct buf *record, uint32_t number)
{
    struct object_key key;
    int r;

    if (record->failed) {
        return ERR(ERR_NOMEM, "record of a revision");
    }
    if (record->len > FUNCTION_CONFIG_BYTES_MAX) {
        return FUNCTION_TOO_LARGE;
    }
    r = held_revision_create(&change->revision, change->functions, buf_bytes(record));
    if (r == 0) {
        change->revision->revision.function = &change->held->function;
        revision_key(&key, change->functions, &change->held->function.id, number);
        r = seal_object(change, &key, buf_bytes(record));
    }
    return r;
}

/* Written and read again: what is kept is what a restart will find. */
static int make_revision(struct change *change, const struct function_config *config,
                         int64_t now_ms)
{
    const struct function_revision *last = change->held->function.latest;
    struct function_revision form = {
        .number = (last != NULL) ? last->number + 1 : 1, .config = *config, .modified_ms = now_ms};
    const char *code = (change->code != NULL) ? change->code->name : last->code;
    struct buf record = {0};
    int r;

    if (config->env_count > FUNCTION_ENV_MAX) {
        return FUNCTION_TOO_LARGE;
    }
    memcpy(form.code, code, sizeof form.code);
    form.code_bytes = (change->code != NULL) ? change->code->bytes : last->code_bytes;
    form.revision_id = functions_make_id(change->functions, now_ms);
    revision_record_put(&record, &form);
    r = seal_revision(change, &record, form.number);
    if (record.data != NULL) {
        explicit_bzero(record.data, record.cap);
    }
    buf_fini(&record);
    return r;
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
                          int64_t now_ms)
{
    int r = take_archive(change, archive);

    if (r == 0) {
        r = make_held(change, name, now_ms);
    }
    if (r == 0) {
        r = make_revision(change, config, now_ms);
    }
    if (r == 0) {
        r = seal_function(change, false);
    }
    if (r == 0) {
        r = change_make_slots(change);
    }
    return (r == 0) ? change_unpack(change) : r;
}

int function_create(struct functions *functions, struct bytes name,
                    const struct function_config *config, struct bytes archive, int64_t now_ms,
                    void *arg, function_changed_cb cb)
{
    struct change *change;
    int r = check_create(functions, name, archive);

    if (r == 0) {
        r = change_create(&change, functions, arg, cb);
    }
    if (r != 0) {
        return r;
    }
    r = prepare_create(change, name, config, archive, now_ms);
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

static int prepare_update(struct change *change, const struct function_config *config,
                          struct bytes archive, int64_t now_ms)
{
    int r = (archive.len > 0) ? take_archive(change, archive) : 0;

    if (r == 0) {
        r = make_revision(
            change, (config != NULL) ? config : &change->held->function.latest->config, now_ms);
    }
    if (r == 0) {
        r = change_make_slots(change);
    }
    if (r == 0 && change->code != NULL) {
        return change_unpack(change);
    }
    if (r == 0) {
        change_store(change);
    }
    return r;
}

int function_update(struct functions *functions, struct function *function,
                    const struct function_config *config, struct bytes archive, int64_t now_ms,
                    void *arg, function_changed_cb cb)
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
    r = prepare_update(change, config, archive, now_ms);
    if (r != 0) {
        change_destroy(change);
    }
    return r;
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
    r = seal_function(change, true);
    if (r == 0) {
        r = change_make_slots(change);
    }
    if (r != 0) {
        change_destroy(change);
        return r;
    }
    change_store(change);
    return 0;
}
