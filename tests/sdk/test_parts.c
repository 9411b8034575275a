/* The parts of libpawl that need no daemon: what is known of an execution, what is kept
 * of it, retry delays, reading JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "sdk/lib/cache.h"
#include "sdk/lib/json_read.h"
#include "sdk/lib/retry.h"

static struct state *make_state(uint8_t number, uint64_t last, size_t bytes)
{
    struct id id = {{number}};
    struct state *state = state_create(&id);

    assert_non_null(state);
    state->last = last;
    assert_non_null(arena_alloc(&state->arena, bytes));
    return state;
}

static struct state *take(struct cache *cache, uint8_t number, uint64_t base)
{
    struct id id = {{number}};

    return cache_take(cache, &id, base);
}

/* --- the cache ---------------------------------------------------------------------- */

/* Of memory that is really taken: an execution of a few bytes has blocks of its own. */
static void test_small_executions_do_not_exceed_the_cache(void **state)
{
    struct cache cache;
    struct list *item;
    size_t taken = 0;

    (void)state;
    assert_int_equal(cache_init(&cache, 100000), 0);
    for (uint8_t number = 1; number <= 200; number++) {
        cache_put(&cache, make_state(number, 10, 10));
    }
    list_for_each (item, &cache.lru) {
        taken += arena_bytes(&container_of(item, struct state, lru)->arena);
    }
    assert_true(taken > 0);
    assert_true(taken <= 100000);
    cache_fini(&cache);
}

static void test_state_is_given_once_and_only_as_of_its_record(void **state)
{
    struct cache cache;
    struct state *mine;

    (void)state;
    assert_int_equal(cache_init(&cache, 1000000), 0);
    cache_put(&cache, make_state(1, 10, 100));
    cache_put(&cache, make_state(2, 20, 100));
    mine = take(&cache, 1, 10);
    assert_non_null(mine);
    state_destroy(mine);
    assert_null(take(&cache, 1, 10));
    assert_null(take(&cache, 2, 19)); /* and gone, for it was another's */
    assert_null(take(&cache, 2, 20));
    assert_int_equal(cache.bytes, 0);
    cache_fini(&cache);
}

static void test_new_state_takes_the_place_of_the_old(void **state)
{
    struct cache cache;
    struct state *mine;

    (void)state;
    assert_int_equal(cache_init(&cache, 1000000), 0);
    cache_put(&cache, make_state(1, 10, 100));
    cache_put(&cache, make_state(1, 11, 100));
    mine = take(&cache, 1, 11);
    assert_non_null(mine);
    state_destroy(mine);
    assert_int_equal(cache.bytes, 0);
    cache_fini(&cache);
}

static void test_cache_stays_in_its_bytes_and_drops_what_was_used_longest_ago(void **state)
{
    struct cache cache;
    struct state *mine;

    (void)state;
    assert_int_equal(cache_init(&cache, 35000), 0);
    for (uint8_t i = 1; i <= 3; i++) {
        cache_put(&cache, make_state(i, 1, 10000));
    }
    mine = take(&cache, 1, 1); /* used again: now 2 is the oldest */
    assert_non_null(mine);
    cache_put(&cache, mine);
    cache_put(&cache, make_state(4, 1, 10000));
    assert_true(cache.bytes <= 35000);
    assert_null(take(&cache, 2, 1));
    for (uint8_t i = 1; i <= 4; i++) {
        mine = take(&cache, i, 1);
        assert_true((mine == NULL) == (i == 2));
        state_destroy(mine);
    }
    cache_put(&cache, make_state(9, 1, 50000)); /* too large for all of it */
    assert_null(take(&cache, 9, 1));
    cache_fini(&cache);
}

/* --- the state ---------------------------------------------------------------------- */

static void test_merge_overwrites_what_is_known(void **state)
{
    struct wire_operation operation = {.id = bytes_of_text("1"),
                                       .type = OP_CALLBACK,
                                       .status = OP_STARTED,
                                       .name = bytes_of_text("n"),
                                       .callback_id = bytes_of_text("cb")};
    struct state *mine = make_state(1, 1, 1);
    struct memo *memo;

    (void)state;
    assert_true(state_merge(mine, &operation));
    operation.status = OP_SUCCEEDED;
    operation.has_result = true;
    operation.result = bytes_of_text("yes");
    operation.callback_id.len = 0;
    assert_true(state_merge(mine, &operation));
    memo = state_find(mine, bytes_of_text("1"));
    assert_non_null(memo);
    assert_int_equal(mine->memos.count, 1);
    assert_int_equal(memo->status, OP_SUCCEEDED);
    assert_string_equal((const char *)memo->result.data, "yes");
    assert_string_equal((const char *)memo->callback_id.data, "cb"); /* once and for all */
    assert_null(state_find(mine, bytes_of_text("2")));
    state_destroy(mine);
}

static int fail_after;

static bool count_down(size_t size)
{
    (void)size;
    return fail_after-- > 0;
}

static void quiet(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)text;
}

static bool fill(struct state *mine)
{
    static const uint8_t payload[3000];
    bool is_well = true;

    for (unsigned i = 0; i < 50 && is_well; i++) {
        char id[8] = {(char)('a' + i / 10), (char)('0' + i % 10)};
        struct wire_operation operation = {.id = bytes_of_text(id),
                                           .has_result = true,
                                           .result = bytes_of(payload, sizeof payload)};

        is_well = state_merge(mine, &operation);
    }
    return is_well;
}

