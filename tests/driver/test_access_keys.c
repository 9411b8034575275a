/* Access keys: durable before they are told, sealed, and the same after a restart. The
 * verifier is played: it notes what it was given. */
#include "tests/driver/functions_fixture.h"

#include <stdio.h>

#include "engine/base/err.h"
#include "engine/driver/access_keys.h"

#define KEYS_MAX 16

static struct {
    struct {
        struct access_key_pair pair;
        uint64_t tenant;
        bool is_enabled;
    } keys[KEYS_MAX];
    size_t count;
    bool is_broken;
} verifier;

static struct {
    int calls;
    char id[ACCESS_KEY_ID_LEN + 1];
    char secret[ACCESS_KEY_SECRET_LEN + 1];
    bool is_enabled;
} told;

static struct access_keys *keys;

/* --- the verifier ----------------------------------------------------------------------- */

int __wrap_verifier_add_key(struct verifier *unused, const struct access_key_pair *pair,
                            uint64_t tenant, bool is_enabled);
void __wrap_verifier_enable_key(struct verifier *unused, struct bytes id, bool is_enabled);
void __wrap_verifier_remove_key(struct verifier *unused, struct bytes id);

static size_t find(struct bytes id)
{
    for (size_t i = 0; i < verifier.count; i++) {
        if (bytes_equal(bytes_of_text(verifier.keys[i].pair.id), id)) {
            return i;
        }
    }
    return KEYS_MAX;
}

int __wrap_verifier_add_key(struct verifier *unused, const struct access_key_pair *pair,
                            uint64_t tenant, bool is_enabled)
{
    (void)unused;
    if (verifier.is_broken) {
        return ERR_NOMEM;
    }
    assert_true(verifier.count < KEYS_MAX);
    assert_int_equal(find(bytes_of_text(pair->id)), KEYS_MAX);
    verifier.keys[verifier.count].pair = *pair;
    verifier.keys[verifier.count].tenant = tenant;
    verifier.keys[verifier.count++].is_enabled = is_enabled;
    return 0;
}

void __wrap_verifier_enable_key(struct verifier *unused, struct bytes id, bool is_enabled)
{
    (void)unused;
    assert_true(find(id) < KEYS_MAX);
    verifier.keys[find(id)].is_enabled = is_enabled;
}

void __wrap_verifier_remove_key(struct verifier *unused, struct bytes id)
{
    size_t at = find(id);

    (void)unused;
    assert_true(at < KEYS_MAX);
    verifier.keys[at] = verifier.keys[--verifier.count];
}

/* --- doing it ----------------------------------------------------------------------------- */

static void note(void *arg, const struct access_key_info *info)
{
    (void)arg;
    told.calls++;
    told.is_enabled = info->is_enabled;
    (void)snprintf(told.id, sizeof told.id, "%s", info->id);
    (void)snprintf(told.secret, sizeof told.secret, "%s",
                   (info->secret != NULL) ? info->secret : "");
}

static int open_keys(struct fixture *f)
{
    memset(&verifier, 0, sizeof verifier);
    memset(&told, 0, sizeof told);
    return access_keys_open(&keys, f->journal, f->keys, TENANT_A, NULL);
}

static void restart(struct fixture *f)
{
    access_keys_close(keys);
    keys = NULL;
    fixture_restart(f);
    assert_int_equal(open_keys(f), 0);
}

static int set_up(void **state)
{
    int r = fixture_set_up(state);

    assert_int_equal(open_keys(*state), 0);
    return r;
}

static int tear_down(void **state)
{
    access_keys_close(keys);
    keys = NULL;
    return fixture_tear_down(state);
}

static struct bytes add(struct fixture *f, const char *description, int64_t now_ms)
{
    int calls = told.calls;

    assert_int_equal(access_key_add(keys, bytes_of_text(description), now_ms, NULL, note), 0);
    fixture_settle(f);
    assert_int_equal(told.calls, calls + 1);
    return bytes_of_text(told.id);
}

static void list(void *arg, const struct access_key_info *info)
{
    char *text = arg;
    size_t len = strlen(text);

    assert_null(info->secret);
    (void)snprintf(text + len, 256 - len, "%s:%d:%lld ", info->description, info->is_enabled,
                   (long long)(info->created_ms - NOW_MS));
}

