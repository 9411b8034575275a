#include "engine/driver/layer.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/base/err.h"
#include "engine/driver/functions.h"
#include "tests/driver/functions_fixture.h"

#define ONE bytes_of_text("PK one")
#define TWO bytes_of_text("PK two")
#define THREE bytes_of_text("PK three")
#define ABOUT bytes_of_text("{\"Description\":\"d\"}")

static struct bytes text(const char *bytes)
{
    return bytes_of_text(bytes);
}

/* --- doing it ----------------------------------------------------------------------------- */

struct published {
    int calls;
    uint32_t version;
    char arn[160];
    char error[256];
};

static void note_published(void *arg, const struct layer_version *version, const char *error)
{
    struct published *published = arg;

    published->calls++;
    assert_true((version == NULL) == (error != NULL));
    if (version != NULL) {
        published->version = version->version;
        (void)snprintf(published->arn, sizeof published->arn, "%s", version->arn);
    }
    (void)snprintf(published->error, sizeof published->error, "%s", (error != NULL) ? error : "");
}

static uint32_t publish_now(struct fixture *f, const char *name, struct bytes archive)
{
    struct published published = {.calls = 0};

    assert_int_equal(
        layer_publish(f->functions, text(name), ABOUT, archive, NOW_MS, &published, note_published),
        0);
    assert_int_equal(published.calls, 0);
    fixture_settle(f);
    assert_int_equal(published.calls, 1);
    assert_string_equal(published.error, "");
    return published.version;
}

static bool is_there(struct fixture *f, const char *name, uint32_t version)
{
    const struct layer *layer = layer_find(f->functions, text(name));

    return layer != NULL && layer_version_find(layer, version) != NULL;
}

static struct layer_version *find(struct fixture *f, const char *name, uint32_t version)
{
    static struct layer none_layer = {.name = "none", .arn = "none"};
    static struct layer_version none = {.layer = &none_layer, .arn = "none"};
    const struct layer *layer = layer_find(f->functions, text(name));
    struct layer_version *found = (layer != NULL) ? layer_version_find(layer, version) : NULL;

    assert_non_null(found);
    return (found != NULL) ? found : &none;
}

static void note_status(void *arg, int status)
{
    int *statuses = arg;

    statuses[0]++;
    statuses[1] = status;
}

static void delete_layer_now(struct fixture *f, const char *name, uint32_t version)
{
    int statuses[2] = {0};

    assert_int_equal(
        layer_version_delete(f->functions, find(f, name, version), statuses, note_status), 0);
    assert_true(is_there(f, name, version)); /* it is not durable yet */
    fixture_settle(f);
    assert_int_equal(statuses[0], 1);
    assert_int_equal(statuses[1], 0);
    assert_false(is_there(f, name, version));
}

static void set_policy_now(struct fixture *f, struct layer_version *version, struct bytes policy)
{
    int statuses[2] = {0};

    assert_int_equal(layer_version_set_policy(f->functions, version, policy, statuses, note_status),
                     0);
    fixture_settle(f);
    assert_int_equal(statuses[0], 1);
    assert_int_equal(statuses[1], 0);
}

/* A configuration with these versions of layers, in this order. */
struct layered {
    struct function_config config;
    struct function_layer layers[FUNCTION_LAYERS_MAX];
};

