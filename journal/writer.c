#include "journal/writer.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "journal/thread.h"

/* The happy path of a batch:
 *
 *   - writer_queue() puts requests on `waiting` and wakes the thread if it sleeps;
 *   - the thread takes as many as one commit may have, writes them, and on the way
 *     trims a little of what the views already hold;
 *   - they go to `done`, `committed_lsn` rises, on_commit() tells the loop.
 *
 * When the log is full nothing was written: the batch goes back to the front of
 * `waiting`, as it was, and is tried again after trimming, in smaller pieces, until
 * it goes through. After any other failure it is unknown what the disk holds, so
 * the process ends and its successor reads what is there. */

#define BATCH_BYTES_MAX ((uint64_t)32 << 20)
#define TRIM_MIN 512U    /* a commit of one entry does not pay for trimming one */
#define TRIM_MAX 16384U  /* in one commit */
#define TRIM_IDLE 65536U /* trimmed in commits of their own when this much is left */
#define RETRY_MS 200
#define GATHER_MIN 24U
#define GATHER_US 300
#define TIGHT_PERCENT 85U

struct writer {
    struct writer_options options;
    pthread_t thread;
    struct monitor monitor;

    /* Guarded by the monitor. */
    struct list waiting;
    size_t waiting_count;
    size_t gather_count; /* of the last batch, if it was large: as many are worth a moment */
    struct list done;
    struct writer_stats stats;
    uint64_t trim_to;
    bool is_trimming_held;
    bool is_poked; /* look whether there is space */
    bool is_sleeping;
    bool is_stopping;

    /* The thread's. */
    uint32_t batch_max; /* shrinks while the log is full */
    int64_t retry_ms;   /* not 0: full or nearly so, look again then */
    bool is_blocked;    /* the last batch did not fit: nothing is tried before then */

    _Atomic uint64_t committed_lsn;
    _Atomic bool is_full;
    _Atomic uint64_t room_bytes; /* before it is tight */
};

static void wake(struct writer *writer)
{
    if (writer->is_sleeping) {
        monitor_signal(&writer->monitor);
    }
}

static uint64_t trimmable(const struct writer *writer)
{
    uint64_t first = hot_log_first(writer->options.log);

    if (writer->is_trimming_held || first == 0 || writer->trim_to < first) {
        return 0;
    }
    return writer->trim_to - first + 1;
}

/* With the monitor held. */
static struct log_trim plan_trim(const struct writer *writer, size_t entries)
{
    uint64_t left = trimmable(writer);
    uint64_t max = (left >= TRIM_MIN) ? entries * 4 + TRIM_MIN : 0;

    return (struct log_trim){.to = (left > 0) ? writer->trim_to : 0,
                             .max = (uint32_t)((max < TRIM_MAX) ? max : TRIM_MAX)};
}

static bool is_due(const struct writer *writer)
{
    bool is_time = writer->retry_ms != 0 && thread_now_ms() >= writer->retry_ms;

    if (writer->is_blocked) {
        return is_time;
    }
    return is_time || writer->is_poked || !list_is_empty(&writer->waiting) ||
           trimmable(writer) >= TRIM_IDLE;
}

/* A commit costs as much for one entry as for fifty. After a large batch the next one gets
 * a moment to become as large; where little is under way nothing is waited for. */
static void gather(struct writer *writer)
{
    if (writer->gather_count > writer->waiting_count && !writer->is_stopping &&
        !writer->is_blocked) {
        writer->is_sleeping = true;
        monitor_wait_us(&writer->monitor, GATHER_US);
        writer->is_sleeping = false;
    }
    writer->gather_count = 0;
}

/* True when there is something to do, false when it is time to end. */
static bool wait_for_work(struct writer *writer)
{
    gather(writer);
    while (!is_due(writer)) {
        if (writer->is_stopping && list_is_empty(&writer->waiting)) {
            return false;
        }
        writer->is_sleeping = true;
        monitor_wait(&writer->monitor, writer->retry_ms);
        writer->is_sleeping = false;
    }
    return true;
}

