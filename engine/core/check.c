/* Which checkpoints are refused. Rules and texts are those of AWS's own emulator
 * (Python testing package of the durable SDK); all of them make an
 * InvalidParameterValueException. Nothing is changed here: a batch is checked as a
 * whole against the stored operations and its own earlier updates. */
#include "engine/core/turn.h"

/* What a batch has said of one operation before the update being checked. */
struct seen {
    const struct op_update *start; /* its START in this batch */
    uint32_t count;                /* of updates with this id */
};

static struct seen look_back(const struct op_update *updates, uint32_t at)
{
    struct seen seen = {0};

    for (uint32_t i = 0; i < at; i++) {
        if (updates[i].id.len == updates[at].id.len && bytes_equal(updates[i].id, updates[at].id)) {
            seen.count++;
            if (updates[i].action == OP_START) {
                seen.start = &updates[i];
            }
        }
    }
    return seen;
}

static bool is_id_valid(struct bytes id)
{
    if (id.len == 0 || id.len > OP_ID_MAX) {
        return false;
    }
    for (size_t i = 0; i < id.len; i++) {
        uint8_t c = id.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!is_letter && !(c >= '0' && c <= '9') && c != '-' && c != '_') {
            return false;
        }
    }
    return true;
}

static bool is_name_valid(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] < 0x20 || name.data[i] > 0x7E) {
            return false;
        }
    }
    return name.len <= OP_NAME_MAX;
}

static bool is_parent_valid(const struct exec *exec, const struct op_update *updates, uint32_t at)
{
    const struct bytes parent_id = updates[at].parent_id;
    const struct op *stored;

    if (parent_id.len == 0) {
        return true;
    }
    stored = exec_find_op(exec, parent_id);
    if (stored != NULL) {
        return stored->type == OP_CONTEXT;
    }
    for (uint32_t i = 0; i < at; i++) {
        if (updates[i].type == OP_CONTEXT && updates[i].action == OP_START &&
            bytes_equal(updates[i].id, parent_id)) {
            return true;
        }
    }
    return false;
}

static const char *check_same(const struct op_update *update, enum op_type type,
                              struct bytes sub_type, struct bytes name, struct bytes parent_id)
{
    if (update->type != type) {
        return "Inconsistent operation type.";
    }
    if (update->sub_type.len > 0 && !bytes_equal(update->sub_type, sub_type)) {
        return "Inconsistent operation subtype.";
    }
    if (update->name.len > 0 && !bytes_equal(update->name, name)) {
        return "Inconsistent operation name.";
    }
    if (update->parent_id.len > 0 && !bytes_equal(update->parent_id, parent_id)) {
        return "Inconsistent parent operation id.";
    }
    return NULL;
}

static const char *check_consistency(const struct op *stored, const struct op_update *start,
                                     const struct op_update *update)
{
    if (stored != NULL) {
        struct bytes parent = (stored->parent != NULL) ? stored->parent->id : (struct bytes){0};

        return check_same(update, stored->type, stored->sub_type, stored->name, parent);
    }
    if (start != NULL) {
        return check_same(update, start->type, start->sub_type, start->name, start->parent_id);
    }
    return NULL;
}

static const char *check_payload(const struct op_update *update)
{
    size_t max = OP_PAYLOAD_BYTES_MAX;

    if (update->type == OP_CHAINED_INVOKE) {
        max = OP_INVOKE_PAYLOAD_BYTES_MAX;
    } else if (update->type == OP_EXECUTION) {
        max = EXEC_RESULT_BYTES_MAX;
    }
    if (update->has_payload && update->payload.len > max) {
        return "Payload size exceeds the limit of the operation type.";
    }
    if (update->has_error && update->error.len > OP_ERROR_BYTES_MAX) {
        return "Error object size must be less than 32768 bytes.";
    }
    if (update->action == OP_SUCCEED && update->has_error) {
        return "Cannot provide an Error for SUCCEED action.";
    }
    if (update->action == OP_FAIL && update->has_payload) {
        return "Cannot provide a Payload for FAIL action.";
    }
    return NULL;
}

/* `status` is that of the operation before the update; NONE when it is new. */
static const char *check_step(const struct op_update *update, enum op_status status)
{
    bool is_open = status == OP_STATUS_NONE || status == OP_STARTED || status == OP_READY;

    switch (update->action) {
    case OP_START:
        return (status == OP_STATUS_NONE || status == OP_READY)
                   ? NULL
                   : "Invalid current STEP state to start.";
    case OP_SUCCEED:
    case OP_FAIL:
        return is_open ? NULL : "Invalid current STEP state to close.";
    case OP_RETRY:
        if (!is_open) {
            return "Invalid current STEP state to re-attempt.";
        }
        if (!update->has_step_options || update->delay_s < 1 || update->delay_s > OP_DELAY_S_MAX) {
            return "Invalid StepOptions for the given action.";
        }
        return (update->has_error && update->has_payload)
                   ? "Cannot provide both error and payload to RETRY a STEP."
                   : NULL;
    default:
        return "Invalid action for the given operation type.";
    }
}

static const char *check_context(const struct op_update *update, enum op_status status)
{
    switch (update->action) {
    case OP_START:
        return (status == OP_STATUS_NONE) ? NULL : "Cannot start a CONTEXT that already exist.";
    case OP_SUCCEED:
    case OP_FAIL:
        return (status == OP_STATUS_NONE || status == OP_STARTED)
                   ? NULL
                   : "Invalid current CONTEXT state to close.";
    default:
        return "Invalid action for the given operation type.";
    }
}

