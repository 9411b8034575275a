/* Who asks. A `struct principal` is made only here, by a verifier, and every
 * handler of a request takes one: there is no way around the check.
 *
 * Until signatures (SigV4) are verified, TCP needs the bearer token of the data
 * directory (file `token`, 0600, made at first start), a loopback Host and no
 * Origin; the unix socket needs the daemon's own user, or root. */
#ifndef TENANTS_PRINCIPAL_H
#define TENANTS_PRINCIPAL_H

#include <sys/types.h>

#include "engine/base/bytes.h"

#define TENANT_DEFAULT 123456789012U /* the account made at first start */

struct principal {
    uint64_t tenant;
    bool is_operator;
};

struct verifier;

/* Reads or creates `token` in `dir`. */
int verifier_create(struct verifier **ret_verifier, const char *dir);
void verifier_destroy(struct verifier *verifier);

/* What the door knows of a request; absent headers have data NULL. */
struct credentials {
    bool is_unix;
    uid_t peer_uid;
    struct bytes authorization;
    struct bytes host;
    struct bytes origin;
};

/* NULL, or a sentence that says what is missing (403). Compares in constant time. */
const char *verifier_check(const struct verifier *verifier, const struct credentials *credentials,
                           struct principal *ret_principal);

#endif /* TENANTS_PRINCIPAL_H */
