/* Operations: the durable acts inside an execution, with Lambda's types, actions,
 * statuses and meanings (API reference of CheckpointDurableExecution, 2025-12-01). */
#ifndef ENGINE_CORE_OPERATION_H
#define ENGINE_CORE_OPERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/bytes.h"
#include "engine/base/id.h"

/* The numbers are on disk and on the wire: never reuse one. */
enum op_type {
    OP_NONE = 0,
    OP_EXECUTION = 1,
    OP_CONTEXT = 2,
    OP_STEP = 3,
    OP_WAIT = 4,
    OP_CALLBACK = 5,
    OP_CHAINED_INVOKE = 6,
    OP_TYPES,
};

enum op_action {
    OP_ACTION_NONE = 0,
    OP_START = 1,
    OP_SUCCEED = 2,
    OP_FAIL = 3,
    OP_RETRY = 4,
    OP_CANCEL = 5,
    OP_ACTIONS,
};

enum op_status {
    OP_STATUS_NONE = 0,
    OP_STARTED = 1,
    OP_PENDING = 2, /* a step that waits for its next attempt */
    OP_READY = 3,   /* a step whose next attempt is due */
    OP_SUCCEEDED = 4,
    OP_FAILED = 5,
    OP_CANCELLED = 6,
    OP_TIMED_OUT = 7,
    OP_STOPPED = 8,
    OP_STATUSES,
};

enum exec_status {
    EXEC_STATUS_NONE = 0,
    EXEC_RUNNING = 1,
    EXEC_SUCCEEDED = 2,
    EXEC_FAILED = 3,
    EXEC_TIMED_OUT = 4,
    EXEC_STOPPED = 5,
    EXEC_STATUSES,
};

/* DURABLE runs Lambda's durable protocol. EVENT is one asynchronous invoke of an
 * ordinary function: the same journal, retries by its event invoke config. */
enum exec_kind {
    EXEC_DURABLE = 1,
    EXEC_EVENT = 2,
};

#define OP_ID_MAX 64U    /* [a-zA-Z0-9-_]+ */
#define OP_NAME_MAX 256U /* printable ASCII */
#define OP_SUB_TYPE_MAX 32U
#define OP_DELAY_S_MAX 31622400U /* of retries and waits: 366 days */
#define OP_TIMEOUT_S_MAX 99999999U
#define OP_PAYLOAD_BYTES_MAX (256U * 1024U)
#define OP_INVOKE_PAYLOAD_BYTES_MAX (1024U * 1024U)
#define EXEC_PAYLOAD_BYTES_MAX (6U * 1024U * 1024U)
/* Of a checkpoint that ends the execution: SDKs send one for what is too large to be
 * returned, so it must take more than a response does. */
#define EXEC_RESULT_BYTES_MAX (7U * 1024U * 1024U)
#define OP_ERROR_BYTES_MAX 32768U
#define UPDATES_MAX 1000U /* of one checkpoint; SDKs of AWS send 250 at most */

/* One element of a checkpoint. Absent texts have len 0. `error` is an encoded
 * error object (sdk/wire/wire.h); the core never looks inside. */
struct op_update {
    enum op_type type;
    enum op_action action;
    struct bytes id;
    struct bytes parent_id;
    struct bytes name;
    struct bytes sub_type;
    bool has_payload;
    bool has_error;
    struct bytes payload;
    struct bytes error;
    bool has_step_options;
    bool replay_children;
    uint32_t delay_s; /* STEP RETRY: until the next attempt */
    uint32_t wait_s;
    uint32_t timeout_s;    /* CALLBACK, CHAINED_INVOKE; 0 = none */
    uint32_t heartbeat_s;  /* CALLBACK; 0 = none */
    struct bytes function; /* CHAINED_INVOKE: name or ARN, as given */
    struct bytes tenant_id;

    /* CHAINED_INVOKE START: looked up and chosen by the driver. A target that
     * cannot be started has `error` set, and fails at the next checkpoint. */
    struct bytes child_arn;
    struct id child_id;
};

/* The texts of the wire: "STEP", "SUCCEED", "PENDING", "RUNNING". Never NULL. */
const char *op_type_text(enum op_type type);
const char *op_action_text(enum op_action action);
const char *op_status_text(enum op_status status);
const char *exec_status_text(enum exec_status status);

/* 0 (…_NONE) for an unknown text. */
enum op_type op_type_parse(struct bytes text);
enum op_action op_action_parse(struct bytes text);
enum exec_status exec_status_parse(struct bytes text);

#endif /* ENGINE_CORE_OPERATION_H */
