#include "engine/driver/parcel.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/function_record.h"

#define WINDOW 32U /* half a MiB of chunks */

struct parcel_slot {
    struct journal_append append;
    struct parcel *parcel;
    uint8_t data[OBJECT_OVERHEAD + OBJECT_KEY_MAX + CODE_CHUNK_BYTES];
};

void parcel_init(struct parcel *parcel, struct functions *functions,
                 const struct parcel_events *events)
{
    *parcel = (struct parcel){.functions = functions, .events = events, .memfd = -1};
}

void parcel_fini(struct parcel *parcel)
{
    if (parcel->archive != NULL) {
        (void)munmap(parcel->archive, parcel->code->bytes);
    }
    if (parcel->memfd >= 0) {
        (void)close(parcel->memfd);
    }
    code_release(parcel->code);
    for (size_t i = 0; i < PARCEL_OBJECTS_MAX; i++) {
        buf_fini(&parcel->objects[i]);
    }
    mem_free(parcel->slots);
}

/* --- before anything is stored ------------------------------------------------------------ */

/* The chunks are made from the launcher's own memfd, which nobody can change. */
int parcel_take_archive(struct parcel *parcel, struct bytes archive)
{
    char name[CODE_NAME_LEN + 1];
    void *map;
    int r;

    code_name(archive, name);
    r = code_obtain(parcel->functions, name, archive.len, &parcel->code);
    if (r != 0) {
        return r;
    }
    parcel->memfd = code_seal_memfd(archive);
    if (parcel->memfd < 0 || archive.len == 0) {
        return (parcel->memfd < 0) ? parcel->memfd : 0;
    }
    map = mmap(NULL, archive.len, PROT_READ, MAP_PRIVATE, parcel->memfd, 0);
    if (map == MAP_FAILED) {
        return ERR(ERR_SYSTEM, "map an archive of %zu bytes", archive.len);
    }
    parcel->archive = map;
    return 0;
}

int parcel_add_object(struct parcel *parcel, const struct object_key *key, struct bytes plain)
{
    struct buf *entry = &parcel->objects[parcel->object_count];
    int r = object_seal_buf(parcel->functions->keys, KEY_CONFIG, key, plain, entry);

    if (r == 0) {
        parcel->object_count++;
    }
    return r;
}

int parcel_make_slots(struct parcel *parcel)
{
    uint32_t pieces = (parcel->code != NULL) ? 1 + code_chunks(parcel->code->bytes) : 0;
    uint32_t count = pieces + parcel->object_count;

    parcel->slot_count = (count < WINDOW) ? count : WINDOW;
    parcel->slots = mem_calloc(parcel->slot_count, sizeof *parcel->slots);
    return (parcel->slots != NULL) ? 0 : ERR(ERR_NOMEM, "%u chunks", parcel->slot_count);
}

/* --- storing ------------------------------------------------------------------------------ */

static struct bytes make_piece(struct parcel_slot *slot, uint32_t index)
{
    const struct parcel *parcel = slot->parcel;
    const struct code *code = parcel->code;
    struct archive_record record = {.bytes = code->bytes,
                                    .chunks = code_chunks(code->bytes),
                                    .unpacked_bytes = code->unpacked_bytes};
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
            bytes_of(parcel->archive + from, (left < CODE_CHUNK_BYTES) ? left : CODE_CHUNK_BYTES);
        code_key(&key, code, index - 1);
    }
    return bytes_of(slot->data,
                    object_seal(parcel->functions->keys, KEY_CODE, &key, plain, slot->data));
}

static void on_appended(struct journal_append *append);

static void append_next(struct parcel_slot *slot)
{
    struct parcel *parcel = slot->parcel;
    uint32_t index = parcel->next++;

    slot->append.kind = JOURNAL_PUT;
    slot->append.is_reserved = parcel->is_reserved;
    slot->append.data = (index < parcel->pieces)
                            ? make_piece(slot, index)
                            : buf_bytes(&parcel->objects[index - parcel->pieces]);
    parcel->in_flight++;
    journal_append(parcel->functions->journal, &slot->append, on_appended);
    if (parcel->code != NULL && index < parcel->pieces) {
        parcel->code->lsn = slot->append.lsn;
    }
}

static void on_appended(struct journal_append *append)
{
    struct parcel_slot *slot = container_of(append, struct parcel_slot, append);
    struct parcel *parcel = slot->parcel;

    parcel->in_flight--;
    if (!parcel->is_canceled && parcel->next < parcel->pieces + parcel->object_count) {
        append_next(slot);
    } else if (parcel->in_flight == 0) {
        if (parcel->code != NULL && !parcel->is_canceled) {
            parcel->code->is_stored = true;
        }
        parcel->events->done(parcel, NULL);
    }
}

/* Code that is stored is not stored again. */
void parcel_store(struct parcel *parcel)
{
    bool is_new_code = parcel->code != NULL && !parcel->code->is_stored;

    parcel->pieces = is_new_code ? 1 + code_chunks(parcel->code->bytes) : 0;
    for (uint32_t i = 0; i < parcel->slot_count; i++) {
        if (parcel->next < parcel->pieces + parcel->object_count) {
            parcel->slots[i].parcel = parcel;
            append_next(&parcel->slots[i]);
        }
    }
}

static void on_unpacked(void *arg, const struct unpacked *unpacked)
{
    struct parcel *parcel = arg;
    const char *error = unpacked->error;

    if (error == NULL) {
        parcel->code->is_unpacked = true;
        parcel->code->unpacked_bytes = unpacked->bytes;
        error = (parcel->events->check != NULL) ? parcel->events->check(parcel) : NULL;
    }
    if (error != NULL || parcel->is_canceled) {
        parcel->events->done(parcel, error);
    } else {
        parcel_store(parcel);
    }
}

int parcel_unpack(struct parcel *parcel)
{
    int memfd = parcel->memfd;

    parcel->memfd = -1;
    return launcher_unpack(parcel->functions->launcher, parcel->code->name, memfd, parcel,
                           on_unpacked);
}
