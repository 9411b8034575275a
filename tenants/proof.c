#include "tenants/proof.h"

#include <stdio.h>
#include <time.h>

#include "engine/base/percent.h"
#include "tenants/replay.h"
#include "tenants/sigv4.h"

static bool is_text(struct bytes bytes, const char *text)
{
    return bytes_equal(bytes, bytes_of_text(text));
}

/* --- scope and time ------------------------------------------------------------------- */

static bool check_scope(const struct claim *claim, const char *region, struct denial *denial)
{
    if (!is_text(claim->service, SIGV4_SERVICE) || !is_text(claim->terminator, SIGV4_TERMINATOR)) {
        return denial_set(denial, DENIAL_SCOPE,
                          "Credential should be scoped to the service " SIGV4_SERVICE
                          " and end with " SIGV4_TERMINATOR ".");
    }
    if (!is_text(claim->region, region)) {
        return denial_set(denial, DENIAL_SCOPE,
                          "Credential should be scoped to a valid region: it is %s here.", region);
    }
    if (memcmp(claim->day.data, claim->date.data, SIGV4_DAY_LEN) != 0) {
        return denial_set(denial, DENIAL_SCOPE,
                          "Date in Credential scope does not match the day of X-Amz-Date.");
    }
    return true;
}

static void format_date(int64_t now_s, char text[SIGV4_DATE_LEN + 1])
{
    time_t moment = (time_t)now_s;
    struct tm parts = {0};

    (void)gmtime_r(&moment, &parts);
    (void)strftime(text, SIGV4_DATE_LEN + 1, "%Y%m%dT%H%M%SZ", &parts);
}

static bool check_time(const struct claim *claim, int64_t now_s, struct denial *denial)
{
    int64_t good_s = claim->is_query ? claim->expires_s : REPLAY_WINDOW_S;
    char now[SIGV4_DATE_LEN + 1];

    format_date(now_s, now);
    if (claim->date_s > now_s + REPLAY_WINDOW_S) {
        return denial_set(denial, DENIAL_TIME,
                          "Signature not yet current: %.*s is more than 5 minutes later than the "
                          "daemon's clock, %s.",
                          (int)claim->date.len, (const char *)claim->date.data, now);
    }
    if (now_s > claim->date_s + good_s) {
        return denial_set(denial, DENIAL_TIME,
                          "Signature expired: %.*s was good for %lld seconds, and the daemon's "
                          "clock says %s.",
                          (int)claim->date.len, (const char *)claim->date.data, (long long)good_s,
                          now);
    }
    return true;
}

/* A copy of what changes something is remembered for as long as the window is. */
static bool check_expires(const struct request_head *head, const struct claim *claim,
                          struct denial *denial)
{
    if (claim->expires_s > REPLAY_WINDOW_S && !proof_is_read(head)) {
        return denial_set(denial, DENIAL_EXPIRES,
                          "A presigned request that changes something may be good for at most %d "
                          "seconds (X-Amz-Expires).",
                          REPLAY_WINDOW_S);
    }
    return true;
}

/* --- the path --------------------------------------------------------------------------- */

/* Of a segment, decoded: no zero byte, and no "." or ".." between its slashes. */
static bool is_segment(struct bytes segment)
{
    size_t len = 0; /* since the last slash */
    bool is_dots = true;

    for (;;) {
        int c = (segment.len > 0) ? percent_take(&segment) : '/';
        bool is_end = segment.len == 0 && c == '/';

        if (c <= 0) {
            return false;
        }
        if (c == '/') {
            if (len > 0 && len <= 2 && is_dots) {
                return false;
            }
            len = 0;
            is_dots = true;
        } else {
            len++;
            is_dots = is_dots && c == '.';
        }
        if (is_end) {
            return true;
        }
    }
}

static bool check_path(const struct request_head *head, struct denial *denial)
{
    struct bytes rest = head->path;
    bool is_good = rest.len > 0 && rest.data[0] == '/';

    (void)sigv4_take(&rest, '/');
    while (is_good && rest.len > 0) {
        struct bytes segment = sigv4_take(&rest, '/');

        is_good = segment.len > 0 && is_segment(segment);
    }
    return is_good || denial_set(denial, DENIAL_PATH,
                                 "The path of a signed request must begin with '/' and have no "
                                 "empty segment, no '.', no '..' and no zero byte.");
}

/* --- headers ------------------------------------------------------------------------------ */