static void test_every_allocation_of_a_state_may_fail(void **state)
{
    bool is_well = false;
    int n = 0;

    (void)state;
    err_set_sink(quiet);
    while (!is_well) {
        struct id id = {{1}};
        struct state *mine;

        fail_after = n++;
        mem_set_hook(count_down);
        mine = state_create(&id);
        is_well = mine != NULL && fill(mine);
        mem_set_hook(NULL);
        state_destroy(mine);
    }
    err_set_sink(NULL);
    assert_true(n > 5);
}

/* --- retries ------------------------------------------------------------------------ */

static const uint64_t randoms[] = {0, 1, UINT64_MAX / 2, UINT64_MAX};

static void assert_delays(enum pawl_jitter jitter, uint32_t attempt, uint32_t least, uint32_t most)
{
    const struct backoff backoff = {
        .initial_delay_s = 4, .max_delay_s = 60, .rate = 2, .jitter = jitter};

    for (size_t i = 0; i < sizeof randoms / sizeof randoms[0]; i++) {
        uint32_t delay_s = backoff_delay_s(&backoff, attempt, randoms[i]);

        assert_in_range(delay_s, least, most);
    }
    assert_int_equal(backoff_delay_s(&backoff, attempt, 0), least);
    assert_int_equal(backoff_delay_s(&backoff, attempt, UINT64_MAX), most);
}

static void test_delays_grow_to_their_maximum_and_are_jittered(void **state)
{
    (void)state;
    assert_delays(PAWL_JITTER_NONE, 1, 4, 4);
    assert_delays(PAWL_JITTER_NONE, 2, 8, 8);
    assert_delays(PAWL_JITTER_NONE, 4, 32, 32);
    assert_delays(PAWL_JITTER_NONE, 5, 60, 60);
    assert_delays(PAWL_JITTER_NONE, UINT32_MAX, 60, 60);
    assert_delays(PAWL_JITTER_FULL, 2, 1, 8);
    assert_delays(PAWL_JITTER_HALF, 2, 4, 8);
    assert_delays(PAWL_JITTER_HALF, 9, 30, 60);
}

static void test_strange_rates_still_give_a_delay(void **state)
{
    static const double rates[] = {1, 0.5, -3, 1e308};

    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        const struct backoff backoff = {.initial_delay_s = 2,
                                        .max_delay_s = UINT32_MAX,
                                        .rate = rates[i],
                                        .jitter = PAWL_JITTER_NONE};

        assert_in_range(backoff_delay_s(&backoff, UINT32_MAX, 5), 1, OP_DELAY_S_MAX);
    }
}

static void test_defaults_are_six_attempts_from_five_to_sixty_seconds(void **state)
{
    const struct pawl_error error = {"E", "", ""};
    static const uint32_t most[] = {5, 10, 20, 40, 60};
    uint32_t delay_s = 0;

    (void)state;
    for (uint32_t attempt = 1; attempt <= 5; attempt++) {
        assert_true(retry_decide(NULL, &error, attempt, UINT64_MAX, &delay_s));
        assert_int_equal(delay_s, most[attempt - 1]);
    }
    assert_false(retry_decide(NULL, &error, 6, 0, &delay_s));
    assert_false(retry_decide(&pawl_retry_none, &error, 1, 0, &delay_s));
}

/* --- JSON --------------------------------------------------------------------------- */

static void test_json_is_told_from_what_is_not(void **state)
{
    static const char *const good[] = {"0",
                                       "-0.5e+7",
                                       "\"\"",
                                       "\"\\u00e9\\n\\/\"",
                                       "[]",
                                       "{}",
                                       " [1 , 2] ",
                                       "null",
                                       "true",
                                       "{\"a\":[{}]}",
                                       "1e5",
                                       "false",
                                       "\t{\"a\" : 1 , \"b\":[ ]}\n"};
    static const char *const bad[] = {
        "",     " ",     "01",         "1.",      "-",        "+1",      "tru",       "nulll",
        "[1,]", "[1 2]", "{a:1}",      "{\"a\"}", "{\"a\":}", "\"\\x\"", "\"\\u12\"", "\"\n\"",
        "[",    "]",     "{\"a\":1,}", "1 2",     "'a'",      "NaN",     "\"a",       ".5"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(json_is_valid(bytes_of_text(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(json_is_valid(bytes_of_text(bad[i])));
    }
}

static void test_deep_json_is_not_followed_for_ever(void **state)
{
    char text[200];

    (void)state;
    memset(text, '[', 100);
    memset(text + 100, ']', 100);
    assert_false(json_is_valid(bytes_of(text, 200)));
    assert_true(json_is_valid(bytes_of(text + 40, 120)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_executions_do_not_exceed_the_cache),
        cmocka_unit_test(test_state_is_given_once_and_only_as_of_its_record),
        cmocka_unit_test(test_new_state_takes_the_place_of_the_old),
        cmocka_unit_test(test_cache_stays_in_its_bytes_and_drops_what_was_used_longest_ago),
        cmocka_unit_test(test_merge_overwrites_what_is_known),
        cmocka_unit_test(test_every_allocation_of_a_state_may_fail),
        cmocka_unit_test(test_delays_grow_to_their_maximum_and_are_jittered),
        cmocka_unit_test(test_strange_rates_still_give_a_delay),
        cmocka_unit_test(test_defaults_are_six_attempts_from_five_to_sixty_seconds),
        cmocka_unit_test(test_json_is_told_from_what_is_not),
        cmocka_unit_test(test_deep_json_is_not_followed_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
