/* Environments whose program speaks the Runtime API; the test is the HTTP server's part, and
 * says what a runtime would have said. */
#include "tests/driver/pool_fixture.h"

#include <sys/socket.h>
#include <unistd.h>

#include "engine/driver/guest.h"
#include "engine/driver/place.h"

#define GUESTS_MAX 16
#define GIVEN_MAX 16

struct fake_guest {
    struct place *place;
    uint64_t given[GIVEN_MAX];
    int given_count;
    int resumed;
    int forgotten;
    bool is_closing;
    bool is_closed;
};

static struct {
    struct fake_guest guests[GUESTS_MAX];
    int count;
    bool cannot_open;
    bool is_slow_to_close;
    uv_idle_t closing;
} fakes;

/* --- the fake ----------------------------------------------------------------------- */

static void on_closing(uv_idle_t *idle)
{
    bool is_waiting = false;

    for (int i = 0; i < fakes.count; i++) {
        struct fake_guest *guest = &fakes.guests[i];

        if (!guest->is_closing || guest->is_closed) {
            continue;
        }
        if (fakes.is_slow_to_close) {
            is_waiting = true;
            continue;
        }
        guest->is_closed = true;
        guest_on_closed(guest->place);
    }
    if (!is_waiting) {
        (void)uv_idle_stop(idle);
    }
}

static void *fake_open(void *arg, struct place *place, int listener)
{
    struct fake_guest *guest = &fakes.guests[fakes.count];

    assert_ptr_equal(arg, &fakes);
    assert_int_equal(close(listener), 0);
    if (fakes.cannot_open) {
        return NULL;
    }
    assert_true(fakes.count++ < GUESTS_MAX);
    *guest = (struct fake_guest){.place = place};
    return guest;
}

static void fake_invoke(void *arg, uint64_t number, const struct wire_invoke *invoke)
{
    struct fake_guest *guest = arg;

    assert_true(bytes_equal(invoke->payload, bytes_of_text("body")));
    assert_true(guest->given_count < GIVEN_MAX);
    guest->given[guest->given_count++] = number;
}

static void fake_resume(void *arg, uint64_t number)
{
    struct fake_guest *guest = arg;

    assert_int_not_equal(number, 0);
    guest->resumed++;
}

static void fake_forget(void *arg, uint64_t number)
{
    struct fake_guest *guest = arg;

    assert_int_not_equal(number, 0);
    guest->forgotten++;
}

static void fake_close(void *arg)
{
    struct fake_guest *guest = arg;

    assert_false(guest->is_closing);
    guest->is_closing = true;
    (void)uv_idle_start(&fakes.closing, on_closing);
}

static const struct guest_ops fake_ops = {.arg = &fakes,
                                          .open = fake_open,
                                          .invoke = fake_invoke,
                                          .resume = fake_resume,
                                          .forget = fake_forget,
                                          .close = fake_close};

/* --- the fixture -------------------------------------------------------------------- */

static int set_up(void **state)
{
    struct pool_fixture *f;

    (void)pool_fixture_set_up(state);
    f = *state;
    memset(&fakes, 0, sizeof fakes);
    assert_int_equal(uv_idle_init(&f->loop, &fakes.closing), 0);
    f->options.guests = &fake_ops;
    f->says_no_hello = true;
    return 0;
}

static int tear_down(void **state)
{
    struct pool_fixture *f = *state;

    fakes.is_slow_to_close = false;
    if (f->pool != NULL && !f->is_closed) {
        pool_fixture_close(f);
    }
    for (int i = 0; i < fakes.count; i++) {
        assert_true(fakes.guests[i].is_closed);
    }
    uv_close((uv_handle_t *)&fakes.closing, NULL);
    return pool_fixture_tear_down(state);
}

static void invoke(struct call *call, struct pool_fixture *f)
{
    call_init(call, f, 0);
    call->invokes = true;
    pool_invoke(f->pool, &call->invocation);
}

/* Until the environment of the call has come, and its runtime asks. */
static struct fake_guest *await_guest(struct pool_fixture *f, int number)
{
    WAIT_UNTIL(f, fakes.count > number);
    return &fakes.guests[number];
}

static struct fake_guest *start(struct pool_fixture *f, struct call *call)
{
    struct fake_guest *guest;

