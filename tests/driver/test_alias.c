#include "engine/base/err.h"
#include "engine/base/prng.h"
#include "engine/driver/alias.h"
#include "engine/driver/function_name.h"
#include "tests/driver/functions_fixture.h"

#define GOOD bytes_of_text("PK, as zips begin")
#define OWN UINT64_MAX

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

static struct function *again(struct fixture *f)
{
    struct function *function;

    fixture_restart(f);
    function = function_find(f->functions, text("f"));
    assert_non_null(function);
    return function;
}

/* With this many versions. */
static struct function *create_versions(struct fixture *f, uint32_t count)
{
    struct function *function = create_now(f, "f", GOOD);
    struct function_config config = plain_config;
    struct outcome outcome = {.calls = 0};

    for (uint32_t i = 1; i <= count; i++) {
        config.timeout_s = i;
        assert_int_equal(function_update(f->functions, function, &config, bytes_of(NULL, 0), true,
                                         NOW_MS, &outcome, note_change),
                         0);
        fixture_settle(f);
    }
    assert_int_equal(function->last_version, count);
    return function;
}

static int put(struct fixture *f, struct function *function, const struct alias *alias,
               struct noted *noted)
{
    return alias_put(f->functions, function, alias, NOW_MS, noted, note);
}

static void put_now(struct fixture *f, struct function *function, const struct alias *alias)
{
    struct noted noted = {.calls = 0};

    assert_int_equal(put(f, function, alias, &noted), 0);
    assert_int_equal(noted.calls, 0);
    fixture_settle(f);
    assert_int_equal(noted.calls, 1);
    assert_int_equal(noted.status, 0);
}

static void delete_alias_now(struct fixture *f, struct function *function, const char *name)
{
    struct noted noted = {.calls = 0};

    assert_int_equal(alias_delete(f->functions, function, text(name), &noted, note), 0);
    fixture_settle(f);
    assert_int_equal(noted.status, 0);
    assert_int_equal(noted.calls, 1);
}

static uint32_t version_of(const struct function *function, const char *qualifier, uint64_t chance)
{
    const struct function_revision *found = function_resolve(function, text(qualifier), chance);

    assert_non_null(found);
    return found->version;
}

static int delete_version(struct fixture *f, const struct function *function, uint32_t version,
                          struct outcome *outcome)
{
    return function_delete_version(f->functions, function_version_find(function, version), outcome,
                                   note_change);
}

/* --- names ------------------------------------------------------------------------------- */

static void test_a_number_is_no_alias(void **state)
{
    static const char *const bad[] = {"", "7", "0", "007", "a b", "a.b", "$LATEST", "a:b"};
    static const char *const good[] = {"live", "7a", "a7", "-", "_", "LIVE-2"};
    char longest[ALIAS_NAME_MAX + 2] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(alias_name_is_valid(text(bad[i])));
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(alias_name_is_valid(text(good[i])));
        assert_int_equal(version_parse(text(good[i])), 0);
    }
    memset(longest, 'a', ALIAS_NAME_MAX);
    assert_true(alias_name_is_valid(text(longest)));
    longest[ALIAS_NAME_MAX] = 'a';
    assert_false(alias_name_is_valid(text(longest)));
}

static void test_a_version_is_a_plain_number(void **state)
{
    (void)state;
    assert_int_equal(version_parse(text("1")), 1);
    assert_int_equal(version_parse(text("4294967295")), UINT32_MAX);
    assert_int_equal(version_parse(text("4294967296")), 0);
    assert_int_equal(version_parse(text("99999999999999999999")), 0);
    assert_int_equal(version_parse(text("01")), 0);
    assert_int_equal(version_parse(text("0")), 0);
    assert_int_equal(version_parse(text("+1")), 0);
    assert_int_equal(version_parse(text("1 ")), 0);
    assert_int_equal(version_parse(text("")), 0);
}

/* --- put and delete ---------------------------------------------------------------------- */

