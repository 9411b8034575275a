#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "tests/journal/fixture.h"

#define BURST 300
#define FUTURE_MS ((int64_t)4102444800000)

static void test_more_than_the_log_holds_goes_through(void **state)
{
    static struct put puts[BURST];
    static uint8_t value[15000];
    struct fixture f;
    struct journal_stats stats;

    (void)state;
    fixture_init(&f);
    f.options.log_map_bytes = (uint64_t)2 << 20; /* the burst is twice that */
    fixture_open(&f);
    for (int i = 0; i < BURST; i++) {
        memset(&puts[i], 0, sizeof puts[i]);
        value[0] = (uint8_t)i;
        put_object(&f, &puts[i], "key", value, sizeof value);
    }
    wait_puts(&f, puts, BURST);
    wait_applied(&f);
    journal_get_stats(f.journal, &stats);
    assert_true(stats.trimmed_lsn > 0);
    while (journal_is_full(f.journal)) {
        uv_sleep(1); /* the writer looks again by itself */
    }
    for (int i = 0; i < BURST; i++) {
        put_fini(&puts[i]);
    }
    fixture_fini(&f);
}

static void test_a_burst_that_does_not_fit_is_not_lost_by_reopening(void **state)
{
    static struct put puts[BURST];
    static uint8_t value[15000];
    struct fixture f;
    struct buf found = {0};

    (void)state;
    fixture_init(&f);
    f.options.log_map_bytes = (uint64_t)2 << 20;
    fixture_open(&f);
    for (int i = 0; i < BURST; i++) {
        memset(&puts[i], 0, sizeof puts[i]);
        value[0] = (uint8_t)i;
        put_object(&f, &puts[i], "key", value, sizeof value);
    }
    fixture_close(&f); /* waits for all */
    fixture_open(&f);
    assert_int_equal(journal_get_object(f.journal, bytes_of_text("key"), &found), 0);
    assert_int_equal(found.len, sizeof value);
    assert_int_equal(found.data[0], (uint8_t)(BURST - 1));
    buf_fini(&found);
    for (int i = 0; i < BURST; i++) {
        assert_int_equal(puts[i].calls, 1);
        put_fini(&puts[i]);
    }
    fixture_fini(&f);
}

/* One execution that has ended: first frame and last in one. */
static void make_ended(struct prng *prng, struct put *put)
{
    struct made made;
    struct made_step step = {.status = EXEC_SUCCEEDED,
                             .events = 2,
                             .notes = 1,
                             .time_ms = 1000,
                             .retention_days = 1,
                             .payload = 3000};

    made_init(&made, prng, 1000);
    made_step(&made, prng, &step, &put->data);
    made_fini(&made);
}

static void append_ended(struct fixture *f, struct prng *prng, struct put *put)
{
    put_fini(put);
    *put = (struct put){.calls = 0};
    make_ended(prng, put);
    put_entry(f, put, JOURNAL_FRAME);
}

/* Until new work would be refused. Returns how many executions it took. */
static int fill_views(struct fixture *f, struct prng *prng)
{
    struct put put = {.calls = 0};
    int count = 0;

    while (!journal_is_full(f->journal)) {
        append_ended(f, prng, &put);
        wait_puts(f, &put, 1);
        if (++count % 20 == 0) {
            wait_applied(f);
        }
        assert_true(count < 100000);
    }
    wait_applied(f);
    put_fini(&put);
    return count;
}

static void test_full_views_refuse_then_go_on_after_expiry(void **state)
{
    struct fixture f;
    struct prng prng = {.state = 9};
    struct journal_stats stats;

    (void)state;
    fixture_init(&f);
    f.options.views_map_bytes = (uint64_t)4 << 20;
    fixture_open(&f);
    for (int round = 0; round < 3; round++) {
        int count = fill_views(&f, &prng);

        assert_true(count > 100);
        do {
            journal_expire(f.journal, FUTURE_MS, 1000);
            journal_get_stats(f.journal, &stats);
        } while (stats.executions > 0 || stats.is_full);
        assert_true(stats.views_used_bytes < (uint64_t)1 << 20);
    }
    fixture_fini(&f);
}

