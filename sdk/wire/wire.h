/* The codec: plain structs to and from the protobuf messages of pawl.proto. Sizes
 * are checked before anything is unpacked. Texts and bytes of what is decoded point
 * into the input (so keep it as long), arrays live in the caller's arena. The bytes
 * are those of the code that protobuf-c generates; the tests compare them. */
#ifndef SDK_WIRE_WIRE_H
#define SDK_WIRE_WIRE_H

#include "engine/base/arena.h"
#include "engine/core/record.h"

struct error_object {
    struct bytes type;
    struct bytes message;
    struct bytes data;
    struct bytes *stack; /* stack trace lines */
    size_t stack_count;
};

struct wire_operation {
    struct bytes id;
    enum op_type type;
    enum op_status status;
    struct bytes parent_id;
    struct bytes name;
    struct bytes sub_type;
    uint32_t attempt;
    bool replay_children;
    bool is_pruned;
    bool has_result;
    bool has_error;
    struct bytes result;
    struct bytes error; /* encoded error object */
    int64_t start_ms;
    int64_t end_ms;
    int64_t due_ms;
    struct bytes callback_id;
    bool is_updated; /* since the last invocation ended; not on the wire */
};

struct wire_hello {
    uint32_t protocol;
    struct bytes sdk;
};

struct wire_checkpoint {
    uint32_t seq;
    struct op_update *updates;
    size_t update_count;
};

/* How an invocation ended; the numbers of enum outcome in engine/core/core.h. */
enum wire_outcome {
    WIRE_OUTCOME_PENDING,   /* suspended */
    WIRE_OUTCOME_SUCCEEDED, /* with the payload */
    WIRE_OUTCOME_FAILED,    /* the handler's own failure, with the error */
    WIRE_OUTCOME_ERROR,     /* the invocation failed: it may be tried again */
    WIRE_OUTCOME_HELD,      /* replay differs from what is recorded; the error says how */
};

struct wire_complete {
    uint32_t outcome; /* enum wire_outcome */
    bool has_payload;
    struct bytes payload;
    struct bytes error; /* encoded error object */
};

struct wire_log {
    uint32_t level;
    struct bytes text;
    struct bytes operation_id;
    uint32_t attempt;
};

struct wire_invoke {
    struct bytes request_id;
    struct bytes function_arn;
    int64_t deadline_ms;
    bool has_payload;
    struct bytes payload;
    struct bytes tenant_id;
    struct bytes trace_id;
    struct bytes client_context;
    bool is_durable;
    struct bytes execution_arn;
    uint32_t attempt;
    struct bytes execution_id; /* 16 bytes */
    uint64_t base;
    uint64_t last;
    struct wire_operation *operations;
    size_t operation_count;
    int64_t start_ms;
};

struct wire_checkpointed {
    uint32_t seq;
    struct bytes refusal;
    struct bytes message;
    uint64_t last;
    struct wire_operation *operations;
    size_t operation_count;
};

struct wire_cancel {
    struct bytes reason;
};

/* Encoders append to `buf`, which remembers a failure. The arena is scratch. */
void wire_put_error(struct buf *buf, const struct error_object *error);
void wire_put_hello(struct buf *buf, const struct wire_hello *hello);
void wire_put_checkpoint(struct buf *buf, struct arena *arena,
                         const struct wire_checkpoint *checkpoint);
void wire_put_complete(struct buf *buf, const struct wire_complete *complete);
void wire_put_log(struct buf *buf, const struct wire_log *log);
void wire_put_invoke(struct buf *buf, struct arena *arena, const struct wire_invoke *invoke);
void wire_put_checkpointed(struct buf *buf, struct arena *arena,
                           const struct wire_checkpointed *checkpointed);
void wire_put_cancel(struct buf *buf, const struct wire_cancel *cancel);
void wire_put_records(struct buf *buf, struct arena *arena, const struct record *records,
                      size_t count);

/* Decoders: 0, or ERR_PROTOCOL (also when a limit of operation.h is broken in
 * form: an id too long, an unknown enum is left to the core), or ERR_NOMEM. What
 * is returned lives in `arena` and in `body`. These do not log: the bytes are the other side's. */
int wire_get_error(struct arena *arena, struct bytes body, struct error_object *ret);
int wire_get_hello(struct arena *arena, struct bytes body, struct wire_hello *ret);
int wire_get_checkpoint(struct arena *arena, struct bytes body, struct wire_checkpoint *ret);
int wire_get_complete(struct arena *arena, struct bytes body, struct wire_complete *ret);
int wire_get_log(struct arena *arena, struct bytes body, struct wire_log *ret);
int wire_get_invoke(struct arena *arena, struct bytes body, struct wire_invoke *ret);
int wire_get_checkpointed(struct arena *arena, struct bytes body, struct wire_checkpointed *ret);
int wire_get_cancel(struct arena *arena, struct bytes body, struct wire_cancel *ret);
int wire_get_records(struct arena *arena, struct bytes body, struct record **ret_records,
                     size_t *ret_count);

#endif /* SDK_WIRE_WIRE_H */
