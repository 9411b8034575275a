/* A place whose environment speaks the Runtime API: what its guest tells. */
#include <stdio.h>

#include "engine/base/log.h"
#include "engine/driver/fleet.h"
#include "engine/driver/guest.h"
#include "engine/driver/place_parts.h"
#include "engine/driver/slot.h"

const struct function_revision *guest_revision(const struct place *place)
{
    return place->revision;
}

/* From a response to the next question: what a busy machine needs, and less than a cold start. */
#define RETURN_MS 100
#define SETTLE_MS 1000  /* a cold start of a large runtime */
#define SILENT_MS 10000 /* without a question: perhaps it hangs */

/* --- asking --------------------------------------------------------------------------- */

static bool may_ask(const struct place *place)
{
    return place->guest != NULL && !place->is_native &&
           (place->state == PLACE_STARTING || place->state == PLACE_READY);
}

bool guest_asks(struct place *place)
{
    if (!may_ask(place)) {
        return false;
    }
    place->is_guest = true;
    place->asking++;
    place->takes_several = place->takes_several || place->asking + place->running_count > 1;
    place->heard_ms = deadlines_now_ms();
    if (place->state == PLACE_STARTING) {
        place_on_ready(place);
        return true;
    }
    if (place->is_returning) {
        place->lane->returning_count -= place->is_late ? 0 : 1;
        place->is_returning = false;
        deadlines_remove(&place->pool->deadlines, DEADLINE_PLACE, &place->due);
    }
    lane_on_room(place->lane, place);
    return true;
}

bool place_asks_soon(const struct place *place, bool is_busy, int64_t now_ms)
{
    if (!place->is_guest || place->state != PLACE_READY ||
        place->running_count >= place->concurrency) {
        return false;
    }
    return now_ms < place->ready_ms + SETTLE_MS ||
           (is_busy && place->takes_several && now_ms < place->heard_ms + SILENT_MS);
}

/* A program that ends closes its connections first: the environment's end will follow. */
void guest_asks_no_more(struct place *place)
{
    if (place->asking == 0) {
        return;
    }
    place->asking--;
    if (place->state == PLACE_READY && place->asking == 0 && place->running_count == 0) {
        place_close_to_work(place, PLACE_EXIT_MS);
    }
}

void place_await_return(struct place *place)
{
    struct pool *pool = place->pool;

    if (place->asking > 0) {
        lane_on_room(place->lane, place);
    } else if (place->running_count == 0) {
        place->is_returning = true;
        place->is_late = false;
        place->lane->returning_count++;
        deadlines_set(&pool->deadlines, DEADLINE_PLACE, &place->due,
                      deadlines_now_ms() + RETURN_MS);
    }
}

void place_on_no_return(struct place *place)
{
    if (place->is_late) {
        place_kill(place, NULL, "%s", "");
        return;
    }
    place->is_late = true;
    deadlines_set(&place->pool->deadlines, DEADLINE_PLACE, &place->due,
                  deadlines_now_ms() + (int64_t)place->revision->config.timeout_s * 1000);
    lane_on_late(place->lane);
}

/* --- invocations ---------------------------------------------------------------------- */

static void resume(struct invocation *invocation)
{
    struct place *place = invocation->place;

    if (place != NULL && place->guest != NULL) {
        place->pool->options.guests->resume(place->guest, invocation->number);
    }
}

enum guest_reply guest_sends(struct place *place, uint64_t number, struct bytes part)
{
    struct invocation *invocation = slot_find(place, number);

    if (invocation == NULL || invocation->is_canceled) {
        return GUEST_MORE; /* dropped */
    }
    if (invocation->events->on_piece == NULL) {
        return GUEST_KEEP;
    }
    invocation->resume = resume;
    return invocation->events->on_piece(invocation, part) ? GUEST_MORE : GUEST_PAUSE;
}

bool guest_completes(struct place *place, uint64_t number, const struct guest_end *end)
{
    struct invocation *invocation = slot_find(place, number);
    struct invocation_end told = {
        .is_complete = true, .complete = end->complete, .document = end->document};

    if (invocation == NULL) {
        return false;
    }
    if (place->concurrency == 1) {
        output_drain(&place->output); /* what it printed before is its */
    }
    if (end->is_error) {
        told.is_complete = false;
        told.error_type = (const char *)end->error_type.data;
        told.error_message = "";
        told.error = end->complete.error;
    }
    place_end_invocation(place, invocation, &told);
    place_on_less_running(place);
    return true;
}

/* A program that is ending says why by its end; one that goes on is of no use. */
void guest_loses(struct place *place)
{
    place->has_left = true;
    place_close_to_work(place, PLACE_EXIT_MS);
}

/* Its cause is what the runtime says, without our words around it. */
void guest_fails_init(struct place *place, struct bytes type, struct bytes message)
{
    if (place->state >= PLACE_KILLED) {
        return; /* the first cause counts */
    }
    (void)snprintf(place->init_error_type, sizeof place->init_error_type, "%.*s", (int)type.len,
                   (const char *)type.data);
    place_kill(place, place->init_error_type, "%.*s", (int)message.len, (const char *)message.data);
}

/* --- beginning and end ---------------------------------------------------------------- */

void place_open_guest(struct place *place, int listener)
{
    const struct guest_ops *guests = place->pool->options.guests;

    place->guest = guests->open(guests->arg, place, listener);
    if (place->guest == NULL) {
        log_warn("function %s: its Runtime API cannot be served", place->revision->function->name);
    }
}

void place_close_guest(struct place *place)
{
    void *guest = place->guest;

    place->guest = NULL;
    place->pool->options.guests->close(guest);
}

void guest_on_closed(struct place *place)
{
    place_on_handle_closed(place);
}
