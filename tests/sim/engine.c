/* What engine/driver does: applies commands, and performs their actions when their
 * frames are durable. */
#include <stdlib.h>

#include "tests/sim/story.h"

#define FUNCTION_NONE "no such function"

static struct message *free_message(struct world *world)
{
    for (uint32_t i = 0; i < MESSAGES_MAX; i++) {
        if (world->messages[i].state == MESSAGE_FREE) {
            return &world->messages[i];
        }
    }
    return NULL;
}

struct message *message_make(struct world *world, enum command_kind kind, uint32_t slot)
{
    struct message *message = free_message(world);

    if (message == NULL) {
        return NULL; /* the network is full; everybody tries again later */
    }
    *message = (struct message){
        .state = MESSAGE_FLYING, .slot = slot, .worker = WORKERS_MAX, .from_slot = NO_SLOT};
    message->command.kind = kind;
    message->kind_said = kind;
    message->command.exec_id = world->slots[slot].id;
    return message;
}

/* Borrowed from inside `from`: the same place in `to`. */
static struct bytes moved(struct bytes bytes, const struct message *from, struct message *to)
{
    uintptr_t start = (uintptr_t)from;
    uintptr_t at = (uintptr_t)bytes.data;

    if (at < start || at >= start + sizeof *from) {
        return bytes;
    }
    return bytes_of((uint8_t *)to + (at - start), bytes.len);
}

void message_copy(struct message *to, const struct message *from)
{
    *to = *from;
    if (from->command.updates != NULL) {
        to->command.updates = to->updates;
    }
    to->command.payload = moved(from->command.payload, from, to);
    to->command.error = moved(from->command.error, from, to);
    for (uint32_t i = 0; i < UPDATES_ROOM; i++) {
        to->updates[i].payload = moved(from->updates[i].payload, from, to);
        to->updates[i].error = moved(from->updates[i].error, from, to);
    }
}

/* The same once more, on a way of its own. */
void message_repeat(struct world *world, const struct message *message)
{
    struct message *copy = free_message(world);

    if (copy != NULL) {
        message_copy(copy, message);
        copy->state = MESSAGE_FLYING;
    }
}

/* --- performing ------------------------------------------------------------------------ */

static struct message *chained_end(struct world *world, uint32_t parent, struct bytes op_id,
                                   enum op_status status)
{
    struct message *message = message_make(world, COMMAND_CHAINED_ENDED, parent);

    if (message == NULL) {
        return NULL;
    }
    message->command.op_id = bytes_of_text(spec_id(spec_of(op_id)));
    message->command.op_status = status;
    message->from_slot = NO_SLOT;
    return message;
}

static void tell_parent(struct world *world, uint32_t slot)
{
    const struct slot *child = &world->slots[slot];
    const struct record *started = &child->tape.records[0];
    const struct record *end = &child->tape.records[child->tape.count - 1];
    static const enum op_status statuses[] = {[EXECUTION_SUCCEEDED] = OP_SUCCEEDED,
                                              [EXECUTION_FAILED] = OP_FAILED,
                                              [EXECUTION_STOPPED] = OP_STOPPED,
                                              [EXECUTION_TIMED_OUT] = OP_TIMED_OUT};
    struct message *message;

    if (id_is_none(&started->parent_exec) || end->kind > EXECUTION_TIMED_OUT) {
        return;
    }
    message = chained_end(world, slot_of(world, &started->parent_exec), started->parent_op,
                          statuses[end->kind]);
    if (message == NULL) {
        return;
    }
    message->from_slot = slot;
    message->command.has_payload = end->has_payload;
    message->command.has_error = end->has_error;
    if (end->has_payload && end->payload.len > 0) {
        memcpy(message->payload, end->payload.data, end->payload.len);
        message->command.payload = bytes_of(message->payload, end->payload.len);
    }
    if (end->has_error && end->error.len > 0) {
        memcpy(message->payload, end->error.data, end->error.len);
        message->command.error = bytes_of(message->payload, end->error.len);
    }
    if (world->bug == BUG_NOTIFY_EARLY) {
        (void)message_make(world, COMMAND_NOTIFIED, slot);
    }
}

