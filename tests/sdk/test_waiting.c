#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/sdk/fake.h"

static struct fake fake;

/* --- timers ----------------------------------------------------------------------- */

static int waits(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)input;
    PAWL_TRY(pawl_wait_s(ctx, "pause", 60));
    *ret = pawl_value("\"rested\"");
    return PAWL_OK;
}

static void test_wait_suspends_until_it_is_over(void **state)
{
    (void)state;
    fake_start(&fake, waits);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_string_equal(fake_trace(&fake), "[1 WAIT START \"pause\" 60s]");
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING); /* woken for another reason */
    assert_string_equal(fake_trace(&fake), "");
    fake_end(&fake, "1", OP_SUCCEEDED, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_result(&fake), "\"rested\"");
    fake_stop(&fake);
}

static bool end_wait_first(struct fake *f, const struct wire_checkpoint *checkpoint)
{
    fake_add(f, "1", OP_WAIT, OP_SUCCEEDED, "pause", "Wait");
    fake_answer(f, checkpoint->seq);
    return true;
}

static void test_wait_that_is_over_with_the_answer_does_not_suspend(void **state)
{
    (void)state;
    fake_start(&fake, waits);
    fake.on_checkpoint = end_wait_first;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    fake_stop(&fake);
}

static int waits_for_nothing(struct pawl_context *ctx, struct pawl_value input,
                             struct pawl_value *ret)
{
    (void)input;
    (void)ret;
    return pawl_wait_s(ctx, NULL, 0);
}

static void test_wait_of_no_time_is_a_mistake(void **state)
{
    (void)state;
    fake_start(&fake, waits_for_nothing);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
    assert_true(bytes_equal(fake.error.type, bytes_of_text("Pawl.Misuse")));
    fake_stop(&fake);
}

/* --- callbacks -------------------------------------------------------------------- */

static int callback(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    const struct pawl_callback_options options = {.timeout_s = 5};
    struct pawl_callback cb;

    PAWL_TRY(pawl_callback_create(ctx, input.data, &options, &cb));
    assert_string_equal(cb.id, "cb-1");
    return pawl_callback_result(ctx, &cb, ret);
}

static void test_callback_gives_the_bytes_that_were_sent(void **state)
{
    (void)state;
    fake_start(&fake, callback);
    fake.input = "approval";
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_string_equal(fake_trace(&fake), "[1 CALLBACK START \"approval\" 5s]");
    fake_end(&fake, "1", OP_SUCCEEDED, "raw text");
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_result(&fake), "raw text");
    fake_stop(&fake);
}

static void test_callback_that_failed_or_timed_out_fails_its_caller(void **state)
{
    static const enum op_status ends[] = {OP_FAILED, OP_TIMED_OUT};

    (void)state;
    for (int i = 0; i < 2; i++) {
        fake_start(&fake, callback);
        fake.input = "approval";
        assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
        fake_fail(&fake, "1", ends[i], "Callback.Timeout", "too late");
        assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
        assert_true(bytes_equal(fake.error.type, bytes_of_text("Callback.Timeout")));
        assert_true(bytes_equal(fake.error.message, bytes_of_text("too late")));
        fake_stop(&fake);
    }
}

static int submit(struct pawl_context *ctx, const char *callback_id, void *arg)
{
    (void)arg;
    pawl_info(ctx, "submitted %s", callback_id);
    return PAWL_OK;
}

static int waits_for_callback(struct pawl_context *ctx, struct pawl_value input,
                              struct pawl_value *ret)
{
    (void)input;
    return pawl_wait_for_callback(ctx, "review", submit, NULL, NULL, ret);
}

static void test_wait_for_callback_is_one_context_of_callback_and_step(void **state)
{
    (void)state;
    fake_start(&fake, waits_for_callback);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_string_equal(fake_trace(&fake), "[1 CONTEXT START \"review\" | 1-1 CALLBACK START]"
                                           "[1-2 STEP START | 1-2 STEP SUCCEED]");
    assert_non_null(strstr(fake_text(&fake, buf_bytes(&fake.logs)), "1:1-2:submitted cb-1-1\n"));
    fake_end(&fake, "1-1", OP_SUCCEEDED, "yes");
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_trace(&fake), "[1 CONTEXT SUCCEED \"review\" =yes]");
    assert_string_equal(fake_result(&fake), "yes");
    assert_true(bytes_equal(fake_find(&fake, "1")->sub_type, bytes_of_text("WaitForCallback")));
    assert_true(bytes_equal(fake_find(&fake, "1-1")->parent_id, bytes_of_text("1")));
    fake_stop(&fake);
}

/* --- other functions -------------------------------------------------------------- */

