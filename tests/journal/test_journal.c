#include "tests/journal/fixture.h"

#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/err.h"

static const struct made_step start_step = {
    .status = EXEC_RUNNING, .events = 1, .notes = 1, .time_ms = 1000, .wake_ms = 1, .payload = 200};

static void silence(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)text;
}

/* --- appends ------------------------------------------------------------------------- */

struct ordered {
    struct journal_append append;
    uint64_t *last;
    int *count;
};

static void check_order(struct journal_append *req)
{
    struct ordered *ordered = container_of(req, struct ordered, append);

    assert_int_equal(req->lsn, *ordered->last + 1);
    *ordered->last = req->lsn;
    *ordered->count += 1;
}

static void test_callbacks_come_once_each_and_in_order(void **state)
{
    struct fixture *f = *state;
    static const uint8_t data[] = {1, 0, 'k', 'v'};
    static struct ordered reqs[10000];
    uint64_t last = 0;
    int count = 0;

    for (int i = 0; i < 10000; i++) {
        reqs[i] = (struct ordered){.append = {.kind = JOURNAL_PUT, .data = {data, sizeof data}},
                                   .last = &last,
                                   .count = &count};
        journal_append(f->journal, &reqs[i].append, check_order);
        assert_int_equal(count, 0); /* never from inside */
    }
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(count, 10000);
    assert_int_equal(journal_committed_lsn(f->journal), 10000);
}

static void test_what_waits_is_committed_together(void **state)
{
    struct fixture *f = *state;
    struct journal_stats stats;
    static struct put puts[1000];

    memset(puts, 0, sizeof puts);
    for (int i = 0; i < 1000; i++) {
        put_object(f, &puts[i], "key", "v", 1);
    }
    wait_puts(f, puts, 1000);
    journal_get_stats(f->journal, &stats);
    assert_int_equal(stats.entries, 1000);
    assert_true(stats.commits <= 40);
    for (int i = 0; i < 1000; i++) {
        put_fini(&puts[i]);
    }
}

struct chain {
    struct journal_append append;
    struct fixture *f;
    int left;
};

static void append_again(struct journal_append *req)
{
    struct chain *chain = container_of(req, struct chain, append);

    if (--chain->left > 0) {
        journal_append(chain->f->journal, req, append_again);
    }
}

static void test_a_callback_may_append(void **state)
{
    struct fixture *f = *state;
    static const uint8_t data[] = {1, 0, 'k', 'v'};
    struct chain chain = {
        .append = {.kind = JOURNAL_PUT, .data = {data, sizeof data}}, .f = f, .left = 50};

    journal_append(f->journal, &chain.append, append_again);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(chain.left, 0);
    assert_int_equal(journal_committed_lsn(f->journal), 50);
}

static void note_end(void *arg)
{
    *(bool *)arg = true;
}

struct closer {
    struct chain chain;
    bool is_closed;
};

static void close_and_append(struct journal_append *req)
{
    struct chain *chain = container_of(req, struct chain, append);

    journal_close(chain->f->journal, &container_of(chain, struct closer, chain)->is_closed,
                  note_end);
    journal_append(chain->f->journal, req, append_again);
}

static void test_a_callback_may_close_and_still_append(void **state)
{
    struct fixture *f = *state;
    static const uint8_t data[] = {1, 0, 'k', 'v'};
    struct closer closer = {.chain = {
                                .append = {.kind = JOURNAL_PUT, .data = {data, sizeof data}},
                                .f = f,
                                .left = 3,
                            }};

    journal_append(f->journal, &closer.chain.append, close_and_append);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_true(closer.is_closed);
    assert_int_equal(closer.chain.left, 0);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    fixture_open(f);
    assert_int_equal(journal_applied_lsn(f->journal), 4);
}

static void count_wait(struct journal_wait *wait)
{
    wait->lsn = 0;
}

static void test_close_serves_who_waits(void **state)
{
    struct fixture *f = *state;
    struct put put = {.calls = 0};
    struct journal_wait wait;

    put_object(f, &put, "key", "value", 5);
    journal_wait_applied(f->journal, &wait, journal_last_lsn(f->journal), count_wait);
    assert_int_equal(wait.lsn, 1);
    fixture_close(f);
    assert_int_equal(put.calls, 1);
    assert_int_equal(wait.lsn, 0);
    put_fini(&put);
    fixture_open(f);
}