    pool_fixture_open(f);
    invoke(call, f);
    guest = await_guest(f, 0);
    assert_true(guest_asks(guest->place));
    assert_int_equal(guest->given_count, 1);
    return guest;
}

static bool answer(struct fake_guest *guest, int which, const char *payload)
{
    const struct guest_end end = {.complete = {.outcome = WIRE_OUTCOME_SUCCEEDED,
                                               .has_payload = true,
                                               .payload = bytes_of_text(payload)}};

    return guest_completes(guest->place, guest->given[which], &end);
}

/* --- asking ------------------------------------------------------------------------- */

static void test_a_runtime_gets_nothing_before_it_asks(void **state)
{
    static struct call call;
    struct pool_fixture *f = *state;
    struct fake_guest *guest;

    pool_fixture_open(f);
    invoke(&call, f);
    guest = await_guest(f, 0);
    pool_fixture_settle(f);
    assert_int_equal(call.placed, 0);
    assert_true(guest_asks(guest->place));
    assert_int_equal(call.placed, 1);
    assert_int_equal(guest->given[0], call.invocation.number);
    assert_true(answer(guest, 0, "done"));
    assert_string_equal(call.payload, "done");
}

static void test_the_next_one_comes_when_it_asks_again(void **state)
{
    static struct call calls[2];
    struct pool_fixture *f = *state;
    struct fake_guest *guest;

    f->options.environments_each_max = 1;
    guest = start(f, &calls[0]);
    invoke(&calls[1], f);
    assert_true(answer(guest, 0, "one"));
    pool_fixture_settle(f);
    assert_int_equal(calls[1].placed, 0);
    assert_true(guest_asks(guest->place));
    assert_int_equal(guest->given_count, 2);
    assert_true(answer(guest, 1, "two"));
    assert_string_equal(calls[1].payload, "two");
}

static void test_an_invocation_is_completed_once(void **state)
{
    static struct call call;
    struct fake_guest *guest = start(*state, &call);

    assert_true(answer(guest, 0, "one"));
    assert_false(answer(guest, 0, "two"));
    assert_string_equal(call.payload, "one");
    assert_int_equal(call.ended, 1);
}

static void test_a_question_for_more_than_it_may_run_waits(void **state)
{
    static struct call calls[3];
    struct pool_fixture *f = *state;
    struct fake_guest *guest;

    f->options.environments_each_max = 1;
    f->revisions[0].config.concurrency = 2;
    guest = start(f, &calls[0]);
    invoke(&calls[1], f);
    invoke(&calls[2], f);
    assert_true(guest_asks(guest->place));
    assert_true(guest_asks(guest->place));
    assert_int_equal(guest->given_count, 2);
    assert_true(answer(guest, 0, "one"));
    assert_int_equal(guest->given_count, 3);
    assert_true(answer(guest, 1, "two"));
    assert_true(answer(guest, 2, "three"));
    assert_string_equal(calls[2].payload, "three");
}

/* --- several at once ------------------------------------------------------------------ */

#define LONG_AGO 1000000
#define NOW (2 * LONG_AGO)

static void test_a_new_runtime_has_time_to_ask_for_more(void **state)
{
    struct place place = {.is_guest = true, .state = PLACE_READY, .concurrency = 4};

    (void)state;
    place.running_count = 1;
    place.ready_ms = NOW - 500;
    assert_true(place_asks_soon(&place, false, NOW));
    assert_true(place_asks_soon(&place, true, NOW));
    place.ready_ms = LONG_AGO;
    assert_false(place_asks_soon(&place, false, NOW));
    assert_false(place_asks_soon(&place, true, NOW)); /* it takes one, as far as is known */
}

static void test_a_runtime_that_takes_several_is_waited_for_on_a_busy_machine(void **state)
{
    struct place place = {.is_guest = true, .state = PLACE_READY, .concurrency = 4};

    (void)state;
    place.running_count = 3;
    place.ready_ms = LONG_AGO;
    place.takes_several = true;
    place.heard_ms = NOW - 5000;
    assert_true(place_asks_soon(&place, true, NOW));
    assert_false(place_asks_soon(&place, false, NOW)); /* there are processors for another */
    place.heard_ms = NOW - 50000;
    assert_false(place_asks_soon(&place, true, NOW)); /* it hangs */
}

