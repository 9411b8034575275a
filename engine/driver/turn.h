/* What is done once per turn of the loop, just before it waits: so that everything one
 * turn has produced leaves together, and nothing is called from inside its own cause.
 *
 * While there is nothing to do it costs nothing and does not keep the loop awake. */
#ifndef ENGINE_DRIVER_TURN_H
#define ENGINE_DRIVER_TURN_H

#include <uv.h>

#include "engine/base/list.h"

struct turn {
    uv_prepare_t prepare;
    uv_idle_t idle; /* active while there are jobs: the loop then does not sleep */
    struct list jobs;
};

/* Embedded in what it is for; zeroed, with `run` set, before it is added. */
struct turn_job {
    struct list link;
    void (*run)(struct turn_job *job);
};

void turn_init(struct turn *turn, uv_loop_t *loop);
/* `cb` is called for both handles, with `data`. */
void turn_close(struct turn *turn, void *data, uv_close_cb cb);

void turn_job_init(struct turn_job *job, void (*run)(struct turn_job *job));
/* Runs once at the end of this turn; harmless when it is already to run. */
void turn_add(struct turn *turn, struct turn_job *job);
/* Harmless when it is not to run. */
void turn_remove(struct turn_job *job);

#endif /* ENGINE_DRIVER_TURN_H */
