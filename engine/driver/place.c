/* An environment lives through function_unpack(), environment_start(), HELLO, work, and
 * place_on_environment_end(), after which nothing of it is alive; only then do the
 * invocations that were lost with it end, so that what is run again never runs beside
 * what it replaces. The exception is a timeout, which the caller learns at once: such
 * an invocation is fenced, and what the program still says of it is not heard. */
#include "engine/driver/place.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "engine/base/mem.h"
#include "engine/driver/cause.h"
#include "engine/driver/fleet.h"
#include "engine/driver/guest.h"
#include "engine/driver/place_parts.h"
#include "engine/driver/slot.h"
#include "engine/driver/transcript.h"

#define BIT(state) (1U << (state))

static const unsigned place_allowed[PLACE_STATES] = {
    [PLACE_UNPACKING] = BIT(PLACE_STARTING) | BIT(PLACE_KILLED) | BIT(PLACE_ENDED),
    [PLACE_STARTING] = BIT(PLACE_READY) | BIT(PLACE_CLOSING) | BIT(PLACE_KILLED) | BIT(PLACE_ENDED),
    [PLACE_READY] = BIT(PLACE_CLOSING) | BIT(PLACE_KILLED) | BIT(PLACE_ENDED),
    [PLACE_CLOSING] = BIT(PLACE_KILLED) | BIT(PLACE_ENDED),
    [PLACE_KILLED] = BIT(PLACE_ENDED),
    [PLACE_ENDED] = 0,
};

int64_t place_epoch_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void place_move(struct place *place, enum place_state next)
{
    struct lane *lane = place->lane;

    assert((place_allowed[place->state] & BIT(next)) != 0);
    if (place->is_coming && (next == PLACE_READY || next == PLACE_ENDED)) {
        place->is_coming = false;
        lane->coming_count--;
    }
    lane->serving_count -= (place->state == PLACE_READY) ? 1 : 0;
    lane->serving_count += (next == PLACE_READY) ? 1 : 0;
    if (place->state == PLACE_KILLED) {
        lane->fleet->killed_count--;
        place->pool->killed_count--;
    }
    if (place->is_returning && !place->is_late) {
        lane->returning_count--;
    }
    place->is_returning = false;
    list_remove(&place->room);
    if (!list_is_empty(&place->idle)) {
        list_remove(&place->idle);
        list_remove(&place->idle_fleet);
        place->pool->stats.idle--;
    }
    place->state = next;
}

static void set_cause(struct place *place, const char *type, const char *format, va_list args)
{
    if (place->cause_type == NULL && type != NULL) {
        place->cause_type = type;
        (void)vsnprintf(place->cause, sizeof place->cause, format, args);
    }
}

/* --- the end of an invocation --------------------------------------------------------- */

void place_end_invocation(struct place *place, struct invocation *invocation,
                          struct invocation_end *end)
{
    struct buf tail;

    end->is_sent = invocation->is_sent;
    if (invocation->is_sent) {
        transcript_end(place, invocation);
    }
    slot_take(place, invocation);
    pool_on_ending(place->pool, invocation);
    tail = invocation->log_tail;
    invocation->events->on_ended(invocation, end);
    buf_fini(&tail);
}

static void end_with_error(struct place *place, struct invocation *invocation, const char *type,
                           const char *cause)
{
    struct invocation_end end = {.error_type = type};
    char message[PLACE_MESSAGE_MAX];

    cause_format_message(&invocation->request_id, cause, message, sizeof message);
    end.error_message = (place->init_error_type[0] != '\0') ? cause : message;
    if (invocation->is_sent) {
        transcript_line(place, invocation, "ERROR", bytes_of(NULL, 0), bytes_of_text(cause));
    }
    place_end_invocation(place, invocation, &end);
}

void place_on_less_running(struct place *place)
{
    if (place->state == PLACE_READY && place->is_guest) {
        place_await_return(place);
    } else if (place->state == PLACE_READY) {
        lane_on_room(place->lane, place);
    } else if (place->state == PLACE_CLOSING && place->running_count == 0) {
        place_kill(place, NULL, "%s", "");
    }
}

/* --- ends of the environment ---------------------------------------------------------- */

void place_kill(struct place *place, const char *cause_type, const char *format, ...)
{
    struct pool *pool = place->pool;
    va_list args;

    if (place->state >= PLACE_KILLED) {
        return;
    }
    va_start(args, format);
    set_cause(place, cause_type, format, args);
    va_end(args);
    place_move(place, PLACE_KILLED);
    deadlines_remove(&pool->deadlines, DEADLINE_PLACE, &place->due);
    if (place->has_connection) {
        link_stop(&place->connection);
    }
    if (place->environment != NULL) {
        environment_kill(place->environment);
    }
    lane_on_killed(place->lane, place);
}

