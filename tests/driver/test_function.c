#include <stdlib.h>

#include "engine/base/err.h"
#include "tests/driver/functions_fixture.h"

#define GOOD bytes_of_text("PK, as zips begin")
#define OTHER bytes_of_text("PK, and another one")

static struct bytes text(const char *name)
{
    return bytes_of_text(name);
}

static int create(struct fixture *f, const char *name, struct bytes archive,
                  struct outcome *outcome)
{
    return function_create(f->functions, text(name), &plain_config, archive, false, NOW_MS, outcome,
                           note_change);
}

static void assert_text(const char *found, const char *expected)
{
    if (expected == NULL) {
        assert_null(found);
    } else {
        assert_string_equal(found, expected);
    }
}

static void assert_config(const struct function_config *found,
                          const struct function_config *expected)
{
    assert_text(found->runtime, expected->runtime);
    assert_text(found->handler, expected->handler);
    assert_text(found->role, expected->role);
    assert_text(found->description, expected->description);
    assert_int_equal(found->timeout_s, expected->timeout_s);
    assert_int_equal(found->memory_mb, expected->memory_mb);
    assert_int_equal(found->tmp_mb, expected->tmp_mb);
    assert_int_equal(found->concurrency, expected->concurrency);
    assert_int_equal(found->is_durable, expected->is_durable);
    assert_int_equal(found->execution_timeout_s, expected->execution_timeout_s);
    assert_int_equal(found->retention_days, expected->retention_days);
    assert_int_equal(found->is_per_tenant, expected->is_per_tenant);
    assert_int_equal(found->env_count, expected->env_count);
    for (size_t i = 0; i < expected->env_count; i++) {
        assert_string_equal(found->env[i], expected->env[i]);
    }
    assert_null(found->env[expected->env_count]);
    assert_true(bytes_equal(found->raw, expected->raw));
}

/* --- create --------------------------------------------------------------------------------- */

static void test_a_created_function_is_found_also_after_a_restart(void **state)
{
    static char *env[] = {"KEY=value", "EMPTY=", "WITH=a=b", NULL};
    const struct function_config config = {.runtime = "provided.al2023",
                                           .handler = "",
                                           .description = "with \"quotes\" and \xc3\xa4",
                                           .timeout_s = 900,
                                           .memory_mb = 10240,
                                           .tmp_mb = 10239,
                                           .concurrency = 1024,
                                           .is_durable = true,
                                           .execution_timeout_s = 31622400,
                                           .retention_days = 90,
                                           .is_per_tenant = true,
                                           .env = env,
                                           .env_count = 3,
                                           .raw = bytes_of_text("{\"Tags\":{}}")};
    struct fixture *f = *state;
    struct outcome outcome = {.calls = 0};
    const struct function *function;
    struct id id;
    struct id revision_id;

    assert_int_equal(function_create(f->functions, text("orders"), &config, GOOD, false, NOW_MS,
                                     &outcome, note_change),
                     0);
    fixture_settle(f);
    assert_int_equal(outcome.calls, 1);
    function = function_find(f->functions, text("orders"));
    assert_non_null(function);
    assert_ptr_equal(outcome.function, function);
    assert_true(function->latest->is_unpacked);
    id = function->id;
    revision_id = function->latest->revision_id;

    fixture_restart(f);
    function = function_find(f->functions, text("orders"));
    assert_non_null(function);
    assert_memory_equal(&function->id, &id, sizeof id);
    assert_ptr_equal(function_find_id(f->functions, &id), function);
    assert_int_equal(function->tenant, TENANT_A);
    assert_string_equal(function->name, "orders");
    assert_string_equal(function->arn, "arn:aws:lambda:us-east-1:111111111111:function:orders");
    assert_int_equal(function->created_ms, NOW_MS);
    assert_false(function->is_deleted);
    assert_int_equal(function->latest->number, 1);
    assert_int_equal(function->latest->modified_ms, NOW_MS);
    assert_int_equal(function->latest->code_bytes, GOOD.len);
    assert_false(function->latest->is_unpacked);
    assert_memory_equal(&function->latest->revision_id, &revision_id, sizeof revision_id);
    assert_config(&function->latest->config, &config);
}

