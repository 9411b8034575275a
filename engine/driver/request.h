/* Requests on their way, for the files of the driver only. */
#ifndef ENGINE_DRIVER_REQUEST_H
#define ENGINE_DRIVER_REQUEST_H

#include "engine/driver/driver.h"

/* Writes the answer from the views, which hold all that is durable. Must answer. */
typedef void (*request_render)(struct driver *driver, struct execution_request *request,
                               const struct id *exec_id);

struct pending {
    struct list link; /* in driver->requests */
    struct driver *driver;
    struct execution_request *request; /* NULL when the client is gone */
    struct id exec_id;
    struct journal_wait wait;
    request_render render;
};

struct pending *request_open(struct driver *driver, struct execution_request *request);
void request_answer(struct execution_request *request);
void request_fail(struct execution_request *request, int status, const char *name,
                  const char *message);
bool request_parse_arn(struct bytes arn, struct id *ret_id);

/* Loads the execution if need be, waits for what it is committing and for the
 * views, then calls `render`. */
void request_view(struct driver *driver, struct execution_request *request, request_render render);

#endif /* ENGINE_DRIVER_REQUEST_H */
