/* The pool of environments: finds a warm one, starts a cold one, or lets an
 * invocation wait for its turn; speaks the native protocol with them, or has a guest
 * speak the Runtime API (guest.h).
 *
 * One environment runs one revision, for one tenant id if the function is isolated
 * by tenants, and at most config.concurrency invocations at once. It is reaped
 * when idle for `idle_ms`. All calls are from the loop's thread.
 *
 * Before all that is the gate (gate.h): how many may run of a function, and altogether. Who
 * was admitted and finds no environment waits for one, however long the line is. */
#ifndef ENGINE_DRIVER_POOL_H
#define ENGINE_DRIVER_POOL_H

#include "engine/base/heap.h"
#include "engine/driver/function.h"
#include "engine/driver/logs.h"
#include "sdk/wire/frame.h"
#include "sdk/wire/wire.h"

struct pool;
struct guest_ops;

struct pool_options {
    uint32_t environments_max;      /* of the daemon: 256 */
    uint32_t environments_each_max; /* of one revision: 64 */
    uint32_t waiting_max;           /* invocations that wait: 1,000,000 */
    uint32_t concurrency_max;       /* invocations at once, see gate.h: 1,000 */
    uint32_t idle_ms;               /* 300,000 */
    uint32_t init_ms;               /* from start to HELLO: 10,000 */
    uint32_t init_again_ms;         /* the same if that was not enough; 0: the function's timeout */
    uint32_t grace_ms;              /* of neighbours when an environment closes: 2,000 */
    const char *region;
    const struct guest_ops *guests; /* who serves the Runtime API; NULL: nobody */
    /* The directory of a runtime that the operator has registered, or NULL; not asked for
     * functions that bring their own program (provided.*). */
    void *runtimes_arg;
    const char *(*runtime_dir)(void *arg, const char *runtime);
    /* Operator's grants for a function, or none; from the configuration file. */
    void *grants_arg;
    size_t (*grants)(void *arg, const char *function, const struct grant **ret_grants);
};

int pool_create(struct pool **ret_pool, uv_loop_t *loop, struct launcher *launcher,
                struct functions *functions, struct logs *logs, const struct pool_options *options);
typedef void (*pool_close_cb)(void *arg);
void pool_close(struct pool *pool, void *arg, pool_close_cb cb);

/* One run of a handler. The caller owns it, embeds it, and leaves it in place from
 * pool_invoke() until `on_ended`, which is called exactly once, later, from the loop. */
struct invocation;

struct invocation_end {
    bool is_complete; /* the program sent COMPLETE: `complete` is valid during the call */
    struct wire_complete complete;
    const char *error_type;    /* else: "Runtime.ExitError", "Sandbox.Timedout", … */
    const char *error_message; /* Lambda's texts, lambda-api section 7 */
    const char *reason;        /* of a TooManyRequestsException: Lambda's, or NULL */
    struct bytes error;        /* a runtime's own, encoded: instead of type and message */
    struct bytes document;     /* of a runtime's failure: what it posted */
    bool is_sent;              /* INVOKE was sent: the handler may have run */
};

struct invocation_events {
    /* A place in an environment is free now: the caller sends INVOKE with
     * invocation_send(), at once or soon. `environment` is a number that is never
     * used again, so a caller can remember what an environment has cached. */
    void (*on_placed)(struct invocation *invocation, uint64_t environment);
    /* CHECKPOINT or NEED_FULL; `body` is valid during the call. */
    void (*on_message)(struct invocation *invocation, enum wire_type type, struct bytes body);
    /* NULL, or what takes a response that the runtime streams: its parts in order, before
     * on_ended, whose `complete` then has no payload. Without it who speaks with the runtime
     * keeps the parts and gives them to on_ended as one. False: no more of it is to be read
     * until invocation->resume() is called; what was read already may still come. */
    bool (*on_piece)(struct invocation *invocation, struct bytes piece);
    void (*on_ended)(struct invocation *invocation, const struct invocation_end *end);
};

