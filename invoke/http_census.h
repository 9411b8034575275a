/* What all the loops of one server share: how many clients there are, what their bodies take,
 * and the certificate that those who come next are shown.
 *
 * Any loop's thread calls any of these. Each limit holds over all of them together: a count is
 * taken and judged in one step, so two clients that come to two threads in the same moment
 * cannot both have the last place. The lock is taken when a client comes or goes, not for a
 * request; what bodies take is one atomic number. */
#ifndef INVOKE_HTTP_CENSUS_H
#define INVOKE_HTTP_CENSUS_H

#include <stdatomic.h>
#include <uv.h>

#include "invoke/http_address.h"
#include "invoke/http_tls.h"

struct http_census {
    uv_mutex_t lock; /* of what follows, up to `tls` */
    uint32_t tcp_count;
    uint32_t unix_count; /* one kind never keeps the other out */
    uint32_t refused_count;
    struct table addresses;       /* http_address.h */
    struct http_tls_context *tls; /* of TCP connections to come; NULL: none */
    atomic_uint_fast64_t buffered_bytes;
};

void http_census_init(struct http_census *census);
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

/* Bytes of bodies: charged if all together stay within `max`. */
static inline bool http_census_charge(struct http_census *census, uint64_t bytes, uint64_t max)
{
    uint64_t before;

    if (bytes == 0) {
        return true;
    }
    before = atomic_fetch_add_explicit(&census->buffered_bytes, bytes, memory_order_relaxed);
    if (bytes <= max && before <= max - bytes) {
        return true;
    }
    atomic_fetch_sub_explicit(&census->buffered_bytes, bytes, memory_order_relaxed);
    return false;
}

static inline void http_census_discharge(struct http_census *census, uint64_t bytes)
{
    if (bytes > 0) {
        atomic_fetch_sub_explicit(&census->buffered_bytes, bytes, memory_order_relaxed);
    }
}

/* Whether so many could be charged now: promises nothing. */
static inline bool http_census_has_room(struct http_census *census, uint64_t bytes, uint64_t max)
{
    uint64_t used = atomic_load_explicit(&census->buffered_bytes, memory_order_relaxed);

    return used <= max && bytes <= max - used;
}

#endif /* INVOKE_HTTP_CENSUS_H */
