#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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

/* "7" gives 7 by a step; "!" fails; "w7" waits and gives 7; "c7" waits for a callback. */
static int branch(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    char *text = arg;
    struct pawl_callback callback;

    if (text[0] == '!') {
        return pawl_fail(ctx, "Broken", "branch");
    }
    if (text[0] == 'w') {
        PAWL_TRY(pawl_wait_s(ctx, NULL, 10));
        text++;
    }
    if (text[0] == 'c') {
        PAWL_TRY(pawl_callback_create(ctx, NULL, NULL, &callback));
        return pawl_callback_result(ctx, &callback, ret_result);
    }
    return pawl_step(ctx, NULL, echo, text, NULL, ret_result);
}

static int map_branch(struct pawl_context *ctx, struct pawl_value item, size_t index, void *arg,
                      struct pawl_value *ret_result)
{
    (void)index;
    (void)arg;
    return branch(ctx, (void *)(uintptr_t)item.data, ret_result);
}

/* What the handlers below do. */
static char *texts[1024];
static size_t text_count;
static struct pawl_batch_options options;

static void set_branches(const char *list)
{
    static char copy[256];
    char *save = NULL;

    (void)snprintf(copy, sizeof copy, "%s", list);
    text_count = 0;
    for (char *text = strtok_r(copy, " ", &save); text != NULL; text = strtok_r(NULL, " ", &save)) {
        texts[text_count++] = text;
    }
    memset(&options, 0, sizeof options);
}

static struct pawl_value describe(struct pawl_context *ctx, const struct pawl_batch *batch)
{
    static const char *const completions[] = {"all", "enough", "too many failures"};
    char *text = pawl_printf(ctx, "%s:", completions[batch->completion]);

    for (size_t i = 0; i < batch->count; i++) {
        const struct pawl_item *item = &batch->items[i];

        text = (item->status == PAWL_ITEM_SUCCEEDED)
                   ? pawl_printf(ctx, "%s %.*s", text, (int)item->result.len, item->result.data)
               : (item->status == PAWL_ITEM_FAILED)
                   ? pawl_printf(ctx, "%s %s", text, item->error.type)
                   : pawl_printf(ctx, "%s -", text);
    }
    return pawl_format(ctx, "%s (%zu %zu)", text, batch->succeeded, batch->failed);
}

static int parallel(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    struct pawl_branch *branches = pawl_alloc(ctx, text_count * sizeof *branches);
    struct pawl_batch batch;

    for (size_t i = 0; i < text_count; i++) {
        branches[i] = (struct pawl_branch){.fn = branch, .arg = texts[i]};
    }
    if (input.data != NULL) {
        return pawl_parallel(ctx, NULL, branches, text_count, &options, NULL);
    }
    PAWL_TRY(pawl_parallel(ctx, "all", branches, text_count, &options, &batch));
    *ret = describe(ctx, &batch);
    return PAWL_OK;
}

static int map(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    struct pawl_value *items = pawl_alloc(ctx, text_count * sizeof *items);
    struct pawl_batch batch;

    (void)input;
    for (size_t i = 0; i < text_count; i++) {
        items[i] = pawl_value(texts[i]);
    }
    PAWL_TRY(pawl_map(ctx, "each", items, text_count, map_branch, NULL, &options, &batch));
    *ret = describe(ctx, &batch);
    return PAWL_OK;
}

/* Runs to the end and again as a replay, which must do nothing and say the same. */
static void assert_batch(pawl_handler_fn *handler, const char *expected)
{
    fake_start(&fake, handler);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_result(&fake), expected);
    fake_trace(&fake);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_result(&fake), expected);
    assert_string_equal(fake_trace(&fake), "");
}

