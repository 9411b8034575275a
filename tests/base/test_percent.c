#include "engine/base/percent.h"

#include <stdio.h>

#include "tests/base/fixture.h"

static void expect(struct arena *arena, const char *text, const char *wanted)
{
    struct bytes decoded = percent_decode(bytes_of_text(text), arena);

    assert_int_equal(percent_is_well_formed(bytes_of_text(text)), wanted != NULL);
    if (wanted == NULL) {
        assert_null(decoded.data);
        return;
    }
    assert_non_null(decoded.data);
    assert_true(bytes_equal(decoded, bytes_of_text(wanted)));
    assert_int_equal(decoded.data[decoded.len], 0);
}

static void test_what_is_encoded_is_decoded(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 4096);
    expect(&arena, "arn%3Aaws%3af%2F%24LATEST", "arn:aws:f/$LATEST");
    expect(&arena, "a+b%2B", "a+b+");
    expect(&arena, "", "");
    expect(&arena, "%c3%BC", "\xc3\xbc");
    assert_int_equal(percent_decode(bytes_of_text("a%00b"), &arena).len, 3);
    arena_fini(&arena);
}

static void test_a_malformed_encoding_is_refused(void **state)
{
    static const char *const malformed[] = {"%", "a%4", "%4g", "%g4", "%%41", "%41%", "%-1", "% 1"};
    struct arena arena;

    (void)state;
    arena_init(&arena, 4096);
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        expect(&arena, malformed[i], NULL);
    }
    arena_fini(&arena);
}

static void test_every_byte_comes_back(void **state)
{
    struct arena arena;
    char text[4];

    (void)state;
    arena_init(&arena, 65536);
    for (int c = 0; c < 256; c++) {
        (void)snprintf(text, sizeof text, (c % 2 == 0) ? "%%%02x" : "%%%02X", (unsigned)c);
        assert_int_equal(percent_decode(bytes_of_text(text), &arena).data[0], c);
    }
    arena_fini(&arena);
}

static void test_without_room_there_is_no_text(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 16);
    assert_null(percent_decode(bytes_of_text("longer than what the arena may have"), &arena).data);
    arena_fini(&arena);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_encoded_is_decoded),
        cmocka_unit_test(test_a_malformed_encoding_is_refused),
        cmocka_unit_test(test_every_byte_comes_back),
        cmocka_unit_test(test_without_room_there_is_no_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
