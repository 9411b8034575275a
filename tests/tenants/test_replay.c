/* Used signatures: what is remembered, for how long, and what happens when there is no more
 * room. */
#include "tests/tenants/fixture.h"

#include "tenants/replay.h"

#define NOW_S 1795450536

struct memory {
    struct replay_budget budget;
    struct replay *replay;
    uint32_t age_ms;
};

static int set_up(void **state)
{
    static struct memory memory;

    memory = (struct memory){0};
    assert_int_equal(replay_create(&memory.replay, &memory.budget, NOW_S), 0);
    *state = &memory;
    return 0;
}

static int tear_down(void **state)
{
    struct memory *memory = *state;

    replay_destroy(memory->replay);
    assert_int_equal(memory->budget.entries, 0);
    fixture_fail_after(-1);
    return 0;
}

static enum replay_verdict note(struct memory *memory, uint64_t signature, int64_t date_s,
                                int64_t now_s)
{
    return replay_note(memory->replay, signature, date_s, now_s * 1000, &memory->age_ms);
}

static void test_a_signature_is_new_once(void **state)
{
    struct memory *memory = *state;

    assert_int_equal(note(memory, 1, NOW_S, NOW_S), REPLAY_NEW);
    assert_int_equal(note(memory, 2, NOW_S, NOW_S), REPLAY_NEW);
    assert_int_equal(note(memory, 1, NOW_S, NOW_S + 7), REPLAY_SEEN);
    assert_int_equal(memory->age_ms, 7000);
    assert_int_equal(replay_count(memory->replay), 2);
}

/* One bucket, however large the table: the low bits are the same. */
static void test_signatures_that_share_a_bucket_are_told_apart(void **state)
{
    struct memory *memory = *state;

    for (uint64_t i = 1; i <= 3000; i++) {
        assert_int_equal(note(memory, i << 32, NOW_S, NOW_S), REPLAY_NEW);
    }
    for (uint64_t i = 1; i <= 3000; i++) {
        assert_int_equal(note(memory, i << 32, NOW_S, NOW_S), REPLAY_SEEN);
    }
}

static void test_what_is_dated_before_the_start_is_too_old(void **state)
{
    struct memory *memory = *state;

    assert_int_equal(note(memory, 1, NOW_S - 1, NOW_S + 1), REPLAY_TOO_OLD);
    assert_int_equal(note(memory, 1, NOW_S, NOW_S + 1), REPLAY_NEW);
}

static void test_what_nobody_would_accept_is_forgotten(void **state)
{
    struct memory *memory = *state;

    for (int i = 0; i < 900; i++) {
        assert_int_equal(note(memory, (uint64_t)i, NOW_S + i, NOW_S + i), REPLAY_NEW);
    }
    assert_int_equal(replay_count(memory->replay), 301);
    assert_int_equal(note(memory, 5000, NOW_S + 5000, NOW_S + 5000), REPLAY_NEW);
    assert_int_equal(replay_count(memory->replay), 1);
    assert_int_equal(note(memory, 90000, NOW_S + 5001, NOW_S + 5001), REPLAY_NEW);
    assert_int_equal(note(memory, 5000, NOW_S + 5000, NOW_S + 5300), REPLAY_SEEN);
}

/* Dates of the whole window come in any order: nothing is accepted twice. */
static void test_no_copy_is_taken_for_the_original_in_any_order(void **state)
{
    struct memory *memory = *state;
    uint64_t random = 1;

    for (int i = 0; i < 200000; i++) {
        int64_t now_s = NOW_S + 400 + i / 400;
        int64_t date_s;

        random = random * 6364136223846793005U + 1442695040888963407U;
        date_s = now_s - 300 + (int64_t)((random >> 33) % 601);
        assert_int_equal(note(memory, random, date_s, now_s), REPLAY_NEW);
        assert_int_equal(note(memory, random, date_s, now_s), REPLAY_SEEN);
    }
}

