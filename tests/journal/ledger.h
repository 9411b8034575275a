/* A load whose every byte is known from its seed, the acknowledgements it sends to
 * the outside, and the check that what was acknowledged is in a journal. */
#ifndef TESTS_JOURNAL_LEDGER_H
#define TESTS_JOURNAL_LEDGER_H

#include "tests/journal/fixture.h"

#define LEDGER_SLOTS 24U
#define LEDGER_STEPS 6U /* of an execution */

struct ack {
    uint32_t slot;
    uint32_t execution; /* of the slot, from 0 */
    uint32_t step;      /* from 1 */
    uint32_t zero;
};

struct load {
    uint64_t seed;
    bool is_too_early;  /* the planted bug: acknowledges before the commit */
    uint64_t steps_max; /* 0 = for ever */
    void (*acknowledge)(void *arg, const struct ack *ack);
    void *arg;
};

/* Every slot appends the next step of its execution when the last is durable. With
 * `steps_max` the loop ends by itself. */
void load_start(struct journal *journal, const struct load *load);

struct ledger {
    uint32_t execution[LEDGER_SLOTS]; /* the last one acknowledged */
    uint32_t step[LEDGER_SLOTS];      /* of it; 0 = none */
    uint64_t acks;
};

/* In order; a later one of a slot says that the earlier ones held. */
void ledger_note(struct ledger *ledger, const struct ack *ack);

/* How many executions lack an acknowledged step. Asserts that what is there is what
 * was written. */
uint64_t ledger_count_lost(struct fixture *f, uint64_t seed, const struct ledger *ledger);

#endif /* TESTS_JOURNAL_LEDGER_H */
