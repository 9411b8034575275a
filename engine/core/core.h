/* The core: decides what happens to executions. Command in, bounded list of
 * actions out; no I/O, no clock, no randomness, libc only.
 *
 * The driver (engine/driver) feeds it commands one at a time. For each command
 * that was applied, the driver makes one frame of `actions.records`, commits it,
 * calls core_committed(), and only then performs the other actions. Until then
 * every further command for the same execution waits inside the core, so what
 * the core shows of an execution is always what is durable (or, between apply
 * and commit, about to be), and a refusal is never computed from a state that a
 * crash could undo.
 *
 * An execution is ABSENT (only in the journal), LOADING (its records are being
 * fed back by core_restore), HOT, or being forgotten by core_evict(). */
#ifndef ENGINE_CORE_CORE_H
#define ENGINE_CORE_CORE_H

#include "engine/base/arena.h"
#include "engine/base/list.h"
#include "engine/core/execution.h"
#include "engine/core/record.h"

struct core;

struct core_limits {
    uint32_t executions_max;    /* hot at once */
    uint32_t operations_max;    /* of one execution; Lambda: 30,000 */
    uint32_t events_max;        /* of one execution */
    uint64_t history_bytes_max; /* of one execution */
    uint32_t waiting_max;       /* commands that wait for one execution */
    uint32_t failures_max;      /* failed invocations in a row; then the execution fails */
    uint32_t failure_backoff_s; /* first delay of a failed handler; doubles */
    uint32_t failure_backoff_max_s;
    uint64_t seed; /* of the PRNG that makes request ids */
};
extern const struct core_limits core_limits_default;

int core_create(struct core **ret_core, const struct core_limits *limits);
void core_destroy(struct core *core);

/* --- commands --------------------------------------------------------------- */

enum command_kind {
    COMMAND_START,         /* a new execution, or attach to the one of that name */
    COMMAND_CHECKPOINT,    /* from a running invocation */
    COMMAND_COMPLETE,      /* an invocation has ended, well or not */
    COMMAND_CALLBACK,      /* from outside */
    COMMAND_CHAINED_ENDED, /* the child execution of an operation has ended */
    COMMAND_NOTIFIED,      /* the parent knows of our end */
    COMMAND_STOP,
    COMMAND_TICK, /* something may be due; also recovers a cut-off attempt */
    COMMAND_READ, /* nothing: comes back when the state may be shown */
    COMMAND_REDRIVE,
};

enum outcome {
    OUTCOME_PENDING,   /* suspended */
    OUTCOME_SUCCEEDED, /* with `payload` */
    OUTCOME_FAILED,    /* the handler's own failure, with `error` */
    OUTCOME_ERROR,     /* the invocation failed: crash, timeout, protocol */
    OUTCOME_HELD,      /* replay differs from what is recorded */
};

/* Made by the driver, which keeps it and all it points to in place until
 * core_apply() returns anything but CORE_WAITS; after CORE_WAITS, until the
 * command has come back from core_next() and was applied. */
struct command {
    enum command_kind kind;
    int64_t now_ms;
    struct id exec_id;
    struct list link; /* private to the core while the command waits */

    /* START: the first record without event_id; exec_id is the id to use if the
     * name is new. Names are unique per (tenant, function). */
    uint64_t tenant;
    struct record started;
    struct id function_id; /* stands for (tenant, function name) */
    bool is_known;         /* exec_id is in the journal: load it if it is not hot */

    /* CHECKPOINT, COMPLETE */
    uint32_t attempt;
    uint32_t seq;
    const struct op_update *updates;
    uint32_t update_count;
    enum outcome outcome;

    /* CALLBACK, CHAINED_ENDED */
    struct bytes op_id;
    enum op_status op_status; /* CALLBACK: OP_STARTED is a heartbeat */

    bool has_payload;
    bool has_error;
    bool is_retryable; /* ERROR: Runtime.*, Sandbox.*, Extension.*: at once */
    bool is_uncounted; /* ERROR: not the execution's fault (Pawl.Restarted) */
    bool is_throttled; /* ERROR: there was no place; of an EVENT it counts as no attempt */
    bool is_final;     /* ERROR: an EVENT is not tried again */
    struct bytes payload;
    struct bytes error;
};

/* --- answers ---------------------------------------------------------------- */

