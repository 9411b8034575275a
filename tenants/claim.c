#include "tenants/claim.h"

#include <strings.h>

#include "engine/base/percent.h"
#include "tenants/sigv4.h"

#define ALGORITHM_LEN (sizeof SIGV4_ALGORITHM - 1)
#define PREFIX "x-amz-"
#define PREFIX_LEN (sizeof PREFIX - 1)
#define NAME_MAX_LEN 24U /* longer than any parameter of a signature */

static bool is_text(struct bytes bytes, const char *text)
{
    return bytes_equal(bytes, bytes_of_text(text));
}

static bool starts_with(struct bytes bytes, const char *lower, size_t len)
{
    return bytes.len >= len && strncasecmp((const char *)bytes.data, lower, len) == 0;
}

/* --- parameters -------------------------------------------------------------------------- */

/* The decoded beginning of a name, in as many bytes as matter. */
static struct bytes decode_name(struct bytes name, uint8_t out[NAME_MAX_LEN])
{
    size_t len = 0;

    while (name.len > 0 && len < NAME_MAX_LEN) {
        int c = percent_take(&name);

        if (c < 0) {
            break;
        }
        out[len++] = (uint8_t)c;
    }
    return bytes_of(out, len);
}

static bool has_parameters(struct bytes query)
{
    while (query.len > 0) {
        struct bytes name = sigv4_take(&query, '&');
        uint8_t text[NAME_MAX_LEN];

        if (starts_with(decode_name(sigv4_take(&name, '='), text), PREFIX, PREFIX_LEN)) {
            return true;
        }
    }
    return false;
}

enum claim_kind claim_find(const struct request_head *head)
{
    static const struct bytes name = {(const uint8_t *)"authorization", 13};
    struct bytes authorization = request_header(head, name, 0);
    bool is_presigned = has_parameters(head->query);

    if (request_header(head, name, 1).data != NULL ||
        (authorization.data != NULL && is_presigned)) {
        return CLAIM_TWICE;
    }
    if (is_presigned || starts_with(authorization, "aws4-", 5)) {
        return CLAIM_SIGNED;
    }
    return (authorization.data != NULL) ? CLAIM_OTHER : CLAIM_NONE;
}

/* --- what both forms have ----------------------------------------------------------------- */

static const char *read_credential(struct bytes text, struct claim *claim)
{
    struct bytes rest = text;

    claim->key_id = sigv4_take(&rest, '/');
    claim->scope = rest;
    claim->day = sigv4_take(&rest, '/');
    claim->region = sigv4_take(&rest, '/');
    claim->service = sigv4_take(&rest, '/');
    claim->terminator = rest;
    if (claim->key_id.len == 0 || claim->day.len != SIGV4_DAY_LEN || claim->region.len == 0 ||
        claim->service.len == 0 || claim->terminator.len == 0 || text.len > 256) {
        return "Credential must be KEY/YYYYMMDD/REGION/" SIGV4_SERVICE "/" SIGV4_TERMINATOR ".";
    }
    return NULL;
}

/* Of a header's name in the list. */
static bool is_name(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_' &&
            c != '.') {
            return false;
        }
    }
    return name.len > 0;
}

static bool is_after(struct bytes name, struct bytes before)
{
    size_t len = (name.len < before.len) ? name.len : before.len;
    int order = (len > 0) ? memcmp(name.data, before.data, len) : 0;

    return order > 0 || (order == 0 && name.len > before.len);
}

static const char *read_signed_headers(struct bytes text, struct claim *claim)
{
    struct bytes rest = text;
    struct bytes before = {0};

    claim->signed_headers = text;
    if (text.len == 0 || text.data[text.len - 1] == ';') {
        return "SignedHeaders must be names of headers with ';' between them.";
    }
    while (rest.len > 0) {
        struct bytes name = sigv4_take(&rest, ';');

        if (!is_name(name) || !is_after(name, before)) {
            return "SignedHeaders must be in lower case, in ascending order, and each once.";
        }
        before = name;
    }
    return NULL;
}

static const char *read_signature(struct bytes text, struct claim *claim)
{
    claim->signature = text;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) {
            return "Signature must be hexadecimal, in lower case.";
        }
    }
    return (text.len == SIGV4_HEX_LEN) ? NULL : "Signature must have 64 digits.";
}

static const char *read_date(struct bytes text, struct claim *claim)
{
    claim->date = text;
    return sigv4_parse_date(text, &claim->date_s)
               ? NULL
               : "X-Amz-Date must have the form 20261123T161536Z.";
}

/* --- the header ---------------------------------------------------------------------------- */

/* Takes "Name=value" off, and the ',' with its spaces behind it. */
static bool take_part(struct bytes *rest, const char *name, struct bytes *ret_value)
{
    struct bytes part = sigv4_take(rest, ',');
    size_t len = strlen(name);

    while (rest->len > 0 && rest->data[0] == ' ') {
        *rest = bytes_of(rest->data + 1, rest->len - 1);
    }
    if (part.len < len || memcmp(part.data, name, len) != 0) {
        return false;
    }
    *ret_value = bytes_of(part.data + len, part.len - len);
    return true;
}

static const char *read_header(const struct request_head *head, struct bytes text,
                               struct claim *claim)
{
    struct bytes credential, signed_headers, signature;
    const char *problem;

