#include <stdio.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/setting.h"
#include "tests/driver/functions_fixture.h"

#define GOOD bytes_of_text("PK, as zips begin")
#define NONE bytes_of(NULL, 0)

/* 100,000 bytes: five of them are more than a function may have. */
#define LARGE (100U * 1000U)

static struct bytes text(const char *name)
{
    return bytes_of_text(name);
}

struct noted {
    int calls;
    int status;
};

static void note(void *arg, int status)
{
    struct noted *noted = arg;

    noted->calls++;
    noted->status = status;
}

static int put(struct fixture *f, struct function *function, enum setting_kind kind,
               const char *name, struct bytes json, struct noted *noted)
{
    return setting_put(f->functions, function, kind, text(name), json, noted, note);
}

static void put_now(struct fixture *f, struct function *function, enum setting_kind kind,
                    const char *name, struct bytes json)
{
    struct noted noted = {.calls = 0};

    assert_int_equal(put(f, function, kind, name, json, &noted), 0);
    assert_int_equal(noted.calls, 0);
    fixture_settle(f);
    assert_int_equal(noted.calls, 1);
    assert_int_equal(noted.status, 0);
}

static void assert_setting(const struct function *function, enum setting_kind kind,
                           const char *name, const char *json)
{
    struct bytes found = setting_find(function, kind, text(name));

    if (json == NULL) {
        assert_null(found.data);
    } else {
        assert_non_null(found.data);
        assert_true(bytes_equal(found, text(json)));
    }
}

static struct function *again(struct fixture *f, const char *name)
{
    struct function *function;

    fixture_restart(f);
    function = function_find(f->functions, text(name));
    assert_non_null(function);
    return function;
}

/* --- set and delete --------------------------------------------------------------------- */

static void test_what_was_set_is_found_also_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);

    put_now(f, function, SETTING_ALIAS, "live", text("{\"a\":1}"));
    put_now(f, function, SETTING_ALIAS, "beta", text("{\"a\":2}"));
    put_now(f, function, SETTING_TAGS, "", text("{}"));
    put_now(f, function, SETTING_POLICY, "", bytes_of("", 0));
    for (int restart = 0; restart < 2; restart++) {
        assert_setting(function, SETTING_ALIAS, "live", "{\"a\":1}");
        assert_setting(function, SETTING_ALIAS, "beta", "{\"a\":2}");
        assert_setting(function, SETTING_TAGS, "", "{}");
        assert_setting(function, SETTING_POLICY, "", "");
        assert_setting(function, SETTING_ALIAS, "", NULL);
        assert_setting(function, SETTING_TAGS, "live", NULL);
        function = again(f, "f");
    }
}

static void test_the_last_one_set_counts(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);

    put_now(f, function, SETTING_CONCURRENCY, "", text("1"));
    put_now(f, function, SETTING_CONCURRENCY, "", text("22"));
    assert_setting(function, SETTING_CONCURRENCY, "", "22");
    assert_int_equal(count_objects(f, TENANT_A, "setting/"), 1);
    assert_setting(again(f, "f"), SETTING_CONCURRENCY, "", "22");
}

static void test_a_deleted_one_is_gone_and_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct noted noted = {.calls = 0};

    put_now(f, function, SETTING_ALIAS, "live", text("1"));
    put_now(f, function, SETTING_ALIAS, "live", NONE);
    assert_setting(function, SETTING_ALIAS, "live", NULL);
    assert_int_equal(count_objects(f, TENANT_A, "setting/"), 0);
    assert_int_equal(put(f, function, SETTING_ALIAS, "live", NONE, &noted), FUNCTION_NOT_FOUND);
    function = again(f, "f");
    assert_setting(function, SETTING_ALIAS, "live", NULL);
    put_now(f, function, SETTING_ALIAS, "live", text("2"));
    assert_setting(function, SETTING_ALIAS, "live", "2");
}

static void test_a_change_is_seen_when_it_is_durable(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct noted noted = {.calls = 0};

    assert_int_equal(put(f, function, SETTING_TAGS, "", text("new"), &noted), 0);
    assert_setting(function, SETTING_TAGS, "", NULL);
    while (noted.calls == 0) {
        assert_setting(function, SETTING_TAGS, "", NULL);
        fixture_turn(f);
    }
    assert_setting(function, SETTING_TAGS, "", "new");
    assert_true(journal_committed_lsn(f->journal) == journal_last_lsn(f->journal));
    assert_int_equal(put(f, function, SETTING_TAGS, "", NONE, &noted), 0);
    assert_setting(function, SETTING_TAGS, "", "new");
    fixture_settle(f);
    assert_int_equal(noted.calls, 2);
    assert_setting(function, SETTING_TAGS, "", NULL);
}

