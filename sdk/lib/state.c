#include "sdk/lib/state.h"

#include "engine/base/mem.h"

struct state *state_create(const struct id *exec_id)
{
    struct state *state = mem_calloc(1, sizeof *state);

    if (state == NULL) {
        return NULL;
    }
    state->exec_id = *exec_id;
    list_init(&state->lru);
    arena_init(&state->arena, 0);
    return state;
}

void state_destroy(struct state *state)
{
    if (state == NULL) {
        return;
    }
    table_fini(&state->memos);
    arena_fini(&state->arena);
    mem_free(state);
}

struct memo *state_find(const struct state *state, struct bytes id)
{
    struct table_node *node;

    for (node = table_first(&state->memos, table_hash(id)); node != NULL; node = table_next(node)) {
        struct memo *memo = container_of(node, struct memo, by_id);

        if (bytes_equal(memo->id, id)) {
            return memo;
        }
    }
    return NULL;
}

/* True when the copy is there, or there was nothing to copy. */
static bool keep(struct state *state, struct bytes from, struct bytes *to)
{
    if (from.len == 0) {
        *to = bytes_of("", 0);
        return true;
    }
    *to = arena_copy(&state->arena, from);
    return to->data != NULL;
}

struct memo *state_add(struct state *state, struct bytes id, enum op_type type, struct bytes name,
                       struct bytes sub_type)
{
    struct memo *memo = arena_alloc(&state->arena, sizeof *memo);

    if (memo == NULL || !keep(state, id, &memo->id) || !keep(state, name, &memo->name) ||
        !keep(state, sub_type, &memo->sub_type)) {
        return NULL;
    }
    memo->type = type;
    if (table_insert(&state->memos, &memo->by_id, table_hash(id)) != 0) {
        return NULL;
    }
    return memo;
}

bool state_set_result(struct state *state, struct memo *memo, struct bytes result)
{
    memo->has_result = true;
    return keep(state, result, &memo->result);
}

bool state_set_error(struct state *state, struct memo *memo, struct bytes error)
{
    memo->has_error = true;
    return keep(state, error, &memo->error);
}

bool state_merge(struct state *state, const struct wire_operation *operation)
{
    struct memo *memo = state_find(state, operation->id);

    if (memo == NULL) {
        memo =
            state_add(state, operation->id, operation->type, operation->name, operation->sub_type);
    }
    if (memo == NULL) {
        return false;
    }
    memo->status = operation->status;
    memo->attempt = operation->attempt;
    memo->replay_children = operation->replay_children;
    memo->has_result = operation->has_result;
    memo->has_error = operation->has_error;
    return keep(state, operation->result, &memo->result) &&
           keep(state, operation->error, &memo->error) &&
           (operation->callback_id.len == 0 ||
            keep(state, operation->callback_id, &memo->callback_id));
}
