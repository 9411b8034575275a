/* How many invocations of a function, and of the account, may run at once.
 *
 * A function with a number reserved for it has that many, of the account's, whatever the
 * others do; all functions without one share what is left. Who was admitted counts until
 * its end, also while an environment starts for it. Beyond the limit a caller that is
 * patient waits at its function's gate, first come first served, and the gates that wait
 * for the shared part take turns; another one is refused.
 *
 * Revisions whose environments take several invocations at once do not count against the
 * shared part: as with Lambda's managed instances it is their environments that are
 * limited. A reserved number limits them as any other.
 *
 * A function without waiting ones is in none of the lists, so its memory is its owner's. */
#ifndef ENGINE_DRIVER_GATE_H
#define ENGINE_DRIVER_GATE_H

#include <stdint.h>

#include "engine/base/list.h"

/* Of one function; zero to begin with. */
struct gate {
    bool is_reserved;
    uint32_t reserved;
    uint32_t running;        /* admitted, and not ended */
    uint32_t running_single; /* of these, those that count against the shared part */
    uint32_t waiting_count;
    struct list waiting; /* struct gate_pass.link; not before the first one waits */
    struct list queue;   /* in one list of the gates while somebody waits, else alone */
};

/* Of one invocation; zero to begin with. Where it is, or was. */
struct gate_pass {
    struct list link;
    struct gate *gate;
    bool is_single;   /* it has its environment for itself */
    bool is_admitted; /* else it waits, or came to no gate */
};

struct gates {
    uint32_t limit; /* of the account */
    uint64_t reserved_total;
    uint32_t shared_running;
    struct list blocked; /* gates that wait for the shared part, in turn */
    struct list held;    /* gates that wait for their own part */
    struct list ready;   /* gates to be looked at */
};

void gates_init(struct gates *gates, uint32_t limit);

/* What all functions without a reserved number have together. */
uint32_t gates_unreserved(const struct gates *gates);

/* `is_reserved` false: it shares again. What runs goes on, and counts where it now belongs.
 * True: somebody waits there, and gates_next() is to be asked. */
bool gate_reserve(struct gates *gates, struct gate *gate, bool is_reserved, uint32_t reserved);

/* Nothing is admitted: 0 is reserved. */
static inline bool gate_is_shut(const struct gate *gate)
{
    return gate->is_reserved && gate->reserved == 0;
}

/* Free for one more? */
bool gate_has_room(const struct gates *gates, const struct gate *gate, bool is_single);

/* There is room. */
void gate_enter(struct gates *gates, struct gate *gate, struct gate_pass *pass);
/* There is none, or others wait already. */
void gate_wait(struct gates *gates, struct gate *gate, struct gate_pass *pass);
/* It ends, or waits no longer; harmless for one that came to no gate. True: somebody who
 * waits may have room now, and gates_next() is to be asked. */
bool gate_leave(struct gates *gates, struct gate_pass *pass);

/* Admits the next one that waits and has room, or NULL. */
struct gate_pass *gates_next(struct gates *gates);
/* One that waits, wherever, which then waits no longer; NULL: nobody does. */
struct gate_pass *gates_any(struct gates *gates);

#endif /* ENGINE_DRIVER_GATE_H */
