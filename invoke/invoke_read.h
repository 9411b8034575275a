/* What an invoke of any form says: read from its headers, query and body into a request
 * of the driver's. The payload is scanned once, never parsed. */
#ifndef INVOKE_INVOKE_READ_H
#define INVOKE_INVOKE_READ_H

#include "invoke/call.h"

struct invoke {
    struct call *call;
    struct invoke_request request;
    bool wants_log;
};

/* Each returns false when what was sent cannot be: it has been answered then. */

/* X-Amz-Invocation-Type, one of `types`; RequestResponse when it is absent. */
bool invoke_read_type(struct invoke *invoke, const enum invoke_type *types, size_t count);

/* X-Amz-Log-Type. The type is read before. */
bool invoke_read_log_type(struct invoke *invoke);

/* The rest, from the function's name to the payload; `operation` is for the errors. */
bool invoke_read(struct invoke *invoke, const struct principal *principal, const char *operation);

#endif /* INVOKE_INVOKE_READ_H */