static void test_a_wait_that_was_cancelled_is_not_called(void **state)
{
    struct fixture *f = *state;
    struct put put = {.calls = 0};
    struct journal_wait wait;

    put_object(f, &put, "key", "value", 5);
    journal_wait_applied(f->journal, &wait, 1, count_wait);
    journal_wait_cancel(f->journal, &wait);
    wait_applied(f);
    assert_int_equal(wait.lsn, 1);
    put_fini(&put);
}

static void test_an_idle_journal_does_not_keep_the_loop(void **state)
{
    struct fixture *f = *state;

    put_object_now(f, "key", "value", 5);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0); /* returns */
}

/* --- open ---------------------------------------------------------------------------- */

static void test_a_second_open_is_refused(void **state)
{
    struct fixture *f = *state;
    struct journal *second;

    err_set_sink(silence);
    assert_int_equal(journal_open(&second, &f->loop, f->dir, &f->options), ERR_INVALID);
    err_set_sink(NULL);
}

static void test_a_journal_without_its_views_is_refused(void **state)
{
    struct fixture *f = *state;
    struct journal *second;
    char from[128];
    char to[128];

    put_object_now(f, "key", "value", 5);
    fixture_close(f);
    (void)snprintf(from, sizeof from, "%s/views", f->dir);
    (void)snprintf(to, sizeof to, "%s/kept", f->dir);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    err_set_sink(silence);
    assert_int_equal(journal_open(&second, &f->loop, f->dir, &f->options), ERR_INVALID);
    err_set_sink(NULL);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    remove_tree(from);
    assert_int_equal(rename(to, from), 0);
    fixture_open(f);
}

static void make_file(const char *dir, const char *name)
{
    char path[192];
    FILE *file;

    (void)snprintf(path, sizeof path, "%.120s/%s", dir, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("what a power cut left of the first page", file) > 0);
    assert_int_equal(fclose(file), 0);
}

/* Of an environment that is being made there is nothing under its name. */
static void test_a_first_start_that_was_cut_off_begins_anew(void **state)
{
    struct fixture f;
    char staged[128];

    (void)state;
    fixture_init(&f);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(staged, sizeof staged, "%s/%s.new", f.dir, (i == 0) ? "log" : "views");
        assert_int_equal(mkdir(staged, 0700), 0);
        make_file(staged, "data.mdb");
        make_file(staged, "lock.mdb");
        fixture_open(&f);
        put_object_now(&f, "key", "value", 5);
        fixture_close(&f);
        assert_int_not_equal(access(staged, F_OK), 0);
        remove_tree(f.dir);
        assert_int_equal(mkdir(f.dir, 0700), 0);
    }
    fixture_fini(&f);
}

static void test_everything_is_there_after_reopening(void **state)
{
    struct fixture *f = *state;
    struct prng prng = {.state = 1};
    struct made made;
    struct put put = {.calls = 0};

    made_init(&made, &prng, 1000);
    made_step(&made, &prng, &start_step, &put.data);
    put_entry(f, &put, JOURNAL_FRAME);
    wait_puts(f, &put, 1);
    fixture_close(f);
    fixture_open(f);
    assert_made(f, &made);
    assert_int_equal(journal_last_lsn(f->journal), 1);
    put_fini(&put);
    made_fini(&made);
}

/* --- entries ------------------------------------------------------------------------- */

static int keep_value(void *arg, struct bytes key, struct bytes value)
{
    struct buf *seen = arg;

    buf_append(seen, key.data, key.len);
    buf_append_text(seen, "=");
    buf_append(seen, value.data, value.len);
    buf_append_text(seen, ";");
    return 0;
}