static void test_branches_give_their_results_in_order(void **state)
{
    (void)state;
    set_branches("1 2 3");
    assert_batch(parallel, "all: 1 2 3 (3 0)");
    assert_true(bytes_equal(fake_find(&fake, "1")->sub_type, bytes_of_text("Parallel")));
    assert_true(bytes_equal(fake_find(&fake, "1-2")->sub_type, bytes_of_text("ParallelBranch")));
    assert_true(bytes_equal(fake_find(&fake, "1-2")->name, bytes_of_text("parallel-branch-1")));
    assert_true(bytes_equal(fake_find(&fake, "1-2-1")->result, bytes_of_text("2")));
    assert_string_equal(fake_text(&fake, fake_find(&fake, "1")->result),
                        "{\"all\":[{\"index\":0,\"status\":\"SUCCEEDED\",\"result\":1},"
                        "{\"index\":1,\"status\":\"SUCCEEDED\",\"result\":2},"
                        "{\"index\":2,\"status\":\"SUCCEEDED\",\"result\":3}],"
                        "\"completionReason\":\"ALL_COMPLETED\"}");
    fake_stop(&fake);
}

static void test_map_runs_each_item(void **state)
{
    (void)state;
    set_branches("1 \"two\" {\"a\":[null,true]}");
    assert_batch(map, "all: 1 \"two\" {\"a\":[null,true]} (3 0)");
    assert_true(bytes_equal(fake_find(&fake, "1")->sub_type, bytes_of_text("Map")));
    assert_true(bytes_equal(fake_find(&fake, "1-3")->sub_type, bytes_of_text("MapIteration")));
    assert_true(bytes_equal(fake_find(&fake, "1-3")->name, bytes_of_text("map-item-2")));
    fake_stop(&fake);
}

static void test_batch_of_nothing_succeeds(void **state)
{
    (void)state;
    set_branches("");
    assert_batch(map, "all: (0 0)");
    fake_stop(&fake);
}

static void test_results_that_are_not_json_come_from_the_branches(void **state)
{
    (void)state;
    set_branches("1 two");
    assert_batch(map, "all: 1 two (2 0)");
    assert_true(fake_find(&fake, "1")->replay_children);
    fake_stop(&fake);
}

static void test_first_failure_ends_the_batch(void **state)
{
    (void)state;
    set_branches("1 ! 3");
    options.max_concurrency = 1;
    assert_batch(parallel, "too many failures: 1 Broken - (1 1)");
    assert_null(fake_find(&fake, "1-3"));
    fake_stop(&fake);
}

static void test_tolerated_failures_do_not(void **state)
{
    (void)state;
    set_branches("! ! 3 4");
    options.tolerated_failures = 2;
    options.max_concurrency = 1;
    assert_batch(parallel, "all: Broken Broken 3 4 (2 2)");
    fake_stop(&fake);
    options.tolerated_failures = 1;
    assert_batch(parallel, "too many failures: Broken Broken - - (0 2)");
    fake_stop(&fake);
    options.tolerated_failures = 0;
    options.tolerated_failure_percent = 49;
    assert_batch(parallel, "too many failures: Broken Broken - - (0 2)");
    fake_stop(&fake);
    options.tolerated_failure_percent = 50;
    assert_batch(parallel, "all: Broken Broken 3 4 (2 2)");
    fake_stop(&fake);
}

static void test_enough_successes_end_the_batch_also_while_others_wait(void **state)
{
    (void)state;
    set_branches("c 2 c");
    options.min_successful = 1;
    assert_batch(parallel, "enough: - 2 - (1 0)");
    fake_stop(&fake);
}

static void test_failed_item_fails_a_batch_that_nobody_looks_into(void **state)
{
    (void)state;
    set_branches("1 !");
    fake_start(&fake, parallel);
    fake.input = "check";
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
    assert_true(bytes_equal(fake.error.type, bytes_of_text("Broken")));
    fake_stop(&fake);
}

static void test_percentage_over_100_is_refused(void **state)
{
    (void)state;
    set_branches("1 2");
    options.tolerated_failure_percent = 101;
    fake_start(&fake, parallel);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_FAILED);
    assert_true(bytes_equal(fake.error.type, bytes_of_text("Pawl.Misuse")));
    assert_null(fake_find(&fake, "1"));
    fake_stop(&fake);
}

/* --- flat ------------------------------------------------------------------------- */

