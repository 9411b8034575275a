#include "engine/base/list.h"

#include "tests/base/fixture.h"

struct item {
    int number;
    struct list link;
};

static void assert_numbers(struct list *head, const int *numbers, size_t count)
{
    struct list *pos;
    size_t i = 0;

    list_for_each (pos, head) {
        assert_true(i < count);
        assert_int_equal(container_of(pos, struct item, link)->number, numbers[i++]);
        assert_ptr_equal(pos->next->prev, pos);
        assert_ptr_equal(pos->prev->next, pos);
    }
    assert_int_equal(i, count);
}

static void fill(struct list *head, struct item *items, int from, int count)
{
    list_init(head);
    for (int i = 0; i < count; i++) {
        items[i].number = from + i;
        list_push_back(head, &items[i].link);
    }
}

static void test_items_come_in_the_order_they_were_pushed(void **state)
{
    struct item items[3];
    struct list head;

    (void)state;
    fill(&head, items, 1, 3);
    assert_numbers(&head, (const int[]){1, 2, 3}, 3);
    assert_ptr_equal(list_pop_front(&head), &items[0].link);
    assert_numbers(&head, (const int[]){2, 3}, 2);
}

static void test_popping_an_empty_list_gives_nothing(void **state)
{
    struct list head;

    (void)state;
    list_init(&head);
    assert_true(list_is_empty(&head));
    assert_null(list_pop_front(&head));
}

static void test_removing_twice_is_harmless(void **state)
{
    struct item items[3];
    struct list head;

    (void)state;
    fill(&head, items, 1, 3);
    list_remove(&items[1].link);
    list_remove(&items[1].link);
    assert_numbers(&head, (const int[]){1, 3}, 2);
    list_remove(&items[0].link);
    list_remove(&items[2].link);
    assert_true(list_is_empty(&head));
}

static void test_splicing_moves_all_and_empties_the_source(void **state)
{
    struct item first[2];
    struct item second[3];
    struct list to;
    struct list from;

    (void)state;
    fill(&to, first, 1, 2);
    fill(&from, second, 3, 3);
    list_splice_back(&to, &from);
    assert_numbers(&to, (const int[]){1, 2, 3, 4, 5}, 5);
    assert_true(list_is_empty(&from));
    list_splice_back(&to, &from);
    assert_numbers(&to, (const int[]){1, 2, 3, 4, 5}, 5);
    list_splice_back(&from, &to);
    assert_numbers(&from, (const int[]){1, 2, 3, 4, 5}, 5);
    assert_true(list_is_empty(&to));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items_come_in_the_order_they_were_pushed),
        cmocka_unit_test(test_popping_an_empty_list_gives_nothing),
        cmocka_unit_test(test_removing_twice_is_harmless),
        cmocka_unit_test(test_splicing_moves_all_and_empties_the_source),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
