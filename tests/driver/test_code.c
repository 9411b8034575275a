#include "engine/base/err.h"
#include "engine/driver/functions.h"
#include "tests/driver/functions_fixture.h"

#define GOOD bytes_of_text("PK, as zips begin")

/* --- unpacking ------------------------------------------------------------------------------ */

static void test_code_of_every_size_comes_back_as_it_was(void **state)
{
    static const size_t sizes[] = {1,
                                   CODE_CHUNK_BYTES - 1,
                                   CODE_CHUNK_BYTES,
                                   CODE_CHUNK_BYTES + 1,
                                   40 * CODE_CHUNK_BYTES,
                                   40 * CODE_CHUNK_BYTES + 7};
    struct fixture *f = *state;
    struct buf buf = {0};
    char name[] = "f0";

    for (size_t i = 0; i < 6; i++) {
        name[1] = (char)('0' + i);
        (void)create_now(f, name, make_archive(&buf, sizes[i], i));
    }
    fixture_restart(f);
    played_forget();
    for (size_t i = 0; i < 6; i++) {
        struct bytes archive = make_archive(&buf, sizes[i], i);

        name[1] = (char)('0' + i);
        assert_string_equal(unpack_now(f, function_find(f->functions, bytes_of_text(name))->latest),
                            "");
        assert_true(bytes_equal(buf_bytes(&played.last), archive));
    }
    buf_fini(&buf);
}

static void test_those_who_wait_for_one_code_share_the_work(void **state)
{
    struct fixture *f = *state;
    struct outcome outcomes[3] = {{.calls = 0}};
    struct function *one = create_now(f, "one", GOOD);
    struct function *two = create_now(f, "two", GOOD);

    update_now(f, two, NULL, bytes_of(NULL, 0));
    fixture_restart(f);
    played_forget();
    played.asked = 0;
    one = function_find(f->functions, bytes_of_text("one"));
    two = function_find(f->functions, bytes_of_text("two"));
    assert_int_equal(function_unpack(f->functions, one->latest, &outcomes[0], note_ready), 0);
    assert_int_equal(function_unpack(f->functions, two->latest, &outcomes[1], note_ready), 0);
    assert_int_equal(
        function_unpack(f->functions, function_revision_find(two, 1), &outcomes[2], note_ready), 0);
    fixture_settle(f);
    assert_int_equal(played.asked, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(outcomes[i].calls, 1);
        assert_string_equal(outcomes[i].error, "");
    }
    assert_true(one->latest->is_unpacked);
    assert_true(two->latest->is_unpacked);
}

static void test_code_that_is_there_costs_an_empty_message(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);

    played.asked = 0;
    played.bytes = 0;
    played.unpacked = 0;
    assert_string_equal(unpack_now(f, function->latest), "");
    assert_int_equal(played.asked, 1);
    assert_int_equal(played.bytes, 0);
    assert_int_equal(played.unpacked, 0);
}

static void test_code_that_the_cache_has_lost_is_unpacked_again(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);

    played_forget();
    played.unpacked = 0;
    played.last.len = 0;
    assert_string_equal(unpack_now(f, function->latest), "");
    assert_int_equal(played.unpacked, 1);
    assert_true(bytes_equal(buf_bytes(&played.last), GOOD));
}

/* The views are behind the log: they are waited for. */
static void test_code_is_read_as_soon_as_it_is_stored(void **state)
{
    struct fixture *f = *state;
    struct outcome created = {.calls = 0};
    struct outcome ready = {.calls = 0};
    struct buf buf = {0};

    assert_int_equal(function_create(f->functions, bytes_of_text("f"), &plain_config,
                                     make_archive(&buf, 40 * CODE_CHUNK_BYTES, 8), false, NOW_MS,
                                     &created, note_change),
                     0);
    played_answer();
    while (created.calls == 0) {
        fixture_turn(f);
    }
    played_forget();
    played.unpacked = 0;
    assert_int_equal(function_unpack(f->functions, created.function->latest, &ready, note_ready),
                     0);
    played_answer(); /* it is not there */
    fixture_settle(f);
    assert_int_equal(ready.calls, 1);
    assert_string_equal(ready.error, "");
    assert_int_equal(played.unpacked, 1);
    assert_true(bytes_equal(buf_bytes(&played.last), buf_bytes(&buf)));
    buf_fini(&buf);
}

