/* The Runtime API (2018-06-01) of one environment, on its own loopback; and beside it, for
 * the function's own principal, the part of the Lambda API that a durable function needs.
 * Any Lambda runtime works with it unmodified (lambda-api.md section 7).
 *
 *     GET  …/runtime/invocation/next            answered when there is one, however late
 *     POST …/runtime/invocation/{id}/response   202; at most 6 MB + 100 bytes
 *     POST …/runtime/invocation/{id}/error      202
 *     POST …/runtime/init/error                 202
 *
 * Extensions, telemetry and SnapStart are answered with a sentence that says no. */
#ifndef INVOKE_GUEST_H
#define INVOKE_GUEST_H

#include "engine/driver/guest.h"
#include "invoke/service.h"

/* For pool_options.guests; `service` is set by the time an environment has started, and
 * outlives the pool. */
struct guest_ops guest_door(struct service *service);

#endif /* INVOKE_GUEST_H */