static void test_an_alias_is_there_also_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_versions(f, 2);
    struct alias alias = {.name = text("live"),
                          .version = 2,
                          .other = 1,
                          .weight = 0.1,
                          .description = text("words")};
    struct alias found;

    put_now(f, function, &alias);
    for (int restart = 0; restart < 2; restart++) {
        assert_true(alias_find(function, text("live"), &found));
        assert_int_equal(found.version, 2);
        assert_int_equal(found.other, 1);
        assert_true(found.weight == 0.1);
        assert_true(bytes_equal(found.description, text("words")));
        assert_true(bytes_equal(found.name, text("live")));
        assert_false(alias_find(function, text("dead"), &found));
        function = again(f);
    }
    delete_alias_now(f, function, "live");
    assert_false(alias_find(function, text("live"), &found));
    assert_false(alias_find(again(f), text("live"), &found));
}

static void test_each_change_has_a_new_id(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_versions(f, 1);
    struct alias alias = {.name = text("live"), .version = 1};
    struct alias first;
    struct alias second;

    put_now(f, function, &alias);
    assert_true(alias_find(function, text("live"), &first));
    put_now(f, function, &alias);
    assert_true(alias_find(function, text("live"), &second));
    assert_memory_not_equal(&first.revision_id, &second.revision_id, sizeof(struct id));
}

static void test_an_alias_that_points_nowhere_is_refused(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_versions(f, 2);
    const struct alias absent[] = {{.name = text("a"), .version = 3},
                                   {.name = text("a"), .version = 1, .other = 3, .weight = 1}};
    const struct alias wrong[] = {{.name = text("7"), .version = 1},
                                  {.name = text("a"), .version = 1, .other = 1},
                                  {.name = text("a"), .version = 0, .other = 1},
                                  {.name = text("a"), .version = 1, .other = 2, .weight = 1.1},
                                  {.name = text("a"), .version = 1, .other = 2, .weight = -0.1}};
    struct noted noted = {.calls = 0};

    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        assert_int_equal(put(f, function, &absent[i], &noted), FUNCTION_NOT_FOUND);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(put(f, function, &wrong[i], &noted), ERR_INVALID);
    }
    assert_int_equal(alias_delete(f->functions, function, text("a"), &noted, note),
                     FUNCTION_NOT_FOUND);
    assert_int_equal(noted.calls, 0);
    assert_int_equal(count_objects(f, TENANT_A, "setting/"), 0);
}

/* --- what a qualifier leads to ----------------------------------------------------------- */

static void test_a_qualifier_leads_to_a_revision(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_versions(f, 2);
    const struct alias live = {.name = text("live"), .version = 1};
    const struct alias next = {.name = text("next"), .version = 0};

    put_now(f, function, &live);
    put_now(f, function, &next);
    assert_ptr_equal(function_resolve(function, text(""), OWN), function->latest);
    assert_ptr_equal(function_resolve(function, text("$LATEST"), OWN), function->latest);
    assert_int_equal(version_of(function, "next", OWN), 0);
    assert_int_equal(version_of(function, "live", 0), 1);
    assert_int_equal(version_of(function, "2", OWN), 2);
    assert_null(function_resolve(function, text("3"), OWN));
    assert_null(function_resolve(function, text("02"), OWN));
    assert_null(function_resolve(function, text("dead"), OWN));
    assert_null(function_resolve(function, text("$latest"), OWN));
}

static int share_of_other(const struct function *function, int calls)
{
    struct prng prng = {.state = 7};
    int count = 0;

    for (int i = 0; i < calls; i++) {
        count += version_of(function, "live", prng_next(&prng)) == 1;
    }
    return count;
}

static void test_weights_are_shares_of_the_invokes(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_versions(f, 2);
    struct alias alias = {.name = text("live"), .version = 2, .other = 1};
    int count;

    put_now(f, function, &alias);
    assert_int_equal(share_of_other(function, 1000), 0);
    alias.weight = 0.25;
    put_now(f, function, &alias);
    count = share_of_other(function, 10000);
    assert_in_range(count, 2300, 2700); /* the seed is fixed */
    assert_int_equal(version_of(function, "live", OWN), 2);
    alias.weight = 1;
    put_now(f, function, &alias);
    assert_int_equal(share_of_other(function, 1000), 1000);
    assert_int_equal(version_of(function, "live", OWN), 2); /* it is still that one's name */
}

/* --- versions that are named ------------------------------------------------------------- */

