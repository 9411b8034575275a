/* Records kept: deep copies, in order, as a journal would give them back. Used by
 * the tests of the core and by the simulator. Without memory the process ends. */
#ifndef TESTS_CORE_TAPE_H
#define TESTS_CORE_TAPE_H

#include "engine/base/arena.h"
#include "engine/core/record.h"

struct tape {
    struct arena arena; /* what the records point to */
    struct record *records;
    uint32_t count;
    uint32_t cap;
};

void tape_fini(struct tape *tape);
void tape_add(struct tape *tape, const struct record *record);

uint32_t tape_count(const struct tape *tape, enum record_kind kind);

/* The last record of this kind, or NULL. */
const struct record *tape_last(const struct tape *tape, enum record_kind kind);

/* A copy whose texts and payloads live in `arena`. */
struct record tape_copy(struct arena *arena, const struct record *record);

#endif /* TESTS_CORE_TAPE_H */
