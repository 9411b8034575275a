#include "tenants/wrap.h"

#include <sodium.h>
#include <string.h>

#define FORMAT 1U
#define SUITE 1U

enum {
    AT_EPOCH = 2,
    AT_COMMIT = 6,
    AT_NONCE = 38,
    AT_SEALED = 62,
    CLEAR_BYTES = AT_COMMIT,
    COMMIT_BYTES = 32,
    LABEL_BYTES = 8,
    AAD_BYTES = LABEL_BYTES + 8 + CLEAR_BYTES,
};

static const char *const labels[] = {[WRAP_KEK] = "PAWL1kek", [WRAP_TENANT] = "PAWL1ten"};

/* Two keys from one, so that no key serves two purposes. */
struct wrap_keys {
    uint8_t cipher[SECRET_KEY_BYTES];
    uint8_t commit[SECRET_KEY_BYTES];
};

static void derive(struct wrap_keys *keys, const uint8_t wrapping[SECRET_KEY_BYTES])
{
    (void)crypto_kdf_derive_from_key(keys->cipher, sizeof keys->cipher, 1, "wrap____", wrapping);
    (void)crypto_kdf_derive_from_key(keys->commit, sizeof keys->commit, 2, "commit__", wrapping);
}

static void put_number(uint8_t *out, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        out[i] = (uint8_t)(number >> (8 * i));
    }
}

static void make_aad(const struct wrap *wrap, const uint8_t clear[CLEAR_BYTES],
                     uint8_t aad[AAD_BYTES])
{
    memcpy(aad, labels[wrap->label], LABEL_BYTES);
    put_number(aad + LABEL_BYTES, wrap->owner, 8);
    memcpy(aad + LABEL_BYTES + 8, clear, CLEAR_BYTES);
}

static void make_commitment(const struct wrap_keys *keys, const uint8_t aad[AAD_BYTES],
                            const uint8_t key[SECRET_KEY_BYTES], uint8_t out[COMMIT_BYTES])
{
    crypto_generichash_state state;

    (void)crypto_generichash_init(&state, keys->commit, sizeof keys->commit, COMMIT_BYTES);
    (void)crypto_generichash_update(&state, aad, AAD_BYTES);
    (void)crypto_generichash_update(&state, key, SECRET_KEY_BYTES);
    (void)crypto_generichash_final(&state, out, COMMIT_BYTES);
    sodium_memzero(&state, sizeof state);
}

void wrap_seal(const struct wrap *wrap, const uint8_t wrapping[SECRET_KEY_BYTES],
               const uint8_t key[SECRET_KEY_BYTES], uint8_t out[WRAP_BYTES])
{
    struct wrap_keys keys;
    uint8_t aad[AAD_BYTES];

    derive(&keys, wrapping);
    out[0] = FORMAT;
    out[1] = SUITE;
    put_number(out + AT_EPOCH, wrap->epoch, 4);
    make_aad(wrap, out, aad);
    make_commitment(&keys, aad, key, out + AT_COMMIT);
    randombytes_buf(out + AT_NONCE, AT_SEALED - AT_NONCE);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(out + AT_SEALED, NULL, key, SECRET_KEY_BYTES,
                                                     aad, sizeof aad, NULL, out + AT_NONCE,
                                                     keys.cipher);
    sodium_memzero(&keys, sizeof keys);
}

uint32_t wrap_epoch(const uint8_t wrapped[WRAP_BYTES])
{
    uint32_t epoch = 0;

    for (int i = 3; i >= 0; i--) {
        epoch = epoch << 8 | wrapped[AT_EPOCH + i];
    }
    return epoch;
}

static bool is_opened(const struct wrap *wrap, const struct wrap_keys *keys, const uint8_t *wrapped,
                      uint8_t *ret_key)
{
    uint8_t aad[AAD_BYTES];
    uint8_t commitment[COMMIT_BYTES];

    if (wrapped[0] != FORMAT || wrapped[1] != SUITE || wrap_epoch(wrapped) != wrap->epoch) {
        return false;
    }
    make_aad(wrap, wrapped, aad);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(ret_key, NULL, NULL, wrapped + AT_SEALED,
                                                   WRAP_BYTES - AT_SEALED, aad, sizeof aad,
                                                   wrapped + AT_NONCE, keys->cipher) != 0) {
        return false;
    }
    make_commitment(keys, aad, ret_key, commitment);
    return sodium_memcmp(commitment, wrapped + AT_COMMIT, COMMIT_BYTES) == 0;
}

bool wrap_open(const struct wrap *wrap, const uint8_t wrapping[SECRET_KEY_BYTES],
               const uint8_t wrapped[WRAP_BYTES], uint8_t ret_key[SECRET_KEY_BYTES])
{
    struct wrap_keys keys;
    bool is_ok;

    derive(&keys, wrapping);
    is_ok = is_opened(wrap, &keys, wrapped, ret_key);
    sodium_memzero(&keys, sizeof keys);
    if (!is_ok) {
        sodium_memzero(ret_key, SECRET_KEY_BYTES);
    }
    return is_ok;
}
