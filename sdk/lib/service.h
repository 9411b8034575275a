/* One connection to the daemon and all that runs on it: a thread that reads and hands
 * out, a pool that runs handlers, a thread that sends what nobody waits for.
 *
 * Locks, in the order in which they may be taken: service, invocation, out. The reader
 * never writes, so it can always go on reading. */
#ifndef SDK_LIB_SERVICE_H
#define SDK_LIB_SERVICE_H

#include "engine/base/table.h"
#include "pawl/pawl.h"
#include "sdk/lib/cache.h"
#include "sdk/lib/out.h"
#include "sdk/lib/pool.h"

struct service_options {
    pawl_handler_fn *handler;
    size_t cache_bytes_max;
    unsigned tick_ms; /* what nobody waits for is sent one to two ticks old */
    bool is_to_death; /* with the daemon's end the process ends at once: what still runs
                       * has no one to answer to and must not run beside its successor */
};

struct service {
    struct service_options options;
    struct out out;
    struct pool pool;
    struct cache cache;
    _Atomic unsigned awake; /* threads of handlers and branches that do not wait */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* for the flusher */
    struct table invocations;
    bool is_flusher_resting;
    bool is_closing;
    pthread_t flusher;
};

#define CACHE_BYTES_DEFAULT ((size_t)16 * 1024 * 1024)
#define TICK_MS_DEFAULT 10U

/* Serves `fd` until the daemon closes it (0) or breaks the protocol. Takes the fd over.
 * Returns when everything that ran has ended. */
int service_run(int fd, const struct service_options *options);

#endif /* SDK_LIB_SERVICE_H */
