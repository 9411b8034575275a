/* Many branches at once. Each is a child context of the batch's own context, at the place
 * of its index, so it has the same id in every replay however the threads run.
 *
 * What is recorded as ended is taken first and needs no thread. The thread that called
 * starts the others as room allows and waits; when the batch is over it tells the
 * branches in progress (their durable calls return PAWL_SUSPENDED) and waits for all of
 * them, because what they were given may stand on its stack. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sdk/lib/batch_text.h"

struct run {
    struct call call;
    const struct pawl_batch_options *options;
    bool is_map;
    bool is_rerun;
    const struct pawl_branch *branches; /* parallel */
    const struct pawl_value *inputs;    /* map */
    pawl_map_fn *map;
    void *map_arg;
    struct pawl_item *items;
    struct pawl_batch batch;
    struct slot *slots;

    /* inv->lock */
    struct group group;
    unsigned active;
    struct waiter *caller;
};

/* One branch in its thread. */
struct slot {
    struct run *run;
    size_t index;
    struct memory *memory;
};

/* --- one branch ------------------------------------------------------------------- */

static int map_one(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    const struct slot *slot = arg;
    const struct run *run = slot->run;

    return run->map(ctx, run->inputs[slot->index], slot->index, run->map_arg, ret_result);
}

/* As child_run() does it, but with nothing to record. */
static int run_flat(struct pawl_context *ctx, pawl_fn *fn, void *arg, struct pawl_value *ret_result)
{
    struct pawl_context branch;
    char id[OP_ID_MAX + 24];
    int r;

    (void)snprintf(id, sizeof id, "%s-%" PRIu32, ctx->id, ctx->counter + 1);
    if (strlen(id) > OP_ID_MAX) {
        return pawl_fail(ctx, "Pawl.Limit", "contexts are nested too deeply under operation %s",
                         ctx->id);
    }
    context_init(&branch, ctx, CONTEXT_CHILD, id);
    branch.is_flat = true;
    r = context_run(&branch, fn, arg, ret_result);
    if (r != PAWL_SUSPENDED && context_check_end(&branch) != PAWL_OK) {
        r = PAWL_SUSPENDED;
    }
    if (r == PAWL_FAILED) {
        ctx->error = branch.error;
    }
    return r;
}

static int run_named(struct pawl_context *ctx, struct slot *slot, struct pawl_value *ret_result)
{
    const struct run *run = slot->run;
    char name[40];

    if (run->options->is_flat) {
        return run->is_map ? run_flat(ctx, map_one, slot, ret_result)
                           : run_flat(ctx, run->branches[slot->index].fn,
                                      run->branches[slot->index].arg, ret_result);
    }
    if (run->is_map) {
        (void)snprintf(name, sizeof name, "map-item-%zu", slot->index);
        return child_run(ctx, name, "MapIteration", map_one, slot, ret_result);
    }
    (void)snprintf(name, sizeof name, "parallel-branch-%zu", slot->index);
    return child_run(ctx, run->branches[slot->index].name ? run->branches[slot->index].name : name,
                     "ParallelBranch", run->branches[slot->index].fn,
                     run->branches[slot->index].arg, ret_result);
}

static bool tolerates(const struct run *run)
{
    const struct pawl_batch_options *options = run->options;
    size_t failed = run->batch.failed;

    if (options->min_successful == 0 && options->tolerated_failures == 0 &&
        options->tolerated_failure_percent == 0) {
        return failed == 0;
    }
    return (options->tolerated_failures == 0 || failed <= options->tolerated_failures) &&
           (options->tolerated_failure_percent == 0 ||
            failed * 100 <= (size_t)options->tolerated_failure_percent * run->batch.count);
}

/* Whether no more is to be done, with the reason. */
static bool is_complete(struct run *run)
{
    size_t needed = run->options->min_successful;

    if (!tolerates(run)) {
        run->batch.completion = PAWL_FAILURE_TOLERANCE_EXCEEDED;
        return true;
    }
    if (run->batch.succeeded + run->batch.failed == run->batch.count) {
        run->batch.completion = PAWL_ALL_COMPLETED;
        return true;
    }
    if (needed != 0 && run->batch.succeeded >= needed) {
        run->batch.completion = PAWL_MIN_SUCCESSFUL_REACHED;
        return true;
    }
    return false;
}

/* Under the lock. What ends after the batch was over no longer counts. */
static void settle(struct run *run, size_t index, const struct pawl_item *item)
{
    if (run->group.is_over || item->status == PAWL_ITEM_STARTED) {
        return;
    }
    run->items[index] = *item;
    run->batch.succeeded += item->status == PAWL_ITEM_SUCCEEDED;
    run->batch.failed += item->status == PAWL_ITEM_FAILED;
    if (!run->is_rerun && is_complete(run)) {
        invocation_end_group(run->call.ctx->inv, &run->group);
    }
}

