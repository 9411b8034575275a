/* A change of a function on its way to the journal: created, filled by function_store.c
 * with what change_objects.c makes, then unpacked and stored. */
#ifndef ENGINE_DRIVER_CHANGE_H
#define ENGINE_DRIVER_CHANGE_H

#include "engine/driver/functions.h"

struct change_slot {
    struct journal_append append;
    struct change *change;
    uint8_t data[OBJECT_OVERHEAD + OBJECT_KEY_MAX + CODE_CHUNK_BYTES];
};

struct change {
    struct list link;
    struct functions *functions;
    struct held *held;
    struct held_revision *revision; /* until the function has it */
    struct held_revision *version;  /* that is published; likewise */
    struct held_revision *hidden;   /* the version that is deleted */
    struct code *code;              /* of a new archive; referenced */
    uint8_t *archive;               /* mapped */
    int memfd;                      /* until the launcher has it; else -1 */
    bool is_new;                    /* `held` is ours until it is done */
    bool is_delete;                 /* of the function, or of `hidden` */
    bool is_canceled;               /* nobody waits any more: ends where it stands */
    struct buf objects[3];          /* entries: revision, version, function */
    uint32_t object_count;
    uint32_t pieces; /* of code; in front of the objects */
    uint32_t next;
    uint32_t in_flight;
    struct change_slot *slots;
    uint32_t slot_count;
    void *arg;
    function_changed_cb cb;
};

/* The caller fills it; to give up, change_destroy() takes back what was done so far. */
int change_create(struct change **ret_change, struct functions *functions, void *arg,
                  function_changed_cb cb);
void change_destroy(struct change *change);

/* --- change_objects.c: what is stored, in the order of these calls -------------------- */

/* The next revision: with the change's new code, or that of the latest one. */
int change_add_revision(struct change *change, const struct function_config *config,
                        int64_t now_ms);
/* `source` as the next version; FUNCTION_UNCHANGED when it is the last version already. */
int change_add_version(struct change *change, const struct function_revision *source,
                       const char *description, int64_t now_ms);
/* The last object: it knows the numbers that came before it, or that it is deleted. */
int change_add_function(struct change *change);
/* The only object: the version's record again, deleted. */
int change_hide_version(struct change *change, struct function_revision *version);

/* --- change.c ------------------------------------------------------------------------- */

/* Room for what is to be stored: the last thing that can fail before the launcher. */
int change_make_slots(struct change *change);

/* From here on it ends by its callback. change_unpack() may still refuse: then it is the
 * caller's to destroy. Without new code it is stored at once. */
int change_unpack(struct change *change);
void change_store(struct change *change);

#endif /* ENGINE_DRIVER_CHANGE_H */
