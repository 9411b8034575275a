#include "tests/powercut/story.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/driver/function_record.h"
#include "engine/driver/object.h"
#include "engine/driver/sealer.h"
#include "journal/layout.h"
#include "journal/log.h"
#include "tests/powercut/disk.h"

#define TENANT 123456789012U
#define TENANT_KEY "tenant/123456789012"

/* --- collecting -------------------------------------------------------------------------- */

struct telling {
    struct story *story;
    struct hot_log *log; /* NULL until it can be opened */
    struct buf entry;    /* of which not all pieces have come */
};

static void *grow(void *items, size_t count, size_t *cap, size_t size)
{
    if (count < *cap) {
        return items;
    }
    *cap = *cap * 2 + 8;
    items = realloc(items, *cap * size);
    require(items != NULL, "memory");
    return items;
}

static struct bytes keep(struct story *story, struct bytes bytes)
{
    struct bytes copy = arena_copy(&story->arena, bytes);

    require(copy.data != NULL, "memory");
    return copy;
}

static struct story_exec *obtain_exec(struct story *story, const struct id *id)
{
    for (size_t i = 0; i < story->exec_count; i++) { /* most are among the newest */
        struct story_exec *exec = &story->execs[story->exec_count - 1 - i];

        if (id_equal(&exec->id, id)) {
            return exec;
        }
    }
    story->execs = grow(story->execs, story->exec_count, &story->exec_cap, sizeof *story->execs);
    story->execs[story->exec_count] = (struct story_exec){.id = *id};
    return &story->execs[story->exec_count++];
}

static void add_frame(struct story *story, uint64_t lsn, struct bytes bytes)
{
    struct story_frame frame = {.lsn = lsn, .bytes = keep(story, bytes)};
    struct frame_opening opening = {0};
    struct bytes sealed;
    struct story_exec *exec;

    require(frame_parse(frame.bytes, &frame.header, &opening, &sealed), "frame in the log");
    exec = obtain_exec(story, &frame.header.exec_id);
    if (exec->count == 0) {
        require(frame.header.flags == FRAME_FIRST, "first frame of an execution");
        exec->opening = opening;
    }
    exec->frames = grow(exec->frames, exec->count, &exec->cap, sizeof *exec->frames);
    exec->frames[exec->count++] = frame;
}

static struct story_object *obtain_object(struct story *story, struct bytes key)
{
    for (size_t i = 0; i < story->object_count; i++) {
        if (bytes_equal(story->objects[i].key, key)) {
            return &story->objects[i];
        }
    }
    story->objects =
        grow(story->objects, story->object_count, &story->object_cap, sizeof *story->objects);
    story->objects[story->object_count] = (struct story_object){.key = keep(story, key)};
    return &story->objects[story->object_count++];
}

static void add_version(struct story *story, uint64_t lsn, uint8_t kind, struct bytes entry)
{
    size_t key_len = (entry.len >= 2) ? get_u16le(entry.data) : 0;
    struct story_version version = {.lsn = lsn, .is_deleted = kind == JOURNAL_DELETE};
    struct story_object *object;

    require(key_len > 0 && key_len + 2 <= entry.len, "object in the log");
    object = obtain_object(story, bytes_of(entry.data + 2, key_len));
    version.value = keep(story, bytes_of(entry.data + 2 + key_len, entry.len - 2 - key_len));
    object->versions = grow(object->versions, object->count, &object->cap, sizeof version);
    object->versions[object->count++] = version;
}

static int take_piece(void *arg, const struct log_piece *piece)
{
    struct telling *telling = arg;
    struct story *story = telling->story;

    require(piece->lsn == story->last_lsn + 1, "LSNs without gaps");
    story->last_lsn = piece->lsn;
    buf_append(&telling->entry, piece->data.data, piece->data.len);
    require(!telling->entry.failed, "memory");
    if (piece->piece + 1 < piece->pieces) {
        return 0;
    }
    if (piece->kind == JOURNAL_FRAME) {
        add_frame(story, piece->lsn, buf_bytes(&telling->entry));
    } else {
        add_version(story, piece->lsn, piece->kind, buf_bytes(&telling->entry));
    }
    telling->entry.len = 0;
    story->entries++;
    return 0;
}

/* Whenever something was committed, before it can be trimmed. */
static void read_commit(struct telling *telling, const char *dir)
{
    char path[4096];

    if (telling->log == NULL) {
        (void)snprintf(path, sizeof path, "%.4000s.files/log", dir);
        require(hot_log_open(&telling->log, path, 0, true) == 0, "log of the recording");
    }
    require(hot_log_read(telling->log, telling->story->last_lsn + 1, take_piece, telling) == 0,
            "log of the recording");
}

/* --- opening ------------------------------------------------------------------------------- */

static void open_keys(struct story *story, const char *dir)
{
    const struct story_object *tenant = obtain_object(story, bytes_of_text(TENANT_KEY));

    require(keyring_open(&story->keyring, dir, NULL) == 0, "keyring of the recording");
    require(tenant->count == 1, "key of the tenant");
    require(tenant_keys_open(&story->keys, story->keyring, TENANT, tenant->versions[0].value) == 0,
            "key of the tenant");
}

