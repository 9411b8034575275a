/* One environment: how it starts, what it may say, and how it ends. */
#include "tests/driver/pool_fixture.h"

#include <unistd.h>

#include "engine/driver/output.h"
#include "engine/driver/place.h"

static void start_and_hear(struct pool_fixture *f, struct call *call, int function)
{
    call_start(call, f, function);
    WAIT_UNTIL(f, call->placed == 1);
}

/* So many invocations in one environment, all sent and heard. */
static void crowd(struct pool_fixture *f, struct call *calls, int count)
{
    f->revisions[0].config.concurrency = (uint32_t)count;
    pool_fixture_open(f);
    for (int i = 0; i < count; i++) {
        start_and_hear(f, &calls[i], 0);
        program_expect_invoke(&f->programs[0], &calls[i]);
    }
    assert_int_equal(f->program_count, 1);
}

static void expect_error(const struct call *call, const char *type, const char *cause)
{
    char id[ID_TEXT_LEN + 1];
    char message[2 * TEXT_MAX];

    assert_int_equal(call->ended, 1);
    assert_false(call->is_complete);
    assert_string_equal(call->error_type, type);
    id_format(&call->invocation.request_id, id);
    (void)snprintf(message, sizeof message, "RequestId: %s Error: %s", id, cause);
    assert_string_equal(call->error_message, message);
}

/* --- starting --------------------------------------------------------------------------- */

static void expect_failed_start(struct pool_fixture *f, const char *type, const char *cause,
                                int starts)
{
    static struct call calls[3];
    static struct call later;

    f->options.environments_each_max = 1;
    pool_fixture_open(f);
    for (int i = 0; i < 3; i++) {
        call_start(&calls[i], f, 0);
    }
    WAIT_UNTIL(f, calls[2].ended == 1);
    for (int i = 0; i < 3; i++) { /* as many starts for all who waited for it */
        expect_error(&calls[i], type, cause);
        assert_false(calls[i].is_sent);
    }
    assert_int_equal(f->unpacks, starts);
    pool_fixture_settle(f);
    assert_int_equal(f->unpacks, starts);
    f->unpack_error = NULL;
    f->start_error = NULL;
    f->refuses_start = false;
    f->says_no_hello = false;
    f->revisions[0].config.runtime = NULL;
    call_start(&later, f, 0);
    WAIT_UNTIL(f, later.placed == 1);
    assert_int_equal(f->unpacks, starts + 1);
}

static void test_a_program_that_cannot_be_executed_is_an_invalid_entrypoint(void **state)
{
    struct pool_fixture *f = *state;

    f->start_error = "start bootstrap: Permission denied";
    expect_failed_start(f, "Runtime.InvalidEntrypoint", "start bootstrap: Permission denied", 1);
}

static void test_a_sandbox_that_cannot_be_made_is_named(void **state)
{
    struct pool_fixture *f = *state;

    f->start_error = "mount /proc: Operation not permitted";
    expect_failed_start(f, "Sandbox.StartFailed", "mount /proc: Operation not permitted", 1);
}

static void test_code_that_cannot_be_unpacked_is_named(void **state)
{
    struct pool_fixture *f = *state;

    f->unpack_error = "the archive is damaged";
    expect_failed_start(f, "Sandbox.StartFailed", "the archive is damaged", 1);
}

static const char *no_runtime(void *arg, const char *runtime)
{
    (void)arg;
    (void)runtime;
    return NULL;
}

static void test_a_runtime_that_is_gone_is_named(void **state)
{
    struct pool_fixture *f = *state;

    f->options.runtime_dir = no_runtime;
    f->revisions[0].config.runtime = "nodejs22.x";
    expect_failed_start(f, "Sandbox.StartFailed",
                        "there is no runtime nodejs22.x; the operator adds it with: pawl runtime "
                        "add nodejs22.x DIR",
                        1);
}

static void test_a_program_of_its_own_needs_no_runtime(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;

    f->options.runtime_dir = no_runtime;
    f->revisions[0].config.runtime = "provided.al2";
    pool_fixture_open(f);
    start_and_hear(f, &call, 0);
    program_expect_invoke(&f->programs[0], &call);
}