static bool is_to_be_signed(struct bytes name)
{
    static const char prefix[] = "x-amz-";

    return (name.len >= sizeof prefix - 1 && memcmp(name.data, prefix, sizeof prefix - 1) == 0) ||
           is_text(name, "host") || is_text(name, "content-type");
}

static bool check_header(const struct request_header *header, const struct claim *claim,
                         struct denial *denial)
{
    if (!is_to_be_signed(header->name)) {
        return true;
    }
    if (!claim_signs(claim, header->name)) {
        return denial_set(denial, DENIAL_UNSIGNED,
                          "'%.*s' must be a 'SignedHeader' in the AWS Authorization.",
                          (int)((header->name.len < 100) ? header->name.len : 100),
                          (const char *)header->name.data);
    }
    if (sigv4_is_folded(header->value)) {
        return denial_set(denial, DENIAL_HEADERS,
                          "The value of a signed header must have single spaces only: another one "
                          "would have the same signature.");
    }
    return true;
}

/* Each name of the list must be a header's, and of one header. */
static bool check_list(const struct request_head *head, const struct claim *claim,
                       struct denial *denial)
{
    struct bytes rest = claim->signed_headers;

    while (rest.len > 0) {
        struct bytes name = sigv4_take(&rest, ';');
        int shown = (int)((name.len < 100) ? name.len : 100);

        if (request_header(head, name, 0).data == NULL) {
            return denial_set(denial, DENIAL_HEADERS,
                              "SignedHeaders has '%.*s', and the request does not.", shown,
                              (const char *)name.data);
        }
        if (request_header(head, name, 1).data != NULL) {
            return denial_set(denial, DENIAL_HEADERS,
                              "The signed header '%.*s' is there more than once.", shown,
                              (const char *)name.data);
        }
    }
    return true;
}

static bool check_headers(const struct request_head *head, const struct claim *claim,
                          struct denial *denial)
{
    if (!claim_signs(claim, bytes_of_text("host")) ||
        (!claim->is_query && !claim_signs(claim, bytes_of_text("x-amz-date")))) {
        return denial_set(denial, DENIAL_UNSIGNED,
                          "'Host' and 'X-Amz-Date' must be a 'SignedHeader' in the AWS "
                          "Authorization.");
    }
    for (size_t i = 0; i < head->header_count; i++) {
        if (!check_header(&head->headers[i], claim, denial)) {
            return false;
        }
    }
    return check_list(head, claim, denial);
}

/* --- the payload and the session -------------------------------------------------------------- */

static bool check_payload(const struct claim *claim, struct denial *denial)
{
    bool is_hash = claim->payload.len == SIGV4_HEX_LEN;

    for (size_t i = 0; is_hash && i < claim->payload.len; i++) {
        uint8_t c = claim->payload.data[i];

        is_hash = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    }
    return claim->payload.data == NULL || is_hash ||
           denial_set(denial, DENIAL_PAYLOAD,
                      "x-amz-content-sha256 must be the SHA-256 of the body in lower-case "
                      "hexadecimal: UNSIGNED-PAYLOAD and STREAMING-... are not accepted.");
}

static bool check_session(const struct claim *claim, struct denial *denial)
{
    return claim->token.data == NULL ||
           denial_set(denial, DENIAL_SESSION,
                      "The security token included in the request is invalid: access keys of Pawl "
                      "have no session token; unset AWS_SESSION_TOKEN.");
}

/* --- all of it -----------------------------------------------------------------------------------
 */

bool proof_check(const struct request_head *head, const struct claim *claim, const char *region,
                 int64_t now_ms, struct denial *denial)
{
    return check_scope(claim, region, denial) && check_time(claim, now_ms / 1000, denial) &&
           check_expires(head, claim, denial) && check_path(head, denial) &&
           check_payload(claim, denial) && check_headers(head, claim, denial) &&
           check_session(claim, denial);
}

bool proof_is_read(const struct request_head *head)
{
    return is_text(head->method, "GET") || is_text(head->method, "HEAD");
}

/* What begins with x-amz- was signed; the client's id need not be. */
bool proof_is_done_once(const struct request_head *head, const struct claim *claim)
{
    struct bytes type = request_header(head, bytes_of_text("x-amz-invocation-type"), 0);

    return request_header(head, bytes_of_text("x-amz-durable-execution-name"), 0).data != NULL ||
           (is_text(type, "Event") && claim_signs(claim, bytes_of_text("amz-sdk-invocation-id")));
}
