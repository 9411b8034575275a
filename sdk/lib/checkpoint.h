/* What an invocation has to tell the daemon: updates queue, encoded, until they go with a
 * checkpoint. Both under inv->lock. */
#ifndef SDK_LIB_CHECKPOINT_H
#define SDK_LIB_CHECKPOINT_H

#include "sdk/lib/invocation.h"

/* Queues an update, gives it the next ticket and notes it in its memo, which is made when
 * there is none. NULL without memory. */
struct memo *checkpoint_add(struct invocation *inv, const struct op_update *update);

/* Puts a checkpoint with what has queued, as far as it fits, into the way out. None may be
 * under way. Call out_flush() after the lock. */
void checkpoint_send(struct invocation *inv);

#endif /* SDK_LIB_CHECKPOINT_H */
