#include "engine/base/bytes.h"

#include <stdio.h>
#include <wchar.h>

#include "engine/base/mem.h"
#include "tests/base/fixture.h"

static void test_bytes_are_equal_by_content(void **state)
{
    (void)state;
    assert_true(bytes_equal(bytes_of_text("ab"), bytes_of("abc", 2)));
    assert_false(bytes_equal(bytes_of_text("ab"), bytes_of_text("abc")));
    assert_false(bytes_equal(bytes_of_text("ab"), bytes_of_text("ac")));
    assert_true(bytes_equal(bytes_of_text(NULL), bytes_of("x", 0)));
}

static void test_appends_come_out_in_order(void **state)
{
    struct buf buf = {0};
    struct prng prng = fixture_seed();
    static uint8_t model[200000];
    size_t len = 0;

    (void)state;
    while (len < sizeof model - 1000) {
        size_t more = prng_below(&prng, 1000);

        for (size_t i = 0; i < more; i++) {
            model[len + i] = (uint8_t)prng_next(&prng);
        }
        buf_append(&buf, model + len, more);
        len += more;
    }
    assert_false(buf.failed);
    assert_true(bytes_equal(buf_bytes(&buf), bytes_of(model, len)));
    assert_true(buf.cap < 2 * len);
    buf_fini(&buf);
    assert_null(buf.data);
}

static void test_consuming_keeps_the_rest(void **state)
{
    struct buf buf = {0};

    (void)state;
    buf_append_text(&buf, "abcdef");
    buf_consume(&buf, 0);
    assert_true(bytes_equal(buf_bytes(&buf), bytes_of_text("abcdef")));
    buf_consume(&buf, 2);
    assert_true(bytes_equal(buf_bytes(&buf), bytes_of_text("cdef")));
    buf_consume(&buf, 4);
    assert_int_equal(buf.len, 0);
    buf_append_text(&buf, "x");
    buf_consume(&buf, 99);
    assert_int_equal(buf.len, 0);
    buf_fini(&buf);
}

static void test_printf_takes_any_length(void **state)
{
    struct buf buf = {0};

    (void)state;
    for (int width = 1; width < 3000; width += 7) {
        size_t before = buf.len;

        buf_printf(&buf, "%*d", width, 5);
        assert_int_equal(buf.len - before, width);
        assert_int_equal(buf.data[buf.len - 1], '5');
    }
    assert_false(buf.failed);
    buf_fini(&buf);
}

static void test_a_failed_growth_is_remembered(void **state)
{
    struct buf buf = {0};
    uint8_t block[300] = {0};

    (void)state;
    fixture_fail_after(1);
    buf_append_text(&buf, "kept");
    assert_false(buf.failed);
    buf_append(&buf, block, sizeof block);
    assert_true(buf.failed);
    assert_true(bytes_equal(buf_bytes(&buf), bytes_of_text("kept")));
    fixture_fail_after(-1);
    buf_append_text(&buf, "more");
    assert_true(buf.failed);
    buf_fini(&buf);
    assert_false(buf.failed);
}

static void test_printf_remembers_a_failure_too(void **state)
{
    struct buf buf = {0};

    (void)state;
    fixture_fail_after(0);
    buf_printf(&buf, "%d", 7);
    assert_true(buf.failed);
    assert_int_equal(buf.len, 0);
    buf_fini(&buf);
}

/* The C locale has no text for this character. */
static void test_what_cannot_be_formatted_is_a_failure(void **state)
{
    const wchar_t text[] = {0x1F600, 0};
    struct buf buf = {0};

    (void)state;
    buf_append_text(&buf, "before");
    buf_printf(&buf, "%ls", text);
    assert_true(buf.failed);
    assert_int_equal(buf.len, 6);
    buf_fini(&buf);
}

static void test_absurd_lengths_fail_at_once(void **state)
{
    struct buf buf = {0};

    (void)state;
    assert_null(buf_reserve(&buf, SIZE_MAX));
    assert_true(buf.failed);
    buf_fini(&buf);
    assert_null(buf_reserve(&buf, SIZE_MAX / 2));
    assert_true(buf.failed);
    buf_fini(&buf);
}

#define TEST(name) cmocka_unit_test_teardown(name, fixture_restore)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_bytes_are_equal_by_content),    TEST(test_appends_come_out_in_order),
        TEST(test_consuming_keeps_the_rest),      TEST(test_printf_takes_any_length),
        TEST(test_a_failed_growth_is_remembered), TEST(test_printf_remembers_a_failure_too),
        TEST(test_absurd_lengths_fail_at_once),   TEST(test_what_cannot_be_formatted_is_a_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