void place_close_to_work(struct place *place, int64_t wait_ms)
{
    if (place->state >= PLACE_CLOSING) {
        return;
    }
    place_move(place, PLACE_CLOSING);
    deadlines_set(&place->pool->deadlines, DEADLINE_PLACE, &place->due,
                  deadlines_now_ms() + wait_ms);
    if (place->ready_ms != 0) {
        lane_on_room(place->lane, place); /* who waits needs another */
    }
}

static void free_place(struct place *place)
{
    struct pool *pool = place->pool;

    mem_free(place->slots);
    mem_free(place->free_slots);
    environment_destroy(place->environment);
    function_revision_unref(place->revision);
    mem_free(place);
    pool_on_place_freed(pool);
}

void place_on_handle_closed(struct place *place)
{
    if (--place->open_handles == 0) {
        free_place(place);
    }
}

static void end_running(struct place *place, const char *type, const char *cause)
{
    while (!list_is_empty(&place->running)) {
        struct invocation *invocation = container_of(place->running.next, struct invocation, link);

        if (invocation->is_canceled) {
            end_with_error(place, invocation, "Pawl.Canceled", "the invocation was canceled");
        } else {
            end_with_error(place, invocation, type, cause);
        }
    }
}

void place_end(struct place *place, bool has_started)
{
    struct pool *pool = place->pool;
    struct lane *lane = place->lane;

    assert(place->cause_type != NULL || place->running_count == 0);
    place_move(place, PLACE_ENDED);
    deadlines_remove(&pool->deadlines, DEADLINE_PLACE, &place->due);
    turn_remove(&place->failing);
    end_running(place, place->cause_type, place->cause);
    if (!has_started && place->cause_type != NULL) {
        lane_on_failed(lane, place);
    }
    lane_on_gone(lane, place);
    place->open_handles = (place->has_connection ? 1U : 0U) + (place->has_output ? 1U : 0U) +
                          (place->guest != NULL ? 1U : 0U);
    if (place->open_handles == 0) {
        free_place(place);
        return;
    }
    if (place->has_connection) {
        link_close(&place->connection);
    }
    if (place->has_output) {
        output_close(&place->output);
    }
    if (place->guest != NULL) {
        place_close_guest(place);
    }
}

void place_on_environment_end(void *arg, const struct environment_end *end)
{
    struct place *place = arg;
    bool has_started = place->ready_ms != 0;

    if (place->state < PLACE_CLOSING) {
        place_move(place, PLACE_CLOSING);
    }
    if (place->has_connection) {
        link_drain(&place->connection);
    }
    if (place->has_output) {
        output_drain(&place->output);
    }
    if (place->cause_type == NULL && place->state != PLACE_KILLED) {
        place->cause_type = cause_of_end(end, place->cause, sizeof place->cause);
    }
    place_end(place, has_started);
}

/* --- what the pool asks for ------------------------------------------------------------ */

void place_put(struct place *place, struct invocation *invocation)
{
    struct pool *pool = place->pool;

    assert(place_has_room(place));
    slot_give(place, invocation);
    if (place->is_guest) {
        place->asking--;
        place->heard_ms = deadlines_now_ms();
    }
    invocation->is_guest = place->is_guest;
    list_remove(&place->room);
    if (!list_is_empty(&place->idle)) {
        list_remove(&place->idle);
        list_remove(&place->idle_fleet);
        pool->stats.idle--;
    }
    if (place_has_room(place)) {
        list_push_back(place->lane->room.next, &place->room); /* in front: used last */
    }
    pool->stats.invocations++;
    invocation->deadline_ms = place_epoch_ms() + (int64_t)place->revision->config.timeout_s * 1000;
    invocation->events->on_placed(invocation, place->number);
}

static void note_sent(struct place *place, struct invocation *invocation)
{
    int64_t timeout_ms = (int64_t)place->revision->config.timeout_s * 1000;

    invocation->is_sent = true;
    invocation->start_us = (int64_t)(uv_hrtime() / 1000);
    deadlines_set(&place->pool->deadlines, DEADLINE_INVOCATION, &invocation->timeout,
                  invocation->start_us / 1000 + timeout_ms);
    transcript_start(place, invocation);
}

/* False: it cannot be sent any more, and ends. */
static bool begin_sending(struct place *place, struct invocation *invocation)
{
    if (invocation->is_sent) {
        return true;
    }
    if (place->state == PLACE_CLOSING) { /* it closed before the caller came to this */
        slot_take(place, invocation);
        pool_refuse(place->pool, invocation, REFUSED_CLOSED);
        place_on_less_running(place);
        return false;
    }
    if (place->state != PLACE_READY) {
        return false; /* it ends with the environment, unsent */
    }
    note_sent(place, invocation);
    return true;
}

void place_send(struct place *place, struct invocation *invocation, enum wire_type type,
                struct bytes body)
{
    if (place->is_guest) {
        return; /* a notice: its function polls */
    }
    if ((type != WIRE_INVOKE || begin_sending(place, invocation)) && place->has_connection) {
        link_send(&place->connection, type, invocation->number, body);
    }
}