static void test_objects_are_put_replaced_listed_and_deleted(void **state)
{
    struct fixture *f = *state;
    struct buf seen = {0};

    put_object_now(f, "a/2", "two", 3);
    put_object_now(f, "a/1", "one", 3);
    put_object_now(f, "b/1", "other", 5);
    put_object_now(f, "a/2", "", 0);
    assert_int_equal(journal_read_objects(f->journal, bytes_of_text("a/"), keep_value, &seen), 0);
    assert_true(bytes_equal(buf_bytes(&seen), bytes_of_text("a/1=one;a/2=;")));
    put_object_now(f, "a/1", NULL, 0);
    seen.len = 0;
    assert_int_equal(journal_get_object(f->journal, bytes_of_text("a/1"), &seen),
                     JOURNAL_NOT_FOUND);
    assert_int_equal(journal_get_object(f->journal, bytes_of_text("b/1"), &seen), 0);
    assert_true(bytes_equal(buf_bytes(&seen), bytes_of_text("other")));
    buf_fini(&seen);
}

static void assert_object(struct fixture *f, const char *key, const uint8_t *value, size_t len)
{
    struct buf found = {0};

    assert_int_equal(journal_get_object(f->journal, bytes_of_text(key), &found), 0);
    assert_true(bytes_equal(buf_bytes(&found), bytes_of(value, len)));
    buf_fini(&found);
}

static void test_objects_of_every_size_come_back(void **state)
{
    static const size_t sizes[] = {1,     2000,  16350, 16351, 16352,   16359,  16360,
                                   16361, 32720, 32721, 65536, 1 << 20, 5000000};
    static uint8_t value[5000000];
    struct fixture *f = *state;
    struct prng prng = {.state = 3};
    char key[32];

    for (size_t i = 0; i < sizeof value; i++) {
        value[i] = (uint8_t)prng_next(&prng);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        (void)snprintf(key, sizeof key, "size/%zu", sizes[i]);
        put_object_now(f, key, value, sizes[i]);
        assert_object(f, key, value, sizes[i]);
    }
    fixture_close(f);
    fixture_open(f);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        (void)snprintf(key, sizeof key, "size/%zu", sizes[i]);
        assert_object(f, key, value, sizes[i]);
        put_object_now(f, key, "small", 5); /* its pieces go */
        assert_object(f, key, (const uint8_t *)"small", 5);
    }
}

static void test_a_frame_of_many_pieces_is_read_whole(void **state)
{
    struct fixture *f = *state;
    struct prng prng = {.state = 4};
    struct made made;
    struct put puts[4] = {{.calls = 0}};
    struct made_step step = start_step;

    made_init(&made, &prng, 1000);
    for (int i = 0; i < 4; i++) {
        step.payload = (i == 1) ? 3000000 : (i == 2) ? 16360 : 100;
        made_step(&made, &prng, &step, &puts[i].data);
        put_entry(f, &puts[i], JOURNAL_FRAME);
    }
    wait_puts(f, puts, 4);
    wait_applied(f);
    assert_made(f, &made);
    for (int i = 0; i < 4; i++) {
        put_fini(&puts[i]);
    }
    made_fini(&made);
}

struct seen_records {
    uint64_t first[8];
    int count;
    int stop_after;
};

static int note_record(void *arg, struct bytes frame)
{
    struct seen_records *seen = arg;
    struct frame_header header;
    struct frame_opening opening;
    struct bytes sealed;

    assert_true(frame_parse(frame, &header, &opening, &sealed));
    seen->first[seen->count++] = header.first_record;
    return (seen->count == seen->stop_after) ? 42 : 0;
}

