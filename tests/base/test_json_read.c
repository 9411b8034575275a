#include "engine/base/json_read.h"

#include <string.h>

#include "engine/base/json_scan.h"
#include "tests/base/fixture.h"

struct reading {
    struct json_reader reader;
    struct arena arena;
};

static void begin(struct reading *reading, const char *text)
{
    arena_init(&reading->arena, 4096);
    assert_true(json_scan(bytes_of_text(text), &json_limits_payload, NULL));
    json_read_begin(&reading->reader, bytes_of_text(text), &reading->arena);
}

static void end(struct reading *reading)
{
    arena_fini(&reading->arena);
}

static void assert_text(struct bytes text, const char *expected, size_t len)
{
    assert_non_null(text.data);
    assert_int_equal(text.len, len);
    assert_memory_equal(text.data, expected, len);
}

static void test_an_object_is_walked_in_order(void **state)
{
    struct reading reading;
    struct bytes text;

    (void)state;
    begin(&reading, " { \"a\" : \"1\" ,\n\"b\\n\":[ \"2\" , \"\" ],\"c\":{},\"d\":[]} ");
    assert_true(json_read_open(&reading.reader, '{'));
    assert_true(json_read_name(&reading.reader, &text));
    assert_text(text, "a", 1);
    assert_true(json_read_string(&reading.reader, &text));
    assert_text(text, "1", 1);
    assert_true(json_read_name(&reading.reader, &text));
    assert_text(text, "b\\n", 3); /* as it is written */
    assert_true(json_read_open(&reading.reader, '['));
    assert_true(json_read_element(&reading.reader));
    assert_true(json_read_string(&reading.reader, &text));
    assert_true(json_read_element(&reading.reader));
    assert_true(json_read_string(&reading.reader, &text));
    assert_text(text, "", 0);
    assert_false(json_read_element(&reading.reader));
    assert_true(json_read_name(&reading.reader, &text));
    assert_true(json_read_open(&reading.reader, '{'));
    assert_false(json_read_name(&reading.reader, &text));
    assert_true(json_read_name(&reading.reader, &text));
    assert_text(text, "d", 1);
    assert_true(json_read_open(&reading.reader, '['));
    assert_false(json_read_element(&reading.reader));
    assert_false(json_read_name(&reading.reader, &text));
    assert_true(json_read_is_whole(&reading.reader));
    end(&reading);
}

static void test_a_plain_string_is_not_copied(void **state)
{
    const char *written = "\"h\xC3\xA9 llo\"";
    struct reading reading;
    struct bytes text;

    (void)state;
    begin(&reading, written);
    assert_true(json_read_string(&reading.reader, &text));
    assert_ptr_equal(text.data, written + 1);
    assert_int_equal(text.len, 7);
    end(&reading);
}

struct decoding {
    const char *written;
    const char *meant;
    size_t len;
};

static void test_escapes_become_what_they_mean(void **state)
{
    static const struct decoding cases[] = {
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8},
        {"\"\\\"\\\"a\\\\\"", "\"\"a\\", 4},
        {"\"\\u0041\\u007f\"", "A\x7f", 2},
        {"\"x\\u0000y\"", "x\0y", 3},
        {"\"\\u0080\\u07ff\\u00E9\"", "\xC2\x80\xDF\xBF\xC3\xA9", 6},
        {"\"\\u0800\\uFFFF\\uD7FF\\ue000\"", "\xE0\xA0\x80\xEF\xBF\xBF\xED\x9F\xBF\xEE\x80\x80",
         12},
        {"\"\\uD83D\\uDE00\\uD800\\uDC00\\uDBFF\\uDFFF\"",
         "\xF0\x9F\x98\x80\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 12},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reading reading;
        struct bytes text;

        begin(&reading, cases[i].written);
        assert_true(json_read_string(&reading.reader, &text));
        assert_text(text, cases[i].meant, cases[i].len);
        end(&reading);
    }
}

static void test_half_a_surrogate_pair_is_not_read(void **state)
{
    static const char *const texts[] = {
        "\"\\uD800\"",        "\"\\uDC00\"",        "\"\\uD800x\"",      "\"\\uD800\\n\"",
        "\"\\uD800\\uD800\"", "\"\\uDC00\\uD800\"", "\"\\uD800\\u0041\""};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct reading reading;
        struct bytes text;

        begin(&reading, texts[i]);
        assert_false(json_read_string(&reading.reader, &text));
        assert_false(json_read_is_whole(&reading.reader));
        end(&reading);
    }
}

static void test_what_was_not_asked_for_ends_the_reading(void **state)
{
    static const char *const texts[] = {"1", "null", "{}", "[]", "true"};
    struct reading reading;
    struct bytes text;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        begin(&reading, texts[i]);
        assert_false(json_read_string(&reading.reader, &text));
        assert_false(json_read_open(&reading.reader, '{')); /* also where there was one */
        assert_false(json_read_name(&reading.reader, &text));
        assert_false(json_read_element(&reading.reader));
        assert_false(json_read_is_whole(&reading.reader));
        end(&reading);
    }
}

static void test_a_string_without_memory_is_not_read(void **state)
{
    struct reading reading;
    struct bytes text;

    (void)state;
    begin(&reading, "\"\\n\"");
    fixture_fail_after(0);
    assert_false(json_read_string(&reading.reader, &text));
    fixture_fail_after(-1);
    end(&reading);
}

/* --- members --------------------------------------------------------------------------- */

static const struct json_member members[] = {JSON_MEMBER("Id", 3), JSON_MEMBER("Name", 5)};

static bool read_both(const char *text, struct bytes texts[2], struct reading *reading)
{
    memset(texts, 0, 2 * sizeof *texts);
    begin(reading, text);
    return json_read_members(&reading->reader, members, 2, texts);
}

static void test_members_are_found_in_any_order(void **state)
{
    struct reading reading;
    struct bytes texts[2];

    (void)state;
    assert_true(read_both("{\"Name\":\"\\u0041bcde\",\"Id\":\"\"}", texts, &reading));
    assert_text(texts[0], "", 0);
    assert_text(texts[1], "Abcde", 5);
    end(&reading);
    assert_true(read_both("{}", texts, &reading));
    assert_null(texts[0].data);
    assert_null(texts[1].data);
    end(&reading);
}

static void test_an_odd_member_ends_the_reading(void **state)
{
    static const char *const texts[] = {"{\"Id\":\"1\",\"Id\":\"1\"}",
                                        "{\"Id\":\"\",\"Id\":\"\"}",
                                        "{\"Id\":\"1234\"}",
                                        "{\"Id\":1}",
                                        "{\"Id\":null}",
                                        "{\"Id\":{}}",
                                        "{\"Other\":\"1\"}",
                                        "{\"I\\u0064\":\"1\"}",
                                        "{\"id\":\"1\"}",
                                        "{\"\":\"1\"}",
                                        "[\"Id\"]",
                                        "\"Id\""};
    struct reading reading;
    struct bytes found[2];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (read_both(texts[i], found, &reading)) {
            fail_msg("read: %s", texts[i]);
        }
        end(&reading);
    }
}

#define TEST(name) cmocka_unit_test_teardown(name, fixture_restore)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_object_is_walked_in_order),
        TEST(test_a_plain_string_is_not_copied),
        TEST(test_escapes_become_what_they_mean),
        TEST(test_half_a_surrogate_pair_is_not_read),
        TEST(test_what_was_not_asked_for_ends_the_reading),
        TEST(test_a_string_without_memory_is_not_read),
        TEST(test_members_are_found_in_any_order),
        TEST(test_an_odd_member_ends_the_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
