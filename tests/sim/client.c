/* Everybody else: clients that start and stop, systems that answer callbacks, the
 * operator. They send things twice, too late, and to the wrong place. */
#include "tests/sim/story.h"

static void send_start(struct world *world, uint32_t name)
{
    uint32_t slot = 2 * name + pick(world, 2);
    struct message *message = message_make(world, COMMAND_START, slot);

    if (message == NULL) {
        return;
    }
    story_start(&world->slots[slot], message, NULL, NULL);
    if (!world->is_calm && one_in(world, 15)) {
        message->command.started.digest[0] = 9; /* another payload: a conflict */
        message->command.kind =
            world->slots[2 * name].tape.count + world->slots[2 * name + 1].tape.count > 0
                ? COMMAND_START
                : COMMAND_READ;
        message->kind_said = COMMAND_READ;
    }
    if (!world->is_calm && one_in(world, 4)) {
        message_repeat(world, message);
    }
}

static void send_call(struct world *world, uint32_t slot, uint32_t spec, enum op_status status)
{
    struct message *message = message_make(world, COMMAND_CALLBACK, slot);

    if (message == NULL) {
        return;
    }
    message->command.op_id = bytes_of_text(spec_id(spec));
    message->command.op_status = status;
    if (status == OP_SUCCEEDED) {
        message->command.has_payload = true;
        message->command.payload = bytes_of_text("called");
    } else if (status == OP_FAILED) {
        message->command.has_error = true;
        message->command.error = bytes_of_text("refused");
    }
    if (!world->is_calm && one_in(world, 3)) {
        message_repeat(world, message);
    }
}

/* Whoever was given the id of a callback knows it from a durable record. */
static void call_some(struct world *world)
{
    static const enum op_status statuses[] = {OP_SUCCEEDED, OP_FAILED, OP_STARTED};
    uint32_t slot = pick(world, SLOTS);
    uint32_t spec = pick(world, SPECS_MAX);

    for (uint32_t i = 0; i < SLOTS * SPECS_MAX; i++) {
        if (world->slots[slot].facts.ops[spec].type == OP_CALLBACK) {
            send_call(world, slot, spec, statuses[pick(world, 3)]);
            return;
        }
        spec = (spec + 1) % SPECS_MAX;
        slot = (spec == 0) ? (slot + 1) % SLOTS : slot;
    }
}

/* The id of a child stands in its parent's history before the child is started. */
static void read_early(struct world *world)
{
    uint32_t slot = 2 * NAMES + pick(world, CHILDREN);
    uint32_t count = 1 + pick(world, 4);

    for (uint32_t i = 0; i < count && world->slots[slot].tape.count == 0; i++) {
        (void)message_make(world, COMMAND_READ, slot);
    }
}

void client_act(struct world *world)
{
    uint32_t slot = pick(world, SLOTS);

    switch (pick(world, 12)) {
    case 0:
    case 1:
    case 2:
    case 3:
        send_start(world, pick(world, NAMES));
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        call_some(world);
        break;
    case 8:
        read_early(world);
        break;
    case 9:
        (void)message_make(world, COMMAND_READ, slot);
        break;
    case 10:
        (void)message_make(world, COMMAND_REDRIVE, slot);
        break;
    default:
        if (one_in(world, 8)) {
            (void)message_make(world, COMMAND_STOP, slot);
        }
        break;
    }
}

/* When faults have stopped: everything that somebody has to do is done. */
void client_settle(struct world *world)
{
    for (uint32_t i = 0; i < NAMES; i++) {
        if (!world->slots[2 * i].is_start_acked && !world->slots[2 * i + 1].is_start_acked) {
            send_start(world, i);
        }
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        const struct facts *facts = &world->slots[i].facts;

        if (facts->is_held && !facts->is_closed) {
            (void)message_make(world, COMMAND_REDRIVE, i);
        }
        for (uint32_t spec = 0; spec < SPECS_MAX && !facts->is_closed; spec++) {
            const struct op_facts *op = &facts->ops[spec];

            if (op->type == OP_CALLBACK && op->status == OP_STARTED && op->timeout_ms == 0 &&
                op->heartbeat_ms == 0) {
                send_call(world, i, spec, OP_SUCCEEDED);
            }
        }
    }
}

/* What a client was told must be so, from now on. */
void client_answer(struct world *world, const struct message *message, const struct exec *exec)
{
    struct slot *slot = &world->slots[message->slot];
    uint32_t spec;

    (void)exec;
    switch (message->kind_said) {
    case COMMAND_START:
        law(world, slot->tape.count > 0, "a start that was answered is durable");
        slot->is_start_acked = true;
        break;
    case COMMAND_STOP:
        law(world, slot->facts.is_closed, "a stop that was answered is durable");
        slot->is_stop_acked = true;
        break;
    case COMMAND_CALLBACK:
        spec = spec_of(message->command.op_id);
        if (message->command.op_status != OP_STARTED) {
            law(world, slot->facts.ops[spec].status == message->command.op_status,
                "a callback that was answered is durable");
            law(world, !slot->is_call_acked[spec], "a callback is completed once");
            slot->is_call_acked[spec] = true;
        }
        break;
    default:
        break;
    }
}
