/* A key sealed under another key, for storage: 110 bytes.
 *
 *      0 u8   format, 1
 *      1 u8   suite: 1 = XChaCha20-Poly1305-IETF and BLAKE2b
 *      2 u32  epoch, little-endian: of the wrapping key, or of a KEK its own
 *      6 [32] commitment: keyed BLAKE2b of everything that is associated, and the key
 *     38 [24] nonce
 *     62 [32] key, sealed
 *     94 [16] tag
 *
 * Associated data: label, owner, bytes 0..5. The commitment is there because the
 * cipher alone does not promise that a text opens under one key only. */
#ifndef TENANTS_WRAP_H
#define TENANTS_WRAP_H

#include <stdbool.h>
#include <stdint.h>

#include "tenants/secret.h"

#define WRAP_BYTES 110U

enum wrap_label { WRAP_KEK = 1, WRAP_TENANT = 2 };

struct wrap {
    enum wrap_label label;
    uint64_t owner; /* the tenant; 0 for a KEK */
    uint32_t epoch;
};

void wrap_seal(const struct wrap *wrap, const uint8_t wrapping[SECRET_KEY_BYTES],
               const uint8_t key[SECRET_KEY_BYTES], uint8_t out[WRAP_BYTES]);

/* The epoch that `wrapped` claims: to be believed only after wrap_open(). */
uint32_t wrap_epoch(const uint8_t wrapped[WRAP_BYTES]);

/* False, and `ret_key` wiped, when anything differs from what was sealed. */
bool wrap_open(const struct wrap *wrap, const uint8_t wrapping[SECRET_KEY_BYTES],
               const uint8_t wrapped[WRAP_BYTES], uint8_t ret_key[SECRET_KEY_BYTES])
    __attribute__((warn_unused_result));

#endif /* TENANTS_WRAP_H */
