#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/sdk/fake.h"

static struct fake fake;

static int echo(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    (void)ctx;
    *ret_result = pawl_value(arg);
    return PAWL_OK;
}

static int two_waits(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)input;
    PAWL_TRY(pawl_step(ctx, NULL, echo, "1", NULL, ret));
    PAWL_TRY(pawl_wait_s(ctx, NULL, 1));
    return pawl_wait_s(ctx, NULL, 2);
}

static void test_resume_needs_only_what_has_changed(void **state)
{
    (void)state;
    fake_start(&fake, two_waits);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    fake_end(&fake, "2", OP_SUCCEEDED, NULL);
    assert_true(fake.base != 0);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_string_equal(fake_trace(&fake),
                        "[1 STEP START | 1 STEP SUCCEED =1][2 WAIT START 1s][3 WAIT START 2s]");
    fake_end(&fake, "3", OP_SUCCEEDED, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_int_equal(fake.need_fulls, 0);
    assert_string_equal(fake_result(&fake), "1");
    fake_stop(&fake);
}

static void test_state_that_is_not_kept_is_asked_for(void **state)
{
    const struct service_options options = {
        .handler = two_waits, .cache_bytes_max = 0, .tick_ms = 1000000};

    (void)state;
    fake_start_with(&fake, &options);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    fake_end(&fake, "2", OP_SUCCEEDED, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_int_equal(fake.need_fulls, 1);
    fake_end(&fake, "3", OP_SUCCEEDED, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_int_equal(fake.need_fulls, 2);
    assert_string_equal(fake_result(&fake), "1");
    fake_stop(&fake);
}

static void test_state_of_another_record_is_not_used(void **state)
{
    (void)state;
    fake_start(&fake, two_waits);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    fake_end(&fake, "2", OP_SUCCEEDED, NULL);
    fake.base++; /* an attempt elsewhere has confirmed more */
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_int_equal(fake.need_fulls, 1);
    fake_stop(&fake);
}

static void test_resume_without_news_keeps_the_state_current(void **state)
{
    (void)state;
    fake_start(&fake, two_waits);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    }
    assert_int_equal(fake.need_fulls, 0);
    fake_stop(&fake);
}

static bool answer_another_first(struct fake *f, const struct wire_checkpoint *checkpoint)
{
    f->refusal = "INVALID";
    fake_answer(f, checkpoint->seq + 1);
    f->refusal = NULL;
    return false;
}

static void test_answer_to_another_checkpoint_is_ignored(void **state)
{
    (void)state;
    fake_start(&fake, two_waits);
    fake.on_checkpoint = answer_another_first;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_int_equal(fake_find(&fake, "2")->status, OP_STARTED);
    fake_stop(&fake);
}

/* --- fences ----------------------------------------------------------------------- */

static unsigned afterwards;

static int goes_on(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    int r = pawl_step(ctx, NULL, echo, "1", NULL, ret);

    (void)input;
    afterwards += r == PAWL_SUSPENDED;
    /* A handler that does not listen finds every door closed. */
    r = pawl_wait_s(ctx, NULL, 1);
    afterwards += r == PAWL_SUSPENDED;
    return PAWL_OK;
}

static void test_stale_token_ends_the_invocation_in_silence(void **state)
{
    (void)state;
    afterwards = 0;
    fake_start(&fake, goes_on);
    fake.refusal = "STALE";
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_int_equal(fake.checkpoints, 1);
    assert_int_equal(afterwards, 2);
    /* Its state was of no use: the next run starts from what is recorded. */
    fake.refusal = NULL;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_int_equal(fake.need_fulls, 1);
    fake_stop(&fake);
}

static void test_a_daemon_that_stops_suspends_at_a_checkpoint(void **state)
{
    (void)state;
    afterwards = 0;
    fake_start(&fake, goes_on);
    fake.refusal = "SUSPEND";
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_int_equal(fake.checkpoints, 1);
    assert_int_equal(afterwards, 2);
    fake_stop(&fake);
}

static bool cancel(struct fake *f, const struct wire_checkpoint *checkpoint)
{
    struct wire_cancel word = {.reason = bytes_of_text("timeout")};
    struct buf body = {0};

    (void)checkpoint;
    wire_put_cancel(&body, &word);
    fake_send(f, WIRE_CANCEL, f->number, buf_bytes(&body));
    buf_fini(&body);
    return true; /* and the checkpoint is never answered */
}

static void test_cancelled_invocation_ends_without_its_answer(void **state)
{
    (void)state;
    afterwards = 0;
    fake_start(&fake, goes_on);
    fake.on_checkpoint = cancel;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_int_equal(afterwards, 2);
    fake_stop(&fake);
}

static void test_invalid_checkpoint_fails_with_the_reason(void **state)
{
    (void)state;
    fake_start(&fake, two_waits);
    fake.refusal = "INVALID";
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
    assert_true(bytes_equal(fake.error.message, bytes_of_text("refused by the test")));
    assert_true(bytes_equal(fake.error.type, bytes_of_text("InvalidParameterValueException")));
    fake_stop(&fake);
}

static void test_other_refusals_are_failures_of_the_invocation(void **state)
{
    (void)state;
    fake_start(&fake, two_waits);
    fake.refusal = "FULL";
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_ERROR);
    fake_stop(&fake);
}

static int in_branch(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    (void)arg;
    (void)ret_result;
    return pawl_wait_s(ctx, NULL, 60);
}

static int waits_in_branches(struct pawl_context *ctx, struct pawl_value input,
                             struct pawl_value *ret)
{
    const struct pawl_branch branches[] = {{"a", in_branch, NULL}, {"b", in_branch, NULL}};

    (void)input;
    (void)ret;
    return pawl_parallel(ctx, NULL, branches, 2, NULL, NULL);
}

static void test_cancel_reaches_all_branches(void **state)
{
    (void)state;
    fake_start(&fake, waits_in_branches);
    fake.on_checkpoint = cancel;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    fake_stop(&fake);
}

/* --- order and limits ------------------------------------------------------------- */

static void test_messages_for_ended_invocations_are_ignored(void **state)
{
    (void)state;
    fake_start(&fake, two_waits);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    fake_send(&fake, WIRE_NOTICE, fake.number, bytes_of(NULL, 0));
    fake_send(&fake, WIRE_CANCEL, fake.number, bytes_of(NULL, 0));
    fake_send(&fake, WIRE_CHECKPOINTED, 4711, bytes_of("x", 1));
    fake_end(&fake, "2", OP_SUCCEEDED, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    fake_stop(&fake);
}

static void test_invoke_that_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    fake_start(&fake, two_waits);
    fake.number = 5;
    fake_send(&fake, WIRE_INVOKE, 5, bytes_of("\xFF\xFF", 2));
    assert_int_equal(fake_serve(&fake), WIRE_OUTCOME_ERROR);
    assert_true(bytes_equal(fake.error.type, bytes_of_text("Pawl.Protocol")));
    fake_stop(&fake);
}

static void test_answer_that_cannot_be_read_is_an_error(void **state)
{
    struct frame frame;

    (void)state;
    fake_start(&fake, two_waits);
    fake_invoke(&fake);
    frame = fake_next(&fake);
    assert_int_equal(frame.type, WIRE_CHECKPOINT);
    fake_send(&fake, WIRE_CHECKPOINTED, fake.number, bytes_of("\x0A", 1));
    assert_int_equal(fake_serve(&fake), WIRE_OUTCOME_ERROR);
    fake_stop(&fake);
}

static int large_step(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    char *text = pawl_alloc(ctx, 200001);

    (void)arg;
    memset(text, '1', 200000);
    *ret_result = pawl_value(text);
    return PAWL_OK;
}

static int large_state(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    struct pawl_value result = PAWL_ABSENT;
    size_t sum = 0;

    (void)input;
    for (int i = 0; i < 60; i++) {
        PAWL_TRY(pawl_step(ctx, NULL, large_step, NULL, NULL, &result));
        sum += result.len;
    }
    PAWL_TRY(pawl_wait_s(ctx, NULL, 1));
    *ret = pawl_format(ctx, "%zu", sum);
    return PAWL_OK;
}

static void test_state_larger_than_a_message_comes_in_whole(void **state)
{
    (void)state;
    fake_start(&fake, large_state);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    fake_end(&fake, "61", OP_SUCCEEDED, NULL);
    fake.base = 0; /* all 12 MB again */
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_result(&fake), "12000000");
    fake_stop(&fake);
}

