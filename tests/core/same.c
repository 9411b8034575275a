#include "tests/core/same.h"

#define DIFFERS(a, b, field)                                                                       \
    if ((a)->field != (b)->field) {                                                                \
        return #field;                                                                             \
    }
#define BYTES_DIFFER(a, b, field)                                                                  \
    if (!bytes_equal((a)->field, (b)->field)) {                                                    \
        return #field;                                                                             \
    }
#define IDS_DIFFER(a, b, field)                                                                    \
    if (!id_equal(&(a)->field, &(b)->field)) {                                                     \
        return #field;                                                                             \
    }
#define REFS_DIFFER(a, b, field)                                                                   \
    if ((a)->field.record_no != (b)->field.record_no || (a)->field.len != (b)->field.len) {        \
        return #field;                                                                             \
    }

static const char *family_difference(const struct op *a, const struct op *b)
{
    const struct list *from_a = a->children.next;
    const struct list *from_b = b->children.next;

    if ((a->parent == NULL) != (b->parent == NULL) ||
        (a->parent != NULL && !bytes_equal(a->parent->id, b->parent->id))) {
        return "op.parent";
    }
    for (; from_a != &a->children && from_b != &b->children;
         from_a = from_a->next, from_b = from_b->next) {
        if (!bytes_equal(container_of(from_a, struct op, sibling)->id,
                         container_of(from_b, struct op, sibling)->id)) {
            return "op.children";
        }
    }
    return (from_a == &a->children && from_b == &b->children) ? NULL : "op.children";
}

static const char *pending_difference(const struct op *a, const struct op *b)
{
    DIFFERS(a, b, has_pending_result)
    if (!a->has_pending_result) {
        return NULL;
    }
    DIFFERS(a, b, pending_status)
    DIFFERS(a, b, pending_has_payload)
    DIFFERS(a, b, pending_has_error)
    DIFFERS(a, b, pending_payload_len)
    return bytes_equal(buf_bytes(&a->pending_copy), buf_bytes(&b->pending_copy))
               ? NULL
               : "op.pending_copy";
}

static const char *op_difference(const struct op *a, const struct op *b)
{
    const char *field;

    BYTES_DIFFER(a, b, id)
    BYTES_DIFFER(a, b, name)
    BYTES_DIFFER(a, b, sub_type)
    BYTES_DIFFER(a, b, function)
    BYTES_DIFFER(a, b, tenant_id)
    DIFFERS(a, b, type)
    DIFFERS(a, b, status)
    DIFFERS(a, b, attempt)
    DIFFERS(a, b, timeout_s)
    DIFFERS(a, b, heartbeat_s)
    DIFFERS(a, b, wait_s)
    DIFFERS(a, b, start_ms)
    DIFFERS(a, b, end_ms)
    DIFFERS(a, b, due_ms)
    DIFFERS(a, b, timeout_ms)
    DIFFERS(a, b, heartbeat_ms)
    DIFFERS(a, b, changed)
    DIFFERS(a, b, replay_children)
    DIFFERS(a, b, is_pruned)
    IDS_DIFFER(a, b, child_id)
    REFS_DIFFER(a, b, result)
    REFS_DIFFER(a, b, error)
    REFS_DIFFER(a, b, input)
    if ((a->deadline.place == 0) != (b->deadline.place == 0) ||
        (a->deadline.place != 0 && a->deadline.key != b->deadline.key)) {
        return "op.deadline";
    }
    field = pending_difference(a, b);
    return (field != NULL) ? field : family_difference(a, b);
}

static const char *ops_difference(const struct exec *a, const struct exec *b)
{
    const struct list *from_a = a->ops.next;
    const struct list *from_b = b->ops.next;

    for (; from_a != &a->ops && from_b != &b->ops; from_a = from_a->next, from_b = from_b->next) {
        const struct op *op = container_of(from_a, struct op, in_exec);
        const char *field = op_difference(op, container_of(from_b, struct op, in_exec));

        if (field != NULL) {
            return field;
        }
        if (exec_find_op(b, op->id) != container_of(from_b, struct op, in_exec)) {
            return "op_table";
        }
    }
    return (from_a == &a->ops && from_b == &b->ops) ? NULL : "ops";
}

