/* The head of a request as the door has read it, raw: what a signature is about. */
#ifndef TENANTS_REQUEST_H
#define TENANTS_REQUEST_H

#include "engine/base/bytes.h"

struct request_header {
    struct bytes name; /* in lower case */
    struct bytes value;
};

struct request_head {
    struct bytes method;
    struct bytes path;  /* before '?' */
    struct bytes query; /* behind it */
    const struct request_header *headers;
    size_t header_count;
};

/* The n-th header of this name (in lower case), or data NULL. */
struct bytes request_header(const struct request_head *head, struct bytes lower_name, size_t n);

#endif /* TENANTS_REQUEST_H */
