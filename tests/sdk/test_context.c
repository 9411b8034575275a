#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/sdk/fake.h"

static struct fake fake;
static unsigned bodies; /* times a child's body ran */
static bool is_new_code;

static int echo(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    (void)ctx;
    *ret_result = pawl_value(arg);
    return PAWL_OK;
}

static int child_body(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    bodies++;
    PAWL_TRY(pawl_step(ctx, NULL, echo, arg, NULL, ret_result));
    return pawl_step(ctx, NULL, echo, arg, NULL, NULL);
}

static int with_child(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)input;
    PAWL_TRY(pawl_child(ctx, "inner", child_body, "7", ret));
    return pawl_wait_s(ctx, NULL, 1);
}

static void test_child_counts_its_own_operations_and_is_skipped_once_done(void **state)
{
    (void)state;
    fake_start(&fake, with_child);
    bodies = 0;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_string_equal(fake_trace(&fake),
                        "[1 CONTEXT START \"inner\" | 1-1 STEP START | 1-1 STEP SUCCEED =7]"
                        "[1-2 STEP START | 1-2 STEP SUCCEED =7]"
                        "[1 CONTEXT SUCCEED \"inner\" =7 | 2 WAIT START 1s]");
    fake_end(&fake, "2", OP_SUCCEEDED, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_int_equal(bodies, 1);
    assert_string_equal(fake_result(&fake), "7");
    fake_stop(&fake);
}

static int fails_inside(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    (void)arg;
    (void)ret_result;
    return pawl_fail(ctx, "Inner", "in the child");
}

static int child_fails(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)input;
    return pawl_child(ctx, NULL, fails_inside, NULL, ret);
}

static void test_error_of_a_child_reaches_its_parent_also_on_replay(void **state)
{
    (void)state;
    fake_start(&fake, child_fails);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
        assert_true(bytes_equal(fake.error.type, bytes_of_text("Inner")));
        assert_true(bytes_equal(fake.error.message, bytes_of_text("in the child")));
    }
    assert_string_equal(fake_trace(&fake), "[1 CONTEXT START | 1 CONTEXT FAIL !Inner]");
    fake_stop(&fake);
}

static int large_body(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    struct pawl_value small;
    char *large = pawl_alloc(ctx, 300001);

    pawl_log_replays(ctx, true);
    pawl_info(ctx, "body");
    pawl_log_replays(ctx, false);
    PAWL_TRY(pawl_step(ctx, NULL, echo, arg, NULL, &small));
    if (is_new_code) {
        PAWL_TRY(pawl_step(ctx, "extra", echo, arg, NULL, NULL));
    }
    pawl_info(ctx, "end");
    memset(large, small.data[0], 300000);
    *ret_result = pawl_value(large);
    return PAWL_OK;
}

static int with_large_child(struct pawl_context *ctx, struct pawl_value input,
                            struct pawl_value *ret)
{
    struct pawl_value large;

    (void)input;
    PAWL_TRY(pawl_child(ctx, NULL, large_body, "x", &large));
    PAWL_TRY(pawl_wait_s(ctx, NULL, 1));
    *ret = pawl_format(ctx, "%zu%c", large.len, large.data[299999]);
    return PAWL_OK;
}

static void test_large_result_of_a_child_is_made_again_by_replay(void **state)
{
    (void)state;
    fake_start(&fake, with_large_child);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_string_equal(fake_trace(&fake),
                        "[1 CONTEXT START | 1-1 STEP START | 1-1 STEP SUCCEED =x]"
                        "[1 CONTEXT SUCCEED = | 2 WAIT START 1s]");
    assert_true(fake_find(&fake, "1")->replay_children);
    fake_end(&fake, "2", OP_SUCCEEDED, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_result(&fake), "300000x");
    assert_string_equal(fake_trace(&fake), "");
    assert_string_equal(fake_text(&fake, buf_bytes(&fake.logs)), "1:1:body\n1:1:end\n1:1:body\n");
    fake_stop(&fake);
}

