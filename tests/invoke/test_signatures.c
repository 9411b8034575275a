/* Every way around the verifier that we could think of, on every route there is: none is
 * accepted. Then the verifier gets holes, one reason after the other is forgiven, and for
 * each the same attempts find it. */
#include <stddef.h>

#include "invoke/moment.h"
#include "tests/invoke/door.h"
#include "tests/invoke/signer.h"

#define AT(member) offsetof(struct signer, member)
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define HASH "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" /* of {} */
#define PRESIGNED                                                                                  \
    {                                                                                              \
        FIELD, AT(expires), "60", NULL                                                             \
    }
#define ALWAYS 0
#define NOT_READS 1    /* what is only read may be read again */
#define BY_SERVER (-1) /* the HTTP server has its own reasons */

enum step {
    END,
    /* before it is signed */
    FIELD,  /* at = a */
    HEADER, /* a: b */
    ADD,    /* another header a: b */
    SHIFT,  /* the date by `at` seconds */
    HASHED, /* with the body's hash in a header */
    SIGN,   /* and from here on what is changed under the signature */
    NOT_SIGNED,
    DROP,  /* a header */
    EDIT,  /* in header a, or the query where a is "?": the first b becomes c */
    MORE,  /* appended to the query */
    UPPER, /* in header a, behind b: capital letters */
};

struct change {
    enum step step;
    long at;
    const char *a;
    const char *b;
    const char *c;
};

struct attempt {
    const char *name;
    int reason;
    struct change changes[6];
    int only;
};

/* Most changes need only some of their members. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
static const struct attempt attempts[] = {
#include "tests/invoke/attempts.h"
};
#pragma GCC diagnostic pop
#define ATTEMPTS (sizeof attempts / sizeof attempts[0])

/* --- the verifier, watched ------------------------------------------------------------------- */

static struct {
    int accepted;
    int reason;              /* of the newest */
    enum denial_reason hole; /* what is forgiven */
} watch;

const struct denial *__real_verifier_finish(struct verifier *verifier, struct admission *admission,
                                            struct bytes body, int64_t now_ms,
                                            struct principal *ret_principal);
const struct denial *__wrap_verifier_finish(struct verifier *verifier, struct admission *admission,
                                            struct bytes body, int64_t now_ms,
                                            struct principal *ret_principal);

const struct denial *__wrap_verifier_finish(struct verifier *verifier, struct admission *admission,
                                            struct bytes body, int64_t now_ms,
                                            struct principal *ret_principal)
{
    const struct denial *denial =
        __real_verifier_finish(verifier, admission, body, now_ms, ret_principal);

    watch.reason = (denial != NULL) ? (int)denial->reason : DENIAL_NONE;
    if (denial != NULL && denial->reason == watch.hole) {
        *ret_principal = (struct principal){.tenant = TENANT_DEFAULT};
        denial = NULL;
    }
    watch.accepted += (denial == NULL) ? 1 : 0;
    return denial;
}

/* --- keys ----------------------------------------------------------------------------------------
 */

struct crowd {
    struct door *door;
    struct client client;
    bool is_connected;
    struct access_key_pair good;
    struct access_key_pair disabled;
    struct access_key_pair foreign;
    struct access_key_pair gone;
};

static void add_key(struct crowd *crowd, struct access_key_pair *pair, uint64_t tenant, bool is_on)
{
    access_key_make(pair);
    assert_int_equal(verifier_add_key(crowd->door->verifier, pair, tenant, is_on), 0);
}

static int crowd_set_up(void **state)
{
    static struct crowd crowd;

    crowd = (struct crowd){0};
    watch.accepted = 0;
    watch.hole = DENIAL_NONE;
    (void)door_set_up(state);
    crowd.door = *state;
    add_key(&crowd, &crowd.good, TENANT_DEFAULT, true);
    add_key(&crowd, &crowd.disabled, TENANT_DEFAULT, false);
    add_key(&crowd, &crowd.foreign, TENANT_DEFAULT + 1, true);
    add_key(&crowd, &crowd.gone, TENANT_DEFAULT, true);
    verifier_remove_key(crowd.door->verifier, bytes_of_text(crowd.gone.id));
    *state = &crowd;
    return 0;
}

static int crowd_tear_down(void **state)
{
    struct crowd *crowd = *state;
    void *door = crowd->door;

    if (crowd->is_connected) {
        client_close(&crowd->client);
    }
    return door_tear_down(&door);
}

