#include "journal/journal.h"

#include <assert.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "journal/batch.h"
#include "journal/internal.h"

/* The happy path of an append:
 *
 *   - journal_append() gives it an LSN and puts it on `fresh`;
 *   - when the loop has run its callbacks, or enough has gathered, `fresh` goes to
 *     the writer's thread, which commits it with whatever else has come;
 *   - the writer wakes the loop, and on_wakeup() calls every callback;
 *   - the applier's thread reads the entry from the log a little later and writes
 *     the views; the loop is woken again if somebody waits for that.
 *
 * Two threads and the loop; each file says which owns what. */

#define LOG_MAP_BYTES ((uint64_t)4 << 30)
#define VIEWS_MAP_BYTES ((uint64_t)64 << 30)
#define BATCH_ENTRIES_MAX 4096U
#define BALLAST_BYTES ((uint64_t)16 << 20)
#define FRESH_MAX 32U /* the writer may start before the loop is done */

/* --- open -------------------------------------------------------------------------- */

static void on_commit(void *arg)
{
    struct journal *journal = arg;

    applier_note_committed(journal->applier, writer_committed_lsn(journal->writer));
    (void)uv_async_send(&journal->wakeup);
}

static void on_apply(void *arg, uint64_t applied_lsn)
{
    struct journal *journal = arg;

    writer_note_applied(journal->writer, applied_lsn);
    (void)uv_async_send(&journal->wakeup);
}

static void on_full(void *arg)
{
    struct journal *journal = arg;

    writer_poke(journal->writer);
}

static int start_threads(struct journal *journal, uint32_t batch_entries_max)
{
    struct applier_options applier = {.log = journal->log,
                                      .views = &journal->views,
                                      .ballast = &journal->ballast,
                                      .on_apply = on_apply,
                                      .on_full = on_full,
                                      .arg = journal};
    struct writer_options writer = {.log = journal->log,
                                    .ballast = &journal->ballast,
                                    .batch_entries_max = batch_entries_max,
                                    .applied_lsn = journal->last_lsn,
                                    .on_commit = on_commit,
                                    .arg = journal};
    int r = hot_log_claim(journal->log, &writer.epoch);

    if (r == 0) {
        r = applier_create(&journal->applier, &applier);
    }
    if (r == 0) {
        r = writer_create(&journal->writer, &writer);
    }
    return r;
}

/* The threads call each other, so both end before either is freed. */
static void stop_threads(struct journal *journal)
{
    writer_stop(journal->writer);
    applier_stop(journal->applier);
    writer_destroy(journal->writer);
    applier_destroy(journal->applier);
    journal->writer = NULL;
    journal->applier = NULL;
}

static void free_journal(struct journal *journal)
{
    stop_threads(journal);
    journal_close_files(journal);
    mem_free(journal->dir);
    mem_free(journal);
}

static struct journal_options with_defaults(const struct journal_options *options)
{
    struct journal_options all = (options != NULL) ? *options : (struct journal_options){0};

    all.log_map_bytes = (all.log_map_bytes != 0) ? all.log_map_bytes : LOG_MAP_BYTES;
    all.views_map_bytes = (all.views_map_bytes != 0) ? all.views_map_bytes : VIEWS_MAP_BYTES;
    all.batch_entries_max =
        (all.batch_entries_max != 0) ? all.batch_entries_max : BATCH_ENTRIES_MAX;
    all.ballast_bytes = (all.ballast_bytes != 0) ? all.ballast_bytes : BALLAST_BYTES;
    return all;
}

static void on_wakeup(uv_async_t *async);
static void on_before(uv_prepare_t *prepare);
static void on_after(uv_check_t *check);

/* Cannot fail but for the async handle, whose descriptors the loop may lack. */
static int start_handles(struct journal *journal)
{
    int rc = uv_async_init(journal->loop, &journal->wakeup, on_wakeup);

    if (rc != 0) {
        return ERR(ERR_SYSTEM, "async handle: %s", uv_strerror(rc));
    }
    (void)uv_prepare_init(journal->loop, &journal->before);
    (void)uv_check_init(journal->loop, &journal->after);
    (void)uv_prepare_start(&journal->before, on_before);
    (void)uv_check_start(&journal->after, on_after);
    uv_unref((uv_handle_t *)&journal->wakeup);
    uv_unref((uv_handle_t *)&journal->before);
    uv_unref((uv_handle_t *)&journal->after);
    journal->handles = 3;
    return 0;
}

static struct journal *create(uv_loop_t *loop, const char *dir)
{
    struct journal *journal = mem_calloc(1, sizeof *journal);

    if (journal == NULL) {
        return NULL;
    }
    journal->loop = loop;
    journal->lock_fd = -1;
    list_init(&journal->fresh);
    list_init(&journal->waits);
    journal->dir = mem_dup(dir, strlen(dir));
    if (journal->dir == NULL) {
        mem_free(journal);
        return NULL;
    }
    return journal;
}