/* Admission ignored: the views stop taking entries, the log fills, appends wait.
 * Expiry alone must bring it all to its end. */
static void test_a_journal_filled_to_the_brim_recovers_by_expiry(void **state)
{
    enum { COUNT = 1500 };
    static struct put puts[COUNT];
    struct fixture f;
    struct prng prng = {.state = 10};
    struct journal_stats stats;

    (void)state;
    fixture_init(&f);
    f.options.log_map_bytes = (uint64_t)2 << 20;
    f.options.views_map_bytes = (uint64_t)4 << 20;
    fixture_open(&f);
    for (int i = 0; i < COUNT; i++) {
        puts[i] = (struct put){.calls = 0};
        make_ended(&prng, &puts[i]);
        put_entry(&f, &puts[i], JOURNAL_FRAME);
    }
    do {
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    } while (!journal_is_full(f.journal));
    while (puts[COUNT - 1].calls == 0) {
        journal_expire(f.journal, FUTURE_MS, 100);
        (void)uv_run(&f.loop, UV_RUN_NOWAIT);
        uv_sleep(1);
    }
    wait_applied(&f);
    do {
        journal_expire(f.journal, FUTURE_MS, 1000);
        journal_get_stats(f.journal, &stats);
    } while (stats.executions > 0 || stats.is_full);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(puts[i].calls, 1);
        put_fini(&puts[i]);
    }
    fixture_fini(&f);
}

/* --- what is on its way --------------------------------------------------------------- */

#define CROWD 40

/* How many entries are taken before new work would be refused, with the loop standing
 * still: so that nothing of it is known to be committed. */
static int count_until_full(struct fixture *f, struct put *puts)
{
    static uint8_t value[100000];
    int count = 0;

    while (count < CROWD && !journal_is_full(f->journal)) {
        puts[count] = (struct put){.calls = 0};
        put_object(f, &puts[count], "key", value, sizeof value);
        count++;
    }
    return count;
}

static void test_new_work_on_its_way_counts_as_used(void **state)
{
    static struct put puts[CROWD];
    struct fixture f;
    int count;

    (void)state;
    fixture_init(&f);
    f.options.log_map_bytes = (uint64_t)2 << 20;
    fixture_open(&f);
    count = count_until_full(&f, puts);
    assert_in_range(count, 5, 20); /* of 85 % of 2 MiB, with pages not quite filled */
    wait_puts(&f, puts, (size_t)count);
    wait_applied(&f);
    for (int i = 0; i < count; i++) {
        put_fini(&puts[i]);
    }
    fixture_fini(&f);
}

/* --- memory ---------------------------------------------------------------------------- */

static int fail_after;

static bool count_down(size_t size)
{
    (void)size;
    return fail_after-- > 0;
}

static void silence(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)text;
}

static int open_with_failure(struct fixture *f, int n)
{
    int r;

    fail_after = n;
    mem_set_hook(count_down);
    err_set_sink(silence);
    r = journal_open(&f->journal, &f->loop, f->dir, &f->options);
    mem_set_hook(NULL);
    err_set_sink(NULL);
    return r;
}

static void test_open_survives_each_failed_allocation(void **state)
{
    struct fixture f;
    struct prng prng = {.state = 11};
    struct put put = {.calls = 0};
    int n = 0;
    int r;

    (void)state;
    fixture_init(&f);
    assert_int_equal(uv_loop_init(&f.loop), 0);
    do {
        r = open_with_failure(&f, n++);
        assert_true(r == 0 || r == ERR_NOMEM);
    } while (r != 0);
    assert_true(n > 5);
    f.is_open = true;
    append_ended(&f, &prng, &put);
    wait_puts(&f, &put, 1);
    put_fini(&put);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_more_than_the_log_holds_goes_through),
        cmocka_unit_test(test_a_burst_that_does_not_fit_is_not_lost_by_reopening),
        cmocka_unit_test(test_full_views_refuse_then_go_on_after_expiry),
        cmocka_unit_test(test_a_journal_filled_to_the_brim_recovers_by_expiry),
        cmocka_unit_test(test_new_work_on_its_way_counts_as_used),
        cmocka_unit_test(test_open_survives_each_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