/* Two branches queue one large update each while a checkpoint is under way. */
static int large_branch(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    (void)arg;
    (void)ret_result;
    for (int i = 0; i < 3; i++) {
        PAWL_TRY(pawl_step(ctx, NULL, large_step, NULL, NULL, NULL));
    }
    return PAWL_OK;
}

static int large_branches(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    struct pawl_branch branches[12];

    (void)input;
    (void)ret;
    for (int i = 0; i < 12; i++) {
        branches[i] = (struct pawl_branch){.fn = large_branch};
    }
    return pawl_parallel(ctx, NULL, branches, 12, NULL, NULL);
}

static bool check_size(struct fake *f, const struct wire_checkpoint *checkpoint)
{
    size_t sum = 0;

    (void)f;
    for (size_t i = 0; i < checkpoint->update_count; i++) {
        sum += checkpoint->updates[i].payload.len;
    }
    assert_true(sum <= 750 * 1024);
    return false;
}

static void test_checkpoints_stay_within_their_size(void **state)
{
    (void)state;
    fake_start(&fake, large_branches);
    fake.on_checkpoint = check_size;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_int_equal(fake.op_count, 1 + 12 * 4);
    fake_stop(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resume_needs_only_what_has_changed),
        cmocka_unit_test(test_state_that_is_not_kept_is_asked_for),
        cmocka_unit_test(test_state_of_another_record_is_not_used),
        cmocka_unit_test(test_resume_without_news_keeps_the_state_current),
        cmocka_unit_test(test_answer_to_another_checkpoint_is_ignored),
        cmocka_unit_test(test_stale_token_ends_the_invocation_in_silence),
        cmocka_unit_test(test_a_daemon_that_stops_suspends_at_a_checkpoint),
        cmocka_unit_test(test_cancelled_invocation_ends_without_its_answer),
        cmocka_unit_test(test_invalid_checkpoint_fails_with_the_reason),
        cmocka_unit_test(test_other_refusals_are_failures_of_the_invocation),
        cmocka_unit_test(test_cancel_reaches_all_branches),
        cmocka_unit_test(test_messages_for_ended_invocations_are_ignored),
        cmocka_unit_test(test_invoke_that_cannot_be_read_is_an_error),
        cmocka_unit_test(test_answer_that_cannot_be_read_is_an_error),
        cmocka_unit_test(test_state_larger_than_a_message_comes_in_whole),
        cmocka_unit_test(test_checkpoints_stay_within_their_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