/* Positive returns of core_apply(). */
enum {
    CORE_WAITS = 1, /* the execution is loading or committing: see core_next() */
    CORE_LOAD,      /* as CORE_WAITS, and the driver must load it now */
    CORE_REFUSED,   /* actions.refusal says why; nothing changed */
};

enum refusal {
    REFUSAL_NONE,
    REFUSAL_NOT_FOUND,
    REFUSAL_STALE,    /* the token: another attempt runs, or none */
    REFUSAL_INVALID,  /* the checkpoint; `message` has Lambda's text */
    REFUSAL_CONFLICT, /* the name is taken with another payload */
    REFUSAL_CLOSED,   /* the callback or execution has ended */
    REFUSAL_FULL,     /* too much waits for this execution, or too many are hot */
    REFUSAL_DAMAGED,  /* its records cannot be read: only STOP and READ are taken */
};

/* What REFUSAL_DAMAGED says, and who reads such an execution should. */
extern const char core_damaged_message[];

enum action_kind {
    ACTION_DISPATCH, /* run attempt `attempt` */
    ACTION_FENCE,    /* attempt `attempt` must not go on */
    ACTION_NOTIFY,   /* the running attempt has changes to fetch by a checkpoint */
    ACTION_CHAIN,    /* start the target of `op` */
    ACTION_CLOSED,   /* the execution has ended; its last record says how */
};

struct action {
    enum action_kind kind;
    uint32_t attempt;
    struct op *op; /* CHAIN */
    struct bytes payload;
    bool has_payload;
};

/* Valid until the next core_apply(); what records point to is the command's or
 * the execution's. */
struct actions {
    struct exec *exec; /* NULL when the execution does not exist */
    bool is_new;       /* START made it; else it was there */
    bool is_repeat;    /* CHECKPOINT: seq as before, answer it the same again */
    struct record *records;
    uint32_t record_count;
    struct action *items;
    uint32_t count;
    enum refusal refusal;
    const char *message;
};

/* Advances the core by one command. 0: applied; if record_count > 0 the
 * execution is committing until core_committed(). Positive: see above; there are
 * no records and no actions. Negative: out of memory in the middle of a change;
 * the process must end and recover from the journal. */
int core_apply(struct core *core, struct command *command, struct actions *ret_actions);

/* The frame of the last applied command of `exec` is durable. */
void core_committed(struct core *core, struct exec *exec);

/* A waiting command whose execution is free now, or NULL. Apply it at once. */
struct command *core_next(struct core *core);

/* --- loading and forgetting -------------------------------------------------- */

/* For recovery and after CORE_LOAD. The execution is LOADING. Returns it. */
int core_load(struct core *core, const struct id *exec_id, struct exec **ret_exec);

/* One record, in order. ERR_CORRUPT when it does not fit what came before. */
int core_restore(struct core *core, struct exec *exec, uint64_t tenant,
                 const struct id *function_id, const struct record *record);

/* All records are in (is_found), or there is no such execution: its waiting
 * commands come out of core_next() either way. */
void core_loaded(struct core *core, struct exec *exec, bool is_found);

/* Instead of core_loaded(), when a record could not be read. It can be looked at and
 * stopped; it is never run again. Negative: out of memory. */
int core_loaded_damaged(struct core *core, struct exec *exec, const struct exec_head *head);

/* Idle: nothing runs, waits or commits. */
bool core_can_evict(const struct exec *exec);
void core_evict(struct core *core, struct exec *exec);

/* --- looking ---------------------------------------------------------------- */

struct exec *core_find(const struct core *core, const struct id *exec_id);

/* The hot execution that has this name in this function, or NULL. */
struct exec *core_find_name(const struct core *core, const struct id *function_id,
                            struct bytes name);
uint32_t core_count(const struct core *core);

/* Any walk over all executions (struct exec.by_id): see table_walk(). */
struct table_node *core_walk(const struct core *core, size_t *bucket,
                             const struct table_node *last);

/* The start of the child of `op` has been applied and stands in the log before any
 * later frame of `exec`: no need to start it again after a crash. */
void core_chain_sent(struct exec *exec, struct op *op);

/* The running attempt is being sent the whole state as it is now. */
void core_delivered(struct exec *exec);

#endif /* ENGINE_CORE_CORE_H */
