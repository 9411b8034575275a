#include "engine/driver/fleet.h"

#include <assert.h>

#include "engine/base/mem.h"

/* A lane that always has work gives an environment up to one that has none after this. */
#define YIELD_MS 1000

/* --- finding -------------------------------------------------------------------------- */

static uint64_t hash_revision(const struct function_revision *revision)
{
    return table_hash(bytes_of(&revision, sizeof revision));
}

static struct fleet *fleet_find(const struct pool *pool, const struct function_revision *revision)
{
    struct table_node *node = table_first(&pool->fleets, hash_revision(revision));

    while (node != NULL) {
        struct fleet *fleet = container_of(node, struct fleet, by_revision);

        if (fleet->revision == revision) {
            return fleet;
        }
        node = table_next(node);
    }
    return NULL;
}

static struct lane *find_in_fleet(const struct fleet *fleet, struct bytes tenant_id)
{
    struct table_node *node = table_first(&fleet->lanes, table_hash(tenant_id));

    while (node != NULL) {
        struct lane *lane = container_of(node, struct lane, by_tenant);

        if (bytes_equal(lane->tenant_id, tenant_id)) {
            return lane;
        }
        node = table_next(node);
    }
    return NULL;
}

struct lane *lane_find(const struct pool *pool, const struct function_revision *revision,
                       struct bytes tenant_id)
{
    struct fleet *fleet = fleet_find(pool, revision);

    return (fleet != NULL) ? find_in_fleet(fleet, tenant_id) : NULL;
}

/* --- making and ending ------------------------------------------------------------------ */

static void fleet_settle(struct fleet *fleet)
{
    if (fleet->lanes.count > 0) {
        return;
    }
    assert(fleet->place_count == 0 && list_is_empty(&fleet->blocked));
    table_remove(&fleet->pool->fleets, &fleet->by_revision);
    table_fini(&fleet->lanes);
    mem_free(fleet);
}

static struct fleet *fleet_make(struct pool *pool, struct function_revision *revision)
{
    struct fleet *fleet = mem_calloc(1, sizeof *fleet);

    if (fleet == NULL) {
        return NULL;
    }
    fleet->pool = pool;
    fleet->revision = revision;
    list_init(&fleet->idle);
    list_init(&fleet->blocked);
    if (table_insert(&pool->fleets, &fleet->by_revision, hash_revision(revision)) != 0) {
        mem_free(fleet);
        return NULL;
    }
    return fleet;
}

static struct lane *lane_make(struct fleet *fleet, struct bytes tenant_id)
{
    struct lane *lane = mem_calloc(1, sizeof *lane);
    uint8_t *owned = mem_dup(tenant_id.data, tenant_id.len);

    if (lane == NULL || owned == NULL ||
        table_insert(&fleet->lanes, &lane->by_tenant, table_hash(tenant_id)) != 0) {
        mem_free(lane);
        mem_free(owned);
        return NULL;
    }
    lane->fleet = fleet;
    lane->tenant_id = bytes_of(owned, tenant_id.len);
    list_init(&lane->places);
    list_init(&lane->room);
    list_init(&lane->waiting);
    list_init(&lane->want);
    list_init(&lane->warm_link);
    return lane;
}

struct lane *lane_get(struct pool *pool, struct function_revision *revision, struct bytes tenant_id)
{
    struct fleet *fleet = fleet_find(pool, revision);
    struct lane *lane;

    if (fleet == NULL) {
        fleet = fleet_make(pool, revision);
    }
    if (fleet == NULL) {
        return NULL;
    }
    lane = find_in_fleet(fleet, tenant_id);
    if (lane == NULL) {
        lane = lane_make(fleet, tenant_id);
    }
    if (lane == NULL) {
        fleet_settle(fleet);
    }
    return lane;
}

/* --- standing in line ------------------------------------------------------------------- */

static void on_growth_timer(uv_timer_t *timer);

/* One of those that serve will take more by itself. */
static bool asks_soon(struct lane *lane)
{
    int64_t now_ms = deadlines_now_ms();
    bool is_busy = machine_load_is_busy(&lane->fleet->pool->load, now_ms);
    struct list *item;

    list_for_each (item, &lane->places) {
        if (place_asks_soon(container_of(item, struct place, link), is_busy, now_ms)) {
            return true;
        }
    }
    return false;
}

static bool must_wait(struct lane *lane)
{
    if (lane->waiting_count == 0) { /* only to be kept warm */
        return deadlines_now_ms() < lane->warmed_ms + GROWTH_STEP_MS;
    }
    return lane->place_count > 0 && place_concurrency(lane->fleet->revision) > 1 &&
           (asks_soon(lane) || !growth_may(&lane->growth, &lane->fleet->pool->load,
                                           lane->serving_count, deadlines_now_ms()));
}

static void push_want(struct lane *lane)
{
    struct pool *pool = lane->fleet->pool;

    if (must_wait(lane)) {
        list_push_back(&pool->growing, &lane->want);
        if (!uv_is_active((uv_handle_t *)&pool->growth_timer) && !pool->is_closing) {
            (void)uv_timer_start(&pool->growth_timer, on_growth_timer, GROWTH_STEP_MS, 0);
        }
        return;
    }
    list_push_back((lane->place_count == 0 && lane->waiting_count > 0) ? &pool->hungry
                                                                       : &pool->wanting,
                   &lane->want);
}

