#include "sdk/lib/cache.h"

#include "engine/base/err.h"

int cache_init(struct cache *cache, size_t bytes_max)
{
    *cache = (struct cache){.bytes_max = bytes_max};
    list_init(&cache->lru);
    if (pthread_mutex_init(&cache->lock, NULL) != 0) {
        return ERR(ERR_SYSTEM, "mutex");
    }
    return 0;
}

/* What the process would have back: an arena takes whole blocks, of which a short execution
 * uses a tenth. */
static size_t size_of(const struct state *state)
{
    return sizeof *state + arena_bytes(&state->arena) +
           state->memos.bucket_count * sizeof(struct table_node *);
}

static void remove_state(struct cache *cache, struct state *state)
{
    cache->bytes -= size_of(state);
    list_remove(&state->lru);
    table_remove(&cache->states, &state->by_exec);
}

void cache_fini(struct cache *cache)
{
    while (!list_is_empty(&cache->lru)) {
        struct state *state = container_of(cache->lru.next, struct state, lru);

        remove_state(cache, state);
        state_destroy(state);
    }
    table_fini(&cache->states);
    pthread_mutex_destroy(&cache->lock);
}

static struct state *find(const struct cache *cache, const struct id *exec_id)
{
    struct table_node *node;

    for (node = table_first(&cache->states, id_hash(exec_id)); node != NULL;
         node = table_next(node)) {
        struct state *state = container_of(node, struct state, by_exec);

        if (id_equal(&state->exec_id, exec_id)) {
            return state;
        }
    }
    return NULL;
}

struct state *cache_take(struct cache *cache, const struct id *exec_id, uint64_t base)
{
    struct state *state;

    pthread_mutex_lock(&cache->lock);
    state = find(cache, exec_id);
    if (state != NULL) {
        remove_state(cache, state);
    }
    pthread_mutex_unlock(&cache->lock);
    if (state != NULL && (base == 0 || state->last != base)) {
        state_destroy(state);
        return NULL;
    }
    return state;
}

void cache_put(struct cache *cache, struct state *state)
{
    struct state *old;

    if (size_of(state) > cache->bytes_max) {
        state_destroy(state);
        return;
    }
    pthread_mutex_lock(&cache->lock);
    old = find(cache, &state->exec_id);
    if (old != NULL) {
        remove_state(cache, old);
        state_destroy(old);
    }
    if (table_insert(&cache->states, &state->by_exec, id_hash(&state->exec_id)) != 0) {
        pthread_mutex_unlock(&cache->lock);
        state_destroy(state);
        return;
    }
    list_push_back(cache->lru.next, &state->lru);
    cache->bytes += size_of(state);
    while (cache->bytes > cache->bytes_max) {
        struct state *oldest = container_of(cache->lru.prev, struct state, lru);

        remove_state(cache, oldest);
        state_destroy(oldest);
    }
    pthread_mutex_unlock(&cache->lock);
}