    if (text.len <= ALGORITHM_LEN || memcmp(text.data, SIGV4_ALGORITHM " ", ALGORITHM_LEN + 1)) {
        return "The only algorithm is " SIGV4_ALGORITHM ".";
    }
    text = bytes_of(text.data + ALGORITHM_LEN + 1, text.len - ALGORITHM_LEN - 1);
    if (!take_part(&text, "Credential=", &credential) ||
        !take_part(&text, "SignedHeaders=", &signed_headers) ||
        !take_part(&text, "Signature=", &signature) || text.len > 0) {
        return "Authorization must have Credential, SignedHeaders and Signature, in this order "
               "and with ',' between them.";
    }
    problem = read_credential(credential, claim);
    problem = (problem == NULL) ? read_signed_headers(signed_headers, claim) : problem;
    problem = (problem == NULL) ? read_signature(signature, claim) : problem;
    claim->token = request_header(head, bytes_of_text("x-amz-security-token"), 0);
    claim->payload = request_header(head, bytes_of_text("x-amz-content-sha256"), 0);
    return (problem == NULL)
               ? read_date(request_header(head, bytes_of_text("x-amz-date"), 0), claim)
               : problem;
}

/* --- the query ------------------------------------------------------------------------------ */

enum parameter { ALGORITHM, CREDENTIAL, DATE, EXPIRES, HEADERS, SIGNATURE, TOKEN, PAYLOAD, COUNT };

static const char *const parameter_names[COUNT] = {
    [ALGORITHM] = "X-Amz-Algorithm",
    [CREDENTIAL] = "X-Amz-Credential",
    [DATE] = "X-Amz-Date",
    [EXPIRES] = "X-Amz-Expires",
    [HEADERS] = "X-Amz-SignedHeaders",
    [SIGNATURE] = "X-Amz-Signature",
    [TOKEN] = "X-Amz-Security-Token",
    [PAYLOAD] = "X-Amz-Content-Sha256",
};

static int find_parameter(struct bytes name)
{
    for (int i = 0; i < COUNT; i++) {
        if (is_text(name, parameter_names[i])) {
            return i;
        }
    }
    return -1;
}

/* Of those that begin with X-Amz-, however it is written, each must be known, and come once. */
static const char *collect(struct bytes query, struct arena *arena, struct bytes values[COUNT])
{
    while (query.len > 0) {
        struct bytes value = sigv4_take(&query, '&');
        struct bytes raw = sigv4_take(&value, '=');
        uint8_t text[NAME_MAX_LEN];
        struct bytes name = decode_name(raw, text);
        int which = find_parameter(name);

        if (!starts_with(name, PREFIX, PREFIX_LEN)) {
            continue;
        }
        if (which < 0) {
            return "The query has a parameter X-Amz-... that is not of a signature: send it as a "
                   "header.";
        }
        if (values[which].data != NULL) {
            return "A parameter of the signature is there twice.";
        }
        values[which] = percent_decode(value, arena);
        if (values[which].data == NULL) {
            return "A parameter of the signature is malformed.";
        }
    }
    return NULL;
}

static const char *read_expires(struct bytes text, struct claim *claim)
{
    int64_t seconds = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || i >= 6) {
            return "X-Amz-Expires must be a number of seconds from 1 to 604800.";
        }
        seconds = seconds * 10 + (text.data[i] - '0');
    }
    claim->expires_s = seconds;
    return (seconds >= 1 && seconds <= CLAIM_EXPIRES_S_MAX)
               ? NULL
               : "X-Amz-Expires must be a number of seconds from 1 to 604800.";
}

/* What a presigned request says, it says in its query. */
static const char *check_headers(const struct request_head *head)
{
    if (request_header(head, bytes_of_text("x-amz-date"), 0).data != NULL ||
        request_header(head, bytes_of_text("x-amz-security-token"), 0).data != NULL ||
        request_header(head, bytes_of_text("x-amz-content-sha256"), 0).data != NULL) {
        return "A presigned request has X-Amz-Date, -Security-Token and -Content-Sha256 in its "
               "query, not in headers.";
    }
    return NULL;
}

static const char *read_query(const struct request_head *head, struct arena *arena,
                              struct claim *claim)
{
    struct bytes values[COUNT] = {{0}};
    const char *problem = collect(head->query, arena, values);

    claim->is_query = true;
    problem = (problem == NULL) ? check_headers(head) : problem;
    if (problem != NULL) {
        return problem;
    }
    for (int i = 0; i <= SIGNATURE; i++) {
        if (values[i].data == NULL) {
            return "A presigned request needs X-Amz-Algorithm, -Credential, -Date, -Expires, "
                   "-SignedHeaders and -Signature.";
        }
    }
    if (!is_text(values[ALGORITHM], SIGV4_ALGORITHM)) {
        return "The only algorithm is " SIGV4_ALGORITHM ".";
    }
    claim->token = values[TOKEN];
    claim->payload = values[PAYLOAD];
    problem = read_credential(values[CREDENTIAL], claim);
    problem = (problem == NULL) ? read_signed_headers(values[HEADERS], claim) : problem;
    problem = (problem == NULL) ? read_signature(values[SIGNATURE], claim) : problem;
    problem = (problem == NULL) ? read_expires(values[EXPIRES], claim) : problem;
    return (problem == NULL) ? read_date(values[DATE], claim) : problem;
}

/* --- both ------------------------------------------------------------------------------------ */

const char *claim_read(const struct request_head *head, struct arena *arena,
                       struct claim *ret_claim)
{
    struct bytes authorization = request_header(head, bytes_of_text("authorization"), 0);

    *ret_claim = (struct claim){0};
    return (authorization.data != NULL) ? read_header(head, authorization, ret_claim)
                                        : read_query(head, arena, ret_claim);
}

bool claim_signs(const struct claim *claim, struct bytes lower_name)
{
    struct bytes rest = claim->signed_headers;

    while (rest.len > 0) {
        if (bytes_equal(sigv4_take(&rest, ';'), lower_name)) {
            return true;
        }
    }
    return false;
}
