/* Text on its way to the terminal and to the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sdk/cli/base64.h"
#include "sdk/cli/elements.h"
#include "sdk/cli/execution_id.h"
#include "sdk/cli/path.h"
#include "sdk/cli/text.h"

static void assert_text(struct buf *buf, const char *expected)
{
    assert_false(buf->failed);
    buf_append(buf, "", 1);
    assert_string_equal((const char *)buf->data, expected);
    buf_fini(buf);
}

static void test_width_counts_columns_not_bytes(void **state)
{
    (void)state;
    assert_int_equal(cli_text_width(bytes_of_text("abc")), 3);
    assert_int_equal(cli_text_width(bytes_of_text("é")), 1);
    assert_int_equal(cli_text_width(bytes_of_text("e\xCC\x81")), 1); /* e and an accent */
    assert_int_equal(cli_text_width(bytes_of_text("日本")), 4);
    assert_int_equal(cli_text_width(bytes_of_text("🚀")), 2);
    assert_int_equal(cli_text_width(bytes_of_text("\xFF\xC3")), 2); /* two broken bytes */
}

static void test_fit_never_cuts_a_character(void **state)
{
    (void)state;
    assert_int_equal(cli_text_fit(bytes_of_text("日本"), 3).len, 3);
    assert_int_equal(cli_text_fit(bytes_of_text("日本"), 1).len, 0);
    assert_int_equal(cli_text_fit(bytes_of_text("aé"), 2).len, 3);
    assert_int_equal(cli_text_fit(bytes_of_text("e\xCC\x81x"), 1).len, 3);
}

static void test_clean_text_cannot_move_the_cursor(void **state)
{
    static const struct {
        const char *text;
        const char *clean;
    } cases[] = {
        {"a\tb\r\n", "a b  "},
        {"\x1b[2Jx\x07\x7f", "?[2Jx??"},
        {"\xC2\x9B"
         "31m",
         "?31m"},
        {"a\xE2\x80\xAE"
         "b",
         "a?b"}, /* a right-to-left override */
        {"\xF0\x9F\x9A", "???"},
        {"\xC0\x80\xED\xA0\x80", "?????"},
        {"日é", "日é"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf clean = {0};

        cli_text_append_clean(&clean, bytes_of_text(cases[i].text));
        assert_text(&clean, cases[i].clean);
    }
}

static void test_path_encodes_labels_completely(void **state)
{
    struct buf path = {0};

    (void)state;
    cli_path_append_execution(&path, "arn:f:$L/x", "/stop");
    cli_path_append_query(&path, "a", "b c&d=+é");
    cli_path_append_query(&path, "none", NULL);
    cli_path_append_query_number(&path, "n", -5);
    assert_text(&path, "/2025-12-01/durable-executions/arn%3Af%3A%24L%2Fx/stop"
                       "?a=b%20c%26d%3D%2B%C3%A9&n=-5");
    cli_path_append_segment(&path, "..");
    assert_text(&path, "%2E%2E");
    cli_path_append_segment(&path, "a..~-_.");
    assert_text(&path, "a..~-_.");
}

/* RFC 4648 section 10. */
static void test_base64_is_the_one_of_the_rfc(void **state)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct buf buf = {0};

        cli_base64_append(&buf, bytes_of_text(pairs[i][0]));
        assert_text(&buf, pairs[i][1]);
        assert_true(cli_base64_decode(&buf, bytes_of_text(pairs[i][1])));
        assert_text(&buf, pairs[i][0]);
    }
}

static void test_base64_of_all_bytes_comes_back(void **state)
{
    uint8_t bytes[256];
    struct buf text = {0};
    struct buf back = {0};

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)i;
    }
    cli_base64_append(&text, bytes_of(bytes, sizeof bytes));
    assert_true(cli_base64_decode(&back, buf_bytes(&text)));
    assert_int_equal(back.len, sizeof bytes);
    assert_memory_equal(back.data, bytes, sizeof bytes);
    buf_fini(&text);
    buf_fini(&back);
}

static void test_what_is_not_base64_is_refused(void **state)
{
    static const char *const texts[] = {"Zg=", "Zg", "Z===", "Zg==Zg==", "Zm9-", "Zm 9", "===="};
    struct buf buf = {0};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_false(cli_base64_decode(&buf, bytes_of_text(texts[i])));
    }
    buf_fini(&buf);
}

static void assert_next(struct cli_elements *elements, const char *expected)
{
    struct bytes element;

    assert_true(cli_elements_next(elements, &element));
    assert_int_equal(element.len, strlen(expected));
    assert_memory_equal(element.data, expected, element.len);
}

static void test_elements_come_as_they_were_written(void **state)
{
    struct bytes body = bytes_of_text(" { \"A\" : [[1],{\"B\":[9]}] ,\"x\\\"\":\"]}\", \"B\":\n"
                                      "[ 1.10 ,\"a,]\\\"\\\\\",{\"k\":[1, 2]} , null]}");
    struct cli_elements elements;
    struct bytes element;

    (void)state;
    assert_true(cli_elements_find(&elements, body, "B"));
    assert_next(&elements, "1.10");
    assert_next(&elements, "\"a,]\\\"\\\\\"");
    assert_next(&elements, "{\"k\":[1, 2]}");
    assert_next(&elements, "null");
    assert_false(cli_elements_next(&elements, &element));
    assert_false(cli_elements_next(&elements, &element));
}

static void test_elements_of_no_array_are_not_found(void **state)
{
    struct cli_elements elements;
    struct bytes element;

    (void)state;
    assert_false(cli_elements_find(&elements, bytes_of_text("{\"A\":1}"), "A"));
    assert_false(cli_elements_find(&elements, bytes_of_text("{\"A\":{\"B\":[1]}}"), "B"));
    assert_false(cli_elements_find(&elements, bytes_of_text("[1]"), "B"));
    assert_false(cli_elements_find(&elements, bytes_of_text(""), "B"));
    assert_true(cli_elements_find(&elements, bytes_of_text("{\"B\":[ ]}"), "B"));
    assert_false(cli_elements_next(&elements, &element));
}

static void test_function_names_tell_whether_they_are_qualified(void **state)
{
    (void)state;
    assert_false(cli_function_is_qualified("f"));
    assert_true(cli_function_is_qualified("f:3"));
    assert_true(cli_function_is_qualified("f:$LATEST"));
    assert_false(cli_function_is_qualified("123456789012:function:f"));
    assert_true(cli_function_is_qualified("123456789012:function:f:live"));
    assert_false(cli_function_is_qualified("arn:aws:lambda:r:1:function:f"));
    assert_true(cli_function_is_qualified("arn:aws:lambda:r:1:function:f:$LATEST"));
    assert_true(cli_function_is_qualified("myfunction:3"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_width_counts_columns_not_bytes),
        cmocka_unit_test(test_fit_never_cuts_a_character),
        cmocka_unit_test(test_clean_text_cannot_move_the_cursor),
        cmocka_unit_test(test_path_encodes_labels_completely),
        cmocka_unit_test(test_base64_is_the_one_of_the_rfc),
        cmocka_unit_test(test_base64_of_all_bytes_comes_back),
        cmocka_unit_test(test_what_is_not_base64_is_refused),
        cmocka_unit_test(test_elements_come_as_they_were_written),
        cmocka_unit_test(test_elements_of_no_array_are_not_found),
        cmocka_unit_test(test_function_names_tell_whether_they_are_qualified),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
