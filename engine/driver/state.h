/* What the driver keeps, for the files of the driver only.
 *
 *   task   one command on its way: submitted -> (waits in the core) -> applied ->
 *          its frame committed -> actions performed -> `done`
 *   hot    the driver's part of a hot execution (exec->user)
 *   run    one attempt in an environment, or an ordinary synchronous invoke
 *
 * The rule of the house: everything that leaves is called from task_finish(), after
 * the commit; only reads of the views are elsewhere, and they wait for the LSN. */
#ifndef ENGINE_DRIVER_STATE_H
#define ENGINE_DRIVER_STATE_H

#include "engine/driver/alias.h"
#include "engine/driver/driver.h"
#include "engine/driver/sealer.h"

struct driver {
    uv_loop_t *loop;
    struct journal *journal;
    struct launcher *launcher;
    struct tenant_keys *keys; /* of the default tenant */
    struct core *core;
    struct functions *functions;
    struct runtimes *runtimes;
    struct access_keys *access_keys;
    struct pool *pool;
    struct logs *logs;
    struct driver_options options;
    struct prng prng;
    uint32_t id_counter;

    struct list free_tasks;
    struct list free_runs;
    struct buf plain;    /* of the frame that is being made */
    uint32_t tasks_open; /* submitted and not finished */
    uint32_t runs_open;

    struct list idle; /* struct hot.idle_link: may be evicted, oldest first */
    uint32_t idle_count;
    struct list leaving; /* likewise, and nobody needs them */
    struct heap timers;  /* struct hot.timer */
    uv_timer_t timer;
    uv_timer_t evict_timer;
    uv_timer_t close_timer;
    uv_timer_t upkeep_timer;
    uv_timer_t full_timer;
    uint64_t opened_lsn;          /* the end of the log when this life began */
    int64_t armed_ms;             /* what `timer` was set for */
    int64_t cold_ms;              /* earliest wake of an execution that is not hot; 0 = none */
    struct journal_due due_after; /* where the walk over what is due goes on */
    uint64_t payload_bytes;       /* kept by all hot executions */
    struct list waits;            /* struct list_wait.link */
    struct list requests;         /* struct pending.link */
    struct list held;             /* struct task.link: until the journal has room */
    bool is_tick_due;             /* one was left out meanwhile */
    uint64_t drain_until;         /* loop time */
    uint32_t handles_open;

    bool is_closing;
    driver_close_cb close_cb;
    void *close_arg;
    uint64_t reserved_soon;            /* concurrency that is being reserved, and not durable yet */
    uint64_t started, ended, answered; /* counters for status */
};

struct task;
/* The command was applied and is durable, or was refused (task->refusal). */
typedef void (*task_done)(struct task *task);

struct task {
    struct command command;
    struct journal_append append;
    struct driver *driver;
    struct arena arena; /* what the command points to */
    struct list link;
    task_done done; /* may be NULL */
    void *arg;
    struct function_revision *revision; /* START: referenced, the execution is to run it */
    bool wants_log_tail;                /* START: its caller wants to see the log's */
    struct buf frame;
    struct exec *exec;
    struct action *actions;
    uint32_t action_count;
    struct record *records; /* of the frame: valid until `done` returns */
    uint32_t record_count;
    enum refusal refusal;
    const char *message;
    bool is_new;
    bool is_repeat;
};

#define CLIENT_TOKEN_MAX 64U

struct payload {
    struct list link;
    uint64_t record_no;
    const struct op *retried; /* kept while this step is not done: each answer has it */
    bool is_error;
    size_t len;
    uint8_t data[];
};

struct run {
    struct invocation invocation;
    struct driver *driver;
    struct list link;
    struct exec *exec; /* NULL when the attempt is fenced, or an ordinary invoke */
    uint32_t attempt;
    uint64_t environment;
    bool is_placed;
    bool is_sent;             /* INVOKE was sent */
    bool must_send;           /* as soon as the execution is not committing */
    bool is_full;             /* send everything, the environment has no state */
    bool is_suspended;        /* it was told to stop at its checkpoint: the daemon ends */
    struct journal_wait wait; /* for the views, before everything is sent */
    bool is_waiting;
    struct invoke_request *request; /* of an ordinary invoke; NULL when abandoned */
    uint64_t streamed_bytes;        /* of its response, in parts */
    bool is_paused;                 /* whoever makes the parts waits for us */
    struct buf answer;              /* body of the message being made */
    struct buf reply;               /* over HTTP: to its last checkpoint */
    uint8_t client_token[CLIENT_TOKEN_MAX];
    size_t client_token_len;
};