static size_t take_batch(struct writer *writer, struct list *batch, uint64_t *bytes)
{
    size_t count = 0;

    *bytes = 0;
    while (!list_is_empty(&writer->waiting) && count < writer->batch_max &&
           *bytes < BATCH_BYTES_MAX) {
        struct list *item = list_pop_front(&writer->waiting);

        *bytes += container_of(item, struct journal_append, link)->data.len;
        list_push_back(batch, item);
        count++;
    }
    writer->waiting_count -= count;
    return count;
}

static _Noreturn void end_process(const struct writer *writer, int status)
{
    if (status == LOG_FENCED) {
        log_error("another process has claimed this journal: ending, to do no harm");
    }
    log_error("a commit failed after LSN %" PRIu64 " and its outcome is unknown: exit %d, "
              "start again to read what is there",
              atomic_load(&writer->committed_lsn), JOURNAL_EXIT);
    _exit(JOURNAL_EXIT);
}

static int append(struct writer *writer, const struct list *batch, const struct log_trim *trim)
{
    int r = hot_log_append(writer->options.log, writer->options.epoch, batch, trim);

    if (r != 0 && r != LOG_FULL) {
        end_process(writer, r);
    }
    return r;
}

/* Gives up the ballast, trims what may be trimmed, and lets LMDB reuse it. True when
 * that helped, so that the batch is worth another try at once. */
static bool make_room(struct writer *writer, struct log_trim trim)
{
    uint64_t first = hot_log_first(writer->options.log);
    bool had_ballast = ballast_release(writer->options.ballast);
    struct list none;

    list_init(&none);
    (void)append(writer, &none, &trim);
    for (int n = 0; n < 2; n++) {
        int r = env_touch(hot_log_env(writer->options.log));

        if (r < 0) {
            end_process(writer, r);
        }
    }
    return had_ballast || hot_log_first(writer->options.log) > first;
}

static void set_full(struct writer *writer, bool is_full)
{
    if (atomic_exchange(&writer->is_full, is_full) == is_full) {
        return;
    }
    if (is_full) {
        log_warn("the log or its disk is full: new work is refused until there is space");
    } else {
        log_info("the log has space again");
    }
}

static void note_full(struct writer *writer, bool has_room_now)
{
    set_full(writer, true);
    writer->batch_max = (writer->batch_max > 4) ? writer->batch_max / 4 : 1;
    writer->retry_ms = thread_now_ms() + (has_room_now ? 0 : RETRY_MS);
    writer->is_blocked = true;
}

/* After a commit that went through: is what remains kept for ends and deletes? */
static void check_fullness(struct writer *writer)
{
    bool was_full = atomic_load(&writer->is_full);
    uint64_t room = env_room_bytes(hot_log_env(writer->options.log), TIGHT_PERCENT);
    bool is_tight = room == 0;

    if (was_full && !is_tight) {
        ballast_restore(writer->options.ballast);
    }
    is_tight = is_tight || !ballast_is_whole(writer->options.ballast);
    writer->batch_max = writer->options.batch_entries_max;
    writer->is_blocked = false;
    writer->retry_ms = is_tight ? thread_now_ms() + RETRY_MS : 0;
    atomic_store(&writer->room_bytes, room);
    set_full(writer, is_tight);
}

static void finish_batch(struct writer *writer, struct list *batch, size_t count, uint64_t bytes)
{
    writer->stats.entries += count;
    writer->stats.bytes += bytes;
    writer->stats.commits++;
    list_splice_back(&writer->done, batch);
    atomic_store(&writer->committed_lsn, hot_log_last(writer->options.log));
}

/* With the monitor held on entry and on return. */
static void write_batch(struct writer *writer)
{
    struct list batch;
    uint64_t bytes;
    size_t count;
    struct log_trim trim;
    int r;

    list_init(&batch);
    writer->is_poked = false;
    count = take_batch(writer, &batch, &bytes);
    trim = plan_trim(writer, count);
    if (writer->retry_ms != 0) {
        trim.max = (trimmable(writer) > 0) ? TRIM_MAX : 0;
    }
    monitor_unlock(&writer->monitor);
    r = append(writer, &batch, &trim);
    if (r == LOG_FULL) {
        trim.max = TRIM_MAX;
        note_full(writer, make_room(writer, trim));
    } else {
        check_fullness(writer);
    }
    monitor_lock(&writer->monitor);
    if (r == LOG_FULL) {
        writer->waiting_count += count;
        list_splice_back(&batch, &writer->waiting); /* back to the front, as it was */
        list_splice_back(&writer->waiting, &batch);
        return;
    }
    if (count == 0) {
        return;
    }
    finish_batch(writer, &batch, count, bytes);
    writer->gather_count = (count >= GATHER_MIN) ? count : 0;
    monitor_unlock(&writer->monitor);
    writer->options.on_commit(writer->options.arg);
    monitor_lock(&writer->monitor);
}

