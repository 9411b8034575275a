/* Requests that AWS's own client has signed, and asking the verifier with them. */
#ifndef TESTS_TENANTS_VECTOR_H
#define TESTS_TENANTS_VECTOR_H

#include "tenants/access_key.h"
#include "tenants/principal.h"
#include "tests/tenants/fixture.h"

#define VECTOR_HEADERS_MAX 12
#define VECTOR_NOW_S 1795450536 /* 2026-11-23T16:15:36Z, when they were signed */
#define VECTOR_SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

struct vector {
    const char *name;
    const char *method;
    const char *path;
    const char *query;
    struct {
        const char *name;
        const char *value;
    } headers[VECTOR_HEADERS_MAX];
    const char *body;
    size_t body_len;
    bool is_admitted; /* the verifier's rules may be stricter than the client */
    const char *canonical;
};

extern const struct vector *const vectors;
extern const size_t vector_count;
extern const struct access_key_pair vector_pair;

/* The last of this name. */
const struct vector *vector_find(const char *name);

struct request_head vector_head(const struct vector *vector,
                                struct request_header headers[VECTOR_HEADERS_MAX]);
struct bytes vector_body(const struct vector *vector);

/* With the vectors' key, started an hour before. */
struct verifier *vector_verifier(struct fixture *fixture);

/* Why it is refused, or DENIAL_NONE. */
enum denial_reason vector_ask(struct verifier *verifier, const struct vector *vector,
                              int64_t now_s);

/* Asks once for each byte of method, path, query, signed headers and body with that byte
 * changed; fails where one is admitted. Returns how many there were. */
size_t vector_change_bytes(struct fixture *fixture, const struct vector *vector);

#endif /* TESTS_TENANTS_VECTOR_H */
