#include "engine/core/arrival.h"

int arrival_callback(struct turn *turn)
{
    const struct command *command = turn->command;
    struct op *op = exec_find_op(turn->exec, command->op_id);
    struct record record;

    if (op == NULL || op->type != OP_CALLBACK) {
        return turn_refuse(turn, REFUSAL_NOT_FOUND, "there is no such callback");
    }
    if (exec_is_closed(turn->exec) || op->status != OP_STARTED ||
        (op->timeout_ms != 0 && command->now_ms >= op->timeout_ms) ||
        (op->heartbeat_ms != 0 && command->now_ms >= op->heartbeat_ms)) {
        return turn_refuse(turn, REFUSAL_CLOSED, "the callback has timed out or was completed");
    }
    record = record_of_op(op, NOTE_HEARTBEAT);
    record.due_ms = turn_clock(turn);
    if (command->op_status != OP_STARTED) {
        record.kind = (command->op_status == OP_SUCCEEDED) ? CALLBACK_SUCCEEDED : CALLBACK_FAILED;
        record.has_payload = command->has_payload;
        record.payload = command->payload;
        record.has_error = command->has_error;
        record.error = command->error;
    }
    turn_record(turn, record);
    if (command->op_status != OP_STARTED) {
        turn_wake(turn);
    }
    return 0;
}

int arrival_chained_result(struct turn *turn)
{
    const struct command *command = turn->command;
    struct op *op = exec_find_op(turn->exec, command->op_id);
    struct record record;

    if (op == NULL || op->type != OP_CHAINED_INVOKE) {
        return turn_refuse(turn, REFUSAL_NOT_FOUND, "there is no such operation");
    }
    if (exec_is_closed(turn->exec) || op->status != OP_STARTED || op->has_pending_result) {
        return turn_refuse(turn, REFUSAL_CLOSED, "the operation has ended");
    }
    record = record_of_op(op, NOTE_CHAINED_RESULT);
    record.op_status = command->op_status;
    record.has_payload = command->has_payload;
    record.payload = command->payload;
    record.has_error = command->has_error;
    record.error = command->error;
    turn_record(turn, record);
    if (!turn->exec->is_running) {
        turn_flush_chained(turn);
    }
    turn_wake(turn);
    return 0;
}
