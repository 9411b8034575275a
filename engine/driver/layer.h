/* Layers: archives that functions see at /opt, shared by name and version.
 *
 * A layer version is immutable but for its policy; versions are numbered from 1 within
 * their layer, and a number is never used again, also when its version was deleted. Its
 * archive is checked and stored as a function's is, once by its hash (function.h), and
 * kept as long as a layer version or a revision of a function has it: who has a version
 * when it is deleted goes on having it.
 *
 * Two kinds of sealed objects (keys in object.h): the version, and the layer, which knows
 * the highest number. A version counts when its layer knows the number; the layer's object
 * is appended last, so after a crash a version is there or it is not. */
#ifndef ENGINE_DRIVER_LAYER_H
#define ENGINE_DRIVER_LAYER_H

#include "engine/driver/function.h"

#define LAYER_NAME_MAX 64U            /* function_name_is_plain() */
#define LAYERS_MAX 1000U              /* names that were ever used, of a tenant */
#define LAYER_VERSIONS_MAX 1000U      /* of one layer that are not deleted */
#define LAYER_ABOUT_BYTES_MAX 8192U   /* of its description and the like */
#define LAYER_POLICY_BYTES_MAX 32768U /* as it is stored */

struct layer {
    const char *name;
    const char *arn;        /* arn:aws:lambda:REGION:ACCOUNT:layer:NAME */
    uint32_t last_version;  /* the highest number that was ever used */
    uint32_t version_count; /* that are not deleted */
    struct list versions;   /* by number */
};

struct layer_version {
    struct layer *layer;
    struct list link;
    const char *arn; /* with the number */
    uint32_t version;
    int64_t created_ms;
    const char *code; /* SHA-256 of the archive in hex */
    uint64_t code_bytes;
    struct bytes about;  /* JSON by habit; its owner's business */
    struct bytes policy; /* likewise; `data` NULL: none */
};

/* Of what is found everything is valid until the next change of it is durable, so not
 * across callbacks. */

/* NULL: there is none that has a version. */
struct layer *layer_find(const struct functions *functions, struct bytes name);
/* In the order of names, after `after` (empty: from the start); NULL at the end. */
struct layer *layer_next(const struct functions *functions, struct bytes after);
/* NULL: there is none, or it was deleted. */
struct layer_version *layer_version_find(const struct layer *layer, uint32_t version);
/* The next older one; the newest before 0. NULL at the end. */
struct layer_version *layer_version_before(const struct layer *layer, uint32_t version);

/* --- changes: `cb` comes from the loop when the change is durable, and from then on it is
 * seen. What is given is copied. A refusal is immediate, with no callback; negative: an
 * error, likewise (a name of other characters is ERR_INVALID):
 *
 *   FUNCTION_TOO_LARGE  the archive, `about` or `policy`
 *   FUNCTION_BUSY       another change of this layer (publishing), or version, is under way
 *   FUNCTION_TOO_MANY   LAYER_VERSIONS_MAX
 *   FUNCTION_FULL       LAYERS_MAX, or the journal takes no new work; a deletion it takes */

/* The archive is unpacked once before it is stored: what is wrong with it is `error`, a
 * sentence, and `version` NULL. */
typedef void (*layer_published_cb)(void *arg, const struct layer_version *version,
                                   const char *error);
int layer_publish(struct functions *functions, struct bytes name, struct bytes about,
                  struct bytes archive, int64_t now_ms, void *arg, layer_published_cb cb);

/* `status`: 0, or ERR_CANCELED when the registry is closed; it may yet become durable. */
typedef void (*layer_changed_cb)(void *arg, int status);
int layer_version_delete(struct functions *functions, struct layer_version *version, void *arg,
                         layer_changed_cb cb);
/* `policy.data` NULL: none any more. */
int layer_version_set_policy(struct functions *functions, struct layer_version *version,
                             struct bytes policy, void *arg, layer_changed_cb cb);

#endif /* ENGINE_DRIVER_LAYER_H */
