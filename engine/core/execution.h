/* An execution as the core keeps it while it is hot: metadata of its operations
 * and references to payloads, which stay in the journal. Others read it; only
 * the core writes. */
#ifndef ENGINE_CORE_EXECUTION_H
#define ENGINE_CORE_EXECUTION_H

#include "engine/base/heap.h"
#include "engine/base/list.h"
#include "engine/base/table.h"
#include "engine/core/record.h"

/* The payload of event or note `record_no` (records of an execution are numbered
 * 1.. over events and notes together), or none when 0. */
struct payload_ref {
    uint64_t record_no;
    uint32_t len;
};

/*  STEP:     (new) -> STARTED -> SUCCEEDED | FAILED
 *            STARTED -> PENDING -> READY -> STARTED
 *  others:   (new) -> STARTED -> SUCCEEDED | FAILED | CANCELLED | TIMED_OUT | STOPPED */
struct op {
    struct table_node by_id;
    struct list in_exec;       /* in start order */
    struct list in_changes;    /* in order of `changed` */
    uint32_t order;            /* scratch of whoever lists the operations */
    struct heap_node deadline; /* of a wait, retry or callback timeout */
    struct op *parent;         /* a CONTEXT, or NULL */
    struct list children;      /* struct op.sibling */
    struct list sibling;
    enum op_type type;
    enum op_status status;
    uint32_t attempt; /* finished attempts of a step */
    uint32_t timeout_s;
    uint32_t heartbeat_s;
    uint32_t wait_s;
    int64_t start_ms;
    int64_t end_ms;
    int64_t due_ms;       /* wait: scheduled end; step: next attempt; else 0 */
    int64_t timeout_ms;   /* absolute, 0 = none */
    int64_t heartbeat_ms; /* absolute, 0 = none */
    uint64_t changed;     /* exec->change_no of the last change */
    bool replay_children;
    bool is_pruned;          /* inside a finished context: no longer in the state */
    bool has_pending_result; /* NOTE_CHAINED_RESULT came, the event is still to be made */
    enum op_status pending_status;
    bool pending_has_payload;
    bool pending_has_error;
    size_t pending_payload_len; /* pending_copy: payload, then error */
    struct buf pending_copy;
    bool is_chain_sent; /* CHAINED_INVOKE: the start of the child is in the log */
    struct id child_id; /* CHAINED_INVOKE */
    struct payload_ref result;
    struct payload_ref error;
    struct payload_ref input; /* CHAINED_INVOKE */
    struct bytes id;          /* these five are in the same block as the op */
    struct bytes name;
    struct bytes sub_type;
    struct bytes function;
    struct bytes tenant_id;
};

enum exec_state {
    EXEC_LOADING,
    EXEC_HOT,
};

struct exec {
    struct table_node by_id;
    struct table_node by_name;
    struct id id;
    uint64_t tenant;
    struct id function_id;
    enum exec_state state;
    enum exec_kind kind;
    enum exec_status status;
    bool is_committing;
    bool is_live; /* its attempt runs in this life of the daemon */
    bool is_held;
    bool is_named;           /* in the core's table of names */
    bool is_missing;         /* loading found nothing: commands are refused */
    bool is_damaged;         /* not all of its records could be read: it can be stopped only */
    bool is_parent_notified; /* or the destination: see exec_destination() */
    struct bytes name;
    struct bytes function; /* qualified ARN */
    struct bytes tenant_id;
    struct bytes parent_op;
    struct bytes trace_id; /* may be empty */
    struct bytes on_success;
    struct bytes on_failure;
    struct id parent_exec;
    struct id telling_id; /* of the execution that tells the destination */
    uint32_t revision;
    uint32_t retention_days;
    uint32_t retries_max;
    uint32_t event_age_s;
    uint8_t digest[32];
    int64_t start_ms;
    int64_t end_ms;
    int64_t deadline_ms; /* of the execution, 0 = none */
    uint32_t timeout_s;

    uint32_t attempt; /* the last one started */
    bool is_running;  /* attempt has started and not ended */
    bool has_result;  /* NOTE_EXECUTION_RESULT: ends with this invocation */
    bool result_has_payload;
    enum op_status result_status;
    uint32_t seq;         /* of the last accepted checkpoint of this attempt */
    struct id request_id; /* of the running attempt */
    int64_t attempt_ms;   /* when it started */
    uint32_t failures;    /* invocations in a row that failed */
    int64_t retry_ms;     /* a failed invocation is tried again then; 0 = no */

    uint64_t events;  /* last event id */
    uint64_t records; /* events and notes */
    uint64_t history_bytes;
    uint64_t change_no;    /* counts changes of operations */
    uint64_t delivered_no; /* the last change the running attempt has seen */
    uint64_t reply_no;     /* delivered_no before the last checkpoint answer */
    struct payload_ref input;
    struct payload_ref result;
    struct payload_ref error;
    struct buf result_copy; /* of NOTE_EXECUTION_RESULT, until the end */
    int64_t last_ms;        /* time of the last record: time never goes back */

    struct list ops;     /* struct op.in_exec */
    struct list changes; /* struct op.in_changes, the last change at the back */
    struct table op_table;
    struct heap deadlines; /* struct op.deadline */
    uint32_t op_count;
    uint32_t unsent_chains;   /* operations with !is_chain_sent and no result */
    uint32_t pending_results; /* operations with has_pending_result */
    uint32_t pending_count;   /* operations that can end without an invocation */
    struct list waiting;      /* struct command.link */
    uint32_t waiting_count;
    struct list ready_link; /* in the core's list of executions with ready commands */
    void *user;             /* the driver's */
};

/* What is known of an execution without its records: the last state that was reached. */
struct exec_head {
    uint64_t tenant;
    struct id function_id;
    enum exec_kind kind;
    enum exec_status status;
    uint32_t revision;
    uint32_t retention_days;
    int64_t start_ms;
    int64_t end_ms;
    uint64_t events;
    uint64_t records;
    struct bytes name;
    struct bytes function;
};

struct op *exec_find_op(const struct exec *exec, struct bytes id);

/* The function that is to be told how it ended; empty while it runs, when nobody is, and
 * of one that was stopped. */
struct bytes exec_destination(const struct exec *exec);

/* When this execution next needs a TICK: epoch milliseconds; EXEC_WAKE_NOW while
 * an attempt is in flight, so that recovery finds it; EXEC_WAKE_NEVER. */
#define EXEC_WAKE_NOW 1
#define EXEC_WAKE_NEVER 0
int64_t exec_wake_ms(const struct exec *exec);

/* A time in memory at which TICK has something to do although an attempt runs. */
int64_t exec_timer_ms(const struct exec *exec);

static inline bool exec_is_closed(const struct exec *exec)
{
    return exec->status > EXEC_RUNNING;
}

#endif /* ENGINE_CORE_EXECUTION_H */
