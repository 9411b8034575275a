/* The journal in memory: a batch is committed whole or not at all. When the process
 * dies during a commit, nobody knows which until the next life reads it. */
#include <stdlib.h>

#include "tests/sim/story.h"

void disk_add(struct world *world, struct message *message, const struct actions *actions)
{
    struct frame *frame = &world->frames[world->frame_count++];

    *frame = (struct frame){
        .slot = slot_of(world, &actions->exec->id),
        .message = message,
        .last_record = actions->exec->records,
        .wake_ms = exec_wake_ms(actions->exec),
        .is_new = actions->is_new,
        .is_repeat = actions->is_repeat,
    };
    for (uint32_t i = 0; i < actions->record_count; i++) {
        tape_add(&frame->records, &actions->records[i]);
        tell(world, "%s: %s %.*s", world->slots[frame->slot].name,
             record_kind_text(actions->records[i].kind), (int)actions->records[i].op_id.len,
             (const char *)actions->records[i].op_id.data);
    }
    law(world, actions->count <= ACTIONS_MAX, "a command has few actions");
    for (uint32_t i = 0; i < actions->count && i < ACTIONS_MAX; i++) {
        frame->actions[frame->action_count++] = actions->items[i];
    }
    message->state = MESSAGE_COMMITTING;
    if (world->bug == BUG_COMMIT_EARLY) {
        core_committed(world->core, actions->exec);
    }
}

/* --- writing ---------------------------------------------------------------------- */

static bool is_left_out(const struct world *world, const struct record *record)
{
    return world->bug == BUG_LOSE_FAILURES && record->kind == NOTE_FAILURE_COUNTED;
}

static void shadow_record(struct world *world, struct slot *slot, const struct record *record)
{
    const struct id function_id = {.bytes = {7}};

    if (slot->shadow == NULL && core_load(world->shadow_core, &slot->id, &slot->shadow) != 0) {
        abort();
    }
    law(world, core_restore(world->shadow_core, slot->shadow, 0, &function_id, record) == 0,
        "records can be restored");
}

static void write_frame(struct world *world, struct frame *frame)
{
    struct slot *slot = &world->slots[frame->slot];

    judge_records(world, frame);
    for (uint32_t i = 0; i < frame->records.count && world->broken == NULL; i++) {
        const struct record *record = &frame->records.records[i];

        if (!is_left_out(world, record)) {
            tape_add(&slot->tape, record);
            shadow_record(world, slot, record);
        }
    }
    slot->due_ms = frame->wake_ms;
}

static void write_batch(struct world *world, struct frame *frames, uint32_t count)
{
    for (uint32_t i = 0; i < count && world->broken == NULL; i++) {
        bool is_last = i + 1 == count;

        if (world->bug == BUG_TORN_BATCH && is_last && count > 1 && one_in(world, 3)) {
            break;
        }
        write_frame(world, &frames[i]);
        if (world->bug == BUG_DOUBLE_APPEND && is_last && one_in(world, 10)) {
            write_frame(world, &frames[i]);
        }
    }
}

static uint32_t take_batch(struct world *world, struct frame *taken)
{
    uint32_t count = world->batch;

    memcpy(taken, world->frames, count * sizeof *taken);
    world->frame_count -= count;
    memmove(world->frames, world->frames + count, world->frame_count * sizeof *taken);
    world->batch = 0;
    return count;
}

static void finish_frames(struct world *world, struct frame *frames, uint32_t count)
{
    uint32_t life = world->life;

    for (uint32_t i = 0; i < count; i++) {
        if (world->life == life && world->broken == NULL) {
            if (world->bug != BUG_COMMIT_EARLY) {
                core_committed(world->core,
                               core_find(world->core, &world->slots[frames[i].slot].id));
            }
            judge_same(world, frames[i].slot);
            engine_frame_done(world, &frames[i]);
            engine_drain(world);
        }
        tape_fini(&frames[i].records);
    }
}

