/* What is not to be kept leaves no trace, but for its name, and that for a while. */
#include "journal/verify.h"
#include "tests/journal/fixture.h"

#define START_MS 1000
#define PROBLEM_MAX 320
#define MANY 2500

static const struct made_step first = {
    .status = EXEC_RUNNING, .events = 1, .notes = 1, .time_ms = START_MS, .wake_ms = 1};

static struct made_step last_step(size_t payload)
{
    return (struct made_step){.status = EXEC_SUCCEEDED,
                              .events = 2,
                              .time_ms = START_MS + 500,
                              .retention_days = 14,
                              .payload = payload,
                              .flags = FRAME_BRIEF};
}

/* Both frames in one batch of the views, or one each. */
static void run(struct fixture *f, struct made *made, struct prng *prng, size_t payload,
                bool is_one_batch)
{
    struct put puts[2] = {{.calls = 0}};
    struct made_step last = last_step(payload);
    struct made_step start = first;

    start.payload = payload;
    made_step(made, prng, &start, &puts[0].data);
    put_entry(f, &puts[0], JOURNAL_FRAME);
    if (!is_one_batch) {
        wait_puts(f, &puts[0], 1);
        wait_applied(f);
    }
    made_step(made, prng, &last, &puts[1].data);
    put_entry(f, &puts[1], JOURNAL_FRAME);
    wait_puts(f, puts, 2);
    wait_applied(f);
    put_fini(&puts[0]);
    put_fini(&puts[1]);
}

static int fail_frame(void *arg, struct bytes frame)
{
    (void)arg;
    (void)frame;
    fail_msg("a frame was kept");
    return 0;
}

static int count_head(void *arg, const struct journal_head *head)
{
    (void)head;
    ++*(int *)arg;
    return 0;
}

static void expect_no_trace(struct fixture *f, const struct made *made)
{
    struct journal_list list = {.tenant = made->head.tenant};
    struct journal_due after = {0};
    struct journal_due due;
    int listed = 0;

    assert_int_equal(journal_read_frames(f->journal, &made->head.exec_id, 1, fail_frame, NULL),
                     JOURNAL_NOT_FOUND);
    assert_int_equal(journal_read_list(f->journal, &list, count_head, &listed), 0);
    assert_int_equal(listed, 0);
    assert_int_equal(journal_read_due(f->journal, INT64_MAX, &after, &due, 1), 0);
}

static int find_name(struct fixture *f, const struct made *made, struct id *ret_exec_id)
{
    return journal_find_name(f->journal, made->head.tenant, &made->head.function_id,
                             &made->head.name_hash, ret_exec_id);
}

static int find_head(struct fixture *f, const struct made *made)
{
    struct journal_head head;

    return journal_get_head(f->journal, &made->head.exec_id, NULL, &head);
}

static void note_problem(void *arg, const char *text)
{
    (void)snprintf(arg, PROBLEM_MAX, "%s", text);
}

static const char *accept_frame(void *arg, struct bytes frame,
                                const uint8_t chain_before[FRAME_CHAIN_BYTES])
{
    (void)arg;
    (void)frame;
    (void)chain_before;
    return NULL;
}

static void ignore_object(void *arg, struct bytes key, struct bytes value)
{
    (void)arg;
    (void)key;
    (void)value;
}

static void expect_sound(struct fixture *f)
{
    char problem[PROBLEM_MAX] = "";
    struct verify verify = {.arg = problem,
                            .visit_frame = accept_frame,
                            .visit_object = ignore_object,
                            .problem = note_problem};
    struct verify_counts counts;

    fixture_close(f);
    assert_int_equal(journal_verify(f->dir, &verify, &counts), 0);
    assert_string_equal(problem, "");
    fixture_open(f);
}

