/* The slots of a place: one for each invocation that can run in it at once. An invocation's
 * number says its slot and, so that it is never used again, its turn. */
#ifndef ENGINE_DRIVER_SLOT_H
#define ENGINE_DRIVER_SLOT_H

#include "engine/driver/place.h"

/* 0 or ERR_NOMEM, then without a report; what was allocated is freed with the place. */
int slots_alloc(struct place *place);

void slot_give(struct place *place, struct invocation *invocation);
void slot_take(struct place *place, struct invocation *invocation);

/* The one that was sent under this number and runs, or NULL. */
struct invocation *slot_find(const struct place *place, uint64_t number);
/* Has the number been given out? */
bool slot_was_used(const struct place *place, uint64_t number);
/* The only one that runs, if it is the only one: whatever is printed is its. */
struct invocation *slot_only(const struct place *place);

#endif /* ENGINE_DRIVER_SLOT_H */
