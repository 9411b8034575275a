/* The commands, one function each: check against the committed state, then make
 * records (turn_record applies them at once) and actions. */
#include "engine/core/core.h"

#include <assert.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/core/execution_edit.h"
#include "engine/core/turn.h"

struct core {
    struct core_limits limits;
    struct table by_id;
    struct table by_name;
    struct list ready; /* struct exec.ready_link: free, with commands that waited */
    struct prng prng;
    uint32_t id_counter;
    struct arena arena;
};

const struct core_limits core_limits_default = {
    .executions_max = 200000,
    .operations_max = 30000,
    .events_max = 100000,
    .history_bytes_max = 100U << 20,
    .waiting_max = 1000,
    .failures_max = 10,
    .failure_backoff_s = 1,
    .failure_backoff_max_s = 300,
};

#define EVENT_RETRY_S 60 /* then twice as long: 1 and 2 minutes as in Lambda */
#define RETRY_AT_ONCE_MAX 3U

int core_create(struct core **ret_core, const struct core_limits *limits)
{
    struct core *core = mem_calloc(1, sizeof *core);

    if (core == NULL) {
        return ERR(ERR_NOMEM, "core");
    }
    core->limits = *limits;
    core->prng.state = limits->seed;
    list_init(&core->ready);
    arena_init(&core->arena, 0);
    *ret_core = core;
    return 0;
}

void core_destroy(struct core *core)
{
    struct table_node *node;
    size_t bucket = 0;

    if (core == NULL) {
        return;
    }
    while ((node = table_walk(&core->by_id, &bucket, NULL)) != NULL) {
        bucket--; /* the chain of this bucket is taken from its front */
        table_remove(&core->by_id, node);
        exec_destroy(container_of(node, struct exec, by_id));
    }
    table_fini(&core->by_id);
    table_fini(&core->by_name);
    arena_fini(&core->arena);
    mem_free(core);
}

const struct core_limits *core_get_limits(const struct core *core)
{
    return &core->limits;
}

struct id core_make_id(struct core *core, int64_t now_ms)
{
    return id_make(now_ms, 0, core->id_counter++, &core->prng);
}

uint32_t core_count(const struct core *core)
{
    return (uint32_t)core->by_id.count;
}

struct table_node *core_walk(const struct core *core, size_t *bucket, const struct table_node *last)
{
    return table_walk(&core->by_id, bucket, last);
}

/* --- finding --------------------------------------------------------------------- */

struct exec *core_find(const struct core *core, const struct id *exec_id)
{
    struct table_node *node = table_first(&core->by_id, id_hash(exec_id));

    for (; node != NULL; node = table_next(node)) {
        struct exec *exec = container_of(node, struct exec, by_id);

        if (id_equal(&exec->id, exec_id)) {
            return exec;
        }
    }
    return NULL;
}

static uint64_t name_hash(const struct id *function_id, struct bytes name)
{
    return table_hash(name) ^ id_hash(function_id);
}

struct exec *core_find_name(const struct core *core, const struct id *function_id,
                            struct bytes name)
{
    struct table_node *node = table_first(&core->by_name, name_hash(function_id, name));

    for (; node != NULL; node = table_next(node)) {
        struct exec *exec = container_of(node, struct exec, by_name);

        if (id_equal(&exec->function_id, function_id) && bytes_equal(exec->name, name)) {
            return exec;
        }
    }
    return NULL;
}

static int add_exec(struct core *core, const struct id *id, struct exec **ret_exec)
{
    struct exec *exec = exec_create(id);
    int r;

    if (exec == NULL) {
        return ERR(ERR_NOMEM, "execution");
    }
    r = table_insert(&core->by_id, &exec->by_id, id_hash(id));
    if (r != 0) {
        exec_destroy(exec);
        return r;
    }
    *ret_exec = exec;
    return 0;
}

static int add_name(struct core *core, struct exec *exec)
{
    int r = table_insert(&core->by_name, &exec->by_name, name_hash(&exec->function_id, exec->name));

    exec->is_named = r == 0;
    return r;
}

static void forget(struct core *core, struct exec *exec)
{
    table_remove(&core->by_id, &exec->by_id);
    if (exec->is_named) {
        table_remove(&core->by_name, &exec->by_name);
    }
    list_remove(&exec->ready_link);
    exec_destroy(exec);
}

/* --- waiting --------------------------------------------------------------------- */

static int refuse(struct turn *turn, enum refusal refusal, const char *message)
{
    turn->actions->refusal = refusal;
    turn->actions->message = message;
    return CORE_REFUSED;
}

