/* The rules that a signed request must keep, whoever signed it: everything that can be said
 * without a key. They close what two readers could understand differently, and what could
 * be changed under a signature. docs/limits.md lists them for clients.
 *
 *   - scope: the day of the date, our region, lambda, aws4_request;
 *   - date: at most five minutes from our clock; a presigned one until it expires;
 *   - path: no "." or "..", no empty segment, no zero byte, also where they are encoded;
 *   - signed are host, x-amz-date, content-type and every x-amz-*, each there once;
 *   - payload: its SHA-256, or nothing and then it is the body's. No other way of saying it. */
#ifndef TENANTS_PROOF_H
#define TENANTS_PROOF_H

#include "tenants/claim.h"
#include "tenants/denial.h"

/* False: `denial` says why. */
bool proof_check(const struct request_head *head, const struct claim *claim, const char *region,
                 int64_t now_ms, struct denial *denial);

/* Reads change nothing and may be sent as often as one likes. */
bool proof_is_read(const struct request_head *head);

/* The daemon does it once, however often it comes: an execution with a name, or an event
 * with an id of the client's, both of which were signed. */
bool proof_is_done_once(const struct request_head *head, const struct claim *claim);

#endif /* TENANTS_PROOF_H */
