/* Layers from inside: what layer.c (find), layer_record.c (bytes), layer_store.c (changes)
 * and layer_load.c (open) share. */
#ifndef ENGINE_DRIVER_LAYERS_H
#define ENGINE_DRIVER_LAYERS_H

#include "engine/driver/functions.h"
#include "engine/driver/layer.h"

struct held_layer {
    struct layer layer;
    bool is_publishing;
};

struct held_layer_version {
    struct layer_version version;
    struct code *code; /* referenced */
    bool is_changing;
    uint8_t *plain; /* its record, where the texts are */
    size_t plain_len;
};

/* --- layer.c -------------------------------------------------------------------------- */

struct held_layer *held_layer_of(const struct layer *layer);
struct held_layer_version *held_layer_version_of(const struct layer_version *version);

/* Also one without versions. */
struct held_layer *layers_find(const struct functions *functions, struct bytes name);
/* A new one, or the one that is there. */
int layers_obtain(struct functions *functions, struct bytes name, struct held_layer **ret_layer);
/* Not publishing, and never published: it goes. */
void layers_drop(struct functions *functions, struct held_layer *layer);
void layers_free(struct functions *functions); /* all */

/* From its record; takes a reference of the code, which must be there (ERR_CORRUPT). */
int held_layer_version_create(struct held_layer_version **ret_held, struct functions *functions,
                              const struct layer *layer, struct bytes record);
/* It is in no list; accepts NULL. */
void held_layer_version_destroy(struct held_layer_version *held);
void held_layer_add(struct held_layer *layer, struct held_layer_version *held);
void held_layer_remove(struct held_layer_version *held); /* and destroys it */

/* --- layer_record.c ------------------------------------------------------------------- */

struct layer_record {
    const char *name;
    uint32_t last_version;
};
void layer_record_put(struct buf *buf, const struct layer_record *record);
int layer_record_get(struct bytes bytes, struct layer_record *ret_record);
/* The layer's name, number, time, code, about, policy. What is read points into `bytes`;
 * members that are not recorded stay as they are. */
void layer_version_record_put(struct buf *buf, const struct layer_version *version);
int layer_version_record_get(struct bytes bytes, const char **ret_name,
                             struct layer_version *ret_version);

void layer_key(struct object_key *ret_key, const struct functions *functions, struct bytes name);
void layer_version_key(struct object_key *ret_key, const struct functions *functions,
                       struct bytes name, uint32_t version);
/* --- layer_store.c -------------------------------------------------------------------- */

/* What is under way calls back: publishing with `error`, other changes with ERR_CANCELED. */
void layers_cancel(struct functions *functions, const char *error);

#endif /* ENGINE_DRIVER_LAYERS_H */
