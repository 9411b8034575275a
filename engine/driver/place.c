/* An environment lives through function_unpack(), environment_start(), HELLO, work, and
 * on_environment_end(), after which nothing of it is alive; only then do the
 * invocations that were lost with it end, so that what is run again never runs beside
 * what it replaces. The exception is a timeout, which the caller learns at once: such
 * an invocation is fenced, and what the program still says of it is not heard. */
#include "engine/driver/place.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/cause.h"
#include "engine/driver/fleet.h"
#include "engine/driver/transcript.h"
#include "engine/driver/variables.h"

#define BIT(state) (1U << (state))
#define PIDS_MAX 1024U  /* as in Lambda */
#define FILES_MAX 1024U /* likewise */
#define EXIT_MS 1000    /* from the end of the connection to that of the process */
#define OUTCOME_MAX WIRE_OUTCOME_HELD

static const unsigned place_allowed[PLACE_STATES] = {
    [PLACE_UNPACKING] = BIT(PLACE_STARTING) | BIT(PLACE_KILLED) | BIT(PLACE_ENDED),
    [PLACE_STARTING] = BIT(PLACE_READY) | BIT(PLACE_CLOSING) | BIT(PLACE_KILLED) | BIT(PLACE_ENDED),
    [PLACE_READY] = BIT(PLACE_CLOSING) | BIT(PLACE_KILLED) | BIT(PLACE_ENDED),
    [PLACE_CLOSING] = BIT(PLACE_KILLED) | BIT(PLACE_ENDED),
    [PLACE_KILLED] = BIT(PLACE_ENDED),
    [PLACE_ENDED] = 0,
};

static int64_t epoch_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Whatever it was listed for, it is not any more; the counts of its lane follow. */
static void place_move(struct place *place, enum place_state next)
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

/* --- slots -------------------------------------------------------------------------- */

static void give_slot(struct place *place, struct invocation *invocation)
{
    uint16_t slot = place->free_slots[place->concurrency - ++place->running_count];

    assert(place->slots[slot] == NULL);
    place->slots[slot] = invocation;
    invocation->place = place;
    invocation->number = ++place->turns * PLACE_CONCURRENCY_MAX + slot;
    list_push_back(&place->running, &invocation->link);
    place->pool->stats.running++;
}

static void take_slot(struct place *place, struct invocation *invocation)
{
    uint16_t slot = (uint16_t)(invocation->number % PLACE_CONCURRENCY_MAX);

    place->slots[slot] = NULL;
    place->free_slots[place->concurrency - place->running_count--] = slot;
    invocation->place = NULL;
    list_remove(&invocation->link);
    deadlines_remove(&place->pool->deadlines, DEADLINE_INVOCATION, &invocation->timeout);
    place->pool->stats.running--;
}

static struct invocation *find_running(const struct place *place, uint64_t number)
{
    struct invocation *invocation;
    size_t slot = number % PLACE_CONCURRENCY_MAX;

    if (slot >= place->concurrency) {
        return NULL;
    }
    invocation = place->slots[slot];
    return (invocation != NULL && invocation->number == number && invocation->is_sent) ? invocation
                                                                                       : NULL;
}

static bool was_running(const struct place *place, uint64_t number)
{
    uint64_t turn = number / PLACE_CONCURRENCY_MAX;

    return turn >= 1 && turn <= place->turns;
}

/* The only one that runs, if it is the only one: whatever is printed is its. */
static struct invocation *only_running(const struct place *place)
{
    struct invocation *invocation;

    if (place->running_count != 1) {
        return NULL;
    }
    invocation = container_of(place->running.next, struct invocation, link);
    return invocation->is_sent ? invocation : NULL;
}

/* --- the end of an invocation --------------------------------------------------------- */

/* The invocation is the caller's again when `on_ended` has been called. */
static void end_invocation(struct place *place, struct invocation *invocation,
                           struct invocation_end *end)
{
    struct buf tail;

    end->is_sent = invocation->is_sent;
    if (invocation->is_sent) {
        transcript_end(place, invocation);
    }
    take_slot(place, invocation);
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
    end.error_message = message;
    if (invocation->is_sent) {
        transcript_line(place, invocation, "ERROR", bytes_of(NULL, 0), bytes_of_text(cause));
    }
    end_invocation(place, invocation, &end);
}