static void add_layer(struct layered *layered, const struct layer_version *version)
{
    if (layered->config.layer_count == 0) {
        layered->config = plain_config;
    }
    layered->config.layers = layered->layers;
    layered->layers[layered->config.layer_count++] =
        (struct function_layer){version->arn, version->code, version->code_bytes};
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

/* --- versions ----------------------------------------------------------------------------- */

static void check_two_layers(struct fixture *f)
{
    const struct layer_version *version = find(f, "tools", 2);

    assert_string_equal(version->arn, "arn:aws:lambda:us-east-1:111111111111:layer:tools:2");
    assert_string_equal(version->layer->arn, "arn:aws:lambda:us-east-1:111111111111:layer:tools");
    assert_int_equal(version->created_ms, NOW_MS);
    assert_int_equal(version->code_bytes, TWO.len);
    assert_true(bytes_equal(version->about, ABOUT));
    assert_null(version->policy.data);
    assert_ptr_equal(layer_version_before(version->layer, 0), version);
    assert_int_equal(layer_version_before(version->layer, 2)->version, 1);
    assert_null(layer_version_before(version->layer, 1));
    assert_string_equal(layer_next(f->functions, text(""))->name, "base");
    assert_string_equal(layer_next(f->functions, text("base"))->name, "tools");
    assert_null(layer_next(f->functions, text("tools")));
    assert_null(layer_find(f->functions, text("tool")));
}

static void test_versions_are_numbered_and_found_again(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(publish_now(f, "tools", ONE), 1);
    assert_int_equal(publish_now(f, "tools", TWO), 2);
    assert_int_equal(publish_now(f, "base", ONE), 1);
    check_two_layers(f);
    fixture_restart(f);
    check_two_layers(f);
}

static void test_an_archive_is_stored_once(void **state)
{
    struct fixture *f = *state;

    (void)publish_now(f, "tools", ONE);
    (void)publish_now(f, "tools", ONE);
    (void)publish_now(f, "base", ONE);
    (void)create_now(f, "f", ONE);
    assert_int_equal(count_objects(f, TENANT_A, "archive/"), 1);
    assert_int_equal(count_objects(f, TENANT_A, "layer-version/"), 3);
    assert_int_equal(functions_code_bytes(f->functions), ONE.len);
}

static void test_a_number_is_never_used_again(void **state)
{
    struct fixture *f = *state;

    (void)publish_now(f, "tools", ONE);
    (void)publish_now(f, "tools", TWO);
    delete_layer_now(f, "tools", 2);
    fixture_restart(f);
    assert_int_equal(publish_now(f, "tools", TWO), 3);
    delete_layer_now(f, "tools", 1);
    delete_layer_now(f, "tools", 3);
    assert_null(layer_find(f->functions, text("tools")));
    assert_null(layer_next(f->functions, text("")));
    fixture_restart(f);
    assert_null(layer_find(f->functions, text("tools")));
    assert_int_equal(publish_now(f, "tools", TWO), 4);
}

static void test_deleting_removes_the_archive_that_nobody_has(void **state)
{
    struct fixture *f = *state;

    (void)publish_now(f, "tools", ONE);
    (void)publish_now(f, "base", ONE);
    delete_layer_now(f, "tools", 1);
    assert_int_equal(count_objects(f, TENANT_A, "archive/"), 1);
    delete_layer_now(f, "base", 1);
    assert_int_equal(count_objects(f, TENANT_A, "archive/"), 0);
    assert_int_equal(count_objects(f, TENANT_A, "code/"), 0);
    assert_int_equal(count_objects(f, TENANT_A, "layer/"), 2); /* they know their numbers */
}

static void test_a_bad_archive_is_refused_and_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct published published = {.calls = 0};

    assert_int_equal(layer_publish(f->functions, text("tools"), ABOUT, text("BAD"), NOW_MS,
                                   &published, note_published),
                     0);
    fixture_settle(f);
    assert_int_equal(published.calls, 1);
    assert_string_equal(published.error, "the archive is not a zip");
    assert_null(layer_find(f->functions, text("tools")));
    assert_int_equal(count_objects(f, TENANT_A, ""), 0);
    assert_int_equal(publish_now(f, "tools", ONE), 1);
}

