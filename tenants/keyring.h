/* The keyring from inside: the KEKs of all epochs, and their file.
 *
 *      0 [8]  "PAWLKEYR"
 *      8 u32  format, 1, little-endian
 *     12 u32  count of epochs, 1..KEYRING_EPOCHS_MAX
 *     16 [16] id of the root key: keyed BLAKE2b, says nothing about the key
 *     32      count wrapped KEKs (tenants/wrap.h), epochs ascending; the last is current
 *      …      [32] keyed BLAKE2b of all before it, under a key derived from the root key
 */
#ifndef TENANTS_KEYRING_H
#define TENANTS_KEYRING_H

#include "tenants/keys.h"
#include "tenants/wrap.h"

#define KEYRING_EPOCHS_MAX 64U
#define KEYRING_HEAD_BYTES 32U
#define KEYRING_MAC_BYTES 32U
#define KEYRING_BYTES_MAX (KEYRING_HEAD_BYTES + KEYRING_EPOCHS_MAX * WRAP_BYTES + KEYRING_MAC_BYTES)

struct keyring {
    uint32_t count;
    uint32_t epochs[KEYRING_EPOCHS_MAX];
    uint8_t (*keks)[SECRET_KEY_BYTES]; /* KEYRING_EPOCHS_MAX of them, guarded */
};

int keyring_create(struct keyring **ret_keyring); /* without epochs */

/* A new random KEK becomes the current one. False when the ring is full. */
bool keyring_add_epoch(struct keyring *keyring);

/* The KEK of an epoch, or NULL. */
const uint8_t *keyring_find(const struct keyring *keyring, uint32_t epoch);

/* Writes the file's bytes and returns how many. */
size_t keyring_encode(const struct keyring *keyring, const uint8_t root[SECRET_KEY_BYTES],
                      uint8_t out[KEYRING_BYTES_MAX]);

/* Fills an empty ring. ERR_INVALID: another root key's; ERR_CORRUPT: damaged. */
int keyring_decode(struct keyring *keyring, const uint8_t root[SECRET_KEY_BYTES],
                   struct bytes file);

#endif /* TENANTS_KEYRING_H */
