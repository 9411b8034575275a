/* The driver: the only place where core, journal, tenants and runtime meet.
 *
 * It feeds commands to the core, seals what the core recorded into one frame,
 * commits it, and performs the other actions only then. Everything an answer says
 * was durable before the answer was given to its callback.
 *
 * Requests are structs of the caller's, embedded in its own objects; each function
 * calls `cb` exactly once, from the loop, later or from inside. What an answer
 * points to is valid during the callback. */
#ifndef ENGINE_DRIVER_DRIVER_H
#define ENGINE_DRIVER_DRIVER_H

#include "engine/core/core.h"
#include "engine/driver/access_keys.h"
#include "engine/driver/function.h"
#include "engine/driver/logs.h"
#include "engine/driver/pool.h"
#include "engine/driver/runtimes.h"
#include "tenants/principal.h"

struct driver;

struct driver_options {
    struct core_limits core;
    struct pool_options pool;
    uint64_t log_file_bytes_max;
    uint64_t payload_cache_bytes_max; /* of hot executions that do not run: 64 MiB */
    uint32_t hot_max;                 /* executions kept in memory when idle: 20,000 */
    uint32_t drain_s;                 /* 30 */
    const char *region;               /* "us-east-1" */
};
void driver_options_default(struct driver_options *ret_options);

/* Recovers: after it returns, everything that was due or cut off is on its way, and the
 * verifier, which outlives the driver, has the access keys. */
int driver_open(struct driver **ret_driver, uv_loop_t *loop, const char *data_dir,
                struct journal *journal, struct keyring *keyring, struct launcher *launcher,
                struct verifier *verifier, const struct driver_options *options);
struct functions *driver_functions(struct driver *driver);
struct runtimes *driver_runtimes(struct driver *driver);
/* To be called when a change of a function is durable: idle environments that run what it
 * was go at once. */
void driver_function_changed(struct driver *driver, struct function *function);
struct access_keys *driver_access_keys(struct driver *driver);
struct pool *driver_pool(struct driver *driver);
struct logs *driver_logs(struct driver *driver);

/* Drains: no new invokes, durable work is suspended where it stands, running
 * invocations have drain_s; then everything is cut off and `cb` is called. */
typedef void (*driver_close_cb)(void *arg);
void driver_close(struct driver *driver, void *arg, driver_close_cb cb);

/* --- errors -------------------------------------------------------------------- */

/* An answer that is Lambda's error: its name and a sentence. `name` NULL: no error. */
struct driver_error {
    int http_status;
    const char *name; /* "ResourceNotFoundException" */
    const char *message;
    const char *reason; /* of a TooManyRequestsException, or NULL */
};

/* --- invoke ---------------------------------------------------------------------- */

#define INVOKE_STREAM_BYTES_MAX (200U << 20) /* of a response in parts */

enum invoke_type { INVOKE_REQUEST_RESPONSE, INVOKE_EVENT, INVOKE_DRY_RUN };

struct invoke_request {
    /* set by the caller; borrowed until `cb` */
    const struct principal *principal;
    struct bytes function;  /* name, or ARN, possibly qualified: see function_reference */
    struct bytes qualifier; /* of the query; empty if none */
    enum invoke_type type;
    struct bytes payload;
    struct bytes execution_name;
    struct bytes client_token; /* of an event that is not durable: one token, one event */
    struct bytes tenant_id;
    struct bytes client_context; /* decoded JSON */
    struct bytes trace_id;
    bool wants_log_tail;
    struct id request_id; /* what the handler sees; none: one is made */
    /* NULL, or for a response that is to be handed on as it comes: called with each part of
     * it, in order, before `cb`; `executed_version` is set by then. False: no more until
     * driver_invoke_resume(), but for what is on its way. A response that came at once is
     * given to `cb`, as without this; after parts, `cb` has no payload. It may abandon the
     * request. */
    bool (*on_piece)(struct invoke_request *request, struct bytes piece);
    void (*cb)(struct invoke_request *request);
    /* the answer */
    struct driver_error error;
    bool has_payload;
    struct bytes result;        /* the payload, or the error document */
    const char *function_error; /* NULL or "Unhandled" */
    const char *executed_version;
    struct bytes execution_arn; /* of durable ones */
    struct bytes log_tail;
    /* private */
    char version[16];             /* `executed_version` is here */
    struct bytes asked_qualifier; /* of `function` or `qualifier` */
    void *state;
    enum { INVOKE_STATE_WAITER, INVOKE_STATE_TASK, INVOKE_STATE_RUN } state_kind;
};
void driver_invoke(struct driver *driver, struct invoke_request *request);
/* After on_piece() has said false. */
void driver_invoke_resume(struct driver *driver, struct invoke_request *request);
/* The client is gone: `cb` is not called any more and `request` is the caller's. A
 * durable execution goes on; an ordinary invocation is left to run to its end. */