/* --- changes
 * --------------------------------------------------------------------------------------- */

static char *text_of(struct signer *signer, const char *name)
{
    char *text = (strcmp(name, "?") == 0) ? signer->query : signer_header(signer, name);

    assert_non_null(text);
    return text;
}

static void edit(char *text, size_t max, const char *from, const char *to)
{
    char *at = strstr(text, from);
    char rest[1024];

    if (at == NULL) {
        fail_msg("no '%s' in %s", from, text);
    }
    (void)snprintf(rest, sizeof rest, "%s", at + strlen(from));
    (void)snprintf(at, max - (size_t)(at - text), "%s%s", to, rest);
}

static void raise_letters(char *text, const char *behind)
{
    for (char *c = strstr(text, behind) + strlen(behind); *c != '\0' && *c != ',' && *c != '&';
         c++) {
        *c = (char)((*c >= 'a' && *c <= 'z') ? *c - 32 : *c);
    }
}

static const char *key_text(const struct crowd *crowd, const char *text)
{
    static struct signer now;
    const struct {
        const char *word;
        const char *text;
    } words[] = {
        {"$disabled", crowd->disabled.id},
        {"$disabled-secret", crowd->disabled.secret},
        {"$foreign", crowd->foreign.id},
        {"$foreign-secret", crowd->foreign.secret},
        {"$gone", crowd->gone.id},
        {"$gone-secret", crowd->gone.secret},
        {"$now", now.date},
        {"$bearer", crowd->door->bearer + strlen("Authorization: ")},
    };

    signer_set_date(&now, moment_now_ms() / 1000);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i].word) == 0) {
            return words[i].text;
        }
    }
    return text;
}

static void set_field(const struct crowd *crowd, struct signer *signer, const struct change *change)
{
    const char *text = key_text(crowd, change->a);
    char *field = (char *)signer + change->at;

    if (text[0] == '+') { /* behind what is there */
        field += strlen(field);
        text++;
    }
    memcpy(field, text, strlen(text) + 1);
}

static void set_header(const struct crowd *crowd, struct signer *signer,
                       const struct change *change)
{
    char value[1024];

    (void)snprintf(value, sizeof value, "%s", key_text(crowd, change->b));
    value[strcspn(value, "\r\n")] = '\0';
    if (change->step == HEADER) {
        signer_set_header(signer, change->a, value);
    } else {
        signer_add_header(signer, change->a, value);
    }
}

static void perform(const struct crowd *crowd, struct signer *signer, const struct change *change,
                    int64_t now_s)
{
    switch (change->step) {
    case FIELD:
        set_field(crowd, signer, change);
        break;
    case HEADER:
    case ADD:
        set_header(crowd, signer, change);
        break;
    case SHIFT:
        signer_set_date(signer, now_s + change->at);
        break;
    case HASHED:
        signer_add_hash(signer);
        break;
    case SIGN:
        signer_sign(signer);
        break;
    case DROP:
        signer_drop_header(signer, change->a);
        break;
    case EDIT:
        edit(text_of(signer, change->a), 1024, change->b, change->c);
        break;
    case MORE:
        edit(signer->query, sizeof signer->query, "Zulu=1", change->a);
        break;
    case UPPER:
        raise_letters(text_of(signer, change->a), change->b);
        break;
    case NOT_SIGNED:
    case END:
    default:
        break;
    }
}

static void prepare(const struct crowd *crowd, struct signer *signer, const struct attempt *attempt)
{
    int64_t now_s = moment_now_ms() / 1000;
    bool is_signed = false;

    for (size_t i = 0; i < 6 && attempt->changes[i].step != END; i++) {
        const struct change *change = &attempt->changes[i];

        perform(crowd, signer, change, now_s);
        is_signed = is_signed || change->step == SIGN || change->step == NOT_SIGNED;
    }
    if (!is_signed) {
        signer_sign(signer);
    }
}

/* --- asking
 * ------------------------------------------------------------------------------------------- */

