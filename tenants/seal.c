#include <assert.h>
#include <endian.h>
#include <sodium.h>

#include "engine/base/err.h"
#include "tenants/tenant_keys.h"

#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES

_Static_assert(SEAL_OVERHEAD == NONCE_BYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES,
               "nonce in front, tag behind");

#define NONCES_MAX 128U

/* Random bytes for many nonces at once: a call of the kernel for each was a third of
 * the cost of a small seal. Each is used once, by one thread; this process does not
 * fork after keys are open (only `pawl verify` does, and it seals nothing). */
static void take_nonce(uint8_t *out)
{
    static _Thread_local uint8_t nonces[NONCES_MAX * NONCE_BYTES];
    static _Thread_local size_t left;

    if (left == 0) {
        randombytes_buf(nonces, sizeof nonces);
        left = NONCES_MAX;
    }
    left--;
    memcpy(out, nonces + left * NONCE_BYTES, NONCE_BYTES);
}

void seal(const struct tenant_keys *keys, enum key_purpose purpose, struct bytes plain,
          struct bytes aad, uint8_t *out)
{
    take_nonce(out);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(out + NONCE_BYTES, NULL, plain.data, plain.len,
                                                     aad.data, aad.len, NULL, out,
                                                     keys->purposes[purpose]);
}

int seal_open(const struct tenant_keys *keys, enum key_purpose purpose, struct bytes sealed,
              struct bytes aad, uint8_t *out)
{
    if (sealed.len < SEAL_OVERHEAD ||
        crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.data + NONCE_BYTES,
                                                   sealed.len - NONCE_BYTES, aad.data, aad.len,
                                                   sealed.data, keys->purposes[purpose]) != 0) {
        return ERR(ERR_CORRUPT, "a seal of %zu bytes does not open", sealed.len);
    }
    return 0;
}

/* The length of what is in the middle goes first, so no two inputs read the same. */
void seal_chain(const struct tenant_keys *keys, const uint8_t before[SEAL_CHAIN_BYTES],
                struct bytes header, struct bytes plain, uint8_t out[SEAL_CHAIN_BYTES])
{
    crypto_generichash_state state;
    uint64_t header_len = htole64(header.len);

    (void)crypto_generichash_init(&state, keys->purposes[KEY_HISTORY], SECRET_KEY_BYTES,
                                  SEAL_CHAIN_BYTES);
    (void)crypto_generichash_update(&state, before, SEAL_CHAIN_BYTES);
    (void)crypto_generichash_update(&state, (const uint8_t *)&header_len, sizeof header_len);
    (void)crypto_generichash_update(&state, header.data, header.len);
    (void)crypto_generichash_update(&state, plain.data, plain.len);
    (void)crypto_generichash_final(&state, out, SEAL_CHAIN_BYTES);
}

void seal_hash(const struct tenant_keys *keys, struct bytes text, struct id *ret_hash)
{
    (void)crypto_generichash(ret_hash->bytes, sizeof ret_hash->bytes, text.data, text.len,
                             keys->purposes[KEY_INDEX], SECRET_KEY_BYTES);
}

void seal_digest(struct bytes text, uint8_t out[32])
{
    (void)crypto_generichash(out, 32, text.data, text.len, NULL, 0);
}

void seal_sha256(struct bytes data, uint8_t out[32])
{
    (void)crypto_hash_sha256(out, data.data, data.len);
}