/* The threads may use the async handle at once, so it comes before them; and
 * because closing a handle takes the loop, it comes after all else that fails. */
int journal_open(struct journal **ret_journal, uv_loop_t *loop, const char *dir,
                 const struct journal_options *options)
{
    struct journal_options all = with_defaults(options);
    struct journal *journal = create(loop, dir);
    int r;

    if (journal == NULL) {
        return ERR(ERR_NOMEM, "journal");
    }
    r = journal_open_files(journal, &all);
    if (r == 0) {
        r = start_threads(journal, all.batch_entries_max);
    }
    if (r == 0) {
        r = start_handles(journal);
    }
    if (r != 0) {
        free_journal(journal);
        return (r > 0) ? ERR(ERR_LIMIT, "%s: no space to open it: free some on its disk", dir) : r;
    }
    *ret_journal = journal;
    return 0;
}

/* --- append ------------------------------------------------------------------------ */

void journal_update_ref(struct journal *journal)
{
    if (journal->in_flight > 0 || !list_is_empty(&journal->waits) || journal->backup != NULL ||
        journal->is_closing) {
        uv_ref((uv_handle_t *)&journal->wakeup);
    } else {
        uv_unref((uv_handle_t *)&journal->wakeup);
    }
}

static void hand_over(struct journal *journal)
{
    if (journal->fresh_count > 0) {
        writer_queue(journal->writer, &journal->fresh, journal->fresh_count);
        journal->fresh_count = 0;
    }
}

static void on_before(uv_prepare_t *prepare)
{
    hand_over(container_of(prepare, struct journal, before));
}

static void on_after(uv_check_t *check)
{
    hand_over(container_of(check, struct journal, after));
}

/* Pages are not filled to the last byte, and an entry has a key and headers. */
static uint64_t space_of(const struct journal_append *req)
{
    return (req->data.len + 64) * 5 / 4;
}

void journal_append(struct journal *journal, struct journal_append *req, journal_append_cb cb)
{
    assert(req->data.len > 0 && log_pieces(req->data.len) <= LOG_PIECES_MAX);
    assert(req->kind >= JOURNAL_FRAME && req->kind <= JOURNAL_DELETE);
    assert(cb != NULL);
    assert(!journal->is_ending);

    journal->last_lsn += log_pieces(req->data.len);
    req->lsn = journal->last_lsn;
    req->cb = cb;
    journal->growth_bytes += req->is_reserved ? 0 : space_of(req);
    journal->appended_space += batch_space(req->data.len);
    list_push_back(&journal->fresh, &req->link);
    if (journal->in_flight++ == 0) {
        journal_update_ref(journal);
    }
    if (++journal->fresh_count >= FRESH_MAX) {
        hand_over(journal);
    }
}

uint64_t journal_last_lsn(const struct journal *journal)
{
    return journal->last_lsn;
}

uint64_t journal_committed_lsn(const struct journal *journal)
{
    return writer_committed_lsn(journal->writer);
}

uint64_t journal_applied_lsn(const struct journal *journal)
{
    return applier_applied_lsn(journal->applier);
}

/* What was appended and is not committed, or not applied, counts too: else a burst of new
 * work would be in the reserve before anybody has seen that it fills. */
static bool is_coming_full(const struct journal *journal)
{
    uint64_t pending = journal->appended_space - applier_applied_space(journal->applier);

    return journal->growth_bytes > writer_room_bytes(journal->writer) ||
           pending > applier_room_bytes(journal->applier);
}

bool journal_is_full(const struct journal *journal)
{
    return writer_is_full(journal->writer) || applier_is_full(journal->applier) ||
           !ballast_is_whole(&journal->ballast) || is_coming_full(journal);
}

bool journal_is_lagging(const struct journal *journal)
{
    return journal_committed_lsn(journal) - journal_applied_lsn(journal) >= JOURNAL_LAG_ENTRIES;
}

void journal_wait_applied(struct journal *journal, struct journal_wait *wait, uint64_t lsn,
                          journal_wait_cb cb)
{
    assert(lsn <= journal->last_lsn);

    wait->lsn = lsn;
    wait->cb = cb;
    list_init(&wait->link);
    if (journal_applied_lsn(journal) >= lsn) {
        cb(wait);
        return;
    }
    list_push_back(&journal->waits, &wait->link);
    journal_update_ref(journal);
    applier_hurry(journal->applier, lsn);
}

void journal_wait_cancel(struct journal *journal, struct journal_wait *wait)
{
    list_remove(&wait->link);
    journal_update_ref(journal);
}

/* --- what the threads said ----------------------------------------------------------- */

/* The list is taken first: a callback may append again. The count goes down after
 * the callback, so that one which appends while we close is let in. */
