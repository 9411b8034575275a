#include "sdk/lib/pool.h"

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "sdk/lib/gate.h"

struct worker {
    struct list link;
    struct pool *pool;
    struct gate gate;
    pool_job *job; /* NULL: end */
    void *arg;
};

int pool_init(struct pool *pool)
{
    *pool = (struct pool){0};
    list_init(&pool->resting);
    if (pthread_mutex_init(&pool->lock, NULL) != 0) {
        return ERR(ERR_SYSTEM, "mutex");
    }
    if (pthread_cond_init(&pool->all_ended, NULL) != 0) {
        pthread_mutex_destroy(&pool->lock);
        return ERR(ERR_SYSTEM, "condition");
    }
    return 0;
}

static bool rest(struct worker *worker)
{
    struct pool *pool = worker->pool;
    bool is_closing;

    gate_init(&worker->gate);
    pthread_mutex_lock(&pool->lock);
    is_closing = pool->is_closing;
    if (!is_closing) {
        /* At the front: its stack is still in the cache. */
        list_push_back(pool->resting.next, &worker->link);
    }
    pthread_mutex_unlock(&pool->lock);
    if (is_closing) {
        return false;
    }
    gate_wait(&worker->gate);
    return worker->job != NULL;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct pool *pool = worker->pool;

    do {
        worker->job(worker->arg);
    } while (rest(worker));
    mem_free(worker);
    pthread_mutex_lock(&pool->lock);
    pool->count--;
    if (pool->count == 0) {
        pthread_cond_signal(&pool->all_ended);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static int start_thread(struct pool *pool, struct worker *worker)
{
    pthread_attr_t attr;
    pthread_t thread;
    int r;

    if (pthread_attr_init(&attr) != 0) {
        return ERR_NOMEM;
    }
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    r = pthread_create(&thread, &attr, work, worker);
    pthread_attr_destroy(&attr);
    if (r == 0) {
        return 0;
    }
    pthread_mutex_lock(&pool->lock);
    pool->count--;
    pthread_mutex_unlock(&pool->lock);
    return ERR(ERR_SYSTEM, "thread: error %d", r);
}

static int add_worker(struct pool *pool, pool_job *job, void *arg)
{
    struct worker *worker = mem_calloc(1, sizeof *worker);
    int r;

    if (worker == NULL) {
        return ERR(ERR_NOMEM, "worker");
    }
    worker->pool = pool;
    worker->job = job;
    worker->arg = arg;
    r = start_thread(pool, worker);
    if (r != 0) {
        mem_free(worker);
    }
    return r;
}

int pool_run(struct pool *pool, pool_job *job, void *arg)
{
    struct list *link;
    struct worker *worker;

    pthread_mutex_lock(&pool->lock);
    link = list_pop_front(&pool->resting);
    if (link == NULL && pool->count >= POOL_THREADS_MAX) {
        pthread_mutex_unlock(&pool->lock);
        return ERR(ERR_LIMIT, "more than %u threads", POOL_THREADS_MAX);
    }
    pool->count += (link == NULL);
    pthread_mutex_unlock(&pool->lock);
    if (link == NULL) {
        return add_worker(pool, job, arg);
    }
    worker = container_of(link, struct worker, link);
    worker->job = job;
    worker->arg = arg;
    gate_open(&worker->gate);
    gate_wake(&worker->gate);
    return 0;
}

void pool_fini(struct pool *pool)
{
    struct list *link;

    pthread_mutex_lock(&pool->lock);
    pool->is_closing = true;
    while ((link = list_pop_front(&pool->resting)) != NULL) {
        struct worker *worker = container_of(link, struct worker, link);

        worker->job = NULL;
        gate_open(&worker->gate);
        gate_wake(&worker->gate);
    }
    while (pool->count > 0) {
        pthread_cond_wait(&pool->all_ended, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    pthread_cond_destroy(&pool->all_ended);
    pthread_mutex_destroy(&pool->lock);
}
