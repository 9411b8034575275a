/* What all the loops of one server share: how many clients there are, what their bodies take,
 * and the certificate that those who come next are shown.
 *
 * Any loop's thread calls any of these. Each limit holds over all of them together: a count is
 * taken and judged in one step, so two clients that come to two threads in the same moment
 * cannot both have the last place. The lock is taken when a client comes or goes, not for a
 * request; what bodies and answers take is an atomic number each. */
#ifndef INVOKE_HTTP_CENSUS_H
#define INVOKE_HTTP_CENSUS_H

#include <uv.h>

#include "invoke/http_address.h"
#include "invoke/http_budget.h"
#include "invoke/http_tls.h"

struct http_census {
    uv_mutex_t lock; /* of what follows, up to `tls` */
    uint32_t tcp_count;
    uint32_t unix_count; /* one kind never keeps the other out */
    uint32_t refused_count;
    struct table addresses;       /* http_address.h */
    struct http_tls_context *tls; /* of TCP connections to come; NULL: none */
    struct http_budget bodies;    /* of requests, as far as they have come */
    struct http_budget unread;    /* answers that wait for their clients to read */
};

struct http_limits;
void http_census_init(struct http_census *census, const struct http_limits *limits);
void http_census_fini(struct http_census *census);

/* Counts one more connection, until http_census_leave(). Returns whether it is within `max`. */
bool http_census_join(struct http_census *census, bool is_unix, uint32_t max);
void http_census_leave(struct http_census *census, bool is_unix);

/* Counts one more of this peer. NULL without memory. */
struct http_address *http_census_enter(struct http_census *census, const struct sockaddr *peer,
                                       uint32_t max, bool *ret_is_within);
void http_census_exit(struct http_census *census, struct http_address *address);

/* Counts one more of those that are only told that they are too many. False: there are
 * HTTP_REFUSED_MAX of them. */
bool http_census_refuse(struct http_census *census);
void http_census_unrefuse(struct http_census *census);

/* Takes over the context; the old one goes when its last user does. */
void http_census_set_tls(struct http_census *census, struct http_tls_context *context);
/* A session for a client that has come. False: without memory. `*ret_tls` NULL: no TLS. */
bool http_census_begin_tls(struct http_census *census, struct http_tls **ret_tls);
bool http_census_has_tls(struct http_census *census);

#endif /* INVOKE_HTTP_CENSUS_H */