static void test_one_change_of_a_setting_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct noted first = {.calls = 0};
    struct noted second = {.calls = 0};

    assert_int_equal(put(f, function, SETTING_TAGS, "", text("1"), &first), 0);
    assert_int_equal(put(f, function, SETTING_TAGS, "", text("2"), &second), FUNCTION_BUSY);
    assert_int_equal(put(f, function, SETTING_TAGS, "", NONE, &second), FUNCTION_BUSY);
    assert_int_equal(put(f, function, SETTING_TAGS, "other", text("3"), &second), 0);
    fixture_settle(f);
    assert_int_equal(first.calls, 1);
    assert_int_equal(second.calls, 1);
    assert_setting(function, SETTING_TAGS, "", "1");
    assert_setting(function, SETTING_TAGS, "other", "3");
}

struct chain {
    struct fixture *f;
    struct function *function;
    int left;
    int calls;
};

static void put_again(void *arg, int status)
{
    struct chain *chain = arg;
    char number[16];

    assert_int_equal(status, 0);
    chain->calls++;
    if (chain->left-- > 0) {
        (void)snprintf(number, sizeof number, "%d", chain->left);
        assert_int_equal(setting_put(chain->f->functions, chain->function, SETTING_ALIAS, text("a"),
                                     text(number), chain, put_again),
                         0);
    }
}

static void test_a_callback_may_begin_the_next_change(void **state)
{
    struct fixture *f = *state;
    struct chain chain = {.f = f, .function = create_now(f, "f", GOOD), .left = 3};

    put_again(&chain, 0);
    fixture_settle(f);
    assert_int_equal(chain.calls, 4);
    assert_setting(chain.function, SETTING_ALIAS, "a", "0");
}

/* --- walking -------------------------------------------------------------------------------- */

static void test_they_come_in_the_order_of_their_names(void **state)
{
    static const char *const sorted[] = {"", "B", "a", "a-", "ab", "b"};
    static const int order[] = {4, 1, 5, 0, 3, 2};
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);

    put_now(f, function, SETTING_CONCURRENCY, "a", text("before"));
    put_now(f, function, SETTING_RECURSION, "a", text("behind"));
    for (size_t i = 0; i < 6; i++) {
        put_now(f, function, SETTING_TAGS, sorted[order[i]], text(sorted[order[i]]));
    }
    for (int restart = 0; restart < 2; restart++) {
        struct bytes after = NONE;

        for (size_t i = 0; i < 6; i++) {
            const struct setting *setting = setting_next(function, SETTING_TAGS, after);

            assert_non_null(setting);
            assert_true(bytes_equal(setting->name, text(sorted[i])));
            assert_true(bytes_equal(setting->json, text(sorted[i])));
            after = setting->name;
        }
        assert_null(setting_next(function, SETTING_TAGS, after));
        assert_null(setting_next(function, SETTING_POLICY, NONE));
        assert_true(bytes_equal(setting_next(function, SETTING_TAGS, text("aa"))->name,
                                text("ab"))); /* no such */
        function = again(f, "f");
    }
}

/* --- limits ----------------------------------------------------------------------------------- */

static void test_a_name_has_a_limit(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct noted noted = {.calls = 0};
    char name[SETTING_NAME_MAX + 2] = {0};

    memset(name, 'n', SETTING_NAME_MAX + 1);
    assert_int_equal(put(f, function, SETTING_ALIAS, name, text("1"), &noted), ERR_INVALID);
    name[SETTING_NAME_MAX] = '\0';
    put_now(f, function, SETTING_ALIAS, name, text("1"));
    assert_setting(again(f, "f"), SETTING_ALIAS, name, "1");
}

static void test_a_document_has_a_limit_and_all_together(void **state)
{
    static uint8_t large[SETTING_BYTES_MAX + 1];
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct noted noted = {.calls = 0};

    assert_int_equal(put(f, function, SETTING_TAGS, "", bytes_of(large, sizeof large), &noted),
                     FUNCTION_TOO_LARGE);
    put_now(f, function, SETTING_TAGS, "", bytes_of(large, SETTING_BYTES_MAX));
    put_now(f, function, SETTING_TAGS, "", NONE);
    for (int i = 0; i < 4; i++) {
        char name[2] = {(char)('a' + i), '\0'};

        put_now(f, function, SETTING_TAGS, name, bytes_of(large, SETTING_BYTES_MAX - 1));
    }
    assert_int_equal(put(f, function, SETTING_TAGS, "e", text("12345"), &noted),
                     FUNCTION_TOO_LARGE);
    put_now(f, function, SETTING_TAGS, "a", bytes_of(large, SETTING_BYTES_MAX - 1)); /* in place */
    put_now(f, function, SETTING_TAGS, "a", NONE);
    put_now(f, function, SETTING_TAGS, "e", text("12345"));
    assert_int_equal(noted.calls, 0);
}

