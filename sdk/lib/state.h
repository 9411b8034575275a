/* What is known of an execution's operations: the memory that replay walks over. It
 * comes with an invocation, is kept up to date by it, and may be kept for the next
 * one, which then brings only what has changed since `last`.
 *
 * Everything lives in one arena that only grows; a memo that changes often leaves
 * garbage behind, which `live_bytes` allows to notice. */
#ifndef SDK_LIB_STATE_H
#define SDK_LIB_STATE_H

#include "engine/base/list.h"
#include "engine/base/table.h"
#include "sdk/wire/wire.h"

/* One operation. Payloads and texts have a zero byte behind them. */
struct memo {
    struct table_node by_id;
    struct bytes id;
    enum op_type type;
    enum op_status status;
    struct bytes name;
    struct bytes sub_type;
    uint32_t attempt; /* finished attempts of a step */
    bool replay_children;
    bool has_result;
    bool has_error;
    struct bytes result;
    struct bytes error; /* encoded error object */
    struct bytes callback_id;
    uint64_t own_ticket; /* of our last update of it */
};

struct state {
    struct list lru; /* in the cache */
    struct table_node by_exec;
    struct id exec_id;
    uint64_t last; /* the record it is as of */
    struct table memos;
    struct arena arena;
};

/* NULL without memory. */
struct state *state_create(const struct id *exec_id);
void state_destroy(struct state *state);

struct memo *state_find(const struct state *state, struct bytes id);

/* A new memo; NULL without memory. */
struct memo *state_add(struct state *state, struct bytes id, enum op_type type, struct bytes name,
                       struct bytes sub_type);

/* Takes over what the daemon says of an operation, known or not. False without memory. */
bool state_merge(struct state *state, const struct wire_operation *operation);

/* Copies into the state's memory. False without memory. */
bool state_set_result(struct state *state, struct memo *memo, struct bytes result);
bool state_set_error(struct state *state, struct memo *memo, struct bytes error);

static inline bool memo_has_ended(const struct memo *memo)
{
    return memo->status >= OP_SUCCEEDED;
}

#endif /* SDK_LIB_STATE_H */