static void run_branch(struct slot *slot, struct pawl_item *ret_item)
{
    struct run *run = slot->run;
    struct pawl_context ctx;
    int r;

    context_init(&ctx, run->call.ctx, CONTEXT_CHILD, run->call.id);
    ctx.memory = slot->memory;
    ctx.group = &run->group;
    ctx.is_rerun |= run->is_rerun;
    ctx.counter = (uint32_t)slot->index;
    *ret_item = (struct pawl_item){.status = PAWL_ITEM_STARTED, .error = {"", "", ""}};
    r = run_named(&ctx, slot, &ret_item->result);
    if (r == PAWL_OK) {
        ret_item->status = PAWL_ITEM_SUCCEEDED;
    } else if (r == PAWL_FAILED) {
        ret_item->status = PAWL_ITEM_FAILED;
        ret_item->error = ctx.error;
    }
}

/* In the thread that called the batch. */
static void run_here(struct run *run, size_t index)
{
    struct slot *slot = &run->slots[index];
    struct pawl_item item;

    slot->memory = run->call.ctx->memory;
    run_branch(slot, &item);
    invocation_lock(run->call.ctx->inv);
    settle(run, index, &item);
    invocation_unlock(run->call.ctx->inv);
}

static void run_in_thread(void *arg)
{
    struct slot *slot = arg;
    struct run *run = slot->run;
    struct invocation *inv = run->call.ctx->inv;
    struct out *out = &inv->service->out;
    struct pawl_item item;
    bool is_flushing;

    run_branch(slot, &item);
    invocation_lock(inv);
    settle(run, slot->index, &item);
    run->active--;
    invocation_wake(inv, &run->caller);
    is_flushing = invocation_thread_ends(inv);
    invocation_unlock(inv); /* the run, and with it the invocation, may be gone now */
    if (is_flushing) {
        out_flush(out);
    }
}

/* --- all branches ----------------------------------------------------------------- */

static const struct memo *find_branch(struct run *run, size_t index)
{
    char id[OP_ID_MAX + 24];

    (void)snprintf(id, sizeof id, "%s-%zu", run->call.id, index + 1);
    return state_find(run->call.ctx->inv->memos, bytes_of_text(id));
}

static bool is_recorded(struct run *run, size_t index)
{
    const struct memo *memo;
    bool is_it;

    invocation_lock(run->call.ctx->inv);
    memo = find_branch(run, index);
    is_it = memo != NULL && memo_has_ended(memo);
    invocation_unlock(run->call.ctx->inv);
    return is_it;
}

static bool is_over(struct run *run)
{
    bool is_it;

    invocation_lock(run->call.ctx->inv);
    is_it = invocation_has_ended(run->call.ctx->inv, &run->group);
    invocation_unlock(run->call.ctx->inv);
    return is_it;
}

static void take_recorded(struct run *run)
{
    for (size_t i = 0; i < run->batch.count && !is_over(run); i++) {
        if (is_recorded(run, i)) {
            run_here(run, i);
        }
    }
}

/* False when no thread can be had. */
static bool start_thread(struct run *run, size_t index)
{
    struct invocation *inv = run->call.ctx->inv;
    struct slot *slot = &run->slots[index];

    slot->memory = memory_create(inv);
    if (slot->memory == NULL) {
        return false;
    }
    invocation_lock(inv);
    run->active++;
    invocation_thread_begins(inv);
    invocation_unlock(inv);
    if (pool_run(&inv->service->pool, run_in_thread, slot) == 0) {
        return true;
    }
    invocation_lock(inv);
    run->active--;
    (void)invocation_thread_ends(inv); /* the caller runs: nothing to flush */
    invocation_unlock(inv);
    return false;
}

static unsigned room_max(const struct run *run)
{
    uint32_t max = run->options->max_concurrency;

    return (max == 0 || max > PAWL_BRANCHES_MAX) ? PAWL_BRANCHES_MAX : max;
}

/* Waits until fewer than `room` branches are active, or the batch is over. */
static void wait_for_room(struct run *run, unsigned room)
{
    struct invocation *inv = run->call.ctx->inv;

    invocation_lock(inv);
    while (run->active >= room && !invocation_has_ended(inv, &run->group)) {
        invocation_wait(inv, &run->caller);
    }
    invocation_unlock(inv);
}

static void wait_for_all(struct run *run)
{
    struct invocation *inv = run->call.ctx->inv;

    invocation_lock(inv);
    while (run->active > 0) {
        invocation_wait(inv, &run->caller);
    }
    invocation_unlock(inv);
}

static void run_rest(struct run *run)
{
    unsigned room = room_max(run);

    for (size_t i = 0; i < run->batch.count && !is_over(run); i++) {
        if (run->items[i].status != PAWL_ITEM_STARTED) {
            continue;
        }
        /* One at a time, or no thread to be had: here. */
        if (room == 1 || !start_thread(run, i)) {
            run_here(run, i);
            continue;
        }
        wait_for_room(run, room);
    }
    wait_for_all(run);
}

/* --- the batch -------------------------------------------------------------------- */

