/* Access keys in memory: an id that everybody may know, a secret that signs.
 *
 * A secret must be there in clear to check a signature (it is an HMAC), so the store keeps
 * it sealed, not hashed: who has the data and root.key can sign (docs/keys.md). Here it is
 * in guarded memory, with the signing keys of two days that were derived from it. */
#ifndef TENANTS_ACCESS_KEY_H
#define TENANTS_ACCESS_KEY_H

#include "engine/base/table.h"
#include "tenants/key_pair.h"
#include "tenants/replay.h"
#include "tenants/sigv4.h"

struct access_key {
    struct table_node by_id;
    char id[ACCESS_KEY_ID_LEN + 1];
    uint64_t tenant;
    bool is_enabled;
    struct access_secret *secret; /* guarded */
    struct replay *replay;
};

int access_key_create(struct access_key **ret_key, const struct access_key_pair *pair,
                      uint64_t tenant, struct replay_budget *budget, int64_t start_s);
void access_key_destroy(struct access_key *key); /* accepts NULL */

/* The signing key of a day (8 digits), derived at its first use; valid until the next call. */
const struct sigv4_key *access_key_of_day(struct access_key *key, struct bytes day,
                                          struct bytes region);

#endif /* TENANTS_ACCESS_KEY_H */
