/* Executions in memory: made by a start or loaded from the views, and forgotten
 * again when they are idle and the views hold all of them. */
#include <assert.h>

#include "engine/base/crash.h"
#include "engine/base/err.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/driver/state.h"

#define AGAIN_MS 1000
#define EVICT_MS 200
#define EVICT_MAX 256U /* in one turn of the loop: a quarter of a millisecond */
#define EVICT_MORE_MS 2
#define INPUT_KEPT_BYTES_MAX 4096U

struct hot *hot_create(struct driver *driver, struct exec *exec)
{
    struct hot *hot = mem_calloc(1, sizeof *hot);

    if (hot == NULL) {
        return NULL;
    }
    hot->driver = driver;
    hot->exec = exec;
    list_init(&hot->waiters);
    list_init(&hot->payloads);
    list_init(&hot->idle_link);
    exec->user = hot;
    return hot;
}

static void drop(struct hot *hot, struct payload *payload)
{
    hot->driver->payload_bytes -= payload->len;
    list_remove(&payload->link);
    mem_free(payload);
}

static void hot_destroy(struct hot *hot)
{
    assert(list_is_empty(&hot->waiters) && hot->run == NULL);
    heap_remove(&hot->driver->timers, &hot->timer);
    if (hot->is_end_waiting) {
        journal_wait_cancel(hot->driver->journal, &hot->end_wait);
    }
    while (!list_is_empty(&hot->payloads)) {
        drop(hot, container_of(hot->payloads.next, struct payload, link));
    }
    if (hot->revision != NULL) {
        function_revision_unref(hot->revision);
    }
    buf_fini(&hot->log_tail);
    mem_free(hot);
}

/* --- payloads that the next INVOKE needs ------------------------------------------ */

static bool is_news(enum record_kind kind)
{
    return kind == EXECUTION_STARTED || kind == CALLBACK_SUCCEEDED || kind == CALLBACK_FAILED ||
           kind == CALLBACK_TIMED_OUT ||
           (kind >= CHAINED_INVOKE_SUCCEEDED && kind <= CHAINED_INVOKE_STOPPED);
}

/* The answer to a checkpoint is made from memory; an INVOKE can be made from the views. */
static bool is_too_much(const struct hot *hot, size_t len)
{
    const struct driver *driver = hot->driver;

    return driver->payload_bytes + len > driver->options.payload_cache_bytes_max &&
           !hot->exec->is_running;
}

static void keep(struct hot *hot, struct bytes bytes, uint64_t record_no, bool is_error,
                 const struct op *retried)
{
    struct payload *payload;

    if (is_too_much(hot, bytes.len)) {
        return;
    }
    payload = mem_calloc(1, sizeof *payload + bytes.len + 1);
    assert(payload != NULL); /* the daemon ends, and reads its journal again */
    hot->driver->payload_bytes += bytes.len;
    payload->record_no = record_no;
    payload->is_error = is_error;
    payload->retried = retried;
    payload->len = bytes.len;
    if (bytes.len > 0) {
        memcpy(payload->data, bytes.data, bytes.len);
    }
    list_push_back(&hot->payloads, &payload->link);
}

/* A state of waitForCondition outlives an error of the same step; both are small. */
static void drop_payloads_of(struct hot *hot, const struct op *retried)
{
    struct list *item = hot->payloads.next;

    while (item != &hot->payloads) {
        struct payload *payload = container_of(item, struct payload, link);

        item = item->next;
        if (payload->retried == retried && retried != NULL &&
            payload->record_no != retried->result.record_no &&
            payload->record_no != retried->error.record_no) {
            drop(hot, payload);
        }
    }
}

void hot_keep_payload(struct hot *hot, const struct record *record, uint64_t record_no)
{
    const struct op *retried = NULL;

    if (record->kind == STEP_SUCCEEDED || record->kind == STEP_FAILED) {
        retried = exec_find_op(hot->exec, record->op_id);
        drop_payloads_of(hot, retried);
        if (record->delay_s == 0) {
            return;
        }
    } else if (!is_news(record->kind)) {
        return;
    }
    if (record->has_payload) {
        keep(hot, record->payload, record_no, false, retried);
    }
    if (record->has_error) {
        keep(hot, record->error, record_no, true, retried);
    }
}

const struct payload *hot_find_payload(const struct hot *hot, uint64_t record_no, bool is_error)
{
    struct list *item;

    list_for_each (item, &hot->payloads) {
        const struct payload *payload = container_of(item, struct payload, link);

        if (payload->record_no == record_no && payload->is_error == is_error) {
            return payload;
        }
    }
    return NULL;
}

static bool is_done(const struct op *op)
{
    return op->status != OP_PENDING && op->status != OP_READY && op->status != OP_STARTED;
}

