/* What servers may hold, alone and together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/prng.h"
#include "invoke/http_budget.h"

static void test_it_ends_at_its_limit(void **state)
{
    struct http_budget budget = {.max = 100};

    (void)state;
    assert_true(http_budget_take(&budget, 60));
    assert_true(http_budget_has_room(&budget, 40));
    assert_false(http_budget_has_room(&budget, 41));
    assert_false(http_budget_take(&budget, 41));
    assert_true(http_budget_take(&budget, 40));
    assert_false(http_budget_take(&budget, 1));
    assert_true(http_budget_take(&budget, 0));
    assert_false(http_budget_take(&budget, UINT64_MAX));
    http_budget_give(&budget, 100);
    assert_false(http_budget_take(&budget, 101));
    assert_int_equal(atomic_load(&budget.used), 0);
}

static void test_what_is_beyond_the_reserve_is_shared(void **state)
{
    struct http_budget shared = {.max = 100};
    struct http_budget a = {.max = 1000, .reserve = 10, .shared = &shared};
    struct http_budget b = {.max = 1000, .reserve = 10, .shared = &shared};

    (void)state;
    assert_true(http_budget_take(&a, 10));
    assert_int_equal(atomic_load(&shared.used), 0);
    assert_true(http_budget_take(&a, 100));
    assert_int_equal(atomic_load(&shared.used), 100);
    assert_false(http_budget_take(&a, 1));
    assert_true(http_budget_take(&b, 10)); /* its own */
    assert_false(http_budget_take(&b, 1));
    assert_int_equal(atomic_load(&b.used), 10);
    http_budget_give(&a, 50);
    assert_true(http_budget_take(&b, 50));
    http_budget_give(&a, 60);
    http_budget_give(&b, 60);
    assert_int_equal(atomic_load(&shared.used), 0);
}

static uint64_t beyond(uint64_t bytes, uint64_t reserve)
{
    return (bytes > reserve) ? bytes - reserve : 0;
}

/* Against a model of two numbers. */
static void test_any_order_comes_out_even(void **state)
{
    struct http_budget shared = {.max = 500};
    struct http_budget budgets[3] = {{.max = 300, .reserve = 20, .shared = &shared},
                                     {.max = 300, .reserve = 0, .shared = &shared},
                                     {.max = 300, .reserve = 250, .shared = &shared}};
    uint64_t used[3] = {0};
    struct prng prng = {.state = 9};

    (void)state;
    for (int turn = 0; turn < 100000; turn++) {
        size_t i = prng_below(&prng, 3);
        uint64_t bytes = prng_below(&prng, 120);
        uint64_t together = 0;

        if (prng_below(&prng, 2) == 0) {
            bytes = (bytes < used[i]) ? bytes : used[i];
            http_budget_give(&budgets[i], bytes);
            used[i] -= bytes;
        } else if (http_budget_take(&budgets[i], bytes)) {
            used[i] += bytes;
        }
        for (size_t j = 0; j < 3; j++) {
            assert_true(used[j] <= budgets[j].max);
            assert_int_equal(atomic_load(&budgets[j].used), used[j]);
            together += beyond(used[j], budgets[j].reserve);
        }
        assert_true(together <= shared.max);
        assert_int_equal(atomic_load(&shared.used), together);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_ends_at_its_limit),
        cmocka_unit_test(test_what_is_beyond_the_reserve_is_shared),
        cmocka_unit_test(test_any_order_comes_out_even),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
