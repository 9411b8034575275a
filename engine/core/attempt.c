#include "engine/core/attempt.h"

#define EVENT_RETRY_S 60 /* then twice as long: 1 and 2 minutes as in Lambda */
#define RETRY_AT_ONCE_MAX 3U

static bool is_current(const struct turn *turn)
{
    const struct exec *exec = turn->exec;

    return !exec_is_closed(exec) && exec->is_running && exec->is_live &&
           exec->attempt == turn->command->attempt;
}

/* Full: the execution fails with a name for it, and never wedges. */
static const char *limit_reached(const struct turn *turn)
{
    const struct core_limits *limits = core_get_limits(turn->core);
    const struct exec *exec = turn->exec;

    if (exec->op_count > limits->operations_max) {
        return "Pawl.OperationLimitExceeded";
    }
    if (exec->events > limits->events_max) {
        return "Pawl.EventLimitExceeded";
    }
    return (exec->history_bytes > limits->history_bytes_max) ? "Pawl.HistorySizeExceeded" : NULL;
}

int attempt_checkpoint(struct turn *turn)
{
    const struct command *command = turn->command;
    struct exec *exec = turn->exec;
    const char *text;

    if (!is_current(turn) || command->seq == 0) {
        return turn_refuse(turn, REFUSAL_STALE, "Invalid Checkpoint Token");
    }
    if (command->seq == exec->seq) {
        turn->actions->is_repeat = true;
        return 0;
    }
    if (command->seq != exec->seq + 1 || exec->has_result) {
        return turn_refuse(turn, REFUSAL_STALE, "Invalid Checkpoint Token");
    }
    text = checkpoint_check(exec, command->updates, command->update_count);
    if (text != NULL) {
        return turn_refuse(turn, REFUSAL_INVALID, text);
    }
    turn_flush_chained(turn);
    checkpoint_perform(turn);
    exec->seq = command->seq;
    exec->reply_no = exec->delivered_no;
    exec->delivered_no = exec->change_no;
    text = limit_reached(turn);
    if (text != NULL) {
        turn_end(turn, EXECUTION_FAILED, false, (struct bytes){0}, true,
                 turn_error(turn, text, "The execution has reached a limit of the service."));
    }
    return 0;
}

static bool has_changes(const struct exec *exec)
{
    return exec->change_no > exec->delivered_no;
}

static void finish_pending(struct turn *turn)
{
    if (has_changes(turn->exec)) {
        turn_dispatch(turn);
    } else if (turn->exec->pending_count == 0) {
        turn_end(turn, EXECUTION_FAILED, false, (struct bytes){0}, true,
                 turn_error(turn, "Pawl.NothingPending",
                            "The invocation was suspended with nothing to wait for."));
    }
}

static int64_t backoff_ms(const struct core_limits *limits, uint32_t failures)
{
    uint64_t delay_s = limits->failure_backoff_s;

    for (uint32_t i = 1; i < failures && delay_s < limits->failure_backoff_max_s; i++) {
        delay_s *= 2;
    }
    if (delay_s > limits->failure_backoff_max_s) {
        delay_s = limits->failure_backoff_max_s;
    }
    return (int64_t)delay_s * 1000;
}

/* An attempt must start before the event has its age, not at that moment: else a retry after
 * 60 s fits an age of 60 s when an attempt fails within the event's own millisecond, and at no
 * other time. */
static bool is_too_old_at(const struct exec *exec, int64_t time_ms)
{
    return exec->kind == EXEC_EVENT &&
           time_ms >= exec->start_ms + (int64_t)exec->event_age_s * 1000;
}

bool attempt_is_too_old(const struct turn *turn)
{
    return is_too_old_at(turn->exec, turn->command->now_ms);
}

static void count_failure(struct turn *turn, int64_t due_ms)
{
    turn_record(turn, (struct record){.kind = NOTE_FAILURE_COUNTED,
                                      .attempt = turn->exec->failures + 1,
                                      .due_ms = due_ms});
}

static void fail_with_command(struct turn *turn)
{
    turn_end(turn, EXECUTION_FAILED, false, (struct bytes){0}, true, turn->command->error);
}

/* A plain function's asynchronous invoke: 2 retries, after 1 and 2 minutes, none
 * later than the event's age allows (Lambda's event invoke config). */
static void finish_failed_event(struct turn *turn)
{
    const struct exec *exec = turn->exec;
    int64_t due_ms = turn->command->now_ms + ((int64_t)EVENT_RETRY_S * 1000 << exec->failures);

    if (exec->failures >= exec->retries_max || is_too_old_at(exec, due_ms)) {
        fail_with_command(turn);
        return;
    }
    count_failure(turn, due_ms);
}