/* Begins to write what has gathered, or ends it. */
void disk_step(struct world *world)
{
    struct frame taken[FRAMES_MAX];
    uint32_t count;
    bool dies = !world->is_calm && world->batch > 0 && one_in(world, 25);

    if (world->batch == 0) {
        world->batch = world->frame_count;
        return;
    }
    if (dies && one_in(world, 2)) {
        tell(world, "the process dies before its commit");
        disk_crash(world);
        return;
    }
    count = take_batch(world, taken);
    write_batch(world, taken, count);
    if (dies) {
        tell(world, "the process dies after its commit");
        disk_crash(world);
        for (uint32_t i = 0; i < count; i++) {
            taken[i].message->state = MESSAGE_FREE;
            tape_fini(&taken[i].records);
        }
        return;
    }
    finish_frames(world, taken, count);
}

/* --- loading and forgetting ---------------------------------------------------------- */

static bool is_skipped(const struct world *world, const struct tape *tape, uint32_t at)
{
    return (world->bug == BUG_FORGET_CHAINED && tape->records[at].kind == NOTE_CHAINED_RESULT) ||
           (world->bug == BUG_STALE_LOAD && at + 1 == tape->count && at > 2);
}

static void load(struct world *world, uint32_t number)
{
    struct slot *slot = &world->slots[number];
    const struct id function_id = {.bytes = {7}};
    struct exec *exec;

    if (core_load(world->core, &slot->id, &exec) != 0) {
        abort();
    }
    slot->is_loading = false;
    for (uint32_t i = 0; i < slot->tape.count; i++) {
        if (!is_skipped(world, &slot->tape, i)) {
            law(world,
                core_restore(world->core, exec, 0, &function_id, &slot->tape.records[i]) == 0,
                "what was committed can be loaded");
        }
    }
    core_loaded(world->core, exec, slot->tape.count > 0);
    judge_same(world, number);
    engine_drain(world);
}

void disk_load_some(struct world *world)
{
    uint32_t first = pick(world, SLOTS);

    for (uint32_t i = 0; i < SLOTS; i++) {
        uint32_t slot = (first + i) % SLOTS;

        if (world->slots[slot].is_loading) {
            load(world, slot);
            return;
        }
    }
}

static int64_t kept_due(const struct world *world, int64_t wake_ms)
{
    bool is_lost = world->bug == BUG_LOSE_TIMERS && wake_ms != EXEC_WAKE_NOW;

    return is_lost ? EXEC_WAKE_NEVER : wake_ms;
}

void disk_evict_one(struct world *world)
{
    struct slot *slot = &world->slots[pick(world, SLOTS)];
    struct exec *exec = core_find(world->core, &slot->id);

    if (exec == NULL || !core_can_evict(exec)) {
        return;
    }
    tell(world, "%s is forgotten", slot->name);
    slot->cold_ms = kept_due(world, exec->is_missing ? slot->due_ms : exec_wake_ms(exec));
    core_evict(world->core, exec);
}

/* --- crashes ---------------------------------------------------------------------------- */

void disk_boot(struct world *world)
{
    if (core_create(&world->core, &world->limits) != 0) {
        abort();
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &world->slots[i];

        slot->cold_ms = kept_due(world, slot->due_ms);
        slot->has_tick = false;
        slot->is_loading = false;
        slot->live_attempt = 0;
    }
}

/* What was in the daemon is gone; what is on its way from outside still comes. */
void disk_crash(struct world *world)
{
    tell(world, "--- crash ---");
    for (uint32_t i = 0; i < world->frame_count; i++) {
        tape_fini(&world->frames[i].records);
    }
    world->frame_count = 0;
    world->batch = 0;
    for (uint32_t i = 0; i < MESSAGES_MAX; i++) {
        struct message *message = &world->messages[i];
        bool is_internal = message->command.kind == COMMAND_CHAINED_ENDED ||
                           message->command.kind == COMMAND_NOTIFIED ||
                           message->command.kind == COMMAND_TICK || message->slot >= 2 * NAMES;

        if (message->state != MESSAGE_FLYING || (is_internal && message->worker == WORKERS_MAX)) {
            message->state = MESSAGE_FREE;
        }
    }
    worker_kill_all(world);
    core_destroy(world->core);
    world->life++;
    disk_boot(world);
}
