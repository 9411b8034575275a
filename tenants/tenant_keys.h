/* A tenant's keys from inside: one key per purpose, derived when they are opened,
 * so that sealing derives nothing. The tenant key itself is not kept. */
#ifndef TENANTS_TENANT_KEYS_H
#define TENANTS_TENANT_KEYS_H

#include "tenants/keys.h"
#include "tenants/secret.h"

struct tenant_keys {
    uint64_t tenant;
    uint32_t epoch;
    uint8_t (*purposes)[SECRET_KEY_BYTES]; /* KEY_PURPOSES of them, guarded */
};

#endif /* TENANTS_TENANT_KEYS_H */
