/* The laws. They are stated over the durable records, in a model of their own: what
 * may follow what, and when. */
#include <stdlib.h>

#include "tests/core/same.h"
#include "tests/sim/story.h"

static bool is_over(enum op_status status)
{
    return status >= OP_SUCCEEDED;
}

static void judge_step(struct world *world, struct op_facts *op, const struct record *record,
                       int64_t now_ms)
{
    bool is_open =
        op->status == OP_STATUS_NONE || op->status == OP_STARTED || op->status == OP_READY;

    op->type = OP_STEP;
    if (record->kind == STEP_STARTED) {
        law(world, op->status == OP_STATUS_NONE || op->status == OP_READY,
            "a step starts when it is new or ready");
        op->status = OP_STARTED;
        return;
    }
    law(world, is_open, "a step ends once for an attempt");
    law(world, record->attempt == op->attempt + 1, "attempts of a step are counted");
    op->attempt++;
    if (record->delay_s > 0) {
        law(world, record->due_ms >= now_ms + (int64_t)record->delay_s * 1000,
            "a retry is due after its delay");
        op->status = OP_PENDING;
        op->due_ms = record->due_ms;
    } else {
        op->status = (record->kind == STEP_SUCCEEDED) ? OP_SUCCEEDED : OP_FAILED;
    }
}

static void judge_wait(struct world *world, struct op_facts *op, const struct record *record,
                       int64_t now_ms)
{
    if (record->kind == WAIT_STARTED) {
        law(world, op->status == OP_STATUS_NONE, "a wait starts once");
        law(world, record->due_ms == now_ms + (int64_t)record->delay_s * 1000,
            "a wait is scheduled from now");
        *op = (struct op_facts){.type = OP_WAIT, .status = OP_STARTED, .due_ms = record->due_ms};
        return;
    }
    law(world, op->status == OP_STARTED, "a wait ends once");
    law(world, record->kind == WAIT_CANCELLED || now_ms >= op->due_ms, "nobody wakes early");
    op->status = (record->kind == WAIT_SUCCEEDED) ? OP_SUCCEEDED : OP_CANCELLED;
}

static int64_t after(int64_t time_ms, uint32_t seconds)
{
    return (seconds != 0) ? time_ms + (int64_t)seconds * 1000 : 0;
}

static void judge_callback(struct world *world, struct op_facts *op, const struct record *record,
                           int64_t now_ms)
{
    if (record->kind == CALLBACK_STARTED) {
        law(world, op->status == OP_STATUS_NONE, "a callback starts once");
        *op = (struct op_facts){.type = OP_CALLBACK,
                                .status = OP_STARTED,
                                .timeout_ms = after(now_ms, record->timeout_s),
                                .heartbeat_s = record->heartbeat_s,
                                .heartbeat_ms = after(now_ms, record->heartbeat_s)};
        return;
    }
    law(world, op->status == OP_STARTED, "a callback ends once");
    if (record->kind == NOTE_HEARTBEAT) {
        op->heartbeat_ms = after(now_ms, op->heartbeat_s);
    } else if (record->kind == CALLBACK_TIMED_OUT) {
        law(world,
            (op->timeout_ms != 0 && now_ms >= op->timeout_ms) ||
                (op->heartbeat_ms != 0 && now_ms >= op->heartbeat_ms),
            "a callback times out when it is due");
        op->status = OP_TIMED_OUT;
    } else {
        op->status = (record->kind == CALLBACK_SUCCEEDED) ? OP_SUCCEEDED : OP_FAILED;
    }
}

static enum op_status chained_status(enum record_kind kind)
{
    static const enum op_status statuses[] = {OP_SUCCEEDED, OP_FAILED, OP_TIMED_OUT, OP_STOPPED};

    return statuses[kind - CHAINED_INVOKE_SUCCEEDED];
}

