/* One start request, taken apart by the launcher: checked, its code and grants opened
 * as detached read-only mounts. Nothing of an environment is touched until this has
 * worked. */
#ifndef RUNTIME_ORDER_H
#define RUNTIME_ORDER_H

#include "runtime/base.h"
#include "runtime/message.h"

/* In this order in the message: request, program's socket, its output, the mounts: code,
 * layers if there are any, the runtime if there is one, grants. */
#define ORDER_FDS 3
#define ORDER_FDS_MAX (ORDER_FDS + 3 + REQUEST_GRANTS_MAX)

struct order {
    uint64_t id;
    struct request request;
    int fds[ORDER_FDS_MAX];
    size_t fd_count;
};

/* Takes over the descriptors of `fds`, also on FAILURE_E_SET. */
int order_open(struct order *ret_order, const struct base *base, uint64_t id,
               struct message_fds *fds, struct failure *failure);
void order_close(struct order *order);

#endif /* RUNTIME_ORDER_H */
