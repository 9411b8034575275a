/* What the files of a place share: place.c its states and ends, place_start.c how it comes to
 * be, place_frames.c what its program says. */
#ifndef ENGINE_DRIVER_PLACE_PARTS_H
#define ENGINE_DRIVER_PLACE_PARTS_H

#include "engine/driver/place.h"

/* --- place.c -------------------------------------------------------------------------- */

int64_t place_epoch_ms(void);

/* Whatever it was listed for, it is not any more; the counts of its lane follow. */
void place_move(struct place *place, enum place_state next);

/* The invocation is the caller's again when `on_ended` has been called. */
void place_end_invocation(struct place *place, struct invocation *invocation,
                          struct invocation_end *end);
/* After any end: who waits gets the room, or the environment has nothing left to do. */
void place_on_less_running(struct place *place);

/* It takes nothing new, and is killed when all have ended, or after `wait_ms`. */
void place_close_to_work(struct place *place, int64_t wait_ms);

/* The memory goes with the last of connection and output. */
void place_on_handle_closed(struct place *place);

/* Nothing of it is alive any more. */
void place_end(struct place *place, bool has_started);
/* What it said and printed before it died still counts; but it gets nothing new. */
void place_on_environment_end(void *arg, const struct environment_end *end);

/* How long its program may take until it is there for work. */
uint32_t place_init_ms(const struct place *place);
/* It is. */
void place_on_ready(struct place *place);

#define PLACE_EXIT_MS 1000 /* from the end of a connection to that of the process */

/* --- place_guest.c -------------------------------------------------------------------- */

void place_open_guest(struct place *place, int listener);
void place_close_guest(struct place *place);
/* An invocation has ended: room comes when the runtime asks again, within the function's
 * timeout. */
void place_await_return(struct place *place);
/* It has not asked in time. */
void place_on_no_return(struct place *place);

/* --- place_frames.c ------------------------------------------------------------------- */

extern const struct link_events place_link_events;
extern const struct output_events place_output_events;

#endif /* ENGINE_DRIVER_PLACE_PARTS_H */