static void test_operations_of_flat_branches_belong_to_the_batch(void **state)
{
    (void)state;
    for (unsigned at_once = 1; at_once <= 3; at_once++) {
        set_branches("1 2 3");
        options.is_flat = true;
        options.max_concurrency = at_once;
        assert_batch(parallel, "all: 1 2 3 (3 0)");
        assert_int_equal(fake.op_count, 1 + 3);
        assert_true(bytes_equal(fake_find(&fake, "1-2-1")->parent_id, bytes_of_text("1")));
        fake_stop(&fake);
        set_branches("1 2");
        options.is_flat = true;
        assert_batch(map, "all: 1 2 (2 0)");
        assert_int_equal(fake.op_count, 1 + 2);
        fake_stop(&fake);
    }
}

static void test_flat_branches_run_again_until_the_batch_has_ended(void **state)
{
    (void)state;
    set_branches("1 w2 !");
    options.is_flat = true;
    options.tolerated_failures = 1;
    fake_start(&fake, parallel);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_true(bytes_equal(fake_find(&fake, "1-2-1")->parent_id, bytes_of_text("1")));
    fake_end(&fake, "1-2-1", OP_SUCCEEDED, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_result(&fake), "all: 1 2 Broken (2 1)");
    assert_int_equal(fake.op_count, 1 + 3);
    fake_stop(&fake);
}

/* The summary says which have ended: the fourth must not be run by the replay. */
static void test_flat_results_that_are_not_json_come_from_a_rerun(void **state)
{
    (void)state;
    set_branches("one ! three four");
    options.is_flat = true;
    options.min_successful = 2;
    options.max_concurrency = 1;
    assert_batch(map, "enough: one Broken three - (2 1)");
    assert_true(fake_find(&fake, "1")->replay_children);
    assert_null(fake_find(&fake, "1-4-1"));
    assert_non_null(strstr(fake_text(&fake, fake_find(&fake, "1")->result), "\"items\":\"SFS-\""));
    fake_stop(&fake);
}

static void test_flat_branch_that_does_less_than_before_is_held(void **state)
{
    (void)state;
    set_branches("1 c");
    options.is_flat = true;
    fake_start(&fake, parallel);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    texts[0] = (char *)(uintptr_t) "!";
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_HELD);
    fake_stop(&fake);
}

static void test_invocation_suspends_when_all_branches_wait(void **state)
{
    (void)state;
    set_branches("w1 c w3");
    fake_start(&fake, parallel);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_int_equal(fake_find(&fake, "1-1-1")->status, OP_STARTED);
    assert_int_equal(fake_find(&fake, "1-2-1")->status, OP_STARTED);
    assert_int_equal(fake_find(&fake, "1-3-1")->status, OP_STARTED);
    fake_end(&fake, "1-3-1", OP_SUCCEEDED, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_int_equal(fake_find(&fake, "1-3")->status, OP_SUCCEEDED);
    fake_end(&fake, "1-1-1", OP_SUCCEEDED, NULL);
    fake_end(&fake, "1-2-1", OP_SUCCEEDED, "\"called\"");
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_result(&fake), "all: 1 \"called\" 3 (3 0)");
    fake_stop(&fake);
}

static void test_no_more_branches_run_at_once_than_asked(void **state)
{
    (void)state;
    set_branches("c c 3");
    options.max_concurrency = 2;
    fake_start(&fake, parallel);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_null(fake_find(&fake, "1-3"));
    fake_end(&fake, "1-2-1", OP_SUCCEEDED, "2");
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    assert_int_equal(fake_find(&fake, "1-3")->status, OP_SUCCEEDED);
    fake_end(&fake, "1-1-1", OP_SUCCEEDED, "1");
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_result(&fake), "all: 1 2 3 (3 0)");
    fake_stop(&fake);
}

/* --- a notice while a branch executes ---------------------------------------------- */

static bool is_released;

static int held_step(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    (void)ctx;
    while (!__atomic_load_n(&is_released, __ATOMIC_ACQUIRE)) {
        usleep(1000);
    }
    *ret_result = pawl_value(arg);
    return PAWL_OK;
}

static int holding_branch(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    return pawl_step(ctx, NULL, held_step, arg, NULL, ret_result);
}

