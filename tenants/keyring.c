#include "tenants/keyring.h"

#include <assert.h>
#include <sodium.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"

#define FORMAT 1U

enum { AT_FORMAT = 8, AT_COUNT = 12, AT_ROOT_ID = 16, ROOT_ID_BYTES = 16 };

static const char magic[8] = {'P', 'A', 'W', 'L', 'K', 'E', 'Y', 'R'};

int keyring_create(struct keyring **ret_keyring)
{
    struct keyring *keyring = mem_calloc(1, sizeof *keyring);

    if (keyring == NULL) {
        return ERR(ERR_NOMEM, "keyring");
    }
    keyring->keks = secret_alloc((size_t)KEYRING_EPOCHS_MAX * SECRET_KEY_BYTES);
    if (keyring->keks == NULL) {
        mem_free(keyring);
        return ERR(ERR_NOMEM, "keyring in locked memory");
    }
    *ret_keyring = keyring;
    return 0;
}

void keyring_close(struct keyring *keyring)
{
    if (keyring != NULL) {
        secret_free(keyring->keks);
        mem_free(keyring);
    }
}

uint32_t keyring_epoch(const struct keyring *keyring)
{
    assert(keyring->count > 0);
    return keyring->epochs[keyring->count - 1];
}

bool keyring_add_epoch(struct keyring *keyring)
{
    uint32_t last = (keyring->count > 0) ? keyring_epoch(keyring) : 0;

    if (keyring->count == KEYRING_EPOCHS_MAX || last == UINT32_MAX) {
        return false;
    }
    randombytes_buf(keyring->keks[keyring->count], SECRET_KEY_BYTES);
    keyring->epochs[keyring->count++] = last + 1;
    return true;
}

const uint8_t *keyring_find(const struct keyring *keyring, uint32_t epoch)
{
    for (uint32_t i = 0; i < keyring->count; i++) {
        if (keyring->epochs[i] == epoch) {
            return keyring->keks[i];
        }
    }
    return NULL;
}

static void put_u32(uint8_t *out, uint32_t number)
{
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(number >> (8 * i));
    }
}

static uint32_t get_u32(const uint8_t *data)
{
    return data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
}

/* Keyed hash of `text` under a key that the root key gives for this one use. */
static void root_hash(const uint8_t root[SECRET_KEY_BYTES], uint64_t use, struct bytes text,
                      uint8_t *out, size_t out_len)
{
    uint8_t key[SECRET_KEY_BYTES];

    (void)crypto_kdf_derive_from_key(key, sizeof key, use, "keyring_", root);
    (void)crypto_generichash(out, out_len, text.data, text.len, key, sizeof key);
    sodium_memzero(key, sizeof key);
}

static void root_id(const uint8_t root[SECRET_KEY_BYTES], uint8_t out[ROOT_ID_BYTES])
{
    root_hash(root, 1, bytes_of(magic, sizeof magic), out, ROOT_ID_BYTES);
}

static void root_mac(const uint8_t root[SECRET_KEY_BYTES], struct bytes text,
                     uint8_t out[KEYRING_MAC_BYTES])
{
    root_hash(root, 2, text, out, KEYRING_MAC_BYTES);
}

size_t keyring_encode(const struct keyring *keyring, const uint8_t root[SECRET_KEY_BYTES],
                      uint8_t out[KEYRING_BYTES_MAX])
{
    size_t len = KEYRING_HEAD_BYTES;

    memcpy(out, magic, sizeof magic);
    put_u32(out + AT_FORMAT, FORMAT);
    put_u32(out + AT_COUNT, keyring->count);
    root_id(root, out + AT_ROOT_ID);
    for (uint32_t i = 0; i < keyring->count; i++) {
        struct wrap wrap = {.label = WRAP_KEK, .epoch = keyring->epochs[i]};

        wrap_seal(&wrap, root, keyring->keks[i], out + len);
        len += WRAP_BYTES;
    }
    root_mac(root, bytes_of(out, len), out + len);
    return len + KEYRING_MAC_BYTES;
}

static bool is_of_form(struct bytes file)
{
    uint32_t count;

    if (file.len < KEYRING_HEAD_BYTES || memcmp(file.data, magic, sizeof magic) != 0 ||
        get_u32(file.data + AT_FORMAT) != FORMAT) {
        return false;
    }
    count = get_u32(file.data + AT_COUNT);
    return count >= 1 && count <= KEYRING_EPOCHS_MAX &&
           file.len == KEYRING_HEAD_BYTES + (size_t)count * WRAP_BYTES + KEYRING_MAC_BYTES;
}

static bool is_of_root(struct bytes file, const uint8_t root[SECRET_KEY_BYTES])
{
    uint8_t id[ROOT_ID_BYTES];

    root_id(root, id);
    return sodium_memcmp(id, file.data + AT_ROOT_ID, sizeof id) == 0;
}

static bool has_mac(struct bytes file, const uint8_t root[SECRET_KEY_BYTES])
{
    uint8_t mac[KEYRING_MAC_BYTES];
    size_t len = file.len - sizeof mac;

    root_mac(root, bytes_of(file.data, len), mac);
    return sodium_memcmp(mac, file.data + len, sizeof mac) == 0;
}

static bool open_keks(struct keyring *keyring, const uint8_t root[SECRET_KEY_BYTES],
                      struct bytes file)
{
    uint32_t count = get_u32(file.data + AT_COUNT);
    uint32_t before = 0;

    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *wrapped = file.data + KEYRING_HEAD_BYTES + (size_t)i * WRAP_BYTES;
        struct wrap wrap = {.label = WRAP_KEK, .epoch = wrap_epoch(wrapped)};

        if (wrap.epoch <= before || !wrap_open(&wrap, root, wrapped, keyring->keks[i])) {
            return false;
        }
        keyring->epochs[i] = before = wrap.epoch;
    }
    keyring->count = count;
    return true;
}

int keyring_decode(struct keyring *keyring, const uint8_t root[SECRET_KEY_BYTES], struct bytes file)
{
    if (!is_of_form(file)) {
        return ERR(ERR_CORRUPT, "keyring is damaged: restore it from its backup");
    }
    if (!is_of_root(file, root)) {
        return ERR(ERR_INVALID, "keyring is not of this root.key: restore the pair made together");
    }
    if (!has_mac(file, root) || !open_keks(keyring, root, file)) {
        return ERR(ERR_CORRUPT, "keyring was changed: restore it from its backup");
    }
    return 0;
}
