/* The programs of a seed, and the story as it is told. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/story.h"

#define T0 1700000000000

static const char *const spec_ids[SPECS_MAX] = {"op-0", "op-1", "op-2", "op-3",
                                                "op-4", "op-5", "op-6"};

uint32_t pick(struct world *world, uint32_t below)
{
    return prng_below(&world->prng, below);
}

bool one_in(struct world *world, uint32_t count)
{
    return prng_below(&world->prng, count) == 0;
}

uint32_t slot_of(const struct world *world, const struct id *id)
{
    (void)world;
    return (uint32_t)id->bytes[15] - 1;
}

const char *spec_id(uint32_t spec)
{
    return spec_ids[spec];
}

uint32_t spec_of(struct bytes op_id)
{
    return (op_id.len == 4) ? (uint32_t)(op_id.data[3] - '0') : SPECS_MAX;
}

void tell(struct world *world, const char *format, ...)
{
    char *line = world->lines[world->line_count++ % TAIL];
    size_t room = sizeof world->lines[0];
    int len = snprintf(line, room, "%6" PRIu64 " %8" PRId64 "  ", world->step, world->now_ms - T0);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line + len, room - (size_t)len, format, args);
    va_end(args);
}

void law(struct world *world, bool holds, const char *text)
{
    if (!holds && world->broken == NULL) {
        world->broken = text;
        world->broken_step = world->step;
        tell(world, "BROKEN: %s", text);
    }
}

/* --- programs ---------------------------------------------------------------------- */

static void fill_spec(struct world *world, struct program *program, struct spec *spec,
                      uint32_t *free_child)
{
    uint32_t number = (uint32_t)(spec - program->specs);

    spec->kind = (enum spec_kind)pick(world, 6);
    spec->parent = number;
    spec->failures = one_in(world, 2) ? pick(world, 3) : 0;
    spec->fails = one_in(world, 4);
    spec->delay_s = 1 + pick(world, 30);
    spec->timeout_s = one_in(world, 2) ? 5 + pick(world, 40) : 0;
    spec->heartbeat_s = one_in(world, 3) ? 3 + pick(world, 20) : 0;
    spec->is_at_most_once = one_in(world, 2);
    spec->is_cancelled = (spec->kind == SPEC_WAIT || spec->kind == SPEC_INVOKE) && one_in(world, 4);
    spec->replay_children = one_in(world, 2);
    spec->child = NO_SLOT;
    if (spec->kind == SPEC_INVOKE && *free_child < LISTENER_OF(0)) {
        spec->child = (*free_child)++;
    }
}

/* Some of a stage run side by side, some inside a context that started before. */
static void fill_program(struct world *world, struct program *program, uint32_t *free_child)
{
    uint32_t stage = 0;

    program->count = 1 + pick(world, SPECS_MAX);
    program->fails = one_in(world, 6);
    program->ends_by_checkpoint = one_in(world, 4);
    program->is_poisoned = one_in(world, 25);
    program->timeout_s = one_in(world, 8) ? 20 + pick(world, 100) : 0;
    program->event_failures = pick(world, 4);
    for (uint32_t i = 0; i < program->count; i++) {
        struct spec *spec = &program->specs[i];

        fill_spec(world, program, spec, free_child);
        if (i > 0 && program->specs[i - 1].kind == SPEC_CONTEXT && one_in(world, 2)) {
            spec->parent = i - 1;
        } else if (i > 0 && program->specs[i - 1].parent != i - 1 && one_in(world, 2)) {
            spec->parent = program->specs[i - 1].parent;
        } else {
            stage += one_in(world, 2) ? 1 : 0;
        }
        spec->stage = stage;
    }
}

static struct id slot_id(uint32_t slot)
{
    return (struct id){.bytes = {[0] = 1, [15] = (uint8_t)(slot + 1)}};
}

static struct id listener_id(uint32_t slot)
{
    return slot_id(LISTENER_OF(slot));
}

