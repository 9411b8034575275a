#include "runtime/watch.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/err.h"

int watch_open(void)
{
    int loop = epoll_create1(EPOLL_CLOEXEC);

    return (loop >= 0) ? loop : ERR(ERR_SYSTEM, "epoll: %s", strerror(errno));
}

static int control(int loop, int operation, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.ptr = watch}};

    if (epoll_ctl(loop, operation, watch->fd, &event) != 0) {
        return ERR(ERR_SYSTEM, "epoll: %s", strerror(errno));
    }
    return 0;
}

int watch_add(int loop, struct watch *watch, int fd, uint32_t events, watch_cb cb)
{
    int r;

    watch->fd = fd;
    watch->cb = cb;
    r = control(loop, EPOLL_CTL_ADD, watch, events);
    if (r != 0) {
        watch->fd = -1;
    }
    return r;
}

int watch_change(int loop, struct watch *watch, uint32_t events)
{
    return control(loop, EPOLL_CTL_MOD, watch, events);
}

void watch_remove(int loop, struct watch *watch)
{
    if (watch->fd >= 0) {
        (void)control(loop, EPOLL_CTL_DEL, watch, 0);
        watch->fd = -1;
    }
}

/* Removed first: a copy in a forked child keeps a closed descriptor's events alive. */
void watch_close(int loop, struct watch *watch)
{
    int fd = watch->fd;

    watch_remove(loop, watch);
    if (fd >= 0) {
        (void)close(fd);
    }
}

int watch_run_once(int loop, int timeout_ms)
{
    struct epoll_event event;
    int n = epoll_wait(loop, &event, 1, timeout_ms);

    if (n < 0) {
        return (errno == EINTR) ? 1 : ERR(ERR_SYSTEM, "epoll: %s", strerror(errno));
    }
    if (n > 0) {
        struct watch *watch = event.data.ptr;

        watch->cb(watch, event.events);
    }
    return n;
}

void watch_reap(pid_t pid, int *ret_status)
{
    while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR) {
    }
}