static void *run(void *arg)
{
    struct writer *writer = arg;

    monitor_lock(&writer->monitor);
    while (wait_for_work(writer)) {
        write_batch(writer);
    }
    monitor_unlock(&writer->monitor);
    return NULL;
}

static void init_fields(struct writer *writer, const struct writer_options *options)
{
    writer->options = *options;
    writer->batch_max = options->batch_entries_max;
    writer->trim_to = options->applied_lsn;
    list_init(&writer->waiting);
    list_init(&writer->done);
    atomic_init(&writer->committed_lsn, hot_log_last(options->log));
    atomic_init(&writer->is_full, false);
    atomic_init(&writer->room_bytes, 0);
    check_fullness(writer);
}

int writer_create(struct writer **ret_writer, const struct writer_options *options)
{
    struct writer *writer = mem_calloc(1, sizeof *writer);
    int r;

    if (writer == NULL) {
        return ERR(ERR_NOMEM, "writer");
    }
    r = monitor_init(&writer->monitor);
    if (r != 0) {
        mem_free(writer);
        return r;
    }
    init_fields(writer, options);
    r = thread_start(&writer->thread, run, writer, "pawl-writer");
    if (r != 0) {
        monitor_fini(&writer->monitor);
        mem_free(writer);
        return r;
    }
    *ret_writer = writer;
    return 0;
}

void writer_stop(struct writer *writer)
{
    if (writer != NULL) {
        monitor_lock(&writer->monitor);
        writer->is_stopping = true;
        wake(writer);
        monitor_unlock(&writer->monitor);
        (void)pthread_join(writer->thread, NULL);
    }
}

void writer_destroy(struct writer *writer)
{
    if (writer != NULL) {
        monitor_fini(&writer->monitor);
        mem_free(writer);
    }
}

/* Woken before it can have the monitor, the thread would go to sleep again for it. */
void writer_queue(struct writer *writer, struct list *reqs, size_t count)
{
    bool must_wake;

    monitor_lock(&writer->monitor);
    list_splice_back(&writer->waiting, reqs);
    writer->waiting_count += count;
    must_wake = writer->is_sleeping && writer->waiting_count >= writer->gather_count;
    monitor_unlock(&writer->monitor);
    if (must_wake) {
        monitor_signal(&writer->monitor);
    }
}

void writer_take_done(struct writer *writer, struct list *done)
{
    monitor_lock(&writer->monitor);
    list_splice_back(done, &writer->done);
    monitor_unlock(&writer->monitor);
}

void writer_note_applied(struct writer *writer, uint64_t lsn)
{
    monitor_lock(&writer->monitor);
    writer->trim_to = lsn;
    if (trimmable(writer) >= TRIM_IDLE) {
        wake(writer);
    }
    monitor_unlock(&writer->monitor);
}

void writer_poke(struct writer *writer)
{
    monitor_lock(&writer->monitor);
    writer->is_poked = true;
    wake(writer);
    monitor_unlock(&writer->monitor);
}

void writer_hold_trimming(struct writer *writer, bool is_held)
{
    monitor_lock(&writer->monitor);
    writer->is_trimming_held = is_held;
    monitor_unlock(&writer->monitor);
}

uint64_t writer_committed_lsn(const struct writer *writer)
{
    return atomic_load(&writer->committed_lsn);
}

bool writer_is_full(const struct writer *writer)
{
    return atomic_load(&writer->is_full);
}

uint64_t writer_room_bytes(const struct writer *writer)
{
    return atomic_load(&writer->room_bytes);
}

void writer_get_stats(struct writer *writer, struct writer_stats *ret_stats)
{
    monitor_lock(&writer->monitor);
    *ret_stats = writer->stats;
    monitor_unlock(&writer->monitor);
}
