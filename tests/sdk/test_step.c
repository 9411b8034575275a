#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/sdk/fake.h"

static struct fake fake;
static unsigned ran; /* attempts of the steps below in this process */

static int greet(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    ran++;
    *ret_result = pawl_format(ctx, "\"Hello, %s!\"", (const char *)arg);
    return PAWL_OK;
}

static int one_step(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)input;
    return pawl_step(ctx, "greet", greet, "World", NULL, ret);
}

static void test_start_and_result_of_a_step_share_a_checkpoint(void **state)
{
    (void)state;
    fake_start(&fake, one_step);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_trace(&fake),
                        "[1 STEP START \"greet\" | 1 STEP SUCCEED \"greet\" =\"Hello, World!\"]");
    assert_string_equal(fake_result(&fake), "\"Hello, World!\"");
    fake_stop(&fake);
}

static void test_recorded_step_does_not_run_again(void **state)
{
    (void)state;
    fake_start(&fake, one_step);
    fake_run(&fake);
    fake_trace(&fake);
    ran = 0;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_trace(&fake), "");
    assert_string_equal(fake_result(&fake), "\"Hello, World!\"");
    assert_int_equal(ran, 0);
    fake_stop(&fake);
}

static void test_interrupted_step_runs_again_without_a_second_start(void **state)
{
    (void)state;
    fake_start(&fake, one_step);
    fake_add(&fake, "1", OP_STEP, OP_STARTED, "greet", "Step");
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_trace(&fake), "[1 STEP SUCCEED \"greet\" =\"Hello, World!\"]");
    fake_stop(&fake);
}

/* Fails until its third attempt. */
static int third_time(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    (void)arg;
    if (pawl_attempt(ctx) < 3) {
        return pawl_fail(ctx, "Flaky", "attempt %u", pawl_attempt(ctx));
    }
    *ret_result = pawl_format(ctx, "%u", pawl_attempt(ctx));
    return PAWL_OK;
}

static int flaky(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    static const struct pawl_retry retry = {
        .max_attempts = 5, .initial_delay_s = 2, .backoff_rate = 3, .jitter = PAWL_JITTER_NONE};
    static const struct pawl_step_options options = {.retry = &retry};

    (void)input;
    return pawl_step(ctx, NULL, third_time, NULL, &options, ret);
}

static void test_failed_step_is_tried_again_when_it_is_due(void **state)
{
    (void)state;
    fake_start(&fake, flaky);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_string_equal(fake_trace(&fake), "[1 STEP START | 1 STEP RETRY !Flaky 2s]");
    fake_end(&fake, "1", OP_READY, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_string_equal(fake_trace(&fake), "[1 STEP START | 1 STEP RETRY !Flaky 6s]");
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING); /* not due: nothing happens */
    assert_string_equal(fake_trace(&fake), "");
    fake_end(&fake, "1", OP_READY, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_trace(&fake), "[1 STEP START | 1 STEP SUCCEED =3]");
    assert_string_equal(fake_result(&fake), "3");
    fake_stop(&fake);
}

static int always_fails(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    const struct pawl_error error = {"Declined", "no money", "{\"code\":51}"};

    (void)arg;
    (void)ret_result;
    ran++;
    return pawl_fail_with(ctx, &error);
}

static int no_retry(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    static const struct pawl_step_options options = {.retry = &pawl_retry_none};

    (void)input;
    return pawl_step(ctx, "charge", always_fails, NULL, &options, ret);
}

static void assert_declined(void)
{
    assert_true(bytes_equal(fake.error.type, bytes_of_text("Declined")));
    assert_true(bytes_equal(fake.error.message, bytes_of_text("no money")));
    assert_true(bytes_equal(fake.error.data, bytes_of_text("{\"code\":51}")));
}

static void test_error_of_a_step_is_the_error_of_its_caller_also_on_replay(void **state)
{
    (void)state;
    fake_start(&fake, no_retry);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
    assert_string_equal(fake_trace(&fake),
                        "[1 STEP START \"charge\" | 1 STEP FAIL \"charge\" !Declined]");
    assert_declined();
    ran = 0;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
    assert_int_equal(ran, 0);
    assert_declined();
    fake_stop(&fake);
}

