/* From a request to its handler: one table of routes, and one door before it.
 *
 *     headers complete --router_admit--> credentials -> how large the body may be
 *     request complete --router_handle--> the body's hash -> route -> handler
 *
 * The verifier makes the principal before the path is matched and before anyone looks
 * at the body; handlers take the principal, so none can be reached without one. */
#ifndef INVOKE_ROUTER_H
#define INVOKE_ROUTER_H

#include "invoke/call.h"

/* A path is segments with '/' between; "{}" stands for any one segment, which is
 * decoded once and becomes a label. */
struct route {
    const char *name; /* Lambda's name of the operation, or ours */
    const char *method;
    const char *path;
    size_t body_bytes_max;
    bool is_operator; /* only for who has the unix socket */
    /* NULL: an operation of Lambda that is not offered. */
    void (*handle)(struct call *call, const struct principal *principal);
};

/* Every route there is (routes.c); ends with a NULL name. */
extern const struct route routes[];

/* For http_server_create(); `arg` is the struct service. */
size_t router_admit(void *arg, struct http_request *request);
void router_handle(void *arg, struct http_request *request);

/* The same for a request on an environment's own loopback: its socket says whose it is. */
size_t router_admit_environment(struct service *service, struct http_request *request);
void router_handle_environment(struct service *service, struct http_request *request);

/* Does `path` (raw) fit the pattern? Labels are decoded into memory of `arena`, with a
 * zero byte behind each. One '/' at the end is forgiven. A label is neither empty nor
 * has a zero byte. */
bool route_match(const char *pattern, struct bytes path, struct arena *arena,
                 struct bytes ret_labels[CALL_LABELS_MAX]);

#endif /* INVOKE_ROUTER_H */
