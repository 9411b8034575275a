/* COMMAND_TICK: what is due in an execution, and what of it a crash has left undone. */
#ifndef ENGINE_CORE_TICK_H
#define ENGINE_CORE_TICK_H

#include "engine/core/turn.h"

/* Always 0. */
int tick_perform(struct turn *turn);

#endif /* ENGINE_CORE_TICK_H */