/* Each answer has it, and it is not news: after a load only the views hold it. */
void hot_keep_retried(struct hot *hot, const struct op *op, const struct wire_operation *operation)
{
    if (op->type != OP_STEP || is_done(op)) {
        return;
    }
    if (operation->has_result && hot_find_payload(hot, op->result.record_no, false) == NULL) {
        keep(hot, operation->result, op->result.record_no, false, op);
    }
    if (operation->has_error && hot_find_payload(hot, op->error.record_no, true) == NULL) {
        keep(hot, operation->error, op->error.record_no, true, op);
    }
}

/* Each resume carries the input: a small one stays, a large one is read from the views. */
static bool is_small_input(const struct payload *payload)
{
    return payload->record_no == 1 && payload->len <= INPUT_KEPT_BYTES_MAX;
}

void hot_drop_payloads(struct hot *hot)
{
    struct list *item = hot->payloads.next;

    while (item != &hot->payloads) {
        struct payload *payload = container_of(item, struct payload, link);

        item = item->next;
        if (!is_small_input(payload) && (payload->retried == NULL || is_done(payload->retried))) {
            drop(hot, payload);
        }
    }
}

/* --- loading ------------------------------------------------------------------------ */

struct loading {
    struct driver *driver;
    struct exec *exec;
    struct hot *hot;
    struct arena arena;
    int status;
};

static int load_frame(void *arg, struct bytes frame)
{
    struct loading *loading = arg;
    struct frame_header header;
    struct frame_opening opening;
    struct record *records;
    size_t count;
    int r;

    arena_reset(&loading->arena);
    r = sealer_open(&loading->arena, loading->driver->keys, frame, loading->hot->chain, &header,
                    &opening, &records, &count);
    for (size_t i = 0; i < count && r == 0; i++) {
        r = core_restore(loading->driver->core, loading->exec, header.tenant, &opening.function_id,
                         &records[i]);
    }
    loading->status = r;
    return r;
}

/* What its head tells: enough to show it and to stop it. Its chain goes on from there. */
static int load_head(struct loading *loading)
{
    struct driver *driver = loading->driver;
    struct exec *exec = loading->exec;
    struct journal_head head;
    struct title title;
    int r;

    arena_reset(&loading->arena);
    r = journal_get_head(driver->journal, &exec->id, &loading->arena, &head);
    if (r == 0) {
        r = sealer_open_title(&loading->arena, driver->keys, &exec->id, head.title, &title);
    }
    if (r != 0) {
        return r;
    }
    memcpy(loading->hot->chain, head.chain, sizeof head.chain);
    return core_loaded_damaged(driver->core, exec,
                               &(struct exec_head){.tenant = head.tenant,
                                                   .function_id = head.function_id,
                                                   .kind = head.kind,
                                                   .status = head.status,
                                                   .revision = head.revision,
                                                   .retention_days = head.retention_days,
                                                   .start_ms = head.start_ms,
                                                   .end_ms = head.end_ms,
                                                   .events = head.last_event,
                                                   .records = head.last_record,
                                                   .name = title.name,
                                                   .function = title.function});
}

static void loaded_damaged(struct loading *loading, int reason)
{
    char text[ID_TEXT_LEN + 1];
    int r;

    id_format(&loading->exec->id, text);
    log_error("execution %s is damaged (%s) and can only be stopped; `pawl verify` tells where",
              text, err_text(reason));
    r = load_head(loading);
    if (r != 0) {
        log_error("execution %s: not even its head can be read: %s", text, err_text(r));
        if (loading->exec->state == EXEC_LOADING) {
            core_loaded(loading->driver->core, loading->exec, false);
        }
    }
}

/* The views hold all of an execution that is not hot, so this needs no waiting. A
 * damaged one harms nobody else. */
void hot_load(struct driver *driver, struct exec *exec)
{
    struct loading loading = {.driver = driver, .exec = exec};
    int r;

    loading.hot = hot_create(driver, exec);
    if (loading.hot == NULL) {
        core_loaded(driver->core, exec, false);
        return;
    }
    arena_init(&loading.arena, (size_t)64 << 20);
    r = journal_read_frames(driver->journal, &exec->id, 1, load_frame, &loading);
    CRASH_POINT(recovering);
    loading.hot->last_lsn = 0;
    if (r != 0 && r != JOURNAL_NOT_FOUND) {
        loaded_damaged(&loading, r);
    } else {
        core_loaded(driver->core, exec, r == 0 && exec->records > 0);
    }
    arena_fini(&loading.arena);
    hot_settle(loading.hot);
}

/* --- idleness ------------------------------------------------------------------------- */

