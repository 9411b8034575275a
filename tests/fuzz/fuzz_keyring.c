/* The keyring's file and wrapped tenant keys, from a disk that may hold anything. The
 * first byte says which: 0 a keyring as it is, 1 a wrapped key as it is, 2 a ring of
 * ours with a byte changed, 3 a wrapped key of ours with a byte changed. */
#include <string.h>

#include "engine/base/err.h"
#include "tests/fuzz/keys.h"
#include "tests/fuzz/target.h"

static const uint8_t root[SECRET_KEY_BYTES] = {1, 2, 3};

static int decode(struct bytes file)
{
    struct keyring *keyring = NULL;
    int r = keyring_create(&keyring);

    assert(r == 0);
    r = keyring_decode(keyring, root, file);
    assert(r == 0 || r == ERR_CORRUPT || r == ERR_INVALID);
    keyring_close(keyring);
    return r;
}

static int open_wrapped(struct bytes wrapped)
{
    struct tenant_keys *keys = NULL;
    int r = tenant_keys_open(&keys, fuzz_keyring(), 1, wrapped);

    assert(r == 0 || r == ERR_CORRUPT);
    tenant_keys_close(keys);
    return r;
}

/* XORs one byte: the places and values of the input. */
static bool change(uint8_t *data, size_t len, struct bytes rest)
{
    size_t at = (size_t)(rest.data[0] << 8 | rest.data[1]) % len;

    data[at] ^= rest.data[2];
    return rest.data[2] != 0;
}

static void check_ring(struct bytes rest)
{
    uint8_t file[KEYRING_BYTES_MAX];
    size_t len = keyring_encode(fuzz_keyring(), root, file);
    bool is_changed = change(file, len, rest);

    assert((decode(bytes_of(file, len)) != 0) == is_changed);
}

static void check_wrapped(struct bytes rest)
{
    uint8_t wrapped[TENANT_WRAPPED_BYTES];
    int r = tenant_keys_create(fuzz_keyring(), 1, wrapped);
    bool is_changed = change(wrapped, sizeof wrapped, rest);

    assert(r == 0);
    assert((open_wrapped(bytes_of(wrapped, sizeof wrapped)) != 0) == is_changed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes rest = bytes_of(data + 1, size - 1);

    if (size < 4) {
        return 0;
    }
    if (data[0] % 4 == 0) {
        assert(decode(rest) != 0);
    } else if (data[0] % 4 == 1) {
        assert(open_wrapped(rest) != 0);
    } else if (data[0] % 4 == 2) {
        check_ring(rest);
    } else {
        check_wrapped(rest);
    }
    return 0;
}
