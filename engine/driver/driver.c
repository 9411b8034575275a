#include <assert.h>
#include <time.h>

#include "engine/base/err.h"
#include "engine/base/json.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/driver/state.h"

void driver_options_default(struct driver_options *ret_options)
{
    *ret_options = (struct driver_options){
        .core = core_limits_default,
        .pool = {.environments_max = 256,
                 .environments_each_max = 64,
                 .waiting_max = 1000000,
                 .concurrency_max = 1000,
                 .idle_ms = 300000,
                 .init_ms = 10000,
                 .grace_ms = 2000,
                 .region = "us-east-1"},
        .log_file_bytes_max = (uint64_t)64 << 20,
        .payload_cache_bytes_max = (uint64_t)64 << 20,
        .hot_max = 20000,
        .drain_s = 30,
        .region = "us-east-1",
    };
}

int64_t driver_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct id driver_make_id(struct driver *driver)
{
    return id_make(driver_now_ms(), 0, driver->id_counter++, &driver->prng);
}

struct functions *driver_functions(struct driver *driver)
{
    return driver->functions;
}

struct runtimes *driver_runtimes(struct driver *driver)
{
    return driver->runtimes;
}

struct access_keys *driver_access_keys(struct driver *driver)
{
    return driver->access_keys;
}

struct pool *driver_pool(struct driver *driver)
{
    return driver->pool;
}

struct logs *driver_logs(struct driver *driver)
{
    return driver->logs;
}

/* --- the default tenant ------------------------------------------------------------------ */

struct tenant_start {
    struct journal_append append;
    bool is_durable;
};

static void on_tenant_durable(struct journal_append *append)
{
    container_of(append, struct tenant_start, append)->is_durable = true;
}

/* An object of the log: u16 length of the key, key, value. */
static void put_object(struct buf *out, struct bytes key, struct bytes value)
{
    uint8_t len[2] = {(uint8_t)key.len, (uint8_t)(key.len >> 8)};

    buf_append(out, len, sizeof len);
    buf_append(out, key.data, key.len);
    buf_append(out, value.data, value.len);
}

static int create_tenant(struct driver *driver, struct keyring *keyring, struct bytes key)
{
    uint8_t wrapped[TENANT_WRAPPED_BYTES];
    struct tenant_start start = {.append = {.kind = JOURNAL_PUT}};
    struct buf object = {0};
    int r = tenant_keys_create(keyring, TENANT_DEFAULT, wrapped);

    if (r != 0) {
        return r;
    }
    put_object(&object, key, bytes_of(wrapped, sizeof wrapped));
    start.append.data = buf_bytes(&object);
    journal_append(driver->journal, &start.append, on_tenant_durable);
    while (!start.is_durable) {
        (void)uv_run(driver->loop, UV_RUN_ONCE);
    }
    buf_fini(&object);
    return tenant_keys_open(&driver->keys, keyring, TENANT_DEFAULT,
                            bytes_of(wrapped, sizeof wrapped));
}

static int open_tenant(struct driver *driver, struct keyring *keyring)
{
    static const char key_text[] = "tenant/123456789012";
    struct bytes key = bytes_of_text(key_text);
    struct buf wrapped = {0};
    int r = journal_get_object(driver->journal, key, &wrapped);

    if (r == JOURNAL_NOT_FOUND) {
        r = create_tenant(driver, keyring, key);
    } else if (r == 0) {
        r = tenant_keys_open(&driver->keys, keyring, TENANT_DEFAULT, buf_bytes(&wrapped));
        if (r != 0) {
            log_error("the key of tenant %s does not open: root.key or keyring is not the one "
                      "this data directory was made with; restore them from your backup",
                      key_text + 7);
        }
    }
    buf_fini(&wrapped);
    return r;
}

/* --- opening ---------------------------------------------------------------------------------- */