static void test_a_launcher_that_refuses_ends_who_waits(void **state)
{
    struct pool_fixture *f = *state;

    f->refuses_start = true;
    expect_failed_start(f, "Sandbox.StartFailed", "the environment could not be started", 1);
}

static void test_a_program_without_hello_is_killed_in_time(void **state)
{
    struct pool_fixture *f = *state;

    f->says_no_hello = true;
    f->options.init_ms = 40;
    f->options.init_again_ms = 50;
    expect_failed_start(f, "Sandbox.Timedout", "Task timed out after 0.05 seconds", 2);
    assert_true(f->programs[0].is_killed);
    assert_true(f->programs[1].is_killed);
}

static void test_a_program_that_ends_before_hello_ends_who_waits(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;

    f->says_no_hello = true;
    pool_fixture_open(f);
    call_start(&call, f, 0);
    WAIT_UNTIL(f, f->program_count == 1);
    program_exit(&f->programs[0], 1, 0);
    WAIT_UNTIL(f, f->program_count == 2);
    assert_int_equal(call.ended, 0);
    program_exit(&f->programs[1], 2, 0);
    WAIT_UNTIL(f, call.ended == 1);
    expect_error(&call, "Runtime.ExitError", "Runtime exited with error: exit status 2");
    pool_fixture_settle(f);
    assert_int_equal(f->program_count, 2);
}

static void test_an_init_that_failed_is_run_once_more(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;

    f->says_no_hello = true;
    pool_fixture_open(f);
    call_start(&call, f, 0);
    WAIT_UNTIL(f, f->program_count == 1);
    f->says_no_hello = false;
    program_exit(&f->programs[0], 1, 0);
    WAIT_UNTIL(f, call.placed == 1);
    assert_int_equal(call.ended, 0);
}

static void test_a_failed_start_is_not_repeated_for_ever(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[10];

    f->start_error = "mount /proc: Operation not permitted";
    pool_fixture_open(f);
    for (int i = 0; i < 10; i++) {
        call_start(&calls[i], f, 0);
    }
    WAIT_UNTIL(f, calls[9].ended == 1);
    assert_in_range(f->program_count, 1, 4); /* environments_each_max */
    pool_fixture_settle(f);
    assert_in_range(f->program_count, 1, 4);
}

static void test_a_failed_start_leaves_those_alone_who_can_be_served(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[3];

    f->options.environments_each_max = 2;
    pool_fixture_open(f);
    start_and_hear(f, &calls[0], 0);
    f->start_error = "mount /proc: Operation not permitted";
    call_start(&calls[1], f, 0);
    WAIT_UNTIL(f, f->program_count == 2 && f->programs[1].is_reported);
    pool_fixture_settle(f);
    assert_int_equal(f->program_count, 2);
    assert_int_equal(calls[1].ended, 0);
    program_expect_invoke(&f->programs[0], &calls[0]);
    program_complete(&f->programs[0], calls[0].invocation.number, "1");
    WAIT_UNTIL(f, calls[1].placed == 1);
    assert_int_equal(calls[1].environment, calls[0].environment);
}

static void test_who_waits_is_served_after_the_last_serving_one_died(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[2];

    f->options.environments_each_max = 1;
    pool_fixture_open(f);
    start_and_hear(f, &calls[0], 0);
    call_start(&calls[1], f, 0);
    program_exit(&f->programs[0], 1, 0);
    WAIT_UNTIL(f, calls[1].placed == 1);
    assert_int_equal(calls[0].ended, 1);
    assert_int_equal(f->program_count, 2);
}

/* --- ends ----------------------------------------------------------------------------------- */