static int send_signer(struct crowd *crowd, const struct signer *signer)
{
    static char text[SIGNER_TEXT_MAX];
    struct reply reply;

    if (crowd->is_connected && crowd->client.is_ended) {
        client_close(&crowd->client);
        crowd->is_connected = false;
    }
    if (!crowd->is_connected) {
        client_open_tcp(&crowd->client, &crowd->door->http);
        crowd->is_connected = true;
    }
    signer_text(signer, text);
    client_say(&crowd->client, text);
    client_reply(&crowd->client, &reply);
    if (strstr(reply.head, "connection: close") != NULL) {
        client_expect_end(&crowd->client);
    }
    return reply.status;
}

static bool is_meant(const struct attempt *attempt, const struct route *route)
{
    return attempt->only == ALWAYS || strcmp(route->method, "GET") != 0;
}

static void try(struct crowd *crowd, const struct attempt *attempt, const struct route *route)
{
    struct signer signer;
    int status;

    signer_init(&signer, route, &crowd->good, moment_now_ms() / 1000);
    prepare(crowd, &signer, attempt);
    watch.reason = BY_SERVER;
    status = send_signer(crowd, &signer);
    if (watch.hole == DENIAL_NONE && (watch.accepted > 0 || status < 400 || fake.asks > 0)) {
        fail_msg("%s: accepted by %s (%d)", attempt->name, route->name, status);
    }
    if (watch.hole == DENIAL_NONE && watch.reason != attempt->reason) {
        fail_msg("%s: refused by %s for reason %d", attempt->name, route->name, watch.reason);
    }
}

/* --- the tests
 * -------------------------------------------------------------------------------------------- */

static void test_no_attempt_is_accepted_by_any_route(void **state)
{
    struct crowd *crowd = *state;
    int count = 0;

    assert_true(ATTEMPTS >= 100);
    for (const struct route *route = routes; route->name != NULL; route++) {
        for (size_t i = 0; i < ATTEMPTS; i++) {
            if (is_meant(&attempts[i], route)) {
                try(crowd, &attempts[i], route);
                count++;
            }
        }
    }
    assert_int_equal(watch.accepted, 0);
    assert_true(count > 6000);
}

static void expect_accepted(struct crowd *crowd, const struct route *route, struct signer *signer)
{
    int before = watch.accepted;

    signer_sign(signer);
    (void)send_signer(crowd, signer);
    if (watch.accepted != before + 1) {
        fail_msg("%s: refused for reason %d", route->name, watch.reason);
    }
}

static void test_what_is_signed_well_is_accepted_by_every_route(void **state)
{
    static const char *const payloads[] = {"", HASH};
    struct crowd *crowd = *state;

    for (const struct route *route = routes; route->name != NULL; route++) {
        for (size_t i = 0; i < 4; i++) {
            struct signer signer;

            signer_init(&signer, route, &crowd->good, moment_now_ms() / 1000);
            if (i < 2 && payloads[i][0] != '\0') {
                signer_add_hash(&signer);
            } else if (i == 2) {
                (void)snprintf(signer.expires, sizeof signer.expires, "60");
            } else if (i == 3) {
                signer_set_header(&signer, "x-amz-tenant-id", "blue team");
                signer_set_header(&signer, "content-type", "application/json");
            }
            expect_accepted(crowd, route, &signer);
        }
    }
}

static void test_no_signature_makes_an_operator(void **state)
{
    struct crowd *crowd = *state;

    for (const struct route *route = routes; route->name != NULL; route++) {
        struct signer signer;

        if (!route->is_operator) {
            continue;
        }
        signer_init(&signer, route, &crowd->good, moment_now_ms() / 1000);
        signer_sign(&signer);
        assert_int_equal(send_signer(crowd, &signer), 403);
    }
}

/* The same bytes again; what the daemon does only once may come twice. */
static void test_a_copy_is_refused_by_every_route_that_changes_something(void **state)
{
    struct crowd *crowd = *state;

    for (const struct route *route = routes; route->name != NULL; route++) {
        bool is_read = strcmp(route->method, "GET") == 0;
        struct signer signer;
        int before;

        signer_init(&signer, route, &crowd->good, moment_now_ms() / 1000);
        signer_sign(&signer);
        (void)send_signer(crowd, &signer);
        before = watch.accepted;
        (void)send_signer(crowd, &signer);
        assert_int_equal(watch.accepted - before, is_read ? 1 : 0);
        assert_int_equal(watch.reason, is_read ? DENIAL_NONE : DENIAL_REPLAY);
    }
}

