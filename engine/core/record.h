/* Records: the durable facts of an execution. An *event* is numbered and in the
 * history that users see (Lambda's 24 types); a *note* is ordered with the events
 * but never in the history. Applying all records of an execution in order to an
 * empty one gives its state back: core.c does it live, and after a crash. */
#ifndef ENGINE_CORE_RECORD_H
#define ENGINE_CORE_RECORD_H

#include "engine/core/operation.h"

/* The numbers are on disk: never reuse one. */
enum record_kind {
    RECORD_NONE = 0,
    EXECUTION_STARTED = 1,
    EXECUTION_SUCCEEDED = 2,
    EXECUTION_FAILED = 3,
    EXECUTION_STOPPED = 4,
    EXECUTION_TIMED_OUT = 5,
    CONTEXT_STARTED = 6,
    CONTEXT_SUCCEEDED = 7,
    CONTEXT_FAILED = 8,
    STEP_STARTED = 9,
    STEP_SUCCEEDED = 10,
    STEP_FAILED = 11,
    WAIT_STARTED = 12,
    WAIT_SUCCEEDED = 13,
    WAIT_CANCELLED = 14,
    CALLBACK_STARTED = 15,
    CALLBACK_SUCCEEDED = 16,
    CALLBACK_FAILED = 17,
    CALLBACK_TIMED_OUT = 18,
    CHAINED_INVOKE_STARTED = 19,
    CHAINED_INVOKE_SUCCEEDED = 20,
    CHAINED_INVOKE_FAILED = 21,
    CHAINED_INVOKE_TIMED_OUT = 22,
    CHAINED_INVOKE_STOPPED = 23,
    INVOCATION_COMPLETED = 24,
    RECORD_EVENTS_END = 25,

    NOTE_ATTEMPT_STARTED = 64,  /* durable before the attempt is dispatched */
    NOTE_STEP_READY = 65,       /* the delay of a retry is over */
    NOTE_HEARTBEAT = 66,        /* of a callback */
    NOTE_FAILURE_COUNTED = 67,  /* of an invocation; `due_ms`: the next try */
    NOTE_CHAINED_RESULT = 68,   /* arrived while the parent's invocation ran */
    NOTE_PARENT_NOTIFIED = 69,  /* the parent, or the destination, has this execution's end */
    NOTE_HELD = 70,             /* replay differs from what is recorded */
    NOTE_EXECUTION_RESULT = 71, /* EXECUTION SUCCEED/FAIL came by checkpoint */
    NOTE_REDRIVEN = 72,         /* a held execution may go on */
    RECORD_KINDS,
};

static inline bool record_is_event(enum record_kind kind)
{
    return kind > RECORD_NONE && kind < RECORD_EVENTS_END;
}

/* Which fields a kind uses is said by the function in records.c that makes it.
 * All texts and payloads are borrowed. */
struct record {
    enum record_kind kind;
    uint64_t event_id; /* 1..n without gaps; 0 for a note */
    int64_t time_ms;
    struct bytes op_id;
    struct bytes parent_id;
    struct bytes name; /* of the operation, or of the execution */
    struct bytes sub_type;
    bool has_payload;
    bool has_error;
    bool replay_children;
    struct bytes payload;
    struct bytes error;       /* encoded error object */
    uint32_t attempt;         /* of the step, or of the invocation */
    uint32_t delay_s;         /* until the next attempt (0 = none); of a wait */
    int64_t due_ms;           /* when a wait, retry or failed invocation is due; of a callback's
                                 start and heartbeat the clock, if it was set back, else 0 */
    uint32_t timeout_s;       /* of the execution, callback or chained invoke */
    uint32_t heartbeat_s;     /* of a callback */
    enum op_status op_status; /* NOTE_CHAINED_RESULT, NOTE_EXECUTION_RESULT */
    struct bytes function;    /* EXECUTION_STARTED: qualified ARN; CHAINED…: as given */
    struct bytes tenant_id;   /* the tenant id of the invoke */
    struct bytes arn;         /* CHAINED_INVOKE_STARTED: of the child execution */
    int64_t start_ms;         /* INVOCATION_COMPLETED */
    struct id request_id;     /* INVOCATION_COMPLETED, NOTE_ATTEMPT_STARTED; the id of
                                 the child execution in CHAINED_INVOKE_STARTED, of the one
                                 that tells a destination in EXECUTION_STARTED */

    /* EXECUTION_STARTED only */
    enum exec_kind exec_kind;
    uint32_t revision;       /* of the function's code and configuration */
    uint32_t retention_days; /* after the end */
    uint32_t retries_max;    /* of an EVENT */
    uint32_t event_age_s;    /* of an EVENT: no attempt starts at it */
    uint8_t digest[32];      /* of the input: same name, same payload? */
    struct id parent_exec;   /* none, or who started it by a chained invoke */
    struct bytes parent_op;
    struct bytes trace_id;   /* as its caller gave it; may be empty */
    struct bytes on_success; /* the function that is told of this end, or empty */
    struct bytes on_failure;
};

/* Encodes {type, message} as an error object, in the form of sdk/wire/pawl.proto
 * (two length-delimited fields). Writes at most ERROR_TEXT_MAX bytes to `out`. */
#define ERROR_TEXT_MAX 512U
struct bytes error_encode(uint8_t out[ERROR_TEXT_MAX], const char *type, const char *message);

/* "ExecutionStarted"; never NULL. Notes have names of their own for `pawl verify`. */
const char *record_kind_text(enum record_kind kind);

#endif /* ENGINE_CORE_RECORD_H */
