#include <stdio.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/function_record.h"
#include "engine/driver/functions.h"
#include "tests/driver/functions_fixture.h"

#define GOOD bytes_of_text("PK, as zips begin")
#define OTHER bytes_of_text("PK, another one")
#define NONE bytes_of(NULL, 0)

static struct bytes text(const char *name)
{
    return bytes_of_text(name);
}

static struct function *again(struct fixture *f)
{
    struct function *function;

    fixture_restart(f);
    function = function_find(f->functions, text("f"));
    assert_non_null(function);
    return function;
}

static void expect_done(struct fixture *f, const struct outcome *outcome)
{
    assert_int_equal(outcome->calls, 0);
    fixture_settle(f);
    assert_int_equal(outcome->calls, 1);
    assert_string_equal(outcome->error, "");
}

static struct function_revision *publish_now(struct fixture *f, struct function *function,
                                             const char *description)
{
    struct outcome outcome = {.calls = 0};

    assert_int_equal(
        function_publish(f->functions, function, description, NOW_MS + 2, &outcome, note_change),
        0);
    expect_done(f, &outcome);
    assert_ptr_equal(outcome.function, function);
    return function_version_find(function, function->last_version);
}

static int publish(struct fixture *f, struct function *function, struct outcome *outcome)
{
    return function_publish(f->functions, function, NULL, NOW_MS, outcome, note_change);
}

static void publish_update_now(struct fixture *f, struct function *function,
                               const struct function_config *config, struct bytes archive)
{
    struct outcome outcome = {.calls = 0};

    assert_int_equal(function_update(f->functions, function, config, archive, true, NOW_MS + 3,
                                     &outcome, note_change),
                     0);
    expect_done(f, &outcome);
}

static struct function *publish_create_now(struct fixture *f, struct bytes archive)
{
    struct outcome outcome = {.calls = 0};

    assert_int_equal(function_create(f->functions, text("f"), &plain_config, archive, true, NOW_MS,
                                     &outcome, note_change),
                     0);
    expect_done(f, &outcome);
    return outcome.function;
}

static void delete_version_now(struct fixture *f, struct function *function, uint32_t version)
{
    struct outcome outcome = {.calls = 0};

    assert_int_equal(function_delete_version(f->functions, function_version_find(function, version),
                                             &outcome, note_change),
                     0);
    expect_done(f, &outcome);
}

static bool is_never_needed(void *arg, const struct function_revision *revision)
{
    (void)arg;
    (void)revision;
    return false;
}

static int sweep(struct fixture *f)
{
    int count = functions_sweep(f->functions, NULL, is_never_needed);

    fixture_settle(f);
    return count;
}

/* --- publishing ----------------------------------------------------------------------------- */

static void test_a_version_keeps_what_latest_was(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct function_config config = plain_config;

    (void)publish_now(f, function, "first");
    config.timeout_s = 60;
    update_now(f, function, &config, OTHER);
    for (int restart = 0; restart < 2; restart++) {
        const struct function_revision *version = function_version_find(function, 1);

        assert_non_null(version);
        assert_string_equal(version->qualifier, "1");
        assert_string_equal(function->latest->qualifier, "$LATEST");
        assert_int_equal(version->config.timeout_s, 3);
        assert_string_equal(version->config.description, "first");
        assert_int_equal(version->modified_ms, NOW_MS);
        assert_int_equal(version->code_bytes, GOOD.len);
        assert_string_not_equal(version->code, function->latest->code);
        assert_int_equal(function->latest->version, 0);
        assert_int_equal(function->latest->config.timeout_s, 60);
        assert_int_equal(function->last_version, 1);
        assert_ptr_equal(function_revision_find(function, version->number), version);
        function = again(f);
    }
}

static void test_a_version_has_ids_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct id id = function->latest->revision_id;
    const struct function_revision *version = publish_now(f, function, NULL);

    assert_memory_not_equal(&version->revision_id, &id, sizeof id);
    assert_memory_equal(&function->latest->revision_id, &id, sizeof id);
    assert_int_not_equal(version->number, function->latest->number);
}

static void test_nothing_new_is_not_published(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct function_config config = plain_config;
    struct outcome outcome = {.calls = 0};

    (void)publish_now(f, function, "with words of its own");
    for (int restart = 0; restart < 2; restart++) {
        assert_int_equal(publish(f, function, &outcome), FUNCTION_UNCHANGED);
        update_now(f, function, NULL, GOOD); /* the same again */
        assert_int_equal(publish(f, function, &outcome), FUNCTION_UNCHANGED);
        function = again(f);
    }
    config.description = "other words";
    update_now(f, function, &config, NONE);
    assert_int_equal(publish_now(f, function, NULL)->version, 2);
    update_now(f, function, NULL, OTHER);
    assert_int_equal(publish_now(f, function, NULL)->version, 3);
    assert_int_equal(outcome.calls, 0);
}

