/* An invocation goes to the environment that it prefers, else to the one of its lane
 * that was used last, else it waits in its lane and one is started; see fleet.h. Who
 * waits is served first: while a lane has a queue, newcomers stand at its end. */
#include "engine/driver/pool.h"

#include <assert.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/cause.h"
#include "engine/driver/fleet.h"

/* Decoding one message of at most 7 MiB takes less. */
#define ARENA_BYTES_MAX ((size_t)64 * 1024 * 1024)

/* --- ends without a place ----------------------------------------------------------- */

static const struct invocation_end refusals[] = {
    [REFUSED_FULL] = {.error_type = "TooManyRequestsException",
                      .error_message = "Rate Exceeded.",
                      .reason = "ConcurrentInvocationLimitExceeded"},
    [REFUSED_RESERVED] = {.error_type = "TooManyRequestsException",
                          .error_message = "Rate Exceeded.",
                          .reason = "ReservedFunctionConcurrentInvocationLimitExceeded"},
    [REFUSED_ACCOUNT] = {.error_type = "TooManyRequestsException",
                         .error_message = "Rate Exceeded.",
                         .reason = "ConcurrentInvocationLimitExceeded"},
    [REFUSED_CANCELED] = {.error_type = "Pawl.Canceled",
                          .error_message = "the invocation was canceled"},
    [REFUSED_CLOSED] = {.error_type = "Pawl.NeighbourLost",
                        .error_message =
                            "its environment was ended because of another invocation in it"},
    [REFUSED_RESTART] = {.error_type = "Pawl.Restarted",
                         .error_message = "the daemon is being stopped"},
};

void pool_refuse(struct pool *pool, struct invocation *invocation, enum refused why)
{
    invocation->number = why;
    list_push_back(&pool->refused, &invocation->link);
    turn_add(&pool->turn, &pool->refusing);
}

void pool_on_ending(struct pool *pool, struct invocation *invocation)
{
    if (gate_leave(&pool->gates, &invocation->pass)) {
        turn_add(&pool->turn, &pool->admitting);
    }
}

static void end_unplaced(struct pool *pool, struct invocation *invocation,
                         const struct invocation_end *end)
{
    struct buf tail = invocation->log_tail;

    pool_on_ending(pool, invocation);
    invocation->events->on_ended(invocation, end);
    buf_fini(&tail);
}

void pool_end_lost(struct pool *pool, struct invocation *invocation, const struct place *place)
{
    char message[PLACE_MESSAGE_MAX];
    struct invocation_end end = {.error_type = place->cause_type, .error_message = message};

    cause_format_message(&invocation->request_id, place->cause, message, sizeof message);
    if (place->init_error_type[0] != '\0') {
        end.error_message = place->cause; /* the runtime's own words */
    }
    end_unplaced(pool, invocation, &end);
}

static void finish(struct pool *pool);
static void on_admitting(struct turn_job *job);

static void on_refusing(struct turn_job *job)
{
    struct pool *pool = container_of(job, struct pool, refusing);
    struct list now;
    struct list *item;

    list_init(&now);
    list_splice_back(&now, &pool->refused);
    while ((item = list_pop_front(&now)) != NULL) {
        struct invocation *invocation = container_of(item, struct invocation, link);

        end_unplaced(pool, invocation, &refusals[invocation->number]);
    }
    finish(pool);
}

/* --- opening and closing -------------------------------------------------------------- */

static void on_invocation_expired(struct heap_node *node)
{
    struct invocation *invocation = container_of(node, struct invocation, timeout);

    place_on_timeout(invocation->place, invocation);
}

static void on_place_expired(struct heap_node *node)
{
    place_on_due(container_of(node, struct place, due));
}

int pool_create(struct pool **ret_pool, uv_loop_t *loop, struct launcher *launcher,
                struct functions *functions, struct logs *logs, const struct pool_options *options)
{
    struct pool *pool = mem_calloc(1, sizeof *pool);

    if (pool == NULL) {
        return ERR(ERR_NOMEM, "pool of environments");
    }
    pool->loop = loop;
    pool->launcher = launcher;
    pool->functions = functions;
    pool->logs = logs;
    pool->options = *options;
    pool->next_number = 1;
    turn_init(&pool->turn, loop);
    turn_job_init(&pool->refusing, on_refusing);
    turn_job_init(&pool->admitting, on_admitting);
    gates_init(&pool->gates,
               (options->concurrency_max > 0) ? options->concurrency_max : UINT32_MAX);
    deadlines_init(&pool->deadlines, loop, on_invocation_expired, on_place_expired);
    arena_init(&pool->arena, ARENA_BYTES_MAX);
    list_init(&pool->idle);
    list_init(&pool->hungry);
    list_init(&pool->wanting);
    list_init(&pool->growing);
    list_init(&pool->warm);
    machine_load_init(&pool->load);
    (void)uv_timer_init(loop, &pool->growth_timer);
    list_init(&pool->refused);
    *ret_pool = pool;
    return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct pool *pool = handle->data;
    pool_close_cb cb = pool->close_cb;
    void *arg = pool->close_arg;

