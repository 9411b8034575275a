/* A change of a function on its way to the journal: created, filled by function_store.c
 * with what change_objects.c makes, then unpacked and stored (parcel.h). */
#ifndef ENGINE_DRIVER_CHANGE_H
#define ENGINE_DRIVER_CHANGE_H

#include "engine/driver/parcel.h"

#define CHANGE_ERROR_MAX 160U

struct change {
    struct list link;
    struct parcel parcel;
    struct functions *functions;
    struct held *held;
    struct held_revision *revision; /* until the function has it */
    struct held_revision *version;  /* that is published; likewise */
    struct held_revision *hidden;   /* the version that is deleted */
    bool is_new;                    /* `held` is ours until it is done */
    bool is_delete;                 /* of the function, or of `hidden` */
    bool is_canceled;               /* nobody waits any more: ends where it stands */
    char error[CHANGE_ERROR_MAX];
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

/* Code, which is unpacked, and layers are not too large together: 0 or
 * FUNCTION_LAYERS_TOO_LARGE, and change->error says how large. */
int change_check_size(struct change *change);

#endif /* ENGINE_DRIVER_CHANGE_H */
