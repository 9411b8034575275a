/* What is logged of one invocation: Lambda's START, END and REPORT lines, what it
 * printed and what it logged, and the tail of all this for who asked for it. */
#ifndef ENGINE_DRIVER_TRANSCRIPT_H
#define ENGINE_DRIVER_TRANSCRIPT_H

#include "engine/driver/place.h"

#define TRANSCRIPT_TAIL_BYTES 4096U

void transcript_start(struct place *place, struct invocation *invocation);
/* Called once, with what transcript_start() was called with. */
void transcript_end(struct place *place, struct invocation *invocation);

/* `invocation` NULL: it cannot be told whose it is. */
void transcript_line(struct place *place, struct invocation *invocation, const char *level,
                     struct bytes operation_id, struct bytes text);

#endif /* ENGINE_DRIVER_TRANSCRIPT_H */