void driver_invoke_abandon(struct driver *driver, struct invoke_request *request);

/* --- durable executions ------------------------------------------------------------ */

/* One request about one execution; which members are used, each function says. */
struct execution_request {
    const struct principal *principal;
    struct bytes arn;          /* as the client gave it, decoded */
    struct bytes payload;      /* callback result; absent when data is NULL */
    struct error_object error; /* stop, callback failure */
    struct bytes callback_id;
    bool has_data;   /* IncludeExecutionData */
    bool is_reverse; /* ReverseOrder */
    uint32_t items_max;
    struct bytes marker;
    /* checkpoints over HTTP */
    struct bytes token;
    struct bytes client_token;
    struct op_update *updates;
    size_t update_count;
    void (*cb)(struct execution_request *request);
    /* the answer */
    struct driver_error failure;
    struct buf json;   /* the body, whole; the driver frees it after `cb` */
    struct bytes kept; /* of a checkpoint in place of it: valid until `cb` returns */
    int64_t time_ms;   /* stop: when it ended */
    void *state;
};

void driver_get_execution(struct driver *driver, struct execution_request *request);
void driver_get_history(struct driver *driver, struct execution_request *request);
void driver_stop(struct driver *driver, struct execution_request *request);
void driver_redrive(struct driver *driver, struct execution_request *request);
void driver_callback_succeed(struct driver *driver, struct execution_request *request);
void driver_callback_fail(struct driver *driver, struct execution_request *request);
void driver_callback_heartbeat(struct driver *driver, struct execution_request *request);
void driver_checkpoint(struct driver *driver, struct execution_request *request);
void driver_get_state(struct driver *driver, struct execution_request *request);
/* The token for checkpoint `seq` (the first is 1) of an attempt, for the event that its
 * durable function gets. */
void driver_checkpoint_token(const struct driver *driver, const struct id *exec_id,
                             uint32_t attempt, uint32_t seq, char text[TOKEN_TEXT_MAX]);
/* The client is gone: no `cb`. What was asked may still happen. */
void driver_abandon(struct driver *driver, struct execution_request *request);

/* --- lists -------------------------------------------------------------------------- */

struct list_request {
    const struct principal *principal;
    struct bytes function;       /* name or ARN; empty: all of the tenant */
    struct bytes versions[2];    /* "$LATEST" or a number; both empty: all */
    struct bytes execution_name; /* empty: any */
    uint32_t statuses;           /* bit per enum exec_status; 0 = all */
    int64_t started_after_ms;
    int64_t started_before_ms;
    bool is_oldest_first;
    uint8_t kind; /* enum exec_kind; 0 = durable */
    bool is_pawl; /* /pawl/v1/executions: "Executions" with FunctionName and Kind */
    uint32_t items_max;
    struct bytes marker;
    void (*cb)(struct list_request *request);
    struct driver_error failure;
    struct buf json;
    void *state;
};
void driver_list(struct driver *driver, struct list_request *request);
void driver_list_abandon(struct driver *driver, struct list_request *request);

/* --- the operator ---------------------------------------------------------------------- */

/* Appends the members of GET /pawl/v1/status: executions, invocations, journal, environments. */
void driver_put_status(struct driver *driver, struct buf *json);

/* Opens and checks every frame, some at a time, while serving; `json` at the end is
 * {"Checked":n,"Damaged":[…]}. */
typedef void (*driver_scrub_cb)(void *arg, struct bytes json);
void driver_scrub(struct driver *driver, void *arg, driver_scrub_cb cb);

#endif /* ENGINE_DRIVER_DRIVER_H */