/* From the durable records, as the driver does it from the views. */
static void tell_listener(struct world *world, uint32_t number)
{
    const struct slot *slot = &world->slots[number];
    const struct exec *exec = core_find(world->core, &slot->id);
    struct message *message;

    if (exec == NULL || exec_destination(exec).len == 0 || exec->is_parent_notified) {
        return;
    }
    message = message_make(world, COMMAND_START, LISTENER_OF(number));
    if (message == NULL) {
        return; /* asked again */
    }
    story_start(&world->slots[LISTENER_OF(number)], message, NULL, NULL);
    message->command.started.payload = story_news(&slot->tape.records[0], slot->facts.end);
    message->from_slot = number;
    if (world->bug == BUG_TOLD_EARLY) {
        (void)message_make(world, COMMAND_NOTIFIED, number);
    }
}

static void start_child(struct world *world, uint32_t slot, struct op *op)
{
    uint32_t spec = spec_of(op->id);
    uint32_t child = world->slots[slot].program->specs[spec].child;
    struct message *message;

    if (child == NO_SLOT) {
        message = chained_end(world, slot, op->id, OP_FAILED);
        if (message != NULL) {
            message->command.has_error = true;
            message->command.error = bytes_of_text(FUNCTION_NONE);
        }
        return;
    }
    message = message_make(world, COMMAND_START, child);
    if (message != NULL) {
        story_start(&world->slots[child], message, &world->slots[slot], spec_id(spec));
        if (world->bug == BUG_SENT_EARLY) {
            core_chain_sent(core_find(world->core, &world->slots[slot].id), op);
        }
        engine_deliver(world, message);
    }
}

static void dispatch(struct world *world, uint32_t number, uint32_t attempt)
{
    struct slot *slot = &world->slots[number];

    law(world, slot->facts.is_running && slot->facts.attempt == attempt,
        "an attempt is dispatched when it is durable");
    law(world, slot->dispatched < attempt, "an attempt is dispatched once");
    slot->dispatched = attempt;
    slot->live_attempt = attempt;
    worker_start(world, number, attempt);
}

static void perform(struct world *world, uint32_t slot, const struct action *action, bool is_tick)
{
    switch (action->kind) {
    case ACTION_DISPATCH:
        dispatch(world, slot, action->attempt);
        if (world->bug == BUG_DOUBLE_DISPATCH && one_in(world, 10)) {
            dispatch(world, slot, action->attempt);
        }
        break;
    case ACTION_FENCE:
        worker_fence(world, slot);
        break;
    case ACTION_NOTIFY:
        worker_notify(world, slot);
        break;
    case ACTION_CHAIN:
        if (world->bug != BUG_CHAIN_ONCE || !is_tick) {
            start_child(world, slot, action->op);
        }
        break;
    case ACTION_CLOSED:
        if (world->bug != BUG_CLOSED_ONCE || !is_tick) {
            tell_parent(world, slot);
        }
        if (world->bug != BUG_TELL_ONCE || !is_tick) {
            tell_listener(world, slot);
        }
        break;
    }
}

static void notified(struct world *world, const struct message *message)
{
    if (message->from_slot != NO_SLOT) {
        (void)message_make(world, COMMAND_NOTIFIED, message->from_slot);
    }
}

/* `exec` is what the answer shows. */
static void answer(struct world *world, const struct message *message, const struct exec *exec,
                   uint64_t last_record)
{
    law(world, world->slots[message->slot].tape.count >= last_record,
        "an answer leaves when what it says is durable");
    if (message->worker != WORKERS_MAX) {
        worker_answer(world, message, exec);
    } else {
        notified(world, message);
        client_answer(world, message, exec);
    }
}

static void done(struct world *world, struct message *message)
{
    if (message->command.kind == COMMAND_TICK) {
        world->slots[message->slot].has_tick = false;
    }
    message->state = MESSAGE_FREE;
}