static void test_who_cannot_take_more_is_not_waited_for(void **state)
{
    struct place place = {.is_guest = true,
                          .state = PLACE_READY,
                          .concurrency = 4,
                          .running_count = 4,
                          .ready_ms = NOW,
                          .takes_several = true,
                          .heard_ms = NOW};

    (void)state;
    assert_false(place_asks_soon(&place, true, NOW));
    place.running_count = 3;
    assert_true(place_asks_soon(&place, true, NOW));
    place.state = PLACE_CLOSING;
    assert_false(place_asks_soon(&place, true, NOW));
    place.state = PLACE_READY;
    place.is_guest = false; /* a native program needs not ask */
    assert_false(place_asks_soon(&place, true, NOW));
}

static void test_that_it_takes_several_is_seen(void **state)
{
    static struct call call;
    struct pool_fixture *f = *state;
    struct fake_guest *guest;

    f->revisions[0].config.concurrency = 2;
    guest = start(f, &call);
    assert_false(guest->place->takes_several);
    assert_true(guest_asks(guest->place)); /* while it has one */
    assert_true(guest->place->takes_several);
    assert_true(answer(guest, 0, "one"));
}

/* One that takes only one at a time, whatever its function allows. */
static void test_who_waits_long_gets_another_environment(void **state)
{
    static struct call calls[2];
    struct pool_fixture *f = *state;
    struct fake_guest *guest;

    f->revisions[0].config.concurrency = 2;
    guest = start(f, &calls[0]);
    invoke(&calls[1], f);
    pool_fixture_settle(f);
    assert_int_equal(fakes.count, 1);
    assert_true(guest_asks(await_guest(f, 1)->place));
    assert_int_equal(calls[1].placed, 1);
    assert_true(answer(guest, 0, "one"));
    assert_true(answer(&fakes.guests[1], 0, "two"));
}

static void test_a_question_taken_back_while_it_runs_is_no_harm(void **state)
{
    static struct call calls[2];
    struct pool_fixture *f = *state;
    struct fake_guest *guest = start(f, &calls[0]);

    assert_true(guest_asks(guest->place));
    guest_asks_no_more(guest->place);
    assert_true(answer(guest, 0, "one"));
    assert_true(guest_asks(guest->place));
    invoke(&calls[1], f);
    assert_int_equal(guest->given_count, 2);
    assert_true(answer(guest, 1, "two"));
}

static void test_an_idle_runtime_that_leaves_gets_nothing_more(void **state)
{
    static struct call calls[2];
    struct pool_fixture *f = *state;
    struct fake_guest *guest = start(f, &calls[0]);

    assert_true(answer(guest, 0, "one"));
    assert_true(guest_asks(guest->place));
    guest_asks_no_more(guest->place);
    invoke(&calls[1], f); /* its process is ending: another one is started */
    assert_true(guest_asks(await_guest(f, 1)->place));
    program_exit(&f->programs[0], 129, 0);
    assert_true(answer(&fakes.guests[1], 0, "two"));
    WAIT_UNTIL(f, guest->is_closed);
    assert_int_equal(guest->given_count, 1);
    assert_string_equal(calls[1].payload, "two");
}

static void test_a_runtime_that_exits_before_it_asks_again_loses_nothing(void **state)
{
    static struct call calls[2];
    struct pool_fixture *f = *state;
    struct fake_guest *guest;

    f->options.environments_each_max = 1;
    guest = start(f, &calls[0]);
    assert_true(answer(guest, 0, "one"));
    invoke(&calls[1], f);
    program_exit(&f->programs[0], 129, 0);
    assert_true(guest_asks(await_guest(f, 1)->place));
    assert_true(answer(&fakes.guests[1], 0, "two"));
    assert_string_equal(calls[1].payload, "two");
}

static void test_a_runtime_that_never_asks_again_is_killed(void **state)
{
    static struct call call;
    struct pool_fixture *f = *state;
    struct fake_guest *guest;

    f->revisions[0].config.timeout_s = 1;
    guest = start(f, &call);
    assert_true(answer(guest, 0, "one"));
    WAIT_UNTIL(f, f->programs[0].is_killed);
    WAIT_UNTIL(f, guest->is_closed);
}

