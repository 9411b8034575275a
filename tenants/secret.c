#include "tenants/secret.h"

#include <errno.h>
#include <sodium.h>
#include <stdatomic.h>
#include <string.h>

#include "engine/base/err.h"
#include "engine/base/log.h"

static atomic_flag has_warned = ATOMIC_FLAG_INIT;

int secret_init(void)
{
    return (sodium_init() >= 0) ? 0 : ERR(ERR_SYSTEM, "libsodium has no source of randomness");
}

/* sodium_malloc() locks, but does not say whether it could: ask once more. */
static void warn_unless_locked(void *secret, size_t size)
{
    if (sodium_mlock(secret, size) == 0 || atomic_flag_test_and_set(&has_warned)) {
        return;
    }
    log_warn("keys may be swapped to disk: memory could not be locked (%s); raise RLIMIT_MEMLOCK",
             strerror(errno));
}

void *secret_alloc(size_t size)
{
    void *secret;

    if (secret_init() != 0) {
        return NULL; /* sodium_malloc() would end the process */
    }
    secret = sodium_malloc(size);
    if (secret == NULL) {
        return NULL;
    }
    warn_unless_locked(secret, size);
    memset(secret, 0, size);
    return secret;
}

void secret_free(void *secret)
{
    sodium_free(secret); /* wipes, and ends the process if a guard was overwritten */
}
