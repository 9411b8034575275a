/* Signatures as AWS's own client makes them (sigv4_vectors.h), and each step on the way. */
#include "tests/tenants/fixture.h"

#include <stdio.h>

#include "engine/base/err.h"
#include "tenants/access_key.h"
#include "tenants/claim.h"
#include "tenants/principal.h"
#include "tests/tenants/vector.h"

/* --- the arithmetic -------------------------------------------------------------------- */

static void test_every_canonical_request_is_the_clients(void **state)
{
    (void)state;
    for (size_t i = 0; i < vector_count; i++) {
        const struct vector *vector = &vectors[i];
        struct request_header headers[VECTOR_HEADERS_MAX];
        struct request_head head = vector_head(vector, headers);
        char payload[SIGV4_HEX_LEN + 1] = {0};
        struct bytes canonical;
        struct claim claim;
        struct arena arena;

        arena_init(&arena, 0);
        assert_null(claim_read(&head, &arena, &claim));
        canonical = sigv4_canonical(&arena, &head, claim.signed_headers);
        assert_non_null(canonical.data);
        sigv4_hash(vector_body(vector), payload);
        if (canonical.len + SIGV4_HEX_LEN != strlen(vector->canonical) ||
            memcmp(canonical.data, vector->canonical, canonical.len) != 0) {
            fail_msg("%s: \n%.*s\ninstead of\n%s", vector->name, (int)canonical.len,
                     (const char *)canonical.data, vector->canonical);
        }
        assert_string_equal(payload, vector->canonical + canonical.len);
        arena_fini(&arena);
    }
}

static void test_every_signature_is_the_clients(void **state)
{
    (void)state;
    assert_true(vector_count >= 45);
    for (size_t i = 0; i < vector_count; i++) {
        const struct vector *vector = &vectors[i];
        struct request_header headers[VECTOR_HEADERS_MAX];
        struct request_head head = vector_head(vector, headers);
        char hash[SIGV4_HEX_LEN];
        char signature[SIGV4_HEX_LEN];
        struct sigv4_key key;
        struct claim claim;
        struct arena arena;

        arena_init(&arena, 0);
        assert_null(claim_read(&head, &arena, &claim));
        sigv4_hash(bytes_of_text(vector->canonical), hash);
        sigv4_key_derive(bytes_of_text(VECTOR_SECRET), claim.day, claim.region, claim.service,
                         &key);
        sigv4_sign(&key, claim.date, claim.scope, hash, signature);
        assert_memory_equal(signature, claim.signature.data, SIGV4_HEX_LEN);
        arena_fini(&arena);
    }
}

