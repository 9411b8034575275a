#include "invoke/doors.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

#include "invoke/router.h"

/* With the port that the kernel chose. */
static void note_address(struct doors *doors, const char *listen)
{
    const char *colon = strrchr(listen, ':');

    (void)snprintf(doors->address, sizeof doors->address, "%.*s:%d",
                   (colon != NULL) ? (int)(colon - listen) : 0, listen,
                   http_server_port(doors->server));
}

/* Before the doors open: no client of TCP comes in without it. */
static int use_tls(struct doors *doors, const struct config *config)
{
    doors->is_tls = config->tls_certificate != NULL;
    return doors->is_tls
               ? http_server_use_tls(doors->server, config->tls_certificate, config->tls_key)
               : 0;
}

int doors_reload(struct doors *doors, const struct config *config)
{
    bool is_tls = config->tls_certificate != NULL;
    int r = 0;

    if (doors->server == NULL) {
        return 0; /* they are closed */
    }
    if (is_tls != doors->is_tls) {
        log_warn("configuration: to begin or end with TLS needs a restart");
    } else if (is_tls) {
        r = use_tls(doors, config);
    }
    return r;
}

/* Clients must not take the descriptors that environments and the journal need: half of
 * them is for TCP, with those that are only told that they are too many. */
static uint64_t connections_of(uint64_t files)
{
    uint64_t half = files / 2;

    return (half > (uint64_t)2 * HTTP_REFUSED_MAX) ? half - HTTP_REFUSED_MAX : half / 2 + 1;
}

static struct http_limits limits_of(const struct config *config)
{
    struct http_limits limits = config->http;
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 &&
        connections_of(files.rlim_cur) < limits.connections_max) {
        limits.connections_max = (uint32_t)connections_of(files.rlim_cur);
        log_warn("the process may have %" PRIu64 " descriptors: connections_max is %" PRIu32
                 " instead of %" PRIu32,
                 (uint64_t)files.rlim_cur, limits.connections_max, config->http.connections_max);
    }
    return limits;
}

int doors_open(struct doors *doors, struct service *service, const struct config *config)
{
    const struct http_limits limits = limits_of(config);
    int r = http_server_create(&doors->server, service->loop, &limits, service, router_admit,
                               router_handle);

    (void)uv_timer_init(service->loop, &doors->timer); /* never fails */
    doors->timer.data = doors;
    (void)snprintf(doors->address, sizeof doors->address, "off");
    r = (r == 0) ? use_tls(doors, config) : r;
    if (r == 0) {
        http_server_use_threads(doors->server, config->http_threads);
    }
    r = (r == 0) ? http_listen_unix(doors->server, config->socket) : r;
    if (r == 0 && config->listen != NULL) {
        r = http_listen_tcp(doors->server, config->listen);
        if (r == 0) {
            note_address(doors, config->listen);
        }
    }
    return r;
}

const char *doors_address(const struct doors *doors)
{
    return doors->address;
}

static void after_timer(uv_handle_t *handle)
{
    struct doors *doors = handle->data;

    doors->cb(doors->arg);
}

static void on_closed(void *arg)
{
    struct doors *doors = arg;

    doors->server = NULL;
    uv_close((uv_handle_t *)&doors->timer, after_timer);
}

void doors_close(struct doors *doors, void *arg, void (*cb)(void *arg))
{
    doors->arg = arg;
    doors->cb = cb;
    http_server_close(doors->server, doors, on_closed);
}

static void on_late(uv_timer_t *timer)
{
    struct doors *doors = timer->data;

    if (doors->server != NULL) {
        http_server_kill(doors->server);
    }
}

void doors_kill_after(struct doors *doors, uint32_t ms)
{
    if (doors->server != NULL) {
        (void)uv_timer_start(&doors->timer, on_late, ms, 0);
    }
}
