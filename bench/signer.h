/* What AWS's clients do to each request: a signature (Version 4) of an Invoke. The key of
 * the day is derived once, as they do. */
#ifndef BENCH_SIGNER_H
#define BENCH_SIGNER_H

#include <stddef.h>

struct signer;

/* `key` is ID:SECRET. Ends the process where something is wrong. */
struct signer *signer_create(const char *key, const char *region);
void signer_destroy(struct signer *signer); /* accepts NULL */

#define SIGNER_HEADERS_MAX 512U

/* The headers x-amz-date and authorization, each with CR LF, for a POST of `body` to `path`
 * (raw) with the host, the type of the invoke and the content type that are given.
 * Returns their length. */
size_t signer_sign(struct signer *signer, const char *path, const char *host, const char *type,
                   const char *body, size_t body_len, char headers[SIGNER_HEADERS_MAX]);

#endif /* BENCH_SIGNER_H */