/* One that does not open breaks what the daemon promises; the next ones may. */
static void open_frames(struct story *story, struct story_exec *exec)
{
    uint8_t chain[FRAME_CHAIN_BYTES] = {0};
    struct frame_opening opening;

    for (size_t i = 0; i < exec->count; i++) {
        struct story_frame *frame = &exec->frames[i];

        if (sealer_open(&story->arena, story->keys, frame->bytes, chain, &frame->header, &opening,
                        &frame->records, &frame->record_count) != 0) {
            frame->record_count = 0;
            story->broken++;
            memcpy(chain, frame->header.chain, sizeof chain);
        }
    }
}

static void open_function(struct story *story, struct story_object *object)
{
    struct buf plain = {0};
    struct function_record record;

    for (size_t i = 0; i < object->count; i++) {
        const struct story_version *version = &object->versions[i];

        if (!version->is_deleted) {
            require(object_open(story->keys, KEY_CONFIG, object->key, version->value, &plain) ==
                            0 &&
                        function_record_get(buf_bytes(&plain), &record) == 0,
                    "a function does not open");
            (void)snprintf(object->function, sizeof object->function, "%s", record.name);
        }
        if ((version->is_deleted || record.is_deleted) && object->deleted_lsn == 0) {
            object->deleted_lsn = version->lsn;
        }
    }
    buf_fini(&plain);
}

static bool is_function(const struct story_object *object)
{
    static const char prefix[] = "t/123456789012/function/";

    return object->key.len > sizeof prefix &&
           memcmp(object->key.data, prefix, sizeof prefix - 1) == 0;
}

static int compare_execs(const void *a, const void *b)
{
    return memcmp(&((const struct story_exec *)a)->id, &((const struct story_exec *)b)->id,
                  sizeof(struct id));
}

static int compare_objects(const void *a, const void *b)
{
    const struct bytes *left = &((const struct story_object *)a)->key;
    const struct bytes *right = &((const struct story_object *)b)->key;
    size_t len = (left->len < right->len) ? left->len : right->len;
    int order = memcmp(left->data, right->data, len);

    return (order != 0) ? order : (left->len > right->len) - (left->len < right->len);
}

/* An execution that was given its name before any other. */
static bool owns_name(const struct story *story, const struct story_exec *exec)
{
    for (size_t i = 0; i < story->exec_count; i++) {
        const struct story_exec *other = &story->execs[i];

        if (id_equal(&other->opening.name_hash, &exec->opening.name_hash) &&
            id_equal(&other->opening.function_id, &exec->opening.function_id) &&
            other->frames[0].lsn < exec->frames[0].lsn) {
            return false;
        }
    }
    return !id_is_none(&exec->opening.name_hash);
}

static void open_all(struct story *story, const char *dir)
{
    open_keys(story, dir);
    for (size_t i = 0; i < story->exec_count; i++) {
        open_frames(story, &story->execs[i]);
        story->execs[i].owns_name = owns_name(story, &story->execs[i]);
    }
    for (size_t i = 0; i < story->object_count; i++) {
        if (is_function(&story->objects[i])) {
            open_function(story, &story->objects[i]);
        }
    }
    qsort(story->execs, story->exec_count, sizeof *story->execs, compare_execs);
    qsort(story->objects, story->object_count, sizeof *story->objects, compare_objects);
}

void story_tell(struct story *story, const struct tape *tape, const char *dir)
{
    struct disk *disk = disk_create(dir, tape, false);
    struct telling telling = {.story = story};
    struct prng prng = {0};
    bool has_views = false;

    *story = (struct story){0};
    arena_init(&story->arena, 0);
    while (disk_steps(disk) < tape->count) {
        const struct tape_op *op = &tape->ops[disk_steps(disk)];

        disk_step(disk);
        has_views = has_views || (tape_is_write(op) && op->head.file == RECORDED_VIEWS);
        if (has_views && op->head.kind == RECORDED_DSYNC_END && op->head.file == RECORDED_LOG) {
            read_commit(&telling, dir);
        }
    }
    require(telling.log != NULL && telling.entry.len == 0, "log of the recording");
    hot_log_close(telling.log);
    telling.log = NULL;
    read_commit(&telling, dir); /* opened again, it says what is left of it */
    story->trimmed_lsn = hot_log_first(telling.log) - 1;
    hot_log_close(telling.log);
    disk_cut(disk, &prng, DISK_ALL);
    open_all(story, dir);
    disk_restore(disk);
    disk_destroy(disk);
    buf_fini(&telling.entry);
}

/* --- asking -------------------------------------------------------------------------------- */

struct story_exec *story_find_exec(const struct story *story, const struct id *id)
{
    const struct story_exec wanted = {.id = *id};

    return bsearch(&wanted, story->execs, story->exec_count, sizeof wanted, compare_execs);
}

size_t story_frames(const struct story_exec *exec, uint64_t lsn)
{
    size_t from = 0;
    size_t to = exec->count;

    while (from < to) {
        size_t middle = (from + to) / 2;

        if (exec->frames[middle].lsn <= lsn) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

const struct story_version *story_value(const struct story_object *object, uint64_t lsn)
{
    const struct story_version *found = NULL;

    for (size_t i = 0; i < object->count && object->versions[i].lsn <= lsn; i++) {
        found = &object->versions[i];
    }
    return (found == NULL || found->is_deleted) ? NULL : found;
}

uint64_t story_acked_lsn(const struct story *story, uint64_t seq)
{
    size_t from = 0;
    size_t to = story->fact_count;

    while (from < to) {
        size_t middle = (from + to) / 2;

        if (story->facts[middle].seq <= seq) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return (from > 0) ? story->facts[from - 1].lsn_max : 0;
}
