/* The views against a model that keeps everything in an array. Random executions,
 * frames, pauses and restarts; the seed is printed, and taken from the command line. */
#include <stdlib.h>

#include "engine/base/mem.h"
#include "tests/journal/fixture.h"

#define EXECUTIONS 120
#define STEPS 700
#define DAY_MS ((int64_t)86400000)

struct world {
    struct fixture f;
    struct prng prng;
    struct made made[EXECUTIONS];
    size_t made_count;
    struct put puts[STEPS];
};

static uint64_t seed_first = 1;
static uint64_t seed_count = 6;

static uint32_t any(struct world *world, uint32_t below)
{
    return prng_below(&world->prng, below);
}

static struct made_step random_step(struct world *world, const struct made *made)
{
    bool is_ended = made->head.last_record > 0 && made->head.status != EXEC_RUNNING;
    struct made_step step = {.status = EXEC_RUNNING,
                             .events = any(world, 4),
                             .notes = 1 + any(world, 2),
                             .time_ms = made->head.start_ms + any(world, 1000),
                             .retention_days = any(world, 3),
                             .payload = any(world, 300)};

    if (any(world, 12) == 0) {
        step.payload = any(world, 60000);
    }
    if (is_ended) { /* a note after the end changes neither state nor retention */
        step.status = made->head.status;
        step.events = 0;
        step.retention_days = made->head.retention_days;
        step.wake_ms = any(world, 3); /* somebody is still to be told of the end */
    } else if (any(world, 6) == 0) {
        step.status = (uint8_t)(EXEC_SUCCEEDED + any(world, 4));
    } else {
        step.wake_ms = any(world, 3) * (1 + any(world, 50));
    }
    return step;
}

static void append_step(struct world *world, struct put *put)
{
    struct made *made = &world->made[any(world, EXECUTIONS)];
    struct made_step step;

    if (world->made_count < EXECUTIONS && any(world, 4) == 0) {
        made = &world->made[world->made_count++];
        made_init(made, &world->prng, 1000 + any(world, 40));
    }
    if (made->head.tenant == 0) {
        made = &world->made[0]; /* not begun yet */
    }
    step = random_step(world, made);
    made_step(made, &world->prng, &step, &put->data);
    put_entry(&world->f, put, JOURNAL_FRAME);
}

static void run_steps(struct world *world)
{
    for (size_t i = 0; i < STEPS; i++) {
        append_step(world, &world->puts[i]);
        switch (any(world, 40)) {
        case 0:
            wait_applied(&world->f);
            break;
        case 1:
            wait_puts(&world->f, world->puts, i + 1);
            break;
        case 2:
            fixture_close(&world->f);
            fixture_open(&world->f);
            break;
        default:
            break;
        }
    }
    wait_puts(&world->f, world->puts, STEPS);
    wait_applied(&world->f);
}

/* --- due times ------------------------------------------------------------------------ */

static size_t count_due(const struct world *world, int64_t until_ms)
{
    size_t count = 0;

    for (size_t i = 0; i < world->made_count; i++) {
        int64_t wake_ms = world->made[i].head.wake_ms;

        count += (wake_ms != 0 && wake_ms <= until_ms && !world->made[i].is_gone) ? 1 : 0;
    }
    return count;
}

static void check_due(struct world *world, int64_t until_ms, size_t page)
{
    struct journal_due after = {.wake_ms = 0};
    struct journal_due last = {.wake_ms = 0};
    struct journal_due due[16];
    size_t count = 0;
    int got;

    do {
        got = journal_read_due(world->f.journal, until_ms, &after, due, page);
        assert_true(got >= 0 && (size_t)got <= page);
        for (int i = 0; i < got; i++) {
            struct journal_head head;

            assert_true(due[i].wake_ms >= last.wake_ms && due[i].wake_ms <= until_ms);
            assert_int_equal(journal_get_head(world->f.journal, &due[i].exec_id, NULL, &head), 0);
            assert_int_equal(head.wake_ms, due[i].wake_ms);
            last = due[i];
        }
        count += (size_t)got;
    } while (got > 0);
    assert_int_equal(count, count_due(world, until_ms));
}

static void check_next_due(struct world *world, int64_t after_ms)
{
    int64_t next = 0;
    int64_t found = -1;

    for (size_t i = 0; i < world->made_count; i++) {
        int64_t wake_ms = world->made[i].head.wake_ms;

        if (!world->made[i].is_gone && wake_ms > after_ms && (next == 0 || wake_ms < next)) {
            next = wake_ms;
        }
    }
    assert_int_equal(journal_next_due(world->f.journal, after_ms, &found), 0);
    assert_int_equal(found, next);
}

/* --- lists ----------------------------------------------------------------------------- */

static bool is_listed(const struct journal_list *list, const struct made *made)
{
    const struct journal_head *head = &made->head;

    return !made->is_gone && head->tenant == list->tenant &&
           (id_is_none(&list->function_id) || id_equal(&list->function_id, &head->function_id)) &&
           (list->statuses == 0 || (list->statuses & (1U << head->status)) != 0) &&
           (list->started_after_ms == 0 || head->start_ms >= list->started_after_ms) &&
           (list->started_before_ms == 0 || head->start_ms <= list->started_before_ms);
}

static int by_place(const void *one, const void *two)
{
    const struct made *a = *(const struct made *const *)one;
    const struct made *b = *(const struct made *const *)two;

    if (a->head.start_ms != b->head.start_ms) {
        return (a->head.start_ms > b->head.start_ms) ? 1 : -1;
    }
    return memcmp(&a->head.exec_id, &b->head.exec_id, sizeof a->head.exec_id);
}