static void fill_slots(struct world *world)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &world->slots[i];

        slot->id = slot_id(i);
        slot->is_child = i >= 2 * NAMES;
        slot->tells_success = !slot->is_child && one_in(world, 2);
        slot->tells_failure = !slot->is_child && one_in(world, 2);
        slot->program = &world->programs[slot->is_child ? i - NAMES : i / 2];
        slot->kind = (slot->is_child && i % 2 == 0) ? EXEC_EVENT : EXEC_DURABLE;
        (void)snprintf(slot->name, sizeof slot->name, slot->is_child ? "child-%u" : "name-%u",
                       slot->is_child ? i : i / 2);
    }
    for (uint32_t i = 0; i < NAMES; i++) {
        if (world->seed % 4 == 0 && one_in(world, 4)) {
            world->slots[(size_t)2 * i].kind = EXEC_EVENT;
            world->slots[(size_t)2 * i + 1].kind = EXEC_EVENT;
        }
    }
}

struct bytes story_news(const struct record *started, enum record_kind end)
{
    if (end == EXECUTION_SUCCEEDED && started->on_success.len > 0) {
        return bytes_of_text("it went well");
    }
    if ((end == EXECUTION_FAILED || end == EXECUTION_TIMED_OUT) && started->on_failure.len > 0) {
        return bytes_of_text("it failed");
    }
    return bytes_of_text("");
}

/* --- the beginning and the end --------------------------------------------------------- */

void story_start(const struct slot *child, struct message *message, const struct slot *parent,
                 const char *op_id)
{
    message->command.function_id = (struct id){.bytes = {7}};
    message->command.started = (struct record){
        .kind = EXECUTION_STARTED,
        .name = bytes_of_text(child->name),
        .has_payload = true,
        .payload = bytes_of_text("input"),
        .function = bytes_of_text("arn:f"),
        .exec_kind = child->kind,
        .timeout_s = child->program->timeout_s,
        .retries_max = 2,
        .event_age_s = 200,
        .digest = {(uint8_t)(child->is_child ? 2 : 1)},
    };
    if (child->tells_success || child->tells_failure) {
        message->command.started.request_id = listener_id((uint32_t)(child->id.bytes[15] - 1));
        message->command.started.on_success = bytes_of_text(child->tells_success ? "arn:g" : "");
        message->command.started.on_failure = bytes_of_text(child->tells_failure ? "arn:h" : "");
    }
    if (parent != NULL) {
        message->command.started.parent_exec = parent->id;
        message->command.started.parent_op = bytes_of_text(op_id);
        message->command.started.retries_max = 0;
    }
}

/* Children of children are found in the slots that are left; a program that finds
 * none invokes a function that does not exist. */
void story_begin(struct world *world, uint64_t seed, enum bug bug)
{
    uint32_t free_child = 2 * NAMES;

    memset(world, 0, sizeof *world);
    world->seed = seed;
    world->bug = bug;
    world->prng.state = seed;
    world->now_ms = T0;
    world->limits = core_limits_default;
    world->limits.seed = seed;
    world->limits.failures_max = 1 + pick(world, 10);
    if (one_in(world, 10)) {
        world->limits.operations_max = 1 + pick(world, 5);
    }
    if (one_in(world, 10)) {
        world->limits.events_max = 8 + pick(world, 40);
    }
    if (one_in(world, 4)) {
        world->limits.waiting_max = 1 + pick(world, 3);
    }
    for (uint32_t i = 0; i < PROGRAMS; i++) {
        fill_program(world, &world->programs[i], &free_child);
    }
    fill_slots(world);
    if (core_create(&world->shadow_core, &core_limits_default) != 0) {
        abort();
    }
    disk_boot(world);
}

void story_end(struct world *world)
{
    core_destroy(world->core);
    core_destroy(world->shadow_core);
    for (uint32_t i = 0; i < SLOTS; i++) {
        tape_fini(&world->slots[i].tape);
    }
    for (uint32_t i = 0; i < world->frame_count; i++) {
        tape_fini(&world->frames[i].records);
    }
}