static void test_code_is_stored_once(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "one", GOOD);

    record_appends(true);
    (void)create_now(f, "two", GOOD);
    update_now(f, function, NULL, GOOD);
    record_appends(false);
    assert_int_equal(appended_count, 4); /* twice revision and function */
    assert_int_equal(count_objects(f, TENANT_A, "archive/"), 1);
    assert_int_equal(count_objects(f, TENANT_A, "code/"), 1);
    assert_int_equal(count_objects(f, TENANT_A, "revision/"), 3);
}

/* Both begin before either is stored. */
static void test_two_creates_of_one_code_at_once_do_not_harm_each_other(void **state)
{
    struct fixture *f = *state;
    struct outcome outcomes[2] = {{.calls = 0}};
    struct buf buf = {0};
    struct bytes archive = make_archive(&buf, 50 * CODE_CHUNK_BYTES, 5);

    for (int i = 0; i < 2; i++) {
        assert_int_equal(function_create(f->functions, bytes_of_text((i == 0) ? "one" : "two"),
                                         &plain_config, archive, false, NOW_MS, &outcomes[i],
                                         note_change),
                         0);
    }
    fixture_settle(f);
    assert_int_equal(outcomes[0].calls + outcomes[1].calls, 2);
    assert_int_equal(count_objects(f, TENANT_A, "code/"), 50);
    fixture_restart(f);
    played_forget();
    assert_string_equal(unpack_now(f, function_find(f->functions, bytes_of_text("two"))->latest),
                        "");
    assert_true(bytes_equal(buf_bytes(&played.last), archive));
    buf_fini(&buf);
}

/* --- crashes: the journal ends after any of a create's entries --------------------------- */

static void replay_one(struct fixture *f, size_t i)
{
    append_object(f, appended[i].kind, buf_bytes(&appended[i].key), buf_bytes(&appended[i].value));
}

static void replay(struct fixture *f, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        replay_one(f, i);
    }
}

/* A create whose entries are recorded. */
static struct function *record_create(struct fixture *f, struct bytes archive)
{
    struct function *function;

    record_appends(true);
    function = create_now(f, "f", archive);
    record_appends(false);
    return function;
}

static struct function_revision *latest(const struct fixture *f)
{
    return function_find(f->functions, bytes_of_text("f"))->latest;
}

static void test_of_an_interrupted_create_nothing_is_left(void **state)
{
    struct fixture *f = *state;
    struct buf buf = {0};

    (void)record_create(f, make_archive(&buf, 2 * CODE_CHUNK_BYTES + 1, 9));
    assert_int_equal(appended_count, 6);
    for (size_t kept = 0; kept <= 6; kept++) {
        fixture_new_journal(f);
        replay(f, kept);
        assert_int_equal(fixture_open_functions(f), 0);
        assert_int_equal(function_find(f->functions, bytes_of_text("f")) != NULL, kept == 6);
        assert_int_equal(count_objects(f, TENANT_A, ""), (kept == 6) ? 6 : 0);
    }
    played_forget();
    assert_string_equal(unpack_now(f, latest(f)), "");
    assert_true(bytes_equal(buf_bytes(&played.last), buf_bytes(&buf)));
    buf_fini(&buf);
}

/* The leftovers are removed and the same code is stored anew, all in one turn. */
static void test_what_is_removed_can_be_created_again_at_once(void **state)
{
    struct fixture *f = *state;
    struct outcome outcome = {.calls = 0};
    struct buf buf = {0};

    (void)record_create(f, make_archive(&buf, 3 * CODE_CHUNK_BYTES, 9));
    fixture_new_journal(f);
    replay(f, 4);
    assert_int_equal(fixture_open_functions(f), 0);
    assert_int_equal(function_create(f->functions, bytes_of_text("f"), &plain_config,
                                     buf_bytes(&buf), false, NOW_MS, &outcome, note_change),
                     0);
    fixture_settle(f);
    assert_int_equal(outcome.calls, 1);
    fixture_restart(f);
    played_forget();
    assert_string_equal(unpack_now(f, latest(f)), "");
    assert_true(bytes_equal(buf_bytes(&played.last), buf_bytes(&buf)));
    buf_fini(&buf);
}

static bool is_never_needed(void *arg, const struct function_revision *revision)
{
    (void)arg;
    (void)revision;
    return false;
}