static void expect_list(const char *expected)
{
    char text[256] = "";

    access_keys_walk(keys, list, text);
    assert_string_equal(text, expected);
}

/* --- the tests ------------------------------------------------------------------------------ */

static void test_a_key_counts_once_it_is_durable(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(access_key_add(keys, bytes_of_text("d"), NOW_MS, NULL, note), 0);
    assert_int_equal(told.calls, 0);
    assert_int_equal(verifier.count, 1);
    assert_false(verifier.keys[0].is_enabled); /* it opens nothing yet */
    expect_list("");
    fixture_settle(f);
    assert_int_equal(told.calls, 1);
    assert_true(told.is_enabled);
    assert_true(verifier.keys[0].is_enabled);
    assert_int_equal(verifier.keys[0].tenant, TENANT_A);
    assert_string_equal(verifier.keys[0].pair.id, told.id);
    assert_string_equal(verifier.keys[0].pair.secret, told.secret);
    assert_true(access_key_is_id(bytes_of_text(told.id)));
    assert_true(access_key_is_secret(bytes_of_text(told.secret)));
    expect_list("d:1:0 ");
}

static void test_keys_are_the_same_after_a_restart_in_the_order_they_were_made(void **state)
{
    struct fixture *f = *state;
    struct access_key_pair pair;

    (void)add(f, "one", NOW_MS + 1);
    memcpy(pair.id, told.id, sizeof pair.id);
    memcpy(pair.secret, told.secret, sizeof pair.secret);
    for (int i = 2; i < 9; i++) {
        (void)add(f, "n", NOW_MS + i);
    }
    restart(f);
    assert_int_equal(verifier.count, 8);
    expect_list("one:1:1 n:1:2 n:1:3 n:1:4 n:1:5 n:1:6 n:1:7 n:1:8 ");
    assert_true(find(bytes_of_text(pair.id)) < KEYS_MAX);
    assert_string_equal(verifier.keys[find(bytes_of_text(pair.id))].pair.secret, pair.secret);
}

static void test_a_state_changes_when_it_is_durable_and_stays(void **state)
{
    struct fixture *f = *state;
    char id[ACCESS_KEY_ID_LEN + 1];
    char secret[ACCESS_KEY_SECRET_LEN + 1];

    (void)add(f, "d", NOW_MS);
    memcpy(id, told.id, sizeof id);
    memcpy(secret, told.secret, sizeof secret);
    for (int i = 0; i < 2; i++) {
        bool is_enabled = i == 1;

        assert_int_equal(access_key_enable(keys, bytes_of_text(id), is_enabled, NULL, note), 0);
        assert_int_equal(verifier.keys[0].is_enabled, !is_enabled);
        assert_int_equal(access_key_enable(keys, bytes_of_text(id), is_enabled, NULL, note),
                         ACCESS_KEY_BUSY);
        assert_int_equal(access_key_remove(keys, bytes_of_text(id), NULL, note), ACCESS_KEY_BUSY);
        fixture_settle(f);
        assert_string_equal(told.secret, "");
        assert_int_equal(told.is_enabled, is_enabled);
        assert_int_equal(verifier.keys[0].is_enabled, is_enabled);
        restart(f);
        assert_int_equal(verifier.keys[0].is_enabled, is_enabled);
        assert_string_equal(verifier.keys[0].pair.secret, secret);
    }
}

static void test_what_is_so_already_needs_no_entry(void **state)
{
    struct fixture *f = *state;
    struct bytes id = add(f, "d", NOW_MS);
    uint64_t lsn = journal_last_lsn(f->journal);
    char text[ACCESS_KEY_ID_LEN + 1];

    memcpy(text, id.data, sizeof text);
    assert_int_equal(access_key_enable(keys, bytes_of_text(text), true, NULL, note), 0);
    assert_int_equal(told.calls, 2);
    assert_int_equal(journal_last_lsn(f->journal), lsn);
}