static void test_what_is_under_way_counts_as_well(void **state)
{
    static uint8_t large[LARGE];
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct noted noted = {.calls = 0};

    for (int i = 0; i < 5; i++) {
        char name[2] = {(char)('a' + i), '\0'};

        assert_int_equal(put(f, function, SETTING_TAGS, name, bytes_of(large, LARGE), &noted), 0);
    }
    assert_int_equal(put(f, function, SETTING_TAGS, "x", bytes_of(large, LARGE), &noted),
                     FUNCTION_TOO_LARGE);
    fixture_settle(f);
    assert_int_equal(noted.calls, 5);
}

static void test_a_function_has_so_many(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct noted noted = {.calls = 0};
    char name[16];

    for (unsigned i = 0; i < SETTINGS_MAX; i++) {
        (void)snprintf(name, sizeof name, "%u", i);
        assert_int_equal(put(f, function, SETTING_ALIAS, name, text("1"), &noted), 0);
    }
    assert_int_equal(put(f, function, SETTING_ALIAS, "more", text("1"), &noted), FUNCTION_TOO_MANY);
    fixture_settle(f);
    assert_int_equal(noted.calls, SETTINGS_MAX);
    assert_int_equal(put(f, function, SETTING_TAGS, "", text("1"), &noted), FUNCTION_TOO_MANY);
    put_now(f, function, SETTING_ALIAS, "7", text("2"));
    put_now(f, function, SETTING_ALIAS, "8", NONE);
    put_now(f, function, SETTING_TAGS, "", text("1"));
}

static void test_a_full_journal_takes_only_deletes(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct noted noted = {.calls = 0};

    put_now(f, function, SETTING_TAGS, "", text("1"));
    journal_says_full = true;
    assert_int_equal(put(f, function, SETTING_ALIAS, "live", text("1"), &noted), FUNCTION_FULL);
    assert_int_equal(put(f, function, SETTING_TAGS, "", text("2"), &noted), FUNCTION_FULL);
    put_now(f, function, SETTING_TAGS, "", NONE);
    assert_setting(function, SETTING_TAGS, "", NULL);
    assert_int_equal(noted.calls, 0);
}

/* --- the end of a function -------------------------------------------------------------------- */

static void test_they_go_with_their_function(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct function *other = create_now(f, "other", GOOD);
    struct noted noted = {.calls = 0};

    put_now(f, function, SETTING_ALIAS, "live", text("1"));
    put_now(f, function, SETTING_TAGS, "", text("2"));
    put_now(f, other, SETTING_TAGS, "", text("3"));
    delete_now(f, function);
    assert_setting(function, SETTING_TAGS, "", NULL);
    assert_null(setting_next(function, SETTING_ALIAS, NONE));
    assert_int_equal(put(f, function, SETTING_TAGS, "", text("4"), &noted), FUNCTION_NOT_FOUND);
    assert_int_equal(count_objects(f, TENANT_A, "setting/"), 1);
    function = create_now(f, "f", GOOD);
    assert_setting(function, SETTING_TAGS, "", NULL);
    assert_setting(again(f, "other"), SETTING_TAGS, "", "3");
}

static void test_a_change_behind_the_end_of_its_function_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct outcome outcome = {.calls = 0};
    struct noted before = {.calls = 0};
    struct noted after = {.calls = 0};

    assert_int_equal(put(f, function, SETTING_TAGS, "", text("1"), &before), 0);
    assert_int_equal(function_delete(f->functions, function, &outcome, note_change), 0);
    assert_int_equal(put(f, function, SETTING_ALIAS, "live", text("1"), &after), 0);
    fixture_settle(f);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(before.calls, 1);
    assert_int_equal(before.status, 0);
    assert_int_equal(after.calls, 1);
    assert_int_equal(after.status, FUNCTION_NOT_FOUND);
    assert_int_equal(count_objects(f, TENANT_A, "setting/"), 0);
}

static bool is_needed_never(void *arg, const struct function_revision *revision)
{
    (void)arg;
    (void)revision;
    return false;
}