static void init_state(struct driver *driver, uv_loop_t *loop)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    driver->loop = loop;
    list_init(&driver->free_tasks);
    list_init(&driver->free_runs);
    list_init(&driver->idle);
    list_init(&driver->leaving);
    list_init(&driver->waits);
    list_init(&driver->requests);
    driver->prng.state = (uint64_t)driver_now_ms() << 20 ^ (uint64_t)now.tv_nsec;
    (void)uv_random(NULL, NULL, &driver->prng.state, sizeof driver->prng.state, 0, NULL);
    (void)uv_timer_init(loop, &driver->timer);
    (void)uv_timer_init(loop, &driver->evict_timer);
    (void)uv_timer_init(loop, &driver->close_timer);
    (void)uv_timer_init(loop, &driver->upkeep_timer);
    driver->timer.data = driver;
    driver->evict_timer.data = driver;
    driver->close_timer.data = driver;
    full_init(driver);
    driver->handles_open = 5;
}

static const char *find_runtime(void *arg, const char *name)
{
    return runtimes_find(arg, name);
}

static int open_parts(struct driver *driver, const char *data_dir, struct keyring *keyring,
                      struct verifier *verifier)
{
    struct core_limits limits = driver->options.core;
    int r = open_tenant(driver, keyring);

    if (r != 0) {
        return r;
    }
    r = access_keys_open(&driver->access_keys, driver->journal, driver->keys, TENANT_DEFAULT,
                         verifier);
    if (r != 0) {
        return r;
    }
    limits.seed = prng_next(&driver->prng);
    r = core_create(&driver->core, &limits);
    if (r == 0) {
        r = logs_open(&driver->logs, driver->loop, data_dir, driver->options.log_file_bytes_max);
    }
    if (r == 0) {
        r = functions_open(&driver->functions, driver->journal, driver->keys, TENANT_DEFAULT,
                           driver->options.region, driver->launcher);
    }
    if (r == 0) {
        r = runtimes_open(&driver->runtimes, driver->journal, driver->keys, TENANT_DEFAULT,
                          data_dir);
    }
    if (r == 0) {
        driver->options.pool.runtimes_arg = driver->runtimes;
        driver->options.pool.runtime_dir = find_runtime;
        r = pool_create(&driver->pool, driver->loop, driver->launcher, driver->functions,
                        driver->logs, &driver->options.pool);
    }
    return r;
}

int driver_open(struct driver **ret_driver, uv_loop_t *loop, const char *data_dir,
                struct journal *journal, struct keyring *keyring, struct launcher *launcher,
                struct verifier *verifier, const struct driver_options *options)
{
    struct driver *driver = mem_calloc(1, sizeof *driver);
    int r;

    if (driver == NULL) {
        return ERR(ERR_NOMEM, "driver");
    }
    driver->journal = journal;
    driver->launcher = launcher;
    driver->options = *options;
    init_state(driver, loop);
    r = open_parts(driver, data_dir, keyring, verifier);
    if (r != 0) {
        return r; /* the process ends: nothing here outlives it */
    }
    concurrency_load(driver);
    provisioned_load(driver);
    due_start(driver);
    upkeep_start(driver);
    *ret_driver = driver;
    return 0;
}

void driver_function_changed(struct driver *driver, struct function *function)
{
    provisioned_apply(driver, function);
    pool_function_changed(driver->pool, function);
}

/* --- closing --------------------------------------------------------------------------------- */

static void free_pooled(struct driver *driver)
{
    struct list *item;

    while ((item = list_pop_front(&driver->free_tasks)) != NULL) {
        struct task *task = container_of(item, struct task, link);

        arena_fini(&task->arena);
        buf_fini(&task->frame);
        mem_free(task);
    }
    while ((item = list_pop_front(&driver->free_runs)) != NULL) {
        struct run *run = container_of(item, struct run, link);

        buf_fini(&run->answer);
        buf_fini(&run->reply);
        mem_free(run);
    }
    buf_fini(&driver->plain);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct driver *driver = handle->data;

    if (--driver->handles_open > 0) {
        return;
    }
    hot_forget_all(driver);
    core_destroy(driver->core);
    functions_close(driver->functions);
    runtimes_close(driver->runtimes);
    access_keys_close(driver->access_keys);
    logs_close(driver->logs);
    tenant_keys_close(driver->keys);
    heap_fini(&driver->timers);
    free_pooled(driver);
    driver->close_cb(driver->close_arg);
    mem_free(driver);
}

static void close_handles(struct driver *driver)
{
    uv_close((uv_handle_t *)&driver->timer, on_handle_closed);
    uv_close((uv_handle_t *)&driver->evict_timer, on_handle_closed);
    uv_close((uv_handle_t *)&driver->close_timer, on_handle_closed);
    uv_close((uv_handle_t *)&driver->upkeep_timer, on_handle_closed);
    uv_close((uv_handle_t *)&driver->full_timer, on_handle_closed);
}