static void test_the_name_of_code_is_its_sha_256(void **state)
{
    struct function *function = create_now(*state, "f", text("abc"));

    assert_string_equal(function->latest->code,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_nothing_is_seen_before_it_is_durable(void **state)
{
    struct fixture *f = *state;
    struct outcome outcome = {.calls = 0};

    assert_int_equal(create(f, "f", GOOD, &outcome), 0);
    assert_null(function_find(f->functions, text("f")));
    played_answer(); /* all is appended now; the loop has not run */
    assert_null(function_find(f->functions, text("f")));
    assert_null(function_next(f->functions, text("")));
    assert_int_equal(outcome.calls, 0);
    fixture_settle(f);
    assert_int_equal(outcome.calls, 1);
    assert_non_null(function_find(f->functions, text("f")));
}

static void test_what_is_created_is_durable_when_it_is_told(void **state)
{
    struct fixture *f = *state;
    struct outcome outcome = {.calls = 0};

    assert_int_equal(create(f, "f", GOOD, &outcome), 0);
    played_answer();
    while (outcome.calls == 0) {
        fixture_turn(f);
    }
    assert_true(journal_committed_lsn(f->journal) == journal_last_lsn(f->journal));
    assert_int_equal(journal_last_lsn(f->journal), 4); /* size, chunk, revision, function */
}

static void test_a_bad_archive_creates_nothing(void **state)
{
    struct fixture *f = *state;
    struct outcome outcome = {.calls = 0};

    assert_int_equal(create(f, "f", text("BAD zip"), &outcome), 0);
    fixture_settle(f);
    assert_int_equal(outcome.calls, 1);
    assert_string_equal(outcome.error, "the archive is not a zip");
    assert_null(outcome.function);
    assert_null(function_find(f->functions, text("f")));
    assert_int_equal(count_objects(f, TENANT_A, ""), 0);
    (void)create_now(f, "f", GOOD); /* the name is free */
}

static void test_a_name_is_taken_at_once(void **state)
{
    struct fixture *f = *state;
    struct outcome first = {.calls = 0};
    struct outcome second = {.calls = 0};

    assert_int_equal(create(f, "f", GOOD, &first), 0);
    assert_int_equal(create(f, "f", OTHER, &second), FUNCTION_BUSY);
    played_answer();
    assert_int_equal(create(f, "f", OTHER, &second), FUNCTION_BUSY);
    fixture_settle(f);
    assert_int_equal(create(f, "f", OTHER, &second), FUNCTION_EXISTS);
    assert_int_equal(first.calls, 1);
    assert_int_equal(second.calls, 0);
}

static void test_a_name_has_letters_digits_dash_and_underscore(void **state)
{
    static const char longest[] =
        "aZ09-_7890123456789012345678901234567890123456789012345678901234";
    static const char *const bad[] = {"",         "a/b", "a.b", "a b", "a:b",
                                      "\xc3\xa4", "a@b", "a[b", "a`b", "a{b"};
    struct fixture *f = *state;
    struct outcome outcome = {.calls = 0};
    char too_long[FUNCTION_NAME_MAX + 2] = {0};

    memset(too_long, 'a', FUNCTION_NAME_MAX + 1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(create(f, bad[i], GOOD, &outcome), ERR_INVALID);
    }
    assert_int_equal(create(f, too_long, GOOD, &outcome), ERR_INVALID);
    assert_int_equal(strlen(longest), FUNCTION_NAME_MAX);
    (void)create_now(f, longest, GOOD);
}

static void test_what_is_too_large_leaves_nothing(void **state)
{
    static char huge[FUNCTION_CONFIG_BYTES_MAX + 1];
    static char *many[FUNCTION_ENV_MAX + 2];
    struct fixture *f = *state;
    struct function_config config = plain_config;
    struct outcome outcome = {.calls = 0};
    uint8_t *archive = calloc(1, FUNCTION_ARCHIVE_BYTES_MAX + 1);

    assert_non_null(archive);
    assert_int_equal(create(f, "f", bytes_of(archive, FUNCTION_ARCHIVE_BYTES_MAX + 1), &outcome),
                     FUNCTION_TOO_LARGE);
    free(archive);
    memset(huge, 'x', sizeof huge - 1);
    config.description = huge;
    assert_int_equal(function_create(f->functions, text("f"), &config, GOOD, false, NOW_MS,
                                     &outcome, note_change),
                     FUNCTION_TOO_LARGE);
    for (size_t i = 0; i <= FUNCTION_ENV_MAX; i++) {
        many[i] = "A=";
    }
    config = plain_config;
    config.env = many;
    config.env_count = FUNCTION_ENV_MAX + 1;
    assert_int_equal(function_create(f->functions, text("f"), &config, GOOD, false, NOW_MS,
                                     &outcome, note_change),
                     FUNCTION_TOO_LARGE);
    assert_int_equal(outcome.calls, 0);
    assert_int_equal(played.asked, 0);
    (void)create_now(f, "f", GOOD);
}

static void test_functions_come_in_the_order_of_their_names(void **state)
{
    static const char *const sorted[] = {"B", "a", "a-", "ab", "b", "c"};
    static const int order[] = {4, 1, 5, 0, 3, 2};
    struct fixture *f = *state;
    struct function *function = NULL;

    for (size_t i = 0; i < 6; i++) {
        (void)create_now(f, sorted[order[i]], GOOD);
    }
    for (int restart = 0; restart < 2; restart++) {
        function = NULL;
        for (size_t i = 0; i < 6; i++) {
            function =
                function_next(f->functions, (function != NULL) ? text(function->name) : text(""));
            assert_non_null(function);
            assert_string_equal(function->name, sorted[i]);
        }
        assert_null(function_next(f->functions, text(function->name)));
        assert_string_equal(function_next(f->functions, text("aa"))->name, "ab"); /* no such */
        fixture_restart(f);
    }
}

/* --- update ---------------------------------------------------------------------------------- */

static void test_an_update_makes_a_revision_and_keeps_the_old_one(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct function_config config = plain_config;

    config.timeout_s = 60;
    update_now(f, function, &config, bytes_of(NULL, 0));
    update_now(f, function, NULL, OTHER);
    for (int restart = 0; restart < 2; restart++) {
        const struct function_revision *first = function_revision_find(function, 1);
        const struct function_revision *second = function_revision_find(function, 2);
        const struct function_revision *third = function_revision_find(function, 3);

        assert_non_null(first);
        assert_non_null(second);
        assert_ptr_equal(function->latest, third);
        assert_null(function_revision_find(function, 4));
        assert_int_equal(first->config.timeout_s, 3);
        assert_int_equal(second->config.timeout_s, 60);
        assert_int_equal(third->config.timeout_s, 60);
        assert_string_equal(first->code, second->code);
        assert_string_not_equal(second->code, third->code);
        assert_int_equal(third->code_bytes, OTHER.len);
        assert_int_equal(third->modified_ms, NOW_MS + 1);
        assert_memory_not_equal(&first->revision_id, &second->revision_id, sizeof(struct id));
        assert_ptr_equal(third->function, function);
        fixture_restart(f);
        function = function_find(f->functions, text("f"));
        assert_non_null(function);
    }
}

static void test_a_refused_update_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct outcome outcome = {.calls = 0};
    int objects = count_objects(f, TENANT_A, "");

    assert_int_equal(function_update(f->functions, function, NULL, text("BAD"), false, NOW_MS,
                                     &outcome, note_change),
                     0);
    fixture_settle(f);
    assert_string_equal(outcome.error, "the archive is not a zip");
    assert_ptr_equal(outcome.function, function);
    assert_int_equal(function->latest->number, 1);
    assert_int_equal(count_objects(f, TENANT_A, ""), objects);
    update_now(f, function, NULL, OTHER); /* it is not busy */
    assert_int_equal(function->latest->number, 2);
}

static void test_one_change_of_a_function_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct outcome outcome = {.calls = 0};

    assert_int_equal(
        function_update(f->functions, function, NULL, OTHER, false, NOW_MS, &outcome, note_change),
        0);
    assert_int_equal(
        function_update(f->functions, function, NULL, OTHER, false, NOW_MS, &outcome, note_change),
        FUNCTION_BUSY);
    assert_int_equal(function_delete(f->functions, function, &outcome, note_change), FUNCTION_BUSY);
    assert_int_equal(function->latest->number, 1); /* not before it is durable */
    fixture_settle(f);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(function->latest->number, 2);
}