static int catches(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    static const struct pawl_step_options options = {.retry = &pawl_retry_none};
    int r = pawl_step(ctx, NULL, always_fails, NULL, &options, NULL);

    (void)input;
    if (r == PAWL_FAILED && strcmp(pawl_error(ctx)->type, "Declined") == 0) {
        return pawl_step(ctx, NULL, greet, "fallback", NULL, ret);
    }
    return r;
}

static void test_caught_error_lets_the_workflow_go_on(void **state)
{
    (void)state;
    fake_start(&fake, catches);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_result(&fake), "\"Hello, fallback!\"");
    assert_int_equal(fake.checkpoints, 2);
    fake_stop(&fake);
}

static bool is_transient(const struct pawl_error *error, void *arg)
{
    return strcmp(error->type, arg) == 0;
}

static int filtered(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    const struct pawl_retry retry = {
        .is_retryable = is_transient, .arg = (void *)(uintptr_t)input.data, .max_attempts = 3};
    const struct pawl_step_options options = {.retry = &retry};

    return pawl_step(ctx, NULL, always_fails, NULL, &options, ret);
}

static void test_filter_decides_which_errors_are_retried(void **state)
{
    (void)state;
    fake_start(&fake, filtered);
    fake.input = "Declined";
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    fake_stop(&fake);
    fake_start(&fake, filtered);
    fake.input = "Other";
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
    fake_stop(&fake);
}

static bool decide(const struct pawl_error *error, uint32_t attempt, void *arg,
                   uint32_t *ret_delay_s)
{
    (void)error;
    (void)arg;
    *ret_delay_s = attempt * 100;
    return attempt < 2;
}

static int decided(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    const struct pawl_retry retry = {.decide = decide};
    const struct pawl_step_options options = {.retry = &retry};

    (void)input;
    return pawl_step(ctx, NULL, always_fails, NULL, &options, ret);
}

static void test_own_strategy_decides_on_each_attempt(void **state)
{
    (void)state;
    fake_start(&fake, decided);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_string_equal(fake_trace(&fake), "[1 STEP START | 1 STEP RETRY !Declined 100s]");
    fake_end(&fake, "1", OP_READY, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
    assert_string_equal(fake_trace(&fake), "[1 STEP START | 1 STEP FAIL !Declined]");
    fake_stop(&fake);
}

static int at_most_once(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    static const struct pawl_retry twice = {.max_attempts = 2};
    const struct pawl_step_options options = {
        .semantics = PAWL_AT_MOST_ONCE, .retry = (input.data != NULL) ? &twice : &pawl_retry_none};

    return pawl_step(ctx, NULL, greet, "once", &options, ret);
}

static void test_start_of_an_at_most_once_step_is_durable_before_it_runs(void **state)
{
    (void)state;
    fake_start(&fake, at_most_once);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_trace(&fake), "[1 STEP START][1 STEP SUCCEED =\"Hello, once!\"]");
    fake_stop(&fake);
}

static void test_interrupted_at_most_once_step_has_failed(void **state)
{
    (void)state;
    fake_start(&fake, at_most_once);
    fake_add(&fake, "1", OP_STEP, OP_STARTED, "", "Step");
    ran = 0;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
    assert_string_equal(fake_trace(&fake), "[1 STEP FAIL !StepInterruptedError]");
    assert_int_equal(ran, 0);
    fake_stop(&fake);
}

static void test_interrupted_at_most_once_step_may_be_retried(void **state)
{
    (void)state;
    fake_start(&fake, at_most_once);
    fake.input = "retry";
    fake_add(&fake, "1", OP_STEP, OP_STARTED, "", "Step");
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_non_null(strstr(fake_trace(&fake), "[1 STEP RETRY !StepInterruptedError"));
    fake_end(&fake, "1", OP_READY, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    fake_stop(&fake);
}

static int returns_nothing(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    (void)ctx;
    (void)arg;
    (void)ret_result;
    return PAWL_OK;
}

static int absent(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)input;
    *ret = pawl_value("something");
    return pawl_step(ctx, NULL, returns_nothing, NULL, NULL, ret);
}

