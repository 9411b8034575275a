/* Functions and revisions as bytes: what is sealed into their objects.
 *
 * A format byte, then fields in a fixed order; numbers are little-endian, a text is its
 * length (u32), its bytes and a zero byte. Decoding checks everything and believes
 * nothing, also of what was sealed by ourselves.
 *
 * Format 2 has versions, format 3 of a revision layers too: it is written where there are
 * any. Format 2 of an archive's size says how large it is unpacked. A revision of format 2 counts
 * when the record of its function, which is appended after it, knows its number; one of format 1
 * counts by itself. */
#ifndef ENGINE_DRIVER_FUNCTION_RECORD_H
#define ENGINE_DRIVER_FUNCTION_RECORD_H

#include "engine/driver/function.h"

struct function_record {
    const char *name;
    int64_t created_ms;
    bool is_deleted;
    uint32_t last_revision; /* both 0 in format 1 */
    uint32_t last_version;
};

/* Appends; buf->failed tells of lack of memory. */
void function_record_put(struct buf *buf, const struct function_record *record);

/* `name` points into `bytes`. */
int function_record_get(struct bytes bytes, struct function_record *ret_record);

/* Number, version, configuration, code, ids and times. */
void revision_record_put(struct buf *buf, const struct function_revision *revision);

/* Texts point into `bytes`; only config.env and .layers are allocated, and the caller's. Members
 * that are not recorded stay as they are. */
int revision_record_get(struct bytes bytes, struct function_revision *ret_revision);

/* Whether it counts only when its function's record knows its number. */
bool revision_record_is_listed(struct bytes bytes);

/* Of code and configuration: what makes one version another one. */
int revision_digest(const struct function_revision *revision,
                    uint8_t ret_digest[FUNCTION_DIGEST_BYTES]);

/* The size object of an archive. */
struct archive_record {
    uint64_t bytes;
    uint32_t chunks;
    uint64_t unpacked_bytes; /* 0: not known, as in format 1 */
};
#define ARCHIVE_RECORD_BYTES 21U
void archive_record_put(uint8_t out[ARCHIVE_RECORD_BYTES], const struct archive_record *record);
int archive_record_get(struct bytes bytes, struct archive_record *ret_record);

#endif /* ENGINE_DRIVER_FUNCTION_RECORD_H */
