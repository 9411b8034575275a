#include "tenants/tenant_keys.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "tenants/keyring.h"

_Static_assert(TENANT_WRAPPED_BYTES == WRAP_BYTES, "a wrapped tenant key is one wrap");

/* Part of the format: neither numbers nor words may change. */
static const char *const contexts[KEY_PURPOSES] = {
    [KEY_PAYLOAD] = "payload_", [KEY_HISTORY] = "history_", [KEY_CONFIG] = "config__",
    [KEY_CODE] = "code____",    [KEY_INDEX] = "index___",   [KEY_TOKEN] = "token___",
};

int tenant_keys_create(struct keyring *keyring, uint64_t tenant,
                       uint8_t ret_wrapped[TENANT_WRAPPED_BYTES])
{
    uint32_t epoch = keyring_epoch(keyring);
    struct wrap wrap = {.label = WRAP_TENANT, .owner = tenant, .epoch = epoch};
    uint8_t *key = secret_alloc(SECRET_KEY_BYTES);

    if (key == NULL) {
        return ERR(ERR_NOMEM, "tenant key");
    }
    randombytes_buf(key, SECRET_KEY_BYTES);
    wrap_seal(&wrap, keyring_find(keyring, epoch), key, ret_wrapped);
    secret_free(key);
    return 0;
}

static void derive(struct tenant_keys *keys, const uint8_t key[SECRET_KEY_BYTES])
{
    for (unsigned i = 0; i < KEY_PURPOSES; i++) {
        (void)crypto_kdf_derive_from_key(keys->purposes[i], SECRET_KEY_BYTES, i + 1, contexts[i],
                                         key);
    }
}

static struct tenant_keys *alloc_keys(uint64_t tenant, uint32_t epoch)
{
    struct tenant_keys *keys = mem_calloc(1, sizeof *keys);

    if (keys == NULL) {
        return NULL;
    }
    keys->tenant = tenant;
    keys->epoch = epoch;
    keys->purposes = secret_alloc((size_t)KEY_PURPOSES * SECRET_KEY_BYTES);
    if (keys->purposes == NULL) {
        mem_free(keys);
        return NULL;
    }
    return keys;
}

void tenant_keys_close(struct tenant_keys *keys)
{
    if (keys != NULL) {
        secret_free(keys->purposes);
        mem_free(keys);
    }
}

/* Opens the tenant key into guarded memory, derives, and lets it go. */
static int unwrap(struct tenant_keys *keys, const struct keyring *keyring, const uint8_t *wrapped)
{
    struct wrap wrap = {.label = WRAP_TENANT, .owner = keys->tenant, .epoch = keys->epoch};
    const uint8_t *kek = keyring_find(keyring, keys->epoch);
    uint8_t *key;
    bool is_ok;

    if (kek == NULL) {
        return ERR(ERR_CORRUPT, "key of tenant %012" PRIu64 ": keyring has no epoch %u",
                   keys->tenant, keys->epoch);
    }
    key = secret_alloc(SECRET_KEY_BYTES);
    if (key == NULL) {
        return ERR(ERR_NOMEM, "tenant key");
    }
    is_ok = wrap_open(&wrap, kek, wrapped, key);
    if (is_ok) {
        derive(keys, key);
    }
    secret_free(key);
    return is_ok ? 0
                 : ERR(ERR_CORRUPT, "key of tenant %012" PRIu64 " was changed or is another's",
                       keys->tenant);
}

int tenant_keys_open(struct tenant_keys **ret_keys, struct keyring *keyring, uint64_t tenant,
                     struct bytes wrapped)
{
    struct tenant_keys *keys;
    int r;

    if (wrapped.len != TENANT_WRAPPED_BYTES) {
        return ERR(ERR_CORRUPT, "key of tenant %012" PRIu64 " has %zu bytes", tenant, wrapped.len);
    }
    keys = alloc_keys(tenant, wrap_epoch(wrapped.data));
    if (keys == NULL) {
        return ERR(ERR_NOMEM, "keys of tenant %012" PRIu64, tenant);
    }
    r = unwrap(keys, keyring, wrapped.data);
    if (r != 0) {
        tenant_keys_close(keys);
        return r;
    }
    *ret_keys = keys;
    return 0;
}

uint32_t tenant_keys_epoch(const struct tenant_keys *keys)
{
    return keys->epoch;
}
