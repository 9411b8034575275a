/* Where a handler, child, branch or step stands: its place in the numbering of
 * operations, its memory, its last error. Belongs to one thread. */
#ifndef SDK_LIB_CONTEXT_H
#define SDK_LIB_CONTEXT_H

#include "sdk/lib/invocation.h"

/* Memory of one thread's contexts until the invocation ends. */
struct memory {
    struct list link; /* inv->memories */
    struct arena arena;
};

struct memory *memory_create(struct invocation *inv);
void memory_destroy_all(struct invocation *inv);

enum context_kind {
    CONTEXT_HANDLER,
    CONTEXT_CHILD,
    CONTEXT_STEP,
};

struct defer;

struct pawl_context {
    struct invocation *inv;
    struct memory *memory;
    const struct group *group; /* the batch it is a branch of, or inside */
    enum context_kind kind;
    char id[OP_ID_MAX + 1]; /* of its operation; "" for the handler */
    uint32_t counter;       /* of the operations in it */
    uint32_t attempt;       /* of a step */
    uint64_t chances;       /* random numbers drawn */
    bool is_flat;           /* no operation has its id: what it holds belongs to the one above */
    bool is_suspended;      /* a call has returned PAWL_SUSPENDED */
    bool is_rerun;          /* for the result only: all in it has been done before */
    bool logs_replays;
    struct pawl_error error;
    struct defer *defers;
};

/* A context inside `parent`, in the same thread, for the operation `id`. */
void context_init(struct pawl_context *ctx, const struct pawl_context *parent,
                  enum context_kind kind, const char *id);

/* Runs `fn` in `ctx`, then what it deferred. Returns PAWL_OK, PAWL_FAILED (and ctx->error
 * says why) or PAWL_SUSPENDED, whatever `fn` returned. */
int context_run(struct pawl_context *ctx, pawl_fn *fn, void *arg, struct pawl_value *ret_result);

/* Runs `fn` as a CONTEXT of this sub type; PAWL_OK, PAWL_FAILED, PAWL_SUSPENDED. */
int child_run(struct pawl_context *ctx, const char *name, const char *sub_type, pawl_fn *fn,
              void *arg, struct pawl_value *ret_result);

/* The function of `ctx` has returned; PAWL_SUSPENDED when more is recorded in it than
 * it has asked for, which holds the execution. */
int context_check_end(struct pawl_context *ctx);

/* --- operations ------------------------------------------------------------------- */

/* One operation that the user asks for. */
struct call {
    struct pawl_context *ctx;
    enum op_type type;
    struct bytes name;
    struct bytes sub_type;
    struct bytes parent_id;
    char id[OP_ID_MAX + 1];
    struct memo *memo; /* NULL: new */
};

/* Takes the next place and compares it with what is recorded there. PAWL_OK, or what
 * the durable call is to return. */
int call_begin(struct call *call, struct pawl_context *ctx, enum op_type type, const char *name,
               const char *sub_type);

/* An update of the call's operation, to be filled in. */
struct op_update call_update(const struct call *call, enum op_action action);

/* Queues; then PAWL_OK or PAWL_SUSPENDED. call_send() also waits until it is durable. */
int call_queue(struct call *call, const struct op_update *update);
int call_send(struct call *call, const struct op_update *update);
int call_await(struct call *call);

/* Waits while the operation has this status. PAWL_OK or PAWL_SUSPENDED. */
int call_block(struct call *call, enum op_status status);

/* The status, as it is now. */
enum op_status call_status(struct call *call);

/* Of a step: the attempt that runs or would run next, from 1. */
uint32_t call_attempt(struct call *call);

/* For jitter, which is recorded with the retry and so need not replay. */
uint64_t call_jitter(const struct call *call, uint32_t attempt);

/* The recorded outcome: the result (`ret` may be NULL), or PAWL_FAILED. */
int call_outcome(struct call *call, struct pawl_value *ret);

/* PAWL_SUSPENDED, and remembers it. */
int context_suspend(struct pawl_context *ctx);

/* --- errors ----------------------------------------------------------------------- */

/* The encoded error object, of at most what an operation may have; in ctx's memory. */
struct bytes context_encode_error(struct pawl_context *ctx, const struct pawl_error *error);
void context_decode_error(struct pawl_context *ctx, struct bytes encoded,
                          struct pawl_error *ret_error);

/* --- values ----------------------------------------------------------------------- */

static inline struct bytes value_bytes(struct pawl_value value)
{
    return bytes_of(value.data, value.len);
}

static inline struct pawl_value value_of(bool is_there, struct bytes bytes)
{
    return is_there ? (struct pawl_value){(const char *)bytes.data, bytes.len} : PAWL_ABSENT;
}

/* A copy in ctx's memory. */
struct pawl_value context_keep(struct pawl_context *ctx, struct pawl_value value);

#endif /* SDK_LIB_CONTEXT_H */
