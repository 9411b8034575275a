/* What is JSON and what is not: RFC 8259, case by case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/json_scan.h"

/* clang-format off */
static const char *const accepted[] = {
    "{}", "[]", "0", "-0", "1", "-1", "10", "0.5", "-0.5e-7", "1E+2", "1e400", "123e65", "0e+1",
    "0e1", "1.5e+9999", "\"\"", "\"a\"", "true", "false", "null", " \t\r\n1\n ", "[1,2]",
    "[ 1 , 2 ]", "[[]]", "[[],[[]]]", "{\"a\":1}", "{\"\":0}", "{\"a\":{\"b\":[{}]}}",
    "{ \"a\" : 1 , \"b\" : null }", "{\"a\":1,\"a\":2}", "[true,false,null]",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u0000\"", "\"\\uD83D\\uDE00\"", "\"\\ud800\"",
    "\"\\uFFFF\\uabCD\"", "\"\x7f\"", "\"\xc2\x80\"", "\"\xdf\xbf\"", "\"\xe0\xa0\x80\"",
    "\"\xed\x9f\xbf\"", "\"\xee\x80\x80\"", "\"\xf0\x90\x80\x80\"", "\"\xf4\x8f\xbf\xbf\"",
    "\"a string that is longer than sixteen bytes \\\" with \xc3\xbc in it\"",
    "[\"\",\"1234567\",\"12345678\",\"123456789\"]", "[1e1,1E1,-1.0]",
    "{\"a\":[],\"b\":[1,[2,[3]]],\"c\":\"]}\"}", "1234567890123456789012345678901234567890123",
};

static const char *const refused[] = {
    "", " ", "{", "[", "}", "]", "\"", "\"a", "{]", "[}", "[1", "[1,", "[1,]", "[,1]", "[,]",
    "[1 2]", "[1,,2]", "{,}", "{\"a\"}", "{\"a\":}", "{\"a\" 1}", "{\"a\":1,}",
    "{\"a\":1 \"b\":2}", "{a:1}", "{'a':1}", "{1:1}", "{\"a\":1", "{\"a\":1]", "{\"a\",\"b\"}",
    "{\"a\"::1}", "1 2", "{}{}", "[] []", "{} x", "tru", "True", "TRUE", "nul", "falsy", "nan",
    "NaN", "Infinity", "-Infinity", "+1", "01", "-01", "-", "--1", "1.", ".5", "1.e1", "1e",
    "1e+", "1e-", "0x1", "1_0", "1a", "0e", "2.e3", "- 1", "'a'", "\"\t\"", "\"\n\"", "\"\x01\"",
    "\"\x1f\"", "\"\\\"", "\"\\x41\"", "\"\\a\"", "\"\\u\"", "\"\\u123\"", "\"\\u123g\"",
    "\"\\U0041\"", "\"\\u 123\"", "\"\\\n\"", "// c\n1", "/* c */ 1", "1 // c", "#1",
    "\xef\xbb\xbf{}", "[\"a\",\n4\n,1,", "[\x0c]", "\xc2\xa0[1]", "{\"a\":\"a\" 123}", "[\"x\"",
    "[1:2]", "\"\x80\"", "\"\xc0\x80\"", "\"\xc1\xbf\"", "\"\xc3\"", "\"\xc3\x28\"",
    "\"\xe0\x80\x80\"", "\"\xe2\x82\"", "\"\xed\xa0\x80\"", "\"\xed\xbf\xbf\"",
    "\"\xf0\x80\x80\x80\"", "\"\xf0\x9f\x98\"", "\"\xf4\x90\x80\x80\"", "\"\xf5\x80\x80\x80\"",
    "\"\xff\"", "\"\xfe\"", "a\xc3\xbc", "[\xc3\xbc]", "{\"a\":1}}", "[1]]", "\"a\"b\"",
};
/* clang-format on */

static bool is_json(const char *text)
{
    return json_scan(bytes_of_text(text), &json_limits_payload, NULL);
}

static void test_json_is_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        if (!is_json(accepted[i])) {
            fail_msg("refused: %s", accepted[i]);
        }
    }
}

static void test_what_is_not_json_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (is_json(refused[i])) {
            fail_msg("accepted: %s", refused[i]);
        }
    }
}

static void test_zero_bytes_are_refused_everywhere(void **state)
{
    static const char text[] = "{\"a\":[1,\"b\"]}";

    (void)state;
    for (size_t i = 0; i <= sizeof text - 1; i++) {
        char with[sizeof text + 1];

        memcpy(with, text, i);
        with[i] = '\0';
        memcpy(with + i + 1, text + i, sizeof text - 1 - i);
        assert_false(json_scan(bytes_of(with, sizeof text), &json_limits_payload, NULL));
    }
    assert_false(json_scan(bytes_of("", 1), &json_limits_payload, NULL));
    assert_false(json_scan(bytes_of(NULL, 0), &json_limits_payload, NULL));
}

