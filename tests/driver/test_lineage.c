/* Who has run how often in a chain of invokes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/driver/lineage.h"

struct scene {
    struct arena arena;
    struct id ids[40];
};

static int set_up(void **state)
{
    static struct scene scene;
    struct prng prng = {.state = 11};

    arena_init(&scene.arena, 0);
    for (size_t i = 0; i < sizeof scene.ids / sizeof scene.ids[0]; i++) {
        scene.ids[i] = id_make(1795422821977, 0, (uint32_t)i, &prng);
    }
    *state = &scene;
    return 0;
}

static int tear_down(void **state)
{
    arena_fini(&((struct scene *)*state)->arena);
    return 0;
}

static struct bytes run(struct scene *scene, size_t function, struct bytes trace)
{
    struct bytes extended = lineage_extend(&scene->arena, &scene->ids[function], trace);

    assert_non_null(extended.data);
    assert_true(extended.len <= LINEAGE_TRACE_MAX || extended.len <= trace.len);
    return extended;
}

static void expect(struct scene *scene, struct bytes trace, const char *format, size_t a, size_t b)
{
    char wanted[256];
    unsigned numbers[2] = {(unsigned)(uint32_t)id_hash(&scene->ids[a]),
                           (unsigned)(uint32_t)id_hash(&scene->ids[b])};

    (void)snprintf(wanted, sizeof wanted, format, numbers[0], numbers[1]);
    assert_true(bytes_equal(trace, bytes_of_text(wanted)));
}

static void test_functions_are_counted_in_their_order(void **state)
{
    struct scene *scene = *state;
    struct bytes trace = bytes_of_text("Root=1-2-3;Parent=4;Sampled=0");

    trace = run(scene, 0, trace);
    expect(scene, trace, "Root=1-2-3;Parent=4;Sampled=0;Lineage=%08x:1", 0, 0);
    trace = run(scene, 1, trace);
    expect(scene, trace, "Root=1-2-3;Parent=4;Sampled=0;Lineage=%08x:1|%08x:1", 0, 1);
    trace = run(scene, 0, trace);
    expect(scene, trace, "Root=1-2-3;Parent=4;Sampled=0;Lineage=%08x:2|%08x:1", 0, 1);
}

static void test_other_fields_stay_as_they_are(void **state)
{
    struct scene *scene = *state;

    expect(scene, run(scene, 0, bytes_of_text("Self=a;;Lineage=00000007:3;Root=b")),
           "Self=a;Root=b;Lineage=00000007:3|%08x:1", 0, 0);
    expect(scene, run(scene, 0, bytes_of_text("")), "Lineage=%08x:1", 0, 0);
}

static void test_what_we_did_not_write_counts_nothing(void **state)
{
    static const char *const foreign[] = {"Lineage=",
                                          "Lineage=x:1",
                                          "Lineage=00000001:",
                                          "Lineage=00000001:-1",
                                          "Lineage=00000001:1 ",
                                          "Lineage=0x000001:1",
                                          "Lineage=|||",
                                          "Lineage=00000001:2:3",
                                          "Lineage=000001:1",
                                          "Lineage=-0000001:1",
                                          "Lineage=:1",
                                          "Lineage=00000001:123456"};
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        expect(scene, run(scene, 0, bytes_of_text(foreign[i])), "Lineage=%08x:1", 0, 0);
    }
}

static void test_the_first_are_forgotten_when_there_is_no_room(void **state)
{
    struct scene *scene = *state;
    struct bytes trace = bytes_of_text("Root=1-12345678-123456789012345678901234;Sampled=0");
    const struct id *last = &scene->ids[39];
    char number[9];

    for (size_t i = 0; i < 40; i++) {
        trace = run(scene, i, trace);
    }
    assert_true(trace.len > LINEAGE_TRACE_MAX - 12);
    (void)snprintf(number, sizeof number, "%08x", (unsigned)(uint32_t)id_hash(last));
    assert_memory_equal(trace.data + trace.len - 10, number, 8);
    assert_memory_equal(trace.data, "Root=1-12345678-123456789012345678901234;Sampled=0;L", 51);
}

/* A caller's header that fills all of it goes on as it is. */
static void test_a_full_header_stays(void **state)
{
    struct scene *scene = *state;
    char full[LINEAGE_TRACE_MAX];

    memset(full, 'r', sizeof full);
    assert_true(
        bytes_equal(run(scene, 0, bytes_of(full, sizeof full)), bytes_of(full, sizeof full)));
    memset(full, ';', sizeof full);
    expect(scene, run(scene, 0, bytes_of(full, sizeof full)), "Lineage=%08x:1", 0, 0);
}

static void test_runs_are_told_by_function(void **state)
{
    struct scene *scene = *state;
    struct bytes trace = bytes_of_text("Root=1");

    for (uint32_t i = 0; i < 3 * LINEAGE_RUNS_MAX; i++) {
        assert_int_equal(lineage_runs(&scene->ids[3], trace), i);
        trace = run(scene, 3, trace);
    }
    assert_int_equal(lineage_runs(&scene->ids[4], trace), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions_are_counted_in_their_order),
        cmocka_unit_test(test_other_fields_stay_as_they_are),
        cmocka_unit_test(test_what_we_did_not_write_counts_nothing),
        cmocka_unit_test(test_the_first_are_forgotten_when_there_is_no_room),
        cmocka_unit_test(test_a_full_header_stays),
        cmocka_unit_test(test_runs_are_told_by_function),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