void engine_frame_done(struct world *world, struct frame *frame)
{
    struct exec *exec = core_find(world->core, &world->slots[frame->slot].id);
    bool is_tick = frame->message->command.kind == COMMAND_TICK;
    uint32_t life = world->life;

    for (uint32_t i = 0; i < frame->action_count && world->life == life; i++) {
        if (world->bug != BUG_DISPATCH_EARLY || frame->actions[i].kind != ACTION_DISPATCH) {
            perform(world, frame->slot, &frame->actions[i], is_tick);
        }
        if (!world->is_calm && one_in(world, 150)) {
            disk_crash(world);
            return;
        }
    }
    if (world->bug != BUG_ANSWER_EARLY) {
        answer(world, frame->message, exec, frame->last_record);
    }
    done(world, frame->message);
}

/* --- applying ---------------------------------------------------------------------------- */

/* A name that the journal has means its execution; looked up at each try. */
static void look_up(struct world *world, struct message *message)
{
    uint32_t first = message->slot & ~1U;
    uint32_t found = message->slot;

    if (message->command.kind != COMMAND_START) {
        return;
    }
    if (!world->slots[found].is_child && world->bug != BUG_NAME_TWICE) {
        found = (world->slots[first].tape.count > 0)       ? first
                : (world->slots[first + 1].tape.count > 0) ? first + 1
                                                           : found;
    }
    message->slot = found;
    message->command.exec_id = world->slots[found].id;
    message->command.is_known = world->slots[found].tape.count > 0;
}

static void forge(struct world *world, struct command *command)
{
    const struct exec *exec = core_find(world->core, &command->exec_id);

    if (exec == NULL ||
        (command->kind != COMMAND_CHECKPOINT && command->kind != COMMAND_COMPLETE)) {
        return;
    }
    if (world->bug == BUG_NO_TOKEN && command->attempt != exec->attempt) {
        command->attempt = exec->attempt;
        command->seq = exec->seq + 1;
    } else if (world->bug == BUG_NO_REPEAT && command->seq == exec->seq) {
        command->seq = exec->seq + 1;
    }
}

static void refused(struct world *world, struct message *message, enum refusal refusal)
{
    if (message->worker != WORKERS_MAX) {
        worker_refused(world, message, refusal);
    } else if (refusal == REFUSAL_CLOSED || refusal == REFUSAL_NOT_FOUND) {
        notified(world, message);
    }
    done(world, message);
}

