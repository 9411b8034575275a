/* Small forms: paths, names of functions, moments, base64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/driver/function_name.h"
#include "invoke/base64.h"
#include "invoke/moment.h"
#include "invoke/router.h"

/* --- paths ------------------------------------------------------------------------------ */

static const char *label_of(struct arena *arena, const char *pattern, const char *path)
{
    struct bytes labels[CALL_LABELS_MAX];

    arena_reset(arena);
    return route_match(pattern, bytes_of_text(path), arena, labels)
               ? (labels[0].data != NULL) ? (const char *)labels[0].data : ""
               : NULL;
}

static void test_paths_are_split_before_they_are_decoded(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 0);
    assert_string_equal(label_of(&arena, "/a/{}/b", "/a/x%2Fy%3a%25/b"), "x/y:%");
    assert_string_equal(label_of(&arena, "/a/{}/b", "/a/%2525/b"), "%25"); /* once */
    assert_string_equal(label_of(&arena, "/a/{}", "/a/+"), "+");
    assert_string_equal(label_of(&arena, "/a/{}", "/a/x/"), "x");
    assert_string_equal(label_of(&arena, "/a", "/a"), "");
    assert_string_equal(label_of(&arena, "/a", "/a/"), "");
    arena_fini(&arena);
}

static void test_paths_that_differ_do_not_match(void **state)
{
    static const char *const paths[] = {"",       "/",        "/a",      "/a/x",    "/a/x/c",
                                        "/a//b",  "/a/x/b/c", "a/x/b",   "//a/x/b", "/%61/x/b",
                                        "/a/x/B", "/a/%00/b", "/a/%2/b", "/a/%/b",  "/a/x/b//"};
    struct arena arena;

    (void)state;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (label_of(&arena, "/a/{}/b", paths[i]) != NULL) {
            fail_msg("matched: %s", paths[i]);
        }
    }
    arena_fini(&arena);
}

static void test_two_labels_are_kept_in_order(void **state)
{
    struct bytes labels[CALL_LABELS_MAX];
    struct arena arena;

    (void)state;
    arena_init(&arena, 0);
    assert_true(
        route_match("/f/{}/aliases/{}", bytes_of_text("/f/one/aliases/t%77o"), &arena, labels));
    assert_string_equal((const char *)labels[0].data, "one");
    assert_string_equal((const char *)labels[1].data, "two");
    arena_fini(&arena);
}

/* --- names -------------------------------------------------------------------------------- */

static void expect_name(const char *text, const char *name, const char *qualifier, uint64_t account)
{
    struct function_name parsed;

    assert_true(function_name_parse(bytes_of_text(text), &parsed));
    assert_true(bytes_equal(parsed.name, bytes_of_text(name)));
    assert_true(bytes_equal(parsed.qualifier, bytes_of_text(qualifier)));
    assert_int_equal(parsed.account, account);
}

static void test_functions_are_named_in_four_ways(void **state)
{
    (void)state;
    expect_name("f", "f", "", 0);
    expect_name("f:$LATEST", "f", "$LATEST", 0);
    expect_name("123456789012:function:f", "f", "", 123456789012);
    expect_name("123456789012:function:f:7", "f", "7", 123456789012);
    expect_name("arn:aws:lambda:us-east-1:123456789012:function:f", "f", "", 123456789012);
    expect_name("arn:aws:lambda:us-east-1:123456789012:function:f:prod", "f", "prod", 123456789012);
}