static void test_the_newest_revision_is_referenced_by_its_function(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);

    update_now(f, function, NULL, OTHER);
    fixture_restart(f);
    function = function_find(f->functions, text("f"));
    assert_int_equal(function_revision_find(function, 1)->references, 0);
    assert_int_equal(function->latest->references, 1);
}

/* --- delete ---------------------------------------------------------------------------------- */

static void test_a_deleted_function_is_kept_for_its_executions(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct id id = function->id;

    delete_now(f, function);
    for (int restart = 0; restart < 2; restart++) {
        assert_null(function_find(f->functions, text("f")));
        assert_null(function_next(f->functions, text("")));
        function = function_find_id(f->functions, &id);
        assert_non_null(function);
        assert_true(function->is_deleted);
        assert_non_null(function_revision_find(function, 1));
        assert_string_equal(unpack_now(f, function->latest), "");
        fixture_restart(f);
        played_forget();
    }
}

static void test_a_delete_is_seen_when_it_is_durable(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct outcome outcome = {.calls = 0};
    struct outcome created = {.calls = 0};

    assert_int_equal(function_delete(f->functions, function, &outcome, note_change), 0);
    assert_ptr_equal(function_find(f->functions, text("f")), function);
    assert_int_equal(create(f, "f", GOOD, &created), FUNCTION_EXISTS);
    fixture_settle(f);
    assert_int_equal(outcome.calls, 1);
    assert_null(function_find(f->functions, text("f")));
}

