/* Numbers on disk. Little-endian in values; big-endian in keys, so that LMDB's
 * byte order is the order of the numbers. Always copied, never cast: what LMDB
 * hands out is not aligned. */
#ifndef JOURNAL_LAYOUT_H
#define JOURNAL_LAYOUT_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline void put_u16le(uint8_t *out, uint16_t value)
{
    value = htole16(value);
    memcpy(out, &value, sizeof value);
}

static inline void put_u32le(uint8_t *out, uint32_t value)
{
    value = htole32(value);
    memcpy(out, &value, sizeof value);
}

static inline void put_u64le(uint8_t *out, uint64_t value)
{
    value = htole64(value);
    memcpy(out, &value, sizeof value);
}

static inline void put_u16be(uint8_t *out, uint16_t value)
{
    value = htobe16(value);
    memcpy(out, &value, sizeof value);
}

static inline void put_u64be(uint8_t *out, uint64_t value)
{
    value = htobe64(value);
    memcpy(out, &value, sizeof value);
}

static inline uint16_t get_u16le(const void *in)
{
    uint16_t value;

    memcpy(&value, in, sizeof value);
    return le16toh(value);
}

static inline uint32_t get_u32le(const void *in)
{
    uint32_t value;

    memcpy(&value, in, sizeof value);
    return le32toh(value);
}

static inline uint64_t get_u64le(const void *in)
{
    uint64_t value;

    memcpy(&value, in, sizeof value);
    return le64toh(value);
}

static inline uint16_t get_u16be(const void *in)
{
    uint16_t value;

    memcpy(&value, in, sizeof value);
    return be16toh(value);
}

static inline uint64_t get_u64be(const void *in)
{
    uint64_t value;

    memcpy(&value, in, sizeof value);
    return be64toh(value);
}

#endif /* JOURNAL_LAYOUT_H */
