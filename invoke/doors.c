#include "invoke/doors.h"

#include <stdio.h>

#include "invoke/router.h"

/* With the port that the kernel chose. */
static void note_address(struct doors *doors, const char *listen)
{
    const char *colon = strrchr(listen, ':');

    (void)snprintf(doors->address, sizeof doors->address, "%.*s:%d",
                   (colon != NULL) ? (int)(colon - listen) : 0, listen,
                   http_server_port(doors->server));
}

int doors_open(struct doors *doors, struct service *service, const struct config *config)
{
    int r = http_server_create(&doors->server, service->loop, &config->http, service, router_admit,
                               router_handle);

    (void)uv_timer_init(service->loop, &doors->timer); /* never fails */
    doors->timer.data = doors;
    (void)snprintf(doors->address, sizeof doors->address, "off");
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