static int wait_for(struct turn *turn, struct command *command, int answer)
{
    struct exec *exec = turn->exec;

    if (exec->waiting_count >= turn->core->limits.waiting_max && command->kind != COMMAND_TICK &&
        command->kind != COMMAND_COMPLETE && command->kind != COMMAND_STOP) {
        return refuse(turn, REFUSAL_FULL, "too many requests wait for this execution");
    }
    list_push_back(&exec->waiting, &command->link);
    exec->waiting_count++;
    return answer;
}

static void mark_ready(struct core *core, struct exec *exec)
{
    if (exec->waiting_count > 0 && list_is_empty(&exec->ready_link)) {
        list_push_back(&core->ready, &exec->ready_link);
    }
}

void core_committed(struct core *core, struct exec *exec)
{
    assert(exec->is_committing);
    exec->is_committing = false;
    mark_ready(core, exec);
}

struct command *core_next(struct core *core)
{
    while (!list_is_empty(&core->ready)) {
        struct exec *exec = container_of(core->ready.next, struct exec, ready_link);

        if (exec->is_committing || exec->waiting_count == 0) {
            list_remove(&exec->ready_link); /* it comes back with core_committed() */
            continue;
        }
        exec->waiting_count--;
        return container_of(list_pop_front(&exec->waiting), struct command, link);
    }
    return NULL;
}

/* --- the commands ------------------------------------------------------------------ */

static struct exec *find_started(const struct core *core, const struct command *command)
{
    struct exec *exec = NULL;

    if (command->started.name.len > 0) {
        exec = core_find_name(core, &command->function_id, command->started.name);
    }
    return (exec != NULL) ? exec : core_find(core, &command->exec_id);
}

static int start_new(struct turn *turn)
{
    const struct command *command = turn->command;
    int r;

    if (turn->exec == NULL) {
        if (core_count(turn->core) >= turn->core->limits.executions_max) {
            return refuse(turn, REFUSAL_FULL, "too many executions are running");
        }
        r = add_exec(turn->core, &command->exec_id, &turn->exec);
        if (r != 0) {
            return r;
        }
    }
    turn->exec->is_missing = false;
    turn->exec->state = EXEC_HOT;
    turn->exec->tenant = command->tenant;
    turn->exec->function_id = command->function_id;
    turn_record(turn, command->started);
    if (turn->error != 0) {
        return turn->error;
    }
    r = add_name(turn->core, turn->exec);
    if (r != 0) {
        return r;
    }
    turn->actions->is_new = true;
    turn_dispatch(turn);
    return 0;
}

static int on_start(struct turn *turn)
{
    const struct exec *exec = turn->exec;

    if (exec == NULL || exec->is_missing) {
        return start_new(turn);
    }
    if (memcmp(exec->digest, turn->command->started.digest, sizeof exec->digest) != 0) {
        return refuse(turn, REFUSAL_CONFLICT, "the name is in use with another payload");
    }
    return 0;
}

static bool is_current(const struct turn *turn)
{
    const struct exec *exec = turn->exec;

    return !exec_is_closed(exec) && exec->is_running && exec->is_live &&
           exec->attempt == turn->command->attempt;
}

/* Full: the execution fails with a name for it, and never wedges. */
static const char *limit_reached(const struct turn *turn)
{
    const struct core_limits *limits = &turn->core->limits;
    const struct exec *exec = turn->exec;

    if (exec->op_count > limits->operations_max) {
        return "Pawl.OperationLimitExceeded";
    }
    if (exec->events > limits->events_max) {
        return "Pawl.EventLimitExceeded";
    }
    return (exec->history_bytes > limits->history_bytes_max) ? "Pawl.HistorySizeExceeded" : NULL;
}