static void test_a_name_used_again_is_another_function(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct id id = function->id;
    struct outcome outcome = {.calls = 0};

    delete_now(f, function);
    assert_int_equal(
        function_update(f->functions, function, NULL, GOOD, false, NOW_MS, &outcome, note_change),
        FUNCTION_NOT_FOUND);
    assert_int_equal(function_delete(f->functions, function, &outcome, note_change),
                     FUNCTION_NOT_FOUND);
    function = create_now(f, "f", OTHER);
    assert_memory_not_equal(&function->id, &id, sizeof id);
    fixture_restart(f);
    function = function_find(f->functions, text("f"));
    assert_memory_not_equal(&function->id, &id, sizeof id);
    assert_int_equal(function->latest->number, 1);
    assert_true(function_find_id(f->functions, &id)->is_deleted);
}

/* --- tenants -----------------------------------------------------------------------------------
 */

static void test_tenants_do_not_mix(void **state)
{
    struct fixture *f = *state;
    struct functions *others = NULL;
    struct outcome outcome = {.calls = 0};
    struct id id = create_now(f, "f", GOOD)->id;

    assert_int_equal(functions_open(&others, f->journal, f->others, TENANT_B, "eu-west-1", NULL),
                     0);
    assert_null(function_find(others, text("f")));
    assert_int_equal(function_create(others, text("f"), &plain_config, GOOD, false, NOW_MS,
                                     &outcome, note_change),
                     0);
    fixture_settle(f);
    assert_int_equal(outcome.calls, 1);
    assert_string_equal(outcome.function->arn, "arn:aws:lambda:eu-west-1:222222222222:function:f");
    assert_null(function_find_id(others, &id));
    assert_int_equal(count_objects(f, TENANT_A, ""), 4);
    assert_int_equal(count_objects(f, TENANT_B, ""), 4);
    functions_close(others);
    fixture_restart(f);
    assert_memory_equal(&function_find(f->functions, text("f"))->id, &id, sizeof id);
}

