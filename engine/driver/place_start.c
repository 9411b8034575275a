/* How a place comes to be: memory, code, environment, connection. */
#include <stdio.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/fleet.h"
#include "engine/driver/place_parts.h"
#include "engine/driver/slot.h"
#include "engine/driver/variables.h"

#define PIDS_MAX 1024U  /* as in Lambda */
#define FILES_MAX 1024U /* likewise */

/* Without an environment, so its end is for us to tell. */
static void fail_start(struct place *place, const char *cause)
{
    if (place->cause_type == NULL && place->state != PLACE_KILLED) {
        place->cause_type = "Sandbox.StartFailed";
        (void)snprintf(place->cause, sizeof place->cause, "%s", cause);
    }
    place_end(place, false);
}

static void fail_lacking(struct place *place)
{
    const char *name = place->revision->config.runtime;
    char cause[PLACE_CAUSE_MAX];

    (void)snprintf(cause, sizeof cause,
                   "there is no runtime %.64s; the operator adds it with: pawl runtime add %.64s "
                   "DIR",
                   name, name);
    fail_start(place, cause);
}

/* A program that has once spoken the native protocol will do so again. */
static bool has_door(const struct place *place)
{
    return place->pool->options.guests != NULL && !place->revision->is_native;
}

static bool brings_program(const struct place *place)
{
    const char *name = place->revision->config.runtime;

    return name == NULL || strncmp(name, "provided.", 9) == 0;
}

/* NULL: the function brings its own program, or the runtime was removed since it was made. */
static const char *find_runtime(const struct place *place)
{
    const struct pool_options *options = &place->pool->options;

    return (options->runtime_dir != NULL && !brings_program(place))
               ? options->runtime_dir(options->runtimes_arg, place->revision->config.runtime)
               : NULL;
}

static bool lacks_runtime(const struct place *place)
{
    return place->pool->options.runtime_dir != NULL && !brings_program(place) &&
           find_runtime(place) == NULL;
}

static int start_environment(struct place *place, struct arena *arena, int ret_fds[2])
{
    struct pool *pool = place->pool;
    const struct function_revision *revision = place->revision;
    struct environment_spec spec = {
        .code = revision->code,
        .layers = revision->layers,
        .memory_mb = revision->config.memory_mb,
        .tmp_mb = revision->config.tmp_mb,
        .pids_max = PIDS_MAX,
        .files_max = FILES_MAX,
        .has_door = has_door(place),
        .runtime = find_runtime(place),
    };

    spec.env = variables_make(arena, revision,
                              &(struct variables_setting){.region = pool->options.region,
                                                          .has_runtime = spec.runtime != NULL,
                                                          .is_provisioned = place->is_provisioned,
                                                          .environment = place->number,
                                                          .now_ms = place->started_ms});
    if (spec.env == NULL) {
        return ERR(ERR_NOMEM, "start an environment");
    }
    if (pool->options.grants != NULL) {
        spec.grant_count =
            pool->options.grants(pool->options.grants_arg, revision->function->name, &spec.grants);
    }
    return environment_start(&place->environment, pool->launcher, &spec, ret_fds, place,
                             place_on_environment_end);
}

static int connect_environment(struct place *place, const int fds[2])
{
    uv_loop_t *loop = place->pool->loop;
    int r = link_init(&place->connection, loop, &place->pool->turn, fds[0], has_door(place),
                      &place_link_events);

    if (r != 0) {
        (void)close(fds[1]);
        return r;
    }
    place->has_connection = true;
    r = output_init(&place->output, loop, fds[1], &place_output_events);
    place->has_output = r == 0;
    return r;
}

static void start(struct place *place)
{
    struct pool *pool = place->pool;
    struct arena arena;
    int fds[2];
    int r;

    arena_init(&arena, 0);
    place_move(place, PLACE_STARTING);
    place->started_ms = place_epoch_ms();
    place->started_us = (int64_t)(uv_hrtime() / 1000);
    r = start_environment(place, &arena, fds);
    arena_fini(&arena);
    if (r != 0) {
        fail_start(place, "the environment could not be started");
        return;
    }
    pool->stats.started++;
    deadlines_set(&pool->deadlines, DEADLINE_PLACE, &place->due,
                  deadlines_now_ms() + place_init_ms(place));
    if (connect_environment(place, fds) != 0) { /* it runs already: killed, it ends as all do */
        place_kill(place, "Sandbox.StartFailed", "the environment could not be connected");
    }
}

static void on_unpacked(void *arg, const char *error)
{
    struct place *place = arg;

    if (place->state == PLACE_KILLED || error != NULL) {
        fail_start(place, (error != NULL) ? error : "");
    } else if (lacks_runtime(place)) {
        fail_lacking(place);
    } else {
        start(place);
    }
}

static void on_failing(struct turn_job *job)
{
    fail_start(container_of(job, struct place, failing), "the code could not be unpacked");
}

/* So many deadlines can be needed at once; setting them must not fail then. */
static int reserve(struct place *place)
{
    struct pool *pool = place->pool;
    int r = deadlines_reserve(&pool->deadlines, DEADLINE_INVOCATION,
                              pool->capacity + place->concurrency);

    if (r == 0) {
        r = deadlines_reserve(&pool->deadlines, DEADLINE_PLACE, pool->places.count + 1);
    }
    if (r == 0) {
        r = slots_alloc(place);
    }
    if (r == 0) {
        r = table_insert(&pool->places, &place->by_number, place->number);
    }
    return r;
}

static void init_place(struct place *place, struct lane *lane, struct function_revision *revision)
{
    place->pool = lane->fleet->pool;
    place->lane = lane;
    place->revision = revision;
    place->number = place->pool->next_number++;
    place->is_suppressed = lane->is_suppressed;
    place->concurrency = place_concurrency(revision);
    list_init(&place->link);
    list_init(&place->room);
    list_init(&place->idle);
    list_init(&place->idle_fleet);
    list_init(&place->running);
    turn_job_init(&place->failing, on_failing);
}

struct place *place_create(struct lane *lane, struct function_revision *revision,
                           bool is_provisioned)
{
    struct place *place = mem_calloc(1, sizeof *place);

    if (place == NULL) {
        return NULL;
    }
    init_place(place, lane, revision);
    if (reserve(place) != 0) {
        mem_free(place->slots);
        mem_free(place->free_slots);
        mem_free(place);
        return NULL;
    }
    function_revision_ref(revision);
    place->is_coming = true;
    place->is_provisioned = is_provisioned;
    place->pool->places_in_memory++;
    lane_on_created(lane, place);
    if (function_unpack(place->pool->functions, revision, place, on_unpacked) != 0) {
        turn_add(&place->pool->turn, &place->failing);
    }
    return place;
}
