#include "journal/applier.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "journal/thread.h"

/* Half of the lag that is promised is waiting, half is for the work. */
#define DELAY_MS (JOURNAL_LAG_MS / 2)
#define EAGER_ENTRIES (JOURNAL_LAG_ENTRIES / 4)
#define BATCH_BYTES_MAX ((size_t)32 << 20)
#define RETRY_MS 200
#define EXPIRE_STEP 1000U /* some 50 ms */
#define TIGHT_PERCENT 85U
#define STOP_PERCENT 95U /* the rest is for expiry */

struct applier {
    struct applier_options options;
    pthread_t thread;
    struct monitor monitor;

    /* Guarded by the monitor. */
    uint64_t committed_lsn;
    uint64_t hurry_lsn;
    int64_t pending_ms; /* since when something waits to be applied; 0 = nothing */
    int64_t expire_ms;
    uint32_t expire_max; /* 0 = nothing to expire */
    bool is_sleeping;
    bool is_stopping;

    /* The thread's. */
    struct batch batch;
    int64_t retry_ms; /* not 0: the views are full, try again then */

    _Atomic uint64_t applied_lsn;
    _Atomic bool is_full;
    _Atomic uint64_t room_bytes;
    _Atomic uint64_t applied_space;
};

int applier_recover(struct hot_log *log, struct views *views, uint64_t *ret_applied_lsn)
{
    struct batch batch = {0};
    uint64_t to = hot_log_last(log);
    uint64_t applied = 0;
    int r = views_get_applied(views, &applied);

    if (r == 0 && applied < to) {
        log_info("applying %" PRIu64 " entries of the log", to - applied);
    }
    while (r == 0 && applied < to) {
        r = batch_read(&batch, log, applied + 1, to, BATCH_BYTES_MAX);
        if (r == 0) {
            r = views_apply(views, &batch);
        }
        if (r == 0) {
            applied = batch.last_lsn;
        }
    }
    batch_fini(&batch);
    if (r == VIEWS_FULL) {
        r = ERR(ERR_LIMIT, "%s is full: free space on its disk, or raise its map size",
                views->env.path);
    }
    if (r == 0) {
        *ret_applied_lsn = applied;
    }
    return r;
}

static _Noreturn void end_process(const struct applier *applier)
{
    log_error("the views cannot be written after LSN %" PRIu64 ": exit %d, start again to read "
              "what is there",
              applier_applied_lsn(applier), JOURNAL_EXIT);
    _exit(JOURNAL_EXIT);
}

static void wake(struct applier *applier)
{
    if (applier->is_sleeping) {
        monitor_signal(&applier->monitor);
    }
}

/* When to apply next: 0 = not before somebody calls, else a time, maybe past. */
static int64_t due_ms(const struct applier *applier)
{
    uint64_t applied = applier_applied_lsn(applier);
    uint64_t behind = applier->committed_lsn - applied;

    if (applier->retry_ms != 0) {
        return applier->retry_ms;
    }
    if (applier->expire_max > 0) {
        return 1;
    }
    if (behind == 0) {
        return 0;
    }
    if (behind >= EAGER_ENTRIES || applier->hurry_lsn > applied || applier->is_stopping) {
        return 1;
    }
    return applier->pending_ms + DELAY_MS;
}

/* True when there is something to do, false when it is time to end. */
static bool wait_for_work(struct applier *applier)
{
    int64_t due = due_ms(applier);

    while (due == 0 || thread_now_ms() < due) {
        if (applier->is_stopping && due == 0) {
            return false;
        }
        applier->is_sleeping = true;
        monitor_wait(&applier->monitor, due);
        applier->is_sleeping = false;
        due = due_ms(applier);
    }
    return true;
}

static void set_full(struct applier *applier, bool is_full)
{
    if (atomic_exchange(&applier->is_full, is_full) == is_full) {
        return;
    }
    if (is_full) {
        log_warn("the views or their disk is full: new work is refused until there is space");
    } else {
        log_info("the views have space again");
    }
}