static void set_timer(struct hot *hot)
{
    const struct exec *exec = hot->exec;
    int64_t timer_ms = exec->is_missing ? EXEC_WAKE_NEVER : exec_timer_ms(exec);

    if (!exec->is_missing && exec_wake_ms(exec) == EXEC_WAKE_NOW &&
        (!exec->is_live || exec->unsent_chains > 0)) {
        /* A parent to be told or a child to be started, and that is under way: asked
         * for again and again until it is done. */
        int64_t again_ms = driver_now_ms() + AGAIN_MS;

        if (timer_ms == EXEC_WAKE_NEVER || timer_ms > again_ms) {
            timer_ms = again_ms;
        }
        if (hot->timer.place != 0 && hot->timer.key <= timer_ms) {
            timer_ms = hot->timer.key;
        }
    }
    if (timer_ms == EXEC_WAKE_NEVER) {
        heap_remove(&hot->driver->timers, &hot->timer);
        return;
    }
    (void)heap_set(&hot->driver->timers, &hot->timer, timer_ms);
}

static bool is_idle(const struct hot *hot)
{
    return core_can_evict(hot->exec) && list_is_empty(&hot->waiters) && hot->run == NULL;
}

/* It ends here or nobody can use it: it is forgotten as soon as the views hold all of it. */
static bool is_leaving(const struct hot *hot)
{
    return hot->exec->is_missing || hot->exec->is_damaged || exec_is_closed(hot->exec);
}

static void unlist(struct hot *hot)
{
    if (!list_is_empty(&hot->idle_link)) {
        list_remove(&hot->idle_link);
        hot->driver->idle_count -= hot->is_leaving ? 0 : 1;
    }
}

/* At the end of the list that is right for it now, so that both are oldest first. */
static void enlist(struct hot *hot)
{
    struct driver *driver = hot->driver;

    unlist(hot);
    hot->is_leaving = is_leaving(hot);
    driver->idle_count += hot->is_leaving ? 0 : 1;
    list_push_back(hot->is_leaving ? &driver->leaving : &driver->idle, &hot->idle_link);
}

static bool wants_eviction(const struct driver *driver)
{
    return !list_is_empty(&driver->leaving) || driver->idle_count > driver->options.hot_max;
}

static void on_evict(uv_timer_t *timer)
{
    struct driver *driver = timer->data;
    bool is_more = hot_evict_some(driver);

    if (wants_eviction(driver)) {
        (void)uv_timer_start(&driver->evict_timer, on_evict, is_more ? EVICT_MORE_MS : EVICT_MS, 0);
    }
}

void hot_settle(struct hot *hot)
{
    struct driver *driver = hot->driver;

    set_timer(hot);
    due_arm(driver);
    if (is_idle(hot)) {
        enlist(hot);
    } else {
        unlist(hot);
    }
    if (wants_eviction(driver) && !uv_is_active((uv_handle_t *)&driver->evict_timer) &&
        !driver->is_closing) {
        (void)uv_timer_start(&driver->evict_timer, on_evict, EVICT_MS, 0);
    }
}

static void evict(struct hot *hot)
{
    struct driver *driver = hot->driver;
    struct exec *exec = hot->exec;

    if (!exec->is_missing) {
        due_note_cold(driver, exec_wake_ms(exec));
    }
    unlist(hot);
    hot_destroy(hot);
    core_evict(driver->core, exec);
}

/* The oldest, until one is not yet in the views. */
static void evict_from(struct list *list, const uint32_t *count, uint32_t count_max,
                       uint64_t applied, uint32_t *left)
{
    while (*left > 0 && !list_is_empty(list) && *count > count_max) {
        struct hot *hot = container_of(list->next, struct hot, idle_link);

        if (!is_idle(hot)) {
            unlist(hot); /* it comes back when it is */
        } else if (hot->last_lsn > applied) {
            return;
        } else {
            evict(hot);
        }
        (*left)--;
    }
}

bool hot_evict_some(struct driver *driver)
{
    static const uint32_t always = 1;
    uint64_t applied = journal_applied_lsn(driver->journal);
    uint32_t left = EVICT_MAX;

    evict_from(&driver->leaving, &always, 0, applied, &left);
    evict_from(&driver->idle, &driver->idle_count, driver->options.hot_max, applied, &left);
    return left == 0;
}

static void turn_away(struct hot *hot)
{
    while (!list_is_empty(&hot->waiters)) {
        struct waiter *waiter = container_of(hot->waiters.next, struct waiter, link);
        struct invoke_request *request = waiter->request;

        if (request != NULL) {
            request->state = NULL;
            request->error = (struct driver_error){
                .http_status = 503,
                .name = "ServiceException",
                .message = "The daemon is shutting down; the execution goes on when it is back."};
            request->cb(request);
        }
        waiter_drop(waiter);
    }
}

void hot_forget_all(struct driver *driver)
{
    struct table_node *node = NULL;
    size_t bucket = 0;

    while ((node = core_walk(driver->core, &bucket, node)) != NULL) {
        struct exec *exec = container_of(node, struct exec, by_id);
        struct hot *hot = hot_of(exec);

        if (hot != NULL) {
            turn_away(hot);
            hot->run = NULL;
            hot_destroy(hot);
            exec->user = NULL;
        }
    }
}