/* What the parent says of its child is what the child says of itself. */
static void judge_child(struct world *world, const struct slot *slot, const struct record *record)
{
    uint32_t number = slot->program->specs[spec_of(record->op_id)].child;
    static const enum record_kind ends[] = {EXECUTION_SUCCEEDED, EXECUTION_FAILED,
                                            EXECUTION_TIMED_OUT, EXECUTION_STOPPED};
    const struct record *end;

    if (number == NO_SLOT) {
        law(world, record->kind == CHAINED_INVOKE_FAILED, "what does not exist fails");
        return;
    }
    end = tape_last(&world->slots[number].tape, ends[record->kind - CHAINED_INVOKE_SUCCEEDED]);
    law(world, end != NULL, "a chained result is the durable end of the child");
    if (end != NULL) {
        law(world,
            bytes_equal(end->payload, record->payload) && bytes_equal(end->error, record->error),
            "a chained result is what the child returned");
    }
}

static void judge_chained(struct world *world, struct slot *slot, struct op_facts *op,
                          const struct record *record, enum command_kind made_by)
{
    if (record->kind == CHAINED_INVOKE_STARTED) {
        law(world, op->status == OP_STATUS_NONE, "an invoke starts once");
        *op = (struct op_facts){.type = OP_CHAINED_INVOKE, .status = OP_STARTED};
        return;
    }
    law(world, op->status == OP_STARTED, "an invoke ends once");
    if (record->kind == NOTE_CHAINED_RESULT) {
        law(world, !op->has_note, "a chained result comes once");
        op->has_note = true;
        return;
    }
    if (record->kind == CHAINED_INVOKE_STOPPED && !op->has_note) {
        law(world, slot->program->specs[spec_of(record->op_id)].is_cancelled,
            "only what was cancelled ends without a result");
        op->status = OP_STOPPED;
        return;
    }
    law(world, op->has_note, "a chained end follows its result");
    law(world, !slot->facts.is_running || made_by == COMMAND_CHECKPOINT,
        "a chained end comes after the invocation or with a checkpoint");
    judge_child(world, slot, record);
    op->status = chained_status(record->kind);
}

static void judge_op(struct world *world, struct slot *slot, const struct record *record,
                     const struct message *message)
{
    struct op_facts *op = &slot->facts.ops[spec_of(record->op_id)];
    int64_t now_ms = message->world_ms;

    switch (record->kind) {
    case CONTEXT_STARTED:
    case CONTEXT_SUCCEEDED:
    case CONTEXT_FAILED:
        slot->facts.failures = 0;
        law(world, !is_over(op->status), "a context ends once");
        op->type = OP_CONTEXT;
        op->status = (record->kind == CONTEXT_STARTED) ? OP_STARTED : OP_SUCCEEDED;
        break;
    case STEP_STARTED:
    case STEP_SUCCEEDED:
    case STEP_FAILED:
        slot->facts.failures = 0;
        judge_step(world, op, record, now_ms);
        break;
    case NOTE_STEP_READY:
        law(world, op->status == OP_PENDING && now_ms >= op->due_ms, "nobody is ready early");
        op->status = OP_READY;
        break;
    case WAIT_STARTED:
    case WAIT_SUCCEEDED:
    case WAIT_CANCELLED:
        judge_wait(world, op, record, now_ms);
        break;
    case CHAINED_INVOKE_STARTED:
    case CHAINED_INVOKE_SUCCEEDED:
    case CHAINED_INVOKE_FAILED:
    case CHAINED_INVOKE_TIMED_OUT:
    case CHAINED_INVOKE_STOPPED:
    case NOTE_CHAINED_RESULT:
        judge_chained(world, slot, op, record, message->command.kind);
        break;
    default:
        judge_callback(world, op, record, now_ms);
        break;
    }
}

static void judge_start(struct world *world, const struct slot *slot)
{
    uint32_t number = (uint32_t)(slot - world->slots);

    law(world, slot->tape.count == 0, "an execution starts once");
    if (!slot->is_child) {
        law(world, world->slots[number ^ 1U].tape.count == 0, "a name is one execution");
    }
}

