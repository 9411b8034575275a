/* The bearer token: a secret text in the data directory's file `token` (0600), made at the
 * first start. Only its digest is kept: two digests have one length, and so can be compared
 * in constant time. */
#ifndef TENANTS_BEARER_H
#define TENANTS_BEARER_H

#include "engine/base/bytes.h"

#define BEARER_DIGEST_BYTES 32U

struct bearer {
    uint8_t digest[BEARER_DIGEST_BYTES];
};

/* Reads or creates `token` in `dir`. */
int bearer_load(struct bearer *bearer, const char *dir);

/* Is the header's value "Bearer TOKEN"? */
bool bearer_is_in(const struct bearer *bearer, struct bytes authorization);

#endif /* TENANTS_BEARER_H */
