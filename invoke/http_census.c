#include "invoke/http_census.h"

#include <assert.h>

#include "invoke/http.h"

void http_census_init(struct http_census *census, const struct http_limits *limits)
{
    int r = uv_mutex_init(&census->lock); /* glibc's takes no memory */

    assert(r == 0);
    (void)r;
    census->bodies.max = limits->buffered_bytes_max;
    census->bodies.reserve = limits->reserve_bytes;
    census->bodies.shared = limits->budget;
    census->unread.max = limits->unread_bytes_max;
    census->unread.reserve = limits->reserve_bytes;
    census->unread.shared = limits->budget;
}

void http_census_fini(struct http_census *census)
{
    table_fini(&census->addresses);
    http_tls_context_destroy(census->tls);
    uv_mutex_destroy(&census->lock);
}

/* --- connections --------------------------------------------------------------------- */

static uint32_t *count_of(struct http_census *census, bool is_unix)
{
    return is_unix ? &census->unix_count : &census->tcp_count;
}

bool http_census_join(struct http_census *census, bool is_unix, uint32_t max)
{
    bool is_within;

    uv_mutex_lock(&census->lock);
    is_within = ++*count_of(census, is_unix) <= max;
    uv_mutex_unlock(&census->lock);
    return is_within;
}

void http_census_leave(struct http_census *census, bool is_unix)
{
    uv_mutex_lock(&census->lock);
    --*count_of(census, is_unix);
    uv_mutex_unlock(&census->lock);
}

struct http_address *http_census_enter(struct http_census *census, const struct sockaddr *peer,
                                       uint32_t max, bool *ret_is_within)
{
    struct http_address *address;

    uv_mutex_lock(&census->lock);
    address = http_address_enter(&census->addresses, peer);
    *ret_is_within = address != NULL && address->connection_count <= max;
    uv_mutex_unlock(&census->lock);
    return address;
}

void http_census_exit(struct http_census *census, struct http_address *address)
{
    uv_mutex_lock(&census->lock);
    http_address_leave(&census->addresses, address);
    uv_mutex_unlock(&census->lock);
}

bool http_census_refuse(struct http_census *census)
{
    bool has_place;

    uv_mutex_lock(&census->lock);
    has_place = census->refused_count < HTTP_REFUSED_MAX;
    census->refused_count += has_place ? 1 : 0;
    uv_mutex_unlock(&census->lock);
    return has_place;
}

void http_census_unrefuse(struct http_census *census)
{
    uv_mutex_lock(&census->lock);
    census->refused_count--;
    uv_mutex_unlock(&census->lock);
}

/* --- TLS ------------------------------------------------------------------------------- */

void http_census_set_tls(struct http_census *census, struct http_tls_context *context)
{
    struct http_tls_context *old;

    uv_mutex_lock(&census->lock);
    old = census->tls;
    census->tls = context;
    uv_mutex_unlock(&census->lock);
    http_tls_context_destroy(old);
}

bool http_census_has_tls(struct http_census *census)
{
    bool has_tls;

    uv_mutex_lock(&census->lock);
    has_tls = census->tls != NULL;
    uv_mutex_unlock(&census->lock);
    return has_tls;
}

/* Under the lock, so that the context cannot go meanwhile; the session keeps what it needs. */
bool http_census_begin_tls(struct http_census *census, struct http_tls **ret_tls)
{
    bool has_tls;

    uv_mutex_lock(&census->lock);
    has_tls = census->tls != NULL;
    *ret_tls = has_tls ? http_tls_create(census->tls) : NULL;
    uv_mutex_unlock(&census->lock);
    return !has_tls || *ret_tls != NULL;
}