static void test_a_sweep_waits_for_what_is_under_way(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct id id = function->id;
    struct outcome outcome = {.calls = 0};
    struct noted noted = {.calls = 0};

    assert_int_equal(function_delete(f->functions, function, &outcome, note_change), 0);
    assert_int_equal(put(f, function, SETTING_TAGS, "", text("1"), &noted), 0);
    while (outcome.calls == 0) {
        fixture_turn(f);
    }
    while (noted.calls == 0) {
        assert_int_equal(functions_sweep(f->functions, NULL, is_needed_never), 0);
        fixture_turn(f);
    }
    assert_int_equal(functions_sweep(f->functions, NULL, is_needed_never), 1);
    assert_null(function_find_id(f->functions, &id));
    fixture_settle(f);
    assert_int_equal(count_objects(f, TENANT_A, ""), 0);
}

/* As a crash leaves them: the delete is in the log and what would have followed is not. */
static void test_leftovers_are_removed_at_the_next_start(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct noted noted = {.calls = 0};

    put_now(f, function, SETTING_TAGS, "", text("1"));
    record_appends(true);
    assert_int_equal(put(f, function, SETTING_ALIAS, "live", text("2"), &noted), 0);
    record_appends(false);
    fixture_settle(f);
    assert_int_equal(appended_count, 1);
    delete_now(f, function);
    assert_int_equal(count_objects(f, TENANT_A, "setting/"), 0);
    append_object(f, JOURNAL_PUT, buf_bytes(&appended[0].key), buf_bytes(&appended[0].value));
    assert_int_equal(count_objects(f, TENANT_A, "setting/"), 1);
    fixture_restart(f); /* the function is deleted */
    fixture_settle(f);
    assert_int_equal(count_objects(f, TENANT_A, "setting/"), 0);
    assert_int_equal(functions_sweep(f->functions, NULL, is_needed_never), 1);
    append_object(f, JOURNAL_PUT, buf_bytes(&appended[0].key), buf_bytes(&appended[0].value));
    fixture_restart(f); /* there is no function */
    fixture_settle(f);
    assert_int_equal(count_objects(f, TENANT_A, ""), 0);
}

/* --- damage, memory, the end --------------------------------------------------------------------
 */

static void test_a_setting_at_another_place_is_damage(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct noted noted = {.calls = 0};

    record_appends(true);
    assert_int_equal(put(f, function, SETTING_ALIAS, "live", text("2"), &noted), 0);
    record_appends(false);
    fixture_settle(f);
    appended[0].key.data[appended[0].key.len - 1] ^= 1;
    append_object(f, JOURNAL_PUT, buf_bytes(&appended[0].key), buf_bytes(&appended[0].value));
    functions_close(f->functions);
    f->functions = NULL;
    assert_int_equal(fixture_open_functions(f), ERR_CORRUPT);
}

static void test_what_fails_for_want_of_memory_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct noted noted = {.calls = 0};
    long n = 0;
    int r;

    do {
        fail_after(n++);
        r = put(f, function, SETTING_ALIAS, "live", text("1"), &noted);
        fail_after(-1);
        assert_true(r == 0 || r == ERR_NOMEM);
        assert_int_equal(noted.calls, 0);
    } while (r != 0);
    assert_true(n > 3);
    fixture_settle(f);
    assert_int_equal(noted.calls, 1);
    assert_setting(function, SETTING_ALIAS, "live", "1");
}

static void test_closing_tells_who_waits(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct noted noted = {.calls = 0};

    assert_int_equal(put(f, function, SETTING_TAGS, "", text("1"), &noted), 0);
    functions_close(f->functions);
    f->functions = NULL;
    assert_int_equal(noted.calls, 1);
    assert_int_equal(noted.status, ERR_CANCELED);
    fixture_settle(f);
    assert_int_equal(noted.calls, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_what_was_set_is_found_also_after_a_restart),
        TEST(test_the_last_one_set_counts),
        TEST(test_a_deleted_one_is_gone_and_leaves_nothing),
        TEST(test_a_change_is_seen_when_it_is_durable),
        TEST(test_one_change_of_a_setting_at_a_time),
        TEST(test_a_callback_may_begin_the_next_change),
        TEST(test_they_come_in_the_order_of_their_names),
        TEST(test_a_name_has_a_limit),
        TEST(test_a_document_has_a_limit_and_all_together),
        TEST(test_what_is_under_way_counts_as_well),
        TEST(test_a_function_has_so_many),
        TEST(test_a_full_journal_takes_only_deletes),
        TEST(test_they_go_with_their_function),
        TEST(test_a_change_behind_the_end_of_its_function_leaves_nothing),
        TEST(test_a_sweep_waits_for_what_is_under_way),
        TEST(test_leftovers_are_removed_at_the_next_start),
        TEST(test_a_setting_at_another_place_is_damage),
        TEST(test_what_fails_for_want_of_memory_changes_nothing),
        TEST(test_closing_tells_who_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
