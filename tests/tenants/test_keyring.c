#include "tests/tenants/fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/err.h"

static int try_open(struct fixture *fixture)
{
    struct keyring *keyring = NULL;
    int r = keyring_open(&keyring, fixture->dir, NULL);

    keyring_close(keyring);
    return r;
}

static mode_t mode_of(struct fixture *fixture, const char *name)
{
    struct stat info;

    assert_int_equal(stat(fixture_path(fixture, name), &info), 0);
    return info.st_mode & 0777U;
}

static bool is_there(struct fixture *fixture, const char *name)
{
    return access(fixture_path(fixture, name), F_OK) == 0;
}

static void test_first_start_makes_both_files_for_the_owner_alone(void **state)
{
    struct fixture *fixture = *state;

    (void)umask(0);
    assert_int_equal(try_open(fixture), 0);
    assert_int_equal(mode_of(fixture, "root.key"), 0400);
    assert_int_equal(mode_of(fixture, "keyring"), 0600);
    assert_false(is_there(fixture, "root.key.new"));
    assert_false(is_there(fixture, "keyring.new"));
}

static void test_second_start_reads_the_same_keys(void **state)
{
    struct fixture *fixture = *state;
    uint8_t first[SECRET_KEY_BYTES];

    fixture_open(fixture);
    assert_int_equal(keyring_epoch(fixture->keyring), 1);
    memcpy(first, keyring_find(fixture->keyring, 1), sizeof first);
    keyring_close(fixture->keyring);
    fixture_open(fixture);
    assert_memory_equal(keyring_find(fixture->keyring, 1), first, sizeof first);
}

static void test_two_directories_have_different_keys(void **state)
{
    struct fixture *fixture = *state;
    uint8_t first[SECRET_KEY_BYTES];

    fixture_open(fixture);
    memcpy(first, keyring_find(fixture->keyring, 1), sizeof first);
    keyring_close(fixture->keyring);
    (void)unlink(fixture_path(fixture, "root.key"));
    (void)unlink(fixture_path(fixture, "keyring"));
    fixture_open(fixture);
    assert_memory_not_equal(keyring_find(fixture->keyring, 1), first, sizeof first);
}

static void test_root_key_may_be_elsewhere(void **state)
{
    struct fixture *fixture = *state;
    char elsewhere[128];

    (void)snprintf(elsewhere, sizeof elsewhere, "%s", fixture_path(fixture, "elsewhere"));
    assert_int_equal(keyring_open(&fixture->keyring, fixture->dir, elsewhere), 0);
    assert_int_equal(mode_of(fixture, "elsewhere"), 0400);
    assert_false(is_there(fixture, "root.key"));
}

static void test_keyring_without_root_key_is_refused(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(try_open(fixture), 0);
    assert_int_equal(unlink(fixture_path(fixture, "root.key")), 0);
    assert_int_equal(try_open(fixture), ERR_INVALID);
    assert_non_null(strstr(fixture_error(), "root.key is missing"));
    assert_false(is_there(fixture, "root.key"));
}

static void test_root_key_without_keyring_is_refused(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(try_open(fixture), 0);
    assert_int_equal(unlink(fixture_path(fixture, "keyring")), 0);
    assert_int_equal(try_open(fixture), ERR_INVALID);
    assert_non_null(strstr(fixture_error(), "keyring is missing"));
    assert_false(is_there(fixture, "keyring"));
}

static void test_interrupted_first_start_is_finished(void **state)
{
    struct fixture *fixture = *state;
    char staged[128];

    assert_int_equal(try_open(fixture), 0);
    (void)snprintf(staged, sizeof staged, "%s", fixture_path(fixture, "keyring.new"));
    assert_int_equal(rename(fixture_path(fixture, "keyring"), staged), 0);
    assert_int_equal(try_open(fixture), 0);
    assert_true(is_there(fixture, "keyring"));
    assert_false(is_there(fixture, "keyring.new"));
}

