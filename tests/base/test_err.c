#include "engine/base/err.h"

#include <stdio.h>
#include <string.h>

#include "tests/base/fixture.h"

static struct {
    int code;
    int line;
    int count;
    char file[128];
    char text[512];
} seen;

static void note(int code, const char *file, int line, const char *text)
{
    seen.code = code;
    seen.line = line;
    seen.count++;
    (void)snprintf(seen.file, sizeof seen.file, "%s", file);
    (void)snprintf(seen.text, sizeof seen.text, "%s", text);
}

static int refuse(const char *path)
{
    return ERR(ERR_IO, "open %s", path);
}

static void test_an_error_is_reported_once_where_it_was_made(void **state)
{
    (void)state;
    seen.count = 0;
    err_set_sink(note);
    assert_int_equal(refuse("a/b"), ERR_IO);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.code, ERR_IO);
    assert_string_equal(seen.text, "open a/b");
    assert_non_null(strstr(seen.file, "test_err.c"));
    assert_true(seen.line > 0);
}

static void test_a_long_text_is_cut(void **state)
{
    char path[2000];

    (void)state;
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    err_set_sink(note);
    assert_int_equal(refuse(path), ERR_IO);
    assert_int_equal(strlen(seen.text), 255);
}

static void test_every_code_has_a_text_of_its_own(void **state)
{
    static const int codes[] = {ERR_OK,
#define X(name, text) ERR_##name,
                                ERR_MAP(X)
#undef X
    };
    const size_t count = sizeof codes / sizeof codes[0];

    (void)state;
    for (size_t i = 0; i < count; i++) {
        assert_true(i == 0 ? codes[i] == 0 : codes[i] < 0);
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(codes[i], codes[k]);
            assert_string_not_equal(err_text(codes[i]), err_text(codes[k]));
        }
    }
}

static void test_any_other_number_has_a_text_too(void **state)
{
    (void)state;
    assert_string_equal(err_text(1), "unknown error");
    assert_string_equal(err_text(-1000), "unknown error");
}

#define TEST(name) cmocka_unit_test_teardown(name, fixture_restore)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_an_error_is_reported_once_where_it_was_made),
        TEST(test_a_long_text_is_cut),
        TEST(test_every_code_has_a_text_of_its_own),
        TEST(test_any_other_number_has_a_text_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