static void test_a_version_that_is_named_cannot_be_deleted(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_versions(f, 3);
    struct alias alias = {.name = text("live"), .version = 2, .other = 1, .weight = 0.5};
    struct outcome outcome = {.calls = 0};

    put_now(f, function, &alias);
    function = again(f);
    assert_int_equal(delete_version(f, function, 1, &outcome), FUNCTION_IN_USE);
    assert_int_equal(delete_version(f, function, 2, &outcome), FUNCTION_IN_USE);
    alias.version = 3;
    alias.other = 0;
    put_now(f, function, &alias);
    assert_int_equal(delete_version(f, function, 3, &outcome), FUNCTION_IN_USE);
    assert_int_equal(delete_version(f, function, 1, &outcome), 0);
    fixture_settle(f);
    delete_alias_now(f, function, "live");
    assert_int_equal(delete_version(f, function, 3, &outcome), 0);
    fixture_settle(f);
    assert_int_equal(outcome.calls, 2);
    assert_null(function_version_find(function, 3));
    assert_non_null(function_version_find(function, 2));
}

/* Neither may begin while the other one is on its way. */
static void test_naming_and_deleting_do_not_cross(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_versions(f, 2);
    const struct alias alias = {.name = text("live"), .version = 1};
    struct outcome outcome = {.calls = 0};
    struct noted noted = {.calls = 0};

    assert_int_equal(put(f, function, &alias, &noted), 0);
    assert_int_equal(delete_version(f, function, 1, &outcome), FUNCTION_BUSY);
    fixture_settle(f);
    assert_int_equal(noted.calls, 1);
    assert_int_equal(delete_version(f, function, 1, &outcome), FUNCTION_IN_USE);
    delete_alias_now(f, function, "live");
    assert_int_equal(delete_version(f, function, 1, &outcome), 0);
    assert_int_equal(put(f, function, &alias, &noted), FUNCTION_BUSY);
    fixture_settle(f);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(put(f, function, &alias, &noted), FUNCTION_NOT_FOUND);
}

/* --- settings of a qualifier ------------------------------------------------------------- */

static const enum setting_kind of_qualifiers[] = {SETTING_EVENT_INVOKE, SETTING_POLICY,
                                                  SETTING_PROVISIONED, SETTING_MANAGEMENT};
#define OF_QUALIFIER ((int)(sizeof of_qualifiers / sizeof of_qualifiers[0]))

static void put_settings_now(struct fixture *f, struct function *function, const char *name)
{
    struct noted noted = {.calls = 0};

    for (int i = 0; i < OF_QUALIFIER; i++) {
        assert_int_equal(setting_put(f->functions, function, of_qualifiers[i], text(name),
                                     text("{}"), &noted, note),
                         0);
    }
    fixture_settle(f);
    assert_int_equal(noted.calls, OF_QUALIFIER);
    assert_int_equal(noted.status, 0);
}

static int count_settings(const struct function *function, const char *name)
{
    int count = 0;

    for (int i = 0; i < OF_QUALIFIER; i++) {
        count += setting_find(function, of_qualifiers[i], text(name)).data != NULL;
    }
    return count;
}

static void test_settings_go_with_their_alias_or_version(void **state)
{
    static const char *const stay[] = {"", "$LATEST", "2", "other"};
    struct fixture *f = *state;
    struct function *function = create_versions(f, 2);
    struct alias alias = {.name = text("live"), .version = 2};
    struct outcome outcome = {.calls = 0};

    put_now(f, function, &alias);
    alias.name = text("other");
    put_now(f, function, &alias);
    put_settings_now(f, function, "live");
    put_settings_now(f, function, "1");
    for (size_t i = 0; i < 4; i++) {
        put_settings_now(f, function, stay[i]);
    }
    delete_alias_now(f, function, "live");
    assert_int_equal(count_settings(function, "live"), 0);
    assert_int_equal(count_settings(function, "1"), OF_QUALIFIER);
    assert_int_equal(delete_version(f, function, 1, &outcome), 0);
    fixture_settle(f);
    for (int restart = 0; restart < 2; restart++) {
        assert_int_equal(count_settings(function, "live"), 0);
        assert_int_equal(count_settings(function, "1"), 0);
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(count_settings(function, stay[i]), OF_QUALIFIER);
        }
        assert_int_equal(count_objects(f, TENANT_A, "setting/"), 1 + 4 * OF_QUALIFIER);
        function = again(f);
    }
}

