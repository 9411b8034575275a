/* How fast a lane may grow: in steps, and hardly at all on a busy machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/driver/growth.h"

/* Never read again, so it stays what the test says. */
static struct machine_load load_of(bool is_busy)
{
    return (struct machine_load){.fd = -1, .is_busy = is_busy};
}

static uint32_t grow_all(struct growth *growth, struct machine_load *load, uint32_t serving,
                         int64_t now_ms)
{
    uint32_t count = 0;

    while (count < 1000 && growth_may(growth, load, serving, now_ms)) {
        growth_note(growth, now_ms);
        count++;
    }
    return count;
}

static void test_it_doubles_at_most_with_each_step(void **state)
{
    struct machine_load load = load_of(false);
    struct growth growth = {0};
    int64_t now_ms = 100000;
    uint32_t serving = 0;

    (void)state;
    growth_note(&growth, now_ms); /* the first one needs no leave */
    serving++;
    assert_int_equal(grow_all(&growth, &load, serving, now_ms + GROWTH_STEP_MS - 1), 0);
    for (int i = 0; i < 6; i++) {
        now_ms += GROWTH_STEP_MS;
        assert_int_equal(grow_all(&growth, &load, serving, now_ms), serving);
        serving *= 2;
    }
}

static void test_a_busy_machine_gets_one_at_a_time(void **state)
{
    struct machine_load load = load_of(true);
    struct growth growth = {0};
    int64_t now_ms = 100000;

    (void)state;
    growth_note(&growth, now_ms);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(grow_all(&growth, &load, 8, now_ms + GROWTH_BUSY_MS - 1), 0);
        now_ms += GROWTH_BUSY_MS;
        assert_int_equal(grow_all(&growth, &load, 8, now_ms), 1);
    }
    load.is_busy = false;
    assert_int_equal(grow_all(&growth, &load, 8, now_ms + GROWTH_STEP_MS), 8);
}

static void test_the_machine_is_looked_at_now_and_then(void **state)
{
    struct machine_load load;
    uint64_t total;

    (void)state;
    machine_load_init(&load);
    assert_true(load.fd >= 0);
    assert_false(machine_load_is_busy(&load, 1000)); /* nothing to compare with */
    total = load.total;
    assert_true(total > 0);
    (void)machine_load_is_busy(&load, 1000 + GROWTH_STEP_MS - 1);
    assert_int_equal(load.total, total);
    while (load.total == total) { /* until the kernel has counted a tick */
        (void)machine_load_is_busy(&load, 1000 + GROWTH_STEP_MS);
    }
    assert_int_equal(load.read_ms, 1000 + GROWTH_STEP_MS);
    assert_true(load.idle <= load.total);
    machine_load_fini(&load);
    assert_false(machine_load_is_busy(&load, 5000) && load.fd >= 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_doubles_at_most_with_each_step),
        cmocka_unit_test(test_a_busy_machine_gets_one_at_a_time),
        cmocka_unit_test(test_the_machine_is_looked_at_now_and_then),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