static void test_the_keys_of_another_tenant_open_nothing(void **state)
{
    struct fixture *f = *state;
    struct functions *others = NULL;

    (void)create_now(f, "f", GOOD);
    assert_int_equal(functions_open(&others, f->journal, f->others, TENANT_A, "us-east-1", NULL),
                     ERR_CORRUPT);
}

/* --- the end -------------------------------------------------------------------------------------
 */

static void test_closing_tells_everybody_who_waits(void **state)
{
    struct fixture *f = *state;
    struct function *ready = create_now(f, "ready", GOOD);
    struct outcome outcomes[5] = {{.calls = 0}};
    struct buf buf = {0};

    assert_int_equal(create(f, "storing", make_archive(&buf, 3 << 20, 1), &outcomes[0]), 0);
    assert_int_equal(
        function_update(f->functions, ready, NULL, OTHER, false, NOW_MS, &outcomes[1], note_change),
        0);
    played_answer();
    fixture_turn(f);
    assert_int_equal(create(f, "unpacking", text("PK three"), &outcomes[2]), 0);
    played_forget();
    assert_int_equal(function_unpack(f->functions, ready->latest, &outcomes[3], note_ready), 0);
    assert_int_equal(function_unpack(f->functions, ready->latest, &outcomes[4], note_ready), 0);
    record_appends(true); /* keys may be gone: nothing is sealed any more */
    functions_close(f->functions);
    f->functions = NULL;
    for (int i = 0; i < 5; i++) {
        if (i != 1 || outcomes[i].error[0] != '\0') { /* the small one may have been done */
            assert_string_equal(outcomes[i].error, "the daemon is ending");
        }
        assert_int_equal(outcomes[i].calls, 1);
    }
    fixture_settle(f);
    record_appends(false);
    assert_int_equal(appended_count, 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(outcomes[i].calls, 1);
    }
    buf_fini(&buf);
}

/* A callback may begin the next change of the same function. */
struct chain {
    struct fixture *f;
    int left;
    int calls;
};

static void update_again(void *arg, struct function *function, const char *error)
{
    struct chain *chain = arg;

    assert_null(error);
    chain->calls++;
    if (chain->left-- > 0) {
        assert_int_equal(function_update(chain->f->functions, function, NULL, bytes_of(NULL, 0),
                                         false, NOW_MS, chain, update_again),
                         0);
    }
}

static void test_a_callback_may_begin_the_next_change(void **state)
{
    struct fixture *f = *state;
    struct chain chain = {.f = f, .left = 3};

    assert_int_equal(function_create(f->functions, text("f"), &plain_config, GOOD, false, NOW_MS,
                                     &chain, update_again),
                     0);
    fixture_settle(f);
    assert_int_equal(chain.calls, 4);
    assert_int_equal(function_find(f->functions, text("f"))->latest->number, 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_a_created_function_is_found_also_after_a_restart),
        TEST(test_the_name_of_code_is_its_sha_256),
        TEST(test_nothing_is_seen_before_it_is_durable),
        TEST(test_what_is_created_is_durable_when_it_is_told),
        TEST(test_a_bad_archive_creates_nothing),
        TEST(test_a_name_is_taken_at_once),
        TEST(test_a_name_has_letters_digits_dash_and_underscore),
        TEST(test_what_is_too_large_leaves_nothing),
        TEST(test_functions_come_in_the_order_of_their_names),
        TEST(test_an_update_makes_a_revision_and_keeps_the_old_one),
        TEST(test_a_refused_update_changes_nothing),
        TEST(test_one_change_of_a_function_at_a_time),
        TEST(test_the_newest_revision_is_referenced_by_its_function),
        TEST(test_a_deleted_function_is_kept_for_its_executions),
        TEST(test_a_delete_is_seen_when_it_is_durable),
        TEST(test_a_name_used_again_is_another_function),
        TEST(test_tenants_do_not_mix),
        TEST(test_the_keys_of_another_tenant_open_nothing),
        TEST(test_closing_tells_everybody_who_waits),
        TEST(test_a_callback_may_begin_the_next_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
