#include "tests/tenants/fixture.h"

#include "engine/base/err.h"
#include "tenants/tenant_keys.h"

static int try_open(struct fixture *fixture, uint64_t tenant, struct bytes wrapped)
{
    struct tenant_keys *keys = NULL;
    int r = tenant_keys_open(&keys, fixture->keyring, tenant, wrapped);

    assert_true((r == 0) == (keys != NULL));
    tenant_keys_close(keys);
    return r;
}

static void test_a_wrapped_key_opens_to_the_same_keys(void **state)
{
    struct fixture *fixture = *state;
    uint8_t wrapped[TENANT_WRAPPED_BYTES];
    struct tenant_keys *a = NULL;
    struct tenant_keys *b = NULL;

    fixture_open(fixture);
    assert_int_equal(tenant_keys_create(fixture->keyring, TENANT_A, wrapped), 0);
    assert_int_equal(tenant_keys_open(&a, fixture->keyring, TENANT_A, bytes_of(wrapped, 110)), 0);
    assert_int_equal(tenant_keys_open(&b, fixture->keyring, TENANT_A, bytes_of(wrapped, 110)), 0);
    assert_int_equal(tenant_keys_epoch(a), 1);
    assert_memory_equal(a->purposes, b->purposes, (size_t)KEY_PURPOSES * SECRET_KEY_BYTES);
    tenant_keys_close(a);
    tenant_keys_close(b);
}

static void test_no_two_purposes_share_a_key(void **state)
{
    struct fixture *fixture = *state;
    struct tenant_keys *keys;

    fixture_open(fixture);
    keys = fixture_tenant(fixture, TENANT_A);
    for (int i = 0; i < KEY_PURPOSES; i++) {
        for (int j = 0; j < i; j++) {
            assert_memory_not_equal(keys->purposes[i], keys->purposes[j], SECRET_KEY_BYTES);
        }
    }
    tenant_keys_close(keys);
}

static void test_no_key_is_in_its_wrapped_form(void **state)
{
    struct fixture *fixture = *state;
    uint8_t wrapped[TENANT_WRAPPED_BYTES];
    uint8_t again[TENANT_WRAPPED_BYTES];

    fixture_open(fixture);
    assert_int_equal(tenant_keys_create(fixture->keyring, TENANT_A, wrapped), 0);
    assert_int_equal(tenant_keys_create(fixture->keyring, TENANT_A, again), 0);
    assert_memory_equal(wrapped, again, 6);
    assert_memory_not_equal(wrapped + 6, again + 6, 32);
    assert_memory_not_equal(wrapped + 38, again + 38, 24);
    assert_memory_not_equal(wrapped + 62, again + 62, 48);
}