static void finish_appends(struct journal *journal)
{
    struct list done;
    struct list *item;

    list_init(&done);
    writer_take_done(journal->writer, &done);
    while ((item = list_pop_front(&done)) != NULL) {
        struct journal_append *req = container_of(item, struct journal_append, link);

        journal->growth_bytes -= req->is_reserved ? 0 : space_of(req);
        req->cb(req); /* `req` may be gone now */
        journal->in_flight--;
    }
}

/* A callback may wait again or cancel another: each round starts at the front. */
static struct journal_wait *next_done_wait(struct journal *journal)
{
    uint64_t applied = journal_applied_lsn(journal);
    struct list *item;

    list_for_each (item, &journal->waits) {
        struct journal_wait *wait = container_of(item, struct journal_wait, link);

        if (wait->lsn <= applied) {
            return wait;
        }
    }
    return NULL;
}

static void finish_waits(struct journal *journal)
{
    struct journal_wait *wait;

    while ((wait = next_done_wait(journal)) != NULL) {
        list_remove(&wait->link);
        wait->cb(wait); /* `wait` may be gone now */
    }
}

/* --- close ------------------------------------------------------------------------- */

static void after_handle_close(uv_handle_t *handle)
{
    struct journal *journal = handle->data;
    journal_close_cb cb = journal->close_cb;
    void *arg = journal->close_arg;

    if (--journal->handles == 0) {
        free_journal(journal);
        cb(arg);
    }
}

static void close_handle(struct journal *journal, uv_handle_t *handle)
{
    handle->data = journal;
    uv_close(handle, after_handle_close);
}

/* Everything was called back: the threads have nothing left and end at once. */
static void finish_close(struct journal *journal)
{
    journal->is_ending = true;
    stop_threads(journal);
    close_handle(journal, (uv_handle_t *)&journal->wakeup);
    close_handle(journal, (uv_handle_t *)&journal->before);
    close_handle(journal, (uv_handle_t *)&journal->after);
}

static void maybe_finish_close(struct journal *journal)
{
    if (!journal->is_closing || journal->in_flight > 0 || !list_is_empty(&journal->waits) ||
        journal->backup != NULL) {
        return;
    }
    if (journal_applied_lsn(journal) < journal->last_lsn) {
        applier_hurry(journal->applier, journal->last_lsn);
        return; /* woken again when it is applied */
    }
    finish_close(journal);
}

static void on_wakeup(uv_async_t *async)
{
    struct journal *journal = container_of(async, struct journal, wakeup);

    finish_appends(journal);
    finish_waits(journal);
    journal_backup_check(journal);
    journal_update_ref(journal);
    maybe_finish_close(journal);
}

/* Also when nothing is in flight the end comes from the loop. */
void journal_close(struct journal *journal, void *arg, journal_close_cb cb)
{
    assert(!journal->is_closing);
    assert(cb != NULL);

    journal->is_closing = true;
    journal->close_cb = cb;
    journal->close_arg = arg;
    journal_update_ref(journal);
    (void)uv_async_send(&journal->wakeup);
}

/* --- upkeep ------------------------------------------------------------------------ */

void journal_expire(struct journal *journal, int64_t now_ms, uint32_t max)
{
    applier_expire(journal->applier, now_ms, max);
}

static void count_bytes(const struct env *env, uint64_t *ret_used, uint64_t *ret_map)
{
    uint64_t used = 0;
    uint64_t map = 0;

    if (env_count_pages(env, &used, &map) == 0) {
        *ret_used = used * env->page_bytes;
        *ret_map = map * env->page_bytes;
    }
}

static uint64_t count_executions(struct views *views)
{
    scoped_txn MDB_txn *txn = NULL;
    MDB_stat stat = {0};

    if (mdb_txn_begin(views->env.mdb, NULL, MDB_RDONLY, &txn) == 0) {
        (void)mdb_stat(txn, views->tables[VIEW_HEAD], &stat);
    }
    return stat.ms_entries;
}

void journal_get_stats(struct journal *journal, struct journal_stats *ret_stats)
{
    uint64_t first = hot_log_first(journal->log);
    struct writer_stats writer;

    *ret_stats = (struct journal_stats){
        .last_lsn = journal->last_lsn,
        .committed_lsn = journal_committed_lsn(journal),
        .applied_lsn = journal_applied_lsn(journal),
        .trimmed_lsn = (first > 0) ? first - 1 : 0,
        .executions = count_executions(&journal->views),
        .is_full = journal_is_full(journal),
    };
    writer_get_stats(journal->writer, &writer);
    ret_stats->commits = writer.commits;
    ret_stats->entries = writer.entries;
    ret_stats->bytes = writer.bytes;
    count_bytes(hot_log_env(journal->log), &ret_stats->log_used_bytes, &ret_stats->log_map_bytes);
    count_bytes(&journal->views.env, &ret_stats->views_used_bytes, &ret_stats->views_map_bytes);
}