struct hot {
    struct driver *driver;
    struct exec *exec;
    uint8_t chain[SEAL_CHAIN_BYTES];
    uint64_t last_lsn;
    struct run *run;                    /* the current attempt's */
    struct function_revision *revision; /* referenced while hot */
    struct list waiters;                /* struct waiter.link */
    struct list payloads;               /* recent ones, for the next INVOKE */
    bool wants_log_tail;                /* somebody who waits does */
    struct buf log_tail;                /* of its last invocation, if so */
    struct journal_wait end_wait;       /* for the views, before a destination is told */
    bool is_end_waiting;
    struct list idle_link;
    bool is_leaving; /* where idle_link is: in driver->leaving, else in ->idle */
    struct heap_node timer;
    uint64_t environment;  /* that ran it last */
    uint64_t known_record; /* that environment has the state as of this record */
    uint64_t known_change;
};

/* A synchronous invoke that waits for the end of a durable execution. */
struct waiter {
    struct list link;
    struct driver *driver;
    struct hot *hot;                /* NULL before the start is durable */
    struct invoke_request *request; /* NULL when abandoned */
    struct journal_wait wait;       /* for the views, where the end is read */
    bool is_reading;
};

static inline struct hot *hot_of(const struct exec *exec)
{
    return exec->user;
}

int64_t driver_now_ms(void);
struct id driver_make_id(struct driver *driver);

/* --- full.c: what the journal's reserve is not for */
void full_init(struct driver *driver);
bool full_may_use_reserve(const struct task *task);
/* True when the task was kept for later, was refused, or is not needed now. */
bool full_holds(struct task *task);
/* At the end: what is still kept is refused. Nobody waits for it any more. */
void full_close(struct driver *driver);

/* --- task.c */
struct task *task_create(struct driver *driver, enum command_kind kind, const struct id *exec_id,
                         task_done done, void *arg);
void task_submit(struct task *task);
void task_drop(struct task *task); /* instead: it is not needed after all */
void task_refuse(struct task *task, enum refusal refusal, const char *message);
struct bytes task_copy(struct task *task, struct bytes bytes);
struct bytes task_error(struct task *task, const char *type, const char *message);
void driver_release_waiting(struct driver *driver);

/* --- hot.c */
struct hot *hot_create(struct driver *driver, struct exec *exec);
void hot_load(struct driver *driver, struct exec *exec);
void hot_settle(struct hot *hot);           /* after a task: timers, idleness */
bool hot_evict_some(struct driver *driver); /* true: there may be more */
void hot_forget_all(struct driver *driver); /* at the end: waiters are told to come back */
void hot_keep_payload(struct hot *hot, const struct record *record, uint64_t record_no);
const struct payload *hot_find_payload(const struct hot *hot, uint64_t record_no, bool is_error);
void hot_drop_payloads(struct hot *hot);
/* Of a step that is tried again: what it holds, as it was read from the views. */
void hot_keep_retried(struct hot *hot, const struct op *op, const struct wire_operation *operation);

/* --- due.c */
void due_start(struct driver *driver);
void due_arm(struct driver *driver);
void due_note_cold(struct driver *driver, int64_t wake_ms);

/* --- concurrency.c: at the start, what the functions' settings say */
void concurrency_load(struct driver *driver);

/* --- provisioned.c: after each change of a function, its versions and aliases */
void provisioned_apply(struct driver *driver, struct function *function);
void provisioned_load(struct driver *driver);

/* --- upkeep.c */
void upkeep_start(struct driver *driver);

/* --- run.c */
struct run *run_create(struct driver *driver);
void run_free(struct run *run);
void run_dispatch(struct hot *hot, uint32_t attempt);
void run_fence(struct hot *hot);
void run_notify(struct hot *hot);

/* --- resume.c */
void run_committed(struct hot *hot); /* what had to wait for the commit is sent */
void run_send(struct run *run);      /* INVOKE, now or when the views have what it needs */
/* The input and every operation with what it holds, from the views, which must be there. */
#define STATE_ARENA_BYTES_MAX ((size_t)256 << 20)
int run_read_state(struct run *run, struct arena *arena, struct wire_invoke *ret_invoke);
/* How many have changed since change `after`: the last ones of exec->changes. */
uint32_t operations_changed(const struct exec *exec, uint64_t after);
/* False when a payload is not in memory. */
bool operation_fill_payloads(const struct hot *hot, const struct op *op,
                             struct wire_operation *ret);
void callback_id_make(const struct driver *driver, const struct exec *exec, struct bytes op_id,
                      char text[TOKEN_TEXT_MAX]);
void operation_of(const struct driver *driver, const struct exec *exec, const struct op *op,
                  struct arena *arena, struct wire_operation *ret);