/* A function goes before its revisions, chunks before their size object. */
static void test_a_sweep_that_was_cut_off_is_finished(void **state)
{
    struct fixture *f = *state;
    struct buf buf = {0};

    record_appends(true);
    delete_now(f, create_now(f, "f", make_archive(&buf, 2 * CODE_CHUNK_BYTES, 9)));
    assert_int_equal(functions_sweep(f->functions, NULL, is_never_needed), 1);
    record_appends(false);
    assert_int_equal(appended_count, 11); /* 5, the function deleted, 5 deletions */
    for (size_t kept = 5; kept <= 11; kept++) {
        fixture_new_journal(f);
        replay(f, kept);
        assert_int_equal(fixture_open_functions(f), 0);
        assert_int_equal(function_find(f->functions, bytes_of_text("f")) != NULL, kept == 5);
        assert_int_equal(count_objects(f, TENANT_A, ""), (kept <= 6) ? 5 : 0);
    }
    buf_fini(&buf);
}

static void test_an_update_that_was_cut_off_leaves_the_old_revision(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct outcome outcome = {.calls = 0};
    struct buf buf = {0};

    assert_int_equal(function_update(f->functions, function, NULL, make_archive(&buf, 3 << 20, 4),
                                     false, NOW_MS, &outcome, note_change),
                     0);
    played_answer(); /* a window of its 192 chunks is on its way */
    fixture_restart(f);
    assert_string_equal(outcome.error, "the daemon is ending");
    function = function_find(f->functions, bytes_of_text("f"));
    assert_int_equal(function->latest->number, 1);
    assert_int_equal(count_objects(f, TENANT_A, "code/"), 1);
    assert_int_equal(count_objects(f, TENANT_A, "archive/"), 1);
    buf_fini(&buf);
}

/* --- damage -------------------------------------------------------------------------------------
 */

/* A byte at a time, of all objects but the chunks, which are not read at the start. */
static void test_a_changed_object_is_found_at_the_start(void **state)
{
    struct fixture *f = *state;

    (void)record_create(f, GOOD);
    fixture_new_journal(f);
    replay(f, appended_count);
    for (size_t i = 0; i < appended_count; i++) {
        struct buf *value = &appended[i].value;

        for (size_t at = 0; at < value->len && i != 1; at += 1 + value->len / 16) {
            value->data[at] ^= 0x10;
            replay_one(f, i);
            assert_int_equal(fixture_open_functions(f), ERR_CORRUPT);
            value->data[at] ^= 0x10;
        }
        replay_one(f, i);
    }
    assert_int_equal(fixture_open_functions(f), 0);
}

static void test_an_object_does_not_pass_for_another(void **state)
{
    struct fixture *f = *state;

    record_appends(true);
    update_now(f, create_now(f, "f", GOOD), NULL, bytes_of(NULL, 0));
    record_appends(false);
    assert_int_equal(appended_count, 6); /* size, chunk, twice revision and function */
    fixture_new_journal(f);
    replay(f, 6);
    append_object(f, JOURNAL_PUT, buf_bytes(&appended[4].key), buf_bytes(&appended[2].value));
    assert_int_equal(fixture_open_functions(f), ERR_CORRUPT);
}

static void assert_damaged(struct fixture *f)
{
    struct outcome outcome = {.calls = 0};

    played.asked = 0;
    assert_int_equal(fixture_open_functions(f), 0);
    assert_int_equal(function_unpack(f->functions, latest(f), &outcome, note_ready), ERR_CORRUPT);
    fixture_settle(f);
    assert_int_equal(outcome.calls, 0);
    assert_int_equal(played.asked, 0);
}

static void test_a_missing_chunk_is_found_when_it_is_read(void **state)
{
    struct fixture *f = *state;
    struct buf buf = {0};

    (void)record_create(f, make_archive(&buf, 3 * CODE_CHUNK_BYTES, 9));
    for (size_t missing = 1; missing <= 3; missing++) {
        fixture_new_journal(f);
        for (size_t i = 0; i < appended_count; i++) {
            if (i != missing) {
                replay_one(f, i);
            }
        }
        assert_damaged(f);
    }
    buf_fini(&buf);
}

static void test_chunks_that_changed_places_are_found(void **state)
{
    struct fixture *f = *state;
    struct buf buf = {0};

    (void)record_create(f, make_archive(&buf, 3 * CODE_CHUNK_BYTES, 9));
    fixture_new_journal(f);
    replay(f, appended_count);
    append_object(f, JOURNAL_PUT, buf_bytes(&appended[1].key), buf_bytes(&appended[2].value));
    append_object(f, JOURNAL_PUT, buf_bytes(&appended[2].key), buf_bytes(&appended[1].value));
    assert_damaged(f);
    buf_fini(&buf);
}

/* --- the sweep
 * ------------------------------------------------------------------------------------ */

static bool is_number(void *arg, const struct function_revision *revision)
{
    return revision->number == *(const uint32_t *)arg;
}

