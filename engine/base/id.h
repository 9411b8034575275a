/* 16-byte ids in UUIDv7 form (RFC 9562 section 5.7): 48 bits of milliseconds, so
 * ids made later sort later and keys are near-appends; then shard, counter and
 * random bits. */
#ifndef ENGINE_BASE_ID_H
#define ENGINE_BASE_ID_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "engine/base/prng.h"

struct id {
    uint8_t bytes[16];
};

#define ID_TEXT_LEN 36 /* 8-4-4-4-12 */

static inline bool id_equal(const struct id *a, const struct id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static inline bool id_is_none(const struct id *id)
{
    static const struct id none;

    return id_equal(id, &none);
}

/* The low random bits, well mixed: fit for a hash table. */
static inline uint64_t id_hash(const struct id *id)
{
    uint64_t low;
    uint64_t high;

    memcpy(&high, id->bytes, sizeof high);
    memcpy(&low, id->bytes + 8, sizeof low);
    return (low ^ (low >> 29)) * 0x9E3779B97F4A7C15U ^ high;
}

/* `counter` (12 bits used) keeps the order of ids made in one millisecond. */
struct id id_make(int64_t time_ms, uint8_t shard, uint32_t counter, struct prng *prng);

/* Writes 36 characters and a zero byte. */
void id_format(const struct id *id, char text[ID_TEXT_LEN + 1]);

/* True when `text` of `len` characters is a UUID in the form above. */
bool id_parse(const char *text, size_t len, struct id *ret_id);

#endif /* ENGINE_BASE_ID_H */