static void answer_at_once(struct world *world, struct message *message,
                           const struct actions *actions)
{
    bool is_tick = message->command.kind == COMMAND_TICK;
    struct action items[ACTIONS_MAX];
    uint32_t count = (actions->count <= ACTIONS_MAX) ? actions->count : 0;
    const struct exec *exec = actions->exec;

    law(world, actions->count <= ACTIONS_MAX, "a command has few actions");
    for (uint32_t i = 0; i < count; i++) {
        items[i] = actions->items[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        perform(world, message->slot, &items[i], is_tick);
    }
    answer(world, message, exec, exec->records);
    done(world, message);
}

/* The child's start is in the log before any later frame of its parent. It may have
 * been refused or made to wait before: then it is asked for again. */
static void note_sent(struct world *world, const struct message *message)
{
    const struct record *started = &message->command.started;
    struct exec *parent = core_find(world->core, &started->parent_exec);
    struct op *op;

    if (message->command.kind == COMMAND_START && parent != NULL && parent->state == EXEC_HOT &&
        !parent->is_missing) {
        op = exec_find_op(parent, started->parent_op);
        if (op != NULL) {
            core_chain_sent(parent, op);
        }
    }
}

/* What the planted bugs make of a command on its way in. */
static void spoil(struct world *world, struct command *command)
{
    if (world->bug == BUG_EARLY_WAKE && command->kind == COMMAND_TICK) {
        command->now_ms += 5000;
    }
    if (world->bug == BUG_LOSE_CALLBACK && command->kind == COMMAND_CALLBACK && one_in(world, 5)) {
        command->kind = COMMAND_READ;
    }
    forge(world, command);
}

static void applied(struct world *world, struct message *message, const struct actions *actions)
{
    note_sent(world, message);
    if (actions->record_count == 0) {
        answer_at_once(world, message, actions);
        return;
    }
    disk_add(world, message, actions);
    if (world->bug == BUG_ANSWER_EARLY) {
        answer(world, message, actions->exec, actions->exec->records);
    }
    for (uint32_t i = 0; world->bug == BUG_DISPATCH_EARLY && i < actions->count; i++) {
        if (actions->items[i].kind == ACTION_DISPATCH) {
            perform(world, message->slot, &actions->items[i], false);
        }
    }
}

static void apply(struct world *world, struct message *message)
{
    struct actions actions;
    int r;

    look_up(world, message);
    message->world_ms = world->now_ms;
    message->command.now_ms = world->now_ms;
    spoil(world, &message->command);
    r = core_apply(world->core, &message->command, &actions);
    if (actions.exec != NULL) {
        message->slot = slot_of(world, &actions.exec->id); /* a name may be another's */
    }
    judge_applied(world, message, r, &actions);
    if (world->broken != NULL) {
        return;
    }
    if (r == 0) {
        applied(world, message, &actions);
    } else if (r == CORE_REFUSED) {
        refused(world, message, actions.refusal);
    } else {
        message->state = MESSAGE_IN_CORE;
        world->slots[message->slot].is_loading |= r == CORE_LOAD;
    }
}

void engine_drain(struct world *world)
{
    struct command *command;

    while (world->broken == NULL && world->frame_count < FRAMES_MAX &&
           (command = core_next(world->core)) != NULL) {
        apply(world, container_of(command, struct message, command));
    }
}

void engine_deliver(struct world *world, struct message *message)
{
    if (world->frame_count < FRAMES_MAX) { /* else it stays where it is */
        apply(world, message);
    }
}

/* --- timers ------------------------------------------------------------------------------- */

static int64_t wake_of(const struct world *world, uint32_t number)
{
    const struct slot *slot = &world->slots[number];
    const struct exec *exec = core_find(world->core, &slot->id);

    if (exec == NULL) {
        return slot->cold_ms;
    }
    if (exec->state != EXEC_HOT || exec->is_missing || exec->is_committing) {
        return EXEC_WAKE_NEVER;
    }
    if (exec_wake_ms(exec) == EXEC_WAKE_NOW && !exec->is_live) {
        return EXEC_WAKE_NOW;
    }
    return exec_timer_ms(exec);
}

bool engine_is_due(const struct world *world, uint32_t slot)
{
    int64_t wake_ms = wake_of(world, slot);
    int64_t ahead_ms = (world->bug == BUG_EARLY_WAKE) ? 5000 : 0;

    return wake_ms != EXEC_WAKE_NEVER && wake_ms <= world->now_ms + ahead_ms &&
           !world->slots[slot].has_tick;
}

int64_t engine_next_ms(const struct world *world)
{
    int64_t next_ms = 0;

    for (uint32_t i = 0; i < SLOTS; i++) {
        int64_t wake_ms = wake_of(world, i);

        if (wake_ms > world->now_ms && (next_ms == 0 || wake_ms < next_ms)) {
            next_ms = wake_ms;
        }
    }
    return next_ms;
}

void engine_tick(struct world *world)
{
    uint32_t first = pick(world, SLOTS);

    for (uint32_t i = 0; i < SLOTS; i++) {
        uint32_t slot = (first + i) % SLOTS;
        struct message *message;

        if (!engine_is_due(world, slot)) {
            continue;
        }
        message = message_make(world, COMMAND_TICK, slot);
        if (message != NULL) {
            world->slots[slot].has_tick = true;
            engine_deliver(world, message);
        }
        return;
    }
}