/* --- child.c */
void child_resolve(struct driver *driver, struct task *task, struct op_update *update);
void child_start(struct task *task, const struct action *action);
void child_taken_in(struct task *task);
void child_ended(struct task *task);

/* --- destination.c */
#define EVENT_SHUT_TYPE "ReservedFunctionConcurrentInvocationLimitExceeded"
void destination_ended(struct task *task);

/* --- answer.c */
/* {"errorType","errorMessage","stackTrace"?} */
void error_put(struct buf *json, const struct error_object *error);
void invoke_answer_error(struct invoke_request *request, int status, const char *name,
                         const char *message);
/* 429; `reason` is one of Lambda's. */
void invoke_answer_throttled(struct invoke_request *request, const char *reason,
                             const char *message);
/* What is run: what was asked for, or the version of the execution that is attached to. */
void invoke_note_version(struct invoke_request *request, struct bytes version);
void invoke_answer_result(struct invoke_request *request, bool has_payload, struct bytes payload,
                          bool is_error, struct bytes error);

/* A failure in the words of a function's runtime. */
void invoke_answer_document(struct invoke_request *request, struct bytes document);

/* --- waiter.c */
void waiters_answer(struct task *task);
/* The execution has ended before: its outcome is read from the views. */
void waiter_answer_stored(struct task *task, struct waiter *waiter);
void waiter_abandon(struct waiter *waiter);
/* Unanswered. */
void waiter_drop(struct waiter *waiter);

/* --- plain.c */
void plain_invoke(struct driver *driver, struct function_revision *revision,
                  struct invoke_request *request);
void plain_resume(struct run *run);
void plain_abandon(struct run *run);

/* --- start.c */
/* Why a function of this isolation cannot be invoked for this tenant id; NULL: it can. */
const char *tenancy_refusal(const struct function_config *config, struct bytes tenant_id);
void start_fill(struct task *task, struct function_revision *revision, struct bytes name,
                struct bytes payload, bool has_payload, enum exec_kind kind);
/* Of an asynchronous invoke: what the function's event invoke config says. */
void start_settle_event(struct task *task, const struct function *function, struct bytes qualifier);

/* --- trace.c */
#define TRACE_TEXT_MAX 80U /* with the end: "Root=1-8-24;Parent=16;Sampled=0", and digits */
/* The trace header of an invocation: what its caller gave, or one that is made of `id`, so
 * that it is the same each time it is asked for. */
struct bytes trace_of(struct bytes given, const struct id *id, char text[TRACE_TEXT_MAX]);
/* The same as an invocation of the function gets it, and what that causes: with the function in
 * its lineage (lineage.h). In the arena; `data` NULL: out of memory. */
struct bytes trace_of_run(struct arena *arena, struct bytes given, const struct id *id,
                          const struct id *function_id);
/* Would what the execution calls run once too often? */
bool trace_is_loop(const struct exec *caller, const struct function *called);

/* --- reference.c */
/* ARN of a function with a qualifier, if it is not empty. */
struct bytes arn_qualify(struct arena *arena, const struct function *function,
                         struct bytes qualifier);
/* The same with the version. */
struct bytes arena_function(struct arena *arena, const struct function_revision *revision);
/* The version in that, or in the ARN of a durable execution: "$LATEST", "3". */
struct bytes arn_version(struct bytes arn);
struct bytes arn_of(struct arena *arena, const struct exec *exec);
struct bytes arn_make(struct arena *arena, struct bytes function, struct bytes name,
                      const struct id *id);

/* A function as a client names it: see function_name.h. False when it is malformed. */
struct reference {
    struct bytes name;
    struct bytes qualifier;
    bool is_foreign; /* another account or region */
};
bool reference_parse(const struct driver *driver, struct bytes text, uint64_t tenant,
                     struct reference *ret_reference);
/* What is to run: an alias with weights is asked anew each time. NULL: there is none. */
struct function_revision *reference_find(struct driver *driver, const struct reference *reference);
/* What a client is told when there is none: with the ARN that was looked for. */
#define REFERENCE_NOT_FOUND_MAX 512U
void reference_not_found(const struct driver *driver, uint64_t tenant,
                         const struct reference *reference, char text[REFERENCE_NOT_FOUND_MAX]);

/* --- request.c */
void requests_answer_all(struct driver *driver);

/* --- history.c */
/* A member with the lines of the stack; none when there are none. */
void error_put_stack(struct buf *json, const char *key, const struct error_object *error);
void history_put_error_object(struct buf *json, struct bytes encoded);

/* --- view.c: walking the records of an execution in the views */
typedef int (*view_visit)(void *arg, const struct record *record, uint64_t record_no);
int view_walk(struct driver *driver, const struct id *exec_id, view_visit visit, void *arg);

#endif /* ENGINE_DRIVER_STATE_H */
