/* AWS Signature Version 4, as far as it is arithmetic: from a request to the text that is
 * signed, and from a secret and that text to the signature. What a request must have to be
 * admitted is decided in tenants/proof.c.
 *
 *     canonical request = method, path, query, signed headers, their names, payload's hash
 *     string to sign    = algorithm, date, scope, SHA-256 of the canonical request
 *     signature         = HMAC(key of the day, region and service; string to sign)
 *
 * The path is encoded once more than it came ("%3A" becomes "%253A"), as every service but
 * S3 has it; the query is decoded, encoded again and sorted. Nothing is normalised: who
 * calls has refused "." and ".." and empty segments.
 *
 * secret_init() comes first. */
#ifndef TENANTS_SIGV4_H
#define TENANTS_SIGV4_H

#include <sodium.h>

#include "engine/base/arena.h"
#include "tenants/request.h"
#include "tenants/secret.h"

#define SIGV4_ALGORITHM "AWS4-HMAC-SHA256"
#define SIGV4_SERVICE "lambda"
#define SIGV4_TERMINATOR "aws4_request"
#define SIGV4_HEX_LEN 64U
#define SIGV4_DAY_LEN 8U   /* 20261123 */
#define SIGV4_DATE_LEN 16U /* 20261123T161536Z */
#define SIGV4_PARAMETERS_MAX 256U
#define SIGV4_PAYLOAD_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* The canonical request without its last line, the payload's hash, in memory of `arena`.
 * `signed_headers` is the list as it was signed, each name once: "host;x-amz-date". The
 * parameter X-Amz-Signature is left out. data NULL: no memory, a malformed percent-encoding in the
 * query, or more than SIGV4_PARAMETERS_MAX parameters. */
struct bytes sigv4_canonical(struct arena *arena, const struct request_head *head,
                             struct bytes signed_headers);

/* SHA-256 in hexadecimal, without an end. */
void sigv4_hash(struct bytes data, char out[SIGV4_HEX_LEN]);
void sigv4_hex(const uint8_t digest[32], char out[SIGV4_HEX_LEN]);

/* The key of a day: kept as the state of an HMAC, which is what each signature begins with.
 * Secret: it belongs into memory of secret_alloc(). */
struct sigv4_key {
    crypto_auth_hmacsha256_state state;
};
void sigv4_key_derive(struct bytes secret, struct bytes day, struct bytes region,
                      struct bytes service, struct sigv4_key *ret_key);

/* `scope`: day/region/service/aws4_request. `hash`: of the whole canonical request. */
void sigv4_sign(const struct sigv4_key *key, struct bytes date, struct bytes scope,
                const char hash[SIGV4_HEX_LEN], char ret_signature[SIGV4_HEX_LEN]);

/* "20261123T161536Z" in seconds since 1970; false when it is no moment of that form. */
bool sigv4_parse_date(struct bytes text, int64_t *ret_s);

/* Takes what stands before the first `mark` off `rest`; all of it when there is none. */
struct bytes sigv4_take(struct bytes *rest, char mark);

/* Whether the value has other white space than single spaces between words: two such values
 * have one canonical form. */
bool sigv4_is_folded(struct bytes value);

#endif /* TENANTS_SIGV4_H */
