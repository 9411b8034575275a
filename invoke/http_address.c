#include "invoke/http_address.h"

#include <netinet/in.h>

#include "engine/base/list.h"
#include "engine/base/mem.h"

static void take_bytes(struct http_address *address, const struct sockaddr *peer)
{
    address->family = (uint8_t)peer->sa_family;
    if (peer->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, peer, sizeof in);
        memcpy(address->bytes, &in.sin_addr, sizeof in.sin_addr);
    } else if (peer->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, peer, sizeof in6);
        memcpy(address->bytes, &in6.sin6_addr, sizeof in6.sin6_addr);
    }
}

static struct http_address *find(const struct table *addresses, const struct http_address *wanted,
                                 uint64_t hash)
{
    struct table_node *node;

    for (node = table_first(addresses, hash); node != NULL; node = table_next(node)) {
        struct http_address *address = container_of(node, struct http_address, node);

        if (address->family == wanted->family &&
            memcmp(address->bytes, wanted->bytes, sizeof wanted->bytes) == 0) {
            return address;
        }
    }
    return NULL;
}

struct http_address *http_address_enter(struct table *addresses, const struct sockaddr *peer)
{
    struct http_address wanted = {0};
    struct http_address *address;
    uint64_t hash;

    take_bytes(&wanted, peer);
    hash = table_hash(bytes_of(wanted.bytes, sizeof wanted.bytes));
    address = find(addresses, &wanted, hash);
    if (address == NULL) {
        address = mem_dup(&wanted, sizeof wanted);
        if (address == NULL || table_insert(addresses, &address->node, hash) != 0) {
            mem_free(address);
            return NULL;
        }
    }
    address->connection_count++;
    return address;
}

void http_address_leave(struct table *addresses, struct http_address *address)
{
    if (--address->connection_count == 0) {
        table_remove(addresses, &address->node);
        mem_free(address);
    }
}