/* The connection on which it had asked went between on_placed and invocation_invoke(). */
static void test_an_invocation_that_nobody_took_ends_with_the_program(void **state)
{
    static struct call call;
    struct pool_fixture *f = *state;
    struct fake_guest *guest;

    pool_fixture_open(f);
    call_init(&call, f, 0);
    call.does_not_send = true;
    pool_invoke(f->pool, &call.invocation);
    guest = await_guest(f, 0);
    assert_true(guest_asks(guest->place));
    assert_int_equal(call.placed, 1);
    guest_asks_no_more(guest->place);
    call_invoke(&call);
    guest_loses(guest->place);
    program_exit(&f->programs[0], 3, 0);
    WAIT_UNTIL(f, call.ended == 1);
    assert_string_equal(call.error_type, "Runtime.ExitError");
    assert_non_null(strstr(call.error_message, "exit status 3"));
}

static void test_a_program_that_left_and_goes_on_is_killed(void **state)
{
    static struct call call;
    struct pool_fixture *f = *state;
    struct fake_guest *guest = start(f, &call);

    guest_loses(guest->place);
    WAIT_UNTIL(f, call.ended == 1);
    assert_true(f->programs[0].is_killed);
    assert_string_equal(call.error_type, "Runtime.ExitError");
    assert_non_null(strstr(call.error_message, "closed its connection"));
}

/* --- what it says ------------------------------------------------------------------- */

static void test_an_error_of_an_invocation_has_its_type(void **state)
{
    static struct call call;
    struct fake_guest *guest = start(*state, &call);
    const struct guest_end end = {.is_error = true, .error_type = bytes_of_text("Mine.Own")};

    assert_true(guest_completes(guest->place, guest->given[0], &end));
    assert_false(call.is_complete);
    assert_string_equal(call.error_type, "Mine.Own");
}

static void test_an_init_that_fails_in_its_own_words(void **state)
{
    static struct call call;
    struct pool_fixture *f = *state;

    f->revisions[0].config.timeout_s = 1;
    pool_fixture_open(f);
    invoke(&call, f);
    for (int i = 0; i < 2; i++) { /* as in Lambda, it is run twice */
        struct fake_guest *guest = await_guest(f, i);

        guest_fails_init(guest->place, bytes_of_text("Init.Mine"), bytes_of_text("no luck"));
        guest_fails_init(guest->place, bytes_of_text("Init.Second"), bytes_of_text("unheard"));
        WAIT_UNTIL(f, guest->is_closed);
    }
    WAIT_UNTIL(f, call.ended == 1);
    assert_string_equal(call.error_type, "Init.Mine");
    assert_non_null(strstr(call.error_message, "no luck"));
}

static void test_parts_are_kept_where_nobody_takes_them(void **state)
{
    static struct call call;
    struct fake_guest *guest = start(*state, &call);
    struct bytes part = bytes_of_text("part");

    assert_int_equal(guest_sends(guest->place, guest->given[0], part), GUEST_KEEP);
    assert_true(answer(guest, 0, "whole"));
    assert_int_equal(guest_sends(guest->place, guest->given[0], part), GUEST_MORE); /* dropped */
}

static int pieces;

static bool take_piece(struct invocation *invocation, struct bytes piece)
{
    (void)invocation;
    assert_int_equal(piece.len, 4);
    return ++pieces != 2;
}

static void test_a_caller_holds_a_stream_back(void **state)
{
    static struct call call;
    static struct invocation_events streamed;
    struct fake_guest *guest = start(*state, &call);
    struct bytes part = bytes_of_text("part");

    streamed = *call.invocation.events;
    streamed.on_piece = take_piece;
    call.invocation.events = &streamed;
    pieces = 0;
    assert_int_equal(guest_sends(guest->place, guest->given[0], part), GUEST_MORE);
    assert_int_equal(guest_sends(guest->place, guest->given[0], part), GUEST_PAUSE);
    assert_int_equal(guest->resumed, 0);
    call.invocation.resume(&call.invocation);
    assert_int_equal(guest->resumed, 1);
    assert_int_equal(guest_sends(guest->place, guest->given[0], part), GUEST_MORE);
    assert_true(answer(guest, 0, ""));
    assert_int_equal(pieces, 3);
}

/* --- ends --------------------------------------------------------------------------- */

