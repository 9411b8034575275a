/* Where one thread waits until another opens the way: a futex, so that passing
 * costs at most one system call on each side, and none when it is open already. */
#ifndef SDK_LIB_GATE_H
#define SDK_LIB_GATE_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

struct gate {
    _Atomic uint32_t is_open;
};

static inline void gate_init(struct gate *gate)
{
    atomic_init(&gate->is_open, 0);
}

static inline void gate_wait(struct gate *gate)
{
    while (atomic_load_explicit(&gate->is_open, memory_order_acquire) == 0) {
        (void)syscall(SYS_futex, &gate->is_open, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    }
}

/* The waiter may go on at once and the gate be gone: gate_wake() only names its
 * place to the kernel, which is harmless then. */
static inline void gate_open(struct gate *gate)
{
    atomic_store_explicit(&gate->is_open, 1, memory_order_release);
}

static inline void gate_wake(struct gate *gate)
{
    (void)syscall(SYS_futex, &gate->is_open, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Gates opened under a lock, woken after it. */
#define WAKES_MAX 64U

struct wakes {
    unsigned count;
    struct gate *gates[WAKES_MAX];
};

static inline void wakes_send(struct wakes *wakes)
{
    for (unsigned i = 0; i < wakes->count; i++) {
        gate_wake(wakes->gates[i]);
    }
    wakes->count = 0;
}

static inline void wakes_add(struct wakes *wakes, struct gate *gate)
{
    if (wakes->count == WAKES_MAX) {
        wakes_send(wakes);
    }
    gate_open(gate);
    wakes->gates[wakes->count++] = gate;
}

#endif /* SDK_LIB_GATE_H */
