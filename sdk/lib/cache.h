/* States of suspended executions, so that a resume brings only what has changed.
 * Bounded in bytes; the one that was used longest ago goes first. Speed only: what
 * is not here, the daemon sends. */
#ifndef SDK_LIB_CACHE_H
#define SDK_LIB_CACHE_H

#include <pthread.h>

#include "sdk/lib/state.h"

struct cache {
    pthread_mutex_t lock;
    struct table states;
    struct list lru; /* front: used last */
    size_t bytes;
    size_t bytes_max;
};

int cache_init(struct cache *cache, size_t bytes_max);
void cache_fini(struct cache *cache);

/* The state of this execution, which then is the caller's; NULL when there is none
 * exactly as of `base`. */
struct state *cache_take(struct cache *cache, const struct id *exec_id, uint64_t base);

/* The cache takes the state over, and may drop it at once. */
void cache_put(struct cache *cache, struct state *state);

#endif /* SDK_LIB_CACHE_H */
