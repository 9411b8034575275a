/* What an accepted checkpoint does: one or two records an update, in their order
 * (lambda-api: "what each update does"). */
#include "engine/core/turn.h"

static struct record record_of_update(const struct op_update *update, enum record_kind kind)
{
    return (struct record){
        .kind = kind,
        .op_id = update->id,
        .parent_id = update->parent_id,
        .name = update->name,
        .sub_type = update->sub_type,
        .has_payload = update->has_payload,
        .payload = update->payload,
        .has_error = update->has_error,
        .error = update->error,
    };
}

/* Names and parents travel with each event of the history, also when an update
 * left them out because its operation is known. */
static struct record complete_record(const struct exec *exec, const struct op_update *update,
                                     enum record_kind kind)
{
    struct record record = record_of_update(update, kind);
    const struct op *op = exec_find_op(exec, update->id);

    if (op != NULL) {
        record.op_id = op->id;
        record.name = op->name;
        record.sub_type = op->sub_type;
        record.parent_id = (op->parent != NULL) ? op->parent->id : (struct bytes){0};
    }
    return record;
}

static void perform_step(struct turn *turn, const struct op_update *update)
{
    enum record_kind kind = STEP_STARTED;
    const struct op *op = exec_find_op(turn->exec, update->id);
    struct record record;

    if (update->action == OP_SUCCEED || (update->action == OP_RETRY && update->has_payload)) {
        kind = STEP_SUCCEEDED;
    } else if (update->action != OP_START) {
        kind = STEP_FAILED;
    }
    record = complete_record(turn->exec, update, kind);
    if (kind != STEP_STARTED) {
        record.attempt = (op != NULL) ? op->attempt + 1 : 1;
    }
    if (update->action == OP_RETRY) {
        record.delay_s = update->delay_s;
        record.due_ms = turn->command->now_ms + (int64_t)update->delay_s * 1000;
    }
    turn_record(turn, record);
}

static void perform_context(struct turn *turn, const struct op_update *update)
{
    enum record_kind kind = (update->action == OP_START)     ? CONTEXT_STARTED
                            : (update->action == OP_SUCCEED) ? CONTEXT_SUCCEEDED
                                                             : CONTEXT_FAILED;
    struct record record = complete_record(turn->exec, update, kind);

    record.replay_children = update->replay_children;
    turn_record(turn, record);
}

static void perform_wait(struct turn *turn, const struct op_update *update)
{
    struct record record = complete_record(
        turn->exec, update, (update->action == OP_START) ? WAIT_STARTED : WAIT_CANCELLED);

    if (update->action == OP_START) {
        record.delay_s = update->wait_s;
        record.due_ms = turn->command->now_ms + (int64_t)update->wait_s * 1000;
    }
    turn_record(turn, record);
}

static void perform_callback(struct turn *turn, const struct op_update *update)
{
    struct record record = complete_record(turn->exec, update, CALLBACK_STARTED);

    record.timeout_s = update->timeout_s;
    record.heartbeat_s = update->heartbeat_s;
    record.due_ms = turn_clock(turn);
    turn_record(turn, record);
}

/* A target that cannot be started fails like one that was: its error waits for the
 * invocation's end or its next checkpoint. */
static void perform_chained(struct turn *turn, const struct op_update *update)
{
    struct record record = complete_record(turn->exec, update, CHAINED_INVOKE_STARTED);
    struct op *op;

    if (update->action == OP_CANCEL) {
        record.kind = CHAINED_INVOKE_STOPPED;
        turn_record(turn, record);
        return;
    }
    record.function = update->function;
    record.tenant_id = update->tenant_id;
    record.arn = update->child_arn;
    record.request_id = update->child_id;
    record.has_error = false;
    record.error = (struct bytes){0};
    turn_record(turn, record);
    op = exec_find_op(turn->exec, update->id);
    if (turn->error != 0 || op == NULL) {
        return;
    }
    if (update->has_error) {
        record = record_of_op(op, NOTE_CHAINED_RESULT);
        record.op_status = OP_FAILED;
        record.has_error = true;
        record.error = update->error;
        turn_record(turn, record);
        return;
    }
    turn_action(turn, (struct action){.kind = ACTION_CHAIN,
                                      .op = op,
                                      .has_payload = update->has_payload,
                                      .payload = update->payload});
}

static void perform_execution(struct turn *turn, const struct op_update *update)
{
    turn_record(turn, (struct record){
                          .kind = NOTE_EXECUTION_RESULT,
                          .op_status = (update->action == OP_SUCCEED) ? OP_SUCCEEDED : OP_FAILED,
                          .has_payload = update->has_payload,
                          .payload = update->payload,
                          .has_error = update->has_error,
                          .error = update->error,
                      });
}

void checkpoint_perform(struct turn *turn)
{
    for (uint32_t i = 0; i < turn->command->update_count && turn->error == 0; i++) {
        const struct op_update *update = &turn->command->updates[i];

        switch (update->type) {
        case OP_STEP:
            perform_step(turn, update);
            break;
        case OP_CONTEXT:
            perform_context(turn, update);
            break;
        case OP_WAIT:
            perform_wait(turn, update);
            break;
        case OP_CALLBACK:
            perform_callback(turn, update);
            break;
        case OP_CHAINED_INVOKE:
            perform_chained(turn, update);
            break;
        default:
            perform_execution(turn, update);
            break;
        }
    }
}