static void test_the_sweep_takes_what_nobody_needs(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    uint32_t needed = 2;

    update_now(f, function, NULL, bytes_of_text("PK two"));
    update_now(f, function, NULL, bytes_of_text("PK three"));
    update_now(f, function, NULL, bytes_of_text("PK four"));
    function_revision_ref(function_revision_find(function, 3));
    assert_int_equal(functions_sweep(f->functions, &needed, is_number), 1);
    assert_null(function_revision_find(function, 1));
    function_revision_unref(function_revision_find(function, 3));
    fixture_restart(f);
    function = function_find(f->functions, bytes_of_text("f"));
    assert_null(function_revision_find(function, 1));
    assert_non_null(function_revision_find(function, 2));
    assert_non_null(function_revision_find(function, 3));
    assert_int_equal(function->latest->number, 4);
    assert_int_equal(count_objects(f, TENANT_A, "archive/"), 3);
    assert_int_equal(count_objects(f, TENANT_A, "code/"), 3);
}

static void test_code_that_another_revision_uses_stays(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);

    update_now(f, function, NULL, bytes_of(NULL, 0));
    (void)create_now(f, "g", GOOD);
    assert_int_equal(functions_sweep(f->functions, NULL, is_never_needed), 1);
    delete_now(f, function);
    assert_int_equal(functions_sweep(f->functions, NULL, is_never_needed), 1);
    fixture_restart(f);
    played_forget();
    assert_string_equal(unpack_now(f, function_find(f->functions, bytes_of_text("g"))->latest), "");
    assert_int_equal(count_objects(f, TENANT_A, ""), 4);
}

static void test_a_deleted_function_goes_when_nobody_needs_it(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct id id = function->id;
    uint32_t needed = 1;

    update_now(f, function, NULL, bytes_of_text("PK two"));
    delete_now(f, function);
    assert_int_equal(functions_sweep(f->functions, &needed, is_number), 0); /* the newest: later */
    assert_non_null(function_find_id(f->functions, &id));
    assert_non_null(function_revision_find(function, 1));
    assert_int_equal(functions_sweep(f->functions, NULL, is_never_needed), 2);
    assert_null(function_find_id(f->functions, &id));
    assert_int_equal(count_objects(f, TENANT_A, ""), 0);
    fixture_restart(f);
    assert_null(function_find_id(f->functions, &id));
}

static void test_the_sweep_leaves_what_is_under_way(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct outcome outcomes[3] = {{.calls = 0}};

    update_now(f, function, NULL, bytes_of_text("PK two"));
    played_forget();
    assert_int_equal(function_unpack(f->functions, function_revision_find(function, 1),
                                     &outcomes[0], note_ready),
                     0);
    assert_int_equal(function_create(f->functions, bytes_of_text("g"), &plain_config,
                                     bytes_of_text("PK g"), false, NOW_MS, &outcomes[1],
                                     note_change),
                     0);
    assert_int_equal(functions_sweep(f->functions, NULL, is_never_needed), 0);
    fixture_settle(f);
    assert_int_equal(outcomes[0].calls, 1);
    assert_int_equal(outcomes[1].calls, 1);
    assert_string_equal(outcomes[0].error, "");
    assert_non_null(function_find(f->functions, bytes_of_text("g")));
    assert_int_equal(functions_sweep(f->functions, NULL, is_never_needed), 1);
}

/* --- every allocation fails once ----------------------------------------------------------------
 */

static void test_a_create_without_memory_leaves_nothing(void **state)
{
    static char *env[] = {"A=1", NULL};
    struct fixture *f = *state;
    struct function_config config = plain_config;
    struct outcome outcome = {.calls = 0};
    long n = 0;
    int r;

    config.env = env;
    config.env_count = 1;
    do {
        assert_int_equal(outcome.calls, 0);
        fail_after(n++);
        r = function_create(f->functions, bytes_of_text("f"), &config, GOOD, false, NOW_MS,
                            &outcome, note_change);
        fail_after(-1);
        assert_true(r == 0 || r == ERR_NOMEM);
        assert_null(function_find(f->functions, bytes_of_text("f")));
    } while (r != 0);
    assert_true(n > 10);
    fixture_settle(f);
    assert_int_equal(outcome.calls, 1);
    assert_string_equal(outcome.error, "");
    assert_int_equal(count_objects(f, TENANT_A, ""), 4);
}

