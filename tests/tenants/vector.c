#include "tests/tenants/vector.h"

#include <ctype.h>
#include <stdio.h>

#include "tenants/claim.h"
#include "tests/tenants/sigv4_vectors.h"

#define TEXT_MAX 2048

const struct vector *const vectors = vectors_made;
const size_t vector_count = sizeof vectors_made / sizeof vectors_made[0];
const struct access_key_pair vector_pair = {.id = "AKIAIOSFODNN7EXAMPLE", .secret = VECTOR_SECRET};

const struct vector *vector_find(const char *name)
{
    for (size_t i = vector_count; i > 0; i--) {
        if (strcmp(vectors[i - 1].name, name) == 0) {
            return &vectors[i - 1];
        }
    }
    fail_msg("there is no vector %s", name);
    return NULL;
}

struct bytes vector_body(const struct vector *vector)
{
    return bytes_of(vector->body, vector->body_len);
}

struct request_head vector_head(const struct vector *vector,
                                struct request_header headers[VECTOR_HEADERS_MAX])
{
    struct request_head head = {.method = bytes_of_text(vector->method),
                                .path = bytes_of_text(vector->path),
                                .query = bytes_of_text(vector->query),
                                .headers = headers};

    while (head.header_count < VECTOR_HEADERS_MAX &&
           vector->headers[head.header_count].name != NULL) {
        size_t i = head.header_count++;

        headers[i] = (struct request_header){.name = bytes_of_text(vector->headers[i].name),
                                             .value = bytes_of_text(vector->headers[i].value)};
    }
    return head;
}

struct verifier *vector_verifier(struct fixture *fixture)
{
    struct verifier *verifier = NULL;

    assert_int_equal(verifier_create(&verifier, fixture->dir, "us-east-1",
                                     (VECTOR_NOW_S - 3600) * (int64_t)1000),
                     0);
    assert_int_equal(verifier_add_key(verifier, &vector_pair, TENANT_DEFAULT, true), 0);
    return verifier;
}

static enum denial_reason ask(struct verifier *verifier, const struct request_head *head,
                              struct bytes body, int64_t now_s)
{
    const struct credentials credentials = {
        .kind = CREDENTIALS_TCP, .head = *head, .now_ms = now_s * 1000};
    struct principal principal = {0};
    const struct denial *denial;
    struct admission *admission;
    enum denial_reason reason;
    struct arena arena;

    arena_init(&arena, 0);
    admission = verifier_admit(verifier, &credentials, &arena);
    assert_non_null(admission);
    denial = verifier_finish(verifier, admission, body, credentials.now_ms, &principal);
    reason = (denial != NULL) ? denial->reason : DENIAL_NONE;
    assert_int_equal(principal.tenant, (denial == NULL) ? TENANT_DEFAULT : 0);
    assert_false(principal.is_operator);
    arena_fini(&arena);
    return reason;
}

enum denial_reason vector_ask(struct verifier *verifier, const struct vector *vector, int64_t now_s)
{
    struct request_header headers[VECTOR_HEADERS_MAX];
    struct request_head head = vector_head(vector, headers);

    return ask(verifier, &head, vector_body(vector), now_s);
}

/* --- changes ------------------------------------------------------------------------------ */

/* What a change may be without one: digits of a percent-encoding may be of either case. */
static bool is_same_meaning(struct bytes text, size_t at, uint8_t changed)
{
    return tolower(text.data[at]) == tolower(changed) && isxdigit(changed) && at > 0 &&
           (text.data[at - 1] == '%' || (at > 1 && text.data[at - 2] == '%'));
}

/* `part` is of the head, or `body`. */
static size_t change_each(struct verifier *verifier, const struct request_head *head,
                          const struct bytes *body, struct bytes *part)
{
    struct bytes kept = *part;
    uint8_t text[TEXT_MAX];
    size_t count = 0;

    assert_true(kept.len <= sizeof text);
    for (size_t i = 0; i < kept.len; i++) {
        for (unsigned bit = 1; bit < 128; bit <<= 1) {
            memcpy(text, kept.data, kept.len);
            text[i] ^= (uint8_t)bit;
            *part = bytes_of(text, kept.len);
            if (!is_same_meaning(kept, i, text[i]) &&
                ask(verifier, head, *body, VECTOR_NOW_S) == DENIAL_NONE) {
                fail_msg("changed to %.*s it is admitted", (int)kept.len, (const char *)text);
            }
            count++;
        }
    }
    *part = kept;
    return count;
}

size_t vector_change_bytes(struct fixture *fixture, const struct vector *vector)
{
    struct verifier *verifier = vector_verifier(fixture);
    struct request_header headers[VECTOR_HEADERS_MAX];
    struct request_head head = vector_head(vector, headers);
    struct bytes body = vector_body(vector);
    size_t count = 0;

    count += change_each(verifier, &head, &body, &head.method);
    count += change_each(verifier, &head, &body, &head.path);
    count += change_each(verifier, &head, &body, &head.query);
    for (size_t i = 0; i < head.header_count; i++) {
        bool is_free = bytes_equal(headers[i].name, bytes_of_text("accept-encoding")) ||
                       bytes_equal(headers[i].name, bytes_of_text("content-length"));

        count += is_free ? 0 : change_each(verifier, &head, &body, &headers[i].value);
    }
    count += change_each(verifier, &head, &body, &body);
    assert_int_equal(ask(verifier, &head, body, VECTOR_NOW_S), DENIAL_NONE);
    verifier_destroy(verifier);
    return count;
}