/* Nothing was written: the same again, a little later, after letting LMDB reuse
 * what was deleted meanwhile. */
static void note_full(struct applier *applier)
{
    set_full(applier, true);
    applier->retry_ms = thread_now_ms() + RETRY_MS;
    if (ballast_release(applier->options.ballast)) {
        applier->options.on_full(applier->options.arg);
    }
    for (int n = 0; n < 2; n++) {
        if (env_touch(&applier->options.views->env) < 0) {
            end_process(applier);
        }
    }
}

static void check_fullness(struct applier *applier)
{
    uint64_t room = env_room_bytes(&applier->options.views->env, TIGHT_PERCENT);

    atomic_store(&applier->room_bytes, room);
    set_full(applier, room == 0);
    if (room > 0) {
        ballast_restore(applier->options.ballast);
    }
}

static void count_applied(struct applier *applier)
{
    uint64_t space = 0;

    for (size_t i = 0; i < applier->batch.count; i++) {
        space += batch_space(applier->batch.entries[i].len);
    }
    atomic_fetch_add(&applier->applied_space, space);
}

static int apply_batch(struct applier *applier, uint64_t to)
{
    uint64_t from = applier_applied_lsn(applier) + 1;
    int r;

    if (env_used_percent(&applier->options.views->env) >= STOP_PERCENT) {
        return VIEWS_FULL;
    }
    r = batch_read(&applier->batch, applier->options.log, from, to, BATCH_BYTES_MAX);
    if (r == ERR_NOMEM) {
        return VIEWS_FULL; /* as full: tried again */
    }
    return (r == 0) ? views_apply(applier->options.views, &applier->batch) : r;
}

static void apply(struct applier *applier, uint64_t to)
{
    int r = apply_batch(applier, to);

    if (r < 0) {
        end_process(applier);
    }
    if (r == VIEWS_FULL) {
        note_full(applier);
        return;
    }
    check_fullness(applier);
    count_applied(applier);
    atomic_store(&applier->applied_lsn, applier->batch.last_lsn);
    applier->options.on_apply(applier->options.arg, applier->batch.last_lsn);
}

/* Deletes at most `*max`, of which it leaves what was not needed; where that does not fit a
 * full map, fewer at a time, since each deletion needs some pages before it frees more. */
static int expire_some(struct applier *applier, int64_t now_ms, uint32_t *max)
{
    struct views *views = applier->options.views;
    uint32_t step = *max;
    bool is_done = false;
    int r = 0;

    while (r == 0 && !is_done && *max > 0) {
        uint32_t left = (step < *max) ? step : *max;
        uint32_t tried = left;

        r = views_expire(views, now_ms, &left, &is_done);
        is_done = is_done && left > 0;
        *max -= (r == 0) ? tried - left : 0;
        if (r == VIEWS_FULL && step > 1) {
            step = (step > 4) ? step / 4 : 1;
            r = (env_touch(&views->env) < 0) ? ERR_IO : 0;
        }
    }
    return r;
}

/* One step of at most `max`; what is left to do after it, since between two steps the views
 * catch up. */
static uint32_t expire(struct applier *applier, int64_t now_ms, uint32_t max)
{
    uint32_t step = (max < EXPIRE_STEP) ? max : EXPIRE_STEP;
    uint32_t left = step;
    int r = expire_some(applier, now_ms, &left);

    if (r < 0) {
        end_process(applier);
    }
    if (r == VIEWS_FULL) {
        note_full(applier);
        return 0;
    }
    check_fullness(applier); /* there may be room now */
    return (left == 0) ? max - step : 0;
}

