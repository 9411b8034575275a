#include "engine/base/arena.h"

#include <stdalign.h>

#include "engine/base/mem.h"
#include "tests/base/fixture.h"

static void test_memory_is_zeroed_aligned_and_apart(void **state)
{
    struct arena arena;
    struct prng prng = fixture_seed();
    uint8_t *before = NULL;
    size_t before_size = 0;

    (void)state;
    arena_init(&arena, 0);
    for (int i = 0; i < 2000; i++) {
        size_t size = prng_below(&prng, 600);
        uint8_t *found = arena_alloc(&arena, size);

        assert_non_null(found);
        assert_int_equal((uintptr_t)found % alignof(max_align_t), 0);
        for (size_t k = 0; k < size; k++) {
            assert_int_equal(found[k], 0);
        }
        memset(found, 0xA5, size);
        for (size_t k = 0; k < before_size; k++) {
            assert_int_equal(before[k], 0xA5);
        }
        before = found;
        before_size = size;
    }
    arena_fini(&arena);
}

static void test_memory_after_a_reset_is_zeroed_again(void **state)
{
    struct arena arena;
    uint8_t *found;

    (void)state;
    arena_init(&arena, 0);
    found = arena_alloc(&arena, 100);
    assert_non_null(found);
    memset(found, 0xFF, 100);
    arena_reset(&arena);
    found = arena_alloc(&arena, 100);
    assert_non_null(found);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(found[i], 0);
    }
    arena_fini(&arena);
}

static void test_the_limit_is_reached_exactly_and_not_passed(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 1024);
    for (int round = 0; round < 3; round++) {
        assert_non_null(arena_alloc(&arena, 1000)); /* 1008 with its alignment */
        assert_null(arena_alloc(&arena, 17));
        assert_non_null(arena_alloc(&arena, 16));
        assert_null(arena_alloc(&arena, 1));
        assert_non_null(arena_alloc(&arena, 0));
        arena_reset(&arena);
    }
    assert_null(arena_alloc(&arena, 1025));
    arena_fini(&arena);
}

static void test_sizes_that_would_overflow_are_refused(void **state)
{
    static const size_t limits[] = {0, 4096, SIZE_MAX};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct arena arena;

        arena_init(&arena, limits[i]);
        for (size_t below = 0; below < 200; below++) {
            assert_null(arena_alloc(&arena, SIZE_MAX - below));
        }
        assert_non_null(arena_alloc(&arena, 64));
        arena_fini(&arena);
    }
}

static void test_a_busy_arena_stops_calling_the_allocator(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 0);
    for (int round = 0; round < 8; round++) {
        arena_reset(&arena);
        for (int i = 0; i < 100; i++) {
            assert_non_null(arena_alloc(&arena, 500));
        }
    }
    fixture_fail_after(0);
    arena_reset(&arena);
    for (int i = 0; i < 100; i++) {
        assert_non_null(arena_alloc(&arena, 500));
    }
    arena_fini(&arena);
}

static void test_a_huge_message_is_not_kept(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 0);
    assert_non_null(arena_alloc(&arena, 8U << 20));
    arena_reset(&arena);
    assert_null(arena.block);
    arena_fini(&arena);
}

static void test_a_failed_allocation_leaves_the_arena_usable(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 0);
    fixture_fail_after(1);
    assert_non_null(arena_alloc(&arena, 4000));
    assert_null(arena_alloc(&arena, 4000));
    assert_non_null(arena_alloc(&arena, 90));
    assert_null(arena_copy(&arena, bytes_of_text("a copy that does not fit any more")).data);
    fixture_fail_after(-1);
    assert_non_null(arena_alloc(&arena, 4000));
    arena_fini(&arena);
}

static void test_a_copy_ends_in_a_zero_byte(void **state)
{
    struct arena arena;
    struct bytes copy;

    (void)state;
    arena_init(&arena, 0);
    copy = arena_copy(&arena, bytes_of("abcdef", 3));
    assert_int_equal(copy.len, 3);
    assert_string_equal((const char *)copy.data, "abc");
    copy = arena_copy(&arena, (struct bytes){0});
    assert_int_equal(copy.len, 0);
    assert_string_equal((const char *)copy.data, "");
    arena_fini(&arena);
}

#define TEST(name) cmocka_unit_test_teardown(name, fixture_restore)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_memory_is_zeroed_aligned_and_apart),
        TEST(test_memory_after_a_reset_is_zeroed_again),
        TEST(test_the_limit_is_reached_exactly_and_not_passed),
        TEST(test_sizes_that_would_overflow_are_refused),
        TEST(test_a_busy_arena_stops_calling_the_allocator),
        TEST(test_a_huge_message_is_not_kept),
        TEST(test_a_failed_allocation_leaves_the_arena_usable),
        TEST(test_a_copy_ends_in_a_zero_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
