/* Threads of the daemon. */
#ifndef ENGINE_BASE_THREAD_H
#define ENGINE_BASE_THREAD_H

#include <pthread.h>

/* A joinable thread with all signals blocked, but those of a fault of its own: they are the
 * main loop's. `name`, at most 15 characters, is what `top -H` shows. ERR_SYSTEM. */
int thread_start(pthread_t *ret_thread, void *(*run)(void *arg), void *arg, const char *name);

#endif /* ENGINE_BASE_THREAD_H */