static void test_refusals_are_immediate(void **state)
{
    struct fixture *f = *state;
    static char much[LAYER_ABOUT_BYTES_MAX + 1];
    struct published published = {.calls = 0};
    int statuses[2] = {0};
    struct bytes large = {.data = (const uint8_t *)much, .len = FUNCTION_ARCHIVE_BYTES_MAX + 1};
    struct functions *functions = f->functions;

    assert_int_equal(layer_publish(functions, text("a"), bytes_of(much, sizeof much), ONE, NOW_MS,
                                   &published, note_published),
                     FUNCTION_TOO_LARGE);
    assert_int_equal(
        layer_publish(functions, text("a"), ABOUT, large, NOW_MS, &published, note_published),
        FUNCTION_TOO_LARGE);
    assert_int_equal(
        layer_publish(functions, text("a b"), ABOUT, ONE, NOW_MS, &published, note_published),
        ERR_INVALID);
    assert_int_equal(
        layer_publish(functions, text("a"), ABOUT, ONE, NOW_MS, &published, note_published), 0);
    assert_int_equal(
        layer_publish(functions, text("a"), ABOUT, ONE, NOW_MS, &published, note_published),
        FUNCTION_BUSY);
    fixture_settle(f);
    assert_int_equal(published.calls, 1);
    journal_says_full = true;
    assert_int_equal(
        layer_publish(functions, text("a"), ABOUT, ONE, NOW_MS, &published, note_published),
        FUNCTION_FULL);
    assert_int_equal(
        layer_version_set_policy(functions, find(f, "a", 1), text("{}"), statuses, note_status),
        FUNCTION_FULL);
    assert_int_equal(layer_version_delete(functions, find(f, "a", 1), statuses, note_status), 0);
    journal_says_full = false;
    assert_int_equal(
        layer_version_set_policy(functions, find(f, "a", 1), text("{}"), statuses, note_status),
        FUNCTION_BUSY);
    fixture_settle(f);
    assert_int_equal(statuses[0], 1);
}

static void test_a_policy_is_kept_and_goes_with_its_version(void **state)
{
    struct fixture *f = *state;

    (void)publish_now(f, "tools", ONE);
    set_policy_now(f, find(f, "tools", 1), text("{\"a\":1}"));
    fixture_restart(f);
    assert_true(bytes_equal(find(f, "tools", 1)->policy, text("{\"a\":1}")));
    assert_true(bytes_equal(find(f, "tools", 1)->about, ABOUT));
    set_policy_now(f, find(f, "tools", 1), (struct bytes){0});
    assert_null(find(f, "tools", 1)->policy.data);
    fixture_restart(f);
    assert_null(find(f, "tools", 1)->policy.data);
    assert_int_equal(count_objects(f, TENANT_A, "archive/"), 1);
}

/* --- after a crash ------------------------------------------------------------------------ */

static void replay(struct fixture *f, size_t kept)
{
    fixture_new_journal(f);
    for (size_t i = 0; i < kept; i++) {
        append_object(f, appended[i].kind, buf_bytes(&appended[i].key),
                      buf_bytes(&appended[i].value));
    }
    assert_int_equal(fixture_open_functions(f), 0);
    fixture_settle(f);
}

static void test_a_version_is_there_or_it_is_not(void **state)
{
    struct fixture *f = *state;

    record_appends(true);
    (void)publish_now(f, "tools", ONE);
    (void)publish_now(f, "tools", TWO);
    record_appends(false);
    assert_int_equal(appended_count, 8); /* twice size, chunk, version, layer */
    for (size_t kept = 0; kept <= 8; kept++) {
        int versions = (kept >= 8) + (kept >= 4);

        replay(f, kept);
        assert_int_equal(count_objects(f, TENANT_A, "layer-version/"), versions);
        assert_int_equal(count_objects(f, TENANT_A, "archive/"), versions);
        assert_int_equal(count_objects(f, TENANT_A, "code/"), versions);
        assert_int_equal(publish_now(f, "tools", THREE), versions + 1);
    }
}

