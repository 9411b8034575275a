/* Threads that run invocations and branches: they grow in number to what is asked
 * of them at once, and the one that rested last is used first. */
#ifndef SDK_LIB_POOL_H
#define SDK_LIB_POOL_H

#include <pthread.h>
#include <stdbool.h>

#include "engine/base/list.h"

#define POOL_THREADS_MAX 4096U

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t all_ended;
    struct list resting; /* struct worker.link */
    unsigned count;
    bool is_closing;
};

typedef void pool_job(void *arg);

int pool_init(struct pool *pool);

/* Waits for all jobs to end and all threads with them. */
void pool_fini(struct pool *pool);

/* Runs job(arg) in another thread. Fails when no thread can be had. */
int pool_run(struct pool *pool, pool_job *job, void *arg);

#endif /* SDK_LIB_POOL_H */