static void test_what_is_said_after_a_timeout_is_not_heard(void **state)
{
    static struct call call;
    struct pool_fixture *f = *state;
    struct fake_guest *guest;

    f->revisions[0].config.timeout_s = 1;
    guest = start(f, &call);
    WAIT_UNTIL(f, call.ended == 1);
    assert_string_equal(call.error_type, "Sandbox.Timedout");
    assert_int_equal(guest->forgotten, 1);
    assert_false(answer(guest, 0, "late"));
    assert_false(guest_asks(guest->place));
    WAIT_UNTIL(f, guest->is_closed);
}

static void test_a_canceled_invocation_is_forgotten(void **state)
{
    static struct call call;
    struct pool_fixture *f = *state;
    struct fake_guest *guest = start(f, &call);

    invocation_cancel(f->pool, &call.invocation, "enough");
    assert_int_equal(guest->forgotten, 1);
    assert_int_equal(guest_sends(guest->place, guest->given[0], bytes_of_text("part")),
                     GUEST_MORE); /* dropped, not kept */
    WAIT_UNTIL(f, call.ended == 1);
    assert_string_equal(call.error_type, "Pawl.Canceled");
    assert_true(f->programs[0].is_killed);
}

static void test_an_exit_ends_what_it_has(void **state)
{
    static struct call call;
    struct pool_fixture *f = *state;
    struct fake_guest *guest = start(f, &call);

    program_exit(&f->programs[0], 1, 0);
    WAIT_UNTIL(f, call.ended == 1);
    assert_string_equal(call.error_type, "Runtime.ExitError");
    assert_true(guest->is_closing);
}

static void test_a_place_stays_until_its_guest_is_closed(void **state)
{
    static struct call call;
    struct pool_fixture *f = *state;
    struct fake_guest *guest = start(f, &call);

    fakes.is_slow_to_close = true;
    program_exit(&f->programs[0], 1, 0);
    WAIT_UNTIL(f, call.ended == 1);
    assert_int_equal(f->revisions[0].references, 1);
    assert_false(answer(guest, 0, "late"));
    assert_false(guest_asks(guest->place));
    fakes.is_slow_to_close = false;
    WAIT_UNTIL(f, guest->is_closed);
    assert_int_equal(f->revisions[0].references, 0);
}

static void test_a_pool_closes_while_a_guest_is_slow(void **state)
{
    static struct call call;
    struct pool_fixture *f = *state;

    (void)start(f, &call);
    pool_fixture_close(f);
    assert_int_equal(call.ended, 1);
}

/* --- who has a door ----------------------------------------------------------------- */

static void test_a_door_that_cannot_be_served_is_an_init_that_fails(void **state)
{
    static struct call call;
    struct pool_fixture *f = *state;

    fakes.cannot_open = true;
    f->options.init_ms = 50;
    f->options.init_again_ms = 50;
    pool_fixture_open(f);
    invoke(&call, f);
    WAIT_UNTIL(f, call.ended == 1);
    assert_false(call.is_complete);
}

static void test_a_door_without_a_descriptor_breaks_the_protocol(void **state)
{
    static struct call call;
    struct pool_fixture *f = *state;

    f->sends_bare_door = true;
    pool_fixture_open(f);
    invoke(&call, f);
    WAIT_UNTIL(f, call.ended == 1);
    assert_string_equal(call.error_type, "Runtime.ProtocolError");
    assert_non_null(strstr(call.error_message, "socket did not come"));
}

static void test_an_environment_that_ends_before_its_door_comes(void **state)
{
    static struct call call;
    struct pool_fixture *f = *state;

    f->start_error = "listen on the Runtime API's port: Address already in use";
    pool_fixture_open(f);
    invoke(&call, f);
    WAIT_UNTIL(f, call.ended == 1);
    assert_string_equal(call.error_type, "Sandbox.StartFailed");
    assert_int_equal(fakes.count, 0);
}

/* The kernel lets it go with the byte; what is left is a malformed message. */
static void test_a_later_descriptor_is_not_received(void **state)
{
    static struct call call;
    struct pool_fixture *f = *state;
    struct fake_guest *guest = start(f, &call);
    int free_fd = dup(0);

    (void)close(free_fd);
    for (int i = 0; i < 4; i++) {
        program_send_descriptor(&f->programs[0]);
    }
    pool_fixture_settle(f);
    assert_int_equal(dup(0), free_fd);
    (void)close(free_fd);
    assert_true(answer(guest, 0, "done"));
}

