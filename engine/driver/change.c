/* The way of a change:
 *
 *   - everything that can fail is done first: copies are made, the name is taken, objects
 *     are sealed, room for a window of chunks is allocated;
 *   - the launcher unpacks the archive: if it does not like it, nothing has happened;
 *   - size object, chunks, revisions and function are appended in this order, at most
 *     WINDOW at a time; the last one is what makes the change count;
 *   - when all of it is durable, the registry shows it and `cb` is called.
 *
 * An appended entry cannot fail, so neither can a change once its archive was unpacked. */
#include "engine/driver/change.h"

#include <sys/mman.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/function_record.h"

#define WINDOW 32U /* half a MiB of chunks */

int change_create(struct change **ret_change, struct functions *functions, void *arg,
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

void change_destroy(struct change *change)
{
    struct functions *functions = change->functions;

    held_revision_destroy(change->revision);
    held_revision_destroy(change->version);
    drop_function(change);
    if (change->archive != NULL) {
        (void)munmap(change->archive, change->code->bytes);
    }
    if (change->memfd >= 0) {
        (void)close(change->memfd);
    }
    code_release(change->code);
    for (size_t i = 0; i < sizeof change->objects / sizeof change->objects[0]; i++) {
        buf_fini(&change->objects[i]);
    }
    mem_free(change->slots);
    list_remove(&change->link);
    mem_free(change);
    functions_unhold(functions);
}

/* --- storing ---------------------------------------------------------------------------- */

int change_make_slots(struct change *change)
{
    uint32_t pieces = (change->code != NULL) ? 1 + code_chunks(change->code->bytes) : 0;
    uint32_t count = pieces + change->object_count;

    change->slot_count = (count < WINDOW) ? count : WINDOW;
    change->slots = mem_calloc(change->slot_count, sizeof *change->slots);
    return (change->slots != NULL) ? 0 : ERR(ERR_NOMEM, "%u chunks", change->slot_count);
}

/* Code that was unpacked for one of them is there for the other. */
static void show_revisions(struct change *change)
{
    struct function *function = &change->held->function;
    bool is_unpacked = change->code != NULL || function->latest->is_unpacked;

    if (change->revision != NULL) {
        change->revision->revision.is_unpacked = is_unpacked;
        held_add_revision(change->held, change->revision);
        change->revision = NULL;
    }
    if (change->version != NULL) {
        change->version->revision.is_unpacked = is_unpacked;
        held_add_revision(change->held, change->version);
        change->version = NULL;
    }
    change->held->is_visible = true;
}

static void hide_function(struct change *change)
{
    change->held->is_visible = false;
    change->held->function.is_deleted = true;
    functions_free_name(change->functions, change->held);
    settings_remove(change->functions, change->held);
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
    if (change->hidden != NULL) {
        held_hide_version(change->hidden);
        settings_remove_orphans(change->functions, change->held);
    } else if (change->is_delete) {
        hide_function(change);
    } else {
        show_revisions(change);
    }
    change->is_new = false;
    end(change, NULL);
}

static struct bytes make_piece(struct change_slot *slot, uint32_t index)
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

static void append_next(struct change_slot *slot)
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
    struct change_slot *slot = container_of(append, struct change_slot, append);
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
void change_store(struct change *change)
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

static void on_unpacked(void *arg, const struct unpacked *unpacked)
{
    struct change *change = arg;

    if (change->is_canceled) {
        change_destroy(change);
    } else if (unpacked->error != NULL) {
        end(change, unpacked->error);
    } else {
        change->code->is_unpacked = true;
        change_store(change);
    }
}

int change_unpack(struct change *change)
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