static void test_without_a_name_nothing_is_left(void **state)
{
    struct fixture *f = *state;
    struct prng prng = {.state = 3};
    static const size_t payloads[] = {100, 70000};

    for (int i = 0; i < 4; i++) {
        struct made made;

        made_init(&made, &prng, START_MS);
        made.head.name_hash = (struct id){0};
        run(f, &made, &prng, payloads[i / 2], i % 2 == 0);
        expect_no_trace(f, &made);
        assert_int_equal(find_head(f, &made), JOURNAL_NOT_FOUND);
        made_fini(&made);
    }
    expect_sound(f);
}

static void test_a_name_stays_for_a_while(void **state)
{
    struct fixture *f = *state;
    struct prng prng = {.state = 4};
    int64_t end_ms = last_step(0).time_ms;

    for (int i = 0; i < 2; i++) {
        struct made made;
        struct id found;

        made_init(&made, &prng, START_MS);
        run(f, &made, &prng, 100, i == 0);
        expect_no_trace(f, &made);
        assert_int_equal(find_name(f, &made, &found), 0);
        assert_true(id_equal(&found, &made.head.exec_id));
        expect_sound(f);
        journal_expire(f->journal, end_ms + FRAME_BRIEF_MS - 1, 10);
        put_object_now(f, "after", "it", 2); /* what the applier does, it does in order */
        assert_int_equal(find_head(f, &made), 0);
        journal_expire(f->journal, end_ms + FRAME_BRIEF_MS, 10);
        while (find_head(f, &made) == 0) {
            put_object_now(f, "after", "it", 2);
        }
        assert_int_equal(find_name(f, &made, &found), JOURNAL_NOT_FOUND);
        made_fini(&made);
    }
    expect_sound(f);
}

/* More than the applier deletes in one step. */
static void test_all_that_has_expired_goes(void **state)
{
    static struct put puts[2 * MANY];
    struct fixture *f = *state;
    struct prng prng = {.state = 6};
    struct made_step last = last_step(100);
    struct journal_stats stats;

    for (int i = 0; i < MANY; i++) {
        struct made made;

        made_init(&made, &prng, START_MS);
        made_step(&made, &prng,
                  &(struct made_step){
                      .status = EXEC_RUNNING, .events = 1, .time_ms = START_MS, .payload = 100},
                  &puts[2 * i].data);
        made_step(&made, &prng, &last, &puts[2 * i + 1].data);
        put_entry(f, &puts[2 * i], JOURNAL_FRAME);
        put_entry(f, &puts[2 * i + 1], JOURNAL_FRAME);
        made_fini(&made);
    }
    wait_puts(f, puts, 2 * MANY);
    wait_applied(f);
    journal_get_stats(f->journal, &stats);
    assert_int_equal(stats.executions, MANY);
    journal_expire(f->journal, last.time_ms + FRAME_BRIEF_MS, UINT32_MAX);
    while (stats.executions > 0) {
        put_object_now(f, "between", "steps", 5); /* the views go on meanwhile */
        journal_get_stats(f->journal, &stats);
    }
    for (int i = 0; i < 2 * MANY; i++) {
        put_fini(&puts[i]);
    }
}

/* A frame that says so without an end is none. */
static void test_only_an_end_is_brief(void **state)
{
    struct prng prng = {.state = 5};
    struct made_step step = first;
    struct frame_header header;
    struct frame_opening opening;
    struct bytes sealed;
    struct made made;
    struct buf frame = {0};

    (void)state;
    made_init(&made, &prng, START_MS);
    step.payload = 100;
    made_step(&made, &prng, &step, &frame);
    assert_true(frame_parse(buf_bytes(&frame), &header, &opening, &sealed));
    frame.data[2] |= FRAME_BRIEF;
    assert_false(frame_parse(buf_bytes(&frame), &header, &opening, &sealed));
    buf_fini(&frame);
    made_fini(&made);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_a_name_nothing_is_left, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_name_stays_for_a_while, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_all_that_has_expired_goes, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test(test_only_an_end_is_brief),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
