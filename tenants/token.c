#include <assert.h>
#include <sodium.h>

#include "tenants/tenant_keys.h"

#define MAC_BYTES 16U
#define TOKEN_BYTES_MAX (TOKEN_FIELDS_MAX + MAC_BYTES)

_Static_assert(sodium_base64_ENCODED_LEN(TOKEN_BYTES_MAX, sodium_base64_VARIANT_ORIGINAL) <=
                   TOKEN_TEXT_MAX,
               "the longest token fits");

static void make_mac(const struct tenant_keys *keys, const uint8_t *fields, size_t len,
                     uint8_t out[MAC_BYTES])
{
    (void)crypto_generichash(out, MAC_BYTES, fields, len, keys->purposes[KEY_TOKEN],
                             SECRET_KEY_BYTES);
}

void token_make(const struct tenant_keys *keys, struct bytes fields, char text[TOKEN_TEXT_MAX])
{
    uint8_t token[TOKEN_BYTES_MAX];

    assert(fields.len <= TOKEN_FIELDS_MAX);
    if (fields.len > 0) {
        memcpy(token, fields.data, fields.len);
    }
    make_mac(keys, token, fields.len, token + fields.len);
    (void)sodium_bin2base64(text, TOKEN_TEXT_MAX, token, fields.len + MAC_BYTES,
                            sodium_base64_VARIANT_ORIGINAL);
}

/* libsodium 1.0.18 reads bytes from 0x80 up as `/`, where char is signed; else it
 * takes only the one spelling that it would write itself. */
static bool is_ascii(struct bytes text)
{
    uint8_t bits = 0;

    for (size_t i = 0; i < text.len; i++) {
        bits |= text.data[i];
    }
    return bits < 0x80;
}

bool token_open(const struct tenant_keys *keys, struct bytes text,
                uint8_t ret_fields[TOKEN_FIELDS_MAX], size_t *ret_len)
{
    uint8_t token[TOKEN_BYTES_MAX];
    uint8_t mac[MAC_BYTES];
    size_t len = 0;

    if (text.len == 0 || text.len >= TOKEN_TEXT_MAX || !is_ascii(text) ||
        sodium_base642bin(token, sizeof token, (const char *)text.data, text.len, NULL, &len, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        len < MAC_BYTES) {
        return false;
    }
    len -= MAC_BYTES;
    make_mac(keys, token, len, mac);
    if (sodium_memcmp(mac, token + len, MAC_BYTES) != 0) {
        return false;
    }
    memcpy(ret_fields, token, len);
    *ret_len = len;
    return true;
}