static void test_a_version_is_seen_when_it_is_durable(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct outcome outcome = {.calls = 0};
    struct outcome busy = {.calls = 0};

    assert_int_equal(publish(f, function, &outcome), 0);
    assert_null(function_version_find(function, 1));
    assert_int_equal(function->last_version, 0);
    assert_int_equal(publish(f, function, &busy), FUNCTION_BUSY);
    fixture_settle(f);
    assert_int_equal(outcome.calls, 1);
    assert_non_null(function_version_find(function, 1));
}

static void test_a_create_or_update_may_publish(void **state)
{
    struct fixture *f = *state;
    struct function *function = publish_create_now(f, GOOD);
    struct function_config config = plain_config;

    assert_int_equal(function->last_version, 1);
    publish_update_now(f, function, NULL, GOOD); /* nothing new */
    assert_int_equal(function->last_version, 1);
    publish_update_now(f, function, NULL, OTHER);
    config.timeout_s = 9;
    publish_update_now(f, function, &config, NONE);
    for (int restart = 0; restart < 2; restart++) {
        assert_int_equal(function->last_version, 3);
        assert_string_not_equal(function_version_find(function, 1)->code,
                                function_version_find(function, 2)->code);
        assert_string_equal(function->latest->code, function_version_find(function, 2)->code);
        assert_int_equal(function_version_find(function, 3)->config.timeout_s, 9);
        assert_string_equal(unpack_now(f, function_version_find(function, 1)), "");
        function = again(f);
        played_forget();
    }
}

static void test_versions_come_in_their_order(void **state)
{
    struct fixture *f = *state;
    struct function *function = publish_create_now(f, GOOD);
    struct function_config config = plain_config;

    for (uint32_t i = 2; i <= 12; i++) {
        config.timeout_s = i;
        publish_update_now(f, function, &config, NONE);
    }
    delete_version_now(f, function, 7);
    for (int restart = 0; restart < 2; restart++) {
        const struct function_revision *version = NULL;
        uint32_t wanted = 1;

        while ((version = function_version_next(function, (version != NULL) ? version->version
                                                                            : 0)) != NULL) {
            assert_int_equal(version->version, wanted);
            wanted += (wanted == 6) ? 2 : 1;
        }
        assert_int_equal(wanted, 13);
        function = again(f);
    }
}

/* The count is set: to publish so many takes too long. */
static void test_a_function_has_so_many_versions(void **state)
{
    struct fixture *f = *state;
    struct function *function = publish_create_now(f, GOOD);
    struct outcome outcome = {.calls = 0};

    publish_update_now(f, function, NULL, OTHER);
    assert_int_equal(function->version_count, 2);
    delete_version_now(f, function, 1);
    assert_int_equal(function->version_count, 1);
    function = again(f);
    assert_int_equal(function->version_count, 1);
    function->version_count = FUNCTION_VERSIONS_MAX;
    assert_int_equal(publish(f, function, &outcome), FUNCTION_UNCHANGED);
    assert_int_equal(
        function_update(f->functions, function, NULL, GOOD, true, NOW_MS, &outcome, note_change),
        FUNCTION_TOO_MANY);
    update_now(f, function, NULL, GOOD);
    assert_int_equal(publish(f, function, &outcome), FUNCTION_TOO_MANY);
    function->version_count--;
    assert_int_equal(publish_now(f, function, NULL)->version, 3);
    assert_int_equal(outcome.calls, 0);
    function->version_count = 2;
}

/* --- deleting ------------------------------------------------------------------------------- */

static void test_a_number_is_never_used_again(void **state)
{
    struct fixture *f = *state;
    struct function *function = publish_create_now(f, GOOD);
    uint32_t number;

    publish_update_now(f, function, NULL, OTHER);
    number = function_version_find(function, 2)->number;
    delete_version_now(f, function, 2);
    assert_int_equal(sweep(f), 2); /* and what was $LATEST first */
    for (int restart = 0; restart < 2; restart++) {
        assert_null(function_version_find(function, 2));
        assert_null(function_revision_find(function, number));
        assert_int_equal(function->last_version, 2);
        function = again(f);
    }
    assert_int_equal(publish_now(f, function, NULL)->version, 3); /* the last one is gone */
    assert_true(function_version_find(function, 3)->number > number);
}

