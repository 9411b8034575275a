/* The launcher's loop: descriptors and what to do when they are ready. One event is
 * taken at a time, so a callback may remove any watch, also one that is ready too. */
#ifndef RUNTIME_WATCH_H
#define RUNTIME_WATCH_H

#include <stdint.h>
#include <sys/types.h>

struct watch;
typedef void (*watch_cb)(struct watch *watch, uint32_t events);

struct watch {
    watch_cb cb;
    int fd; /* -1: not watched */
};

/* The epoll descriptor, or a negative error. */
int watch_open(void);

/* `events` as for epoll. 0 or a negative error. */
int watch_add(int loop, struct watch *watch, int fd, uint32_t events, watch_cb cb);
int watch_change(int loop, struct watch *watch, uint32_t events);

/* The descriptor stays open. Harmless when it is not watched. */
void watch_remove(int loop, struct watch *watch);

/* The same, and closes the descriptor. */
void watch_close(int loop, struct watch *watch);

/* Waits for one event (-1: without end) and calls back. 1 if there was one, 0 after the
 * time, or a negative error. */
int watch_run_once(int loop, int timeout_ms);

/* Waits for a child that has ended, or was killed and is about to. `ret_status` may be
 * NULL. */
void watch_reap(pid_t pid, int *ret_status);

#endif /* RUNTIME_WATCH_H */