/* After any end: who waits gets the room, or the environment has nothing left to do. */
static void on_less_running(struct place *place)
{
    if (place->state == PLACE_READY) {
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

/* It takes nothing new, and is killed when all have ended, or after `wait_ms`. */
static void close_to_work(struct place *place, int64_t wait_ms)
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

static void on_handle_closed(struct place *place)
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

static void place_end(struct place *place, bool has_started)
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
    place->open_handles = (place->has_connection ? 1U : 0U) + (place->has_output ? 1U : 0U);
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
}

/* What it said and printed before it died still counts; but it gets nothing new. */
static void on_environment_end(void *arg, const struct environment_end *end)
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

/* --- frames --------------------------------------------------------------------------- */

static void break_protocol(struct place *place, const char *problem)
{
    place_kill(place, "Runtime.ProtocolError", "Runtime broke the protocol: %s", problem);
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
    deadlines_remove(&pool->deadlines, DEADLINE_PLACE, &place->due);
    place->init_us = (int64_t)(uv_hrtime() / 1000) - place->started_us;
    place->ready_ms = deadlines_now_ms();
    place_move(place, PLACE_READY);
    place->lane->is_failed = false;
    lane_on_room(place->lane, place);
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
    end_invocation(place, invocation, &end);
    on_less_running(place);
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
    struct invocation *invocation = find_running(place, frame->invocation);

    if (frame->type == WIRE_LOG && (invocation != NULL || was_running(place, frame->invocation))) {
        on_log(place, invocation, frame->body); /* the last words of one that has ended count */
    } else if (invocation == NULL) {
        if (place->state != PLACE_CLOSING || !was_running(place, frame->invocation)) {
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

/* A program that has closed its end is expected to be ending. */
static void on_broken(struct link *link, const char *problem)
{
    struct place *place = container_of(link, struct place, connection);

    if (problem != NULL) {
        break_protocol(place, problem);
    } else {
        close_to_work(place, EXIT_MS);
    }
}

static void on_link_closed(struct link *link)
{
    on_handle_closed(container_of(link, struct place, connection));
}

static void on_line(struct output *output, struct bytes line)
{
    struct place *place = container_of(output, struct place, output);

    transcript_line(place, only_running(place), "STDOUT", bytes_of(NULL, 0), line);
}

static void on_output_closed(struct output *output)
{
    on_handle_closed(container_of(output, struct place, output));
}

static const struct link_events link_events = {on_frame, on_broken, on_link_closed};
static const struct output_events output_events = {on_line, on_output_closed};

/* --- starting ------------------------------------------------------------------------- */

/* Without an environment, so its end is for us to tell. */
static void fail_start(struct place *place, const char *cause)
{
    if (place->cause_type == NULL && place->state != PLACE_KILLED) {
        place->cause_type = "Sandbox.StartFailed";
        (void)snprintf(place->cause, sizeof place->cause, "%s", cause);
    }
    place_end(place, false);
}

static int start_environment(struct place *place, struct arena *arena, int ret_fds[2])
{
    struct pool *pool = place->pool;
    const struct function_revision *revision = place->revision;
    struct environment_spec spec = {
        .code = revision->code,
        .memory_mb = revision->config.memory_mb,
        .tmp_mb = revision->config.tmp_mb,
        .pids_max = PIDS_MAX,
        .files_max = FILES_MAX,
    };

    spec.env = variables_make(arena, revision, pool->options.region);
    if (spec.env == NULL) {
        return ERR(ERR_NOMEM, "start an environment");
    }
    if (pool->options.grants != NULL) {
        spec.grant_count =
            pool->options.grants(pool->options.grants_arg, revision->function->name, &spec.grants);
    }
    return environment_start(&place->environment, pool->launcher, &spec, ret_fds, place,
                             on_environment_end);
}

static int connect_environment(struct place *place, const int fds[2])
{
    uv_loop_t *loop = place->pool->loop;
    int r = link_init(&place->connection, loop, &place->pool->turn, fds[0], &link_events);

    if (r != 0) {
        (void)close(fds[1]);
        return r;
    }
    place->has_connection = true;
    r = output_init(&place->output, loop, fds[1], &output_events);
    place->has_output = r == 0;
    return r;
}

static void start(struct place *place)
{
    struct pool *pool = place->pool;
    struct arena arena;
    int fds[2];
    int r;

    arena_init(&arena, 0);
    place_move(place, PLACE_STARTING);
    place->started_ms = epoch_ms();
    place->started_us = (int64_t)(uv_hrtime() / 1000);
    r = start_environment(place, &arena, fds);
    arena_fini(&arena);
    if (r != 0) {
        fail_start(place, "the environment could not be started");
        return;
    }
    pool->stats.started++;
    deadlines_set(&pool->deadlines, DEADLINE_PLACE, &place->due,
                  deadlines_now_ms() + pool->options.init_ms);
    if (connect_environment(place, fds) != 0) { /* it runs already: killed, it ends as all do */
        place_kill(place, "Sandbox.StartFailed", "the environment could not be connected");
    }
}

static void on_unpacked(void *arg, const char *error)
{
    struct place *place = arg;

    if (place->state == PLACE_KILLED || error != NULL) {
        fail_start(place, (error != NULL) ? error : "");
    } else {
        start(place);
    }
}

static void on_failing(struct turn_job *job)
{
    fail_start(container_of(job, struct place, failing), "the code could not be unpacked");
}

static int alloc_slots(struct place *place)
{
    place->slots = mem_calloc(place->concurrency, sizeof(struct invocation *));
    place->free_slots = mem_calloc(place->concurrency, sizeof *place->free_slots);
    if (place->slots == NULL || place->free_slots == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < place->concurrency; i++) {
        place->free_slots[i] = (uint16_t)(place->concurrency - 1 - i);
    }
    return 0;
}

/* So many deadlines can be needed at once; setting them must not fail then. */
static int reserve(struct place *place)
{
    struct pool *pool = place->pool;
    int r = deadlines_reserve(&pool->deadlines, DEADLINE_INVOCATION,
                              pool->capacity + place->concurrency);

    if (r == 0) {
        r = deadlines_reserve(&pool->deadlines, DEADLINE_PLACE, pool->places.count + 1);
    }
    if (r == 0) {
        r = alloc_slots(place);
    }
    if (r == 0) {
        r = table_insert(&pool->places, &place->by_number, place->number);
    }
    return r;
}

static void init_place(struct place *place, struct lane *lane, struct function_revision *revision)
{
    place->pool = lane->fleet->pool;
    place->lane = lane;
    place->revision = revision;
    place->number = place->pool->next_number++;
    place->concurrency = place_concurrency(revision);
    list_init(&place->link);
    list_init(&place->room);
    list_init(&place->idle);
    list_init(&place->idle_fleet);
    list_init(&place->running);
    turn_job_init(&place->failing, on_failing);
}

struct place *place_create(struct lane *lane, struct function_revision *revision)
{
    struct place *place = mem_calloc(1, sizeof *place);

    if (place == NULL) {
        return NULL;
    }
    init_place(place, lane, revision);
    if (reserve(place) != 0) {
        mem_free(place->slots);
        mem_free(place->free_slots);
        mem_free(place);
        return NULL;
    }
    function_revision_ref(revision);
    place->is_coming = true;
    place->pool->places_in_memory++;
    lane_on_created(lane, place);
    if (function_unpack(place->pool->functions, revision, place, on_unpacked) != 0) {
        turn_add(&place->pool->turn, &place->failing);
    }
    return place;
}

/* --- what the pool asks for ------------------------------------------------------------ */

void place_put(struct place *place, struct invocation *invocation)
{
    struct pool *pool = place->pool;

    assert(place_has_room(place));
    give_slot(place, invocation);
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
    invocation->deadline_ms = epoch_ms() + (int64_t)place->revision->config.timeout_s * 1000;
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

void place_send(struct place *place, struct invocation *invocation, enum wire_type type,
                struct bytes body)
{
    if (type == WIRE_INVOKE && !invocation->is_sent) {
        if (place->state == PLACE_CLOSING) { /* it closed before the caller came to this */
            take_slot(place, invocation);
            pool_refuse(place->pool, invocation, REFUSED_CLOSED);
            on_less_running(place);
            return;
        }
        if (place->state != PLACE_READY) {
            return; /* it ends with the environment, unsent */
        }
        note_sent(place, invocation);
    }
    if (place->has_connection) {
        link_send(&place->connection, type, invocation->number, body);
    }
}

static void send_cancel(struct place *place, const struct invocation *invocation,
                        const char *reason)
{
    struct wire_cancel cancel = {.reason = bytes_of_text(reason)};
    struct buf body = {0};

    wire_put_cancel(&body, &cancel);
    if (!body.failed) {
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
        take_slot(place, invocation);
        pool_refuse(place->pool, invocation, REFUSED_CANCELED);
        on_less_running(place);
        return;
    }
    send_cancel(place, invocation, reason);
    close_to_work(place, place->pool->options.grace_ms);
}

void place_on_timeout(struct place *place, struct invocation *invocation)
{
    uint32_t timeout_s = place->revision->config.timeout_s;
    char cause[64];

    if (place->running_count > 1) {
        send_cancel(place, invocation, "timed out");
    }
    close_to_work(place, place->pool->options.grace_ms);
    if (place->concurrency == 1 && place->state == PLACE_CLOSING) {
        output_drain(&place->output);
    }
    if (invocation->is_canceled) {
        end_with_error(place, invocation, "Pawl.Canceled", "the invocation was canceled");
    } else {
        (void)snprintf(cause, sizeof cause, "Task timed out after %u.00 seconds", timeout_s);
        end_with_error(place, invocation, "Sandbox.Timedout", cause);
    }
    on_less_running(place);
}

static void on_grace_over(struct place *place)
{
    if (place->connection.is_reading) {
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

    if (place->running_count > 0) {
        return; /* it is set again when it is idle */
    }
    if (at_ms > deadlines_now_ms()) {
        deadlines_set(&place->pool->deadlines, DEADLINE_PLACE, &place->due, at_ms);
    } else {
        place_kill(place, NULL, "%s", "");
    }
}

void place_on_due(struct place *place)
{
    uint32_t init_ms = place->pool->options.init_ms;

    if (place->state == PLACE_STARTING) {
        place_kill(place, "Runtime.InitTimeout", "Initialization timed out after %u.%02u seconds",
                   init_ms / 1000, init_ms % 1000 / 10);
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