static void test_other_names_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        ":",
        "f:",
        ":f",
        "a b",
        "f/g",
        "../f",
        "f:g:h",
        "f:a b",
        "12345678901:function:f",
        "1234567890123:function:f",
        "123456789012:layer:f",
        "123456789012:function:",
        "arn:aws:lambda:us-east-1:123456789012:function:",
        "arn:aws:lambda::123456789012:function:f",
        "arn:aws:s3:us-east-1:123456789012:function:f",
        "arn:aws:lambda:us-east-1:12345678901x:function:f",
        "arn:aws:lambda:us-east-1:123456789012:function:f:1:2",
        "a:b:c:d:e:f:g:h:i:j",
        "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg",
    };
    struct function_name parsed;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (function_name_parse(bytes_of_text(texts[i]), &parsed)) {
            fail_msg("taken: %s", texts[i]);
        }
    }
    assert_false(function_name_parse(bytes_of("f\0g", 3), &parsed));
}

/* --- moments -------------------------------------------------------------------------------- */

static void expect_moment(const char *text, int64_t wanted_ms)
{
    int64_t time_ms = -1;

    assert_true(moment_parse(bytes_of_text(text), &time_ms));
    assert_int_equal(time_ms, wanted_ms);
}

static void test_moments_are_read(void **state)
{
    (void)state;
    expect_moment("1970-01-01T00:00:00Z", 0);
    expect_moment("2025-12-03T22:57:08.830Z", 1764802628830);
    expect_moment("2025-12-03T22:57:08.830999Z", 1764802628830);
    expect_moment("2025-12-03T22:57:08Z", 1764802628000);
    expect_moment("2025-12-04T00:57:08+02:00", 1764802628000);
    expect_moment("2025-12-03T17:27:08-05:30", 1764802628000);
    expect_moment("2024-02-29T00:00:00Z", 1709164800000);
    expect_moment("1764802628.83", 1764802628830);
    expect_moment("0", 0);
}

static void test_other_moments_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "now",
        "2025-12-03",
        "2025-12-03T22:57Z",
        "2025-12-03T22:57:08",
        "2025-12-03 22:57:08Z",
        "2025-13-03T22:57:08Z",
        "2025-02-29T00:00:00Z",
        "2025-12-03T24:00:00Z",
        "2025-12-03T22:57:08.Z",
        "2025-12-03T22:57:08Zx",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "-1",
        "1e3",
        "99999999999999",
        "1.",
        "2025-12-03T22:57:08.1234567890Z",
    };
    int64_t time_ms;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (moment_parse(bytes_of_text(texts[i]), &time_ms)) {
            fail_msg("taken: %s", texts[i]);
        }
    }
}

/* --- base64 ----------------------------------------------------------------------------------- */

static void test_base64_goes_there_and_back(void **state)
{
    uint8_t data[67];

    (void)state;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 37 + 200);
    }
    for (size_t len = 0; len <= sizeof data; len++) {
        struct buf text = {0};
        struct buf back = {0};

        base64_append(&text, bytes_of(data, len));
        assert_int_equal(text.len, (len + 2) / 3 * 4);
        assert_true(base64_decode(&back, buf_bytes(&text)));
        assert_true(bytes_equal(buf_bytes(&back), bytes_of(data, len)));
        buf_fini(&text);
        buf_fini(&back);
    }
}

static void test_what_is_not_base64_is_refused(void **state)
{
    static const char *const texts[] = {
        "A",     "AA",       "AAA",  "A===", "====",     "AA=A", "A A=", "AA-_",
        "AAAA=", "AAAAA===", "AB==", "AAB=", "AA==AAAA", "\n",   "AAA\n"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct buf back = {0};

        if (base64_decode(&back, bytes_of_text(texts[i]))) {
            fail_msg("taken: %s", texts[i]);
        }
        buf_fini(&back);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_are_split_before_they_are_decoded),
        cmocka_unit_test(test_paths_that_differ_do_not_match),
        cmocka_unit_test(test_two_labels_are_kept_in_order),
        cmocka_unit_test(test_functions_are_named_in_four_ways),
        cmocka_unit_test(test_other_names_are_refused),
        cmocka_unit_test(test_moments_are_read),
        cmocka_unit_test(test_other_moments_are_refused),
        cmocka_unit_test(test_base64_goes_there_and_back),
        cmocka_unit_test(test_what_is_not_base64_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