void place_invoke_guest(struct place *place, struct invocation *invocation,
                        const struct wire_invoke *invoke)
{
    if (begin_sending(place, invocation)) {
        place->pool->options.guests->invoke(place->guest, invocation->number, invoke);
    }
}

static void send_cancel(struct place *place, const struct invocation *invocation,
                        const char *reason)
{
    struct wire_cancel cancel = {.reason = bytes_of_text(reason)};
    struct buf body = {0};

    wire_put_cancel(&body, &cancel);
    if (place->is_guest) {
        place->pool->options.guests->forget(place->guest, invocation->number);
    } else if (!body.failed) {
        link_send(&place->connection, WIRE_CANCEL, invocation->number, buf_bytes(&body));
    }
    buf_fini(&body);
}

void place_cancel(struct place *place, struct invocation *invocation, const char *reason)
{
    if (invocation->is_canceled) {
        return;
    }
    invocation->is_canceled = true;
    if (!invocation->is_sent) {
        slot_take(place, invocation);
        pool_refuse(place->pool, invocation, REFUSED_CANCELED);
        place_on_less_running(place);
        return;
    }
    send_cancel(place, invocation, reason);
    place_close_to_work(place, place->pool->options.grace_ms);
}

void place_on_timeout(struct place *place, struct invocation *invocation)
{
    uint32_t timeout_s = place->revision->config.timeout_s;
    char cause[64];

    if (place->running_count > 1 || place->is_guest) {
        send_cancel(place, invocation, "timed out");
    }
    place_close_to_work(place, place->pool->options.grace_ms);
    if (place->concurrency == 1 && place->state == PLACE_CLOSING) {
        output_drain(&place->output);
    }
    if (invocation->is_canceled) {
        end_with_error(place, invocation, "Pawl.Canceled", "the invocation was canceled");
    } else {
        (void)snprintf(cause, sizeof cause, "Task timed out after %u.00 seconds", timeout_s);
        end_with_error(place, invocation, "Sandbox.Timedout", cause);
    }
    place_on_less_running(place);
}

static void on_grace_over(struct place *place)
{
    if (!place->has_left && (place->is_guest || place->connection.is_reading)) {
        place_kill(place, "Pawl.NeighbourLost",
                   "its environment was ended because of another invocation in it");
    } else {
        place_kill(place, "Runtime.ExitError", "Runtime closed its connection");
    }
}

/* The deadline was not moved at each use of the environment, so it may be early. */
static void on_idle_over(struct place *place)
{
    int64_t at_ms = place->since_ms + place->pool->options.idle_ms;

    if (place->is_returning) {
        place_on_no_return(place);
        return;
    }
    if (place->running_count > 0) {
        return; /* it is set again when it is idle */
    }
    if (lane_keeps(place->lane)) {
        at_ms = deadlines_now_ms() + place->pool->options.idle_ms;
    }
    if (at_ms > deadlines_now_ms()) {
        deadlines_set(&place->pool->deadlines, DEADLINE_PLACE, &place->due, at_ms);
    } else {
        place_kill(place, NULL, "%s", "");
    }
}

bool place_may_init_again(const struct place *place)
{
    return place->environment != NULL && place->ready_ms == 0 && !place->is_suppressed &&
           !place->pool->is_closing &&
           (place->init_error_type[0] != '\0' ||
            strcmp(place->cause_type, "Runtime.InitTimeout") == 0 ||
            strcmp(place->cause_type, "Runtime.ExitError") == 0);
}

uint32_t place_init_ms(const struct place *place)
{
    const struct pool_options *options = &place->pool->options;

    if (!place->is_suppressed) {
        return options->init_ms;
    }
    return (options->init_again_ms != 0) ? options->init_again_ms
                                         : place->revision->config.timeout_s * 1000;
}

static void on_init_over(struct place *place)
{
    uint32_t init_ms = place_init_ms(place);

    if (place->is_suppressed) {
        place_kill(place, "Sandbox.Timedout", "Task timed out after %u.%02u seconds",
                   init_ms / 1000, init_ms % 1000 / 10);
    } else {
        place_kill(place, "Runtime.InitTimeout", "Initialization timed out after %u.%02u seconds",
                   init_ms / 1000, init_ms % 1000 / 10);
    }
}

void place_on_due(struct place *place)
{
    if (place->state == PLACE_STARTING) {
        on_init_over(place);
    } else if (place->state == PLACE_READY) {
        on_idle_over(place);
    } else {
        on_grace_over(place);
    }
}

void place_be_idle(struct place *place)
{
    struct pool *pool = place->pool;

    place->since_ms = deadlines_now_ms();
    list_push_back(&pool->idle, &place->idle);
    list_push_back(&place->lane->fleet->idle, &place->idle_fleet);
    pool->stats.idle++;
    if (place->due.place == 0) {
        deadlines_set(&pool->deadlines, DEADLINE_PLACE, &place->due,
                      place->since_ms + pool->options.idle_ms);
    }
}