static void expect_exit(struct pool_fixture *f, int status, int signal, const char *cause)
{
    static struct call calls[3];

    crowd(f, calls, 3);
    program_exit(&f->programs[0], status, signal);
    WAIT_UNTIL(f, calls[2].ended == 1);
    for (int i = 0; i < 3; i++) {
        expect_error(&calls[i], "Runtime.ExitError", cause);
        assert_true(calls[i].is_sent);
    }
    WAIT_UNTIL(f, pool_fixture_stats(f).environments == 0);
    assert_int_equal(pool_fixture_stats(f).running, 0);
}

static void test_an_exit_ends_all_that_runs_with_its_status(void **state)
{
    expect_exit(*state, 3, 0, "Runtime exited with error: exit status 3");
}

static void test_an_exit_without_error_gives_no_reason(void **state)
{
    expect_exit(*state, 0, 0, "Runtime exited without providing a reason");
}

static void test_a_signal_is_named(void **state)
{
    expect_exit(*state, -1, 11, "Runtime exited with error: signal: segmentation fault");
}

static void test_running_out_of_memory_is_told_apart(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;

    crowd(f, &call, 1);
    program_exit(&f->programs[0], -1, 9);
    f->programs[0].end.is_oom = true;
    WAIT_UNTIL(f, call.ended == 1);
    expect_error(&call, "Runtime.OutOfMemory", "Runtime exited with error: signal: killed");
}

static void test_what_was_said_before_the_exit_counts(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[2];

    crowd(f, calls, 2);
    program_complete(&f->programs[0], calls[1].invocation.number, "\"last words\"");
    program_exit(&f->programs[0], 1, 0);
    WAIT_UNTIL(f, calls[0].ended == 1 && calls[1].ended == 1);
    assert_true(calls[1].is_complete);
    assert_string_equal(calls[1].payload, "\"last words\"");
    expect_error(&calls[0], "Runtime.ExitError", "Runtime exited with error: exit status 1");
}

static void test_nothing_is_invoked_in_what_has_ended(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;

    crowd(f, &call, 1);
    call.again = f;
    program_complete(&f->programs[0], call.invocation.number, "1");
    program_exit(&f->programs[0], 0, 0);
    WAIT_UNTIL(f, call.placed == 2);
    assert_int_equal(call.ended, 1);
    assert_int_equal(f->program_count, 2);
}

static void test_a_program_that_hangs_up_and_stays_is_killed(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;
    int native;

    crowd(f, &call, 1);
    native = f->programs[0].native;
    f->programs[0].native = dup(f->programs[0].output);
    (void)close(native);
    WAIT_UNTIL(f, call.ended == 1);
    assert_true(f->programs[0].is_killed);
    expect_error(&call, "Runtime.ExitError", "Runtime closed its connection");
}

/* --- time --------------------------------------------------------------------------------- */

static void test_a_timeout_ends_the_invocation_and_its_environment(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;

    f->revisions[0].config.timeout_s = 1;
    f->keeps_killed_alive = true;
    crowd(f, &call, 1);
    WAIT_UNTIL(f, call.ended == 1);
    expect_error(&call, "Sandbox.Timedout", "Task timed out after 1.00 seconds");
    assert_true(call.is_sent);
    assert_true(f->programs[0].is_killed); /* at once: nobody else is in there */
    assert_int_equal(pool_fixture_stats(f).running, 0);
}

static void test_the_clock_starts_with_invoke(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;

    f->revisions[0].config.timeout_s = 1;
    pool_fixture_open(f);
    call_init(&call, f, 0);
    call.does_not_send = true;
    pool_invoke(f->pool, &call.invocation);
    WAIT_UNTIL(f, call.placed == 1);
    assert_int_equal(call.invocation.timeout.place, 0);
    assert_true(call.invocation.deadline_ms > 1600000000000);
    invocation_send(f->pool, &call.invocation, WIRE_INVOKE, bytes_of("x", 1));
    assert_int_not_equal(call.invocation.timeout.place, 0);
    invocation_send(f->pool, &call.invocation, WIRE_INVOKE, bytes_of("x", 1)); /* with all of it */
    program_expect_invoke(&f->programs[0], &call);
    program_expect_invoke(&f->programs[0], &call);
}

