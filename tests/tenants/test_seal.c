#include "tests/tenants/fixture.h"

#include <sodium.h>

#include "engine/base/err.h"
#include "tenants/tenant_keys.h"

#define TEXT "three attempts, then the callback"
#define TEXT_LEN (sizeof TEXT - 1)

struct sealed {
    uint8_t data[TEXT_LEN + SEAL_OVERHEAD];
};

static struct sealed seal_text(const struct tenant_keys *keys, const char *aad)
{
    struct sealed sealed;

    seal(keys, KEY_HISTORY, bytes_of_text(TEXT), bytes_of_text(aad), sealed.data);
    return sealed;
}

static int open_text(const struct tenant_keys *keys, enum key_purpose purpose,
                     const struct sealed *sealed, size_t len, const char *aad)
{
    uint8_t out[TEXT_LEN + SEAL_OVERHEAD] = {0};
    int r = seal_open(keys, purpose, bytes_of(sealed->data, len), bytes_of_text(aad), out);

    if (r == 0) {
        assert_memory_equal(out, TEXT, TEXT_LEN);
    } else {
        assert_true(sodium_is_zero(out, sizeof out));
    }
    return r;
}

static void test_what_was_sealed_opens(void **state)
{
    struct tenant_keys *keys;
    struct sealed sealed;

    fixture_open(*state);
    keys = fixture_tenant(*state, TENANT_A);
    sealed = seal_text(keys, "where");
    assert_int_equal(open_text(keys, KEY_HISTORY, &sealed, sizeof sealed.data, "where"), 0);
    tenant_keys_close(keys);
}

static void test_sizes_from_nothing_to_a_mebibyte_open(void **state)
{
    static uint8_t plain[1 << 20];
    static uint8_t sealed[sizeof plain + SEAL_OVERHEAD];
    static uint8_t out[sizeof plain];
    struct tenant_keys *keys;

    fixture_open(*state);
    keys = fixture_tenant(*state, TENANT_A);
    randombytes_buf(plain, sizeof plain);
    for (size_t len = 0; len <= sizeof plain; len = len * 2 + 1) {
        struct bytes text = bytes_of((len > 0) ? plain : NULL, len);

        seal(keys, KEY_PAYLOAD, text, bytes_of(NULL, 0), sealed);
        assert_int_equal(seal_open(keys, KEY_PAYLOAD, bytes_of(sealed, len + SEAL_OVERHEAD),
                                   bytes_of(NULL, 0), out),
                         0);
        assert_memory_equal(out, plain, len);
    }
    tenant_keys_close(keys);
}