static void test_a_removed_key_is_gone(void **state)
{
    struct fixture *f = *state;
    char id[ACCESS_KEY_ID_LEN + 1];

    (void)add(f, "d", NOW_MS);
    memcpy(id, told.id, sizeof id);
    (void)add(f, "e", NOW_MS);
    assert_int_equal(access_key_remove(keys, bytes_of_text(id), NULL, note), 0);
    assert_int_equal(verifier.count, 2);
    fixture_settle(f);
    assert_int_equal(verifier.count, 1);
    assert_string_equal(told.id, id);
    assert_int_equal(access_key_remove(keys, bytes_of_text(id), NULL, note), ACCESS_KEY_NOT_FOUND);
    assert_int_equal(access_key_enable(keys, bytes_of_text(id), true, NULL, note),
                     ACCESS_KEY_NOT_FOUND);
    restart(f);
    expect_list("e:1:0 ");
    assert_int_equal(count_objects(f, TENANT_A, "access-key/"), 1);
}

static void test_the_disk_does_not_show_a_secret(void **state)
{
    struct fixture *f = *state;

    record_appends(true);
    (void)add(f, "the words of a description", NOW_MS);
    assert_int_equal(appended_count, 1);
    assert_null(memmem(appended[0].value.data, appended[0].value.len, told.secret, 10));
    assert_null(memmem(appended[0].value.data, appended[0].value.len, "description", 11));
    record_appends(false);
}

static void test_a_changed_object_is_refused(void **state)
{
    struct fixture *f = *state;
    struct buf value = {0};

    record_appends(true);
    (void)add(f, "d", NOW_MS);
    buf_append(&value, appended[0].value.data, appended[0].value.len);
    value.data[value.len - 20] ^= 1;
    append_object(f, JOURNAL_PUT, buf_bytes(&appended[0].key), buf_bytes(&value));
    record_appends(false);
    buf_fini(&value);
    access_keys_close(keys);
    keys = NULL;
    assert_int_equal(open_keys(f), ERR_CORRUPT);
}

static void test_a_full_journal_takes_no_new_key_but_lets_one_go(void **state)
{
    struct fixture *f = *state;
    char id[ACCESS_KEY_ID_LEN + 1];

    (void)add(f, "d", NOW_MS);
    memcpy(id, told.id, sizeof id);
    journal_says_full = true;
    assert_int_equal(access_key_add(keys, bytes_of_text("e"), NOW_MS, NULL, note), ACCESS_KEY_FULL);
    assert_int_equal(access_key_enable(keys, bytes_of_text(id), false, NULL, note), 0);
    fixture_settle(f);
    assert_int_equal(access_key_remove(keys, bytes_of_text(id), NULL, note), 0);
    fixture_settle(f);
    journal_says_full = false;
    expect_list("");
}

static void test_a_failure_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    uint64_t lsn = journal_last_lsn(f->journal);
    long n = 0;
    int r;

    verifier.is_broken = true;
    assert_int_equal(access_key_add(keys, bytes_of_text("d"), NOW_MS, NULL, note), ERR_NOMEM);
    verifier.is_broken = false;
    do {
        fail_after(n++);
        r = access_key_add(keys, bytes_of_text("d"), NOW_MS, NULL, note);
        fail_after(-1);
        assert_true(r == 0 || r == ERR_NOMEM);
        assert_int_equal(journal_last_lsn(f->journal), lsn + ((r == 0) ? 1 : 0));
    } while (r != 0);
    fixture_settle(f);
    expect_list("d:1:0 ");
}

static void test_what_is_under_way_when_it_is_closed_is_called_back(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(access_key_add(keys, bytes_of_text("d"), NOW_MS, NULL, note), 0);
    access_keys_close(keys);
    keys = NULL;
    fixture_settle(f);
    assert_int_equal(told.calls, 1);
    assert_int_equal(open_keys(f), 0);
    assert_int_equal(verifier.count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_a_key_counts_once_it_is_durable),
        TEST(test_keys_are_the_same_after_a_restart_in_the_order_they_were_made),
        TEST(test_a_state_changes_when_it_is_durable_and_stays),
        TEST(test_what_is_so_already_needs_no_entry),
        TEST(test_a_removed_key_is_gone),
        TEST(test_the_disk_does_not_show_a_secret),
        TEST(test_a_changed_object_is_refused),
        TEST(test_a_full_journal_takes_no_new_key_but_lets_one_go),
        TEST(test_a_failure_leaves_nothing),
        TEST(test_what_is_under_way_when_it_is_closed_is_called_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
