#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/function_record.h"
#include "engine/driver/functions.h"

/* The way of a change:
 *
 *   - everything that can fail is done first: copies are made, the name is taken, objects
 *     are sealed, room for a window of chunks is allocated;
 *   - the launcher unpacks the archive: if it does not like it, nothing has happened;
 *   - size object, chunks, revision and (create) function are appended in this order, at
 *     most WINDOW at a time; the last one is what makes the change count;
 *   - when all of it is durable, the registry shows it and `cb` is called.
 *
 * An appended entry cannot fail, so neither can a change once its archive was unpacked. */

#define WINDOW 32U /* half a MiB of chunks */

struct slot {
    struct journal_append append;
    struct change *change;
    uint8_t data[OBJECT_OVERHEAD + OBJECT_KEY_MAX + CODE_CHUNK_BYTES];
};

struct change {
    struct list link;
    struct functions *functions;
    struct held *held;
    struct held_revision *revision; /* until the function has it */
    struct code *code;              /* of a new archive; referenced */
    uint8_t *archive;               /* mapped */
    int memfd;                      /* until the launcher has it; else -1 */
    bool is_new;                    /* `held` is ours until it is done */
    bool is_delete;
    bool is_canceled;      /* nobody waits any more: ends where it stands */
    struct buf objects[2]; /* entries: revision, function */
    uint32_t object_count;
    uint32_t pieces; /* of code; in front of the objects */
    uint32_t next;
    uint32_t in_flight;
    struct slot *slots;
    uint32_t slot_count;
    void *arg;
    function_changed_cb cb;
};

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

/* --- a change ------------------------------------------------------------------------ */

static int change_create(struct change **ret_change, struct functions *functions, void *arg,
                         function_changed_cb cb)
{
    struct change *change = mem_calloc(1, sizeof *change);

    if (change == NULL) {
        return ERR(ERR_NOMEM, "change of a function");
    }
    change->functions = functions;
    change->memfd = -1;
    change->arg = arg;
    change->cb = cb;
    list_push_back(&functions->changes, &change->link);
    functions_hold(functions);
    *ret_change = change;
    return 0;
}

/* Takes back what was done so far. */
static void drop_function(struct change *change)
{
    struct functions *functions = change->functions;

    if (change->held == NULL) {
        return;
    }
    change->held->change = NULL;
    if (change->is_new) {
        functions_free_name(functions, change->held);
        functions_unindex(functions, change->held);
        held_destroy(change->held);
    }
}