    if (--pool->open_handles > 0) {
        return;
    }
    arena_fini(&pool->arena);
    table_fini(&pool->places);
    table_fini(&pool->fleets);
    machine_load_fini(&pool->load);
    mem_free(pool);
    cb(arg);
}

/* The last one out: no environment and no invocation is left. */
static void finish(struct pool *pool)
{
    if (!pool->is_closing || pool->is_finishing || pool->places_in_memory > 0 ||
        !list_is_empty(&pool->refused)) {
        return;
    }
    assert(pool->fleets.count == 0);
    pool->is_finishing = true;
    pool->open_handles = 4;
    turn_close(&pool->turn, pool, on_handle_closed);
    deadlines_close(&pool->deadlines, pool, on_handle_closed);
    pool->growth_timer.data = pool;
    uv_close((uv_handle_t *)&pool->growth_timer, on_handle_closed);
}

void pool_on_place_freed(struct pool *pool)
{
    pool->places_in_memory--;
    finish(pool);
}

static void close_lanes(struct list *wanting)
{
    while (!list_is_empty(wanting)) {
        lane_close(container_of(wanting->next, struct lane, want));
    }
}

static void close_gates(struct pool *pool)
{
    struct gate_pass *pass;

    while ((pass = gates_any(&pool->gates)) != NULL) {
        pool->stats.waiting--;
        pool_refuse(pool, container_of(pass, struct invocation, pass), REFUSED_RESTART);
    }
}

static void close_wanting(struct pool *pool)
{
    close_lanes(&pool->hungry);
    close_lanes(&pool->wanting);
    close_lanes(&pool->growing);
}

/* A lane without an environment that has somebody waiting stands in one of the lists. */
void pool_close(struct pool *pool, void *arg, pool_close_cb cb)
{
    struct table_node *node = NULL;
    size_t bucket = 0;

    assert(!pool->is_closing);
    pool->is_closing = true;
    pool->close_arg = arg;
    pool->close_cb = cb;
    close_gates(pool);
    warm_close(pool);
    close_wanting(pool);
    while ((node = table_walk(&pool->places, &bucket, node)) != NULL) {
        struct place *place = container_of(node, struct place, by_number);

        close_lanes(&place->lane->fleet->blocked);
        lane_close(place->lane);
        place_kill(place, "Pawl.Restarted", "the daemon is being stopped");
    }
    close_wanting(pool); /* who got the turn of another just now */
    finish(pool);
}

/* --- invocations ------------------------------------------------------------------------ */

static struct place *find_place(const struct pool *pool, uint64_t number)
{
    struct table_node *node = table_first(&pool->places, number);

    return (node != NULL) ? container_of(node, struct place, by_number) : NULL;
}

static struct place *choose(const struct pool *pool, const struct lane *lane,
                            const struct invocation *invocation)
{
    struct place *place =
        (invocation->affinity != 0) ? find_place(pool, invocation->affinity) : NULL;

    if (lane->waiting_count > 0) {
        return NULL;
    }
    if (place != NULL && place->lane == lane && place_has_room(place)) {
        return place;
    }
    return list_is_empty(&lane->room) ? NULL : container_of(lane->room.next, struct place, room);
}

static void reset(struct invocation *invocation)
{
    list_init(&invocation->link);
    invocation->pass = (struct gate_pass){0};
    invocation->number = 0;
    invocation->place = NULL;
    invocation->deadline_ms = 0;
    invocation->timeout = (struct heap_node){0};
    invocation->start_us = 0;
    invocation->log_tail = (struct buf){0};
    invocation->is_sent = false;
    invocation->is_canceled = false;
    invocation->resume = NULL;
}

static struct gate *gate_of(const struct function_revision *revision)
{
    return &revision->function->gate;
}

static bool is_single(const struct function_revision *revision)
{
    return place_concurrency(revision) == 1;
}

static void admit(struct pool *pool, struct invocation *invocation)
{
    struct lane *lane = lane_get(pool, invocation->revision, invocation->tenant_id);
    struct place *place = (lane != NULL) ? choose(pool, lane, invocation) : NULL;

    if (place != NULL) {
        place_put(place, invocation);
    } else if (lane == NULL || pool->stats.waiting >= pool->options.waiting_max) {
        pool_refuse(pool, invocation, REFUSED_FULL);
        if (lane != NULL) {
            lane_settle(lane);
        }
    } else {
        lane_wait(lane, invocation);
    }
}

static void on_admitting(struct turn_job *job)
{
    struct pool *pool = container_of(job, struct pool, admitting);
    struct gate_pass *pass;

    while ((pass = gates_next(&pool->gates)) != NULL) {
        pool->stats.waiting--;
        admit(pool, container_of(pass, struct invocation, pass));
    }
}