static void test_every_beginning_of_a_document_is_refused(void **state)
{
    static const char text[] = "{\"key\":[true,null,-1.5e+7,\"\\u00fc\xc3\xbc \\\"\",{\"n\":{}}]}";

    (void)state;
    assert_true(is_json(text));
    for (size_t len = 0; len < sizeof text - 1; len++) {
        assert_false(json_scan(bytes_of(text, len), &json_limits_payload, NULL));
    }
}

/* Strings are read eight bytes at a time: every special byte, at every place. */
static void test_special_bytes_are_seen_at_every_place(void **state)
{
    char text[40];

    (void)state;
    for (size_t place = 1; place < 33; place++) {
        for (unsigned c = 0; c < 256; c++) {
            bool is_plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';

            memset(text, 'x', sizeof text);
            text[0] = '"';
            text[33] = '"';
            text[place] = (char)c;
            assert_int_equal(json_scan(bytes_of(text, 34), &json_limits_payload, NULL), is_plain);
        }
    }
}

static bool is_nested(size_t depth, const char *open, const char *close, size_t closed)
{
    static char text[1024];
    size_t len = 0;

    for (size_t i = 0; i < depth; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%s", open);
    }
    len += (size_t)snprintf(text + len, sizeof text - len, "1");
    for (size_t i = 0; i < closed; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%s", close);
    }
    return json_scan(bytes_of(text, len), &json_limits_payload, NULL);
}

static void test_depth_ends_at_64(void **state)
{
    (void)state;
    for (size_t depth = 1; depth <= 70; depth++) {
        assert_int_equal(is_nested(depth, "[", "]", depth), depth <= JSON_DEPTH_MAX);
        assert_int_equal(is_nested(depth, "{\"a\":", "}", depth), depth <= JSON_DEPTH_MAX);
        assert_false(is_nested(depth, "[", "]", depth - 1));
        assert_false(is_nested(depth, "[", "]", depth + 1));
        assert_false(is_nested(depth, "[", "}", depth));
        assert_false(is_nested(depth, "{\"a\":", "]", depth));
    }
}

static void test_requests_have_limits_of_their_own(void **state)
{
    static char text[300000];
    const struct json_limits limits = {.tokens_max = 5, .number_chars_max = 4};
    size_t len = 0;

    (void)state;
    assert_true(json_scan(bytes_of_text("{\"a\":[1,2]}"), &limits, NULL));
    assert_false(json_scan(bytes_of_text("{\"a\":[1,2,3]}"), &limits, NULL));
    assert_true(json_scan(bytes_of_text("1.25"), &limits, NULL));
    assert_false(json_scan(bytes_of_text("-1.25"), &limits, NULL));
    text[len++] = '[';
    for (int i = 0; i < 99998; i++) {
        text[len++] = '1';
        text[len++] = ',';
    }
    memcpy(text + len, "1]", 2);
    assert_true(json_scan(bytes_of(text, len + 2), &json_limits_request, NULL));
    memcpy(text + len, "1,1]", 4);
    assert_false(json_scan(bytes_of(text, len + 4), &json_limits_request, NULL));
    assert_true(json_scan(bytes_of(text, len + 4), &json_limits_payload, NULL));
}

static void test_the_problem_is_named_with_its_place(void **state)
{
    struct json_problem problem = {0};

    (void)state;
    assert_false(json_scan(bytes_of_text("{\"a\": x}"), &json_limits_payload, &problem));
    assert_int_equal(problem.offset, 6);
    assert_string_equal(problem.text, "a value is missing");
    assert_false(json_scan(bytes_of_text("[1"), &json_limits_payload, &problem));
    assert_int_equal(problem.offset, 2);
    assert_string_equal(problem.text, "it ends too early");
    assert_false(json_scan(bytes_of_text("1 1"), &json_limits_payload, &problem));
    assert_string_equal(problem.text, "something follows the value");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_is_accepted),
        cmocka_unit_test(test_what_is_not_json_is_refused),
        cmocka_unit_test(test_zero_bytes_are_refused_everywhere),
        cmocka_unit_test(test_every_beginning_of_a_document_is_refused),
        cmocka_unit_test(test_special_bytes_are_seen_at_every_place),
        cmocka_unit_test(test_depth_ends_at_64),
        cmocka_unit_test(test_requests_have_limits_of_their_own),
        cmocka_unit_test(test_the_problem_is_named_with_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