static void unblock_one(struct fleet *fleet)
{
    struct list *item = list_pop_front(&fleet->blocked);

    if (item != NULL) {
        push_want(container_of(item, struct lane, want));
    }
}

/* The turn that it had is another's, or nobody would take it. */
static void unwant(struct lane *lane)
{
    struct fleet *fleet = lane->fleet;

    if (list_is_empty(&lane->want)) {
        return;
    }
    list_remove(&lane->want);
    if (fleet->place_count < fleet->pool->options.environments_each_max) {
        unblock_one(fleet);
    }
}

void lane_settle(struct lane *lane)
{
    struct fleet *fleet = lane->fleet;

    if (lane->waiting_count > 0 || lane->place_count > 0 || lane->warm_wanted > 0) {
        return;
    }
    unwant(lane);
    table_remove(&fleet->lanes, &lane->by_tenant);
    mem_free((void *)(uintptr_t)lane->tenant_id.data);
    mem_free(lane);
    fleet_settle(fleet);
}

/* --- wanting an environment --------------------------------------------------------------- */

static bool needs_place(const struct lane *lane)
{
    uint64_t coming = (uint64_t)lane->coming_count * place_concurrency(lane->fleet->revision) +
                      lane->returning_count;

    if (lane_lacks_warm(lane) && !lane->fleet->pool->is_closing) {
        return true;
    }
    if (lane->waiting_count == 0 || coming >= lane->waiting_count ||
        lane->fleet->pool->is_closing) {
        return false;
    }
    return !lane->is_failed || lane->coming_count + lane->serving_count == 0;
}

void lane_want(struct lane *lane)
{
    if (needs_place(lane)) {
        if (list_is_empty(&lane->want)) {
            push_want(lane);
        }
    } else {
        unwant(lane);
    }
}

/* One at a time goes for others: the longest idle that is not kept warm. */
static void evict(struct list *idle, uint32_t killed_count, bool is_fleet)
{
    struct list *item;

    if (killed_count > 0) {
        return;
    }
    list_for_each (item, idle) {
        struct place *place = is_fleet ? container_of(item, struct place, idle_fleet)
                                       : container_of(item, struct place, idle);

        if (!lane_keeps(place->lane)) {
            place_kill(place, NULL, "%s", "");
            return;
        }
    }
}

static struct lane *first_wanting(const struct pool *pool)
{
    const struct list *from = !list_is_empty(&pool->hungry) ? &pool->hungry : &pool->wanting;

    return list_is_empty(from) ? NULL : container_of(from->next, struct lane, want);
}

static void refuse_waiting(struct lane *lane, enum refused why)
{
    struct list *item;

    while ((item = list_pop_front(&lane->waiting)) != NULL) {
        lane->waiting_count--;
        lane->fleet->pool->stats.waiting--;
        pool_refuse(lane->fleet->pool, container_of(item, struct invocation, link), why);
    }
}

/* Each stands in the list that is right for it now. */
static void on_growth_timer(uv_timer_t *timer)
{
    struct pool *pool = container_of(timer, struct pool, growth_timer);
    struct list now;

    list_init(&now);
    list_splice_back(&now, &pool->growing);
    while (!list_is_empty(&now)) {
        struct lane *lane = container_of(now.next, struct lane, want);

        list_remove(&lane->want);
        lane_want(lane);
    }
    pool_start_wanted(pool);
}

static void start_one(struct lane *lane)
{
    struct fleet *fleet = lane->fleet;
    struct pool *pool = fleet->pool;
    bool is_provisioned;

    list_remove(&lane->want);
    if (fleet->place_count >= pool->options.environments_each_max) {
        list_push_back(&fleet->blocked, &lane->want);
        evict(&fleet->idle, fleet->killed_count, true);
        return;
    }
    growth_note(&lane->growth, deadlines_now_ms());
    is_provisioned = lane->waiting_count == 0;
    if (is_provisioned) {
        lane->warmed_ms = deadlines_now_ms();
    }
    if (place_create(lane, fleet->revision, is_provisioned) ==
        NULL) { /* no memory: waiting does not help */
        refuse_waiting(lane, REFUSED_FULL);
        unblock_one(fleet);
        lane_settle(lane);
        return;
    }
    lane_want(lane);
}

void pool_start_wanted(struct pool *pool)
{
    struct lane *lane;

    while ((lane = first_wanting(pool)) != NULL) {
        if (!needs_place(lane)) {
            unwant(lane);
        } else if (pool->stats.environments >= pool->options.environments_max) {
            evict(&pool->idle, pool->killed_count, false);
            return;
        } else {
            start_one(lane);
        }
    }
}

