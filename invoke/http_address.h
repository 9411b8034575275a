/* How many connections each address has. The table's owner (http_census.h) locks it. */
#ifndef INVOKE_HTTP_ADDRESS_H
#define INVOKE_HTTP_ADDRESS_H

#include <sys/socket.h>

#include "engine/base/table.h"

struct http_address {
    struct table_node node;
    uint32_t connection_count;
    uint8_t family;
    uint8_t bytes[16];
};

/* Counts one more connection of this peer, or returns NULL without memory. */
struct http_address *http_address_enter(struct table *addresses, const struct sockaddr *peer);
void http_address_leave(struct table *addresses, struct http_address *address);

#endif /* INVOKE_HTTP_ADDRESS_H */
