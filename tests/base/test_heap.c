#include "engine/base/heap.h"

#include "engine/base/err.h"
#include "tests/base/fixture.h"

#define NODES 300

/* The model: the same nodes in an array, the smallest found by looking at all. */
static int64_t smallest(const struct heap_node *nodes)
{
    int64_t key = INT64_MAX;

    for (int i = 0; i < NODES; i++) {
        if (nodes[i].place != 0 && nodes[i].key < key) {
            key = nodes[i].key;
        }
    }
    return key;
}

static size_t members(const struct heap_node *nodes)
{
    size_t count = 0;

    for (int i = 0; i < NODES; i++) {
        count += (nodes[i].place != 0) ? 1 : 0;
    }
    return count;
}

static void check_order(const struct heap *heap)
{
    for (size_t place = 1; place <= heap->count; place++) {
        assert_int_equal(heap->nodes[place]->place, place);
        assert_true(place == 1 || heap->nodes[place / 2]->key <= heap->nodes[place]->key);
    }
}

static void test_a_random_run_agrees_with_the_model(void **state)
{
    struct heap heap = {0};
    struct heap_node nodes[NODES] = {0};
    struct prng prng = fixture_seed();

    (void)state;
    for (int step = 0; step < 20000; step++) {
        struct heap_node *node = &nodes[prng_below(&prng, NODES)];
        int64_t key = (int64_t)prng_below(&prng, 1000) - 500;

        if (prng_below(&prng, 5) < 3) {
            assert_int_equal(heap_set(&heap, node, key), 0);
            assert_int_equal(node->key, key);
        } else {
            heap_remove(&heap, node);
            assert_int_equal(node->place, 0);
        }
        assert_int_equal(heap.count, members(nodes));
        assert_true(heap.count == 0 ? heap_min(&heap) == NULL
                                    : heap_min(&heap)->key == smallest(nodes));
        if (step % 100 == 0) {
            check_order(&heap);
        }
    }
    heap_fini(&heap);
}

static void test_keys_come_out_in_order(void **state)
{
    struct heap heap = {0};
    struct heap_node nodes[NODES] = {0};
    struct prng prng = fixture_seed();
    struct heap_node *min;
    int64_t last = INT64_MIN;
    int count = 0;

    (void)state;
    for (int i = 0; i < NODES; i++) {
        assert_int_equal(heap_set(&heap, &nodes[i], (int64_t)prng_next(&prng)), 0);
    }
    while ((min = heap_min(&heap)) != NULL) {
        assert_true(min->key >= last);
        last = min->key;
        heap_remove(&heap, min);
        count++;
    }
    assert_int_equal(count, NODES);
    heap_fini(&heap);
}

static void test_removing_what_is_not_in_is_harmless(void **state)
{
    struct heap heap = {0};
    struct heap_node in = {0};
    struct heap_node out = {0};

    (void)state;
    heap_remove(&heap, &out);
    assert_int_equal(heap_set(&heap, &in, 1), 0);
    heap_remove(&heap, &out);
    assert_ptr_equal(heap_min(&heap), &in);
    heap_remove(&heap, &in);
    heap_remove(&heap, &in);
    assert_int_equal(heap.count, 0);
    heap_fini(&heap);
}

static void test_a_failed_growth_leaves_the_node_out(void **state)
{
    struct heap heap = {0};
    struct heap_node nodes[NODES] = {0};
    int failed = 0;

    (void)state;
    (void)fixture_count_errors();
    fixture_fail_after(1);
    for (int i = 0; i < NODES; i++) {
        int r = heap_set(&heap, &nodes[i], NODES - i);

        assert_true(r == 0 || r == ERR_NOMEM);
        assert_int_equal(nodes[i].place != 0, r == 0);
        failed += (r != 0) ? 1 : 0;
    }
    assert_true(failed > 0 && failed < NODES);
    assert_int_equal(fixture_count_errors(), failed);
    check_order(&heap);
    assert_int_equal(heap_set(&heap, &nodes[0], -1), 0); /* a move needs no memory */
    assert_ptr_equal(heap_min(&heap), &nodes[0]);
    heap_fini(&heap);
}

#define TEST(name) cmocka_unit_test_teardown(name, fixture_restore)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_a_random_run_agrees_with_the_model),
        TEST(test_keys_come_out_in_order),
        TEST(test_removing_what_is_not_in_is_harmless),
        TEST(test_a_failed_growth_leaves_the_node_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
