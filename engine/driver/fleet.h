/* Who has environments and who waits for one.
 *
 * A fleet is all environments of one revision; a lane is those of one tenant id in it,
 * or of all where the function is not isolated, and the invocations that wait for
 * them in the order in which they came. Nothing ever moves between lanes.
 *
 * A lane that needs an environment and may not start one stands in a list: the
 * hungry ones, which have none at all, are served first. See growth.h for lanes that
 * have some and are to wait a moment for more. */
#ifndef ENGINE_DRIVER_FLEET_H
#define ENGINE_DRIVER_FLEET_H

#include "engine/driver/deadlines.h"
#include "engine/driver/growth.h"
#include "engine/driver/place.h"

struct fleet {
    struct pool *pool;
    struct function_revision *revision; /* valid as long as anything is in here */
    struct table_node by_revision;
    struct table lanes;
    uint32_t place_count;
    uint32_t killed_count; /* of these, being killed */
    struct list idle;
    struct list blocked; /* lanes that wait until a place of this fleet is gone */
};

struct lane {
    struct fleet *fleet;
    struct table_node by_tenant;
    struct bytes tenant_id; /* owned */
    struct list places;
    struct list room; /* the last used first */
    struct list waiting;
    struct list want;      /* in pool->hungry, ->wanting, ->growing or fleet->blocked; or alone */
    struct list warm_link; /* in pool->warm while some are kept warm; or alone */
    struct growth growth;
    uint32_t warm_wanted; /* so many environments are to be kept alive; see warm.c */
    uint32_t warm;        /* and so many are */
    int64_t warmed_ms;    /* when one was last started for that alone */
    uint32_t waiting_count;
    uint32_t place_count;
    uint32_t coming_count;    /* their start has neither succeeded nor failed */
    uint32_t serving_count;   /* ready */
    uint32_t returning_count; /* places that are about to ask for the next invocation */
    bool is_suppressed; /* an init has failed: it is run once more, with the function's timeout */
    bool is_failed;     /* the last start failed: the next invoke tries again */
};

struct pool {
    uv_loop_t *loop;
    struct launcher *launcher;
    struct functions *functions;
    struct logs *logs;
    struct pool_options options;
    struct turn turn;
    struct deadlines deadlines;
    struct arena arena; /* of the message being handled */
    struct table fleets;
    struct table places;
    struct list idle;
    struct list hungry;
    struct list wanting;
    struct list growing; /* lanes that may have more only later */
    struct list warm;    /* lanes of which some are kept: struct lane.warm_link */
    struct machine_load load;
    uv_timer_t growth_timer;
    struct list refused; /* invocations that end without a place, in the next turn */
    struct turn_job refusing;
    struct gates gates;
    struct turn_job admitting; /* who waits at a gate that has room */
    uint32_t killed_count;
    uint32_t capacity; /* invocations that all places together can have */
    uint64_t next_number;
    struct pool_stats stats;
    bool is_closing;
    bool is_finishing;
    uint32_t places_in_memory; /* also those whose handles are being closed */
    unsigned open_handles;
    void *close_arg;
    pool_close_cb close_cb;
};

/* Finds or makes; NULL: no memory. */
struct lane *lane_get(struct pool *pool, struct function_revision *revision,
                      struct bytes tenant_id);
struct lane *lane_find(const struct pool *pool, const struct function_revision *revision,
                       struct bytes tenant_id);
/* Gone, and its fleet with it, if nothing is left in it. */
void lane_settle(struct lane *lane);

/* The invocation waits, first come first served, and an environment is started for it if
 * limits allow. */
void lane_wait(struct lane *lane, struct invocation *invocation);
/* It waits no longer. May end the lane. */
void lane_leave(struct lane *lane, struct invocation *invocation);
/* It stands in line for an environment exactly if it needs one. */
void lane_want(struct lane *lane);
/* All who wait are refused: the pool closes. May end the lane. */
void lane_close(struct lane *lane);

/* Of a deleted function, or an older revision that no execution can need. */
bool lane_is_outdated(const struct lane *lane);

/* --- warm.c ------------------------------------------------------------------------ */

/* Fewer environments live than are to be kept warm. */
bool lane_lacks_warm(const struct lane *lane);
/* None of those that live may go only because it is idle. */
bool lane_keeps(const struct lane *lane);
/* None is kept warm any more: the pool closes. May end lanes. */
void warm_close(struct pool *pool);

/* --- what places tell ------------------------------------------------------------- */

void lane_on_created(struct lane *lane, struct place *place);
/* It may have room for who waits, or it is idle, or closed, so that others may be needed. */
void lane_on_room(struct lane *lane, struct place *place);
/* It is being killed: it counts until it is gone, but nothing else needs to go for it. */
/* A place that was to ask again at once has not. */
void lane_on_late(struct lane *lane);
void lane_on_killed(struct lane *lane, struct place *place);
/* A start did not succeed. If nothing else of the lane lives, all that waits in it
 * ends with the place's cause. */
void lane_on_failed(struct lane *lane, const struct place *place);
/* Nothing of it is left alive; the place takes its memory with it. May end the lane. */
void lane_on_gone(struct lane *lane, struct place *place);

/* Why an invocation ends that has no place (any more); in place of its number. */
enum refused {
    REFUSED_FULL = 1,
    REFUSED_RESERVED, /* the function's own limit of concurrency */
    REFUSED_ACCOUNT,  /* that of all the others */
    REFUSED_CANCELED,
    REFUSED_CLOSED,
    REFUSED_RESTART,
};

/* It ends in the next turn; it is in no list and has no place. */
void pool_refuse(struct pool *pool, struct invocation *invocation, enum refused why);
/* Ends one that waited for a start that failed. */
void pool_end_lost(struct pool *pool, struct invocation *invocation, const struct place *place);
/* To be called before each `on_ended`: its place at the gate is another's. */
void pool_on_ending(struct pool *pool, struct invocation *invocation);
void pool_on_place_freed(struct pool *pool);
/* Starts what is wanted, as far as limits allow. */
void pool_start_wanted(struct pool *pool);

#endif /* ENGINE_DRIVER_FLEET_H */
