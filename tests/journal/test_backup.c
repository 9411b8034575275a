#include <unistd.h>

#include "engine/base/err.h"
#include "tests/journal/fixture.h"

#define EXECUTIONS 40
#define STEPS 2000

struct world {
    struct fixture f;
    struct prng prng;
    struct made made[EXECUTIONS];
    struct put puts[STEPS];
    int step;
};

static void append_steps(struct world *world, int count)
{
    struct made_step step = {.status = EXEC_RUNNING, .events = 1, .notes = 1, .payload = 100};

    for (int i = 0; i < count; i++) {
        struct made *made = &world->made[prng_below(&world->prng, EXECUTIONS)];

        if (made->head.tenant == 0) {
            made_init(made, &world->prng, 1000);
        }
        step.wake_ms = prng_below(&world->prng, 9);
        made_step(made, &world->prng, &step, &world->puts[world->step].data);
        put_entry(&world->f, &world->puts[world->step], JOURNAL_FRAME);
        world->step++;
    }
}

struct ended {
    bool is_done;
    int status;
};

static void note_end(void *arg, int status)
{
    *(struct ended *)arg = (struct ended){.is_done = true, .status = status};
}

static int back_up(struct fixture *f, const char *dir)
{
    struct ended ended = {.is_done = false};

    assert_int_equal(journal_backup(f->journal, dir, &ended, note_end), 0);
    while (!ended.is_done) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    return ended.status;
}

static void init_world(struct world *world, uint64_t seed)
{
    memset(world, 0, sizeof *world);
    world->prng.state = seed;
    fixture_init(&world->f);
    fixture_open(&world->f);
}

static void fini_world(struct world *world)
{
    fixture_fini(&world->f);
    for (int i = 0; i < EXECUTIONS; i++) {
        made_fini(&world->made[i]);
    }
    for (int i = 0; i < STEPS; i++) {
        put_fini(&world->puts[i]);
    }
}

/* A fixture on the copy, in the place of the original's directory. */
static void open_copy(struct fixture *copy, const struct fixture *f, const char *dir)
{
    *copy = (struct fixture){.options = f->options};
    (void)snprintf(copy->dir, sizeof copy->dir, "%.63s", dir);
    fixture_open(copy);
}

static void test_a_backup_opens_and_equals(void **state)
{
    static struct world world;
    struct fixture copy;
    char dir[64];

    (void)state;
    init_world(&world, 1);
    (void)snprintf(dir, sizeof dir, "%.50s.copy", world.f.dir);
    append_steps(&world, 1000);
    wait_puts(&world.f, world.puts, 1000); /* not all applied */
    assert_int_equal(back_up(&world.f, dir), 0);
    open_copy(&copy, &world.f, dir);
    assert_int_equal(journal_applied_lsn(copy.journal), 1000);
    for (int i = 0; i < EXECUTIONS; i++) {
        assert_made(&copy, &world.made[i]);
    }
    fixture_fini(&copy);
    fini_world(&world);
}

/* What was committed at the call is in the copy; what came later may be. */
static void test_a_backup_under_load_holds_all_that_was_committed(void **state)
{
    static struct world world;
    struct fixture copy;
    struct ended ended;
    char dir[64];

    (void)state;
    init_world(&world, 2);
    (void)snprintf(dir, sizeof dir, "%.50s.copy", world.f.dir);
    for (int round = 0; round < 4; round++) {
        uint64_t committed;

        append_steps(&world, 250);
        wait_puts(&world.f, world.puts, (size_t)world.step);
        committed = journal_committed_lsn(world.f.journal);
        ended = (struct ended){.is_done = false};
        assert_int_equal(journal_backup(world.f.journal, dir, &ended, note_end), 0);
        append_steps(&world, 250);
        while (!ended.is_done) {
            (void)uv_run(&world.f.loop, UV_RUN_ONCE);
        }
        assert_int_equal(ended.status, 0);
        open_copy(&copy, &world.f, dir);
        assert_true(journal_last_lsn(copy.journal) >= committed);
        assert_true(journal_last_lsn(copy.journal) <= journal_last_lsn(world.f.journal));
        fixture_fini(&copy);
    }
    fini_world(&world);
}

