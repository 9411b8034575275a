/* Deterministic simulation of the core under a model of its driver.
 *
 *     sim [--seeds N] [--first S] [--bug NAME]
 *
 * Each seed plays one random story: executions with steps, waits, callbacks, chained
 * invokes and contexts; workers that vanish, repeat themselves and speak after they
 * were replaced; answers that are lost; a journal whose process dies before or after
 * a commit; a clock that is set. Then the faults stop, and everything must end. A
 * seed always tells the same story: play it again with --first S --seeds 1.
 *
 * With --bug the driver has that fault, and the run succeeds when a law finds it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/err.h"
#include "tests/sim/story.h"

#define FAULTY_STEPS 1200U
#define CALM_ROUNDS 3000U

struct options {
    uint64_t seeds;
    uint64_t first;
    enum bug bug;
};

static void deliver_one(struct world *world)
{
    uint32_t first = pick(world, MESSAGES_MAX);

    for (uint32_t i = 0; i < MESSAGES_MAX; i++) {
        struct message *message = &world->messages[(first + i) % MESSAGES_MAX];

        if (message->state == MESSAGE_FLYING) {
            engine_deliver(world, message);
            return;
        }
    }
}

static void move_one(struct world *world)
{
    uint32_t first = pick(world, WORKERS_MAX);

    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        struct worker *worker = &world->workers[(first + i) % WORKERS_MAX];

        if (worker->state != WORKER_NONE) {
            worker_act(world, worker);
            return;
        }
    }
}

static void pass_time(struct world *world)
{
    if (one_in(world, 30)) {
        world->now_ms += (int64_t)pick(world, 7200000) - 3600000; /* somebody sets the clock */
        tell(world, "the clock is set");
    } else {
        world->now_ms += pick(world, 6000);
    }
}

static void step(struct world *world)
{
    uint32_t what = pick(world, 100);

    world->step++;
    if (what < 30) {
        deliver_one(world);
    } else if (what < 58) {
        move_one(world);
    } else if (what < 78) {
        disk_step(world);
    } else if (what < 84) {
        engine_tick(world);
    } else if (what < 88) {
        pass_time(world);
    } else if (what < 93) {
        client_act(world);
    } else if (what < 96) {
        disk_load_some(world);
    } else if (what < 99) {
        disk_evict_one(world);
    } else if (one_in(world, 3)) {
        disk_crash(world);
    }
    engine_drain(world);
}

static bool is_busy(const struct world *world)
{
    for (uint32_t i = 0; i < MESSAGES_MAX; i++) {
        if (world->messages[i].state != MESSAGE_FREE) {
            return true;
        }
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (world->slots[i].is_loading || engine_is_due(world, i)) {
            return true;
        }
    }
    return worker_any(world);
}

/* Everybody moves once; time goes on when nobody has anything to do. */
static bool calm_round(struct world *world)
{
    world->step++;
    for (uint32_t i = 0; i < MESSAGES_MAX; i++) {
        if (world->messages[i].state == MESSAGE_FLYING) {
            engine_deliver(world, &world->messages[i]);
        }
    }
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        worker_act(world, &world->workers[i]);
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        disk_load_some(world);
        engine_tick(world);
    }
    disk_step(world);
    disk_step(world);
    engine_drain(world);
    disk_evict_one(world);
    if (!is_busy(world)) {
        client_settle(world);
        if (!is_busy(world)) {
            if (engine_next_ms(world) == 0) {
                return false;
            }
            world->now_ms = engine_next_ms(world);
        }
    }
    return world->broken == NULL;
}

static void play(struct world *world, uint64_t seed, enum bug bug)
{
    uint32_t rounds = 0;

    story_begin(world, seed, bug);
    for (uint32_t i = 0; i < FAULTY_STEPS && world->broken == NULL; i++) {
        step(world);
    }
    world->is_calm = true;
    tell(world, "--- the faults stop ---");
    while (world->broken == NULL && rounds < CALM_ROUNDS && calm_round(world)) {
        rounds++;
    }
    law(world, rounds < CALM_ROUNDS, "everything comes to rest");
    judge_end(world);
    story_end(world);
}

static void print_story(const struct world *world)
{
    uint64_t from = (world->line_count > TAIL) ? world->line_count - TAIL : 0;

    for (uint64_t i = from; i < world->line_count; i++) {
        (void)printf("%s\n", world->lines[i % TAIL]);
    }
    (void)printf("seed %" PRIu64 ", step %" PRIu64 ": broken: %s\n", world->seed,
                 world->broken_step, world->broken);
}

static bool parse(int argc, char **argv, struct options *options)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seeds") == 0) {
            options->seeds = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--first") == 0) {
            options->first = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--bug") == 0) {
            options->bug = bug_parse(argv[i + 1]);
        } else {
            return false;
        }
    }
    return argc % 2 == 1 && options->bug != BUGS;
}

/* The errors of a core that is fed nonsense by a planted bug are not news. */
static void silent(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)text;
}

static int hunt(struct world *world, const struct options *options)
{
    for (uint64_t seed = options->first; seed < options->first + options->seeds; seed++) {
        play(world, seed, options->bug);
        if (world->broken != NULL) {
            (void)printf("%s: found in seed %" PRIu64 ", step %" PRIu64
                         ": %s\n1 passed, 0 failed\n",
                         bug_name(options->bug), seed, world->broken_step, world->broken);
            return EXIT_SUCCESS;
        }
    }
    (void)printf("%s: not found in %" PRIu64 " seeds\n0 passed, 1 failed\n", bug_name(options->bug),
                 options->seeds);
    return EXIT_FAILURE;
}

static int play_all(struct world *world, const struct options *options)
{
    uint64_t failed = 0;

    for (uint64_t seed = options->first; seed < options->first + options->seeds; seed++) {
        play(world, seed, BUG_NONE);
        if (world->broken != NULL) {
            failed++;
            print_story(world);
        }
    }
    (void)printf("%" PRIu64 " passed, %" PRIu64 " failed\n", options->seeds - failed, failed);
    return (failed == 0) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static struct world world;
    struct options options = {.seeds = 300, .first = 1};

    if (!parse(argc, argv, &options)) {
        (void)fprintf(stderr, "usage: sim [--seeds N] [--first S] [--bug NAME]\n");
        return EXIT_FAILURE;
    }
    err_set_sink(silent);
    return (options.bug == BUG_NONE) ? play_all(&world, &options) : hunt(&world, &options);
}
