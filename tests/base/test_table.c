#include "engine/base/table.h"

#include "engine/base/err.h"
#include "engine/base/list.h"
#include "tests/base/fixture.h"

#define ITEMS 500

struct item {
    struct table_node node;
    uint32_t key;
    bool is_in;
};

/* Few different hashes, so that buckets are shared and hashes collide. */
static uint64_t hash_of(uint32_t key)
{
    return key % 97 * 0x10001U;
}

static struct item *find(const struct table *table, uint32_t key)
{
    struct table_node *node = table_first(table, hash_of(key));

    for (; node != NULL; node = table_next(node)) {
        struct item *item = container_of(node, struct item, node);

        if (item->key == key) {
            return item;
        }
    }
    return NULL;
}

static void check_walk(const struct table *table, const struct item *items)
{
    uint8_t seen[ITEMS] = {0};
    struct table_node *node = NULL;
    size_t bucket = 0;

    while ((node = table_walk(table, &bucket, node)) != NULL) {
        seen[container_of(node, struct item, node)->key]++;
    }
    for (int i = 0; i < ITEMS; i++) {
        assert_int_equal(seen[i], items[i].is_in ? 1 : 0);
    }
}

static void toggle(struct table *table, struct item *item)
{
    if (item->is_in) {
        table_remove(table, &item->node);
    } else {
        assert_int_equal(table_insert(table, &item->node, hash_of(item->key)), 0);
    }
    item->is_in = !item->is_in;
}

static void test_a_random_run_agrees_with_the_model(void **state)
{
    static struct item items[ITEMS];
    struct table table = {0};
    struct prng prng = fixture_seed();
    size_t count = 0;

    (void)state;
    for (uint32_t i = 0; i < ITEMS; i++) {
        items[i] = (struct item){.key = i};
    }
    for (int step = 0; step < 20000; step++) {
        struct item *item = &items[prng_below(&prng, ITEMS)];
        uint32_t asked = prng_below(&prng, ITEMS);

        toggle(&table, item);
        count = item->is_in ? count + 1 : count - 1;
        assert_int_equal(table.count, count);
        assert_ptr_equal(find(&table, asked), items[asked].is_in ? &items[asked] : NULL);
        if (step % 500 == 0) {
            check_walk(&table, items);
        }
    }
    table_fini(&table);
}

static void test_an_empty_table_finds_and_walks_nothing(void **state)
{
    struct table table = {0};
    size_t bucket = 0;

    (void)state;
    assert_null(table_first(&table, 7));
    assert_null(table_walk(&table, &bucket, NULL));
    table_fini(&table);
}

static void test_without_memory_the_first_insert_fails(void **state)
{
    struct table table = {0};
    struct item item = {0};

    (void)state;
    (void)fixture_count_errors();
    fixture_fail_after(0);
    assert_int_equal(table_insert(&table, &item.node, 1), ERR_NOMEM);
    assert_int_equal(table.count, 0);
    assert_null(table_first(&table, 1));
    assert_int_equal(fixture_count_errors(), 1);
    table_fini(&table);
}

static void test_a_failed_growth_leaves_a_correct_table(void **state)
{
    static struct item items[ITEMS];
    struct table table = {0};

    (void)state;
    (void)fixture_count_errors();
    fixture_fail_after(1);
    for (uint32_t i = 0; i < ITEMS; i++) {
        items[i] = (struct item){.key = i};
        toggle(&table, &items[i]);
    }
    for (uint32_t i = 0; i < ITEMS; i++) {
        assert_ptr_equal(find(&table, i), &items[i]);
    }
    check_walk(&table, items);
    assert_int_equal(fixture_count_errors(), 0);
    table_fini(&table);
}

static void test_close_keys_hash_far_apart(void **state)
{
    uint32_t buckets[64] = {0};

    (void)state;
    for (uint32_t i = 0; i < 6400; i++) {
        buckets[table_hash(bytes_of(&i, sizeof i)) & 63]++;
    }
    for (int i = 0; i < 64; i++) {
        assert_in_range(buckets[i], 50, 200);
    }
}

#define TEST(name) cmocka_unit_test_teardown(name, fixture_restore)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_a_random_run_agrees_with_the_model),
        TEST(test_an_empty_table_finds_and_walks_nothing),
        TEST(test_without_memory_the_first_insert_fails),
        TEST(test_a_failed_growth_leaves_a_correct_table),
        TEST(test_close_keys_hash_far_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