static int on_checkpoint(struct turn *turn)
{
    const struct command *command = turn->command;
    struct exec *exec = turn->exec;
    const char *text;

    if (!is_current(turn) || command->seq == 0) {
        return refuse(turn, REFUSAL_STALE, "Invalid Checkpoint Token");
    }
    if (command->seq == exec->seq) {
        turn->actions->is_repeat = true;
        return 0;
    }
    if (command->seq != exec->seq + 1 || exec->has_result) {
        return refuse(turn, REFUSAL_STALE, "Invalid Checkpoint Token");
    }
    text = checkpoint_check(exec, command->updates, command->update_count);
    if (text != NULL) {
        return refuse(turn, REFUSAL_INVALID, text);
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

    if (exec->failures >= exec->retries_max ||
        due_ms > exec->start_ms + (int64_t)exec->event_age_s * 1000) {
        fail_with_command(turn);
        return;
    }
    count_failure(turn, due_ms);
}

static bool is_too_old(const struct turn *turn)
{
    const struct exec *exec = turn->exec;

    return exec->kind == EXEC_EVENT &&
           turn->command->now_ms > exec->start_ms + (int64_t)exec->event_age_s * 1000;
}

static void finish_failed(struct turn *turn)
{
    const struct core_limits *limits = &turn->core->limits;
    const struct exec *exec = turn->exec;
    uint32_t failures = exec->failures + 1;

    if (turn->command->is_uncounted && is_too_old(turn)) {
        fail_with_command(turn);
    } else if (turn->command->is_uncounted) {
        turn_dispatch(turn);
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

static int on_complete(struct turn *turn)
{
    if (!is_current(turn)) {
        return refuse(turn, REFUSAL_STALE, "this attempt has ended");
    }
    end_invocation(turn);
    return 0;
}

static int on_callback(struct turn *turn)
{
    const struct command *command = turn->command;
    struct op *op = exec_find_op(turn->exec, command->op_id);
    struct record record;

    if (op == NULL || op->type != OP_CALLBACK) {
        return refuse(turn, REFUSAL_NOT_FOUND, "there is no such callback");
    }
    if (exec_is_closed(turn->exec) || op->status != OP_STARTED ||
        (op->timeout_ms != 0 && command->now_ms >= op->timeout_ms) ||
        (op->heartbeat_ms != 0 && command->now_ms >= op->heartbeat_ms)) {
        return refuse(turn, REFUSAL_CLOSED, "the callback has timed out or was completed");
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

static int on_chained_ended(struct turn *turn)
{
    const struct command *command = turn->command;
    struct op *op = exec_find_op(turn->exec, command->op_id);
    struct record record;

    if (op == NULL || op->type != OP_CHAINED_INVOKE) {
        return refuse(turn, REFUSAL_NOT_FOUND, "there is no such operation");
    }
    if (exec_is_closed(turn->exec) || op->status != OP_STARTED || op->has_pending_result) {
        return refuse(turn, REFUSAL_CLOSED, "the operation has ended");
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

static int on_notified(struct turn *turn)
{
    if (exec_is_closed(turn->exec) && !turn->exec->is_parent_notified) {
        turn_record(turn, (struct record){.kind = NOTE_PARENT_NOTIFIED});
    }
    return 0;
}

static int on_stop(struct turn *turn)
{
    if (!exec_is_closed(turn->exec)) {
        turn_end(turn, EXECUTION_STOPPED, false, (struct bytes){0}, turn->command->has_error,
                 turn->command->error);
    }
    return 0;
}

static int on_redrive(struct turn *turn)
{
    if (!turn->exec->is_held) {
        return refuse(turn, REFUSAL_INVALID, "the execution is not held");
    }
    turn_record(turn, (struct record){.kind = NOTE_REDRIVEN});
    turn_wake(turn);
    return 0;
}

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

/* An attempt that ran when the daemon ended: it is not the execution's fault. */
static void end_cut_off(struct turn *turn)
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
    if (is_too_old(turn)) {
        turn_end(turn, EXECUTION_FAILED, false, (struct bytes){0}, true,
                 turn_error(turn, "Pawl.EventAgeExceeded",
                            "The event grew too old before it could be tried again."));
        return;
    }
    turn_dispatch(turn);
}

static int on_tick(struct turn *turn)
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
        end_cut_off(turn);
    } else if (fire_timers(turn)) {
        turn_wake(turn);
    } else if (exec->retry_ms != 0 && exec->retry_ms <= turn->command->now_ms) {
        retry(turn);
    }
    return 0;
}

static int decide(struct turn *turn)
{
    switch (turn->command->kind) {
    case COMMAND_START:
        return on_start(turn);
    case COMMAND_CHECKPOINT:
        return on_checkpoint(turn);
    case COMMAND_COMPLETE:
        return on_complete(turn);
    case COMMAND_CALLBACK:
        return on_callback(turn);
    case COMMAND_CHAINED_ENDED:
        return on_chained_ended(turn);
    case COMMAND_NOTIFIED:
        return on_notified(turn);
    case COMMAND_STOP:
        return on_stop(turn);
    case COMMAND_TICK:
        return on_tick(turn);
    case COMMAND_REDRIVE:
        return on_redrive(turn);
    case COMMAND_READ:
        return 0;
    }
    return 0;
}

/* Where the execution is not hot: START of a new one goes on with exec NULL; the
 * invocation of an execution that is not hot has ended; the rest is loaded. */
static int find_absent(struct turn *turn, struct command *command)
{
    int r;

    if (command->kind == COMMAND_START && !command->is_known) {
        return 0;
    }
    if (command->kind == COMMAND_CHECKPOINT || command->kind == COMMAND_COMPLETE) {
        return refuse(turn, REFUSAL_STALE, "Invalid Checkpoint Token");
    }
    if (core_count(turn->core) >= turn->core->limits.executions_max &&
        command->kind != COMMAND_STOP && command->kind != COMMAND_TICK) {
        return refuse(turn, REFUSAL_FULL, "too many executions are in memory");
    }
    r = add_exec(turn->core, &command->exec_id, &turn->exec);
    return (r != 0) ? r : wait_for(turn, command, CORE_LOAD);
}

/* An id may be asked for between its choice and its start (that of a child stands in
 * its parent's history): what was then found missing can be started all the same.
 * What is in the journal and damaged cannot. */
static bool starts_anew(const struct exec *missing, const struct command *command)
{
    return command->kind == COMMAND_START && !command->is_known && missing->records == 0;
}

/* A damaged execution can be looked at and ended, and its parent told of the end. */
static bool is_harmless(enum command_kind kind)
{
    return kind == COMMAND_STOP || kind == COMMAND_READ || kind == COMMAND_TICK ||
           kind == COMMAND_NOTIFIED;
}

int core_apply(struct core *core, struct command *command, struct actions *ret_actions)
{
    struct turn turn = {
        .core = core, .command = command, .arena = &core->arena, .actions = ret_actions};
    int r;

    arena_reset(&core->arena);
    *ret_actions = (struct actions){0};
    turn.exec = (command->kind == COMMAND_START) ? find_started(core, command)
                                                 : core_find(core, &command->exec_id);
    if (turn.exec == NULL) {
        r = find_absent(&turn, command);
        if (r != 0) {
            return r;
        }
    } else if (turn.exec->state == EXEC_LOADING || turn.exec->is_committing) {
        return wait_for(&turn, command, CORE_WAITS);
    }
    if (turn.exec != NULL && turn.exec->is_missing && !starts_anew(turn.exec, command)) {
        return refuse(&turn, REFUSAL_NOT_FOUND, "there is no such execution");
    }
    if (turn.exec != NULL && turn.exec->is_damaged && !is_harmless(command->kind)) {
        return refuse(&turn, REFUSAL_DAMAGED,
                      "The records of this execution are damaged. It can be stopped; `pawl verify` "
                      "tells which record, and a backup has it.");
    }
    r = decide(&turn);
    ret_actions->exec = turn.exec;
    if (turn.error != 0) {
        return (turn.error < 0) ? turn.error : ERR_CORRUPT;
    }
    if (r == 0 && ret_actions->record_count > 0) {
        turn.exec->is_committing = true;
    }
    return r;
}

/* --- loading and forgetting ---------------------------------------------------------- */

int core_load(struct core *core, const struct id *exec_id, struct exec **ret_exec)
{
    struct exec *exec = core_find(core, exec_id);

    if (exec != NULL) {
        *ret_exec = exec;
        return 0;
    }
    return add_exec(core, exec_id, ret_exec);
}

int core_restore(struct core *core, struct exec *exec, uint64_t tenant,
                 const struct id *function_id, const struct record *record)
{
    int r;

    assert(exec->state == EXEC_LOADING);
    r = exec_evolve(exec, record);
    if (r != 0 || record->kind != EXECUTION_STARTED) {
        return r;
    }
    exec->tenant = tenant;
    exec->function_id = *function_id;
    return add_name(core, exec);
}

/* Of one that is not there, or is damaged, the waiting commands come out of
 * core_next() too: they find an execution that was never started. */
void core_loaded(struct core *core, struct exec *exec, bool is_found)
{
    assert(exec->state == EXEC_LOADING);
    exec->state = EXEC_HOT;
    exec->is_missing = !is_found;
    mark_ready(core, exec);
}

int core_loaded_damaged(struct core *core, struct exec *exec, const struct exec_head *head)
{
    int r = exec_take_head(exec, head);

    if (r == 0 && !exec->is_named) {
        r = add_name(core, exec);
    }
    core_loaded(core, exec, r == 0);
    return r;
}

bool core_can_evict(const struct exec *exec)
{
    return exec->state == EXEC_HOT && !exec->is_committing && exec->waiting_count == 0 &&
           list_is_empty(&exec->ready_link) &&
           (exec->is_missing || exec_wake_ms(exec) != EXEC_WAKE_NOW);
}

void core_evict(struct core *core, struct exec *exec)
{
    assert(core_can_evict(exec));
    forget(core, exec);
}

void core_chain_sent(struct exec *exec, struct op *op)
{
    if (!op->is_chain_sent) {
        op->is_chain_sent = true;
        exec->unsent_chains--;
    }
}

void core_delivered(struct exec *exec)
{
    assert(!exec->is_committing);
    exec->delivered_no = exec->change_no;
    exec->reply_no = exec->change_no;
}