static int hold_and_wait(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    const struct pawl_branch branches[] = {
        {.fn = holding_branch, .arg = "1"},
        {.fn = branch, .arg = "c"},
        {.fn = branch, .arg = "w3"},
    };
    struct pawl_batch batch;

    (void)input;
    PAWL_TRY(pawl_parallel(ctx, NULL, branches, 3, NULL, &batch));
    *ret = describe(ctx, &batch);
    return PAWL_OK;
}

static bool has_noticed;

/* Once both wait, one is ended with a notice; the checkpoint that fetches it brings the end
 * of the other, whose branch then runs a step: the held one is released when that is seen. */
static bool drive(struct fake *f, const struct wire_checkpoint *checkpoint)
{
    struct wire_operation *waiting = fake_find(f, "1-3-1");

    if (has_noticed && waiting->status == OP_STARTED) {
        fake_end(f, "1-3-1", OP_SUCCEEDED, NULL);
    }
    fake_apply(f, checkpoint);
    if (!has_noticed && fake_find(f, "1-2-1") != NULL && fake_find(f, "1-3-1") != NULL) {
        has_noticed = true;
        fake_end(f, "1-2-1", OP_SUCCEEDED, "2");
        fake_send(f, WIRE_NOTICE, f->number, bytes_of(NULL, 0));
    }
    if (fake_find(f, "1-3-2") != NULL) {
        __atomic_store_n(&is_released, true, __ATOMIC_RELEASE);
    }
    return true;
}

static void test_notice_wakes_a_branch_while_another_executes(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        is_released = false;
        has_noticed = false;
        fake_start(&fake, hold_and_wait);
        fake.on_checkpoint = drive;
        assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
        assert_string_equal(fake_result(&fake), "all: 1 2 3 (3 0)");
        fake_stop(&fake);
    }
}

/* --- sizes ------------------------------------------------------------------------ */

static int large_item(struct pawl_context *ctx, struct pawl_value item, size_t index, void *arg,
                      struct pawl_value *ret_result)
{
    char *text = pawl_alloc(ctx, 100003);

    (void)item;
    (void)arg;
    memset(text, '0' + (int)index, 100002);
    text[0] = '"';
    text[100001] = '"';
    *ret_result = pawl_value(text);
    return PAWL_OK;
}

static int large_map(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    struct pawl_value items[5] = {{0}};
    struct pawl_batch batch;
    size_t sum = 0;

    (void)input;
    PAWL_TRY(pawl_map(ctx, NULL, items, 5, large_item, NULL, NULL, &batch));
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(batch.items[i].result.data[500], '0' + (int)i);
        sum += batch.items[i].result.len;
    }
    *ret = pawl_format(ctx, "%zu", sum);
    return PAWL_OK;
}

static void test_results_too_large_together_come_from_the_branches(void **state)
{
    (void)state;
    assert_batch(large_map, "500010");
    assert_true(fake_find(&fake, "1")->replay_children);
    assert_non_null(strstr(fake_text(&fake, fake_find(&fake, "1")->result), "\"MapResult\""));
    fake_stop(&fake);
}

/* More branches than threads, more updates than one checkpoint takes. */
static void test_many_branches_share_checkpoints(void **state)
{
    static char numbers[600][24];

    (void)state;
    set_branches("");
    text_count = 600;
    for (size_t i = 0; i < text_count; i++) {
        (void)snprintf(numbers[i], sizeof numbers[i], "%zu", i);
        texts[i] = numbers[i];
    }
    fake_start(&fake, map);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_non_null(strstr(fake_result(&fake), " 0 1 2 3 4 5 "));
    assert_non_null(strstr(fake_result(&fake), " 598 599 (600 0)"));
    assert_true(fake.checkpoints < 600);
    assert_int_equal(fake.op_count, 1 + 2 * 600);
    fake_stop(&fake);
}

/* The daemon may also answer with what it was told: it is older than what stands here. */
static void test_answers_do_not_undo_what_is_on_its_way(void **state)
{
    (void)state;
    set_branches("");
    text_count = 100;
    for (size_t i = 0; i < text_count; i++) {
        texts[i] = (char *)(uintptr_t) "5";
    }
    for (int i = 0; i < 20; i++) {
        fake_start(&fake, map);
        fake.answers_all = true;
        assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
        assert_int_equal(fake.op_count, 1 + 2 * 100);
        fake_stop(&fake);
    }
}