/* What was committed while the pool closed still has to come back. */
static void on_settle(uv_timer_t *timer)
{
    struct driver *driver = timer->data;

    if (driver->tasks_open == 0) {
        close_handles(driver);
        return;
    }
    (void)uv_timer_start(&driver->close_timer, on_settle, 10, 0);
}

static void on_pool_closed(void *arg)
{
    struct driver *driver = arg;

    full_close(driver);
    on_settle(&driver->close_timer);
}

static void close_pool(struct driver *driver)
{
    (void)uv_timer_stop(&driver->close_timer);
    requests_answer_all(driver);
    pool_close(driver->pool, driver, on_pool_closed);
}

static void on_drain(uv_timer_t *timer)
{
    struct driver *driver = timer->data;

    if (driver->runs_open == 0 || uv_now(driver->loop) >= driver->drain_until) {
        close_pool(driver);
    }
}

void driver_close(struct driver *driver, void *arg, driver_close_cb cb)
{
    assert(!driver->is_closing);
    driver->is_closing = true;
    driver->close_cb = cb;
    driver->close_arg = arg;
    (void)uv_timer_stop(&driver->timer);
    (void)uv_timer_stop(&driver->evict_timer);
    uv_update_time(driver->loop);
    driver->drain_until = uv_now(driver->loop) + (uint64_t)driver->options.drain_s * 1000;
    (void)uv_timer_start(&driver->close_timer, on_drain, 0, 20);
}

/* --- status ---------------------------------------------------------------------------------- */

static void put_number(struct buf *json, const char *key, uint64_t value)
{
    json_key(json, key);
    json_int(json, (int64_t)value);
}

static void put_environment(void *arg, const struct pool_environment *environment)
{
    struct buf *json = arg;

    json_element(json);
    json_open(json, '{');
    json_key(json, "Function");
    json_text(json, environment->function);
    put_number(json, "Revision", environment->revision);
    put_number(json, "Pid", (uint64_t)environment->pid);
    put_number(json, "Running", environment->running);
    json_key(json, "StartTimestamp");
    json_seconds(json, environment->started_ms);
    json_close(json, '}');
}

static void put_journal(const struct driver *driver, struct buf *json)
{
    struct journal_stats stats;

    journal_get_stats(driver->journal, &stats);
    json_key(json, "Journal");
    json_open(json, '{');
    put_number(json, "LastLsn", stats.last_lsn);
    put_number(json, "CommittedLsn", stats.committed_lsn);
    put_number(json, "AppliedLsn", stats.applied_lsn);
    put_number(json, "Commits", stats.commits);
    put_number(json, "Entries", stats.entries);
    put_number(json, "Bytes", stats.bytes);
    put_number(json, "LogUsedBytes", stats.log_used_bytes);
    put_number(json, "LogMapBytes", stats.log_map_bytes);
    put_number(json, "ViewsUsedBytes", stats.views_used_bytes);
    put_number(json, "ViewsMapBytes", stats.views_map_bytes);
    put_number(json, "Executions", stats.executions);
    json_key(json, "IsFull");
    json_bool(json, stats.is_full);
    json_close(json, '}');
}

void driver_put_status(struct driver *driver, struct buf *json)
{
    struct pool_stats pool;

    pool_get_stats(driver->pool, &pool);
    json_key(json, "Executions");
    json_open(json, '{');
    put_number(json, "Hot", core_count(driver->core));
    put_number(json, "Idle", driver->idle_count);
    put_number(json, "Started", driver->started);
    put_number(json, "Ended", driver->ended);
    json_close(json, '}');
    json_key(json, "Invocations");
    json_open(json, '{');
    put_number(json, "Running", pool.running);
    put_number(json, "Waiting", pool.waiting);
    put_number(json, "Total", pool.invocations);
    json_close(json, '}');
    put_journal(driver, json);
    json_key(json, "EnvironmentsStarted");
    json_int(json, (int64_t)pool.started);
    json_key(json, "Environments");
    json_open(json, '[');
    pool_walk(driver->pool, json, put_environment);
    json_close(json, ']');
}