/* When the table is full the oldest second goes, and with it whatever is dated so. */
static void test_a_flood_makes_old_dates_unwelcome(void **state)
{
    struct memory *memory = *state;
    uint64_t signature = 1;

    for (int second = 0; second < 20; second++) {
        for (unsigned i = 0; i < REPLAY_ENTRIES_MAX / 10; i++) {
            assert_int_equal(note(memory, signature++, NOW_S + second, NOW_S + 20), REPLAY_NEW);
        }
    }
    assert_true(replay_count(memory->replay) <= REPLAY_ENTRIES_MAX);
    assert_int_equal(memory->budget.entries, REPLAY_ENTRIES_MAX);
    assert_int_equal(note(memory, 1, NOW_S, NOW_S + 20), REPLAY_TOO_OLD);
    assert_int_equal(note(memory, signature, NOW_S + 5, NOW_S + 20), REPLAY_TOO_OLD);
    assert_int_equal(note(memory, signature - 1, NOW_S + 19, NOW_S + 20), REPLAY_SEEN);
    assert_int_equal(note(memory, signature, NOW_S + 20, NOW_S + 20), REPLAY_NEW);
    assert_int_equal(note(memory, signature + 1, NOW_S + 900, NOW_S + 900), REPLAY_NEW);
    assert_int_equal(replay_count(memory->replay), 1); /* and the memory is given back */
    assert_true(memory->budget.entries <= 1024);
}

static void test_all_keys_together_have_a_limit_and_each_has_some(void **state)
{
    struct memory *memory = *state;
    uint64_t signature = 1;

    memory->budget.entries = REPLAY_BUDGET;
    for (int second = 0; second < 4; second++) {
        for (unsigned i = 0; i < 512; i++) {
            assert_int_equal(note(memory, signature++, NOW_S + second, NOW_S + 4), REPLAY_NEW);
        }
    }
    assert_int_equal(replay_count(memory->replay), 1024);
    assert_int_equal(note(memory, 1, NOW_S, NOW_S + 4), REPLAY_TOO_OLD);
    assert_int_equal(note(memory, signature - 1, NOW_S + 3, NOW_S + 4), REPLAY_SEEN);
    memory->budget.entries -= REPLAY_BUDGET;
}

static void test_a_clock_that_was_set_back_is_followed(void **state)
{
    struct memory *memory = *state;

    assert_int_equal(note(memory, 1, NOW_S + 10000, NOW_S + 10000), REPLAY_NEW);
    assert_int_equal(note(memory, 2, NOW_S - 20000, NOW_S - 20000), REPLAY_NEW);
    assert_int_equal(note(memory, 2, NOW_S - 20000, NOW_S - 20000), REPLAY_SEEN);
    assert_int_equal(note(memory, 3, NOW_S - 20001, NOW_S - 20000), REPLAY_TOO_OLD);
    assert_int_equal(note(memory, 4, NOW_S + 10000, NOW_S + 10000), REPLAY_NEW);
}

static void test_without_memory_nothing_is_accepted(void **state)
{
    struct memory *memory = *state;

    fixture_fail_after(0);
    assert_int_equal(note(memory, 1, NOW_S, NOW_S), REPLAY_NOMEM);
    fixture_fail_after(-1);
    assert_int_equal(note(memory, 1, NOW_S, NOW_S), REPLAY_NEW);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_a_signature_is_new_once),
        TEST(test_signatures_that_share_a_bucket_are_told_apart),
        TEST(test_what_is_dated_before_the_start_is_too_old),
        TEST(test_what_nobody_would_accept_is_forgotten),
        TEST(test_no_copy_is_taken_for_the_original_in_any_order),
        TEST(test_a_flood_makes_old_dates_unwelcome),
        TEST(test_all_keys_together_have_a_limit_and_each_has_some),
        TEST(test_a_clock_that_was_set_back_is_followed),
        TEST(test_without_memory_nothing_is_accepted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
