/* What the routes serve: the daemon's parts, made and closed by serve.c. */
#ifndef INVOKE_SERVICE_H
#define INVOKE_SERVICE_H

#include "engine/base/id.h"
#include "engine/base/list.h"
#include "engine/driver/driver.h"
#include "invoke/http_budget.h"

struct service {
    uv_loop_t *loop;
    struct driver *driver;
    struct journal *journal;
    struct verifier *verifier;
    const char *region;
    const char *sandbox; /* launcher_summary() */
    int64_t started_ms;
    struct http_budget guest_budget; /* of all environments together */
    struct list streams;             /* answers without an end: struct log_stream.link */

    /* of the routes */
    struct prng prng; /* of request ids */
    uint32_t id_count;
    bool is_backing_up;
    bool is_verifying;
};

/* To be called once the parts are set. */
int service_init(struct service *service);

/* Ends the answers that would not end by themselves. */
void service_end_streams(struct service *service);

#endif /* INVOKE_SERVICE_H */
