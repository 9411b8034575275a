/* What comes for an operation from outside, whether its attempt runs or not. */
#ifndef ENGINE_CORE_ARRIVAL_H
#define ENGINE_CORE_ARRIVAL_H

#include "engine/core/turn.h"

/* COMMAND_CALLBACK and COMMAND_CHAINED_ENDED; 0 or CORE_REFUSED. */
int arrival_callback(struct turn *turn);
int arrival_chained_result(struct turn *turn);

#endif /* ENGINE_CORE_ARRIVAL_H */