static int begin(struct run *run, struct pawl_context *ctx, const char *name, size_t count)
{
    static const struct pawl_batch_options defaults;

    PAWL_TRY(call_begin(&run->call, ctx, OP_CONTEXT, name, run->is_map ? "Map" : "Parallel"));
    run->options = (run->options != NULL) ? run->options : &defaults;
    if (run->options->tolerated_failure_percent > 100) {
        return pawl_fail(ctx, "Pawl.Misuse",
                         "tolerated_failure_percent is %" PRIu32 ", not 0 .. 100",
                         run->options->tolerated_failure_percent);
    }
    run->group.outer = ctx->group;
    run->batch.count = count;
    run->items = pawl_alloc(ctx, count * sizeof *run->items);
    run->slots = pawl_alloc(ctx, count * sizeof *run->slots);
    run->batch.items = run->items;
    for (size_t i = 0; i < count; i++) {
        run->slots[i] = (struct slot){.run = run, .index = i};
        run->items[i].error = (struct pawl_error){"", "", ""};
    }
    return PAWL_OK;
}

static int close_batch(struct run *run)
{
    struct op_update update = call_update(&run->call, OP_SUCCEED);
    struct buf text = {0};
    int r;

    if (!batch_put(&text, &run->batch)) {
        text.len = 0;
        batch_put_summary(&text, &run->batch, run->is_map, run->options->is_flat);
        update.replay_children = true;
    }
    update.has_payload = true;
    update.payload = buf_bytes(&text);
    r = call_queue(&run->call, &update);
    buf_fini(&text);
    return r;
}

static int run_all(struct run *run)
{
    struct pawl_context *ctx = run->call.ctx;
    struct op_update update = call_update(&run->call, OP_START);
    bool has_ended;

    if (run->call.memo == NULL) {
        PAWL_TRY(call_queue(&run->call, &update));
    }
    if (run->batch.count > 0) {
        take_recorded(run);
        run_rest(run);
    }
    invocation_lock(ctx->inv);
    has_ended = invocation_has_ended(ctx->inv, ctx->group);
    invocation_unlock(ctx->inv);
    return has_ended ? context_suspend(ctx) : close_batch(run);
}

static int damaged(struct run *run)
{
    invocation_hold(run->call.ctx->inv,
                    pawl_printf(run->call.ctx,
                                "the recorded result of the batch %s is not one of %zu items: "
                                "deploy code that gives it as many items as before",
                                run->call.id, run->batch.count));
    return context_suspend(run->call.ctx);
}

/* Over 256 KiB: the results are those of the branches. */
static int replay_children(struct run *run, struct bytes summary)
{
    run->is_rerun = true;
    if (!batch_get_completion(summary, &run->batch.completion)) {
        return damaged(run);
    }
    if (run->options->is_flat && !batch_get_statuses(summary, run->items, run->batch.count)) {
        return damaged(run);
    }
    for (size_t i = 0; i < run->batch.count; i++) {
        if (run->options->is_flat ? run->items[i].status != PAWL_ITEM_STARTED
                                  : is_recorded(run, i)) {
            run_here(run, i);
        }
    }
    return is_over(run) ? context_suspend(run->call.ctx) : PAWL_OK;
}

static int replay(struct run *run)
{
    struct pawl_value text = PAWL_ABSENT;
    bool is_summary;

    PAWL_TRY(call_outcome(&run->call, &text));
    invocation_lock(run->call.ctx->inv);
    is_summary = run->call.memo->replay_children;
    invocation_unlock(run->call.ctx->inv);
    if (is_summary) {
        return replay_children(run, value_bytes(text));
    }
    return batch_get(run->call.ctx, value_bytes(text), run->items, &run->batch) ? PAWL_OK
                                                                                : damaged(run);
}

static int run_batch(struct run *run, struct pawl_context *ctx, const char *name, size_t count,
                     struct pawl_batch *ret_batch)
{
    PAWL_TRY(begin(run, ctx, name, count));
    PAWL_TRY((call_status(&run->call) < OP_SUCCEEDED) ? run_all(run) : replay(run));
    if (ret_batch == NULL) {
        return pawl_batch_check(ctx, &run->batch);
    }
    *ret_batch = run->batch;
    return PAWL_OK;
}

int pawl_parallel(struct pawl_context *ctx, const char *name, const struct pawl_branch *branches,
                  size_t count, const struct pawl_batch_options *options,
                  struct pawl_batch *ret_batch)
{
    struct run run = {.branches = branches, .options = options};

    return run_batch(&run, ctx, name, count, ret_batch);
}

int pawl_map(struct pawl_context *ctx, const char *name, const struct pawl_value *items,
             size_t count, pawl_map_fn *fn, void *arg, const struct pawl_batch_options *options,
             struct pawl_batch *ret_batch)
{
    struct run run = {
        .is_map = true, .inputs = items, .map = fn, .map_arg = arg, .options = options};

    return run_batch(&run, ctx, name, count, ret_batch);
}

int pawl_batch_check(struct pawl_context *ctx, const struct pawl_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->items[i].status == PAWL_ITEM_FAILED) {
            return pawl_fail_with(ctx, &batch->items[i].error);
        }
    }
    return PAWL_OK;
}