/* The copy of the views takes a while; what is applied and could be trimmed meanwhile
 * must still be in the copy of the log, which is made after it. */
static void test_nothing_is_trimmed_between_the_two_copies(void **state)
{
    enum { LARGE = 3 << 20, COUNT = 20, PUTS = 100000 };
    static uint8_t large[LARGE];
    static struct put puts[PUTS];
    struct fixture f;
    struct fixture copy;
    struct ended ended = {.is_done = false};
    char dir[64];
    char key[16];
    int count = 0;

    (void)state;
    fixture_init(&f);
    fixture_open(&f);
    (void)snprintf(dir, sizeof dir, "%.50s.copy", f.dir);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(key, sizeof key, "%d", i);
        put_object_now(&f, key, large, sizeof large);
    }
    assert_int_equal(journal_backup(f.journal, dir, &ended, note_end), 0);
    while (!ended.is_done && count + 500 <= PUTS) {
        for (int i = 0; i < 500; i++) {
            put_object(&f, &puts[count++], "key", "value", 5);
        }
        wait_puts(&f, puts, (size_t)count);
        wait_applied(&f);
    }
    while (!ended.is_done) {
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    }
    assert_int_equal(ended.status, 0);
    open_copy(&copy, &f, dir);
    fixture_fini(&copy);
    fixture_fini(&f);
    for (int i = 0; i < count; i++) {
        put_fini(&puts[i]);
    }
}

static void test_close_waits_for_a_backup(void **state)
{
    static struct world world;
    struct fixture copy;
    struct ended ended = {.is_done = false};
    char dir[64];

    (void)state;
    init_world(&world, 3);
    (void)snprintf(dir, sizeof dir, "%.50s.copy", world.f.dir);
    append_steps(&world, 100);
    assert_int_equal(journal_backup(world.f.journal, dir, &ended, note_end), 0);
    fixture_close(&world.f);
    assert_true(ended.is_done);
    assert_int_equal(ended.status, 0);
    open_copy(&copy, &world.f, dir);
    fixture_fini(&copy);
    fixture_open(&world.f);
    fini_world(&world);
}

static void silence(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)text;
}

static void test_a_directory_in_use_is_refused(void **state)
{
    static struct world world;

    (void)state;
    init_world(&world, 4);
    append_steps(&world, 10);
    err_set_sink(silence);
    assert_int_equal(back_up(&world.f, world.f.dir), ERR_INVALID);
    err_set_sink(NULL);
    fini_world(&world);
}

/* A copy whose second part never came cannot be taken for a journal. */
static void test_half_a_backup_does_not_open(void **state)
{
    static struct world world;
    struct journal *journal;
    char dir[64];
    char path[120];

    (void)state;
    init_world(&world, 5);
    (void)snprintf(dir, sizeof dir, "%.50s.copy", world.f.dir);
    append_steps(&world, 100);
    wait_applied(&world.f);
    assert_int_equal(back_up(&world.f, dir), 0);
    (void)snprintf(path, sizeof path, "%s/log/data.mdb", dir);
    assert_int_equal(unlink(path), 0);
    err_set_sink(silence);
    assert_int_equal(journal_open(&journal, &world.f.loop, dir, &world.f.options), ERR_INVALID);
    err_set_sink(NULL);
    remove_tree(dir);
    fini_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_backup_opens_and_equals),
        cmocka_unit_test(test_a_backup_under_load_holds_all_that_was_committed),
        cmocka_unit_test(test_nothing_is_trimmed_between_the_two_copies),
        cmocka_unit_test(test_close_waits_for_a_backup),
        cmocka_unit_test(test_a_directory_in_use_is_refused),
        cmocka_unit_test(test_half_a_backup_does_not_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