/* It comes back with a growing delay, until it is too old. */
static void finish_throttled_event(struct turn *turn)
{
    const struct exec *exec = turn->exec;
    int64_t due_ms = turn->command->now_ms +
                     backoff_ms(core_get_limits(turn->core), exec->attempt - exec->failures);

    if (is_too_old_at(exec, due_ms)) {
        fail_with_command(turn);
        return;
    }
    turn_record(
        turn,
        (struct record){.kind = NOTE_FAILURE_COUNTED, .attempt = exec->failures, .due_ms = due_ms});
}

static void finish_failed(struct turn *turn)
{
    const struct core_limits *limits = core_get_limits(turn->core);
    const struct exec *exec = turn->exec;
    uint32_t failures = exec->failures + 1;

    if (turn->command->is_uncounted && attempt_is_too_old(turn)) {
        fail_with_command(turn);
    } else if (turn->command->is_uncounted) {
        turn_dispatch(turn);
    } else if (exec->kind == EXEC_EVENT && turn->command->is_final) {
        fail_with_command(turn);
    } else if (exec->kind == EXEC_EVENT && turn->command->is_throttled) {
        finish_throttled_event(turn);
    } else if (exec->kind == EXEC_EVENT) {
        finish_failed_event(turn);
    } else if (failures > limits->failures_max) {
        fail_with_command(turn);
    } else if (turn->command->is_retryable && failures <= RETRY_AT_ONCE_MAX) {
        count_failure(turn, 0);
        turn_dispatch(turn);
    } else {
        count_failure(turn, turn->command->now_ms + backoff_ms(limits, failures));
    }
}

/* The result that came by a checkpoint wins over what the invocation returned. */
static bool finish_with_note(struct turn *turn)
{
    struct exec *exec = turn->exec;
    const struct bytes none = {0};
    struct bytes copy;

    if (!exec->has_result) {
        return false;
    }
    copy = turn_copy(turn, buf_bytes(&exec->result_copy));
    if (exec->result_status == OP_SUCCEEDED) {
        turn_end(turn, EXECUTION_SUCCEEDED, exec->result_has_payload, copy, false, none);
    } else {
        turn_end(turn, EXECUTION_FAILED, false, none, true, copy);
    }
    return true;
}

static void finish_invocation(struct turn *turn)
{
    const struct command *command = turn->command;

    if (finish_with_note(turn)) {
        return;
    }
    switch (command->outcome) {
    case OUTCOME_SUCCEEDED:
        turn_end(turn, EXECUTION_SUCCEEDED, command->has_payload, command->payload, false,
                 (struct bytes){0});
        break;
    case OUTCOME_FAILED:
        if (turn->exec->kind == EXEC_EVENT) {
            finish_failed_event(turn);
        } else {
            fail_with_command(turn);
        }
        break;
    case OUTCOME_PENDING:
        finish_pending(turn);
        break;
    case OUTCOME_HELD:
        turn_record(turn,
                    (struct record){.kind = NOTE_HELD, .has_error = true, .error = command->error});
        break;
    case OUTCOME_ERROR:
        finish_failed(turn);
        break;
    }
}

static void end_invocation(struct turn *turn)
{
    const struct exec *exec = turn->exec;
    bool is_error = turn->command->outcome == OUTCOME_ERROR;

    turn_record(turn, (struct record){
                          .kind = INVOCATION_COMPLETED,
                          .start_ms = exec->attempt_ms,
                          .request_id = exec->request_id,
                          .attempt = exec->attempt,
                          .has_error = is_error,
                          .error = is_error ? turn->command->error : (struct bytes){0},
                      });
    turn_flush_chained(turn);
    finish_invocation(turn);
}

int attempt_complete(struct turn *turn)
{
    if (!is_current(turn)) {
        return turn_refuse(turn, REFUSAL_STALE, "this attempt has ended");
    }
    end_invocation(turn);
    return 0;
}

void attempt_cut_off(struct turn *turn)
{
    struct command cut_off = *turn->command;
    const struct command *command = turn->command;

    cut_off.outcome = OUTCOME_ERROR;
    cut_off.is_uncounted = true;
    cut_off.has_error = true;
    cut_off.error =
        turn_error(turn, "Pawl.Restarted", "The daemon was restarted while this invocation ran.");
    turn->command = &cut_off;
    end_invocation(turn);
    turn->command = command;
}