static void test_staged_keyring_of_another_root_is_not_taken(void **state)
{
    struct fixture *fixture = *state;
    uint8_t file[KEYRING_BYTES_MAX];
    size_t len;

    assert_int_equal(try_open(fixture), 0);
    len = fixture_read(fixture, "keyring", file, sizeof file);
    assert_int_equal(unlink(fixture_path(fixture, "keyring")), 0);
    assert_int_equal(unlink(fixture_path(fixture, "root.key")), 0);
    assert_int_equal(try_open(fixture), 0);
    assert_int_equal(unlink(fixture_path(fixture, "keyring")), 0);
    fixture_write(fixture, "keyring.new", 0600, bytes_of(file, len));
    assert_int_equal(try_open(fixture), ERR_INVALID);
}

static void test_first_start_begins_anew_after_a_crash_before_the_root_key(void **state)
{
    struct fixture *fixture = *state;

    fixture_write(fixture, "keyring.new", 0600, bytes_of_text("half"));
    fixture_write(fixture, "root.key.new", 0400, bytes_of_text("half"));
    assert_int_equal(try_open(fixture), 0);
    assert_int_equal(try_open(fixture), 0);
}

static void test_wrong_root_key_is_named(void **state)
{
    struct fixture *fixture = *state;
    char zeros[65];

    assert_int_equal(try_open(fixture), 0);
    memset(zeros, '0', 64);
    zeros[64] = '\n';
    fixture_write(fixture, "root.key", 0400, bytes_of(zeros, sizeof zeros));
    assert_int_equal(try_open(fixture), ERR_INVALID);
    assert_non_null(strstr(fixture_error(), "keyring is not of this root.key"));
}

static void test_root_key_of_another_form_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static const char *const forms[] = {
        "",
        "\n",
        "00",
        "g000000000000000000000000000000000000000000000000000000000000000\n",
        "000000000000000000000000000000000000000000000000000000000000000\n",
        "00000000000000000000000000000000000000000000000000000000000000000\n",
        "0000000000000000000000000000000000000000000000000000000000000000\n\n"};

    assert_int_equal(try_open(fixture), 0);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        fixture_write(fixture, "root.key", 0400, bytes_of_text(forms[i]));
        assert_int_equal(try_open(fixture), ERR_INVALID);
    }
}

static void test_any_right_of_group_or_other_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"root.key", "keyring"};

    assert_int_equal(try_open(fixture), 0);
    for (size_t i = 0; i < 2; i++) {
        mode_t own = mode_of(fixture, names[i]);

        for (mode_t bit = 1; bit <= 040; bit <<= 1) {
            assert_int_equal(chmod(fixture_path(fixture, names[i]), own | bit), 0);
            assert_int_equal(try_open(fixture), ERR_INVALID);
            assert_non_null(strstr(fixture_error(), names[i]));
        }
        assert_int_equal(chmod(fixture_path(fixture, names[i]), own), 0);
    }
    assert_int_equal(try_open(fixture), 0);
}

static void test_a_fifo_in_place_of_the_root_key_does_not_hang(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(try_open(fixture), 0);
    assert_int_equal(unlink(fixture_path(fixture, "root.key")), 0);
    assert_int_equal(mkfifo(fixture_path(fixture, "root.key"), 0400), 0);
    assert_int_equal(try_open(fixture), ERR_INVALID);
}

static void test_every_changed_byte_of_the_keyring_is_found(void **state)
{
    struct fixture *fixture = *state;
    uint8_t file[KEYRING_BYTES_MAX];
    size_t len;

    assert_int_equal(try_open(fixture), 0);
    len = fixture_read(fixture, "keyring", file, sizeof file);
    for (size_t i = 0; i < len; i++) {
        int r;

        file[i] ^= 0x01;
        fixture_write(fixture, "keyring", 0600, bytes_of(file, len));
        r = try_open(fixture);
        assert_true(r == ERR_CORRUPT || r == ERR_INVALID);
        file[i] ^= 0x01;
    }
    fixture_write(fixture, "keyring", 0600, bytes_of(file, len));
    assert_int_equal(try_open(fixture), 0);
}

static void test_keyring_of_every_other_length_is_refused(void **state)
{
    struct fixture *fixture = *state;
    uint8_t file[KEYRING_BYTES_MAX + 1] = {0};
    size_t len;

    assert_int_equal(try_open(fixture), 0);
    len = fixture_read(fixture, "keyring", file, sizeof file);
    for (size_t i = 0; i < len; i++) {
        fixture_write(fixture, "keyring", 0600, bytes_of(file, i));
        assert_int_equal(try_open(fixture), ERR_CORRUPT);
    }
    fixture_write(fixture, "keyring", 0600, bytes_of(file, len + 1));
    assert_int_equal(try_open(fixture), ERR_CORRUPT);
    fixture_write(fixture, "keyring", 0600, bytes_of(file, sizeof file));
    assert_int_equal(try_open(fixture), ERR_INVALID);
}