static void test_what_a_crash_left_of_a_deletion_goes_at_the_next_start(void **state)
{
    struct fixture *f = *state;

    record_appends(true);
    (void)publish_now(f, "tools", ONE);
    delete_layer_now(f, "tools", 1);
    record_appends(false);
    assert_int_equal(appended_count, 7); /* four, the version, then chunk and size */
    for (size_t kept = 5; kept <= 7; kept++) {
        replay(f, kept);
        assert_int_equal(count_objects(f, TENANT_A, "archive/"), 0);
        assert_int_equal(count_objects(f, TENANT_A, "code/"), 0);
        assert_int_equal(publish_now(f, "tools", ONE), 2);
    }
}

/* --- functions that have them ------------------------------------------------------------- */

static struct function *make_layered(struct fixture *f)
{
    struct layered layered = {.config.layer_count = 0};
    struct function *function = create_now(f, "f", THREE);

    (void)publish_now(f, "one", ONE);
    (void)publish_now(f, "two", TWO);
    add_layer(&layered, find(f, "two", 1));
    add_layer(&layered, find(f, "one", 1));
    update_now(f, function, &layered.config, bytes_of(NULL, 0));
    return function;
}

static void test_a_function_keeps_its_layers_when_they_are_deleted(void **state)
{
    struct fixture *f = *state;
    const struct function_config *config;
    const struct function *function = make_layered(f);

    delete_layer_now(f, "one", 1);
    delete_layer_now(f, "two", 1);
    assert_int_equal(sweep(f), 1); /* the revision without layers */
    for (int i = 0; i < 2; i++) {
        function = function_find(f->functions, text("f"));
        config = &function->latest->config;
        assert_int_equal(config->layer_count, 2);
        assert_string_equal(config->layers[0].arn,
                            "arn:aws:lambda:us-east-1:111111111111:layer:two:1");
        assert_int_equal(config->layers[1].code_bytes, ONE.len);
        assert_non_null(function->latest->layers);
        assert_int_equal(count_objects(f, TENANT_A, "archive/"), 3);
        fixture_restart(f);
    }
}

static void test_layers_come_in_their_order_as_one(void **state)
{
    struct fixture *f = *state;
    struct function *function = make_layered(f);
    char name[65];

    played_forget();
    played.unpacked = 0;
    assert_string_equal(unpack_now(f, function->latest), "");
    assert_int_equal(played.unpacked, 2);
    assert_int_equal(played.last_count, 2);
    assert_true(bytes_equal(buf_bytes(&played.last), text("PK twoPK one")));
    (void)snprintf(name, sizeof name, "%s", function->latest->layers);
    assert_string_equal(name, played.codes[1]);
    fixture_restart(f);
    function = function_find(f->functions, text("f"));
    assert_string_equal(function->latest->layers, name);
    played.unpacked = 0;
    assert_string_equal(unpack_now(f, function->latest), "");
    assert_int_equal(played.unpacked, 0); /* it was there */
}

static void test_one_layer_is_its_archive(void **state)
{
    struct fixture *f = *state;
    struct layered layered = {.config.layer_count = 0};
    struct function *function = create_now(f, "f", ONE);

    (void)publish_now(f, "same", ONE);
    add_layer(&layered, find(f, "same", 1));
    update_now(f, function, &layered.config, bytes_of(NULL, 0));
    assert_string_equal(function->latest->layers, function->latest->code);
    played_forget();
    assert_string_equal(unpack_now(f, function->latest), "");
    assert_int_equal(played.last_count, 1);
}

/* The launcher lets go of one while it unpacks the other, as often as the test says. */
static int losses;

static void lose(struct fixture *f, struct outcome *outcome)
{
    while (outcome->calls == 0) {
        bool was_asked = played_has_work();

        played_answer();
        if (was_asked && losses > 0) {
            played_forget();
            losses--;
        }
        fixture_turn(f);
    }
}

