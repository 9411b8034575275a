#include "engine/core/execution_edit.h"

#include "engine/base/err.h"
#include "engine/base/mem.h"

struct exec *exec_create(const struct id *id)
{
    struct exec *exec = mem_calloc(1, sizeof *exec);

    if (exec == NULL) {
        return NULL;
    }
    exec->id = *id;
    exec->state = EXEC_LOADING;
    list_init(&exec->ops);
    list_init(&exec->changes);
    list_init(&exec->waiting);
    list_init(&exec->ready_link);
    return exec;
}

static void free_texts(struct exec *exec)
{
    mem_free((void *)(uintptr_t)exec->name.data);
    mem_free((void *)(uintptr_t)exec->function.data);
    mem_free((void *)(uintptr_t)exec->tenant_id.data);
    mem_free((void *)(uintptr_t)exec->parent_op.data);
    mem_free((void *)(uintptr_t)exec->trace_id.data);
    mem_free((void *)(uintptr_t)exec->on_success.data);
    mem_free((void *)(uintptr_t)exec->on_failure.data);
}

void exec_destroy(struct exec *exec)
{
    struct list *item;

    if (exec == NULL) {
        return;
    }
    while ((item = list_pop_front(&exec->ops)) != NULL) {
        op_destroy(container_of(item, struct op, in_exec));
    }
    table_fini(&exec->op_table);
    heap_fini(&exec->deadlines);
    buf_fini(&exec->result_copy);
    free_texts(exec);
    mem_free(exec);
}

static int replace_text(struct bytes *text, struct bytes with)
{
    uint8_t *copy = mem_dup(with.data, with.len);

    if (copy == NULL) {
        return ERR(ERR_NOMEM, "text of a damaged execution");
    }
    mem_free((void *)(uintptr_t)text->data);
    *text = bytes_of(copy, with.len);
    return 0;
}

int exec_take_head(struct exec *exec, const struct exec_head *head)
{
    int r = replace_text(&exec->name, head->name);

    if (r == 0) {
        r = replace_text(&exec->function, head->function);
    }
    exec->tenant = head->tenant;
    exec->function_id = head->function_id;
    exec->kind = head->kind;
    exec->status = head->status;
    exec->revision = head->revision;
    exec->retention_days = head->retention_days;
    exec->start_ms = head->start_ms;
    exec->end_ms = head->end_ms;
    exec->events = head->events;
    exec->records = head->records;
    exec->is_running = false;
    exec->is_damaged = true;
    return r;
}

static struct bytes place_text(uint8_t **at, struct bytes text)
{
    struct bytes placed = bytes_of(*at, text.len);

    if (text.len > 0) {
        memcpy(*at, text.data, text.len);
    }
    *at += text.len + 1; /* with a zero byte behind it */
    return placed;
}

/* One block holds the operation and its texts. */
struct op *op_create(const struct record *record)
{
    size_t texts = record->op_id.len + record->name.len + record->sub_type.len +
                   record->function.len + record->tenant_id.len + 5;
    struct op *op = mem_calloc(1, sizeof *op + texts);
    uint8_t *at = (uint8_t *)(op + 1);

    if (op == NULL) {
        return NULL;
    }
    list_init(&op->children);
    list_init(&op->sibling);
    list_init(&op->in_exec);
    list_init(&op->in_changes);
    op->id = place_text(&at, record->op_id);
    op->name = place_text(&at, record->name);
    op->sub_type = place_text(&at, record->sub_type);
    op->function = place_text(&at, record->function);
    op->tenant_id = place_text(&at, record->tenant_id);
    return op;
}

void op_destroy(struct op *op)
{
    if (op != NULL) {
        buf_fini(&op->pending_copy);
    }
    mem_free(op);
}

struct op *exec_find_op(const struct exec *exec, struct bytes id)
{
    struct table_node *node = table_first(&exec->op_table, table_hash(id));

    for (; node != NULL; node = table_next(node)) {
        struct op *op = container_of(node, struct op, by_id);

        if (bytes_equal(op->id, id)) {
            return op;
        }
    }
    return NULL;
}

void exec_note_change(struct exec *exec, struct op *op)
{
    op->changed = ++exec->change_no;
    list_remove(&op->in_changes);
    list_push_back(&exec->changes, &op->in_changes);
}

static int64_t earlier(int64_t a, int64_t b)
{
    if (a == 0 || b == 0) {
        return a + b;
    }
    return (a < b) ? a : b;
}

int64_t exec_timer_ms(const struct exec *exec)
{
    const struct heap_node *first = heap_min(&exec->deadlines);
    int64_t timer_ms = exec->deadline_ms;

    if (exec_is_closed(exec) || exec->is_damaged) {
        return EXEC_WAKE_NEVER;
    }
    if (exec->is_held) {
        return timer_ms;
    }
    if (first != NULL) {
        timer_ms = earlier(timer_ms, first->key);
    }
    return earlier(timer_ms, exec->retry_ms);
}

struct bytes exec_destination(const struct exec *exec)
{
    switch (exec->status) {
    case EXEC_SUCCEEDED:
        return exec->on_success;
    case EXEC_FAILED:
    case EXEC_TIMED_OUT:
        return exec->on_failure;
    default:
        return (struct bytes){0};
    }
}

/* A child that its parent does not know to have ended, an end that a destination does not
 * have, and an operation whose target may not have been started, must be found by
 * recovery as well. */
int64_t exec_wake_ms(const struct exec *exec)
{
    if (exec_is_closed(exec)) {
        bool has_listener = !id_is_none(&exec->parent_exec) || exec_destination(exec).len > 0;

        return (has_listener && !exec->is_parent_notified) ? EXEC_WAKE_NOW : EXEC_WAKE_NEVER;
    }
    if (exec->is_damaged) {
        return EXEC_WAKE_NEVER;
    }
    if (exec->is_running || (exec->unsent_chains > 0 && !exec->is_held)) {
        return EXEC_WAKE_NOW;
    }
    return exec_timer_ms(exec);
}
