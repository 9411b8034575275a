/* When an invocation may suspend, and when it must not: with a checkpoint under way its
 * answer may bring what a branch waits for, and would not come again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/sdk/fake.h"

static struct fake fake;
static bool is_released;

static void spin(void)
{
    while (!__atomic_load_n(&is_released, __ATOMIC_ACQUIRE)) {
        usleep(1000);
    }
}

static void release(void)
{
    __atomic_store_n(&is_released, true, __ATOMIC_RELEASE);
}

static int waits_for_call(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    struct pawl_callback callback;

    PAWL_TRY(pawl_callback_create(ctx, NULL, NULL, &callback));
    if (arg != NULL) {
        spin();
    }
    return pawl_callback_result(ctx, &callback, ret_result);
}

static int computes(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    (void)ctx;
    spin();
    *ret_result = pawl_value(arg);
    return PAWL_OK;
}

static int run_two(struct pawl_context *ctx, pawl_fn *fn, struct pawl_value *ret)
{
    const struct pawl_branch branches[] = {{"a", fn, "1"}, {"b", waits_for_call, NULL}};
    struct pawl_batch batch;

    PAWL_TRY(pawl_parallel(ctx, NULL, branches, 2, NULL, &batch));
    *ret = batch.items[1].result;
    return PAWL_OK;
}

static int both_wait(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)input;
    return run_two(ctx, waits_for_call, ret);
}

static int one_computes(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)input;
    return run_two(ctx, computes, ret);
}

static bool is_started(struct fake *f, const char *id)
{
    const struct wire_operation *operation = fake_find(f, id);

    return operation != NULL && operation->status == OP_STARTED;
}

/* A notice makes the branch that waits ask. While the answer is not given the other one
 * comes to wait too: nothing runs, and still nothing may be said. */
static bool hold_answer(struct fake *f, const struct wire_checkpoint *checkpoint)
{
    static bool has_noticed;

    has_noticed = has_noticed && checkpoint->seq > 1;
    if (has_noticed && !is_released) {
        release();
        assert_false(fake_hears(f));
        fake_end(f, "1-2-1", OP_SUCCEEDED, "\"came\"");
    }
    fake_apply(f, checkpoint);
    if (!has_noticed && is_started(f, "1-1-1") && is_started(f, "1-2-1")) {
        has_noticed = true;
        fake_send(f, WIRE_NOTICE, f->number, bytes_of(NULL, 0));
    }
    return true;
}

static void test_nothing_suspends_while_an_answer_is_to_come(void **state)
{
    (void)state;
    is_released = false;
    fake_start(&fake, both_wait);
    fake.on_checkpoint = hold_answer;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_int_equal(fake_find(&fake, "1-2")->status, OP_SUCCEEDED);
    fake.on_checkpoint = NULL;
    fake_end(&fake, "1-1-1", OP_SUCCEEDED, "1");
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_result(&fake), "\"came\"");
    fake_stop(&fake);
}

/* The branch that runs ends meanwhile, and its end is queued behind the question. */
static bool end_behind_question(struct fake *f, const struct wire_checkpoint *checkpoint)
{
    static bool has_noticed;

    has_noticed = has_noticed && checkpoint->seq > 1;
    if (has_noticed && !is_released) {
        release();
        assert_false(fake_hears(f));
    }
    fake_apply(f, checkpoint);
    if (!has_noticed && is_started(f, "1-2-1")) {
        has_noticed = true;
        fake_send(f, WIRE_NOTICE, f->number, bytes_of(NULL, 0));
    }
    return true;
}

static void test_what_is_queued_behind_a_question_is_sent_before_suspending(void **state)
{
    (void)state;
    is_released = false;
    fake_start(&fake, one_computes);
    fake.on_checkpoint = end_behind_question;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_int_equal(fake_find(&fake, "1-1")->status, OP_SUCCEEDED);
    fake_stop(&fake);
}

/* A change that was only announced is a reason for another invocation: no need to ask. */
static bool notice_at_once(struct fake *f, const struct wire_checkpoint *checkpoint)
{
    fake_send(f, WIRE_NOTICE, f->number, bytes_of(NULL, 0));
    fake_apply(f, checkpoint);
    return true;
}

static int one_call(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)input;
    return waits_for_call(ctx, NULL, ret);
}

static void test_last_one_to_wait_does_not_ask(void **state)
{
    (void)state;
    fake_start(&fake, one_call);
    fake.on_checkpoint = notice_at_once;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_string_equal(fake_trace(&fake), "[1 CALLBACK START]");
    fake_stop(&fake);
}

/* --- an answer that is older than what stands here ----------------------------------- */

static bool is_running;

static int slow_step(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    __atomic_store_n(&is_running, true, __ATOMIC_RELEASE);
    return computes(ctx, arg, ret_result);
}

static int slow_branch(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    return pawl_step(ctx, NULL, slow_step, arg, NULL, ret_result);
}

static int quick_branch(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    (void)arg;
    (void)ret_result;
    while (!__atomic_load_n(&is_running, __ATOMIC_ACQUIRE)) {
        usleep(1000);
    }
    return pawl_checkpoint(ctx);
}

static int slow_and_quick(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    const struct pawl_branch branches[] = {{"a", slow_branch, "1"}, {"b", quick_branch, NULL}};
    struct pawl_batch batch;

    (void)input;
    PAWL_TRY(pawl_parallel(ctx, NULL, branches, 2, NULL, &batch));
    *ret = batch.items[0].result;
    return PAWL_OK;
}

/* The first checkpoint carries the start of the slow step; while its answer, which says
 * "started", is to come, the step ends and its result is queued. */
static bool answer_late(struct fake *f, const struct wire_checkpoint *checkpoint)
{
    f->answers_all = checkpoint->seq == 1;
    if (checkpoint->seq == 1) {
        release();
        assert_false(fake_hears(f));
    }
    return false;
}

static void test_answer_does_not_undo_what_is_on_its_way(void **state)
{
    (void)state;
    is_released = false;
    is_running = false;
    fake_start(&fake, slow_and_quick);
    fake.on_checkpoint = answer_late;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_result(&fake), "1");
    fake_stop(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_suspends_while_an_answer_is_to_come),
        cmocka_unit_test(test_what_is_queued_behind_a_question_is_sent_before_suspending),
        cmocka_unit_test(test_answer_does_not_undo_what_is_on_its_way),
        cmocka_unit_test(test_last_one_to_wait_does_not_ask),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
