#include "engine/driver/object.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "engine/base/err.h"

#define OBJECT_FORMAT 1U
#define OBJECT_SUITE 1U /* XChaCha20-Poly1305 */

void object_key_format(struct object_key *ret_key, uint64_t tenant, const char *format, ...)
{
    int len = snprintf(ret_key->text, sizeof ret_key->text, "t/%012" PRIu64 "/", tenant);
    va_list args;

    va_start(args, format);
    len += vsnprintf(ret_key->text + len, sizeof ret_key->text - (size_t)len, format, args);
    va_end(args);
    assert(len > 0 && len < (int)sizeof ret_key->text);
}

/* The six bytes, then the key. */
static struct bytes make_aad(const uint8_t head[OBJECT_HEAD_BYTES], struct bytes key,
                             uint8_t out[OBJECT_HEAD_BYTES + OBJECT_KEY_MAX])
{
    memcpy(out, head, OBJECT_HEAD_BYTES);
    memcpy(out + OBJECT_HEAD_BYTES, key.data, key.len);
    return bytes_of(out, OBJECT_HEAD_BYTES + key.len);
}

static size_t put_key(const struct object_key *key, uint8_t *out)
{
    size_t len = strlen(key->text);

    out[0] = (uint8_t)len;
    out[1] = (uint8_t)(len >> 8);
    memcpy(out + 2, key->text, len);
    return 2 + len;
}

size_t object_seal(const struct tenant_keys *keys, enum key_purpose purpose,
                   const struct object_key *key, struct bytes plain, uint8_t *out)
{
    uint8_t aad[OBJECT_HEAD_BYTES + OBJECT_KEY_MAX];
    uint32_t epoch = tenant_keys_epoch(keys);
    const uint8_t head[OBJECT_HEAD_BYTES] = {OBJECT_FORMAT,          OBJECT_SUITE,
                                             (uint8_t)epoch,         (uint8_t)(epoch >> 8),
                                             (uint8_t)(epoch >> 16), (uint8_t)(epoch >> 24)};
    size_t len = put_key(key, out);

    memcpy(out + len, head, sizeof head);
    seal(keys, purpose, plain, make_aad(head, bytes_of_text(key->text), aad),
         out + len + sizeof head);
    return len + sizeof head + SEAL_OVERHEAD + plain.len;
}

int object_seal_buf(const struct tenant_keys *keys, enum key_purpose purpose,
                    const struct object_key *key, struct bytes plain, struct buf *ret_entry)
{
    uint8_t *out;

    ret_entry->len = 0;
    out = buf_reserve(ret_entry, OBJECT_OVERHEAD + OBJECT_KEY_MAX + plain.len);
    if (out == NULL) {
        return ERR(ERR_NOMEM, "an object of %zu bytes", plain.len);
    }
    ret_entry->len = object_seal(keys, purpose, key, plain, out);
    return 0;
}

size_t object_forget(const struct object_key *key, uint8_t *out)
{
    return put_key(key, out);
}

int object_open(const struct tenant_keys *keys, enum key_purpose purpose, struct bytes key,
                struct bytes value, struct buf *ret_plain)
{
    uint8_t aad[OBJECT_HEAD_BYTES + OBJECT_KEY_MAX];
    size_t len = value.len - (OBJECT_HEAD_BYTES + SEAL_OVERHEAD);
    uint8_t *out;
    int r;

    if (value.len < OBJECT_HEAD_BYTES + SEAL_OVERHEAD || key.len >= OBJECT_KEY_MAX ||
        value.data[0] != OBJECT_FORMAT || value.data[1] != OBJECT_SUITE) {
        return ERR(ERR_CORRUPT, "object %.*s has an unknown form", (int)key.len, key.data);
    }
    ret_plain->len = 0;
    out = buf_reserve(ret_plain, len + 1); /* not NULL, also for no bytes */
    if (out == NULL) {
        return ERR(ERR_NOMEM, "object %.*s of %zu bytes", (int)key.len, key.data, len);
    }
    r = seal_open(keys, purpose,
                  bytes_of(value.data + OBJECT_HEAD_BYTES, value.len - OBJECT_HEAD_BYTES),
                  make_aad(value.data, key, aad), out);
    ret_plain->len = (r == 0) ? len : 0;
    return r;
}
