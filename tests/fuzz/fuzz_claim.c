/* What a request says about its signature: the first byte says where it stands, the rest is
 * an Authorization header, or a query. Whatever is read of it must have the form that the
 * verifier counts on, and a canonical form must come out or be refused. */
#include <string.h>

#include "tenants/claim.h"
#include "tenants/sigv4.h"
#include "tests/fuzz/target.h"

static bool is_within(struct bytes part, struct bytes whole)
{
    return part.len == 0 ||
           (part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

static void check_claim(const struct claim *claim)
{
    struct bytes names = claim->signed_headers;
    int64_t date_s;

    assert(claim->key_id.len > 0 && memchr(claim->key_id.data, '/', claim->key_id.len) == NULL);
    assert(claim->day.len == SIGV4_DAY_LEN && is_within(claim->day, claim->scope));
    assert(claim->region.len > 0 && is_within(claim->region, claim->scope));
    assert(claim->signature.len == SIGV4_HEX_LEN);
    assert(sigv4_parse_date(claim->date, &date_s) && date_s == claim->date_s);
    assert(claim->is_query == (claim->expires_s > 0));
    assert(names.len > 0);
    while (names.len > 0) {
        struct bytes name = sigv4_take(&names, ';');

        assert(name.len > 0 && claim_signs(claim, name));
    }
}

static void try(const struct request_head *head)
{
    struct claim claim;
    struct arena arena;

    arena_init(&arena, (size_t)1 << 20);
    if (claim_find(head) == CLAIM_SIGNED && claim_read(head, &arena, &claim) == NULL) {
        check_claim(&claim);
        (void)sigv4_canonical(&arena, head, claim.signed_headers);
    }
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct bytes date = {(const uint8_t *)"20261123T161536Z", SIGV4_DATE_LEN};
    struct request_header headers[] = {
        {.name = bytes_of_text("host"), .value = bytes_of_text("localhost")},
        {.name = bytes_of_text("x-amz-date"), .value = date},
        {.name = bytes_of_text("authorization")},
    };
    struct request_head head = {.method = bytes_of_text("POST"),
                                .path = bytes_of_text("/a%3Ab"),
                                .headers = headers,
                                .header_count = 1};

    if (size < 1 || size > 8192) {
        return 0;
    }
    if (data[0] % 2 == 0) {
        headers[2].value = bytes_of(data + 1, size - 1);
        head.header_count = 3;
    } else {
        head.query = bytes_of(data + 1, size - 1);
    }
    try(&head);
    return 0;
}
