/* One run of the handler: its state, what it has to tell the daemon, and who waits.
 *
 * Updates queue here, encoded. One checkpoint is under way at a time; what has queued
 * meanwhile goes with the next. An update has a ticket, 1, 2, …; it is durable when
 * `acked` has reached it.
 *
 * A thread is *running* unless it waits for an operation that only the outside can end
 * (a timer, a callback, another function) or for its branches. When none is running
 * the invocation suspends: every wait ends, the stacks unwind, COMPLETE says PENDING.
 *
 *        RUNNING --+-- all wait -----------> SUSPENDED --+
 *                  +-- fenced by the daemon > FENCED -----+--> COMPLETE
 *                  +-- replay differs ------> HELD -------+
 *                  +-- refused, no memory --> BROKEN -----+
 *                  +-- the handler returned --------------+
 *
 * Once it is not RUNNING it never changes again, and durable calls return
 * PAWL_SUSPENDED. */
#ifndef SDK_LIB_INVOCATION_H
#define SDK_LIB_INVOCATION_H

#include "pawl/pawl.h"
#include "sdk/lib/gate.h"
#include "sdk/lib/service.h"

enum invocation_state {
    INVOCATION_RUNNING,
    INVOCATION_SUSPENDED,
    INVOCATION_FENCED,
    INVOCATION_HELD,
    INVOCATION_BROKEN,
};

struct invocation {
    struct service *service;
    struct table_node by_number; /* service->lock */
    unsigned refs;               /* service->lock */
    uint64_t number;
    uint8_t *body; /* of INVOKE; `facts` point into it */
    size_t body_len;
    struct wire_invoke facts;
    struct pawl_invocation info;

    pthread_mutex_t lock; /* all below */
    enum invocation_state state;
    struct state *memos;
    struct list memories;  /* struct memory.link: what contexts have allocated */
    struct buf queue;      /* encoded updates, from `sent` on */
    struct buf queue_lens; /* uint32_t of each */
    uint64_t queued;       /* tickets given */
    uint64_t sent;
    uint64_t acked;
    uint64_t asked;      /* somebody waits for tickets up to here */
    uint64_t flush_mark; /* what had queued at the flusher's last look */
    uint32_t seq;
    bool is_in_flight;
    bool has_notice;
    unsigned running;
    struct list waiters; /* struct waiter.link */
    uint32_t outcome;    /* of HELD and BROKEN */
    struct buf error;    /* encoded, of HELD and BROKEN */
};

/* --- for the reader --------------------------------------------------------------- */

/* Makes and starts an invocation from an INVOKE. */
int invocation_start(struct service *service, uint64_t number, struct bytes body);

void invocation_on_checkpointed(struct invocation *inv, struct arena *arena, struct bytes body);
void invocation_on_notice(struct invocation *inv);
void invocation_fence(struct invocation *inv);

struct invocation *invocation_ref(struct service *service, uint64_t number);
void invocation_unref(struct invocation *inv);

/* Puts what had queued at the last call and was not sent since into the way out. True:
 * call out_flush(). */
bool invocation_send_old(struct invocation *inv);

/* --- for contexts ----------------------------------------------------------------- */

enum {
    INVOCATION_ENDED = 1, /* no longer RUNNING, or the group is over */
};

/* The threads of one batch. Inner batches end with their outer one. */
struct group {
    bool is_over; /* inv->lock */
    const struct group *outer;
};

void invocation_lock(struct invocation *inv);
void invocation_unlock(struct invocation *inv);

/* Under the lock: whether durable calls of this group return PAWL_SUSPENDED. */
bool invocation_has_ended(const struct invocation *inv, const struct group *group);

/* Queues an update and notes it in its memo, which is made when there is none. The
 * payload is copied. 0 or INVOCATION_ENDED. */
int invocation_queue(struct invocation *inv, const struct group *group,
                     const struct op_update *update, struct memo **ret_memo);

/* Waits until all that has queued is durable. 0 or INVOCATION_ENDED. */
int invocation_await(struct invocation *inv, const struct group *group);

/* Waits while the memo has this status. 0 or INVOCATION_ENDED. */
int invocation_block(struct invocation *inv, const struct group *group, const struct memo *memo,
                     enum op_status status);

/* Under the lock, which is released meanwhile: waits until invocation_wake(). */
struct waiter;
void invocation_wait(struct invocation *inv, struct waiter **place);

/* Under the lock: wakes the one that waits at `place`, if any. */
void invocation_wake(struct invocation *inv, struct waiter **place);

/* Under the lock: the group is over, and its waits end. */
void invocation_end_group(struct invocation *inv, struct group *group);

/* Under the lock: one more thread runs, or one fewer. True: call out_flush() after. */
void invocation_thread_begins(struct invocation *inv);
bool invocation_thread_ends(struct invocation *inv);

/* Ends the invocation. The first end counts. */
void invocation_hold(struct invocation *inv, const char *message);
void invocation_break(struct invocation *inv, uint32_t outcome, const char *type,
                      const char *message);

#endif /* SDK_LIB_INVOCATION_H */