static void test_a_deleted_version_is_kept_for_its_executions(void **state)
{
    struct fixture *f = *state;
    struct function *function = publish_create_now(f, GOOD);
    struct function_revision *version = function_version_find(function, 1);
    uint32_t number = version->number;
    struct outcome outcome = {.calls = 0};

    function_revision_ref(version);
    delete_version_now(f, function, 1);
    assert_true(version->is_deleted);
    assert_int_equal(function_delete_version(f->functions, version, &outcome, note_change),
                     FUNCTION_NOT_FOUND);
    assert_int_equal(sweep(f), 0);
    assert_ptr_equal(function_revision_find(function, number), version);
    function_revision_unref(version);
    function = again(f);
    assert_null(function_version_find(function, 1));
    assert_true(function_revision_find(function, number)->is_deleted);
    assert_int_equal(sweep(f), 1);
    assert_null(function_revision_find(function, number));
    assert_non_null(function->latest);
}

static void test_a_version_keeps_its_code_from_the_sweep(void **state)
{
    struct fixture *f = *state;
    struct function *function = publish_create_now(f, GOOD);

    update_now(f, function, NULL, OTHER);
    assert_int_equal(sweep(f), 1); /* the first $LATEST */
    function = again(f);
    assert_int_equal(sweep(f), 0);
    played_forget();
    assert_string_equal(unpack_now(f, function_version_find(function, 1)), "");
    assert_true(bytes_equal(buf_bytes(&played.last), GOOD));
    delete_version_now(f, function, 1);
    assert_int_equal(sweep(f), 1);
    assert_int_equal(count_objects(f, TENANT_A, "code/"), 1);
    assert_int_equal(count_objects(f, TENANT_A, "revision/"), 1);
}

static void test_a_deleted_function_goes_with_its_versions(void **state)
{
    struct fixture *f = *state;
    struct function *function = publish_create_now(f, GOOD);

    publish_update_now(f, function, NULL, OTHER);
    delete_now(f, function);
    assert_int_equal(sweep(f), 4);
    assert_int_equal(count_objects(f, TENANT_A, ""), 0);
    function = create_now(f, "f", GOOD);
    assert_int_equal(function->last_version, 0);
    assert_int_equal(publish_now(f, function, NULL)->version, 1); /* of another function */
}

/* --- crashes: the journal ends after any of a change's entries ------------------------------ */

static void replay(struct fixture *f, size_t count)
{
    fixture_new_journal(f);
    for (size_t i = 0; i < count; i++) {
        append_object(f, appended[i].kind, buf_bytes(&appended[i].key),
                      buf_bytes(&appended[i].value));
    }
    assert_int_equal(fixture_open_functions(f), 0);
}

static void test_of_an_interrupted_publish_nothing_is_left(void **state)
{
    struct fixture *f = *state;

    record_appends(true);
    (void)publish_now(f, create_now(f, "f", GOOD), NULL);
    record_appends(false);
    assert_int_equal(appended_count, 6);
    for (size_t kept = 4; kept <= 6; kept++) {
        const struct function *function;

        replay(f, kept);
        function = function_find(f->functions, text("f"));
        assert_non_null(function);
        assert_int_equal(function_version_find(function, 1) != NULL, kept == 6);
        assert_int_equal(function->last_version, kept == 6);
        assert_int_equal(count_objects(f, TENANT_A, "revision/"), (kept == 6) ? 2 : 1);
    }
}

/* Not the code without its version, nor the version without $LATEST. */
static void test_an_update_that_publishes_is_one_change(void **state)
{
    struct fixture *f = *state;

    record_appends(true);
    publish_update_now(f, create_now(f, "f", GOOD), NULL, OTHER);
    record_appends(false);
    assert_int_equal(appended_count, 9); /* twice size and chunk, three revisions, function twice */
    for (size_t kept = 4; kept <= 9; kept++) {
        const struct function *function;

        replay(f, kept);
        function = function_find(f->functions, text("f"));
        assert_int_equal(function->latest->code_bytes == OTHER.len, kept == 9);
        assert_int_equal(function->last_version, kept == 9);
        assert_int_equal(count_objects(f, TENANT_A, "revision/"), (kept == 9) ? 3 : 1);
        assert_int_equal(count_objects(f, TENANT_A, "code/"), (kept == 9) ? 2 : 1);
    }
}

static void test_what_was_cut_off_can_be_published_again(void **state)
{
    struct fixture *f = *state;
    struct function *function;

    record_appends(true);
    publish_update_now(f, create_now(f, "f", GOOD), NULL, OTHER);
    record_appends(false);
    replay(f, 8); /* both revisions, and nobody knows them */
    function = function_find(f->functions, text("f"));
    update_now(f, function, NULL, OTHER);
    assert_int_equal(publish_now(f, function, NULL)->version, 1);
    function = again(f);
    assert_string_equal(function_version_find(function, 1)->code, function->latest->code);
    assert_int_equal(function->latest->number, 2);
}

