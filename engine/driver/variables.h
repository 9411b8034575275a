/* The environment variables of a function: Lambda's, and its own. */
#ifndef ENGINE_DRIVER_VARIABLES_H
#define ENGINE_DRIVER_VARIABLES_H

#include "engine/base/arena.h"
#include "engine/driver/function.h"

/* What is not the function's. */
struct variables_setting {
    const char *region;
    bool has_runtime;     /* a named one, at /var/runtime */
    bool is_provisioned;  /* started ahead of need */
    uint64_t environment; /* its number */
    int64_t now_ms;       /* epoch */
};

/* "NAME=value", NULL at the end, in the arena; NULL when there is no memory. */
const char *const *variables_make(struct arena *arena, const struct function_revision *revision,
                                  const struct variables_setting *setting);

#endif /* ENGINE_DRIVER_VARIABLES_H */