static void test_every_changed_bit_is_found(void **state)
{
    struct tenant_keys *keys;
    struct sealed sealed;

    fixture_open(*state);
    keys = fixture_tenant(*state, TENANT_A);
    sealed = seal_text(keys, "where");
    for (size_t bit = 0; bit < 8 * sizeof sealed.data; bit++) {
        sealed.data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        assert_int_equal(open_text(keys, KEY_HISTORY, &sealed, sizeof sealed.data, "where"),
                         ERR_CORRUPT);
        sealed.data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    tenant_keys_close(keys);
}

static void test_every_shorter_length_is_refused(void **state)
{
    struct tenant_keys *keys;
    struct sealed sealed;

    fixture_open(*state);
    keys = fixture_tenant(*state, TENANT_A);
    sealed = seal_text(keys, "where");
    for (size_t len = 0; len < sizeof sealed.data; len++) {
        assert_int_equal(open_text(keys, KEY_HISTORY, &sealed, len, "where"), ERR_CORRUPT);
    }
    tenant_keys_close(keys);
}

static void test_a_seal_opens_only_where_it_was_made(void **state)
{
    struct tenant_keys *keys;
    struct sealed sealed;

    fixture_open(*state);
    keys = fixture_tenant(*state, TENANT_A);
    sealed = seal_text(keys, "where");
    assert_int_equal(open_text(keys, KEY_HISTORY, &sealed, sizeof sealed.data, "there"),
                     ERR_CORRUPT);
    assert_int_equal(open_text(keys, KEY_HISTORY, &sealed, sizeof sealed.data, ""), ERR_CORRUPT);
    tenant_keys_close(keys);
}

static void test_a_seal_opens_only_under_its_purpose_and_tenant(void **state)
{
    struct tenant_keys *keys;
    struct tenant_keys *other;
    struct sealed sealed;

    fixture_open(*state);
    keys = fixture_tenant(*state, TENANT_A);
    other = fixture_tenant(*state, TENANT_B);
    sealed = seal_text(keys, "where");
    for (int purpose = 0; purpose < KEY_PURPOSES; purpose++) {
        assert_int_equal(
            open_text(keys, (enum key_purpose)purpose, &sealed, sizeof sealed.data, "where"),
            (purpose == KEY_HISTORY) ? 0 : ERR_CORRUPT);
    }
    assert_int_equal(open_text(other, KEY_HISTORY, &sealed, sizeof sealed.data, "where"),
                     ERR_CORRUPT);
    tenant_keys_close(keys);
    tenant_keys_close(other);
}

static void test_no_nonce_comes_twice(void **state)
{
    struct tenant_keys *keys;
    struct sealed sealed[64];

    fixture_open(*state);
    keys = fixture_tenant(*state, TENANT_A);
    for (int i = 0; i < 64; i++) {
        sealed[i] = seal_text(keys, "where");
        for (int j = 0; j < i; j++) {
            assert_memory_not_equal(sealed[i].data, sealed[j].data, 24);
            assert_memory_not_equal(sealed[i].data + 24, sealed[j].data + 24, TEXT_LEN);
        }
    }
    tenant_keys_close(keys);
}

static void test_the_chain_changes_with_each_of_its_parts(void **state)
{
    struct tenant_keys *keys;
    struct tenant_keys *other;
    uint8_t before[SEAL_CHAIN_BYTES] = {0};
    uint8_t after[6][SEAL_CHAIN_BYTES];

    fixture_open(*state);
    keys = fixture_tenant(*state, TENANT_A);
    other = fixture_tenant(*state, TENANT_B);
    seal_chain(keys, before, bytes_of_text("header"), bytes_of_text("plain"), after[0]);
    seal_chain(keys, before, bytes_of_text("headerp"), bytes_of_text("lain"), after[1]);
    seal_chain(keys, before, bytes_of_text("header"), bytes_of_text("plaim"), after[2]);
    seal_chain(keys, before, bytes_of_text("headet"), bytes_of_text("plain"), after[3]);
    seal_chain(other, before, bytes_of_text("header"), bytes_of_text("plain"), after[4]);
    before[31] ^= 0x80;
    seal_chain(keys, before, bytes_of_text("header"), bytes_of_text("plain"), after[5]);
    for (int i = 0; i < 6; i++) {
        for (int j = 0; j < i; j++) {
            assert_memory_not_equal(after[i], after[j], SEAL_CHAIN_BYTES);
        }
    }
    tenant_keys_close(keys);
    tenant_keys_close(other);
}

/* `out` may be `before`, as the caller keeps one chain value an execution. */
static void test_the_chain_is_the_formula_of_the_header(void **state)
{
    struct tenant_keys *keys;
    uint8_t chain[SEAL_CHAIN_BYTES] = {9};
    static const uint8_t text[] = {9,   [32] = 6, [40] = 'h', 'e', 'a', 'd', 'e',
                                   'r', 'p',      'l',        'a', 'i', 'n'};
    uint8_t expected[SEAL_CHAIN_BYTES];

    fixture_open(*state);
    keys = fixture_tenant(*state, TENANT_A);
    (void)crypto_generichash(expected, sizeof expected, text, sizeof text,
                             keys->purposes[KEY_HISTORY], SECRET_KEY_BYTES);
    seal_chain(keys, chain, bytes_of_text("header"), bytes_of_text("plain"), chain);
    assert_memory_equal(chain, expected, sizeof expected);
    tenant_keys_close(keys);
}

static void test_the_same_name_in_two_tenants_hashes_differently(void **state)
{
    struct tenant_keys *keys;
    struct tenant_keys *other;
    struct id hash;
    struct id again;
    struct id others;

    fixture_open(*state);
    keys = fixture_tenant(*state, TENANT_A);
    other = fixture_tenant(*state, TENANT_B);
    seal_hash(keys, bytes_of_text("order-7"), &hash);
    seal_hash(keys, bytes_of_text("order-7"), &again);
    seal_hash(other, bytes_of_text("order-7"), &others);
    assert_true(id_equal(&hash, &again));
    assert_false(id_equal(&hash, &others));
    seal_hash(keys, bytes_of_text("order-8"), &again);
    assert_false(id_equal(&hash, &again));
    tenant_keys_close(keys);
    tenant_keys_close(other);
}

/* BLAKE2b-256 of "abc", from another implementation (Python's hashlib). */
static void test_the_digest_is_blake2b_256(void **state)
{
    static const char expected[] =
        "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319";
    uint8_t digest[32];
    char text[65];

    (void)state;
    seal_digest(bytes_of_text("abc"), digest);
    (void)sodium_bin2hex(text, sizeof text, digest, sizeof digest);
    assert_string_equal(text, expected);
}

/* "abc" and nothing, from FIPS 180-2, appendix B.1, and NIST's example values. */
static void test_sha_256_is_that_of_the_standard(void **state)
{
    static const char *const expected[] = {
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    };
    uint8_t hash[32];
    char text[65];

    (void)state;
    for (int i = 0; i < 2; i++) {
        seal_sha256((i == 0) ? bytes_of_text("abc") : bytes_of(NULL, 0), hash);
        (void)sodium_bin2hex(text, sizeof text, hash, sizeof hash);
        assert_string_equal(text, expected[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_what_was_sealed_opens),
        TEST(test_sizes_from_nothing_to_a_mebibyte_open),
        TEST(test_every_changed_bit_is_found),
        TEST(test_every_shorter_length_is_refused),
        TEST(test_a_seal_opens_only_where_it_was_made),
        TEST(test_a_seal_opens_only_under_its_purpose_and_tenant),
        TEST(test_no_nonce_comes_twice),
        TEST(test_the_chain_changes_with_each_of_its_parts),
        TEST(test_the_chain_is_the_formula_of_the_header),
        TEST(test_the_same_name_in_two_tenants_hashes_differently),
        TEST(test_the_digest_is_blake2b_256),
        TEST(test_sha_256_is_that_of_the_standard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