/* Both neighbours have longer; only the first ends within the grace. */
static void test_a_timeout_gives_neighbours_a_grace(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[4];
    uint64_t number;

    f->revisions[0].config.timeout_s = 1;
    f->options.grace_ms = 300;
    f->revisions[0].config.concurrency = 3;
    pool_fixture_open(f);
    start_and_hear(f, &calls[0], 0);
    f->revisions[0].config.timeout_s = 900;
    start_and_hear(f, &calls[1], 0);
    start_and_hear(f, &calls[2], 0);
    WAIT_UNTIL(f, calls[0].ended == 1);
    assert_string_equal(calls[0].error_type, "Sandbox.Timedout");
    assert_false(f->programs[0].is_killed);
    call_start(&calls[3], f, 0); /* there is a free slot, but no room */
    assert_int_equal(calls[3].placed, 0);
    for (int i = 0; i < 3; i++) {
        program_expect_invoke(&f->programs[0], &calls[i]);
    }
    assert_int_equal(program_hear(&f->programs[0], &number), WIRE_CANCEL);
    assert_int_equal(number, calls[0].invocation.number);
    program_complete(&f->programs[0], number, "too late"); /* of the fenced one: not heard */
    program_complete(&f->programs[0], calls[1].invocation.number, "\"in time\"");
    WAIT_UNTIL(f, calls[2].ended == 1);
    assert_true(calls[1].is_complete);
    assert_string_equal(calls[2].error_type, "Pawl.NeighbourLost");
    assert_int_equal(calls[0].ended, 1);
    WAIT_UNTIL(f, calls[3].placed == 1);
    assert_int_not_equal(calls[3].environment, calls[0].environment);
}

static void test_the_environment_goes_with_its_last_neighbour(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[2];

    f->options.grace_ms = 50000;
    crowd(f, calls, 2);
    invocation_cancel(f->pool, &calls[0].invocation, "stopped");
    program_complete(&f->programs[0], calls[0].invocation.number, "1");
    WAIT_UNTIL(f, calls[0].ended == 1);
    assert_true(calls[0].is_complete);
    assert_false(f->programs[0].is_killed);
    program_complete(&f->programs[0], calls[1].invocation.number, "1");
    WAIT_UNTIL(f, f->programs[0].is_killed); /* the grace is not waited for */
    assert_true(calls[1].is_complete);
}

static void test_a_canceled_invocation_is_told_and_then_killed(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;
    uint64_t number;

    crowd(f, &call, 1);
    call.invocation.is_durable = true;
    invocation_cancel(f->pool, &call.invocation, "stopped");
    assert_int_equal(program_hear(&f->programs[0], &number), WIRE_CANCEL);
    program_say(&f->programs[0], WIRE_CHECKPOINT, number, ""); /* is not passed on */
    WAIT_UNTIL(f, call.ended == 1);
    assert_string_equal(call.error_type, "Pawl.Canceled");
    assert_int_equal(call.messages, 0);
    assert_true(f->programs[0].is_killed);
}

static void test_a_cancel_before_invoke_harms_nobody(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;
    static struct call next;

    pool_fixture_open(f);
    call_init(&call, f, 0);
    call.does_not_send = true;
    pool_invoke(f->pool, &call.invocation);
    WAIT_UNTIL(f, call.placed == 1);
    invocation_cancel(f->pool, &call.invocation, "stopped");
    assert_int_equal(call.ended, 0);
    invocation_send(f->pool, &call.invocation, WIRE_INVOKE, bytes_of("x", 1)); /* too late */
    WAIT_UNTIL(f, call.ended == 1);
    assert_string_equal(call.error_type, "Pawl.Canceled");
    assert_false(call.is_sent);
    call_start(&next, f, 0);
    assert_int_equal(next.environment, call.environment);
}

