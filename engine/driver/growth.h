/* How fast a lane gets environments that take several invocations at once.
 *
 * Such an environment is large (a thread for each) and one more helps only while there are
 * processors to run it, so a lane grows in steps: at once to its first one, then every
 * GROWTH_STEP_MS by as many as serve already, as long as the machine has time left over;
 * when it has little, by one every GROWTH_BUSY_MS. Where an environment takes one invocation
 * at a time, each that waits needs its own, as on Lambda, and nothing is held back.
 * While a runtime that may take more is about to ask for it, its lane does not grow:
 * place_asks_soon().
 *
 * Measured: 100,000 executions due in the same second started 64 environments of 256
 * threads on two cores, and each took 93 us of function time instead of 19. */
#ifndef ENGINE_DRIVER_GROWTH_H
#define ENGINE_DRIVER_GROWTH_H

#include <stdbool.h>
#include <stdint.h>

#define GROWTH_STEP_MS 250
#define GROWTH_BUSY_MS 2000

/* What the machine's processors do, from /proc/stat; without it they are never busy. */
struct machine_load {
    int fd;
    uint64_t idle;
    uint64_t total;
    int64_t read_ms;
    bool is_busy;
};

void machine_load_init(struct machine_load *load);
void machine_load_fini(struct machine_load *load);

/* Since it was last asked, at least GROWTH_STEP_MS ago, three quarters of their time were
 * used, or waited for the disk, which more environments would not make faster. */
bool machine_load_is_busy(struct machine_load *load, int64_t now_ms);

/* Of one lane; zero to begin with. */
struct growth {
    int64_t step_ms; /* when this step began */
    int64_t last_ms; /* when it last grew */
    uint32_t left;   /* in this step */
};

/* May a lane grow of which `serving` take invocations? */
bool growth_may(struct growth *growth, struct machine_load *load, uint32_t serving, int64_t now_ms);

/* It does. */
void growth_note(struct growth *growth, int64_t now_ms);

#endif /* ENGINE_DRIVER_GROWTH_H */