static int invokes(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    const struct pawl_invoke_options options = {.tenant_id = "green"};

    return pawl_invoke(ctx, "echo", "echo:$LATEST", input, &options, ret);
}

static bool check_target(struct fake *f, const struct wire_checkpoint *checkpoint)
{
    (void)f;
    assert_true(bytes_equal(checkpoint->updates[0].function, bytes_of_text("echo:$LATEST")));
    assert_true(bytes_equal(checkpoint->updates[0].tenant_id, bytes_of_text("green")));
    return false;
}

static void test_chained_invoke_gives_the_result_of_its_target(void **state)
{
    (void)state;
    fake_start(&fake, invokes);
    fake.input = "{\"a\":1}";
    fake.on_checkpoint = check_target;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_string_equal(fake_trace(&fake), "[1 INVOKE START \"echo\" ={\"a\":1}]");
    fake_end(&fake, "1", OP_SUCCEEDED, "{\"a\":2}");
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_result(&fake), "{\"a\":2}");
    fake_stop(&fake);
}

static void test_chained_invoke_that_was_stopped_fails_its_caller(void **state)
{
    (void)state;
    fake_start(&fake, invokes);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_string_equal(fake_trace(&fake), "[1 INVOKE START \"echo\"]");
    fake_fail(&fake, "1", OP_STOPPED, "Stopped", "by hand");
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
    assert_true(bytes_equal(fake.error.type, bytes_of_text("Stopped")));
    fake_stop(&fake);
}

/* --- conditions ------------------------------------------------------------------- */

static int count_to_three(struct pawl_context *ctx, void *arg, struct pawl_value state_value,
                          struct pawl_value *ret_state, bool *ret_is_done)
{
    int n = state_value.data[0] - '0' + 1;

    (void)arg;
    assert_int_equal((int)pawl_attempt(ctx), n);
    *ret_state = pawl_format(ctx, "%d", n);
    *ret_is_done = n == 3;
    return PAWL_OK;
}

static int counts(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    struct pawl_condition_options options = {.initial_state = {"0", 1},
                                             .initial_delay_s = 2,
                                             .backoff_rate = 2,
                                             .jitter = PAWL_JITTER_NONE};

    options.max_attempts = (input.data != NULL) ? 2 : 0;
    return pawl_wait_for_condition(ctx, "count", count_to_three, NULL, &options, ret);
}

static void test_condition_keeps_its_state_from_look_to_look(void **state)
{
    (void)state;
    fake_start(&fake, counts);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_string_equal(fake_trace(&fake),
                        "[1 STEP START \"count\" | 1 STEP RETRY \"count\" =1 2s]");
    fake_end(&fake, "1", OP_READY, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_string_equal(fake_trace(&fake),
                        "[1 STEP START \"count\" | 1 STEP RETRY \"count\" =2 4s]");
    fake_end(&fake, "1", OP_READY, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_result(&fake), "3");
    assert_true(bytes_equal(fake_find(&fake, "1")->sub_type, bytes_of_text("WaitForCondition")));
    fake_stop(&fake);
}

static void test_condition_gives_up_after_its_last_look(void **state)
{
    (void)state;
    fake_start(&fake, counts);
    fake.input = "few";
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    fake_end(&fake, "1", OP_READY, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
    assert_true(bytes_equal(fake.error.type, bytes_of_text("WaitForConditionError")));
    fake_stop(&fake);
}

static void test_interrupted_look_is_made_again(void **state)
{
    (void)state;
    fake_start(&fake, counts);
    fake_run(&fake);
    fake_end(&fake, "1", OP_READY, NULL);
    fake_find(&fake, "1")->status = OP_STARTED;
    fake.base = 0; /* another process */
    fake_trace(&fake);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_string_equal(fake_trace(&fake), "[1 STEP RETRY \"count\" =2 4s]");
    fake_stop(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wait_suspends_until_it_is_over),
        cmocka_unit_test(test_wait_that_is_over_with_the_answer_does_not_suspend),
        cmocka_unit_test(test_wait_of_no_time_is_a_mistake),
        cmocka_unit_test(test_callback_gives_the_bytes_that_were_sent),
        cmocka_unit_test(test_callback_that_failed_or_timed_out_fails_its_caller),
        cmocka_unit_test(test_wait_for_callback_is_one_context_of_callback_and_step),
        cmocka_unit_test(test_chained_invoke_gives_the_result_of_its_target),
        cmocka_unit_test(test_chained_invoke_that_was_stopped_fails_its_caller),
        cmocka_unit_test(test_condition_keeps_its_state_from_look_to_look),
        cmocka_unit_test(test_condition_gives_up_after_its_last_look),
        cmocka_unit_test(test_interrupted_look_is_made_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
