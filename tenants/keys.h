/* Keys and seals: what is on disk can be read and changed only with the root key.
 *
 *     root key (file `root.key`, 0400, in the data directory unless configured)
 *      └─ KEK of an epoch: random, wrapped by the root key, in `keyring` (not in LMDB)
 *          └─ tenant key: random, wrapped by the KEK, an object of the journal
 *              └─ one key per purpose, derived with crypto_kdf
 *
 * Losing root.key or keyring means losing every payload: back both up, apart from
 * the data. All keys are in guarded, locked memory (sodium_malloc). */
#ifndef TENANTS_KEYS_H
#define TENANTS_KEYS_H

#include "engine/base/bytes.h"
#include "engine/base/id.h"

struct keyring;

/* Opens, or at the first start (both files absent) creates, `root.key` and
 * `keyring` in `dir`; syncs files and directory. `root_key_path` NULL: in `dir`.
 * One of the two alone, a wrong key, a wrong mode (group or other may read) is
 * ERR_INVALID with a sentence that names the file and what to do. */
int keyring_open(struct keyring **ret_keyring, const char *dir, const char *root_key_path);
void keyring_close(struct keyring *keyring); /* accepts NULL */
uint32_t keyring_epoch(const struct keyring *keyring);

/* A new random tenant key, wrapped for storage (TENANT_WRAPPED_BYTES). */
#define TENANT_WRAPPED_BYTES 110U
struct tenant_keys;
int tenant_keys_create(struct keyring *keyring, uint64_t tenant,
                       uint8_t ret_wrapped[TENANT_WRAPPED_BYTES]);

/* ERR_CORRUPT when it was changed, is another tenant's or of an unknown epoch. */
int tenant_keys_open(struct tenant_keys **ret_keys, struct keyring *keyring, uint64_t tenant,
                     struct bytes wrapped) __attribute__((warn_unused_result));
void tenant_keys_close(struct tenant_keys *keys);
uint32_t tenant_keys_epoch(const struct tenant_keys *keys);

enum key_purpose {
    KEY_PAYLOAD, /* titles and payloads outside frames */
    KEY_HISTORY, /* frames, chain */
    KEY_CONFIG,  /* function configurations, environment variables */
    KEY_CODE,
    KEY_INDEX, /* keyed hashes of names */
    KEY_TOKEN, /* callback ids, checkpoint tokens, page markers */
    KEY_PURPOSES,
};

/* nonce(24) ciphertext tag(16) */
#define SEAL_OVERHEAD 40U

/* Writes plain.len + SEAL_OVERHEAD bytes to `out`. */
void seal(const struct tenant_keys *keys, enum key_purpose purpose, struct bytes plain,
          struct bytes aad, uint8_t *out);

/* Writes sealed.len - SEAL_OVERHEAD bytes to `out`; on ERR_CORRUPT `out` holds nothing
 * of the plaintext (zeroes, or what was there). */
int seal_open(const struct tenant_keys *keys, enum key_purpose purpose, struct bytes sealed,
              struct bytes aad, uint8_t *out) __attribute__((warn_unused_result));

/* chain = BLAKE2b-256(history key; before, u64 length of the header, header without suite
 * and key epoch, plain): survives re-sealing. `header` is hashed as it is given: the
 * caller zeroes suite and key epoch in it, here the layout is not known. */
#define SEAL_CHAIN_BYTES 32U
void seal_chain(const struct tenant_keys *keys, const uint8_t before[SEAL_CHAIN_BYTES],
                struct bytes header, struct bytes plain, uint8_t out[SEAL_CHAIN_BYTES]);

/* Keyed 128-bit hash under KEY_INDEX: the same text in two tenants differs. */
void seal_hash(const struct tenant_keys *keys, struct bytes text, struct id *ret_hash);

/* Plain BLAKE2b-256, for comparing inputs. */
void seal_digest(struct bytes text, uint8_t out[32]);

/* Plain SHA-256: the name of an archive of code, and Lambda's CodeSha256. */
void seal_sha256(struct bytes data, uint8_t out[32]);

/* A token is fields plus a 16-byte MAC under KEY_TOKEN, as base64 (RFC 4648, with
 * padding). token_open: the fields, or false when it is not ours or was changed. One
 * kind of token must not pass for another: let the first field name the kind. */
#define TOKEN_FIELDS_MAX 256U
#define TOKEN_TEXT_MAX 384U
void token_make(const struct tenant_keys *keys, struct bytes fields, char text[TOKEN_TEXT_MAX]);
bool token_open(const struct tenant_keys *keys, struct bytes text,
                uint8_t ret_fields[TOKEN_FIELDS_MAX], size_t *ret_len)
    __attribute__((warn_unused_result));

#endif /* TENANTS_KEYS_H */
