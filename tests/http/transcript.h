/* What the parser makes of a stream of bytes, as text: the same stream cut anywhere
 * must give the same text. */
#ifndef TESTS_HTTP_TRANSCRIPT_H
#define TESTS_HTTP_TRANSCRIPT_H

#include "engine/base/bytes.h"
#include "engine/base/prng.h"

enum { TRANSCRIPT_BODY_BYTES_MAX = 4096 };
enum { TRANSCRIPT_TRAILER_BYTES_MAX = 8192 };

/* The length of the next piece, 1 or more. */
typedef size_t (*transcript_cut)(void *arg);

/* "METHOD path query [name=value]... body" for each request, then the status of a
 * refusal, or what the end was waiting for. */
void transcript_write(struct buf *buf, struct bytes stream, transcript_cut cut, void *arg);
/* The same of a server that takes trailers. */
void transcript_write_with_trailers(struct buf *buf, struct bytes stream, transcript_cut cut,
                                    void *arg);

#endif /* TESTS_HTTP_TRANSCRIPT_H */