static void test_a_ring_of_all_epochs_is_written_and_read(void **state)
{
    uint8_t root[SECRET_KEY_BYTES] = {7};
    uint8_t file[KEYRING_BYTES_MAX];
    struct keyring *ring = NULL;
    struct keyring *read = NULL;
    size_t len;

    (void)state;
    assert_int_equal(keyring_create(&ring), 0);
    while (keyring_add_epoch(ring)) {
    }
    assert_int_equal(ring->count, KEYRING_EPOCHS_MAX);
    len = keyring_encode(ring, root, file);
    assert_int_equal(len, KEYRING_BYTES_MAX);
    assert_int_equal(keyring_create(&read), 0);
    assert_int_equal(keyring_decode(read, root, bytes_of(file, len)), 0);
    assert_int_equal(keyring_epoch(read), KEYRING_EPOCHS_MAX);
    for (uint32_t epoch = 1; epoch <= KEYRING_EPOCHS_MAX; epoch++) {
        assert_memory_equal(keyring_find(read, epoch), keyring_find(ring, epoch), SECRET_KEY_BYTES);
    }
    assert_null(keyring_find(read, 0));
    assert_null(keyring_find(read, KEYRING_EPOCHS_MAX + 1));
    keyring_close(ring);
    keyring_close(read);
}

static void test_epochs_that_do_not_ascend_are_refused(void **state)
{
    static const uint32_t wrong[][3] = {{0, 1, 2}, {1, 1, 2}, {1, 3, 2}};
    uint8_t root[SECRET_KEY_BYTES] = {7};
    uint8_t file[KEYRING_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct keyring *ring = NULL;
        struct keyring *read = NULL;
        size_t len;

        assert_int_equal(keyring_create(&ring), 0);
        assert_int_equal(keyring_create(&read), 0);
        ring->count = 3;
        memcpy(ring->epochs, wrong[i], sizeof wrong[i]);
        len = keyring_encode(ring, root, file);
        assert_int_equal(keyring_decode(read, root, bytes_of(file, len)), ERR_CORRUPT);
        assert_int_equal(read->count, 0);
        keyring_close(ring);
        keyring_close(read);
    }
}

static void test_a_directory_that_is_not_there_is_an_error(void **state)
{
    struct keyring *keyring = NULL;

    (void)state;
    assert_int_equal(keyring_open(&keyring, "/nonexistent/pawl", NULL), ERR_IO);
    assert_null(keyring);
}

static void test_each_allocation_may_fail(void **state)
{
    struct fixture *fixture = *state;
    long n = 0;
    int r;

    do {
        assert_true(n < 100);
        fixture_fail_after(n++);
        r = try_open(fixture);
        assert_true(r == 0 || r == ERR_NOMEM);
    } while (r != 0);
    assert_true(n > 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_first_start_makes_both_files_for_the_owner_alone),
        TEST(test_second_start_reads_the_same_keys),
        TEST(test_two_directories_have_different_keys),
        TEST(test_root_key_may_be_elsewhere),
        TEST(test_keyring_without_root_key_is_refused),
        TEST(test_root_key_without_keyring_is_refused),
        TEST(test_interrupted_first_start_is_finished),
        TEST(test_staged_keyring_of_another_root_is_not_taken),
        TEST(test_first_start_begins_anew_after_a_crash_before_the_root_key),
        TEST(test_wrong_root_key_is_named),
        TEST(test_root_key_of_another_form_is_refused),
        TEST(test_any_right_of_group_or_other_is_refused),
        TEST(test_a_fifo_in_place_of_the_root_key_does_not_hang),
        TEST(test_every_changed_byte_of_the_keyring_is_found),
        TEST(test_keyring_of_every_other_length_is_refused),
        TEST(test_a_ring_of_all_epochs_is_written_and_read),
        TEST(test_epochs_that_do_not_ascend_are_refused),
        TEST(test_a_directory_that_is_not_there_is_an_error),
        TEST(test_each_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
