/* The clear header of a frame: the records that one command made for one
 * execution, sealed together once. Fixed layout, little-endian, version 1; the
 * journal reads it to keep its views, and copies the rest unopened.
 *
 *      0 u8   format version, 1
 *      1 u8   suite: 1 = XChaCha20-Poly1305-IETF, nonce in front, tag behind
 *      2 u8   flags: 1 = first frame of its execution, with an opening;
 *             2 = the end of an execution that nobody asks for afterwards: of it only the
 *             name is kept, if it has one, for FRAME_BRIEF_MS
 *      3 u8   status of the execution after it (enum exec_status)
 *      4 u32  key epoch
 *      8 u64  tenant (the 12 digits of the account)
 *     16 [16] execution id
 *     32 u64  first event id (of the next event, if it has none)
 *     40 u32  events
 *     44 u32  attempt
 *     48 u64  first record number
 *     56 u32  records
 *     60 u32  revision of the function (code version)
 *     64 i64  time, epoch ms
 *     72 i64  wake after it, epoch ms: 0 never, 1 now
 *     80 u32  patch marker, 0
 *     84 u32  bytes of the opening, 0 unless the flag is set
 *     88 u32  bytes of the sealed records, nonce and tag included
 *     92 u32  days of retention after the end
 *     96 [32] chain after it
 *    128      opening, then sealed records
 *
 * The opening is what lists need without opening the input:
 *      0 [16] function id      16 [16] keyed hash of the execution name; zero: its name
 *                                          is its id, and nobody else's
 *     32 i64  start, epoch ms  40 u8 kind   41 [7] 0
 *     48      sealed title (function ARN and name, as the driver wrote it)
 *
 * Associated data of the seal: bytes 0..95 and the chain before. */
#ifndef JOURNAL_FRAME_H
#define JOURNAL_FRAME_H

#include <stdbool.h>

#include "engine/base/bytes.h"
#include "engine/base/id.h"

#define FRAME_FORMAT 1U
#define FRAME_SUITE 1U
#define FRAME_HEADER_BYTES 128U
#define FRAME_AAD_BYTES 96U
#define FRAME_CHAIN_BYTES 32U
#define FRAME_OPENING_BYTES 48U
#define FRAME_FIRST 1U
#define FRAME_BRIEF 2U
#define FRAME_BRIEF_MS (15 * 60 * 1000)
#define FRAME_STATUSES_MAX 32U /* a set of statuses fits in 32 bits */

struct frame_header {
    uint8_t format;
    uint8_t suite;
    uint8_t flags;
    uint8_t status;
    uint32_t key_epoch;
    uint64_t tenant;
    struct id exec_id;
    uint64_t first_event;
    uint32_t events;
    uint32_t attempt;
    uint64_t first_record;
    uint32_t records;
    uint32_t revision;
    int64_t time_ms;
    int64_t wake_ms;
    uint32_t patch_marker;
    uint32_t opening_len;
    uint32_t sealed_len;
    uint32_t retention_days;
    uint8_t chain[FRAME_CHAIN_BYTES];
};

struct frame_opening {
    struct id function_id;
    struct id name_hash;
    int64_t start_ms;
    uint8_t kind;
    struct bytes title; /* sealed */
};

void frame_header_put(const struct frame_header *header, uint8_t out[FRAME_HEADER_BYTES]);
void frame_opening_put(const struct frame_opening *opening, uint8_t out[FRAME_OPENING_BYTES]);

/* What the header that `start` begins with says of its frame's length, unchecked;
 * 0 when there is no whole header. */
uint64_t frame_claimed_len(struct bytes start);

/* True when `frame` is a whole frame of a version we read; false for anything
 * else, however damaged. `ret_opening` is filled when the flag is set. */
bool frame_parse(struct bytes frame, struct frame_header *ret_header,
                 struct frame_opening *ret_opening, struct bytes *ret_sealed);

#endif /* JOURNAL_FRAME_H */