static void test_every_changed_bit_is_found(void **state)
{
    struct fixture *fixture = *state;
    uint8_t wrapped[TENANT_WRAPPED_BYTES];

    fixture_open(fixture);
    assert_int_equal(tenant_keys_create(fixture->keyring, TENANT_A, wrapped), 0);
    for (size_t bit = 0; bit < 8 * sizeof wrapped; bit++) {
        wrapped[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        assert_int_equal(try_open(fixture, TENANT_A, bytes_of(wrapped, 110)), ERR_CORRUPT);
        wrapped[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    assert_int_equal(try_open(fixture, TENANT_A, bytes_of(wrapped, 110)), 0);
}

static void test_every_other_length_is_refused(void **state)
{
    struct fixture *fixture = *state;
    uint8_t wrapped[TENANT_WRAPPED_BYTES + 1] = {0};

    fixture_open(fixture);
    assert_int_equal(tenant_keys_create(fixture->keyring, TENANT_A, wrapped), 0);
    for (size_t len = 0; len <= sizeof wrapped; len++) {
        assert_int_equal(try_open(fixture, TENANT_A, bytes_of(wrapped, len)),
                         (len == TENANT_WRAPPED_BYTES) ? 0 : ERR_CORRUPT);
    }
}

static void test_another_tenants_key_does_not_open(void **state)
{
    struct fixture *fixture = *state;
    uint8_t wrapped[TENANT_WRAPPED_BYTES];

    fixture_open(fixture);
    assert_int_equal(tenant_keys_create(fixture->keyring, TENANT_A, wrapped), 0);
    assert_int_equal(try_open(fixture, TENANT_B, bytes_of(wrapped, 110)), ERR_CORRUPT);
    assert_int_equal(try_open(fixture, 0, bytes_of(wrapped, 110)), ERR_CORRUPT);
}

static void test_a_kek_does_not_pass_for_a_tenant_key(void **state)
{
    struct fixture *fixture = *state;
    struct wrap wrap = {.label = WRAP_KEK, .epoch = 1};
    uint8_t key[SECRET_KEY_BYTES] = {1};
    uint8_t wrapped[WRAP_BYTES];

    fixture_open(fixture);
    wrap_seal(&wrap, keyring_find(fixture->keyring, 1), key, wrapped);
    assert_int_equal(try_open(fixture, 0, bytes_of(wrapped, 110)), ERR_CORRUPT);
    assert_true(wrap_open(&wrap, keyring_find(fixture->keyring, 1), wrapped, key));
}

static void test_a_key_is_of_the_epoch_it_was_made_in(void **state)
{
    struct fixture *fixture = *state;
    uint8_t old[TENANT_WRAPPED_BYTES];
    uint8_t new[TENANT_WRAPPED_BYTES];
    struct tenant_keys *keys = NULL;

    fixture_open(fixture);
    assert_int_equal(tenant_keys_create(fixture->keyring, TENANT_A, old), 0);
    assert_true(keyring_add_epoch(fixture->keyring));
    assert_int_equal(tenant_keys_create(fixture->keyring, TENANT_A, new), 0);
    assert_int_equal(try_open(fixture, TENANT_A, bytes_of(old, 110)), 0);
    assert_int_equal(tenant_keys_open(&keys, fixture->keyring, TENANT_A, bytes_of(new, 110)), 0);
    assert_int_equal(tenant_keys_epoch(keys), 2);
    tenant_keys_close(keys);
    keyring_close(fixture->keyring);
    fixture_open(fixture); /* as on disk: the second epoch is not known */
    assert_int_equal(try_open(fixture, TENANT_A, bytes_of(new, 110)), ERR_CORRUPT);
    assert_non_null(strstr(fixture_error(), "no epoch 2"));
}

static void test_another_keyring_opens_nothing(void **state)
{
    struct fixture *fixture = *state;
    uint8_t wrapped[TENANT_WRAPPED_BYTES];
    struct keyring *other = NULL;
    struct tenant_keys *keys = NULL;

    fixture_open(fixture);
    assert_int_equal(tenant_keys_create(fixture->keyring, TENANT_A, wrapped), 0);
    assert_int_equal(keyring_create(&other), 0);
    assert_true(keyring_add_epoch(other));
    assert_int_equal(tenant_keys_open(&keys, other, TENANT_A, bytes_of(wrapped, 110)), ERR_CORRUPT);
    keyring_close(other);
}

static void test_a_failed_allocation_opens_nothing(void **state)
{
    struct fixture *fixture = *state;
    uint8_t wrapped[TENANT_WRAPPED_BYTES];

    fixture_open(fixture);
    assert_int_equal(tenant_keys_create(fixture->keyring, TENANT_A, wrapped), 0);
    fixture_fail_after(0);
    assert_int_equal(try_open(fixture, TENANT_A, bytes_of(wrapped, 110)), ERR_NOMEM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_a_wrapped_key_opens_to_the_same_keys),
        TEST(test_no_two_purposes_share_a_key),
        TEST(test_no_key_is_in_its_wrapped_form),
        TEST(test_every_changed_bit_is_found),
        TEST(test_every_other_length_is_refused),
        TEST(test_another_tenants_key_does_not_open),
        TEST(test_a_kek_does_not_pass_for_a_tenant_key),
        TEST(test_a_key_is_of_the_epoch_it_was_made_in),
        TEST(test_another_keyring_opens_nothing),
        TEST(test_a_failed_allocation_opens_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
