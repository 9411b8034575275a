/* The verifier finds nothing in a sound journal, and finds each thing that is planted. */
#include <lmdb.h>
#include <stdlib.h>

#include "engine/base/err.h"
#include "journal/verify.h"
#include "tests/journal/fixture.h"

#define EXECUTIONS 12

struct seen {
    uint64_t frames;
    uint64_t objects;
    uint64_t problems;
    bool is_suspicious; /* finds fault with the fifth frame */
    char text[320];     /* the last problem */
    struct id exec_id;
    uint8_t chain[FRAME_CHAIN_BYTES];
};

static void note_object(void *arg, struct bytes key, struct bytes value)
{
    (void)key;
    (void)value;
    ((struct seen *)arg)->objects++;
}

static const char *note_frame(void *arg, struct bytes frame,
                              const uint8_t chain_before[FRAME_CHAIN_BYTES])
{
    static const uint8_t none[FRAME_CHAIN_BYTES];
    struct seen *seen = arg;
    struct frame_header header;
    struct frame_opening opening;
    struct bytes sealed;
    const uint8_t *before = seen->chain;

    assert_true(frame_parse(frame, &header, &opening, &sealed));
    if (!id_equal(&header.exec_id, &seen->exec_id)) {
        before = none;
    }
    if (header.first_record == 1 || before != none) {
        assert_memory_equal(chain_before, before, FRAME_CHAIN_BYTES);
    }
    seen->exec_id = header.exec_id;
    memcpy(seen->chain, header.chain, sizeof seen->chain);
    return (++seen->frames == 5 && seen->is_suspicious) ? "its seal is broken" : NULL;
}

static void note_problem(void *arg, const char *text)
{
    struct seen *seen = arg;

    seen->problems++;
    (void)snprintf(seen->text, sizeof seen->text, "%s", text);
}

static int run_verify(const char *dir, struct seen *seen, struct verify_counts *counts)
{
    struct verify verify = {.arg = seen,
                            .visit_object = note_object,
                            .visit_frame = note_frame,
                            .problem = note_problem};

    return journal_verify(dir, &verify, counts);
}

/* Executions in every state, objects small and large. */
static void fill(struct fixture *f)
{
    static uint8_t large[50000];
    struct prng prng = {.state = 77};
    struct made made[EXECUTIONS];
    struct put puts[EXECUTIONS * 3];
    size_t count = 0;

    memset(puts, 0, sizeof puts);
    for (int i = 0; i < EXECUTIONS; i++) {
        made_init(&made[i], &prng, 1000 + i);
        for (int n = 0; n < 3; n++) {
            bool is_last = n == 2 && i % 2 == 0;
            int status = is_last ? EXEC_SUCCEEDED + i % 3 : EXEC_RUNNING;
            struct made_step step = {.status = (uint8_t)status,
                                     .events = 1,
                                     .notes = 1,
                                     .time_ms = 2000,
                                     .wake_ms = is_last ? 0 : 50 + i,
                                     .retention_days = 1,
                                     .payload = (n == 1 && i == 3) ? 40000 : 100};

            made_step(&made[i], &prng, &step, &puts[count].data);
            put_entry(f, &puts[count++], JOURNAL_FRAME);
        }
    }
    put_object_now(f, "small", "value", 5);
    put_object_now(f, "large", large, sizeof large - 1);
    put_object_now(f, "large", large, sizeof large); /* the pieces of the first go */
    wait_puts(f, puts, count);
    for (size_t i = 0; i < count; i++) {
        put_fini(&puts[i]);
    }
    for (int i = 0; i < EXECUTIONS; i++) {
        made_fini(&made[i]);
    }
}

static void assert_sound(const char *dir)
{
    struct seen seen = {.frames = 0};
    struct verify_counts counts = {.entries = 0};

    assert_int_equal(run_verify(dir, &seen, &counts), 0);
    if (seen.problems > 0) {
        print_message("%s\n", seen.text);
    }
    assert_int_equal(counts.problems, 0);
    assert_int_equal(counts.executions, EXECUTIONS);
    assert_int_equal(counts.frames, EXECUTIONS * 3);
    assert_int_equal(seen.frames, counts.frames);
    assert_int_equal(seen.objects, counts.objects + (0));
}