/* Somebody has no environment at all, and this one has done enough for its own lane. */
static bool must_yield(const struct lane *lane, const struct place *place)
{
    const struct fleet *fleet = lane->fleet;
    const struct pool *pool = fleet->pool;
    const struct list *blocked = fleet->blocked.next;

    if (place->running_count > 0 || lane->waiting_count == 0 || lane_keeps(lane)) {
        return false;
    }
    if (lane->place_count == 1 && deadlines_now_ms() - place->ready_ms < YIELD_MS) {
        return false;
    }
    if (!list_is_empty(&pool->hungry) && pool->killed_count == 0) {
        return true;
    }
    return blocked != &fleet->blocked && fleet->killed_count == 0 &&
           container_of(blocked, struct lane, want)->place_count == 0;
}

/* --- what places tell ---------------------------------------------------------------------- */

void lane_on_created(struct lane *lane, struct place *place)
{
    struct pool *pool = lane->fleet->pool;

    list_push_back(&lane->places, &place->link);
    lane->place_count++;
    lane->coming_count++;
    lane->fleet->place_count++;
    pool->stats.environments++;
    pool->capacity += place->concurrency;
}

static void serve(struct lane *lane, struct place *place)
{
    while (lane->waiting_count > 0 && place_has_room(place) && !must_yield(lane, place)) {
        struct list *item = list_pop_front(&lane->waiting);

        lane->waiting_count--;
        lane->fleet->pool->stats.waiting--;
        place_put(place, container_of(item, struct invocation, link));
    }
}

bool lane_is_outdated(const struct lane *lane)
{
    const struct function_revision *revision = lane->fleet->revision;
    const struct function *function = revision->function;

    return function->is_deleted || revision->is_deleted ||
           (revision->version == 0 && function->latest != revision && !revision->config.is_durable);
}

void lane_on_room(struct lane *lane, struct place *place)
{
    serve(lane, place);
    if (place->state == PLACE_READY) {
        list_remove(&place->room);
        if (place->running_count == 0 && (lane->waiting_count > 0 || lane_is_outdated(lane))) {
            place_kill(place, NULL, "%s", "");
        } else if (place_has_room(place)) {
            list_push_back(lane->room.next, &place->room); /* in front: used last */
        }
        if (place->state == PLACE_READY && place->running_count == 0 &&
            list_is_empty(&place->idle)) {
            place_be_idle(place);
            if (!list_is_empty(&lane->fleet->blocked)) {
                evict(&lane->fleet->idle, lane->fleet->killed_count, true);
            }
        }
    }
    lane_want(lane);
    pool_start_wanted(lane->fleet->pool);
}

void lane_on_late(struct lane *lane)
{
    lane->returning_count--;
    lane_want(lane);
    pool_start_wanted(lane->fleet->pool);
}

void lane_on_killed(struct lane *lane, struct place *place)
{
    (void)place;
    lane->fleet->killed_count++;
    lane->fleet->pool->killed_count++;
}

void lane_on_failed(struct lane *lane, const struct place *place)
{
    struct pool *pool = lane->fleet->pool;
    struct list lost;
    struct list *item;

    if (place_may_init_again(place)) {
        lane->is_suppressed = true; /* lane_on_gone() starts another */
        return;
    }
    lane->is_suppressed = false;
    lane->is_failed = true;
    if (lane->coming_count + lane->serving_count > 0) {
        return; /* these will serve, or fail themselves */
    }
    list_init(&lost); /* its place holds the lane: what ends may invoke again */
    list_splice_back(&lost, &lane->waiting);
    pool->stats.waiting -= lane->waiting_count;
    lane->waiting_count = 0;
    list_for_each (item, &lost) {
        container_of(item, struct invocation, link)->number = REFUSED_CLOSED;
    }
    while ((item = list_pop_front(&lost)) != NULL) {
        pool_end_lost(pool, container_of(item, struct invocation, link), place);
    }
}

void lane_on_gone(struct lane *lane, struct place *place)
{
    struct fleet *fleet = lane->fleet;
    struct pool *pool = fleet->pool;

    list_remove(&place->link);
    table_remove(&pool->places, &place->by_number);
    lane->place_count--;
    fleet->place_count--;
    pool->stats.environments--;
    pool->capacity -= place->concurrency;
    place->lane = NULL;
    unblock_one(fleet);
    lane_want(lane);
    lane_settle(lane);
    pool_start_wanted(pool);
}

void lane_wait(struct lane *lane, struct invocation *invocation)
{
    struct pool *pool = lane->fleet->pool;

    list_push_back(&lane->waiting, &invocation->link);
    lane->waiting_count++;
    pool->stats.waiting++;
    lane->is_failed = false;
    if (lane->warm > 0) {
        list_remove(&lane->want); /* it stood there with more time than who waits has */
    }
    lane_want(lane);
    pool_start_wanted(pool);
}

void lane_leave(struct lane *lane, struct invocation *invocation)
{
    struct pool *pool = lane->fleet->pool;

    list_remove(&invocation->link);
    lane->waiting_count--;
    pool->stats.waiting--;
    lane_want(lane);
    lane_settle(lane);
    pool_start_wanted(pool);
}

void lane_close(struct lane *lane)
{
    refuse_waiting(lane, REFUSED_RESTART);
    unwant(lane);
    lane_settle(lane);
}
