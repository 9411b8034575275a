#include "journal/thread.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "engine/base/err.h"

int monitor_init(struct monitor *monitor)
{
    pthread_condattr_t attr;
    int error = pthread_mutex_init(&monitor->mutex, NULL);

    if (error != 0) {
        return ERR(ERR_SYSTEM, "mutex: %s", strerror(error));
    }
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    error = pthread_cond_init(&monitor->cond, &attr);
    (void)pthread_condattr_destroy(&attr);
    if (error != 0) {
        (void)pthread_mutex_destroy(&monitor->mutex);
        return ERR(ERR_SYSTEM, "condition: %s", strerror(error));
    }
    return 0;
}

void monitor_fini(struct monitor *monitor)
{
    (void)pthread_cond_destroy(&monitor->cond);
    (void)pthread_mutex_destroy(&monitor->mutex);
}

void monitor_lock(struct monitor *monitor)
{
    int error = pthread_mutex_lock(&monitor->mutex);

    assert(error == 0);
    (void)error;
}

void monitor_unlock(struct monitor *monitor)
{
    int error = pthread_mutex_unlock(&monitor->mutex);

    assert(error == 0);
    (void)error;
}

void monitor_signal(struct monitor *monitor)
{
    (void)pthread_cond_signal(&monitor->cond);
}

void monitor_wait(struct monitor *monitor, int64_t until_ms)
{
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    int error;

    if (until_ms == 0) {
        error = pthread_cond_wait(&monitor->cond, &monitor->mutex);
    } else {
        error = pthread_cond_timedwait(&monitor->cond, &monitor->mutex, &until);
    }
    assert(error == 0 || error == ETIMEDOUT);
    (void)error;
}

void monitor_wait_us(struct monitor *monitor, int64_t us)
{
    struct timespec until;
    int error;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += us * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    error = pthread_cond_timedwait(&monitor->cond, &monitor->mutex, &until);
    assert(error == 0 || error == ETIMEDOUT);
    (void)error;
}

int64_t thread_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