static void test_what_is_done_once_may_be_asked_twice(void **state)
{
    static const char *const headers[][2] = {{"x-amz-invocation-type", "Event"},
                                             {"x-amz-durable-execution-name", "order-7"}};
    struct crowd *crowd = *state;
    const struct route *route = routes;

    while (strcmp(route->name, "Invoke") != 0) {
        route++;
    }
    for (size_t i = 0; i < 2; i++) {
        struct signer signer;

        signer_init(&signer, route, &crowd->good, moment_now_ms() / 1000);
        signer_set_header(&signer, headers[i][0], headers[i][1]);
        signer_sign(&signer);
        (void)send_signer(crowd, &signer);
        (void)send_signer(crowd, &signer);
        assert_int_equal(watch.accepted, 2 * (int)i + 2);
    }
}

static void test_each_hole_is_found(void **state)
{
    static const enum denial_reason reasons[] = {
        DENIAL_ORIGIN,   DENIAL_HOST,  DENIAL_BEARER,  DENIAL_MISSING, DENIAL_TWICE,
        DENIAL_FORM,     DENIAL_PATH,  DENIAL_HEADERS, DENIAL_PAYLOAD, DENIAL_EXPIRES,
        DENIAL_UNSIGNED, DENIAL_SCOPE, DENIAL_TIME,    DENIAL_SESSION, DENIAL_MISMATCH,
        DENIAL_DIGEST,   DENIAL_REPLAY};
    struct crowd *crowd = *state;
    const struct route *route = &routes[0]; /* it changes something */

    for (size_t n = 0; n < sizeof reasons / sizeof reasons[0]; n++) {
        watch.hole = reasons[n];
        watch.accepted = 0;
        for (size_t i = 0; i < ATTEMPTS; i++) {
            try(crowd, &attempts[i], route);
        }
        if (watch.accepted == 0) {
            fail_msg("no attempt finds a verifier that forgives reason %d", reasons[n]);
        }
    }
}

/* The three that nobody must be able to tell apart. */
static void test_unknown_disabled_and_wrong_are_one_answer(void **state)
{
    struct crowd *crowd = *state;
    const struct access_key_pair pairs[] = {crowd->disabled, crowd->foreign, crowd->gone};
    char first[2048] = "";

    for (size_t i = 0; i < 8; i++) {
        struct signer signer;
        struct reply reply;
        char text[SIGNER_TEXT_MAX];
        char seen[2048];

        signer_init(&signer, &routes[0], (i / 2 < 3) ? &pairs[i / 2] : &crowd->good,
                    moment_now_ms() / 1000);
        if (i / 2 == 3) {
            signer.secret[0] ^= 1;
        }
        if (i % 2 == 1) {
            signer_add_hash(&signer);
        }
        signer_sign(&signer);
        signer_text(&signer, text);
        client_open_tcp(&crowd->client, &crowd->door->http);
        client_say(&crowd->client, text);
        client_reply(&crowd->client, &reply);
        assert_int_equal(reply.status, 403);
        assert_non_null(strstr(reply.head, "x-amzn-errortype: InvalidSignatureException"));
        (void)snprintf(seen, sizeof seen, "%.*s", (int)reply.body.len,
                       (const char *)reply.body.data);
        if (i > 0) {
            assert_string_equal(seen, first);
        }
        (void)snprintf(first, sizeof first, "%s", seen);
        client_close(&crowd->client);
    }
}

/* --- bodies
 * ------------------------------------------------------------------------------------------------
 */

static int announce(struct crowd *crowd, const struct access_key_pair *pair, bool is_hashed)
{
    struct client client;
    struct reply reply;
    struct signer signer;
    char text[SIGNER_TEXT_MAX];
    char *length;

    signer_init(&signer, &routes[0], pair, moment_now_ms() / 1000);
    if (is_hashed) {
        signer_set_header(&signer, "x-amz-content-sha256", ZEROS);
        (void)snprintf(signer.payload, sizeof signer.payload, ZEROS);
    }
    signer_set_header(&signer, "expect", "100-continue");
    signer_sign(&signer);
    signer_text(&signer, text);
    length = strstr(text, "content-length: ");
    (void)snprintf(length, 64, "content-length: 100000\r\n\r\n");
    client_open_tcp(&client, &crowd->door->http);
    client_say(&client, text);
    client_reply(&client, &reply);
    client_close(&client);
    return reply.status;
}

