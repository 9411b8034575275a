#include "tests/tenants/fixture.h"

#include <sodium.h>

#include "engine/base/err.h"

static bool try_open(const struct tenant_keys *keys, const char *text)
{
    uint8_t fields[TOKEN_FIELDS_MAX];
    size_t len = 0;

    return token_open(keys, bytes_of_text(text), fields, &len);
}

static void test_every_length_of_fields_comes_back(void **state)
{
    uint8_t fields[TOKEN_FIELDS_MAX];
    uint8_t back[TOKEN_FIELDS_MAX];
    char text[TOKEN_TEXT_MAX];
    struct tenant_keys *keys;

    fixture_open(*state);
    keys = fixture_tenant(*state, TENANT_A);
    randombytes_buf(fields, sizeof fields);
    for (size_t len = 0; len <= TOKEN_FIELDS_MAX; len++) {
        size_t back_len = 999;

        token_make(keys, bytes_of((len > 0) ? fields : NULL, len), text);
        assert_true(strlen(text) < TOKEN_TEXT_MAX);
        assert_true(token_open(keys, bytes_of_text(text), back, &back_len));
        assert_int_equal(back_len, len);
        assert_memory_equal(back, fields, len);
    }
    tenant_keys_close(keys);
}

static void test_the_text_is_base64_with_padding(void **state)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t fields[64];
    char text[TOKEN_TEXT_MAX];
    struct tenant_keys *keys;

    fixture_open(*state);
    keys = fixture_tenant(*state, TENANT_A);
    for (size_t len = 0; len < sizeof fields; len++) {
        size_t plain;

        randombytes_buf(fields, sizeof fields);
        token_make(keys, bytes_of(fields, len), text);
        plain = strspn(text, alphabet);
        assert_int_equal(strlen(text) % 4, 0);
        assert_true(strlen(text) - plain <= 2);
        assert_int_equal(strspn(text + plain, "="), strlen(text) - plain);
    }
    tenant_keys_close(keys);
}

static void test_every_changed_character_is_found(void **state)
{
    char text[TOKEN_TEXT_MAX];
    struct tenant_keys *keys;

    fixture_open(*state);
    keys = fixture_tenant(*state, TENANT_A);
    token_make(keys, bytes_of_text("??? every digit of ~~~ ///, also a slash ???"), text);
    assert_non_null(strchr(text, '/'));
    for (size_t i = 0; i < strlen(text); i++) {
        char right = text[i];

        for (int c = 1; c < 256; c++) {
            text[i] = (char)c;
            assert_true(text[i] == right || !try_open(keys, text));
        }
        text[i] = right;
    }
    assert_true(try_open(keys, text));
    tenant_keys_close(keys);
}

static void test_every_shorter_text_is_refused(void **state)
{
    char text[TOKEN_TEXT_MAX];
    uint8_t fields[TOKEN_FIELDS_MAX];
    size_t len = 77;
    struct tenant_keys *keys;

    fixture_open(*state);
    keys = fixture_tenant(*state, TENANT_A);
    token_make(keys, bytes_of_text("fields"), text);
    for (size_t i = 0; i < strlen(text); i++) {
        assert_false(token_open(keys, bytes_of(text, i), fields, &len));
        assert_int_equal(len, 77);
    }
    tenant_keys_close(keys);
}

static void test_longer_texts_are_refused(void **state)
{
    static char text[2 * TOKEN_TEXT_MAX];
    uint8_t fields[TOKEN_FIELDS_MAX];
    size_t len = 0;
    struct tenant_keys *keys;

    fixture_open(*state);
    keys = fixture_tenant(*state, TENANT_A);
    token_make(keys, bytes_of_text("fields"), text);
    strncat(text, "AAAA", 5);
    assert_false(try_open(keys, text));
    memset(text, 'A', sizeof text);
    for (size_t i = 0; i <= sizeof text; i += 4) {
        assert_false(token_open(keys, bytes_of(text, i), fields, &len));
    }
    assert_false(token_open(keys, bytes_of(NULL, 0), fields, &len));
    tenant_keys_close(keys);
}

static void test_a_token_of_another_tenant_is_not_ours(void **state)
{
    char text[TOKEN_TEXT_MAX];
    struct tenant_keys *keys;
    struct tenant_keys *other;

    fixture_open(*state);
    keys = fixture_tenant(*state, TENANT_A);
    other = fixture_tenant(*state, TENANT_B);
    token_make(other, bytes_of_text("fields"), text);
    assert_false(try_open(keys, text));
    assert_true(try_open(other, text));
    tenant_keys_close(keys);
    tenant_keys_close(other);
}

/* Two fields of three characters end in a padded group with free bits. */
static void test_only_one_spelling_of_a_token_is_taken(void **state)
{
    char text[TOKEN_TEXT_MAX];
    char *last;
    struct tenant_keys *keys;

    fixture_open(*state);
    keys = fixture_tenant(*state, TENANT_A);
    token_make(keys, bytes_of_text("123"), text); /* 19 bytes: ends in "x==" */
    last = strchr(text, '=') - 1;
    assert_string_equal(last + 1, "==");
    *last = (char)(*last + 1); /* A, Q, g or w: the next letter differs in unused bits */
    assert_false(try_open(keys, text));
    *last = (char)(*last - 1);
    last[1] = '\0';
    assert_false(try_open(keys, text));
    tenant_keys_close(keys);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_every_length_of_fields_comes_back),
        TEST(test_the_text_is_base64_with_padding),
        TEST(test_every_changed_character_is_found),
        TEST(test_every_shorter_text_is_refused),
        TEST(test_longer_texts_are_refused),
        TEST(test_a_token_of_another_tenant_is_not_ours),
        TEST(test_only_one_spelling_of_a_token_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
