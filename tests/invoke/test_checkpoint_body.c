/* The body of a checkpoint: which ones are read without a tree, and that the others are left
 * to one. That both say the same is tests/fuzz/fuzz_checkpoint.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "invoke/checkpoint_body.h"

#define UPDATES(text) "{\"CheckpointToken\":\"YQ==\",\"Updates\":[" text "]}"
#define UPDATE(more) UPDATES("{\"Id\":\"1\",\"Type\":\"STEP\",\"Action\":\"START\"" more "}")

static struct arena arena;

static bool reads(const char *text, struct checkpoint_body *ret_body)
{
    arena_reset(&arena);
    return checkpoint_body_read(bytes_of_text(text), &arena, ret_body);
}

static void assert_text(struct bytes text, const char *expected)
{
    if (!bytes_equal(text, bytes_of_text(expected))) {
        fail_msg("'%.*s' instead of '%s'", (int)text.len, (const char *)text.data, expected);
    }
}

/* As AWS's SDK for JavaScript 2.4 sends it. */
static void test_what_an_sdk_sends_for_a_step_needs_no_tree(void **state)
{
    struct checkpoint_body body;

    (void)state;
    assert_true(reads("{\"CheckpointToken\":\"awGiCeCrBXB1rAA=\",\"Updates\":["
                      "{\"Id\":\"c4ca4238a0b92382\",\"Type\":\"STEP\",\"Action\":\"START\","
                      "\"Name\":\"step-0\",\"SubType\":\"Step\"},"
                      "{\"Id\":\"c4ca4238a0b92382\",\"Type\":\"STEP\",\"Action\":\"SUCCEED\","
                      "\"Name\":\"step-0\",\"SubType\":\"Step\",\"ParentId\":\"p\","
                      "\"Payload\":\"{\\\"a\\\":[1]}\"}],"
                      "\"ClientToken\":\"065d7d4b-d294-4d54-b0e5-cb06e6a001c7\"}",
                      &body));
    assert_text(body.token, "awGiCeCrBXB1rAA=");
    assert_text(body.client_token, "065d7d4b-d294-4d54-b0e5-cb06e6a001c7");
    assert_int_equal(body.update_count, 2);
    assert_int_equal(body.updates[0].type, OP_STEP);
    assert_int_equal(body.updates[0].action, OP_START);
    assert_false(body.updates[0].has_payload);
    assert_null(body.updates[0].parent_id.data);
    assert_int_equal(body.updates[1].action, OP_SUCCEED);
    assert_text(body.updates[1].id, "c4ca4238a0b92382");
    assert_text(body.updates[1].name, "step-0");
    assert_text(body.updates[1].sub_type, "Step");
    assert_text(body.updates[1].parent_id, "p");
    assert_true(body.updates[1].has_payload);
    assert_text(body.updates[1].payload, "{\"a\":[1]}");
}

static void test_an_empty_poll_needs_no_tree(void **state)
{
    struct checkpoint_body body;

    (void)state;
    assert_true(reads(UPDATES(""), &body));
    assert_int_equal(body.update_count, 0);
    assert_true(reads("{}", &body));
    assert_null(body.token.data);
}

static void test_as_many_updates_as_are_allowed_are_read(void **state)
{
    static const char update[] = "{\"Id\":\"1\",\"Type\":\"STEP\",\"Action\":\"START\"}";
    struct checkpoint_body body;
    struct buf text = {0};

    (void)state;
    buf_append_text(&text, "{\"Updates\":[");
    for (unsigned i = 0; i < UPDATES_MAX; i++) {
        buf_append_text(&text, (i > 0) ? "," : "");
        buf_append_text(&text, update);
    }
    buf_append(&text, "]}", 3);
    assert_true(reads((const char *)text.data, &body));
    assert_int_equal(body.update_count, UPDATES_MAX);
    assert_text(body.updates[UPDATES_MAX - 1].id, "1");
    text.len -= 3;
    buf_printf(&text, ",%s]}", update);
    assert_false(reads((const char *)text.data, &body));
    buf_fini(&text);
}

static void test_everything_else_is_left_to_a_tree(void **state)
{
    static const char *const texts[] = {
        "",
        "1",
        "[]",
        "{",
        "{\"Updates\":{}}",
        "{\"Updates\":[1]}",
        "{\"Updates\":[[]]}",
        "{\"Updates\":null}",
        "{\"Updates\":[],\"Updates\":[]}",
        "{\"Other\":\"\"}",
        "{\"CheckpointToken\":1}",
        "{\"CheckpointToken\":\"\",\"CheckpointToken\":\"\"}",
        "{\"ClientToken\":\"01234567890123456789012345678901234567890123456789012345678901234\"}",
        UPDATES("{}"),
        UPDATES("{\"Id\":\"\",\"Type\":\"STEP\",\"Action\":\"START\"}"),
        UPDATES("{\"Id\":\"a b\",\"Type\":\"STEP\",\"Action\":\"START\"}"),
        UPDATES("{\"Id\":\"1\",\"Type\":\"LOOP\",\"Action\":\"START\"}"),
        UPDATES("{\"Id\":\"1\",\"Type\":\"STEP\",\"Action\":\"LEAP\"}"),
        UPDATES("{\"Id\":\"1\",\"Type\":\"STEP\"}"),
        UPDATE(",\"Name\":null"),
        UPDATE(",\"Name\":\"\\n\""),
        UPDATE(",\"SubType\":\"\\u00e9\""),
        UPDATE(",\"ParentId\":\"/\""),
        UPDATE(",\"Payload\":{}"),
        UPDATE(",\"Payload\":\"\\ud800\""),
        UPDATE(",\"Error\":{}"),
        UPDATE(",\"StepOptions\":{}"),
        UPDATE(",\"WaitOptions\":{\"WaitSeconds\":1}"),
        UPDATE(",\"Id\":\"1\""),
        UPDATE(",\"I\\u0064\":\"1\"")};
    struct checkpoint_body body;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (reads(texts[i], &body)) {
            fail_msg("read without a tree: %s", texts[i]);
        }
    }
    assert_true(reads(UPDATE(",\"Name\":\"~ \",\"Payload\":\"\""), &body));
}

static long allocations_left;

static bool may_allocate(size_t size)
{
    (void)size;
    return allocations_left-- > 0;
}

static void test_without_memory_it_is_left_to_a_tree(void **state)
{
    struct checkpoint_body body;

    (void)state;
    arena_fini(&arena);
    mem_set_hook(may_allocate);
    assert_false(reads(UPDATE(""), &body));
    mem_set_hook(NULL);
    assert_true(reads(UPDATE(""), &body));
}

static int end(void **state)
{
    (void)state;
    mem_set_hook(NULL);
    arena_fini(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_an_sdk_sends_for_a_step_needs_no_tree),
        cmocka_unit_test(test_an_empty_poll_needs_no_tree),
        cmocka_unit_test(test_as_many_updates_as_are_allowed_are_read),
        cmocka_unit_test(test_everything_else_is_left_to_a_tree),
        cmocka_unit_test(test_without_memory_it_is_left_to_a_tree),
    };

    return cmocka_run_group_tests(tests, NULL, end);
}