static void test_a_native_program_has_a_door_once(void **state)
{
    static struct call calls[2];
    struct pool_fixture *f = *state;

    f->says_no_hello = false;
    pool_fixture_open(f);
    for (int i = 0; i < 2; i++) {
        uint64_t number;

        invoke(&calls[i], f);
        WAIT_UNTIL(f, calls[i].placed == 1);
        assert_int_equal(program_hear(&f->programs[i], &number), WIRE_INVOKE);
        assert_int_equal(f->programs[i].has_door, i == 0);
        program_exit(&f->programs[i], 0, 0);
        WAIT_UNTIL(f, calls[i].ended == 1);
    }
}

static void test_a_native_program_asks_for_nothing(void **state)
{
    static struct call call;
    struct pool_fixture *f = *state;
    uint64_t number;

    f->says_no_hello = false;
    pool_fixture_open(f);
    invoke(&call, f);
    WAIT_UNTIL(f, call.placed == 1);
    assert_int_equal(program_hear(&f->programs[0], &number), WIRE_INVOKE);
    assert_false(guest_asks(fakes.guests[0].place));
    guest_asks_no_more(fakes.guests[0].place);
    program_complete(&f->programs[0], number, "native");
    WAIT_UNTIL(f, call.ended == 1);
    assert_string_equal(call.payload, "native");
}

static void test_a_runtime_does_not_speak_the_native_protocol(void **state)
{
    static struct call call;
    struct pool_fixture *f = *state;

    (void)start(f, &call);
    program_hello(&f->programs[0]);
    WAIT_UNTIL(f, call.ended == 1);
    assert_string_equal(call.error_type, "Runtime.ProtocolError");
}

static void test_a_runtime_may_close_the_native_socket(void **state)
{
    static struct call call;
    struct pool_fixture *f = *state;
    struct fake_guest *guest = start(f, &call);

    assert_int_equal(shutdown(f->programs[0].native, SHUT_WR), 0);
    pool_fixture_settle(f);
    assert_true(answer(guest, 0, "done"));
    assert_string_equal(call.payload, "done");
    assert_true(guest_asks(guest->place));
    assert_false(f->programs[0].is_killed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_runtime_gets_nothing_before_it_asks),
        TEST(test_the_next_one_comes_when_it_asks_again),
        TEST(test_an_invocation_is_completed_once),
        TEST(test_a_question_for_more_than_it_may_run_waits),
        TEST(test_a_new_runtime_has_time_to_ask_for_more),
        TEST(test_a_runtime_that_takes_several_is_waited_for_on_a_busy_machine),
        TEST(test_who_cannot_take_more_is_not_waited_for),
        TEST(test_that_it_takes_several_is_seen),
        TEST(test_who_waits_long_gets_another_environment),
        TEST(test_a_question_taken_back_while_it_runs_is_no_harm),
        TEST(test_an_idle_runtime_that_leaves_gets_nothing_more),
        TEST(test_a_runtime_that_exits_before_it_asks_again_loses_nothing),
        TEST(test_a_runtime_that_never_asks_again_is_killed),
        TEST(test_an_invocation_that_nobody_took_ends_with_the_program),
        TEST(test_a_program_that_left_and_goes_on_is_killed),
        TEST(test_an_error_of_an_invocation_has_its_type),
        TEST(test_an_init_that_fails_in_its_own_words),
        TEST(test_parts_are_kept_where_nobody_takes_them),
        TEST(test_a_caller_holds_a_stream_back),
        TEST(test_what_is_said_after_a_timeout_is_not_heard),
        TEST(test_a_canceled_invocation_is_forgotten),
        TEST(test_an_exit_ends_what_it_has),
        TEST(test_a_place_stays_until_its_guest_is_closed),
        TEST(test_a_pool_closes_while_a_guest_is_slow),
        TEST(test_a_door_that_cannot_be_served_is_an_init_that_fails),
        TEST(test_a_door_without_a_descriptor_breaks_the_protocol),
        TEST(test_an_environment_that_ends_before_its_door_comes),
        TEST(test_a_later_descriptor_is_not_received),
        TEST(test_a_native_program_has_a_door_once),
        TEST(test_a_native_program_asks_for_nothing),
        TEST(test_a_runtime_does_not_speak_the_native_protocol),
        TEST(test_a_runtime_may_close_the_native_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
