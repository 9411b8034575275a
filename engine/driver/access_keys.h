/* Access keys as the journal holds them, and as operators change them: one sealed object
 * each, under the tenant's key for configurations.
 *
 *     t/<tenant, 12 digits>/access-key/<id>    format u8, flags u8 (1: enabled), made i64
 *                                              (ms, little-endian), secret [40], description
 *
 * A change counts when it is durable: only then does the verifier know of it, and only then
 * is it called back. All of them are in memory; those that are read at the start too. */
#ifndef ENGINE_DRIVER_ACCESS_KEYS_H
#define ENGINE_DRIVER_ACCESS_KEYS_H

#include "journal/journal.h"
#include "tenants/key_pair.h"
#include "tenants/keys.h"
#include "tenants/principal.h"

#define ACCESS_KEY_DESCRIPTION_MAX 256U

struct access_keys;

/* Gives every key to the verifier, which outlives this. */
int access_keys_open(struct access_keys **ret_keys, struct journal *journal,
                     const struct tenant_keys *tenant_keys, uint64_t tenant,
                     struct verifier *verifier);

/* What is on its way to the journal is still called back, and frees the rest. */
void access_keys_close(struct access_keys *keys); /* accepts NULL */

struct access_key_info {
    const char *id;
    const char *secret; /* in the callback of access_key_add() alone; else NULL */
    const char *description;
    int64_t created_ms;
    uint64_t tenant;
    bool is_enabled;
};

/* In the order they were made. */
typedef void (*access_key_visit)(void *arg, const struct access_key_info *info);
void access_keys_walk(const struct access_keys *keys, access_key_visit visit, void *arg);

/* --- changes: 0 and one callback, from the loop, once it is durable; or --------------------- */

enum {
    ACCESS_KEY_NOT_FOUND = 1,
    ACCESS_KEY_BUSY,     /* another change of it is on its way */
    ACCESS_KEY_TOO_MANY, /* ACCESS_KEYS_MAX */
    ACCESS_KEY_FULL,     /* the journal is */
};

/* `info` is valid during the call; of a removed one it says what it was. */
typedef void (*access_key_cb)(void *arg, const struct access_key_info *info);

/* A new random pair. The description has at most ACCESS_KEY_DESCRIPTION_MAX bytes. */
int access_key_add(struct access_keys *keys, struct bytes description, int64_t now_ms, void *arg,
                   access_key_cb cb);
/* No change is needed when it is so already: then it is called back at once. */
int access_key_enable(struct access_keys *keys, struct bytes id, bool is_enabled, void *arg,
                      access_key_cb cb);
int access_key_remove(struct access_keys *keys, struct bytes id, void *arg, access_key_cb cb);

#endif /* ENGINE_DRIVER_ACCESS_KEYS_H */
