/* What the attempt that runs says: checkpoints, and how it has ended. And what comes of it:
 * the end of the execution, another attempt at once or later. */
#ifndef ENGINE_CORE_ATTEMPT_H
#define ENGINE_CORE_ATTEMPT_H

#include "engine/core/turn.h"

/* COMMAND_CHECKPOINT and COMMAND_COMPLETE; 0 or CORE_REFUSED. */
int attempt_checkpoint(struct turn *turn);
int attempt_complete(struct turn *turn);

/* An attempt that ran when the daemon ended: it is not the execution's fault. */
void attempt_cut_off(struct turn *turn);

/* The event of a plain function that may not be tried again for its age. */
bool attempt_is_too_old(const struct turn *turn);

#endif /* ENGINE_CORE_ATTEMPT_H */