static void test_a_setting_that_comes_too_late_is_not_kept(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_versions(f, 1);
    const struct alias alias = {.name = text("live"), .version = 1};
    struct noted deleted = {.calls = 0};
    struct noted late = {.calls = 0};

    put_now(f, function, &alias);
    assert_int_equal(alias_delete(f->functions, function, text("live"), &deleted, note), 0);
    assert_int_equal(
        setting_put(f->functions, function, SETTING_POLICY, text("live"), text("{}"), &late, note),
        0);
    fixture_settle(f);
    assert_int_equal(deleted.status, 0);
    assert_int_equal(late.calls, 1);
    assert_int_equal(late.status, FUNCTION_NOT_FOUND);
    assert_int_equal(count_settings(function, "live"), 0);
    assert_int_equal(count_objects(f, TENANT_A, "setting/"), 0);
}

/* The journal ends between the alias and its settings. */
static void test_settings_without_an_alias_go_at_the_next_start(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_versions(f, 1);
    const struct alias alias = {.name = text("live"), .version = 1};

    put_now(f, function, &alias);
    put_settings_now(f, function, "live");
    record_appends(true);
    delete_alias_now(f, function, "live");
    record_appends(false);
    assert_int_equal(appended_count, 1 + OF_QUALIFIER); /* the alias is the first */
    put_now(f, function, &alias);
    put_settings_now(f, function, "live");
    append_object(f, appended[0].kind, buf_bytes(&appended[0].key), bytes_of(NULL, 0));
    function = again(f);
    assert_int_equal(count_settings(function, "live"), 0);
    assert_int_equal(count_objects(f, TENANT_A, "setting/"), 0);
}

/* --- the end ----------------------------------------------------------------------------- */

static void test_aliases_go_with_their_function(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_versions(f, 1);
    const struct alias alias = {.name = text("live"), .version = 1};
    struct alias found;

    put_now(f, function, &alias);
    delete_now(f, function);
    fixture_settle(f);
    assert_int_equal(count_objects(f, TENANT_A, "setting/"), 0);
    assert_false(alias_find(create_now(f, "f", GOOD), text("live"), &found));
}

static void test_closing_tells_who_waits(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_versions(f, 1);
    const struct alias alias = {.name = text("live"), .version = 1};
    struct noted noted = {.calls = 0};

    assert_int_equal(put(f, function, &alias, &noted), 0);
    functions_close(f->functions);
    f->functions = NULL;
    assert_int_equal(noted.calls, 1);
    assert_int_equal(noted.status, ERR_CANCELED);
}

static void test_an_alias_without_memory_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_versions(f, 1);
    const struct alias alias = {.name = text("live"), .version = 1};
    struct noted noted = {.calls = 0};
    struct alias found;
    long allocations = 0;
    int r;

    do {
        fail_after(allocations++);
        r = put(f, function, &alias, &noted);
        fail_after(-1);
        assert_true(r == 0 || r == ERR_NOMEM);
        assert_false(alias_find(function, text("live"), &found));
    } while (r != 0);
    assert_true(allocations > 2);
    fixture_settle(f);
    assert_int_equal(noted.calls, 1);
    assert_true(alias_find(again(f), text("live"), &found));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_number_is_no_alias),
        cmocka_unit_test(test_a_version_is_a_plain_number),
        TEST(test_an_alias_is_there_also_after_a_restart),
        TEST(test_each_change_has_a_new_id),
        TEST(test_an_alias_that_points_nowhere_is_refused),
        TEST(test_a_qualifier_leads_to_a_revision),
        TEST(test_weights_are_shares_of_the_invokes),
        TEST(test_a_version_that_is_named_cannot_be_deleted),
        TEST(test_naming_and_deleting_do_not_cross),
        TEST(test_settings_go_with_their_alias_or_version),
        TEST(test_a_setting_that_comes_too_late_is_not_kept),
        TEST(test_settings_without_an_alias_go_at_the_next_start),
        TEST(test_aliases_go_with_their_function),
        TEST(test_closing_tells_who_waits),
        TEST(test_an_alias_without_memory_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
