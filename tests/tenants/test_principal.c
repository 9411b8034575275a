#include "tests/tenants/fixture.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "tenants/principal.h"

static char bearer[512];

/* What the tests change of a request; absent headers have data NULL. */
struct asked {
    bool is_unix;
    uid_t peer_uid;
    struct bytes authorization;
    struct bytes host;
    struct bytes origin;
};

static struct verifier *open_verifier(struct fixture *fixture)
{
    struct verifier *verifier = NULL;
    char token[256] = {0};

    assert_int_equal(verifier_create(&verifier, fixture->dir, "us-east-1", 1000), 0);
    (void)fixture_read(fixture, "token", (uint8_t *)token, sizeof token - 1);
    token[strcspn(token, "\n")] = '\0';
    (void)snprintf(bearer, sizeof bearer, "Bearer %s", token);
    return verifier;
}

static struct asked right_credentials(void)
{
    return (struct asked){.authorization = bytes_of_text(bearer),
                          .host = bytes_of_text("127.0.0.1:9001")};
}

static bool ask(struct verifier *verifier, const struct asked *asked,
                struct principal *ret_principal)
{
    const struct {
        const char *name;
        struct bytes value;
    } all[] = {
        {"authorization", asked->authorization}, {"host", asked->host}, {"origin", asked->origin}};
    struct request_header headers[3];
    struct credentials credentials = {.kind = asked->is_unix ? CREDENTIALS_UNIX : CREDENTIALS_TCP,
                                      .peer_uid = asked->peer_uid,
                                      .now_ms = 2000,
                                      .head = {.headers = headers}};
    const struct denial *denial;
    struct admission *admission;
    struct arena arena;
    bool is_open;

    for (size_t i = 0; i < 3; i++) {
        if (all[i].value.data != NULL) {
            headers[credentials.head.header_count++] =
                (struct request_header){.name = bytes_of_text(all[i].name), .value = all[i].value};
        }
    }
    arena_init(&arena, 0);
    admission = verifier_admit(verifier, &credentials, &arena);
    assert_non_null(admission);
    is_open = admission_is_open(admission);
    denial = verifier_finish(verifier, admission, bytes_of(NULL, 0), 2000, ret_principal);
    assert_int_equal(is_open, denial == NULL);
    assert_true(denial == NULL || (denial->message[0] != '\0' && denial->status >= 400));
    arena_fini(&arena);
    return denial == NULL;
}

static bool is_admitted(struct verifier *verifier, struct asked credentials)
{
    struct principal principal = {.tenant = 1};
    bool is_good = ask(verifier, &credentials, &principal);

    assert_int_equal(principal.tenant, is_good ? TENANT_DEFAULT : 1);
    return is_good;
}

static int try_create(struct fixture *fixture)
{
    struct verifier *verifier = NULL;
    int r = verifier_create(&verifier, fixture->dir, "us-east-1", 1000);

    verifier_destroy(verifier);
    return r;
}

static void test_the_token_is_made_once_for_the_owner_alone(void **state)
{
    struct fixture *fixture = *state;
    struct stat info;
    char first[sizeof bearer];

    (void)umask(0);
    verifier_destroy(open_verifier(fixture));
    assert_int_equal(stat(fixture_path(fixture, "token"), &info), 0);
    assert_int_equal(info.st_mode & 0777U, 0600);
    (void)snprintf(first, sizeof first, "%s", bearer);
    assert_int_equal(strlen(first), strlen("Bearer ") + 64);
    verifier_destroy(open_verifier(fixture));
    assert_string_equal(bearer, first);
}

static void test_the_token_admits_over_tcp(void **state)
{
    struct verifier *verifier = open_verifier(*state);
    struct asked credentials = right_credentials();
    struct principal principal;

    assert_true(ask(verifier, &credentials, &principal));
    assert_int_equal(principal.tenant, TENANT_DEFAULT);
    assert_false(principal.is_operator);
    verifier_destroy(verifier);
}

static void test_every_changed_character_of_the_header_is_refused(void **state)
{
    struct verifier *verifier = open_verifier(*state);
    size_t scheme_len = strlen("Bearer ");

    for (size_t i = scheme_len; i < strlen(bearer); i++) {
        bearer[i] ^= 0x01;
        assert_false(is_admitted(verifier, right_credentials()));
        bearer[i] ^= 0x01;
    }
    for (size_t len = 0; len < strlen(bearer); len++) {
        struct asked credentials = right_credentials();

        credentials.authorization.len = len;
        assert_false(is_admitted(verifier, credentials));
    }
    assert_true(is_admitted(verifier, right_credentials()));
    verifier_destroy(verifier);
}

