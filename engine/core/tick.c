#include "engine/core/tick.h"

#include <assert.h>

#include "engine/core/attempt.h"

static void fire_callback(struct turn *turn, struct op *op)
{
    struct record record = record_of_op(op, CALLBACK_TIMED_OUT);
    bool is_heartbeat = op->heartbeat_ms != 0 && op->heartbeat_ms <= turn->command->now_ms &&
                        (op->timeout_ms == 0 || op->heartbeat_ms < op->timeout_ms);

    record.has_error = true;
    record.error = is_heartbeat
                       ? turn_error(turn, "Callback.Heartbeat", "Callback timed out on heartbeat")
                       : turn_error(turn, "Callback.Timeout", "Callback timed out");
    turn_record(turn, record);
}

static void fire_op(struct turn *turn, struct op *op)
{
    struct record record;

    switch (op->type) {
    case OP_WAIT:
        record = record_of_op(op, WAIT_SUCCEEDED);
        record.delay_s = op->wait_s;
        turn_record(turn, record);
        break;
    case OP_CALLBACK:
        fire_callback(turn, op);
        break;
    default:
        assert(op->type == OP_STEP); /* nothing else has a deadline */
        turn_record(turn, record_of_op(op, NOTE_STEP_READY));
        break;
    }
}

/* True when something changed. */
static bool fire_timers(struct turn *turn)
{
    uint32_t fired = 0;

    while (fired < TIMERS_MAX && turn->error == 0) {
        struct heap_node *first = heap_min(&turn->exec->deadlines);

        if (first == NULL || first->key > turn->command->now_ms) {
            break;
        }
        fire_op(turn, container_of(first, struct op, deadline));
        fired++;
    }
    return fired > 0;
}

/* The start of a child is idempotent by its id, so it may be asked for again. */
static void send_chains(struct turn *turn)
{
    struct list *item;

    if (turn->exec->unsent_chains == 0) {
        return;
    }
    list_for_each (item, &turn->exec->ops) {
        struct op *op = container_of(item, struct op, in_exec);

        if (op->type == OP_CHAINED_INVOKE && op->status == OP_STARTED && !op->is_chain_sent) {
            turn_action(turn, (struct action){.kind = ACTION_CHAIN, .op = op});
        }
    }
}

static void retry(struct turn *turn)
{
    if (attempt_is_too_old(turn)) {
        turn_end(turn, EXECUTION_FAILED, false, (struct bytes){0}, true,
                 turn_error(turn, "Pawl.EventAgeExceeded",
                            "The event grew too old before it could be tried again."));
        return;
    }
    turn_dispatch(turn);
}

int tick_perform(struct turn *turn)
{
    struct exec *exec = turn->exec;

    if (exec_is_closed(exec)) {
        if (exec_wake_ms(exec) == EXEC_WAKE_NOW) {
            turn_action(turn, (struct action){.kind = ACTION_CLOSED});
        }
        return 0;
    }
    if (exec->is_damaged) {
        return 0;
    }
    if (exec->deadline_ms != 0 && exec->deadline_ms <= turn->command->now_ms) {
        turn_end(turn, EXECUTION_TIMED_OUT, false, (struct bytes){0}, true,
                 turn_error(turn, "Execution.Timeout", "The execution has timed out."));
        return 0;
    }
    if (exec->is_held) {
        return 0;
    }
    send_chains(turn);
    if (exec->is_running && !exec->is_live) {
        (void)fire_timers(turn);
        attempt_cut_off(turn);
    } else if (fire_timers(turn)) {
        turn_wake(turn);
    } else if (exec->retry_ms != 0 && exec->retry_ms <= turn->command->now_ms) {
        retry(turn);
    }
    return 0;
}
