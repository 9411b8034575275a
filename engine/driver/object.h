/* Objects of the control plane as the journal holds them.
 *
 *     t/<tenant, 12 digits>/function/<id>              a function: name, deleted or not
 *     t/<tenant, 12 digits>/revision/<id>/<10 digits>  one revision of that function
 *     t/<tenant, 12 digits>/setting/<id>/<kind>/<hash> a setting of that function
 *     t/<tenant, 12 digits>/layer/<hash>               a layer: name, highest version
 *     t/<tenant, 12 digits>/layer-version/<hash>/<10 digits>  one version of that layer
 *     t/<tenant, 12 digits>/runtime/<name>             a runtime: its directory
 *     t/<tenant, 12 digits>/access-key/<id>            an access key and its secret
 *     t/<tenant, 12 digits>/archive/<sha256>           size and number of chunks
 *     t/<tenant, 12 digits>/code/<sha256>/<5 digits>   one chunk of an archive
 *
 * Keys are clear, so that they can be ordered; names of functions are not in them, and of
 * settings and layers only a keyed hash. A value is format u8, suite u8, key epoch u32
 * (little-endian), then the sealed text. Its associated data are these six bytes and the key: no
 * value passes for another. */
#ifndef ENGINE_DRIVER_OBJECT_H
#define ENGINE_DRIVER_OBJECT_H

#include "engine/base/bytes.h"
#include "journal/journal.h"
#include "tenants/keys.h"

#define OBJECT_KEY_MAX 128U
#define OBJECT_HEAD_BYTES 6U

/* What an entry has beside its key and its plain text. */
#define OBJECT_OVERHEAD (2U + OBJECT_HEAD_BYTES + SEAL_OVERHEAD)

struct object_key {
    char text[OBJECT_KEY_MAX];
};

/* "t/<tenant>/" and what `format` makes, which must fit. */
void object_key_format(struct object_key *ret_key, uint64_t tenant, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes an entry for JOURNAL_PUT, OBJECT_OVERHEAD + key + plain.len bytes, to `out`, and
 * returns its length. */
size_t object_seal(const struct tenant_keys *keys, enum key_purpose purpose,
                   const struct object_key *key, struct bytes plain, uint8_t *out);

/* The same into a buffer, which is emptied first. */
int object_seal_buf(const struct tenant_keys *keys, enum key_purpose purpose,
                    const struct object_key *key, struct bytes plain, struct buf *ret_entry);

/* Writes an entry for JOURNAL_DELETE, at most 2 + OBJECT_KEY_MAX bytes. */
size_t object_forget(const struct object_key *key, uint8_t *out);

/* What a value holds, into `ret_plain`, which is emptied first. ERR_CORRUPT when it was
 * changed, or is not the value of this key. */
int object_open(const struct tenant_keys *keys, enum key_purpose purpose, struct bytes key,
                struct bytes value, struct buf *ret_plain) __attribute__((warn_unused_result));

#endif /* ENGINE_DRIVER_OBJECT_H */
