/* A mutex and a condition with a clock that does not jump, for the journal's
 * threads. The calls cannot fail when used as documented, so they assert. */
#ifndef JOURNAL_THREAD_H
#define JOURNAL_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/thread.h"

struct monitor {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
};

int monitor_init(struct monitor *monitor);
void monitor_fini(struct monitor *monitor);
void monitor_lock(struct monitor *monitor);
void monitor_unlock(struct monitor *monitor);
void monitor_signal(struct monitor *monitor);

/* Until signalled; with `until_ms` not 0 at most to that time of thread_now_ms(). */
void monitor_wait(struct monitor *monitor, int64_t until_ms);

/* At most so long, less than a second; may end early. */
void monitor_wait_us(struct monitor *monitor, int64_t us);

int64_t thread_now_ms(void);

#endif /* JOURNAL_THREAD_H */