static void test_invoke_into_a_closed_environment_ends_unsent(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[2];

    f->revisions[0].config.concurrency = 2;
    f->options.grace_ms = 50000;
    pool_fixture_open(f);
    start_and_hear(f, &calls[0], 0);
    call_init(&calls[1], f, 0);
    calls[1].does_not_send = true;
    pool_invoke(f->pool, &calls[1].invocation);
    assert_int_equal(calls[1].environment, calls[0].environment);
    invocation_cancel(f->pool, &calls[0].invocation, "stopped");
    invocation_send(f->pool, &calls[1].invocation, WIRE_INVOKE, bytes_of("x", 1));
    assert_int_equal(calls[1].ended, 0);
    WAIT_UNTIL(f, calls[1].ended == 1);
    assert_string_equal(calls[1].error_type, "Pawl.NeighbourLost");
    assert_false(calls[1].is_sent);
}

static void test_lost_ones_end_only_when_nothing_is_alive(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;

    f->keeps_killed_alive = true;
    crowd(f, &call, 1);
    program_say(&f->programs[0], WIRE_HELLO, 0, "");
    WAIT_UNTIL(f, f->programs[0].is_killed);
    pool_fixture_settle(f);
    assert_int_equal(call.ended, 0);
    program_exit(&f->programs[0], -1, 9);
    WAIT_UNTIL(f, call.ended == 1);
    assert_string_equal(call.error_type, "Runtime.ProtocolError");
}

/* --- what programs say -------------------------------------------------------------------------
 */

static void test_messages_of_a_durable_invocation_are_passed_on(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;

    f->revisions[0].config.is_durable = true;
    crowd(f, &call, 1);
    program_say(&f->programs[0], WIRE_CHECKPOINT, call.invocation.number, "");
    WAIT_UNTIL(f, call.messages == 1);
    assert_int_equal(call.last_message, WIRE_CHECKPOINT);
    program_say(&f->programs[0], WIRE_NEED_FULL, call.invocation.number, "");
    WAIT_UNTIL(f, call.messages == 2);
    assert_int_equal(call.last_message, WIRE_NEED_FULL);
}

static void expect_protocol_error(struct pool_fixture *f, struct call *call, const char *problem)
{
    char cause[TEXT_MAX];

    WAIT_UNTIL(f, call->ended == 1);
    (void)snprintf(cause, sizeof cause, "Runtime broke the protocol: %s", problem);
    expect_error(call, "Runtime.ProtocolError", cause);
    assert_true(f->programs[0].is_killed);
}

static void test_a_message_of_a_strange_invocation_is_an_error(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;

    crowd(f, &call, 1);
    program_complete(&f->programs[0], call.invocation.number + 1, "1");
    expect_protocol_error(f, &call, "a message of an invocation that does not run here");
}

static void test_no_slot_beyond_the_last_is_looked_at(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;

    crowd(f, &call, 1);
    program_complete(&f->programs[0], UINT64_MAX, "1");
    expect_protocol_error(f, &call, "a message of an invocation that does not run here");
}

static void test_a_second_complete_is_an_error(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[2];

    crowd(f, calls, 2);
    program_complete(&f->programs[0], calls[0].invocation.number, "1");
    program_complete(&f->programs[0], calls[0].invocation.number, "2");
    expect_protocol_error(f, &calls[1], "a message of an invocation that does not run here");
    assert_string_equal(calls[0].payload, "1");
}

static void test_an_answer_before_invoke_is_an_error(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;

    pool_fixture_open(f);
    call_init(&call, f, 0);
    call.does_not_send = true;
    pool_invoke(f->pool, &call.invocation);
    WAIT_UNTIL(f, call.placed == 1);
    program_complete(&f->programs[0], call.invocation.number, "1");
    expect_protocol_error(f, &call, "a message of an invocation that does not run here");
    assert_false(call.is_sent);
}

static void test_the_daemons_messages_are_an_error(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;

    crowd(f, &call, 1);
    program_say(&f->programs[0], WIRE_CANCEL, call.invocation.number, "");
    expect_protocol_error(f, &call, "a message that only the daemon sends");
}

static void test_a_checkpoint_without_an_execution_is_an_error(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;

    crowd(f, &call, 1);
    program_say(&f->programs[0], WIRE_CHECKPOINT, call.invocation.number, "");
    expect_protocol_error(f, &call, "a checkpoint of an invocation that is not durable");
    assert_int_equal(call.messages, 0);
}

