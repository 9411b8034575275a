/* The doors: one HTTP server on the unix socket and, if configured, on TCP. */
#ifndef INVOKE_DOORS_H
#define INVOKE_DOORS_H

#include "invoke/config.h"
#include "invoke/service.h"

struct doors {
    struct http_server *server; /* NULL once closed */
    uv_timer_t timer;
    char address[128];
    bool is_tls;
    void *arg;
    void (*cb)(void *arg);
};

int doors_open(struct doors *doors, struct service *service, const struct config *config);

/* "127.0.0.1:9100", with the port that was found for port 0, or "off". */
const char *doors_address(const struct doors *doors);

/* Reads the certificate and its key again; on failure the old ones stay. */
int doors_reload(struct doors *doors, const struct config *config);

/* No new connections; `cb` when everything has been answered, or killed. */
void doors_close(struct doors *doors, void *arg, void (*cb)(void *arg));
void doors_kill_after(struct doors *doors, uint32_t ms);

#endif /* INVOKE_DOORS_H */
