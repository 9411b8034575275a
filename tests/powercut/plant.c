#include "tests/powercut/plant.h"

#include <stdio.h>

#include "engine/core/operation.h"
#include "journal/head.h"

#define TENANT 123456789012U
#define TAIL_MAX 400U /* entries that the views may lack */
#define MAP_BYTES ((uint64_t)64 << 20)

static const struct id no_function;

static const char *const words[PLANTS] = {
    "a due time", "a name", "a row of the list", "a status", "an execution's frames", "an object"};

static bool has_row(enum plant kind, const struct story_exec *exec, const struct frame_header *last)
{
    if ((last->flags & FRAME_BRIEF) != 0) { /* only its name stays */
        return kind == PLANT_NAME && exec->owns_name;
    }
    switch (kind) {
    case PLANT_DUE:
        return last->wake_ms != 0;
    case PLANT_NAME:
        return exec->owns_name;
    case PLANT_STATUS:
        return last->status != EXEC_SUCCEEDED;
    case PLANT_LISTED:
    case PLANT_FRAMES:
        return true;
    case PLANT_OBJECT:
    case PLANTS:
    default:
        return false;
    }
}

/* The applier writes rows anew of what has changed since: that would heal them. */
static bool is_at_rest(const struct story_exec *exec, size_t count, uint64_t lsn)
{
    return count == exec->count || exec->frames[count].lsn > lsn + TAIL_MAX;
}

/* From the chosen one on, the first that has such a row at this LSN. */
static const struct story_exec *choose(const struct story *story, enum plant kind, uint64_t lsn,
                                       uint64_t choice)
{
    for (size_t i = 0; i < story->exec_count; i++) {
        const struct story_exec *exec = &story->execs[(choice + i) % story->exec_count];
        size_t count = story_frames(exec, lsn);

        if (count > 0 && is_at_rest(exec, count, lsn) &&
            has_row(kind, exec, &exec->frames[count - 1].header)) {
            return exec;
        }
    }
    return NULL;
}

static void remove_row(struct view_txn *txn, enum plant kind, const struct story_exec *exec,
                       const struct frame_header *last)
{
    uint8_t key[KEY_STATUS_BYTES];
    struct bytes id = bytes_of(exec->id.bytes, sizeof exec->id.bytes);

    if (kind == PLANT_DUE) {
        view_delete(txn, VIEW_DUE, key_timed(key, last->wake_ms, &exec->id));
    } else if (kind == PLANT_NAME) {
        view_delete(txn, VIEW_NAME,
                    key_name(key, TENANT, &exec->opening.function_id, &exec->opening.name_hash));
    } else if (kind == PLANT_LISTED) {
        view_delete(txn, VIEW_INDEX,
                    key_listed(key, TENANT, &no_function, 0, exec->opening.start_ms, &exec->id));
    } else if (kind == PLANT_STATUS) {
        view_delete(
            txn, VIEW_STATUS,
            key_listed(key, TENANT, &no_function, last->status, exec->opening.start_ms, &exec->id));
    } else {
        (void)view_delete_prefix(txn, VIEW_SEGMENT, id);
    }
}

static const struct story_object *choose_object(const struct story *story, uint64_t lsn,
                                                uint64_t choice)
{
    for (size_t i = 0; i < story->object_count; i++) {
        const struct story_object *object = &story->objects[(choice + i) % story->object_count];

        if (story_value(object, lsn) != NULL) {
            return object;
        }
    }
    return NULL;
}

/* Among what the views have already: recovery must not bring it back. */
static bool remove_one(const struct judge *judge, struct view_txn *txn, enum plant kind,
                       uint64_t choice)
{
    const struct story_exec *exec;
    const struct story_object *object;
    uint64_t applied = 0;

    if (views_get_applied(txn->views, &applied) != 0) {
        return false;
    }
    if (kind == PLANT_OBJECT) {
        object = choose_object(judge->story, applied, choice);
        if (object != NULL) {
            view_delete(txn, VIEW_OBJECT, object->key);
        }
        return object != NULL;
    }
    exec = choose(judge->story, kind, applied, choice);
    if (exec != NULL) {
        remove_row(txn, kind, exec, &exec->frames[story_frames(exec, applied) - 1].header);
    }
    return exec != NULL;
}

const char *plant(const struct judge *judge, enum plant kind, uint64_t choice)
{
    struct views views;
    struct view_txn txn = {.views = &views};
    char path[4096];
    bool is_planted;

    (void)snprintf(path, sizeof path, "%.4000s/views", judge->dir);
    if (views_open(&views, path, MAP_BYTES, false) != 0) {
        return NULL;
    }
    is_planted = mdb_txn_begin(views.env.mdb, NULL, 0, &txn.mdb) == 0 &&
                 remove_one(judge, &txn, kind, choice) && txn.status == 0 &&
                 env_commit(&views.env, &txn.mdb) == 0;
    env_abort(&txn.mdb);
    views_close(&views);
    return is_planted ? words[kind] : NULL;
}
