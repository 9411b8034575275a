/* Inside an environment: its first process. It is forked from the launcher into new
 * namespaces, builds the root it will see, waits as a spare until the launcher says
 * for whom, becomes harmless, starts the program, reaps, and ends with it. */
#ifndef RUNTIME_SANDBOX_H
#define RUNTIME_SANDBOX_H

#include "runtime/base.h"
#include "runtime/cgroup.h"

struct sandbox_plan {
    const struct base *base;
    const struct cgroup *cgroup;
    int control; /* to the launcher; blocking */
    int lock;    /* of the data directory: held until the last init is gone */
    bool is_data_limited;
};

/* Both never return, say on `control` how it went, and are killed with the launcher. */
void sandbox_main(const struct sandbox_plan *plan) __attribute__((noreturn));

/* Without isolation: becomes the program itself, in a session of its own. */
void sandbox_main_plain(const struct sandbox_plan *plan) __attribute__((noreturn));

#endif /* RUNTIME_SANDBOX_H */