/* Each operation once, in the order of its last change. */
static const char *changes_disorder(const struct exec *exec)
{
    const struct list *item;
    uint64_t last = 0;
    uint32_t count = 0;

    list_for_each (item, &exec->changes) {
        const struct op *op =
            (const struct op *)(const void *)((const char *)item - offsetof(struct op, in_changes));

        if (op->changed <= last || item->next->prev != item || ++count > exec->op_count) {
            return "changes";
        }
        last = op->changed;
    }
    return (count == exec->op_count) ? NULL : "changes";
}

static const char *opening_difference(const struct exec *a, const struct exec *b)
{
    IDS_DIFFER(a, b, id)
    DIFFERS(a, b, tenant)
    IDS_DIFFER(a, b, function_id)
    DIFFERS(a, b, kind)
    BYTES_DIFFER(a, b, name)
    BYTES_DIFFER(a, b, function)
    BYTES_DIFFER(a, b, tenant_id)
    BYTES_DIFFER(a, b, parent_op)
    BYTES_DIFFER(a, b, trace_id)
    BYTES_DIFFER(a, b, on_success)
    BYTES_DIFFER(a, b, on_failure)
    IDS_DIFFER(a, b, parent_exec)
    IDS_DIFFER(a, b, telling_id)
    DIFFERS(a, b, revision)
    DIFFERS(a, b, retention_days)
    DIFFERS(a, b, retries_max)
    DIFFERS(a, b, event_age_s)
    DIFFERS(a, b, start_ms)
    DIFFERS(a, b, deadline_ms)
    DIFFERS(a, b, timeout_s)
    REFS_DIFFER(a, b, input)
    return (memcmp(a->digest, b->digest, sizeof a->digest) == 0) ? NULL : "digest";
}

static const char *state_difference(const struct exec *a, const struct exec *b)
{
    DIFFERS(a, b, status)
    DIFFERS(a, b, is_held)
    DIFFERS(a, b, is_parent_notified)
    DIFFERS(a, b, end_ms)
    DIFFERS(a, b, attempt)
    DIFFERS(a, b, is_running)
    DIFFERS(a, b, has_result)
    DIFFERS(a, b, result_has_payload)
    DIFFERS(a, b, result_status)
    IDS_DIFFER(a, b, request_id)
    DIFFERS(a, b, attempt_ms)
    DIFFERS(a, b, failures)
    DIFFERS(a, b, retry_ms)
    REFS_DIFFER(a, b, result)
    REFS_DIFFER(a, b, error)
    if (!bytes_equal(buf_bytes(&a->result_copy), buf_bytes(&b->result_copy))) {
        return "result_copy";
    }
    return NULL;
}

static const char *count_difference(const struct exec *a, const struct exec *b)
{
    DIFFERS(a, b, events)
    DIFFERS(a, b, records)
    DIFFERS(a, b, history_bytes)
    DIFFERS(a, b, change_no)
    DIFFERS(a, b, last_ms)
    DIFFERS(a, b, op_count)
    DIFFERS(a, b, deadlines.count)
    DIFFERS(a, b, pending_results)
    DIFFERS(a, b, pending_count)
    return (a->unsent_chains <= b->unsent_chains) ? NULL : "unsent_chains";
}

const char *same_difference(const struct exec *live, const struct exec *restored)
{
    const char *field = opening_difference(live, restored);

    if (field == NULL) {
        field = state_difference(live, restored);
    }
    if (field == NULL) {
        field = count_difference(live, restored);
    }
    if (field == NULL) {
        field = changes_disorder(live);
    }
    return (field != NULL) ? field : ops_difference(live, restored);
}