static void test_absent_result_stays_absent(void **state)
{
    (void)state;
    fake_start(&fake, absent);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
        assert_false(fake.complete.has_payload);
    }
    assert_string_equal(fake_trace(&fake), "[1 STEP START | 1 STEP SUCCEED]");
    fake_stop(&fake);
}

static int too_large(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    (void)arg;
    *ret_result = (struct pawl_value){pawl_alloc(ctx, 262145), 262145};
    return PAWL_OK;
}

static int large(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)input;
    return pawl_step(ctx, NULL, too_large, NULL, NULL, ret);
}

static void test_result_that_cannot_be_stored_fails_the_step_at_once(void **state)
{
    (void)state;
    fake_start(&fake, large);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
    assert_string_equal(fake_trace(&fake), "[1 STEP START | 1 STEP FAIL !Pawl.Limit]");
    fake_stop(&fake);
}

static int nested_step(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    return pawl_step(ctx, NULL, greet, arg, NULL, ret_result);
}

static int nesting(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    static const struct pawl_step_options options = {.retry = &pawl_retry_none};

    (void)input;
    return pawl_step(ctx, NULL, nested_step, "x", &options, ret);
}

static void test_durable_call_inside_a_step_fails_with_advice(void **state)
{
    (void)state;
    fake_start(&fake, nesting);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
    assert_non_null(strstr(fake_text(&fake, fake.error.message), "pawl_child"));
    fake_stop(&fake);
}

static int checkpoints_itself(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    (void)arg;
    (void)ret_result;
    return pawl_checkpoint(ctx);
}

static int flushing(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)input;
    return pawl_step(ctx, NULL, checkpoints_itself, NULL, NULL, ret);
}

static void test_checkpoint_in_a_step_makes_its_start_durable(void **state)
{
    (void)state;
    fake_start(&fake, flushing);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_trace(&fake), "[1 STEP START][1 STEP SUCCEED]");
    fake_stop(&fake);
}

/* Ends when the start of itself has been seen outside. */
static bool start_was_seen;

static bool note_start(struct fake *f, const struct wire_checkpoint *checkpoint)
{
    (void)f;
    (void)checkpoint;
    __atomic_store_n(&start_was_seen, true, __ATOMIC_RELEASE);
    return false;
}

static int waits_to_be_seen(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    (void)ctx;
    (void)arg;
    (void)ret_result;
    while (!__atomic_load_n(&start_was_seen, __ATOMIC_ACQUIRE)) {
        usleep(1000);
    }
    return PAWL_OK;
}

static int slow(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)input;
    return pawl_step(ctx, NULL, waits_to_be_seen, NULL, NULL, ret);
}

static void test_start_of_a_slow_step_is_sent_while_it_runs(void **state)
{
    const struct service_options options = {.handler = slow, .tick_ms = TICK_MS_DEFAULT};

    (void)state;
    fake_start_with(&fake, &options);
    fake.on_checkpoint = note_start;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_trace(&fake), "[1 STEP START][1 STEP SUCCEED]");
    fake_stop(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_and_result_of_a_step_share_a_checkpoint),
        cmocka_unit_test(test_recorded_step_does_not_run_again),
        cmocka_unit_test(test_interrupted_step_runs_again_without_a_second_start),
        cmocka_unit_test(test_failed_step_is_tried_again_when_it_is_due),
        cmocka_unit_test(test_error_of_a_step_is_the_error_of_its_caller_also_on_replay),
        cmocka_unit_test(test_caught_error_lets_the_workflow_go_on),
        cmocka_unit_test(test_filter_decides_which_errors_are_retried),
        cmocka_unit_test(test_own_strategy_decides_on_each_attempt),
        cmocka_unit_test(test_start_of_an_at_most_once_step_is_durable_before_it_runs),
        cmocka_unit_test(test_interrupted_at_most_once_step_has_failed),
        cmocka_unit_test(test_interrupted_at_most_once_step_may_be_retried),
        cmocka_unit_test(test_absent_result_stays_absent),
        cmocka_unit_test(test_result_that_cannot_be_stored_fails_the_step_at_once),
        cmocka_unit_test(test_durable_call_inside_a_step_fails_with_advice),
        cmocka_unit_test(test_checkpoint_in_a_step_makes_its_start_durable),
        cmocka_unit_test(test_start_of_a_slow_step_is_sent_while_it_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