struct listed {
    struct id ids[EXECUTIONS];
    int64_t start_ms;
    size_t count;
    size_t page;
    size_t page_max;
};

static int note_listed(void *arg, const struct journal_head *head)
{
    struct listed *listed = arg;

    assert_true(listed->count < EXECUTIONS);
    listed->ids[listed->count++] = head->exec_id;
    listed->start_ms = head->start_ms;
    return (++listed->page == listed->page_max) ? 1 : 0;
}

static void read_pages(struct world *world, struct journal_list list, struct listed *listed)
{
    int r;

    do {
        listed->page = 0;
        r = journal_read_list(world->f.journal, &list, note_listed, listed);
        if (listed->count > 0) {
            list.from_start_ms = listed->start_ms;
            list.from_exec_id = listed->ids[listed->count - 1];
        }
    } while (r == 1);
    assert_int_equal(r, 0);
}

static void check_list(struct world *world, const struct journal_list *list)
{
    const struct made *expected[EXECUTIONS];
    struct listed listed = {.page_max = 1 + any(world, 20)};
    size_t count = 0;

    for (size_t i = 0; i < world->made_count; i++) {
        if (is_listed(list, &world->made[i])) {
            expected[count++] = &world->made[i];
        }
    }
    qsort(expected, count, sizeof *expected, by_place);
    read_pages(world, *list, &listed);
    assert_int_equal(listed.count, count);
    for (size_t i = 0; i < count; i++) {
        const struct made *made = expected[list->is_oldest_first ? i : count - 1 - i];

        assert_memory_equal(&listed.ids[i], &made->head.exec_id, sizeof made->head.exec_id);
    }
}

static struct journal_list random_list(struct world *world)
{
    struct journal_list list = {.tenant = TENANT + any(world, 2),
                                .is_oldest_first = any(world, 2) == 0};

    list.function_id.bytes[0] = (uint8_t)any(world, 4);
    if (any(world, 2) == 0) {
        list.statuses = 2U * any(world, 32);
    }
    if (any(world, 2) == 0) {
        list.started_after_ms = 1000 + any(world, 40);
    }
    if (any(world, 2) == 0) {
        list.started_before_ms = 1000 + any(world, 40);
    }
    return list;
}

/* --- the whole -------------------------------------------------------------------------- */

static void check_all(struct world *world)
{
    struct journal_stats stats;
    uint64_t left = 0;

    for (size_t i = 0; i < world->made_count; i++) {
        if (!world->made[i].is_gone) {
            assert_made(&world->f, &world->made[i]);
            left++;
        }
    }
    journal_get_stats(world->f.journal, &stats);
    assert_int_equal(stats.executions, left);
    for (int64_t ms = 0; ms <= 100; ms += 7) {
        check_due(world, ms, 1 + any(world, 16));
        check_next_due(world, ms);
    }
    for (int i = 0; i < 200; i++) {
        struct journal_list list = random_list(world);

        check_list(world, &list);
    }
}

static void assert_gone(struct world *world, const struct made *made)
{
    struct journal_head head;
    struct id found;

    assert_int_equal(journal_get_head(world->f.journal, &made->head.exec_id, NULL, &head),
                     JOURNAL_NOT_FOUND);
    assert_int_equal(journal_find_name(world->f.journal, made->head.tenant, &made->head.function_id,
                                       &made->head.name_hash, &found),
                     JOURNAL_NOT_FOUND);
}

static uint64_t executions_left(struct world *world)
{
    struct journal_stats stats;

    journal_get_stats(world->f.journal, &stats);
    return stats.executions;
}

/* Ended executions with a retention of at most one day are over at `now_ms`. */
static void expire_some(struct world *world)
{
    int64_t now_ms = 1040 + 1000 + DAY_MS;
    uint64_t left = 0;

    for (size_t i = 0; i < world->made_count; i++) {
        const struct journal_head *head = &world->made[i].head;

        world->made[i].is_gone = head->status != EXEC_RUNNING && head->retention_days == 1;
        left += world->made[i].is_gone ? 0 : 1;
    }
    while (executions_left(world) > left) {
        journal_expire(world->f.journal, now_ms, 3);
    }
    for (size_t i = 0; i < world->made_count; i++) {
        if (world->made[i].is_gone) {
            assert_gone(world, &world->made[i]);
        }
    }
}

static void run_seed(uint64_t seed)
{
    struct world *world = mem_calloc(1, sizeof *world);

    assert_non_null(world);
    world->prng.state = seed;
    fixture_init(&world->f);
    fixture_open(&world->f);
    made_init(&world->made[world->made_count++], &world->prng, 1000);
    run_steps(world);
    check_all(world);
    expire_some(world);
    check_all(world);
    for (size_t i = 0; i < EXECUTIONS; i++) {
        made_fini(&world->made[i]);
    }
    for (size_t i = 0; i < STEPS; i++) {
        put_fini(&world->puts[i]);
    }
    fixture_fini(&world->f);
    mem_free(world);
}

static void test_views_equal_a_model(void **state)
{
    (void)state;
    for (uint64_t seed = seed_first; seed < seed_first + seed_count; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        run_seed(seed);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_views_equal_a_model)};

    seed_first = (argc > 1) ? strtoull(argv[1], NULL, 10) : seed_first;
    seed_count = (argc > 2) ? strtoull(argv[2], NULL, 10) : seed_count;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
