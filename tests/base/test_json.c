#include "engine/base/json.h"

#include "tests/base/fixture.h"
#include "tests/base/judge.h"

static void assert_written(struct buf *buf, const char *expected)
{
    assert_false(buf->failed);
    buf_append(buf, "", 1);
    assert_string_equal((const char *)buf->data, expected);
    buf->len = 0;
}

static void test_commas_stand_between_members_and_elements(void **state)
{
    struct buf buf = {0};

    (void)state;
    json_open(&buf, '{');
    json_key(&buf, "a");
    json_int(&buf, INT64_MIN);
    json_key(&buf, "b");
    json_open(&buf, '[');
    for (int i = 0; i < 3; i++) {
        json_element(&buf);
        json_bool(&buf, i == 1);
    }
    json_element(&buf);
    json_open(&buf, '{');
    json_close(&buf, '}');
    json_close(&buf, ']');
    json_key(&buf, "c");
    json_text(&buf, "[");
    json_key(&buf, "d");
    json_text(&buf, "{");
    json_close(&buf, '}');
    assert_written(
        &buf, "{\"a\":-9223372036854775808,\"b\":[false,true,false,{}],\"c\":\"[\",\"d\":\"{\"}");
    buf_fini(&buf);
}

static void test_what_json_reserves_is_escaped(void **state)
{
    struct buf buf = {0};

    (void)state;
    json_quoted(&buf, bytes_of("\"\\/\b\f\n\r\t\x7F\0x", 11));
    assert_written(&buf, "\"\\\"\\\\/\\u0008\\u000c\\n\\r\\t\x7F\\u0000x\"");
    json_quoted(&buf, (struct bytes){0});
    assert_written(&buf, "\"\"");
    buf_fini(&buf);
}

static void test_utf8_passes_as_it_is(void **state)
{
    static const char *const texts[] = {"h\xC3\xA9",    "\xE2\x82\xAC",     "\xF0\x9F\xA6\x80",
                                        "\xEF\xBF\xBF", "\xF4\x8F\xBF\xBF", "\xED\x9F\xBF"};
    struct buf buf = {0};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t len = strlen(texts[i]);

        json_text(&buf, texts[i]);
        assert_int_equal(buf.len, len + 2);
        assert_memory_equal(buf.data + 1, texts[i], len);
        buf.len = 0;
    }
    buf_fini(&buf);
}

/* Overlong forms, surrogates, beyond U+10FFFF, cut short, alone. */
static void test_what_is_not_utf8_is_replaced_byte_by_byte(void **state)
{
    static const char *const texts[] = {
        "\x80", "\xC0\x80",         "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
        "\xF5", "\xF4\x90\x80\x80", "\xE2\x82", "\xFF\xFE",     "\xF0\x9F\xA6"};
    struct buf buf = {0};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t len = strlen(texts[i]);

        json_text(&buf, texts[i]);
        assert_int_equal(buf.len, 3 * len + 2);
        for (size_t k = 0; k < len; k++) {
            assert_memory_equal(buf.data + 1 + 3 * k, "\xEF\xBF\xBD", 3);
        }
        buf.len = 0;
    }
    json_quoted(&buf, bytes_of("a\xE2\x82z", 4));
    assert_written(&buf, "\"a\xEF\xBF\xBD\xEF\xBF\xBDz\"");
    buf_fini(&buf);
}

/* The judge takes only well-formed JSON in well-formed UTF-8. */
static void test_random_bytes_give_what_another_parser_reads(void **state)
{
    struct prng prng = fixture_seed();
    struct buf buf = {0};

    (void)state;
    for (int round = 0; round < 5000; round++) {
        uint8_t text[24];
        uint8_t read[3 * sizeof text];
        size_t len = prng_below(&prng, sizeof text + 1);
        size_t read_len;

        for (size_t i = 0; i < len; i++) {
            text[i] = (uint8_t)prng_next(&prng);
        }
        json_quoted(&buf, bytes_of(text, len));
        assert_true(judge_reads_string(buf_bytes(&buf), read, sizeof read, &read_len));
        buf.len = 0;
    }
    buf_fini(&buf);
}

static void test_text_without_escapes_comes_back_unchanged(void **state)
{
    struct prng prng = fixture_seed();
    struct buf buf = {0};

    (void)state;
    for (int round = 0; round < 2000; round++) {
        uint8_t text[40];
        uint8_t read[sizeof text];
        size_t len = prng_below(&prng, sizeof text + 1);
        size_t read_len;

        for (size_t i = 0; i < len; i++) {
            text[i] = (uint8_t)prng_below(&prng, 128);
        }
        json_quoted(&buf, bytes_of(text, len));
        assert_true(judge_reads_string(buf_bytes(&buf), read, sizeof read, &read_len));
        assert_true(bytes_equal(bytes_of(read, read_len), bytes_of(text, len)));
        buf.len = 0;
    }
    buf_fini(&buf);
}

static void test_seconds_have_three_digits_of_fraction(void **state)
{
    struct buf buf = {0};

    (void)state;
    json_seconds(&buf, 1764802628830);
    assert_written(&buf, "1764802628.830");
    json_seconds(&buf, 5);
    assert_written(&buf, "0.005");
    json_seconds(&buf, 0);
    assert_written(&buf, "0.000");
    buf_fini(&buf);
}

static void test_without_memory_the_buffer_says_so(void **state)
{
    struct buf buf = {0};

    (void)state;
    fixture_fail_after(0);
    json_open(&buf, '{');
    json_key(&buf, "a");
    json_text(&buf, "b");
    json_close(&buf, '}');
    assert_true(buf.failed);
    buf_fini(&buf);
}

#define TEST(name) cmocka_unit_test_teardown(name, fixture_restore)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_commas_stand_between_members_and_elements),
        TEST(test_what_json_reserves_is_escaped),
        TEST(test_utf8_passes_as_it_is),
        TEST(test_what_is_not_utf8_is_replaced_byte_by_byte),
        TEST(test_random_bytes_give_what_another_parser_reads),
        TEST(test_text_without_escapes_comes_back_unchanged),
        TEST(test_seconds_have_three_digits_of_fraction),
        TEST(test_without_memory_the_buffer_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
