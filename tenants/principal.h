/* Who asks. A `struct principal` is made only here, by the verifier, and every handler of a
 * request takes one: there is no way around the check.
 *
 *     head complete --verifier_admit()--> how much of a body is worth reading
 *     body complete --verifier_finish()--> a principal, or a denial
 *
 * On the unix socket the peer's user is the credential: the daemon's own, or root. On TCP it
 * is a signature (AWS Signature Version 4, in a header or presigned) of an access key, or
 * the bearer token of the data directory with a loopback Host. Never both.
 *
 * A signature covers the body's hash. Where the client sends that hash
 * (x-amz-content-sha256) the signature is checked before the body is read, and the body
 * against it afterwards; else the signature waits for the body, of which no more is read
 * than strangers may send unless the key is known and enabled. */
#ifndef TENANTS_PRINCIPAL_H
#define TENANTS_PRINCIPAL_H

#include <sys/types.h>

#include "engine/base/arena.h"
#include "tenants/denial.h"
#include "tenants/request.h"

#define TENANT_DEFAULT 123456789012U /* the account made at first start */
#define ACCESS_KEYS_MAX 1000U

struct principal {
    uint64_t tenant;
    bool is_operator;
    bool is_environment; /* a function of the tenant, known by the socket it speaks on */
};

/* For a request that came on the loopback of an environment of this tenant. */
void principal_of_environment(uint64_t tenant, struct principal *ret_principal);

struct verifier;
struct access_key_pair;

/* Reads or creates `token` in `dir`. Signatures are of this region; requests that change
 * something and were signed before `now_ms` are refused. */
int verifier_create(struct verifier **ret_verifier, const char *dir, const char *region,
                    int64_t now_ms);
void verifier_destroy(struct verifier *verifier);

/* --- access keys ------------------------------------------------------------------------ */

/* A key that is durable, or comes from the store. ERR_LIMIT beyond ACCESS_KEYS_MAX. */
int verifier_add_key(struct verifier *verifier, const struct access_key_pair *pair, uint64_t tenant,
                     bool is_enabled);
/* Of a key that is there; at once, also for requests whose body is still being read. */
void verifier_enable_key(struct verifier *verifier, struct bytes id, bool is_enabled);
void verifier_remove_key(struct verifier *verifier, struct bytes id);

/* --- requests ---------------------------------------------------------------------------- */

/* How a request came in. */
enum credentials_kind { CREDENTIALS_UNIX, CREDENTIALS_TCP };

/* What the door knows of a request. What it points to outlives the admission. */
struct credentials {
    enum credentials_kind kind;
    uid_t peer_uid; /* of the unix socket */
    struct request_head head;
    int64_t now_ms;
};

struct admission;

/* From the head alone, into memory of `arena`; NULL without memory. */
struct admission *verifier_admit(struct verifier *verifier, const struct credentials *credentials,
                                 struct arena *arena);

/* Whether a body as large as the operation allows is worth reading. */
bool admission_is_open(const struct admission *admission);

/* Whether the body's hash is needed. It may be made before verifier_finish(), also in another
 * thread: of a large body that takes a while (270 MB/s). */
bool admission_wants_hash(const struct admission *admission);
void admission_hash_body(struct admission *admission, struct bytes body);

/* To be called once. NULL: `ret_principal` is who asks; or why not, which is the admission's. */
const struct denial *verifier_finish(struct verifier *verifier, struct admission *admission,
                                     struct bytes body, int64_t now_ms,
                                     struct principal *ret_principal)
    __attribute__((warn_unused_result));

#endif /* TENANTS_PRINCIPAL_H */
