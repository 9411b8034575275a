/* The door of an environment: a listening TCP socket on its own loopback, made in its
 * namespaces before the program exists, and handed up to the daemon. So who speaks on a
 * connection of it is known by the socket, and needs no credential. */
#ifndef RUNTIME_DOOR_H
#define RUNTIME_DOOR_H

#include "runtime/request.h"

/* Listens on 127.0.0.1 at `port` (0: any free one), sends one byte with the descriptor on
 * `native`, and adds AWS_LAMBDA_RUNTIME_API and AWS_ENDPOINT_URL_LAMBDA to the request's
 * variables. What the function has set the latter to is dropped: in here no other address
 * answers, and deployment tools set it to the one at which they reached the daemon. */
int door_open(struct request *request, uint16_t port, int native, struct failure *failure);

#endif /* RUNTIME_DOOR_H */