static void test_malformed_bodies_and_frames_are_errors(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;

    crowd(f, &call, 1);
    program_say(&f->programs[0], WIRE_COMPLETE, call.invocation.number, "\xff\xff\xff");
    expect_protocol_error(f, &call, "COMPLETE is malformed");
}

static void test_a_frame_that_is_none_is_an_error(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;

    crowd(f, &call, 1);
    assert_int_equal(write(f->programs[0].native, "GET / HTTP/1.1\r\n\r\n", 18), 18);
    expect_protocol_error(f, &call, "a frame is malformed or too large");
}

static void test_another_version_of_the_protocol_is_an_error(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;

    f->says_no_hello = true;
    pool_fixture_open(f);
    call_start(&call, f, 0);
    WAIT_UNTIL(f, f->program_count == 1);
    program_say(&f->programs[0], WIRE_HELLO, 0, "\x08\x02");
    expect_protocol_error(f, &call, "it speaks version 2, not 1");
}

static void test_a_large_answer_comes_through_whole(void **state)
{
    static char large[1 << 20];
    struct pool_fixture *f = *state;
    static struct call call;
    struct environment *program;
    struct wire_complete complete = {.has_payload = true};
    struct buf body = {0};
    struct buf out = {0};
    size_t done = 0;

    memset(large, 'x', sizeof large);
    crowd(f, &call, 1);
    program = &f->programs[0];
    complete.payload = bytes_of(large, sizeof large);
    wire_put_complete(&body, &complete);
    frame_append(&out, WIRE_COMPLETE, call.invocation.number, buf_bytes(&body));
    while (done < out.len) {
        ssize_t n = write(program->native, out.data + done, out.len - done);

        done += (n > 0) ? (size_t)n : 0;
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    WAIT_UNTIL(f, call.ended == 1);
    assert_true(call.is_complete);
    assert_int_equal(strlen(call.payload), TEXT_MAX - 1); /* as much as the test keeps */
    buf_fini(&body);
    buf_fini(&out);
}

static void test_a_large_invoke_leaves_as_the_program_reads(void **state)
{
    static uint8_t large[3 << 20];
    struct pool_fixture *f = *state;
    static struct call call;
    struct frame_reader *reader;
    uint64_t number;

    pool_fixture_open(f);
    call_init(&call, f, 0);
    call.does_not_send = true;
    pool_invoke(f->pool, &call.invocation);
    WAIT_UNTIL(f, call.placed == 1);
    reader = f->programs[0].frames;
    frame_reader_allow(reader, WIRE_STATE_BYTES_MAX);
    invocation_send(f->pool, &call.invocation, WIRE_INVOKE, bytes_of(large, sizeof large));
    invocation_send(f->pool, &call.invocation, WIRE_NOTICE, bytes_of(NULL, 0));
    pool_fixture_settle(f);
    program_expect_invoke(&f->programs[0], &call);
    assert_int_equal(program_hear(&f->programs[0], &number), WIRE_NOTICE);
}

/* --- what programs print
 * -------------------------------------------------------------------------- */

static void test_the_tail_is_lambdas(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;
    char id[ID_TEXT_LEN + 1];
    char start[512];

    pool_fixture_open(f);
    call_init(&call, f, 0);
    call.invocation.wants_log_tail = true;
    pool_invoke(f->pool, &call.invocation);
    WAIT_UNTIL(f, call.placed == 1);
    program_print(&f->programs[0], "hello\nand more");
    program_complete(&f->programs[0], call.invocation.number, "1");
    WAIT_UNTIL(f, call.ended == 1);
    id_format(&call.invocation.request_id, id);
    (void)snprintf(start, sizeof start,
                   "START RequestId: %s Version: $LATEST\nhello\nand more\nEND RequestId: %s\n"
                   "REPORT RequestId: %s\tDuration: ",
                   id, id, id);
    assert_memory_equal(call.tail, start, strlen(start));
    assert_non_null(strstr(call.tail, "\tMemory Size: 128 MB\tInit Duration: "));
    pool_invoke(f->pool, &call.invocation);
    program_complete(&f->programs[0], call.invocation.number, "1");
    WAIT_UNTIL(f, call.ended == 2);
    assert_non_null(strstr(call.tail, "\tMemory Size: 128 MB\n")); /* it was warm */
}

static void test_the_tail_has_its_last_4_kib(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;
    char line[201];

    pool_fixture_open(f);
    call_init(&call, f, 0);
    call.invocation.wants_log_tail = true;
    pool_invoke(f->pool, &call.invocation);
    WAIT_UNTIL(f, call.placed == 1);
    memset(line, 'x', 199);
    line[199] = '\n';
    line[200] = '\0';
    for (int i = 0; i < 200; i++) {
        program_print(&f->programs[0], line);
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    program_complete(&f->programs[0], call.invocation.number, "1");
    WAIT_UNTIL(f, call.ended == 1);
    assert_int_equal(strlen(call.tail), 4096);
    assert_non_null(strstr(call.tail, "REPORT RequestId: "));
}

static void test_logs_name_the_invocation_when_it_is_alone(void **state)
{
    struct pool_fixture *f = *state;
    static struct call calls[2];
    static char text[1 << 16];
    char wanted[512];
    char id[ID_TEXT_LEN + 1];

    crowd(f, calls, 2);
    program_print(&f->programs[0], "whose is this\n");
    pool_fixture_settle(f);
    program_complete(&f->programs[0], calls[0].invocation.number, "1");
    WAIT_UNTIL(f, calls[0].ended == 1);
    program_print(&f->programs[0], "this is mine\n");
    pool_fixture_settle(f);
    pool_fixture_read_log(f, 0, text, sizeof text);
    assert_non_null(strstr(text, "Z\",\"level\":\"STDOUT\",\"message\":\"whose is this\"}\n"));
    id_format(&calls[1].invocation.request_id, id);
    (void)snprintf(wanted, sizeof wanted,
                   "\"requestId\":\"%s\",\"level\":\"STDOUT\",\"message\":\"this is mine\"}\n", id);
    assert_non_null(strstr(text, wanted));
}

static void test_log_messages_carry_level_operation_and_execution(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;
    struct wire_log line = {
        .level = 2, .text = bytes_of_text("careful \"you\""), .operation_id = bytes_of_text("1-2")};
    static char text[1 << 16];
    struct buf body = {0};

    pool_fixture_open(f);
    call_init(&call, f, 0);
    call.invocation.execution = bytes_of_text("arn:one");
    pool_invoke(f->pool, &call.invocation);
    WAIT_UNTIL(f, call.placed == 1);
    wire_put_log(&body, &line);
    buf_append(&body, "", 1);
    body.len--;
    program_say(&f->programs[0], WIRE_LOG, call.invocation.number, (const char *)body.data);
    program_complete(&f->programs[0], call.invocation.number, "1");
    WAIT_UNTIL(f, call.ended == 1);
    pool_fixture_read_log(f, 0, text, sizeof text);
    assert_non_null(strstr(text,
                           "\"execution\":\"arn:one\",\"level\":\"WARN\",\"operationId\":\"1-2\","
                           "\"message\":\"careful \\\"you\\\"\"}\n"));
    buf_fini(&body);
}

static void test_an_endless_line_is_cut(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;
    static char text[1 << 20];
    static char piece[30001];
    const char *first;

    crowd(f, &call, 1);
    memset(piece, 'x', 30000);
    for (int i = 0; i < 5; i++) {
        program_print(&f->programs[0], piece);
        pool_fixture_settle(f);
    }
    program_complete(&f->programs[0], call.invocation.number, "1");
    WAIT_UNTIL(f, call.ended == 1);
    pool_fixture_read_log(f, 0, text, sizeof text);
    first = strstr(text, "\"message\":\"xxx");
    assert_non_null(first);
    assert_int_equal(strspn(first + 11, "x"), OUTPUT_LINE_MAX);
    first = strstr(first + 11, "\"message\":\"xxx");
    assert_int_equal(strspn(first + 11, "x"), OUTPUT_LINE_MAX);
    first = strstr(first + 11, "\"message\":\"xxx");
    assert_int_equal(strspn(first + 11, "x"), 150000 - 2 * OUTPUT_LINE_MAX);
}

static void test_a_timeout_is_in_the_log(void **state)
{
    struct pool_fixture *f = *state;
    static struct call call;

    f->revisions[0].config.timeout_s = 1;
    pool_fixture_open(f);
    call_init(&call, f, 0);
    call.invocation.wants_log_tail = true;
    pool_invoke(f->pool, &call.invocation);
    WAIT_UNTIL(f, call.ended == 1);
    assert_non_null(strstr(call.tail, "Task timed out after 1.00 seconds\nEND RequestId: "));
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, pool_fixture_set_up, pool_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_program_that_cannot_be_executed_is_an_invalid_entrypoint),
        TEST(test_a_sandbox_that_cannot_be_made_is_named),
        TEST(test_code_that_cannot_be_unpacked_is_named),
        TEST(test_a_runtime_that_is_gone_is_named),
        TEST(test_a_program_of_its_own_needs_no_runtime),
        TEST(test_a_launcher_that_refuses_ends_who_waits),
        TEST(test_a_program_without_hello_is_killed_in_time),
        TEST(test_a_program_that_ends_before_hello_ends_who_waits),
        TEST(test_an_init_that_failed_is_run_once_more),
        TEST(test_a_failed_start_is_not_repeated_for_ever),
        TEST(test_a_failed_start_leaves_those_alone_who_can_be_served),
        TEST(test_who_waits_is_served_after_the_last_serving_one_died),
        TEST(test_an_exit_ends_all_that_runs_with_its_status),
        TEST(test_an_exit_without_error_gives_no_reason),
        TEST(test_a_signal_is_named),
        TEST(test_running_out_of_memory_is_told_apart),
        TEST(test_what_was_said_before_the_exit_counts),
        TEST(test_nothing_is_invoked_in_what_has_ended),
        TEST(test_a_program_that_hangs_up_and_stays_is_killed),
        TEST(test_a_timeout_ends_the_invocation_and_its_environment),
        TEST(test_the_clock_starts_with_invoke),
        TEST(test_a_timeout_gives_neighbours_a_grace),
        TEST(test_the_environment_goes_with_its_last_neighbour),
        TEST(test_a_canceled_invocation_is_told_and_then_killed),
        TEST(test_a_cancel_before_invoke_harms_nobody),
        TEST(test_invoke_into_a_closed_environment_ends_unsent),
        TEST(test_lost_ones_end_only_when_nothing_is_alive),
        TEST(test_messages_of_a_durable_invocation_are_passed_on),
        TEST(test_a_message_of_a_strange_invocation_is_an_error),
        TEST(test_no_slot_beyond_the_last_is_looked_at),
        TEST(test_a_second_complete_is_an_error),
        TEST(test_an_answer_before_invoke_is_an_error),
        TEST(test_the_daemons_messages_are_an_error),
        TEST(test_a_checkpoint_without_an_execution_is_an_error),
        TEST(test_malformed_bodies_and_frames_are_errors),
        TEST(test_a_frame_that_is_none_is_an_error),
        TEST(test_another_version_of_the_protocol_is_an_error),
        TEST(test_a_large_answer_comes_through_whole),
        TEST(test_a_large_invoke_leaves_as_the_program_reads),
        TEST(test_the_tail_is_lambdas),
        TEST(test_the_tail_has_its_last_4_kib),
        TEST(test_logs_name_the_invocation_when_it_is_alone),
        TEST(test_log_messages_carry_level_operation_and_execution),
        TEST(test_an_endless_line_is_cut),
        TEST(test_a_timeout_is_in_the_log),
    };

    return cmocka_run_group_tests_name("place", tests, NULL, NULL);
}