static int nested(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    const struct pawl_branch branches[] = {{"a", branch, "w1"}, {"b", branch, "2"}};
    struct pawl_batch batch;

    (void)arg;
    PAWL_TRY(pawl_parallel(ctx, NULL, branches, 2, NULL, &batch));
    *ret_result = pawl_format(ctx, "%zu", batch.succeeded);
    return PAWL_OK;
}

static int nesting(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    const struct pawl_branch branches[] = {{"x", nested, NULL}, {"y", nested, NULL}};
    struct pawl_batch batch;

    (void)input;
    PAWL_TRY(pawl_parallel(ctx, NULL, branches, 2, NULL, &batch));
    *ret = describe(ctx, &batch);
    return PAWL_OK;
}

static void test_batches_inside_batches_suspend_and_resume(void **state)
{
    (void)state;
    fake_start(&fake, nesting);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    fake_end(&fake, "1-2-1-1-1", OP_SUCCEEDED, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_PENDING);
    fake_end(&fake, "1-1-1-1-1", OP_SUCCEEDED, NULL);
    assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
    assert_string_equal(fake_result(&fake), "all: 2 2 (2 0)");
    fake_stop(&fake);
}

static int waits_inside(struct pawl_context *ctx, void *arg, struct pawl_value *ret_result)
{
    const struct pawl_branch branches[] = {{"c", branch, "c"}, {"d", branch, "c"}};

    (void)arg;
    (void)ret_result;
    return pawl_parallel(ctx, NULL, branches, 2, NULL, NULL);
}

static int enough_outside(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret)
{
    const struct pawl_branch branches[] = {{"in", waits_inside, NULL}, {"x", branch, "7"}};
    const struct pawl_batch_options one = {.min_successful = 1};
    struct pawl_batch batch;

    (void)input;
    PAWL_TRY(pawl_parallel(ctx, NULL, branches, 2, &one, &batch));
    *ret = describe(ctx, &batch);
    return PAWL_OK;
}

static void test_batch_that_is_over_ends_the_batches_inside(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        fake_start(&fake, enough_outside);
        assert_int_equal(fake_run(&fake), WIRE_OUTCOME_SUCCEEDED);
        assert_string_equal(fake_result(&fake), "enough: - 7 (1 0)");
        fake_stop(&fake);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_branches_give_their_results_in_order),
        cmocka_unit_test(test_map_runs_each_item),
        cmocka_unit_test(test_batch_of_nothing_succeeds),
        cmocka_unit_test(test_results_that_are_not_json_come_from_the_branches),
        cmocka_unit_test(test_first_failure_ends_the_batch),
        cmocka_unit_test(test_tolerated_failures_do_not),
        cmocka_unit_test(test_enough_successes_end_the_batch_also_while_others_wait),
        cmocka_unit_test(test_failed_item_fails_a_batch_that_nobody_looks_into),
        cmocka_unit_test(test_percentage_over_100_is_refused),
        cmocka_unit_test(test_operations_of_flat_branches_belong_to_the_batch),
        cmocka_unit_test(test_flat_branches_run_again_until_the_batch_has_ended),
        cmocka_unit_test(test_flat_results_that_are_not_json_come_from_a_rerun),
        cmocka_unit_test(test_flat_branch_that_does_less_than_before_is_held),
        cmocka_unit_test(test_invocation_suspends_when_all_branches_wait),
        cmocka_unit_test(test_no_more_branches_run_at_once_than_asked),
        cmocka_unit_test(test_notice_wakes_a_branch_while_another_executes),
        cmocka_unit_test(test_results_too_large_together_come_from_the_branches),
        cmocka_unit_test(test_many_branches_share_checkpoints),
        cmocka_unit_test(test_answers_do_not_undo_what_is_on_its_way),
        cmocka_unit_test(test_batch_that_is_over_ends_the_batches_inside),
        cmocka_unit_test(test_batches_inside_batches_suspend_and_resume),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