static void change_destroy(struct change *change)
{
    struct functions *functions = change->functions;

    held_revision_destroy(change->revision);
    drop_function(change);
    if (change->archive != NULL) {
        (void)munmap(change->archive, change->code->bytes);
    }
    if (change->memfd >= 0) {
        (void)close(change->memfd);
    }
    code_release(change->code);
    buf_fini(&change->objects[0]);
    buf_fini(&change->objects[1]);
    mem_free(change->slots);
    list_remove(&change->link);
    mem_free(change);
    functions_unhold(functions);
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

static int make_slots(struct change *change)
{
    uint32_t pieces = (change->code != NULL) ? 1 + code_chunks(change->code->bytes) : 0;
    uint32_t count = pieces + change->object_count;

    change->slot_count = (count < WINDOW) ? count : WINDOW;
    change->slots = mem_calloc(change->slot_count, sizeof *change->slots);
    return (change->slots != NULL) ? 0 : ERR(ERR_NOMEM, "%u chunks", change->slot_count);
}

/* --- what cannot ----------------------------------------------------------------------- */

static void show_revision(struct change *change)
{
    struct function_revision *revision = &change->revision->revision;
    const struct function_revision *last = change->held->function.latest;

    revision->is_unpacked = change->code != NULL || last->is_unpacked;
    held_add_revision(change->held, change->revision);
    change->revision = NULL;
    change->held->is_visible = true;
}

static void hide_function(struct change *change)
{
    change->held->is_visible = false;
    change->held->function.is_deleted = true;
    functions_free_name(change->functions, change->held);
}

/* The change is gone when `cb` runs: it may begin the next one, or close the registry. */
static void end(struct change *change, const char *error)
{
    struct function *function = &change->held->function;
    function_changed_cb cb = change->cb;
    void *arg = change->arg;

    if (error != NULL && change->is_new) {
        function = NULL;
    }
    change_destroy(change);
    cb(arg, function, error);
}

static void finish(struct change *change)
{
    if (change->code != NULL) {
        change->code->is_stored = true;
    }
    if (change->is_delete) {
        hide_function(change);
    } else {
        show_revision(change);
    }
    change->is_new = false;
    end(change, NULL);
}

static struct bytes make_piece(struct slot *slot, uint32_t index)
{
    const struct change *change = slot->change;
    const struct code *code = change->code;
    struct archive_record record = {.bytes = code->bytes, .chunks = code_chunks(code->bytes)};
    uint8_t size[ARCHIVE_RECORD_BYTES];
    struct object_key key;
    struct bytes plain = bytes_of(size, sizeof size);

    if (index == 0) {
        archive_record_put(size, &record);
        code_archive_key(&key, code);
    } else {
        uint64_t from = (uint64_t)(index - 1) * CODE_CHUNK_BYTES;
        uint64_t left = code->bytes - from;

        plain =
            bytes_of(change->archive + from, (left < CODE_CHUNK_BYTES) ? left : CODE_CHUNK_BYTES);
        code_key(&key, code, index - 1);
    }
    return bytes_of(slot->data,
                    object_seal(change->functions->keys, KEY_CODE, &key, plain, slot->data));
}

static void on_appended(struct journal_append *append);

static void append_next(struct slot *slot)
{
    struct change *change = slot->change;
    uint32_t index = change->next++;

    slot->append.kind = JOURNAL_PUT;
    slot->append.is_reserved = change->is_delete;
    slot->append.data = (index < change->pieces)
                            ? make_piece(slot, index)
                            : buf_bytes(&change->objects[index - change->pieces]);
    change->in_flight++;
    journal_append(change->functions->journal, &slot->append, on_appended);
    if (change->code != NULL && index < change->pieces) {
        change->code->lsn = slot->append.lsn;
    }
}

static void on_appended(struct journal_append *append)
{
    struct slot *slot = container_of(append, struct slot, append);
    struct change *change = slot->change;

    change->in_flight--;
    if (!change->is_canceled && change->next < change->pieces + change->object_count) {
        append_next(slot);
    } else if (change->in_flight == 0) {
        if (change->is_canceled) {
            change_destroy(change);
        } else {
            finish(change);
        }
    }
}

/* Code that is stored is not stored again. */
static void store(struct change *change)
{
    bool is_new_code = change->code != NULL && !change->code->is_stored;

    change->pieces = is_new_code ? 1 + code_chunks(change->code->bytes) : 0;
    for (uint32_t i = 0; i < change->slot_count; i++) {
        if (change->next < change->pieces + change->object_count) {
            change->slots[i].change = change;
            append_next(&change->slots[i]);
        }
    }
}

static void on_unpacked(void *arg, const char *error)
{
    struct change *change = arg;

    if (change->is_canceled) {
        change_destroy(change);
    } else if (error != NULL) {
        end(change, error);
    } else {
        change->code->is_unpacked = true;
        store(change);
    }
}

static int unpack(struct change *change)
{
    int memfd = change->memfd;

    change->memfd = -1;
    return launcher_unpack(change->functions->launcher, change->code->name, memfd, change,
                           on_unpacked);
}

void changes_cancel(struct functions *functions, const char *error)
{
    struct list *item = functions->changes.next;

    while (item != &functions->changes) {
        struct change *change = container_of(item, struct change, link);

        item = item->next;
        change->is_canceled = true;
        change->cb(change->arg, change->is_new ? NULL : &change->held->function, error);
    }
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
        r = make_slots(change);
    }
    return (r == 0) ? unpack(change) : r;
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
        r = make_slots(change);
    }
    if (r == 0 && change->code != NULL) {
        return unpack(change);
    }
    if (r == 0) {
        store(change);
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
        r = make_slots(change);
    }
    if (r != 0) {
        change_destroy(change);
        return r;
    }
    store(change);
    return 0;
}