/* --- replay that differs ---------------------------------------------------------- */

static void test_ended_context_that_asks_for_more_holds(void **state)
{
    (void)state;
    fake_start(&fake, with_large_child);
    is_new_code = false;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    is_new_code = true;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_HELD);
    assert_non_null(strstr(fake_text(&fake, fake.error.message), "STEP \"extra\" (Step)"));
    is_new_code = false;
    fake_stop(&fake);
}

static int changing(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)input;
    if (is_new_code) {
        return pawl_wait_s(ctx, "pause", 5);
    }
    PAWL_TRY(pawl_step(ctx, "charge", echo, "1", NULL, ret));
    return pawl_wait_s(ctx, NULL, 1);
}

static void test_replay_that_differs_holds_the_execution(void **state)
{
    const char *message;

    (void)state;
    fake_start(&fake, changing);
    is_new_code = false;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    is_new_code = true;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_HELD);
    message = fake_text(&fake, fake.error.message);
    assert_non_null(strstr(message, "operation 1 was recorded as STEP \"charge\" (Step)"));
    assert_non_null(strstr(message, "asks for WAIT \"pause\" (Wait)"));
    fake_stop(&fake);
}

static int ends_early(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)input;
    PAWL_TRY(pawl_step(ctx, "charge", echo, "1", NULL, ret));
    return is_new_code ? PAWL_OK : pawl_wait_s(ctx, "pause", 1);
}

static void test_handler_that_ends_before_what_is_recorded_holds(void **state)
{
    (void)state;
    fake_start(&fake, ends_early);
    is_new_code = false;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    is_new_code = true;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_HELD);
    assert_non_null(strstr(fake_text(&fake, fake.error.message), "more than 1 operations"));
    fake_stop(&fake);
}

static int fails_at_length(struct pawl_context *ctx, struct pawl_value input,
                           struct pawl_value *ret)
{
    char *data = pawl_alloc(ctx, 40001);
    char *message = pawl_alloc(ctx, 100001);
    struct pawl_error error = {"Long", "short", data};

    (void)ret;
    memset(data, 'd', 40000);
    memset(message, 1, 100000); /* six characters each in JSON */
    if (input.data != NULL) {
        error.message = message;
    }
    return pawl_fail_with(ctx, &error);
}

static void test_error_too_large_loses_its_data_then_its_tail(void **state)
{
    (void)state;
    fake_start(&fake, fails_at_length);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
    assert_true(bytes_equal(fake.error.message, bytes_of_text("short")));
    assert_int_equal(fake.error.data.len, 0);
    fake.input = "long message";
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
    assert_true(bytes_equal(fake.error.type, bytes_of_text("Long")));
    assert_int_equal(fake.error.message.len, 4096);
    fake_stop(&fake);
}

/* --- returns ---------------------------------------------------------------------- */

static int swallows(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)input;
    (void)ret;
    if (pawl_wait_s(ctx, NULL, 1) != PAWL_OK) {
        return pawl_fail(ctx, "Mistaken", "took the suspension for a failure");
    }
    return PAWL_OK;
}