static void test_other_schemes_and_none_are_refused(void **state)
{
    static const char *const headers[] = {"", "Bearer", "Bearer ", "Basic cGF3bDpwYXds",
                                          "AWS4-HMAC-SHA256 Credential=x"};
    struct verifier *verifier = open_verifier(*state);
    struct asked credentials = right_credentials();

    credentials.authorization = (struct bytes){0};
    assert_false(is_admitted(verifier, credentials));
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        credentials.authorization = bytes_of_text(headers[i]);
        assert_false(is_admitted(verifier, credentials));
    }
    credentials.authorization = bytes_of_text(bearer + strlen("Bearer "));
    assert_false(is_admitted(verifier, credentials));
    verifier_destroy(verifier);
}

static void test_only_loopback_hosts_are_admitted(void **state)
{
    static const char *const right[] = {"localhost",    "LOCALHOST:1", "127.0.0.1",
                                        "127.0.0.1:80", "[::1]",       "[::1]:65535"};
    static const char *const wrong[] = {"",
                                        "example.com",
                                        "localhost.example.com",
                                        "localhost:",
                                        "localhost:9001x",
                                        "127.0.0.10",
                                        "127.0.0.1.nip",
                                        "[::1]x",
                                        "::1",
                                        "0.0.0.0",
                                        " localhost",
                                        "localhost ",
                                        "localhost:123456",
                                        "127.0.0.1@x",
                                        "[::1"};
    struct verifier *verifier = open_verifier(*state);
    struct asked credentials = right_credentials();

    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        credentials.host = bytes_of_text(right[i]);
        assert_true(is_admitted(verifier, credentials));
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        credentials.host = bytes_of_text(wrong[i]);
        assert_false(is_admitted(verifier, credentials));
    }
    credentials.host = (struct bytes){0};
    assert_false(is_admitted(verifier, credentials));
    verifier_destroy(verifier);
}

static void test_any_origin_is_refused(void **state)
{
    static const char *const origins[] = {"", "null", "http://localhost:9001"};
    struct verifier *verifier = open_verifier(*state);
    struct asked credentials = right_credentials();

    for (size_t i = 0; i < sizeof origins / sizeof origins[0]; i++) {
        credentials.origin = bytes_of_text(origins[i]);
        assert_false(is_admitted(verifier, credentials));
    }
    verifier_destroy(verifier);
}

static void test_the_unix_socket_admits_own_user_and_root_alone(void **state)
{
    struct verifier *verifier = open_verifier(*state);
    struct asked credentials = {.is_unix = true, .peer_uid = geteuid()};
    struct principal principal;

    assert_true(ask(verifier, &credentials, &principal));
    assert_true(principal.is_operator);
    credentials.peer_uid = 0;
    assert_true(is_admitted(verifier, credentials));
    credentials.peer_uid = geteuid() + 1;
    assert_false(is_admitted(verifier, credentials));
    credentials.authorization = bytes_of_text(bearer); /* the token is not for this door */
    assert_false(is_admitted(verifier, credentials));
    verifier_destroy(verifier);
}

static void test_a_token_that_others_may_read_is_refused(void **state)
{
    struct fixture *fixture = *state;

    verifier_destroy(open_verifier(fixture));
    assert_int_equal(chmod(fixture_path(fixture, "token"), 0640), 0);
    assert_int_equal(try_create(fixture), ERR_INVALID);
    assert_int_equal(chmod(fixture_path(fixture, "token"), 0604), 0);
    assert_int_equal(try_create(fixture), ERR_INVALID);
    assert_non_null(strstr(fixture_error(), "token"));
}

static void test_a_weak_or_broken_token_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char text[300];

    memset(text, 'x', sizeof text);
    for (size_t len = 0; len < sizeof text; len++) {
        fixture_write(fixture, "token", 0600, bytes_of(text, len));
        assert_int_equal(try_create(fixture), (len < 32 || len > 255) ? ERR_INVALID : 0);
    }
    text[20] = ' ';
    fixture_write(fixture, "token", 0600, bytes_of(text, 64));
    assert_int_equal(try_create(fixture), ERR_INVALID);
}

static void test_a_failed_allocation_is_reported(void **state)
{
    fixture_fail_after(0);
    assert_int_equal(try_create(*state), ERR_NOMEM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_the_token_is_made_once_for_the_owner_alone),
        TEST(test_the_token_admits_over_tcp),
        TEST(test_every_changed_character_of_the_header_is_refused),
        TEST(test_other_schemes_and_none_are_refused),
        TEST(test_only_loopback_hosts_are_admitted),
        TEST(test_any_origin_is_refused),
        TEST(test_the_unix_socket_admits_own_user_and_root_alone),
        TEST(test_a_token_that_others_may_read_is_refused),
        TEST(test_a_weak_or_broken_token_is_refused),
        TEST(test_a_failed_allocation_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