static void test_updates_and_deletes_without_memory_change_nothing(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct outcome outcomes[2] = {{.calls = 0}};
    long n = 0;
    int r;

    do {
        fail_after(n++);
        r = function_update(f->functions, function, NULL, bytes_of_text("PK two"), false, NOW_MS,
                            &outcomes[0], note_change);
        fail_after(-1);
        assert_true(r == 0 || r == ERR_NOMEM);
    } while (r != 0);
    fixture_settle(f);
    assert_int_equal(function->latest->number, 2);
    n = 0;
    do {
        fail_after(n++);
        r = function_delete(f->functions, function, &outcomes[1], note_change);
        fail_after(-1);
        assert_true(r == 0 || r == ERR_NOMEM);
    } while (r != 0);
    fixture_settle(f);
    assert_int_equal(outcomes[0].calls, 1);
    assert_int_equal(outcomes[1].calls, 1);
    assert_null(function_find(f->functions, bytes_of_text("f")));
}

/* Journal threads allocate too, so they must have nothing to do. */
static void test_opening_without_memory_fails_and_can_be_repeated(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    long n = 0;
    int r;

    update_now(f, function, NULL, bytes_of_text("PK two"));
    functions_close(f->functions);
    f->functions = NULL;
    fixture_settle(f);
    do {
        fail_after(n++);
        r = fixture_open_functions(f);
        fail_after(-1);
        assert_true(r == 0 || r == ERR_NOMEM);
    } while (r != 0);
    assert_true(n > 10);
    assert_int_equal(function_find(f->functions, bytes_of_text("f"))->latest->number, 2);
}

static void test_unpacking_without_memory_calls_nobody_back(void **state)
{
    struct fixture *f = *state;
    struct outcome outcome = {.calls = 0};
    struct function_revision *revision;
    long n = 0;
    int r;

    (void)create_now(f, "f", GOOD);
    fixture_restart(f);
    played_forget();
    revision = function_find(f->functions, bytes_of_text("f"))->latest;
    do {
        assert_int_equal(outcome.calls, 0);
        fail_after(n++);
        r = function_unpack(f->functions, revision, &outcome, note_ready);
        fail_after(-1);
        assert_true(r == 0 || r == ERR_NOMEM);
    } while (r != 0);
    assert_true(n > 2);
    fixture_settle(f);
    assert_int_equal(outcome.calls, 1);
    assert_string_equal(outcome.error, "");
}

static void test_a_sweep_without_memory_goes_on_later(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    long n = 0;
    int r;

    update_now(f, function, NULL, bytes_of_text("PK two"));
    delete_now(f, function);
    (void)create_now(f, "g", bytes_of_text("PK g"));
    fixture_settle(f);
    do {
        fail_after(n++);
        r = functions_sweep(f->functions, NULL, is_never_needed);
        fail_after(-1);
        assert_true(r >= 0 || r == ERR_NOMEM);
        fixture_settle(f);
    } while (r < 0);
    fixture_restart(f); /* code that could not go then */
    assert_int_equal(count_objects(f, TENANT_A, ""), 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_code_of_every_size_comes_back_as_it_was),
        TEST(test_those_who_wait_for_one_code_share_the_work),
        TEST(test_code_that_is_there_costs_an_empty_message),
        TEST(test_code_that_the_cache_has_lost_is_unpacked_again),
        TEST(test_code_is_read_as_soon_as_it_is_stored),
        TEST(test_code_is_stored_once),
        TEST(test_two_creates_of_one_code_at_once_do_not_harm_each_other),
        TEST(test_of_an_interrupted_create_nothing_is_left),
        TEST(test_what_is_removed_can_be_created_again_at_once),
        TEST(test_a_sweep_that_was_cut_off_is_finished),
        TEST(test_an_update_that_was_cut_off_leaves_the_old_revision),
        TEST(test_a_changed_object_is_found_at_the_start),
        TEST(test_an_object_does_not_pass_for_another),
        TEST(test_a_missing_chunk_is_found_when_it_is_read),
        TEST(test_chunks_that_changed_places_are_found),
        TEST(test_the_sweep_takes_what_nobody_needs),
        TEST(test_code_that_another_revision_uses_stays),
        TEST(test_a_deleted_function_goes_when_nobody_needs_it),
        TEST(test_the_sweep_leaves_what_is_under_way),
        TEST(test_a_create_without_memory_leaves_nothing),
        TEST(test_updates_and_deletes_without_memory_change_nothing),
        TEST(test_opening_without_memory_fails_and_can_be_repeated),
        TEST(test_unpacking_without_memory_calls_nobody_back),
        TEST(test_a_sweep_without_memory_goes_on_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