static void judge_attempt(struct world *world, struct facts *facts, const struct record *record,
                          const struct message *message)
{
    bool is_retry = facts->retry_ms != 0 && message->command.kind == COMMAND_TICK;

    law(world, !facts->is_running, "no two attempts run");
    law(world, !facts->is_held, "a held execution does not run");
    law(world, record->attempt == facts->attempt + 1, "attempts grow");
    law(world, facts->retry_ms == 0 || is_retry, "only time ends a back-off");
    law(world, facts->retry_ms <= message->world_ms, "nobody is retried early");
    facts->attempt = record->attempt;
    facts->is_running = true;
    facts->retry_ms = 0;
}

static void judge_end_event(struct world *world, struct facts *facts, const struct record *record)
{
    static const char nothing[] = "Pawl.NothingPending";

    law(world,
        record->error.len < sizeof nothing ||
            memmem(record->error.data, record->error.len, nothing, sizeof nothing - 1) == NULL,
        "nobody suspends with nothing to wait for");
    facts->is_closed = true;
    facts->is_running = false;
    facts->end = record->kind;
}

static void judge_execution(struct world *world, struct slot *slot, const struct record *record,
                            const struct message *message)
{
    struct facts *facts = &slot->facts;

    switch (record->kind) {
    case EXECUTION_STARTED:
        judge_start(world, slot);
        break;
    case EXECUTION_SUCCEEDED:
    case EXECUTION_FAILED:
    case EXECUTION_STOPPED:
    case EXECUTION_TIMED_OUT:
        judge_end_event(world, facts, record);
        break;
    case INVOCATION_COMPLETED:
        law(world, facts->is_running && record->attempt == facts->attempt,
            "the invocation that completes is the one that runs");
        facts->is_running = false;
        break;
    case NOTE_ATTEMPT_STARTED:
        judge_attempt(world, facts, record, message);
        break;
    case NOTE_FAILURE_COUNTED:
        law(world, record->attempt == facts->failures + 1, "each failure is counted");
        facts->failures = record->attempt;
        facts->retry_ms = record->due_ms;
        break;
    case NOTE_PARENT_NOTIFIED:
        law(world, !facts->is_notified, "a parent is noted once");
        facts->is_notified = true;
        break;
    case NOTE_HELD:
        facts->is_held = true;
        break;
    case NOTE_REDRIVEN:
        law(world, facts->is_held, "only what is held is redriven");
        facts->is_held = false;
        facts->failures = 0;
        break;
    default:
        law(world, record->kind == NOTE_EXECUTION_RESULT && !facts->has_result,
            "a result is recorded once");
        facts->has_result = true;
        break;
    }
}

static bool is_about_op(enum record_kind kind)
{
    return (kind >= CONTEXT_STARTED && kind <= CHAINED_INVOKE_STOPPED) || kind == NOTE_STEP_READY ||
           kind == NOTE_HEARTBEAT || kind == NOTE_CHAINED_RESULT;
}

/* A parent is noted when it has the result, or has no use for it any more. */
static void judge_parent(struct world *world, const struct record *started)
{
    const struct facts *parent = &world->slots[slot_of(world, &started->parent_exec)].facts;
    const struct op_facts *op = &parent->ops[spec_of(started->parent_op)];

    law(world, parent->is_closed || op->has_note || is_over(op->status),
        "the parent has what it is noted to know");
}

/* A destination when what tells it stands in the log, and says how it ended. */
static void judge_told(struct world *world, const struct slot *slot)
{
    const struct slot *listener = &world->slots[LISTENER_OF((uint32_t)(slot - world->slots))];
    struct bytes news = story_news(&slot->tape.records[0], slot->facts.end);

    law(world, news.len > 0, "only an end with a destination is noted to be told");
    law(world, listener->tape.count > 0, "the destination has what it is noted to know");
    if (listener->tape.count > 0) {
        law(world, bytes_equal(listener->tape.records[0].payload, news),
            "a destination is told how it ended");
    }
}

static void judge_notified(struct world *world, const struct slot *slot)
{
    const struct record *started = &slot->tape.records[0];

    if (id_is_none(&started->parent_exec)) {
        judge_told(world, slot);
    } else {
        judge_parent(world, started);
    }
}