/* AWS's published example of the derivation. */
static void test_the_signing_key_is_derived_as_published(void **state)
{
    static const char secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    static const char hash[] = "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59";
    char signature[SIGV4_HEX_LEN + 1] = {0};
    struct sigv4_key key;

    (void)state;
    sigv4_key_derive(bytes_of_text(secret), bytes_of_text("20150830"), bytes_of_text("us-east-1"),
                     bytes_of_text("iam"), &key);
    sigv4_sign(&key, bytes_of_text("20150830T123600Z"),
               bytes_of_text("20150830/us-east-1/iam/aws4_request"), hash, signature);
    assert_string_equal(signature,
                        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

static void test_dates_are_read_strictly(void **state)
{
    static const struct {
        const char *text;
        int64_t s; /* -1: it is none */
    } dates[] = {
        {"19700101T000000Z", 0},
        {"20150830T123600Z", 1440938160},
        {"20240229T235959Z", 1709251199},
        {"21000301T000000Z", 4107542400},
        {"20230229T000000Z", -1},
        {"21000229T000000Z", -1},
        {"20151301T000000Z", -1},
        {"20150001T000000Z", -1},
        {"20150832T000000Z", -1},
        {"20150830T240000Z", -1},
        {"20150830T126000Z", -1},
        {"20150830T123660Z", -1},
        {"20150830t123600Z", -1},
        {"20150830T123600z", -1},
        {"2015083 T123600Z", -1},
        {"20150830T123600", -1},
        {"20150830T123600ZZ", -1},
        {"-2015830T123600Z", -1},
        {"", -1},
        {"19691231T235959Z", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        int64_t s = -1;

        assert_int_equal(sigv4_parse_date(bytes_of_text(dates[i].text), &s), dates[i].s >= 0);
        assert_int_equal(s, dates[i].s);
    }
}

static void test_a_malformed_query_has_no_canonical_form(void **state)
{
    static const char *const queries[] = {"a=%", "a=%4", "%zz=1", "a=%g0"};
    struct arena arena;
    char many[8 * SIGV4_PARAMETERS_MAX] = "";

    (void)state;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        struct request_head head = {.query = bytes_of_text(queries[i])};

        assert_null(sigv4_canonical(&arena, &head, bytes_of_text("host")).data);
    }
    for (size_t n = 0; n <= SIGV4_PARAMETERS_MAX; n++) {
        struct request_head head = {.query = bytes_of_text(many)};

        assert_non_null(sigv4_canonical(&arena, &head, bytes_of_text("host")).data);
        (void)snprintf(many + strlen(many), 8, "&a%zu=", n);
    }
    assert_null(sigv4_canonical(&arena, &(struct request_head){.query = bytes_of_text(many)},
                                bytes_of_text("host"))
                    .data);
    arena_fini(&arena);
}

/* --- keys ------------------------------------------------------------------------------ */

static void test_made_keys_look_like_keys_and_differ(void **state)
{
    struct access_key_pair a, b;

    (void)state;
    assert_int_equal(secret_init(), 0);
    for (int i = 0; i < 100; i++) {
        access_key_make(&a);
        access_key_make(&b);
        assert_true(access_key_is_id(bytes_of_text(a.id)));
        assert_true(access_key_is_secret(bytes_of_text(a.secret)));
        assert_memory_equal(a.id, "AKIA", 4);
        assert_string_not_equal(a.id, b.id);
        assert_string_not_equal(a.secret, b.secret);
    }
    assert_false(access_key_is_id(bytes_of_text("AKIAIOSFODNN7EXAMPL")));
    assert_false(access_key_is_id(bytes_of_text("akiaiosfodnn7example")));
    assert_false(access_key_is_secret(bytes_of_text("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE=")));
}

/* --- the verifier ------------------------------------------------------------------------- */

static void test_the_verifier_admits_what_the_client_signs(void **state)
{
    for (size_t i = 0; i < vector_count; i++) {
        struct verifier *verifier = vector_verifier(*state);
        enum denial_reason reason = vector_ask(verifier, &vectors[i], VECTOR_NOW_S);

        if ((reason == DENIAL_NONE) != vectors[i].is_admitted) {
            fail_msg("%s: reason %d", vectors[i].name, reason);
        }
        verifier_destroy(verifier);
    }
}

static void test_a_signature_is_good_for_five_minutes_each_way(void **state)
{
    struct verifier *verifier = vector_verifier(*state);
    const struct vector *vector = &vectors[0]; /* a read */

    assert_int_equal(vector_ask(verifier, vector, VECTOR_NOW_S - 301), DENIAL_TIME);
    assert_int_equal(vector_ask(verifier, vector, VECTOR_NOW_S - 300), DENIAL_NONE);
    assert_int_equal(vector_ask(verifier, vector, VECTOR_NOW_S + 300), DENIAL_NONE);
    assert_int_equal(vector_ask(verifier, vector, VECTOR_NOW_S + 301), DENIAL_TIME);
    verifier_destroy(verifier);
}

static void test_a_presigned_read_is_good_until_it_expires(void **state)
{
    struct verifier *verifier = vector_verifier(*state);
    const struct vector *vector = vector_find("presigned list_functions");

    assert_int_equal(vector_ask(verifier, vector, VECTOR_NOW_S - 301), DENIAL_TIME);
    assert_int_equal(vector_ask(verifier, vector, VECTOR_NOW_S + 3600), DENIAL_NONE);
    assert_int_equal(vector_ask(verifier, vector, VECTOR_NOW_S + 3601), DENIAL_TIME);
    verifier_destroy(verifier);
}

/* boto3 does not sign an id of the call: two calls of one second are the same bytes. */
static void test_a_change_is_repeated_at_once_or_not_at_all(void **state)
{
    struct verifier *verifier = vector_verifier(*state);
    const struct vector *change = vector_find("delete_function");
    const struct vector *read = &vectors[0];

    assert_int_equal(vector_ask(verifier, change, VECTOR_NOW_S), DENIAL_NONE);
    assert_int_equal(vector_ask(verifier, change, VECTOR_NOW_S), DENIAL_NONE);
    assert_int_equal(vector_ask(verifier, change, VECTOR_NOW_S + 2), DENIAL_NONE);
    assert_int_equal(vector_ask(verifier, change, VECTOR_NOW_S + 3), DENIAL_REPLAY);
    assert_int_equal(vector_ask(verifier, change, VECTOR_NOW_S + 300), DENIAL_REPLAY);
    assert_int_equal(vector_ask(verifier, read, VECTOR_NOW_S), DENIAL_NONE);
    assert_int_equal(vector_ask(verifier, read, VECTOR_NOW_S + 300), DENIAL_NONE);
    verifier_destroy(verifier);
}

static void test_a_change_signed_before_the_start_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct verifier *verifier = NULL;

    assert_int_equal(
        verifier_create(&verifier, fixture->dir, "us-east-1", (VECTOR_NOW_S + 1) * (int64_t)1000),
        0);
    assert_int_equal(verifier_add_key(verifier, &vector_pair, TENANT_DEFAULT, true), 0);
    assert_int_equal(vector_ask(verifier, vector_find("delete_function"), VECTOR_NOW_S + 2),
                     DENIAL_REPLAY);
    assert_int_equal(vector_ask(verifier, &vectors[0], VECTOR_NOW_S + 2), DENIAL_NONE);
    verifier_destroy(verifier);
}

static void test_keys_are_enabled_disabled_and_removed(void **state)
{
    struct verifier *verifier = vector_verifier(*state);
    const struct vector *vector = &vectors[0];
    struct bytes id = bytes_of_text(vector_pair.id);

    verifier_enable_key(verifier, id, false);
    assert_int_equal(vector_ask(verifier, vector, VECTOR_NOW_S), DENIAL_MISMATCH);
    verifier_enable_key(verifier, id, true);
    assert_int_equal(vector_ask(verifier, vector, VECTOR_NOW_S), DENIAL_NONE);
    verifier_remove_key(verifier, id);
    assert_int_equal(vector_ask(verifier, vector, VECTOR_NOW_S), DENIAL_MISMATCH);
    verifier_enable_key(verifier, id, true); /* there is none */
    assert_int_equal(vector_ask(verifier, vector, VECTOR_NOW_S), DENIAL_MISMATCH);
    assert_int_equal(verifier_add_key(verifier, &vector_pair, TENANT_DEFAULT + 1, true), 0);
    assert_int_equal(vector_ask(verifier, vector, VECTOR_NOW_S), DENIAL_MISMATCH);
    assert_int_equal(verifier_add_key(verifier, &vector_pair, TENANT_DEFAULT, true), ERR_INVALID);
    verifier_destroy(verifier);
}

static void test_a_failed_allocation_leaves_no_key(void **state)
{
    struct verifier *verifier = vector_verifier(*state);
    struct access_key_pair pair;
    long n = 0;
    int r;

    access_key_make(&pair);
    do {
        fixture_fail_after(n++);
        r = verifier_add_key(verifier, &pair, TENANT_DEFAULT, true);
        fixture_fail_after(-1);
        assert_true(r == 0 || r == ERR_NOMEM);
    } while (r != 0);
    assert_true(n > 2);
    verifier_destroy(verifier);
}

static void test_no_memory_is_no_way_in(void **state)
{
    struct verifier *verifier = vector_verifier(*state);
    struct request_header headers[VECTOR_HEADERS_MAX];
    const struct vector *vector = vector_find("presigned list_functions");
    struct credentials credentials = {.kind = CREDENTIALS_TCP,
                                      .head = vector_head(vector, headers),
                                      .now_ms = VECTOR_NOW_S * (int64_t)1000};
    struct principal principal = {0};
    struct admission *admission;
    const struct denial *denial = NULL;
    struct arena arena;

    for (size_t max = 64; max < 16384; max += 64) {
        arena_init(&arena, max);
        admission = verifier_admit(verifier, &credentials, &arena);
        denial = (admission != NULL) ? verifier_finish(verifier, admission, vector_body(vector),
                                                       credentials.now_ms, &principal)
                                     : NULL;
        assert_true(admission == NULL || denial != NULL || principal.tenant == TENANT_DEFAULT);
        assert_true(principal.tenant == 0 || (admission != NULL && denial == NULL));
        principal.tenant = 0;
        arena_fini(&arena);
    }
    assert_null(denial); /* with enough of it, it is admitted */
    verifier_destroy(verifier);
}

static void test_there_are_only_so_many_keys(void **state)
{
    struct verifier *verifier = vector_verifier(*state);
    struct access_key_pair pair;

    for (unsigned i = 1; i < ACCESS_KEYS_MAX; i++) {
        access_key_make(&pair);
        assert_int_equal(verifier_add_key(verifier, &pair, TENANT_DEFAULT, true), 0);
    }
    access_key_make(&pair);
    assert_int_equal(verifier_add_key(verifier, &pair, TENANT_DEFAULT, true), ERR_LIMIT);
    verifier_remove_key(verifier, bytes_of_text(vector_pair.id));
    assert_int_equal(verifier_add_key(verifier, &pair, TENANT_DEFAULT, true), 0);
    verifier_destroy(verifier);
}

/* The verdict over a body that came while the key went. */
static void test_a_key_that_goes_while_the_body_comes_opens_nothing(void **state)
{
    const struct vector *vector = vector_find("POST /p"); /* the last of that name sends its hash */
    struct verifier *verifier = vector_verifier(*state);
    struct request_header headers[VECTOR_HEADERS_MAX];
    struct credentials credentials = {.kind = CREDENTIALS_TCP,
                                      .now_ms = VECTOR_NOW_S * (int64_t)1000};
    struct principal principal = {0};
    const struct denial *denial;
    struct admission *admission;
    struct arena arena;

    arena_init(&arena, 0);
    credentials.head = vector_head(vector, headers);
    admission = verifier_admit(verifier, &credentials, &arena);
    assert_true(admission_is_open(admission));
    verifier_enable_key(verifier, bytes_of_text(vector_pair.id), false);
    denial =
        verifier_finish(verifier, admission, vector_body(vector), credentials.now_ms, &principal);
    assert_non_null(denial);
    assert_int_equal(denial->reason, DENIAL_MISMATCH);
    assert_int_equal(principal.tenant, 0);
    arena_fini(&arena);
    verifier_destroy(verifier);
}

/* Every byte of everything that is signed, changed. */
static void test_no_signed_byte_can_be_changed(void **state)
{
    static const char *const names[] = {"invoke", "list_functions", "presigned list_tags"};

    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        assert_true(vector_change_bytes(*state, vector_find(names[n])) > 100);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_every_canonical_request_is_the_clients),
        TEST(test_every_signature_is_the_clients),
        TEST(test_the_signing_key_is_derived_as_published),
        TEST(test_dates_are_read_strictly),
        TEST(test_a_malformed_query_has_no_canonical_form),
        TEST(test_made_keys_look_like_keys_and_differ),
        TEST(test_the_verifier_admits_what_the_client_signs),
        TEST(test_a_signature_is_good_for_five_minutes_each_way),
        TEST(test_a_presigned_read_is_good_until_it_expires),
        TEST(test_a_change_is_repeated_at_once_or_not_at_all),
        TEST(test_a_change_signed_before_the_start_is_refused),
        TEST(test_keys_are_enabled_disabled_and_removed),
        TEST(test_a_failed_allocation_leaves_no_key),
        TEST(test_no_memory_is_no_way_in),
        TEST(test_there_are_only_so_many_keys),
        TEST(test_a_key_that_goes_while_the_body_comes_opens_nothing),
        TEST(test_no_signed_byte_can_be_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
