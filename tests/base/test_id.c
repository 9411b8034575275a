#include "engine/base/id.h"

#include "tests/base/fixture.h"

static void test_an_id_is_a_uuid_of_version_7(void **state)
{
    struct prng prng = fixture_seed();
    char text[ID_TEXT_LEN + 1];

    (void)state;
    for (uint32_t i = 0; i < 5000; i++) {
        struct id id = id_make(1764802628830, (uint8_t)i, i, &prng);

        id_format(&id, text);
        assert_int_equal(strlen(text), ID_TEXT_LEN);
        assert_memory_equal(text, "019ae66f-0cde-7", 15);
        assert_non_null(strchr("89ab", text[19]));
        assert_int_equal(id.bytes[9], i & 0xFF);
    }
}

static void test_later_ids_sort_later(void **state)
{
    struct prng prng = fixture_seed();
    struct id last = {0};

    (void)state;
    for (int64_t ms = 1; ms < (INT64_C(1) << 47); ms = ms * 2 + 1) {
        for (uint32_t counter = 0; counter < 4096; counter += 13) {
            struct id id = id_make(ms, (uint8_t)prng_next(&prng), counter, &prng);

            assert_true(memcmp(last.bytes, id.bytes, sizeof id.bytes) < 0);
            last = id;
        }
    }
}

static void test_what_was_formatted_parses_to_the_same_id(void **state)
{
    struct prng prng = fixture_seed();
    char text[ID_TEXT_LEN + 1];

    (void)state;
    for (int round = 0; round < 5000; round++) {
        struct id id;
        struct id back;

        for (int i = 0; i < 16; i++) {
            id.bytes[i] = (uint8_t)prng_next(&prng);
        }
        id_format(&id, text);
        assert_true(id_parse(text, ID_TEXT_LEN, &back));
        assert_true(id_equal(&id, &back));
    }
}

static bool is_canonical(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static void test_every_other_character_is_refused(void **state)
{
    char text[] = "019ae66f-cade-7abc-8def-0123456789ab";
    struct id id;

    (void)state;
    for (size_t i = 0; i < ID_TEXT_LEN; i++) {
        char right = text[i];

        for (int c = 0; c < 256; c++) {
            text[i] = (char)c;
            assert_int_equal(id_parse(text, ID_TEXT_LEN, &id),
                             (right == '-') ? text[i] == '-' : is_canonical(text[i]));
        }
        text[i] = right;
    }
}

static void test_every_other_length_is_refused(void **state)
{
    static const char text[] = "019ae66f-cade-7abc-8def-0123456789ab0000";
    struct id id = {.bytes = {42}};

    (void)state;
    for (size_t len = 0; len < sizeof text; len++) {
        assert_int_equal(id_parse(text, len, &id), len == ID_TEXT_LEN);
        assert_true(len >= ID_TEXT_LEN || id.bytes[0] == 42);
    }
}

static void test_only_sixteen_zeroes_are_none(void **state)
{
    struct id id = {0};

    (void)state;
    assert_true(id_is_none(&id));
    for (int i = 0; i < 16; i++) {
        id.bytes[i] = 1;
        assert_false(id_is_none(&id));
        id.bytes[i] = 0;
    }
}

static void test_ids_of_one_millisecond_hash_far_apart(void **state)
{
    struct prng prng = fixture_seed();
    uint32_t buckets[64] = {0};

    (void)state;
    for (uint32_t i = 0; i < 6400; i++) {
        struct id id = id_make(1764802628830, 0, i, &prng);

        buckets[id_hash(&id) & 63]++;
    }
    for (int i = 0; i < 64; i++) {
        assert_in_range(buckets[i], 40, 200);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_id_is_a_uuid_of_version_7),
        cmocka_unit_test(test_later_ids_sort_later),
        cmocka_unit_test(test_what_was_formatted_parses_to_the_same_id),
        cmocka_unit_test(test_every_other_character_is_refused),
        cmocka_unit_test(test_every_other_length_is_refused),
        cmocka_unit_test(test_only_sixteen_zeroes_are_none),
        cmocka_unit_test(test_ids_of_one_millisecond_hash_far_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