void judge_records(struct world *world, const struct frame *frame)
{
    struct slot *slot = &world->slots[frame->slot];
    struct facts *facts = &slot->facts;

    for (uint32_t i = 0; i < frame->records.count && world->broken == NULL; i++) {
        const struct record *record = &frame->records.records[i];

        law(world, record->event_id == (record_is_event(record->kind) ? facts->events + 1 : 0),
            "event ids have no gaps");
        law(world, record->time_ms >= facts->last_ms, "time never goes back");
        law(world, !facts->is_closed || record->kind == NOTE_PARENT_NOTIFIED,
            "nothing comes after the end");
        law(world,
            (record->has_payload || record->payload.len == 0) &&
                (record->has_error || record->error.len == 0),
            "what a record does not have is empty");
        facts->events += record_is_event(record->kind) ? 1 : 0;
        facts->last_ms = record->time_ms;
        if (record->kind == NOTE_PARENT_NOTIFIED) {
            judge_notified(world, slot);
        }
        if (is_about_op(record->kind)) {
            judge_op(world, slot, record, frame->message);
        } else {
            judge_execution(world, slot, record, frame->message);
        }
    }
}

/* When a command was decided, its execution was as the journal has it. */
void judge_applied(struct world *world, const struct message *message, int r,
                   const struct actions *actions)
{
    const struct slot *slot = &world->slots[message->slot];
    bool is_current = slot->facts.is_running && slot->facts.attempt == message->attempt_said &&
                      slot->live_attempt == message->attempt_said;
    bool is_from_attempt =
        message->kind_said == COMMAND_CHECKPOINT || message->kind_said == COMMAND_COMPLETE;

    law(world, r >= 0, "the core decides everything that it is asked");
    law(world, r == 0 || (actions->record_count == 0 && actions->count == 0),
        "what is not applied has no effect");
    law(world, r != 0 || !is_from_attempt || is_current, "a stale attempt changes nothing");
    if (r == 0 && actions->exec != NULL) {
        law(world, actions->exec->records == slot->tape.count + actions->record_count,
            "a command is decided from what is durable");
    }
}

void judge_same(struct world *world, uint32_t number)
{
    const struct slot *slot = &world->slots[number];
    const struct exec *exec = core_find(world->core, &slot->id);
    const char *field;

    if (exec == NULL || exec->is_committing || slot->shadow == NULL || exec->is_missing) {
        return;
    }
    field = same_difference(exec, slot->shadow);
    if (field != NULL) {
        tell(world, "%s differs in %s", slot->name, field);
    }
    law(world, field == NULL, "an execution is what its records say");
}

static void tell_state(struct world *world, const struct slot *slot)
{
    const struct exec *exec = core_find(world->core, &slot->id);

    tell(world, "%s has not ended: attempt %u%s%s%s%s%s, waiting %u", slot->name,
         slot->facts.attempt, slot->facts.is_running ? ", running" : "",
         slot->facts.is_held ? ", held" : "", slot->is_loading ? ", loading" : "",
         slot->has_tick ? ", ticked" : "",
         (exec == NULL)        ? ", cold"
         : exec->is_committing ? ", committing"
                               : "",
         (exec != NULL) ? exec->waiting_count : 0);
}

void judge_end(struct world *world)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        const struct slot *slot = &world->slots[i];

        if (slot->tape.count == 0) {
            law(world, slot->is_child || world->slots[i ^ 1U].tape.count > 0,
                "every name was started");
            continue;
        }
        if (!slot->facts.is_closed) {
            tell_state(world, slot);
        }
        law(world, slot->facts.is_closed, "everything ends when faults stop");
        law(world, id_is_none(&slot->tape.records[0].parent_exec) || slot->facts.is_notified,
            "every parent knows of its children's ends");
        law(world,
            story_news(&slot->tape.records[0], slot->facts.end).len == 0 || slot->facts.is_notified,
            "every destination knows of the end");
        law(world, i < LISTENER_OF(0) || world->slots[i - LISTENER_OF(0)].facts.is_notified,
            "a listener is told by nobody else");
        judge_same(world, i);
    }
}
