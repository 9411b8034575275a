/* Environments that are kept ready although nobody waits for one: provisioned concurrency.
 *
 * A lane that is to be kept warm wants an environment whenever fewer live than it is to
 * have. Those it starts come one at a time, at most one in GROWTH_STEP_MS, so that a program
 * that ends as soon as it is ready does not keep the machine busy; a start that fails ends
 * the wish until somebody invokes, or pool_tend_warm() tries again. What is kept is neither
 * reaped when idle nor given up for others, so it is never more than half of all that there
 * may be: who asked first has it. */
#include "engine/base/err.h"
#include "engine/driver/fleet.h"

static uint32_t alive(const struct lane *lane)
{
    return lane->coming_count + lane->serving_count;
}

bool lane_lacks_warm(const struct lane *lane)
{
    return alive(lane) < lane->warm && !lane->is_failed;
}

bool lane_keeps(const struct lane *lane)
{
    return lane->warm > 0 && alive(lane) <= lane->warm;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return (a < b) ? a : b;
}

static void share(struct pool *pool)
{
    uint32_t left = pool->options.environments_max / 2;
    struct list *item;

    list_for_each (item, &pool->warm) {
        struct lane *lane = container_of(item, struct lane, warm_link);

        lane->warm = least(lane->warm_wanted, least(left, pool->options.environments_each_max));
        left -= lane->warm;
        lane_want(lane);
    }
    pool_start_wanted(pool);
}

static void stop(struct lane *lane)
{
    struct function_revision *revision = lane->fleet->revision;

    lane->warm_wanted = 0;
    lane->warm = 0;
    list_remove(&lane->warm_link);
    if (lane->fleet->pool->is_closing) {
        lane_close(lane);
    } else {
        lane_want(lane);
        lane_settle(lane);
    }
    function_revision_unref(revision);
}

int pool_keep_warm(struct pool *pool, struct function_revision *revision, uint32_t environments)
{
    struct bytes nobody = bytes_of("", 0);
    struct lane *lane = (environments > 0 && !pool->is_closing) ? lane_get(pool, revision, nobody)
                                                                : lane_find(pool, revision, nobody);

    if (lane == NULL) {
        return (environments == 0 || pool->is_closing)
                   ? 0
                   : ERR(ERR_NOMEM, "environments that are kept warm");
    }
    if (environments == 0) {
        if (lane->warm_wanted > 0) {
            stop(lane);
            share(pool);
        }
        return 0;
    }
    if (lane->warm_wanted == 0) {
        function_revision_ref(revision);
        list_push_back(&pool->warm, &lane->warm_link);
    }
    lane->is_failed = lane->is_failed && environments == lane->warm_wanted;
    lane->warm_wanted = environments;
    share(pool);
    return 0;
}

void pool_get_warm(const struct pool *pool, const struct function_revision *revision,
                   struct pool_warm *ret_warm)
{
    const struct lane *lane = lane_find(pool, revision, bytes_of("", 0));

    *ret_warm = (struct pool_warm){0};
    if (lane != NULL && lane->warm_wanted > 0) {
        ret_warm->wanted = lane->warm_wanted;
        ret_warm->started = least(alive(lane), lane->warm);
        ret_warm->ready = least(lane->serving_count, lane->warm);
        ret_warm->is_failed = lane->is_failed && ret_warm->ready < lane->warm;
    }
}

void pool_tend_warm(struct pool *pool)
{
    struct list *item;

    list_for_each (item, &pool->warm) {
        struct lane *lane = container_of(item, struct lane, warm_link);

        if (alive(lane) < lane->warm) {
            lane->is_failed = false;
            lane_want(lane);
        }
    }
    pool_start_wanted(pool);
}

void warm_close(struct pool *pool)
{
    while (!list_is_empty(&pool->warm)) {
        stop(container_of(pool->warm.next, struct lane, warm_link));
    }
}
