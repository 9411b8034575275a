/* One environment as the launcher sees it. A cell is made as a spare, for nobody, and
 * waits with its namespaces and root ready; a start order turns it into somebody's.
 *
 *     SPARE ----> STARTING ----> RUNNING
 *       |             |             |
 *       +-------------+-------------+----> EMPTYING ----> reported and gone
 *
 * The launcher never waits for one: it watches the init's pidfd and its socket. */
#ifndef RUNTIME_CELL_H
#define RUNTIME_CELL_H

#include <sys/types.h>

#include "engine/base/list.h"
#include "runtime/base.h"
#include "runtime/cgroup.h"
#include "runtime/message.h"
#include "runtime/order.h"
#include "runtime/watch.h"

#define CELLS_MAX 8192
#define CELLS_SPARE 4

enum cell_state { CELL_SPARE, CELL_STARTING, CELL_RUNNING, CELL_EMPTYING, CELL_STATES };

struct cells;

struct cell {
    struct list link;
    struct cells *cells;
    enum cell_state state;
    bool is_prepared; /* as a spare: it only waits for its order */
    bool is_killed;
    unsigned number;
    uint64_t id; /* the daemon's; 0 for a spare */
    char code[REQUEST_NAME_MAX + 1];
    char layers[REQUEST_NAME_MAX + 1];
    pid_t pid;
    struct watch control;
    struct watch pidfd;
    struct cgroup cgroup;
    unsigned empty_tries;
    struct message end; /* gathered until the end is reported */
};

/* What the cells tell their owner. */
struct cells_events {
    void (*on_prepared)(void *arg);                             /* a spare is ready */
    void (*on_started)(void *arg, const struct cell *cell);     /* the program runs */
    void (*on_ended)(void *arg, const struct message *message); /* ENDED, ready to send */
    void (*on_spare_failed)(void *arg, const char *text);
};

struct cells {
    const struct base *base;
    struct cgroups cgroups;
    int loop;
    int lock; /* of the data directory; inherited by every init */
    struct list live;
    size_t count;
    size_t spare_count;
    size_t emptying_count;
    unsigned next_number;
    struct cells_events events;
    void *arg;
};

/* A new spare. FAILURE_E_SET if not even the process could be made. */
int cells_add_spare(struct cells *cells, struct failure *failure);

/* Gives a spare (a new one, if there is none) its order. The order stays the caller's
 * to close. FAILURE_E_SET: nothing was started. */
int cells_start(struct cells *cells, const struct order *order, struct failure *failure);

/* SIGKILL for all of it. Unknown ids are ignored: it may have ended just now. */
void cells_kill(struct cells *cells, uint64_t id);
void cells_kill_all(struct cells *cells);

bool cells_use_code(const struct cells *cells, const char *code);

/* Looks again after groups that were not empty yet. To be called every few
 * milliseconds while emptying_count is not 0. */
void cells_tick(struct cells *cells);

#endif /* RUNTIME_CELL_H */