static void test_frames_are_read_from_the_one_that_holds_a_record(void **state)
{
    struct fixture *f = *state;
    struct prng prng = {.state = 5};
    struct made made;
    struct put puts[5] = {{.calls = 0}};
    struct seen_records seen = {.count = 0};

    made_init(&made, &prng, 1000);
    for (int i = 0; i < 5; i++) {
        made_step(&made, &prng, &start_step, &puts[i].data); /* two records each */
        put_entry(f, &puts[i], JOURNAL_FRAME);
        wait_puts(f, &puts[i], 1);
        if (i >= 2) {
            wait_applied(f); /* three in one segment, two of their own */
        }
    }
    assert_int_equal(journal_read_frames(f->journal, &made.head.exec_id, 4, note_record, &seen), 0);
    assert_int_equal(seen.count, 4);
    assert_int_equal(seen.first[0], 3);
    assert_int_equal(seen.first[3], 9);
    seen = (struct seen_records){.stop_after = 1};
    assert_int_equal(journal_read_frames(f->journal, &made.head.exec_id, 9, note_record, &seen),
                     42);
    assert_int_equal(seen.first[0], 9);
    seen = (struct seen_records){.count = 0};
    assert_int_equal(journal_read_frames(f->journal, &made.head.exec_id, 11, note_record, &seen),
                     0);
    assert_int_equal(seen.count, 0);
    made.head.exec_id.bytes[15] ^= 1;
    assert_int_equal(journal_read_frames(f->journal, &made.head.exec_id, 1, note_record, &seen),
                     JOURNAL_NOT_FOUND);
    for (int i = 0; i < 5; i++) {
        put_fini(&puts[i]);
    }
    made_fini(&made);
}

static void test_a_damaged_frame_harms_only_itself(void **state)
{
    struct fixture *f = *state;
    struct prng prng = {.state = 6};
    struct made broken;
    struct made made;
    struct put puts[3] = {{.calls = 0}};
    struct journal_head head;

    made_init(&broken, &prng, 1000);
    made_step(&broken, &prng, &start_step, &puts[0].data);
    puts[0].data.data[0] = 99; /* no format we know */
    made_step(&broken, &prng, &start_step, &puts[1].data);
    made_init(&made, &prng, 1000);
    made_step(&made, &prng, &start_step, &puts[2].data);
    for (int i = 0; i < 3; i++) {
        put_entry(f, &puts[i], JOURNAL_FRAME);
    }
    wait_puts(f, puts, 3);
    wait_applied(f);
    assert_made(f, &made);
    assert_int_equal(journal_get_head(f->journal, &broken.head.exec_id, NULL, &head),
                     JOURNAL_NOT_FOUND);
    for (int i = 0; i < 3; i++) {
        put_fini(&puts[i]);
    }
    made_fini(&made);
    made_fini(&broken);
}

static void test_a_name_stays_with_whoever_had_it_first(void **state)
{
    struct fixture *f = *state;
    struct prng prng = {.state = 8};
    struct made made[2];
    struct put puts[2] = {{.calls = 0}};
    struct id found;

    for (int i = 0; i < 2; i++) {
        made_init(&made[i], &prng, 1000);
        made[1].head.tenant = made[0].head.tenant;
        made[1].head.function_id = made[0].head.function_id;
        made[1].head.name_hash = made[0].head.name_hash;
        made_step(&made[i], &prng, &start_step, &puts[i].data);
        put_entry(f, &puts[i], JOURNAL_FRAME);
        wait_puts(f, &puts[i], 1);
        wait_applied(f);
    }
    assert_int_equal(journal_find_name(f->journal, made[0].head.tenant, &made[0].head.function_id,
                                       &made[0].head.name_hash, &found),
                     0);
    assert_memory_equal(&found, &made[0].head.exec_id, sizeof found);
    for (int i = 0; i < 2; i++) {
        put_fini(&puts[i]);
        made_fini(&made[i]);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_callbacks_come_once_each_and_in_order),
        TEST(test_what_waits_is_committed_together),
        TEST(test_a_callback_may_append),
        TEST(test_a_callback_may_close_and_still_append),
        TEST(test_close_serves_who_waits),
        TEST(test_a_wait_that_was_cancelled_is_not_called),
        TEST(test_an_idle_journal_does_not_keep_the_loop),
        TEST(test_a_second_open_is_refused),
        TEST(test_a_journal_without_its_views_is_refused),
        cmocka_unit_test(test_a_first_start_that_was_cut_off_begins_anew),
        TEST(test_everything_is_there_after_reopening),
        TEST(test_objects_are_put_replaced_listed_and_deleted),
        TEST(test_objects_of_every_size_come_back),
        TEST(test_a_frame_of_many_pieces_is_read_whole),
        TEST(test_frames_are_read_from_the_one_that_holds_a_record),
        TEST(test_a_damaged_frame_harms_only_itself),
        TEST(test_a_name_stays_with_whoever_had_it_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