static void test_only_who_has_a_key_may_send_a_large_body(void **state)
{
    struct crowd *crowd = *state;
    struct access_key_pair wrong = crowd->good;

    wrong.secret[0] ^= 1;
    assert_int_equal(announce(crowd, &crowd->good, false), 100);
    assert_int_equal(announce(crowd, &crowd->good, true), 100);
    assert_int_equal(announce(crowd, &wrong, true), 413);
    assert_int_equal(announce(crowd, &crowd->gone, true), 413);
    assert_int_equal(announce(crowd, &crowd->disabled, true), 413);
    assert_int_equal(announce(crowd, &crowd->gone, false), 413);
    assert_int_equal(announce(crowd, &crowd->disabled, false), 413);
    assert_int_equal(announce(crowd, &crowd->foreign, false), 413);
    /* The signature over the body is not known yet: docs/limits.md. */
    assert_int_equal(announce(crowd, &wrong, false), 100);
}

/* A body that is hashed by a thread, with one byte changed or none. */
static int send_large(struct crowd *crowd, bool is_hashed, size_t changed)
{
    static char body[400000];
    char text[SIGNER_TEXT_MAX];
    char hash[SIGV4_HEX_LEN + 1] = {0};
    struct signer signer;
    struct client client;
    struct reply reply;

    memset(body, 'a', sizeof body);
    sigv4_hash(bytes_of(body, sizeof body), hash);
    body[changed] = (changed > 0) ? 'b' : 'a';
    signer_init(&signer, &routes[0], &crowd->good, moment_now_ms() / 1000);
    (void)snprintf(signer.payload, sizeof signer.payload, "%s", hash);
    if (is_hashed) {
        signer_set_header(&signer, "x-amz-content-sha256", hash);
    }
    signer_set_header(&signer, "amz-sdk-invocation-id", is_hashed ? "one" : "two");
    signer_sign(&signer);
    signer_text(&signer, text);
    (void)snprintf(strstr(text, "content-length: "), 64, "content-length: %zu\r\n\r\n",
                   sizeof body);
    client_open_tcp(&client, &crowd->door->http);
    client_say(&client, text);
    client_send(&client, body, sizeof body);
    client_reply(&client, &reply);
    client_close(&client);
    return watch.reason;
}

static void test_large_bodies_are_checked_like_small_ones(void **state)
{
    struct crowd *crowd = *state;

    assert_int_equal(send_large(crowd, true, 399999), DENIAL_DIGEST);
    assert_int_equal(send_large(crowd, false, 1), DENIAL_MISMATCH);
    assert_int_equal(watch.accepted, 0);
    assert_int_equal(send_large(crowd, true, 0), DENIAL_NONE);
    assert_int_equal(send_large(crowd, false, 0), DENIAL_NONE);
    assert_int_equal(watch.accepted, 2);
}

/* It leaves while its body is being hashed: answered to nobody, and nothing is lost. */
static void test_a_client_that_leaves_meanwhile_is_no_harm(void **state)
{
    struct crowd *crowd = *state;
    struct client client;
    struct signer signer;
    char text[SIGNER_TEXT_MAX];
    static char body[300000];

    signer_init(&signer, &routes[0], &crowd->good, moment_now_ms() / 1000);
    signer_sign(&signer);
    signer_text(&signer, text);
    (void)snprintf(strstr(text, "content-length: "), 64, "content-length: %zu\r\n\r\n",
                   sizeof body);
    watch.reason = BY_SERVER;
    client_open_tcp(&client, &crowd->door->http);
    client_say(&client, text);
    client_send(&client, body, sizeof body);
    client_close(&client);
    WAIT_FOR(&crowd->door->http, watch.reason != BY_SERVER);
    assert_int_equal(watch.reason, DENIAL_MISMATCH);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, crowd_set_up, crowd_tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_no_attempt_is_accepted_by_any_route),
        TEST(test_what_is_signed_well_is_accepted_by_every_route),
        TEST(test_no_signature_makes_an_operator),
        TEST(test_a_copy_is_refused_by_every_route_that_changes_something),
        TEST(test_what_is_done_once_may_be_asked_twice),
        TEST(test_each_hole_is_found),
        TEST(test_unknown_disabled_and_wrong_are_one_answer),
        TEST(test_only_who_has_a_key_may_send_a_large_body),
        TEST(test_large_bodies_are_checked_like_small_ones),
        TEST(test_a_client_that_leaves_meanwhile_is_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
