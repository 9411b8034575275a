/* The hot log alone: claims, order, pieces, trimming. */
#include <stdlib.h>

#include "engine/base/err.h"
#include "journal/log.h"
#include "tests/journal/fixture.h"

struct world {
    char dir[64];
    struct hot_log *log;
    uint64_t epoch;
};

static const struct log_trim no_trim;

static int set_up(void **state)
{
    static struct world world;

    (void)snprintf(world.dir, sizeof world.dir, "/tmp/test_log.XXXXXX");
    assert_non_null(mkdtemp(world.dir));
    assert_int_equal(hot_log_open(&world.log, world.dir, (uint64_t)1 << 20, false), 0);
    assert_int_equal(hot_log_claim(world.log, &world.epoch), 0);
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    hot_log_close(world->log);
    remove_tree(world->dir);
    return 0;
}

static int append(struct world *world, uint64_t epoch, uint64_t lsn, struct bytes data,
                  const struct log_trim *trim)
{
    struct journal_append req = {.kind = JOURNAL_PUT, .data = data, .lsn = lsn};
    struct list batch;

    list_init(&batch);
    list_push_back(&batch, &req.link);
    return hot_log_append(world->log, epoch, &batch, trim);
}

static void test_an_owner_that_was_replaced_is_fenced_off(void **state)
{
    struct world *world = *state;
    uint64_t newer;

    assert_int_equal(append(world, world->epoch, 1, bytes_of_text("a"), &no_trim), 0);
    assert_int_equal(hot_log_claim(world->log, &newer), 0);
    assert_true(newer > world->epoch);
    assert_int_equal(append(world, world->epoch, 2, bytes_of_text("b"), &no_trim), LOG_FENCED);
    assert_int_equal(hot_log_last(world->log), 1);
    assert_int_equal(append(world, newer, 2, bytes_of_text("b"), &no_trim), 0);
}

static void test_the_last_entry_is_never_trimmed(void **state)
{
    struct world *world = *state;
    struct log_trim trim = {.to = 100, .max = 100};
    struct list none;

    list_init(&none);
    for (uint64_t lsn = 1; lsn <= 5; lsn++) {
        assert_int_equal(append(world, world->epoch, lsn, bytes_of_text("a"), &no_trim), 0);
    }
    assert_int_equal(hot_log_append(world->log, world->epoch, &none, &trim), 0);
    assert_int_equal(hot_log_first(world->log), 5);
    assert_int_equal(hot_log_last(world->log), 5);
    hot_log_close(world->log);
    assert_int_equal(hot_log_open(&world->log, world->dir, (uint64_t)1 << 20, false), 0);
    assert_int_equal(hot_log_last(world->log), 5); /* so the next one is 6 */
}

static void test_trimming_goes_no_further_than_it_is_told(void **state)
{
    struct world *world = *state;
    struct log_trim trim = {.to = 3, .max = 2};

    for (uint64_t lsn = 1; lsn <= 5; lsn++) {
        assert_int_equal(append(world, world->epoch, lsn, bytes_of_text("a"), &no_trim), 0);
    }
    assert_int_equal(append(world, world->epoch, 6, bytes_of_text("a"), &trim), 0);
    assert_int_equal(hot_log_first(world->log), 3); /* two at once */
    assert_int_equal(append(world, world->epoch, 7, bytes_of_text("a"), &trim), 0);
    assert_int_equal(hot_log_first(world->log), 4); /* up to three */
    assert_int_equal(append(world, world->epoch, 8, bytes_of_text("a"), &trim), 0);
    assert_int_equal(hot_log_first(world->log), 4);
}

static int note_piece(void *arg, const struct log_piece *piece)
{
    struct log_piece *pieces = arg;

    pieces[piece->lsn] = *piece;
    return 0;
}

static void test_a_large_entry_is_pieces_with_lsns_of_their_own(void **state)
{
    static const uint8_t data[2 * LOG_PIECE_BYTES + 1];
    struct world *world = *state;
    struct log_piece pieces[8] = {{.lsn = 0}};

    assert_int_equal(append(world, world->epoch, 1, bytes_of_text("a"), &no_trim), 0);
    assert_int_equal(append(world, world->epoch, 4, bytes_of(data, sizeof data), &no_trim), 0);
    assert_int_equal(append(world, world->epoch, 5, bytes_of_text("b"), &no_trim), 0);
    assert_int_equal(hot_log_read(world->log, 2, note_piece, pieces), 0);
    assert_int_equal(pieces[1].lsn, 0); /* not asked for */
    for (uint16_t i = 0; i < 3; i++) {
        assert_int_equal(pieces[2 + i].piece, i);
        assert_int_equal(pieces[2 + i].pieces, 3);
    }
    assert_int_equal(pieces[4].data.len, 1);
    assert_int_equal(pieces[5].pieces, 1);
}

static void test_a_batch_that_does_not_fit_changes_nothing(void **state)
{
    static const uint8_t data[1 << 20];
    struct world *world = *state;

    assert_int_equal(append(world, world->epoch, 1, bytes_of_text("a"), &no_trim), 0);
    assert_int_equal(append(world, world->epoch, 1 + log_pieces(sizeof data),
                            bytes_of(data, sizeof data), &no_trim),
                     LOG_FULL);
    assert_int_equal(hot_log_last(world->log), 1);
    assert_int_equal(append(world, world->epoch, 2, bytes_of_text("b"), &no_trim), 0);
}

static void silence(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)text;
}

static void test_a_newer_format_is_refused(void **state)
{
    struct world *world = *state;
    struct env *env = hot_log_env(world->log);
    uint8_t format[4] = {ENV_FORMAT + 1};
    MDB_val key = env_val("format", 6);
    MDB_val value = env_val(format, sizeof format);
    MDB_txn *txn;
    struct hot_log *reopened;

    assert_int_equal(mdb_txn_begin(env->mdb, NULL, 0, &txn), 0);
    assert_int_equal(mdb_put(txn, env->meta, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    hot_log_close(world->log);
    err_set_sink(silence);
    assert_int_equal(hot_log_open(&reopened, world->dir, (uint64_t)1 << 20, false), ERR_INVALID);
    err_set_sink(NULL);
    world->log = NULL;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_an_owner_that_was_replaced_is_fenced_off),
        TEST(test_the_last_entry_is_never_trimmed),
        TEST(test_trimming_goes_no_further_than_it_is_told),
        TEST(test_a_large_entry_is_pieces_with_lsns_of_their_own),
        TEST(test_a_batch_that_does_not_fit_changes_nothing),
        TEST(test_a_newer_format_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