static void test_suspension_cannot_be_mistaken_for_a_failure(void **state)
{
    (void)state;
    fake_start(&fake, swallows);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    fake_end(&fake, "1", OP_SUCCEEDED, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    fake_stop(&fake);
}

static int invents_suspension(struct pawl_context *ctx, struct pawl_value input,
                              struct pawl_value *ret)
{
    (void)ctx;
    (void)ret;
    return (input.data != NULL) ? 17 : PAWL_SUSPENDED;
}

static void test_codes_that_no_call_returned_are_failures_that_say_so(void **state)
{
    (void)state;
    fake_start(&fake, invents_suspension);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
    assert_true(bytes_equal(fake.error.type, bytes_of_text("Pawl.Misuse")));
    fake.input = "17";
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
    assert_non_null(strstr(fake_text(&fake, fake.error.message), "returned 17"));
    fake_stop(&fake);
}

static char cleaned[16];

static void clean(void *arg)
{
    strncat(cleaned, arg, sizeof cleaned - strlen(cleaned) - 1);
}

static int cleans(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    char *owned = malloc(3);
    int r;

    (void)input;
    assert_non_null(owned);
    memcpy(owned, "{}", 3);
    pawl_defer(ctx, free, owned);
    pawl_defer(ctx, clean, "a");
    pawl_defer(ctx, clean, "b");
    PAWL_TRY_OR(pawl_wait_s(ctx, NULL, 1), out);
    *ret = pawl_value(owned);
out:
    return r;
}

static void test_deferred_functions_run_last_first_whatever_happens(void **state)
{
    (void)state;
    fake_start(&fake, cleans);
    cleaned[0] = '\0';
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_string_equal(cleaned, "ba");
    fake_end(&fake, "1", OP_SUCCEEDED, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(cleaned, "baba");
    assert_string_equal(fake_result(&fake), "{}");
    fake_stop(&fake);
}

static int huge(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    size_t len = (size_t)6 * 1024 * 1024 - 50 + (input.data != NULL);
    char *text = pawl_alloc(ctx, len + 1);

    memset(text, '1', len);
    *ret = (struct pawl_value){text, len};
    return PAWL_OK;
}

static void test_result_over_the_limit_of_a_response_fails(void **state)
{
    (void)state;
    fake_start(&fake, huge);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_int_equal(fake.complete.payload.len, 6291406);
    fake.input = "one more";
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
    assert_true(bytes_equal(fake.error.type, bytes_of_text("Function.ResponseSizeTooLarge")));
    fake_stop(&fake);
}

/* --- logs, time, chance ----------------------------------------------------------- */

static int logs(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    (void)input;
    pawl_info(ctx, "before");
    PAWL_TRY(pawl_wait_s(ctx, NULL, 1));
    pawl_warn(ctx, "after %d", 1);
    return pawl_step(ctx, NULL, echo, "1", NULL, ret);
}

static void test_each_line_is_logged_once_over_all_replays(void **state)
{
    (void)state;
    fake_start(&fake, logs);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    fake_end(&fake, "1", OP_SUCCEEDED, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_text(&fake, buf_bytes(&fake.logs)), "1::before\n2::after 1\n");
    fake_stop(&fake);
}

static int chances(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    uint64_t one = pawl_random(ctx);
    uint64_t two = pawl_random(ctx);
    char uuid[37];
    int64_t now_ms;

    (void)input;
    pawl_uuid(ctx, uuid);
    PAWL_TRY(pawl_now_ms(ctx, &now_ms));
    PAWL_TRY(pawl_wait_s(ctx, NULL, 1));
    assert_true(one != two && two != pawl_random(ctx));
    assert_true(uuid[14] == '4' && uuid[36] == '\0' && uuid[23] == '-');
    *ret = pawl_format(ctx, "%lu %lu %s %ld", one, two, uuid, now_ms);
    if (!pawl_is_replaying(ctx)) {
        pawl_info(ctx, "%s", ret->data);
    }
    return PAWL_OK;
}

static int chances_twice(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    struct pawl_value texts[2];

    PAWL_TRY(chances(ctx, input, &texts[0]));
    PAWL_TRY(chances(ctx, input, &texts[1]));
    assert_string_not_equal(texts[0].data, texts[1].data);
    *ret = texts[0];
    return PAWL_OK;
}

static void test_time_and_chance_replay_the_same(void **state)
{
    const char *first;

    (void)state;
    fake_start(&fake, chances_twice);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    fake_end(&fake, "2", OP_SUCCEEDED, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    fake_end(&fake, "4", OP_SUCCEEDED, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    first = fake_result(&fake);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_result(&fake), first);
    /* What the second invocation has logged is what the fourth still says. */
    assert_non_null(strstr(fake_text(&fake, buf_bytes(&fake.logs)), first));
    fake_stop(&fake);
}

static int quotes(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    char *text = pawl_json_unquote(ctx, input);

    if (text == NULL) {
        return pawl_fail(ctx, "NotText", "not a JSON string");
    }
    *ret = pawl_value(pawl_json_quote(ctx, text));
    return PAWL_OK;
}

static void test_json_texts_are_unquoted_and_quoted(void **state)
{
    static const char *const good[][2] = {
        {"\"plain\"", "\"plain\""},
        {" \"a\\n\\\"\\\\\\/\" ", "\"a\\n\\\"\\\\/\""},
        {"\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"", "\"A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""},
        {"\"\\ud83d\"", "\"\xEF\xBF\xBD\""},
        {"\"\\ud83d\\u0041\"", "\"\xEF\xBF\xBD"
                               "A\""},
        {"\"\"", "\"\""},
    };
    static const char *const bad[] = {"",       "\"",        "12",          "\"a\"b\"", "\"\\x\"",
                                      "\"\\\"", "\"\\u12\"", "\"\\u12g4\"", "\"\n\""};

    (void)state;
    fake_start(&fake, quotes);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        fake.input = good[i][0];
        assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
        assert_string_equal(fake_result(&fake), good[i][1]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fake.input = bad[i];
        assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
    }
    fake_stop(&fake);
}

static int informs(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    const struct pawl_invocation *info = pawl_invocation(ctx);

    (void)input;
    assert_true(pawl_time_left_ms(ctx) > 0);
    *ret = pawl_format(ctx, "%s %s %s %s %d %u %ld", info->request_id, info->function_arn,
                       info->execution_arn, info->tenant_id, info->is_durable, info->number,
                       info->start_ms);
    return PAWL_OK;
}

static void test_handler_knows_its_invocation(void **state)
{
    (void)state;
    fake_start(&fake, informs);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_result(&fake), "request-1 arn:function arn:execution blue 1 1 1000");
    fake_stop(&fake);
}

static void test_durable_call_of_an_ordinary_function_fails_with_advice(void **state)
{
    (void)state;
    fake_start(&fake, with_child);
    fake.is_not_durable = true;
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
    assert_true(bytes_equal(fake.error.type, bytes_of_text("Pawl.NotDurable")));
    fake_stop(&fake);
}

static void test_ordinary_function_gets_its_payload(void **state)
{
    (void)state;
    fake_start(&fake, quotes);
    fake.is_not_durable = true;
    fake.input = "\"hi\"";
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_result(&fake), "\"hi\"");
    fake_stop(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_child_counts_its_own_operations_and_is_skipped_once_done),
        cmocka_unit_test(test_error_of_a_child_reaches_its_parent_also_on_replay),
        cmocka_unit_test(test_large_result_of_a_child_is_made_again_by_replay),
        cmocka_unit_test(test_replay_that_differs_holds_the_execution),
        cmocka_unit_test(test_handler_that_ends_before_what_is_recorded_holds),
        cmocka_unit_test(test_ended_context_that_asks_for_more_holds),
        cmocka_unit_test(test_error_too_large_loses_its_data_then_its_tail),
        cmocka_unit_test(test_suspension_cannot_be_mistaken_for_a_failure),
        cmocka_unit_test(test_codes_that_no_call_returned_are_failures_that_say_so),
        cmocka_unit_test(test_deferred_functions_run_last_first_whatever_happens),
        cmocka_unit_test(test_result_over_the_limit_of_a_response_fails),
        cmocka_unit_test(test_each_line_is_logged_once_over_all_replays),
        cmocka_unit_test(test_time_and_chance_replay_the_same),
        cmocka_unit_test(test_json_texts_are_unquoted_and_quoted),
        cmocka_unit_test(test_handler_knows_its_invocation),
        cmocka_unit_test(test_durable_call_of_an_ordinary_function_fails_with_advice),
        cmocka_unit_test(test_ordinary_function_gets_its_payload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
