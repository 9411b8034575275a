/* What a request says about its own signature: read strictly, believed by nobody.
 *
 *     Authorization: AWS4-HMAC-SHA256 Credential=ID/20261123/us-east-1/lambda/aws4_request,
 *                    SignedHeaders=host;x-amz-date, Signature=...      and  X-Amz-Date
 *
 * or, presigned, the same as parameters of the query: X-Amz-Algorithm, X-Amz-Credential,
 * X-Amz-Date, X-Amz-Expires, X-Amz-SignedHeaders, X-Amz-Signature, and where they are
 * used X-Amz-Security-Token and X-Amz-Content-Sha256. */
#ifndef TENANTS_CLAIM_H
#define TENANTS_CLAIM_H

#include "engine/base/arena.h"
#include "tenants/request.h"

#define CLAIM_EXPIRES_S_MAX 604800 /* seven days, as AWS has it */

/* Texts point into the head, or into the arena. */
struct claim {
    bool is_query;
    struct bytes key_id;
    struct bytes scope; /* the four that follow, with '/' between them */
    struct bytes day;   /* 8 characters */
    struct bytes region;
    struct bytes service;
    struct bytes terminator;
    struct bytes signed_headers; /* lower case, ascending, each once */
    struct bytes signature;      /* 64 hexadecimal digits in lower case */
    struct bytes date;           /* as it was signed */
    int64_t date_s;
    int64_t expires_s;    /* of a presigned one; else 0 */
    struct bytes token;   /* of a session; data NULL: none */
    struct bytes payload; /* x-amz-content-sha256; data NULL: not sent */
};

enum claim_kind {
    CLAIM_NONE,
    CLAIM_SIGNED, /* there is, or should be, a signature: claim_read() */
    CLAIM_OTHER,  /* Authorization of another scheme */
    CLAIM_TWICE,  /* two credentials: nobody says which one counts */
};

/* Looks, without reading further. */
enum claim_kind claim_find(const struct request_head *head);

/* NULL, or a sentence that says what is malformed. */
const char *claim_read(const struct request_head *head, struct arena *arena,
                       struct claim *ret_claim);

/* Whether the list has the name. */
bool claim_signs(const struct claim *claim, struct bytes lower_name);

#endif /* TENANTS_CLAIM_H */
