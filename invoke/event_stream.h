/* Frames of `application/vnd.amazon.eventstream`, as InvokeWithResponseStream answers:
 *
 *     u32 total length   u32 length of headers   u32 crc32 of these eight bytes
 *     headers            payload                 u32 crc32 of everything before
 *
 * big-endian; a header is u8 length and name, u8 7 (text), u16 length and value. */
#ifndef INVOKE_EVENT_STREAM_H
#define INVOKE_EVENT_STREAM_H

#include "engine/base/bytes.h"

#define EVENT_STREAM_TYPE "application/vnd.amazon.eventstream"
#define EVENT_STREAM_CHUNK_BYTES 65536U /* payload of one frame, at most */

/* The checksum of zlib (CRC-32 of IEEE 802.3); `crc` 0 at first, then what came out. */
uint32_t event_stream_crc(uint32_t crc, struct bytes bytes);

/* One frame. */
void event_stream_put(struct buf *buf, const char *event_type, const char *content_type,
                      struct bytes payload);

/* As many PayloadChunk frames as it takes; none for no bytes. */
void event_stream_put_chunks(struct buf *buf, struct bytes payload);

/* The last frame, InvokeComplete. Texts that are empty are left out. */
void event_stream_put_end(struct buf *buf, struct bytes error_code, struct bytes error_details,
                          struct bytes log_result);

#endif /* INVOKE_EVENT_STREAM_H */
