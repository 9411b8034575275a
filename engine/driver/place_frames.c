/* What the program of a place says and prints. */
#include <inttypes.h>

#include "engine/driver/fleet.h"
#include "engine/driver/place_parts.h"
#include "engine/driver/slot.h"
#include "engine/driver/transcript.h"

#define OUTCOME_MAX WIRE_OUTCOME_HELD

static void break_protocol(struct place *place, const char *problem)
{
    place_kill(place, "Runtime.ProtocolError", "Runtime broke the protocol: %s", problem);
}

void place_on_ready(struct place *place)
{
    deadlines_remove(&place->pool->deadlines, DEADLINE_PLACE, &place->due);
    place->init_us = (int64_t)(uv_hrtime() / 1000) - place->started_us;
    place->ready_ms = deadlines_now_ms();
    place_move(place, PLACE_READY);
    place->lane->is_failed = false;
    place->lane->is_suppressed = false;
    lane_on_room(place->lane, place);
}

static void on_hello(struct place *place, struct bytes body)
{
    struct pool *pool = place->pool;
    struct wire_hello hello;

    if (wire_get_hello(&pool->arena, body, &hello) != 0) {
        break_protocol(place, "HELLO is malformed");
        return;
    }
    if (hello.protocol != WIRE_PROTOCOL) {
        place_kill(place, "Runtime.ProtocolError",
                   "Runtime broke the protocol: it speaks version %" PRIu32 ", not %u",
                   hello.protocol, WIRE_PROTOCOL);
        return;
    }
    place->is_native = true;
    place->revision->is_native = true;
    place_on_ready(place);
}

static void on_complete(struct place *place, struct invocation *invocation, struct bytes body)
{
    struct invocation_end end = {.is_complete = true};

    if (wire_get_complete(&place->pool->arena, body, &end.complete) != 0 ||
        end.complete.outcome > OUTCOME_MAX) {
        break_protocol(place, "COMPLETE is malformed");
        return;
    }
    if (place->concurrency == 1) {
        output_drain(&place->output); /* what it printed before is its */
    }
    place_end_invocation(place, invocation, &end);
    place_on_less_running(place);
}

static void on_log(struct place *place, struct invocation *invocation, struct bytes body)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    struct wire_log line;

    if (wire_get_log(&place->pool->arena, body, &line) != 0) {
        break_protocol(place, "LOG is malformed");
        return;
    }
    transcript_line(place, invocation, names[(line.level < 4) ? line.level : 3], line.operation_id,
                    line.text);
}

static void on_request(struct place *place, struct invocation *invocation,
                       const struct frame *frame)
{
    if (!invocation->is_durable) {
        break_protocol(place, "a checkpoint of an invocation that is not durable");
    } else if (!invocation->is_canceled) {
        invocation->events->on_message(invocation, frame->type, frame->body);
    }
}

static void on_invocation_frame(struct place *place, const struct frame *frame)
{
    struct invocation *invocation = slot_find(place, frame->invocation);

    if (frame->type == WIRE_LOG &&
        (invocation != NULL || slot_was_used(place, frame->invocation))) {
        on_log(place, invocation, frame->body); /* the last words of one that has ended count */
    } else if (invocation == NULL) {
        if (place->state != PLACE_CLOSING || !slot_was_used(place, frame->invocation)) {
            break_protocol(place, "a message of an invocation that does not run here");
        }
    } else if (frame->type == WIRE_COMPLETE) {
        on_complete(place, invocation, frame->body);
    } else {
        on_request(place, invocation, frame);
    }
}

static void on_frame(struct link *link, const struct frame *frame)
{
    struct place *place = container_of(link, struct place, connection);

    if (frame->type >= WIRE_INVOKE) {
        break_protocol(place, "a message that only the daemon sends");
    } else if (place->is_guest) {
        break_protocol(place, "a native message of a program that uses the Runtime API");
    } else if (frame->type == WIRE_HELLO) {
        if (place->state == PLACE_STARTING) {
            on_hello(place, frame->body);
        } else if (place->state == PLACE_READY || place->ready_ms != 0) {
            break_protocol(place, "a second HELLO");
        }
    } else if (place->ready_ms == 0) {
        break_protocol(place, "a message before HELLO");
    } else {
        on_invocation_frame(place, frame);
    }
    arena_reset(&place->pool->arena);
}

static void on_door(struct link *link, int listener)
{
    place_open_guest(container_of(link, struct place, connection), listener);
}

/* A program that has closed its end is expected to be ending; but one that uses the
 * Runtime API may do without. */
static void on_broken(struct link *link, const char *problem)
{
    struct place *place = container_of(link, struct place, connection);

    if (problem == NULL && place->guest != NULL && !place->is_native) {
        return;
    }
    if (problem != NULL) {
        break_protocol(place, problem);
    } else {
        place_close_to_work(place, PLACE_EXIT_MS);
    }
}

static void on_link_closed(struct link *link)
{
    place_on_handle_closed(container_of(link, struct place, connection));
}

static void on_line(struct output *output, struct bytes line)
{
    struct place *place = container_of(output, struct place, output);

    transcript_line(place, slot_only(place), "STDOUT", bytes_of(NULL, 0), line);
}

static void on_output_closed(struct output *output)
{
    place_on_handle_closed(container_of(output, struct place, output));
}

const struct link_events place_link_events = {on_door, on_frame, on_broken, on_link_closed};
const struct output_events place_output_events = {on_line, on_output_closed};