/* --- journals of before ---------------------------------------------------------------------- */

/* As format 1: without what stands behind the number, or at the end. */
static void make_old(struct fixture *f, struct appended *entry)
{
    struct object_key key;
    struct buf plain = {0};
    struct buf sealed = {0};
    size_t skip = 4 + 1 + FUNCTION_DIGEST_BYTES;

    assert_int_equal(
        object_open(f->keys, KEY_CONFIG, buf_bytes(&entry->key), buf_bytes(&entry->value), &plain),
        0);
    if (memmem(entry->key.data, entry->key.len, "/revision/", 10) != NULL) {
        memmove(plain.data + 5, plain.data + 5 + skip, plain.len - 5 - skip);
        plain.len -= skip;
    } else {
        plain.len -= 8;
    }
    plain.data[0] = 1;
    (void)snprintf(key.text, sizeof key.text, "%.*s", (int)entry->key.len,
                   (const char *)entry->key.data);
    assert_int_equal(object_seal_buf(f->keys, KEY_CONFIG, &key, buf_bytes(&plain), &sealed), 0);
    entry->value.len = 0;
    buf_append(&entry->value, sealed.data + 2 + entry->key.len, sealed.len - 2 - entry->key.len);
    buf_fini(&plain);
    buf_fini(&sealed);
}

static void test_functions_of_format_1_are_read_and_published(void **state)
{
    struct fixture *f = *state;
    struct function *function;

    record_appends(true);
    update_now(f, create_now(f, "f", GOOD), NULL, NONE);
    record_appends(false);
    assert_int_equal(appended_count, 6); /* size, chunk, twice revision and function */
    make_old(f, &appended[2]);
    make_old(f, &appended[3]);
    make_old(f, &appended[4]);
    replay(f, 5); /* then, an update did not write the function again */
    function = function_find(f->functions, text("f"));
    assert_int_equal(function->latest->number, 2);
    assert_int_equal(function->last_version, 0);
    assert_int_equal(publish_now(f, function, NULL)->version, 1);
    function = again(f);
    assert_int_equal(function->latest->number, 2);
    assert_int_equal(function_version_find(function, 1)->number, 3);
    assert_non_null(function_revision_find(function, 1));
}

/* A change of now that was cut off on a function of then. */
static void test_a_function_of_format_1_knows_no_new_revision(void **state)
{
    struct fixture *f = *state;
    struct function *function;

    record_appends(true);
    publish_update_now(f, create_now(f, "f", GOOD), NULL, OTHER);
    record_appends(false);
    make_old(f, &appended[2]);
    make_old(f, &appended[3]);
    for (size_t kept = 4; kept <= 9; kept++) {
        replay(f, kept);
        function = function_find(f->functions, text("f"));
        assert_int_equal(function->latest->number, (kept == 9) ? 2 : 1);
        assert_int_equal(function->last_version, kept == 9);
    }
}

/* --- without memory -------------------------------------------------------------------------- */

static void test_publishing_without_memory_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct function *function = create_now(f, "f", GOOD);
    struct outcome outcome = {.calls = 0};
    long allocations = 0;
    int r;

    do {
        fail_after(allocations++);
        r = publish(f, function, &outcome);
        fail_after(-1);
        assert_true(r == 0 || r == ERR_NOMEM);
        assert_int_equal(function->last_version, 0);
    } while (r != 0);
    assert_true(allocations > 3);
    fixture_settle(f);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(again(f)->last_version, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_a_version_keeps_what_latest_was),
        TEST(test_a_version_has_ids_of_its_own),
        TEST(test_nothing_new_is_not_published),
        TEST(test_a_version_is_seen_when_it_is_durable),
        TEST(test_a_create_or_update_may_publish),
        TEST(test_versions_come_in_their_order),
        TEST(test_a_function_has_so_many_versions),
        TEST(test_a_number_is_never_used_again),
        TEST(test_a_deleted_version_is_kept_for_its_executions),
        TEST(test_a_version_keeps_its_code_from_the_sweep),
        TEST(test_a_deleted_function_goes_with_its_versions),
        TEST(test_of_an_interrupted_publish_nothing_is_left),
        TEST(test_an_update_that_publishes_is_one_change),
        TEST(test_what_was_cut_off_can_be_published_again),
        TEST(test_functions_of_format_1_are_read_and_published),
        TEST(test_a_function_of_format_1_knows_no_new_revision),
        TEST(test_publishing_without_memory_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
