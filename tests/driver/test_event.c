/* What is kept of an event invoke config, and the trace of an invocation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/driver/event_settings.h"
#include "engine/driver/state.h"

static struct bytes text(const char *characters)
{
    return bytes_of_text(characters);
}

static void test_what_was_put_is_parsed(void **state)
{
    const struct event_settings put = {.has_retries = true,
                                       .retries_max = 0,
                                       .has_age = true,
                                       .age_s = 60,
                                       .on_success = text("arn:a:\"b\""),
                                       .on_failure = text("arn:c"),
                                       .modified_ms = 1795422821977};
    struct event_settings got;
    struct arena arena;
    struct buf json = {0};

    (void)state;
    arena_init(&arena, 0);
    event_settings_put(&json, &put);
    assert_true(event_settings_parse(buf_bytes(&json), &arena, &got));
    assert_true(got.has_retries && got.has_age);
    assert_int_equal(got.retries_max, 0);
    assert_int_equal(got.age_s, 60);
    assert_int_equal(got.modified_ms, put.modified_ms);
    assert_true(bytes_equal(got.on_success, put.on_success));
    assert_true(bytes_equal(got.on_failure, put.on_failure));
    buf_fini(&json);
    arena_fini(&arena);
}

static void test_what_was_not_put_is_the_default(void **state)
{
    struct event_settings got;
    struct arena arena;
    struct buf json = {0};

    (void)state;
    arena_init(&arena, 0);
    event_settings_put(&json, &event_settings_default);
    assert_true(event_settings_parse(buf_bytes(&json), &arena, &got));
    assert_false(got.has_retries || got.has_age);
    assert_int_equal(got.retries_max, 2);
    assert_int_equal(got.age_s, 21600);
    assert_int_equal(got.on_success.len + got.on_failure.len, 0);
    buf_fini(&json);
    arena_fini(&arena);
}

static void test_another_document_is_none(void **state)
{
    static const char *const documents[] = {"",
                                            "[]",
                                            "{\"Retries\":\"1\"}",
                                            "{\"Retries\":-1}",
                                            "{\"AgeSeconds\":21601}",
                                            "{\"OnSuccess\":7}",
                                            "{\"OnFailure\":null}"};
    struct event_settings got = {.retries_max = 77};
    struct arena arena;

    (void)state;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        assert_false(event_settings_parse(text(documents[i]), &arena, &got));
        assert_int_equal(got.retries_max, 77); /* untouched */
    }
    arena_fini(&arena);
}

static void test_a_trace_is_made_of_the_id(void **state)
{
    struct prng prng = {.state = 5};
    struct id id = id_make(1795422821977, 0, 0, &prng);
    struct id other = id_make(1795422821977, 0, 1, &prng);
    char a[TRACE_TEXT_MAX];
    char b[TRACE_TEXT_MAX];

    (void)state;
    assert_true(bytes_equal(trace_of(text("Root=1"), &id, a), text("Root=1")));
    assert_true(bytes_equal(trace_of(text(""), &id, a), trace_of(text(""), &id, b)));
    assert_false(bytes_equal(trace_of(text(""), &id, a), trace_of(text(""), &other, b)));
    assert_int_equal(strlen(a), strlen("Root=1-12345678-123456789012345678901234;Parent="
                                       "1234567890123456;Sampled=0"));
    assert_memory_equal(a, "Root=1-6b03fa65-", strlen("Root=1-6b03fa65-")); /* its second */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_put_is_parsed),
        cmocka_unit_test(test_what_was_not_put_is_the_default),
        cmocka_unit_test(test_another_document_is_none),
        cmocka_unit_test(test_a_trace_is_made_of_the_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