static const char *check_wait(const struct op_update *update, enum op_status status)
{
    switch (update->action) {
    case OP_START:
        if (status != OP_STATUS_NONE) {
            return "Cannot start a WAIT that already exist.";
        }
        return (update->wait_s >= 1 && update->wait_s <= OP_DELAY_S_MAX)
                   ? NULL
                   : "Invalid WaitOptions for the given action.";
    case OP_CANCEL:
        return (status == OP_STARTED)
                   ? NULL
                   : "Cannot cancel a WAIT that does not exist or has already completed.";
    default:
        return "Invalid action for the given operation type.";
    }
}

static const char *check_callback(const struct op_update *update, enum op_status status)
{
    if (update->action != OP_START) {
        return "Invalid action for the given operation type.";
    }
    if (status != OP_STATUS_NONE) {
        return "Cannot start a CALLBACK that already exist.";
    }
    return (update->timeout_s <= OP_TIMEOUT_S_MAX && update->heartbeat_s <= OP_TIMEOUT_S_MAX)
               ? NULL
               : "Invalid CallbackOptions for the given action.";
}

static const char *check_chained(const struct op_update *update, enum op_status status)
{
    switch (update->action) {
    case OP_START:
        if (status != OP_STATUS_NONE) {
            return "Cannot start an INVOKE that already exist.";
        }
        return (update->function.len > 0) ? NULL
                                          : "Invalid ChainedInvokeOptions for the given action.";
    case OP_CANCEL:
        return (status == OP_STARTED)
                   ? NULL
                   : "Cannot cancel an INVOKE that does not exist or has already completed.";
    default:
        return "Invalid action for the given operation type.";
    }
}

static const char *check_state(const struct op_update *update, enum op_status status)
{
    switch (update->type) {
    case OP_STEP:
        return check_step(update, status);
    case OP_CONTEXT:
        return check_context(update, status);
    case OP_WAIT:
        return check_wait(update, status);
    case OP_CALLBACK:
        return check_callback(update, status);
    case OP_CHAINED_INVOKE:
        return check_chained(update, status);
    case OP_EXECUTION:
        return (update->action == OP_SUCCEED || update->action == OP_FAIL)
                   ? NULL
                   : "Invalid EXECUTION action.";
    default:
        return "Unknown operation type.";
    }
}

static const char *check_batch_rules(const struct op_update *updates, uint32_t count, uint32_t at,
                                     const struct seen *seen)
{
    const struct op_update *update = &updates[at];
    bool may_pair = seen->count == 1 && seen->start != NULL && update->action != OP_START &&
                    (update->type == OP_STEP || update->type == OP_CONTEXT);

    if (update->type == OP_EXECUTION) {
        for (uint32_t i = 0; i < at; i++) {
            if (updates[i].type == OP_EXECUTION) {
                return "Cannot checkpoint multiple EXECUTION updates.";
            }
        }
        if (at + 1 != count) {
            bool is_more = false;

            for (uint32_t i = at + 1; i < count; i++) {
                is_more |= updates[i].type == OP_EXECUTION;
            }
            return is_more ? "Cannot checkpoint multiple EXECUTION updates."
                           : "EXECUTION checkpoint must be the last update.";
        }
    }
    return (seen->count > 0 && !may_pair)
               ? "Cannot checkpoint multiple operations with the same ID."
               : NULL;
}

/* A result that has come but is not an event yet has ended the operation: this very
 * checkpoint makes it one. */
static enum op_status stored_status(const struct op *stored)
{
    if (stored == NULL) {
        return OP_STATUS_NONE;
    }
    return stored->has_pending_result ? stored->pending_status : stored->status;
}

static const char *check_update(const struct exec *exec, const struct op_update *updates,
                                uint32_t count, uint32_t at)
{
    const struct op_update *update = &updates[at];
    const struct op *stored = exec_find_op(exec, update->id);
    struct seen seen = look_back(updates, at);
    enum op_status status = stored_status(stored);
    const char *text = check_batch_rules(updates, count, at, &seen);

    if (text != NULL) {
        return text;
    }
    if (!is_id_valid(update->id) || !is_name_valid(update->name) ||
        update->sub_type.len > OP_SUB_TYPE_MAX) {
        return "Invalid operation id, name or subtype.";
    }
    if (update->type == OP_EXECUTION) {
        text = check_state(update, status);
        return (text != NULL) ? text : check_payload(update);
    }
    if (!is_parent_valid(exec, updates, at)) {
        return "Invalid parent operation id.";
    }
    text = check_consistency(stored, seen.start, update);
    if (text == NULL) {
        text = check_state(update, (seen.start != NULL) ? OP_STARTED : status);
    }
    return (text != NULL) ? text : check_payload(update);
}

const char *checkpoint_check(const struct exec *exec, const struct op_update *updates,
                             uint32_t count)
{
    if (count > UPDATES_MAX) {
        return "Too many updates in one checkpoint.";
    }
    for (uint32_t i = 0; i < count; i++) {
        const char *text = check_update(exec, updates, count, i);

        if (text != NULL) {
            return text;
        }
    }
    return NULL;
}