static void test_code_and_layers_are_both_there_at_the_end(void **state)
{
    struct fixture *f = *state;
    struct function *function = make_layered(f);

    for (int lost = 0; lost < 24; lost++) {
        struct outcome outcome = {.calls = 0};

        played_forget();
        losses = lost;
        assert_int_equal(function_unpack(f->functions, function->latest, &outcome, note_ready), 0);
        lose(f, &outcome);
        fixture_settle(f);
        if (outcome.error[0] == '\0') {
            assert_int_equal(played.code_count, 2);
        } else {
            assert_non_null(strstr(outcome.error, "the code cache is full"));
            assert_true(lost > 4);
        }
        assert_true(lost != 23 || outcome.error[0] != '\0');
    }
}

static void test_the_sweep_takes_layers_that_nobody_has(void **state)
{
    struct fixture *f = *state;
    struct function *function = make_layered(f);

    delete_layer_now(f, "one", 1);
    update_now(f, function, &plain_config, bytes_of(NULL, 0));
    assert_null(function->latest->layers);
    assert_int_equal(count_objects(f, TENANT_A, "archive/"), 3);
    assert_int_equal(sweep(f), 2);
    assert_int_equal(count_objects(f, TENANT_A, "archive/"), 2);
    assert_true(is_there(f, "two", 1));
    fixture_restart(f);
    assert_int_equal(count_objects(f, TENANT_A, "archive/"), 2);
}

static void test_code_and_layers_are_not_too_large_together(void **state)
{
    struct fixture *f = *state;
    struct layered layered = {.config.layer_count = 0};
    struct outcome outcome = {.calls = 0};
    struct function *function;

    played.grows_to = 100U << 20;
    (void)publish_now(f, "one", ONE);
    (void)publish_now(f, "two", TWO);
    function = create_now(f, "f", THREE);
    add_layer(&layered, find(f, "one", 1));
    update_now(f, function, &layered.config, bytes_of(NULL, 0));
    fixture_restart(f); /* which knows them still */
    function = function_find(f->functions, text("f"));
    layered.config.layer_count = 0;
    add_layer(&layered, find(f, "one", 1));
    add_layer(&layered, find(f, "two", 1));
    assert_int_equal(function_update(f->functions, function, &layered.config, bytes_of(NULL, 0),
                                     false, NOW_MS, &outcome, note_change),
                     FUNCTION_LAYERS_TOO_LARGE);
    played.grows_to = 50U << 20;
    update_now(f, function, &layered.config, text("PK smaller"));
    played.grows_to = (50U << 20) + 1;
    assert_int_equal(function_update(f->functions, function, NULL, text("PK larger"), false, NOW_MS,
                                     &outcome, note_change),
                     0);
    fixture_settle(f);
    assert_string_equal(outcome.error,
                        "Function code combined with layers exceeds the maximum allowed size of "
                        "262144000 bytes. The actual size is 262144001 bytes.");
    assert_int_equal(count_objects(f, TENANT_A, "archive/"), 4); /* not "larger" */
}

static void test_a_version_is_another_one_when_its_layers_are(void **state)
{
    struct fixture *f = *state;
    struct layered layered = {.config.layer_count = 0};
    struct outcome outcome = {.calls = 0};
    struct function *function = make_layered(f);

    assert_int_equal(function_publish(f->functions, function, NULL, NOW_MS, &outcome, note_change),
                     0);
    fixture_settle(f);
    assert_int_equal(function_publish(f->functions, function, NULL, NOW_MS, &outcome, note_change),
                     FUNCTION_UNCHANGED);
    add_layer(&layered, find(f, "one", 1)); /* the same ones, the other way round */
    add_layer(&layered, find(f, "two", 1));
    update_now(f, function, &layered.config, bytes_of(NULL, 0));
    assert_int_equal(function_publish(f->functions, function, NULL, NOW_MS, &outcome, note_change),
                     0);
    fixture_settle(f);
    assert_int_equal(function_version_find(function, 1)->config.layer_count, 2);
    assert_string_not_equal(function_version_find(function, 1)->layers,
                            function_version_find(function, 2)->layers);
}