static void test_a_sound_journal_has_no_problems(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_open(&f);
    fill(&f);
    fixture_close(&f);
    assert_sound(f.dir);
    fixture_fini(&f);
}

static void note_end(void *arg, int status)
{
    assert_int_equal(status, 0);
    *(bool *)arg = true;
}

/* A backup right after a commit has most of its frames in the log only. */
static void test_what_is_in_the_log_only_is_checked_too(void **state)
{
    struct fixture f;
    char dir[64];
    bool is_done = false;

    (void)state;
    fixture_init(&f);
    (void)snprintf(dir, sizeof dir, "%.50s.copy", f.dir);
    fixture_open(&f);
    fill(&f);
    assert_int_equal(journal_backup(f.journal, dir, &is_done, note_end), 0);
    while (!is_done) {
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    }
    assert_sound(dir);
    remove_tree(dir);
    fixture_fini(&f);
}

static void silence(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)text;
}

static void test_a_journal_in_use_is_not_verified(void **state)
{
    struct fixture f;
    struct seen seen = {.frames = 0};
    struct verify_counts counts;

    (void)state;
    fixture_init(&f);
    fixture_open(&f);
    err_set_sink(silence);
    assert_int_equal(run_verify(f.dir, &seen, &counts), ERR_INVALID);
    err_set_sink(NULL);
    fixture_fini(&f);
}

/* --- plants ------------------------------------------------------------------------------ */

enum act { REMOVE, ADD, FLIP };

struct plant {
    const char *env;
    const char *table;
    enum act act;
    size_t at; /* the byte of the value to flip */
    MDB_cursor_op which;
};

static void act_on(MDB_cursor *cursor, const struct plant *plant, MDB_val key, MDB_val value)
{
    static uint8_t copy[1 << 16];
    MDB_val changed = {.mv_size = value.mv_size, .mv_data = copy};

    memcpy(copy, value.mv_data, value.mv_size);
    switch (plant->act) {
    case REMOVE:
        assert_int_equal(mdb_cursor_del(cursor, 0), 0);
        return;
    case ADD: {
        uint8_t other[64];
        MDB_val new_key = {.mv_size = key.mv_size, .mv_data = other};

        memcpy(other, key.mv_data, key.mv_size);
        other[key.mv_size - 1] ^= 1;
        assert_int_equal(mdb_cursor_put(cursor, &new_key, &changed, 0), 0);
        return;
    }
    case FLIP:
        assert_true(plant->at < value.mv_size);
        copy[plant->at] ^= 1;
        assert_int_equal(mdb_cursor_put(cursor, &key, &changed, 0), 0);
        return;
    }
}