struct invocation {
    /* set by the caller */
    struct function_revision *revision; /* referenced by the caller until on_ended */
    const struct invocation_events *events;
    struct id request_id;
    struct bytes tenant_id; /* of an isolated function */
    struct bytes execution; /* ARN for the log; empty if none */
    uint64_t affinity;      /* environment that is preferred if it has a place; 0 = any */
    bool is_durable;
    bool wants_log_tail;
    bool is_patient; /* over a limit of concurrency it waits instead of being refused */
    /* the pool's */
    struct list link;
    struct gate_pass pass;
    uint64_t number; /* on the wire */
    void *place;
    int64_t deadline_ms; /* epoch; set when placed */
    struct heap_node timeout;
    int64_t start_us;    /* of uv_hrtime() */
    struct buf log_tail; /* last 4 KiB of its log, if wanted; freed after on_ended */
    bool is_sent;
    bool is_canceled;
    bool is_guest; /* its environment remembers nothing: each INVOKE has everything */
    /* Set by who streams a response, before the first part; see on_piece(). It may be called
     * from inside of that, and never after on_ended. */
    void (*resume)(struct invocation *invocation);
};

/* Never fails and never calls back before it returns, except that on_placed may be
 * called from inside when an environment has a place. A pool that is full ends the
 * invocation later with error_type "TooManyRequestsException", and so does a limit of
 * concurrency, unless it is patient. */
void pool_invoke(struct pool *pool, struct invocation *invocation);

/* An impatient invocation would be refused now: Lambda's reason, else NULL. */
const char *pool_limit_reason(const struct pool *pool, const struct function_revision *revision);

/* From now on `reserved` are kept for this function alone, or with `is_reserved` false none
 * are. Is so until it is said otherwise, or the function is deleted. */
void pool_reserve(struct pool *pool, struct function *function, bool is_reserved,
                  uint32_t reserved);
/* What all functions without a reserved number have together. */
uint32_t pool_unreserved(const struct pool *pool);

/* So many environments of a revision are started ahead of need, and kept: they are neither
 * reaped when idle nor given up for others. All together are at most half of
 * environments_max: beyond that fewer are kept, and it is not an error. 0: none any more.
 * Holds a reference of the revision meanwhile. ERR_NOMEM. */
int pool_keep_warm(struct pool *pool, struct function_revision *revision, uint32_t environments);
struct pool_warm {
    uint32_t wanted;
    uint32_t started; /* at most as many as are wanted, as the next */
    uint32_t ready;
    bool is_failed; /* the last start failed: the next is made when somebody invokes, or by
                     * pool_tend_warm() */
};
void pool_get_warm(const struct pool *pool, const struct function_revision *revision,
                   struct pool_warm *ret_warm);
/* Those whose start failed are tried again. */
void pool_tend_warm(struct pool *pool);

/* `body` is one encoded message. Messages of one loop turn leave in one write. The
 * first WIRE_INVOKE starts the function's timeout. */
void invocation_send(struct pool *pool, struct invocation *invocation, enum wire_type type,
                     struct bytes body);

/* WIRE_INVOKE, to whoever speaks with the environment; `scratch` and `arena` are for it to
 * use meanwhile. */
void invocation_invoke(struct pool *pool, struct invocation *invocation, struct arena *arena,
                       const struct wire_invoke *invoke, struct buf *scratch);

/* It must not go on (stopped, or nobody waits): waiting ones end at once; a running
 * one gets WIRE_CANCEL and the environment is closed to new work, and killed after
 * the grace. on_ended follows with error_type "Pawl.Canceled" unless it completed. */
void invocation_cancel(struct pool *pool, struct invocation *invocation, const char *reason);

/* The tail of its log, for X-Amz-Log-Result; valid until on_ended returns. */
struct bytes invocation_log_tail(const struct invocation *invocation);

struct pool_stats {
    uint32_t environments;
    uint32_t idle;
    uint32_t running; /* invocations */
    uint32_t waiting;
    uint64_t started; /* environments, ever */
    uint64_t invocations;
};
void pool_get_stats(const struct pool *pool, struct pool_stats *ret_stats);

/* One line each for `pawl status`. */
struct pool_environment {
    const char *function;
    uint32_t revision;
    pid_t pid;
    uint32_t running;
    int64_t started_ms;
};
void pool_walk(const struct pool *pool, void *arg,
               void (*visit)(void *arg, const struct pool_environment *environment));

/* No new environment runs an older revision of this function for new invokes; idle
 * ones of deleted functions are reaped at once. */
void pool_function_changed(struct pool *pool, struct function *function);

#endif /* ENGINE_DRIVER_POOL_H */
