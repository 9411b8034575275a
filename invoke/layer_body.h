/* The members of PublishLayerVersion, and what is kept of them: a JSON object of those that
 * were given. */
#ifndef INVOKE_LAYER_BODY_H
#define INVOKE_LAYER_BODY_H

#include "invoke/call.h"

/* `about` is appended to, `archive` too. */
bool layer_body_read(const json_t *body, struct buf *about, struct buf *archive,
                     struct problem *problem);

/* What a list asks for: empty texts ask for nothing. */
struct layer_filter {
    struct bytes runtime;
    struct bytes architecture;
};
/* False: answered. */
bool layer_filter_read(struct call *call, struct layer_filter *ret_filter);
/* `about` says that it is compatible with both. */
bool layer_filter_takes(const struct layer_filter *filter, struct bytes about);

#endif /* INVOKE_LAYER_BODY_H */