/* --- without memory, and at the end ------------------------------------------------------- */

static void test_without_memory_nothing_is_published(void **state)
{
    struct fixture *f = *state;
    struct published published = {.calls = 0};
    long n = 0;
    int r;

    do {
        fail_after(n++);
        r = layer_publish(f->functions, text("tools"), ABOUT, ONE, NOW_MS, &published,
                          note_published);
        fail_after(-1);
        assert_true(r == 0 || r == ERR_NOMEM);
        assert_null(layer_find(f->functions, text("tools")));
    } while (r != 0);
    assert_true(n > 10);
    fixture_settle(f);
    assert_int_equal(published.calls, 1);
    assert_int_equal(published.version, 1);
    assert_int_equal(count_objects(f, TENANT_A, ""), 4);
}

static void test_without_memory_nothing_is_changed(void **state)
{
    struct fixture *f = *state;
    int statuses[2] = {0};
    long n = 0;
    int r;

    (void)publish_now(f, "tools", ONE);
    do {
        fail_after(n++);
        r = layer_version_set_policy(f->functions, find(f, "tools", 1), text("{}"), statuses,
                                     note_status);
        fail_after(-1);
        assert_true(r == 0 || r == ERR_NOMEM);
    } while (r != 0);
    fixture_settle(f);
    assert_int_equal(find(f, "tools", 1)->policy.len, 2);
    n = 0;
    do {
        fail_after(n++);
        r = layer_version_delete(f->functions, find(f, "tools", 1), statuses, note_status);
        fail_after(-1);
        assert_true(r == 0 || r == ERR_NOMEM);
    } while (r != 0);
    fixture_settle(f);
    assert_int_equal(statuses[0], 2);
    assert_false(is_there(f, "tools", 1));
}

static void test_closing_calls_back_who_waits(void **state)
{
    struct fixture *f = *state;
    struct published published = {.calls = 0};
    int statuses[2] = {0};

    (void)publish_now(f, "tools", ONE);
    assert_int_equal(
        layer_publish(f->functions, text("other"), ABOUT, TWO, NOW_MS, &published, note_published),
        0);
    assert_int_equal(layer_version_delete(f->functions, find(f, "tools", 1), statuses, note_status),
                     0);
    functions_close(f->functions);
    f->functions = NULL;
    assert_int_equal(published.calls, 1);
    assert_string_equal(published.error, "the daemon is ending");
    assert_int_equal(statuses[0], 1);
    assert_int_equal(statuses[1], ERR_CANCELED);
    fixture_settle(f);
    assert_int_equal(fixture_open_functions(f), 0);
    assert_null(layer_find(f->functions, text("other")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_versions_are_numbered_and_found_again),
        TEST(test_an_archive_is_stored_once),
        TEST(test_a_number_is_never_used_again),
        TEST(test_deleting_removes_the_archive_that_nobody_has),
        TEST(test_a_bad_archive_is_refused_and_leaves_nothing),
        TEST(test_refusals_are_immediate),
        TEST(test_a_policy_is_kept_and_goes_with_its_version),
        TEST(test_a_version_is_there_or_it_is_not),
        TEST(test_what_a_crash_left_of_a_deletion_goes_at_the_next_start),
        TEST(test_a_function_keeps_its_layers_when_they_are_deleted),
        TEST(test_layers_come_in_their_order_as_one),
        TEST(test_one_layer_is_its_archive),
        TEST(test_code_and_layers_are_both_there_at_the_end),
        TEST(test_the_sweep_takes_layers_that_nobody_has),
        TEST(test_code_and_layers_are_not_too_large_together),
        TEST(test_a_version_is_another_one_when_its_layers_are),
        TEST(test_without_memory_nothing_is_published),
        TEST(test_without_memory_nothing_is_changed),
        TEST(test_closing_calls_back_who_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