/* There is no room at its gate, or who is patient waits there already. */
static void turn_away(struct pool *pool, struct invocation *invocation)
{
    struct gate *gate = gate_of(invocation->revision);

    if (!invocation->is_patient) {
        pool_refuse(pool, invocation, gate->is_reserved ? REFUSED_RESERVED : REFUSED_ACCOUNT);
    } else if (pool->stats.waiting >= pool->options.waiting_max) {
        pool_refuse(pool, invocation, REFUSED_FULL);
    } else {
        pool->stats.waiting++;
        gate_wait(&pool->gates, gate, &invocation->pass);
    }
}

void pool_invoke(struct pool *pool, struct invocation *invocation)
{
    struct gate *gate = gate_of(invocation->revision);

    reset(invocation);
    invocation->pass.is_single = is_single(invocation->revision);
    if (pool->is_closing) {
        pool_refuse(pool, invocation, REFUSED_RESTART);
    } else if (!gate_has_room(&pool->gates, gate, invocation->pass.is_single) ||
               (invocation->is_patient && gate->waiting_count > 0)) {
        turn_away(pool, invocation);
    } else {
        gate_enter(&pool->gates, gate, &invocation->pass);
        admit(pool, invocation);
    }
}

const char *pool_limit_reason(const struct pool *pool, const struct function_revision *revision)
{
    const struct gate *gate = gate_of(revision);

    if (gate_has_room(&pool->gates, gate, is_single(revision))) {
        return NULL;
    }
    return refusals[gate->is_reserved ? REFUSED_RESERVED : REFUSED_ACCOUNT].reason;
}

void pool_reserve(struct pool *pool, struct function *function, bool is_reserved, uint32_t reserved)
{
    if (gate_reserve(&pool->gates, &function->gate, is_reserved, reserved) && !pool->is_closing) {
        turn_add(&pool->turn, &pool->admitting);
    }
}

uint32_t pool_unreserved(const struct pool *pool)
{
    return gates_unreserved(&pool->gates);
}

void invocation_send(struct pool *pool, struct invocation *invocation, enum wire_type type,
                     struct bytes body)
{
    struct place *place = invocation->place;

    (void)pool;
    if (place != NULL) { /* else its end is on the way */
        place_send(place, invocation, type, body);
    }
}

void invocation_invoke(struct pool *pool, struct invocation *invocation, struct arena *arena,
                       const struct wire_invoke *invoke, struct buf *scratch)
{
    if (invocation->place != NULL && invocation->is_guest) {
        place_invoke_guest(invocation->place, invocation, invoke);
        return;
    }
    scratch->len = 0;
    wire_put_invoke(scratch, arena, invoke);
    invocation_send(pool, invocation, WIRE_INVOKE, buf_bytes(scratch));
}

void invocation_cancel(struct pool *pool, struct invocation *invocation, const char *reason)
{
    struct lane *lane;

    if (invocation->place != NULL) {
        place_cancel(invocation->place, invocation, reason);
    } else if (invocation->number == 0 && !invocation->pass.is_admitted) {
        (void)gate_leave(&pool->gates, &invocation->pass);
        pool->stats.waiting--;
        pool_refuse(pool, invocation, REFUSED_CANCELED);
    } else if (invocation->number == 0) {
        lane = lane_find(pool, invocation->revision, invocation->tenant_id);
        assert(lane != NULL);
        lane_leave(lane, invocation);
        pool_refuse(pool, invocation, REFUSED_CANCELED);
    }
}

/* --- looking in --------------------------------------------------------------------------- */

void pool_get_stats(const struct pool *pool, struct pool_stats *ret_stats)
{
    *ret_stats = pool->stats;
}

void pool_walk(const struct pool *pool, void *arg,
               void (*visit)(void *arg, const struct pool_environment *environment))
{
    struct table_node *node = NULL;
    size_t bucket = 0;

    while ((node = table_walk(&pool->places, &bucket, node)) != NULL) {
        const struct place *place = container_of(node, struct place, by_number);
        const struct pool_environment environment = {
            .function = place->revision->function->name,
            .revision = place->revision->number,
            .pid = (place->environment != NULL) ? environment_pid(place->environment) : 0,
            .running = place->running_count,
            .started_ms = place->started_ms,
        };

        visit(arg, &environment);
    }
}

/* Those that are busy now are looked at when they become idle. */
void pool_function_changed(struct pool *pool, struct function *function)
{
    struct list *item = pool->idle.next;

    if (function->is_deleted && function->gate.is_reserved) {
        pool_reserve(pool, function, false, 0);
    }
    while (item != &pool->idle) {
        struct place *place = container_of(item, struct place, idle);

        item = item->next;
        if (place->revision->function == function && lane_is_outdated(place->lane)) {
            place_kill(place, NULL, "%s", "");
        }
    }
}
