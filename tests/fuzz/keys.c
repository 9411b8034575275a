#include "tests/fuzz/keys.h"

#include <stdlib.h>

#include "engine/base/err.h"

static struct keyring *keyring;
static struct tenant_keys *keys;

static void close_all(void)
{
    tenant_keys_close(keys);
    keyring_close(keyring);
}

/* What is refused is no news. */
static void ignore_error(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)text;
}

static void open_all(void)
{
    uint8_t wrapped[TENANT_WRAPPED_BYTES];

    err_set_sink(ignore_error);
    if (secret_init() != 0 || keyring_create(&keyring) != 0 || !keyring_add_epoch(keyring) ||
        tenant_keys_create(keyring, 1, wrapped) != 0 ||
        tenant_keys_open(&keys, keyring, 1, bytes_of(wrapped, sizeof wrapped)) != 0 ||
        atexit(close_all) != 0) {
        abort();
    }
}

struct keyring *fuzz_keyring(void)
{
    if (keyring == NULL) {
        open_all();
    }
    return keyring;
}

const struct tenant_keys *fuzz_tenant_keys(void)
{
    (void)fuzz_keyring();
    return keys;
}