static void change(const char *dir, const struct plant *plant)
{
    char path[100];
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;

    (void)snprintf(path, sizeof path, "%.64s/%s", dir, plant->env);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 16), 0);
    assert_int_equal(mdb_env_open(env, path, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, plant->table, 0, &dbi), 0);
    assert_int_equal(mdb_cursor_open(txn, dbi, &cursor), 0);
    assert_int_equal(mdb_cursor_get(cursor, &key, &value, plant->which), 0);
    if (plant->act == REMOVE && plant->which == MDB_LAST) {
        assert_int_equal(mdb_cursor_get(cursor, &key, &value, MDB_PREV), 0);
    }
    act_on(cursor, plant, key, value);
    mdb_cursor_close(cursor);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void test_every_plant_is_found(void **state)
{
    static const struct plant plants[] = {
        {"views", "head", REMOVE, 0, MDB_FIRST},   {"views", "head", FLIP, 0, MDB_FIRST},
        {"views", "head", FLIP, 40, MDB_FIRST},    {"views", "head", FLIP, 72, MDB_LAST},
        {"views", "head", FLIP, 80, MDB_LAST},     {"views", "head", FLIP, 88, MDB_LAST},
        {"views", "head", FLIP, 100, MDB_FIRST},   {"views", "head", FLIP, 128, MDB_FIRST},
        {"views", "head", ADD, 0, MDB_FIRST},      {"views", "segment", REMOVE, 0, MDB_FIRST},
        {"views", "segment", REMOVE, 0, MDB_LAST}, {"views", "segment", FLIP, 0, MDB_FIRST},
        {"views", "segment", FLIP, 16, MDB_FIRST}, {"views", "segment", FLIP, 48, MDB_FIRST},
        {"views", "segment", FLIP, 32, MDB_LAST},  {"views", "segment", FLIP, 88, MDB_FIRST},
        {"views", "segment", ADD, 0, MDB_FIRST},   {"views", "due", REMOVE, 0, MDB_FIRST},
        {"views", "due", ADD, 0, MDB_LAST},        {"views", "name", REMOVE, 0, MDB_FIRST},
        {"views", "name", ADD, 0, MDB_FIRST},      {"views", "index", REMOVE, 0, MDB_FIRST},
        {"views", "index", ADD, 0, MDB_LAST},      {"views", "index", FLIP, 0, MDB_FIRST},
        {"views", "status", REMOVE, 0, MDB_FIRST}, {"views", "status", ADD, 0, MDB_LAST},
        {"views", "expire", REMOVE, 0, MDB_FIRST}, {"views", "expire", ADD, 0, MDB_FIRST},
        {"views", "object", REMOVE, 0, MDB_FIRST}, {"views", "object", FLIP, 9, MDB_FIRST},
        {"views", "piece", REMOVE, 0, MDB_FIRST},  {"views", "piece", ADD, 0, MDB_LAST},
        {"views", "meta", FLIP, 0, MDB_FIRST},     {"log", "log", REMOVE, 0, MDB_LAST},
        {"log", "log", FLIP, 0, MDB_FIRST},        {"log", "log", FLIP, 2, MDB_LAST},
        {"log", "log", FLIP, 4, MDB_LAST},
    };

    (void)state;
    for (size_t i = 0; i < sizeof plants / sizeof *plants; i++) {
        struct fixture f;
        struct seen seen = {.frames = 0};
        struct verify_counts counts = {.entries = 0};

        fixture_init(&f);
        fixture_open(&f);
        fill(&f);
        fixture_close(&f);
        change(f.dir, &plants[i]);
        err_set_sink(silence);
        assert_int_equal(run_verify(f.dir, &seen, &counts), 0);
        err_set_sink(NULL);
        if (counts.problems == 0) {
            fail_msg("plant %zu (%s, %s) was not found", i, plants[i].env, plants[i].table);
        }
        assert_int_equal(counts.problems, seen.problems);
        fixture_fini(&f);
    }
}

static void test_what_the_caller_finds_is_a_problem_with_its_place(void **state)
{
    struct fixture f;
    struct seen seen = {.is_suspicious = true};
    struct verify_counts counts;

    (void)state;
    fixture_init(&f);
    fixture_open(&f);
    fill(&f);
    fixture_close(&f);
    assert_int_equal(run_verify(f.dir, &seen, &counts), 0);
    assert_int_equal(counts.problems, 1);
    assert_non_null(strstr(seen.text, "its seal is broken"));
    assert_non_null(strstr(seen.text, "execution 00000000-"));
    fixture_fini(&f);
}

static void test_an_entry_kept_as_damaged_is_named(void **state)
{
    struct fixture f;
    struct put put = {.calls = 0};
    struct seen seen = {.frames = 0};
    struct verify_counts counts;

    (void)state;
    fixture_init(&f);
    fixture_open(&f);
    buf_append_text(&put.data, "not a frame");
    put_entry(&f, &put, JOURNAL_FRAME);
    fixture_close(&f);
    put_fini(&put);
    assert_int_equal(run_verify(f.dir, &seen, &counts), 0);
    assert_int_equal(counts.problems, 1);
    assert_non_null(strstr(seen.text, "LSN 1 "));
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sound_journal_has_no_problems),
        cmocka_unit_test(test_what_is_in_the_log_only_is_checked_too),
        cmocka_unit_test(test_a_journal_in_use_is_not_verified),
        cmocka_unit_test(test_every_plant_is_found),
        cmocka_unit_test(test_what_the_caller_finds_is_a_problem_with_its_place),
        cmocka_unit_test(test_an_entry_kept_as_damaged_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