/* With the monitor held on entry and on return. */
static void work(struct applier *applier)
{
    uint64_t to = applier->committed_lsn;
    int64_t expire_ms = applier->expire_ms;
    uint32_t expire_max = applier->expire_max;

    applier->expire_max = 0;
    applier->retry_ms = 0;
    applier->pending_ms = thread_now_ms(); /* of what is committed from now on */
    monitor_unlock(&applier->monitor);
    if (expire_max > 0) {
        expire_max = expire(applier, expire_ms, expire_max);
    }
    if (to > applier_applied_lsn(applier)) {
        apply(applier, to);
    }
    monitor_lock(&applier->monitor);
    if (applier->expire_max == 0 && !applier->is_stopping) {
        applier->expire_ms = expire_ms;
        applier->expire_max = expire_max;
    }
    if (applier->committed_lsn == applier_applied_lsn(applier)) {
        applier->pending_ms = 0;
    }
}

static void *run(void *arg)
{
    struct applier *applier = arg;

    monitor_lock(&applier->monitor);
    while (wait_for_work(applier)) {
        work(applier);
    }
    monitor_unlock(&applier->monitor);
    return NULL;
}

int applier_create(struct applier **ret_applier, const struct applier_options *options)
{
    struct applier *applier = mem_calloc(1, sizeof *applier);
    int r;

    if (applier == NULL) {
        return ERR(ERR_NOMEM, "applier");
    }
    applier->options = *options;
    applier->committed_lsn = hot_log_last(options->log);
    atomic_init(&applier->applied_lsn, applier->committed_lsn);
    atomic_init(&applier->is_full, false);
    atomic_init(&applier->room_bytes, 0);
    atomic_init(&applier->applied_space, 0);
    r = monitor_init(&applier->monitor);
    if (r != 0) {
        mem_free(applier);
        return r;
    }
    check_fullness(applier);
    r = thread_start(&applier->thread, run, applier, "pawl-applier");
    if (r != 0) {
        monitor_fini(&applier->monitor);
        mem_free(applier);
        return r;
    }
    *ret_applier = applier;
    return 0;
}

void applier_stop(struct applier *applier)
{
    if (applier != NULL) {
        monitor_lock(&applier->monitor);
        applier->is_stopping = true;
        wake(applier);
        monitor_unlock(&applier->monitor);
        (void)pthread_join(applier->thread, NULL);
    }
}

void applier_destroy(struct applier *applier)
{
    if (applier != NULL) {
        monitor_fini(&applier->monitor);
        batch_fini(&applier->batch);
        mem_free(applier);
    }
}

/* Called for every commit: most need not disturb a thread that waits for more. */
void applier_note_committed(struct applier *applier, uint64_t lsn)
{
    monitor_lock(&applier->monitor);
    applier->committed_lsn = lsn;
    if (applier->pending_ms == 0) {
        applier->pending_ms = thread_now_ms();
        wake(applier);
    } else if (lsn - applier_applied_lsn(applier) >= EAGER_ENTRIES ||
               applier->hurry_lsn > applier_applied_lsn(applier)) {
        wake(applier);
    }
    monitor_unlock(&applier->monitor);
}

void applier_hurry(struct applier *applier, uint64_t lsn)
{
    monitor_lock(&applier->monitor);
    if (lsn > applier->hurry_lsn) {
        applier->hurry_lsn = lsn;
        wake(applier);
    }
    monitor_unlock(&applier->monitor);
}

void applier_expire(struct applier *applier, int64_t now_ms, uint32_t max)
{
    monitor_lock(&applier->monitor);
    applier->expire_ms = now_ms;
    applier->expire_max = max;
    wake(applier);
    monitor_unlock(&applier->monitor);
}

uint64_t applier_applied_lsn(const struct applier *applier)
{
    return atomic_load(&applier->applied_lsn);
}

bool applier_is_full(const struct applier *applier)
{
    return atomic_load(&applier->is_full);
}

uint64_t applier_room_bytes(const struct applier *applier)
{
    return atomic_load(&applier->room_bytes);
}

uint64_t applier_applied_space(const struct applier *applier)
{
    return atomic_load(&applier->applied_space);
}
