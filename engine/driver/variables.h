/* The environment variables of a function: Lambda's, and its own. */
#ifndef ENGINE_DRIVER_VARIABLES_H
#define ENGINE_DRIVER_VARIABLES_H

#include "engine/base/arena.h"
#include "engine/driver/function.h"

/* "NAME=value", NULL at the end, in the arena; NULL when there is no memory. */
const char *const *variables_make(struct arena *arena, const struct function_revision *revision,
                                  const char *region);

#endif /* ENGINE_DRIVER_VARIABLES_H */
