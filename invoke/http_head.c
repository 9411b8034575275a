#include "invoke/http_head.h"

#include <strings.h>

#define STATUS_BAD 400
#define STATUS_LINE_TOO_LONG 414
#define STATUS_EXPECTATION 417
#define STATUS_HEAD_TOO_LARGE 431
#define STATUS_NO_MEMORY 503
#define STATUS_CODING 501
#define STATUS_VERSION 505

void http_head_reset(struct http_head *head)
{
    struct buf text = head->text;

    text.len = 0;
    text.failed = false;
    head->text = text;
    head->method = (struct http_span){0};
    head->path = (struct http_span){0};
    head->query = (struct http_span){0};
    head->authority = (struct http_span){0};
    head->line_at = 0;
    head->fields_at = 0;
    head->field_count = 0;
    head->minor = 1;
    head->is_blank_seen = false;
    head->trailer_bytes_max = 0;
    head->reason = NULL;
}

void http_head_reset_to_trailers(struct http_head *head, uint16_t bytes_max)
{
    http_head_reset(head);
    head->trailer_bytes_max = bytes_max;
}

void http_head_fini(struct http_head *head)
{
    buf_fini(&head->text);
}

static int refuse(struct http_head *head, int status, const char *reason)
{
    head->reason = reason;
    return status;
}

/* The character in lower case, or 0 where RFC 9110 (tchar) does not allow it. */
static uint8_t token_char(uint8_t c)
{
    if ((c >= 'a' && c <= 'z') || c == '-' || (c >= '0' && c <= '9')) {
        return c;
    }
    if (c >= 'A' && c <= 'Z') {
        return c | 0x20U;
    }
    return (c != 0 && strchr("!#$%&'*+.^_`|~", c) != NULL) ? c : 0;
}

bool http_text_equal(struct bytes a, const char *b)
{
    return a.len == strlen(b) && (a.len == 0 || strncasecmp((const char *)a.data, b, a.len) == 0);
}

struct bytes http_head_field(const struct http_head *head, const char *lower_name, unsigned n)
{
    struct bytes name = bytes_of_text(lower_name);

    for (unsigned i = 0; i < head->field_count; i++) {
        const struct http_field *field = &head->fields[i];

        if (bytes_equal(http_head_bytes(head, field->name), name) && n-- == 0) {
            return http_head_bytes(head, field->value);
        }
    }
    return (struct bytes){0};
}

/* --- the request line ---------------------------------------------------------- */

static struct http_span span_of(size_t at, size_t end)
{
    return (struct http_span){.at = (uint16_t)at, .len = (uint16_t)(end - at)};
}

static bool is_method(struct bytes method)
{
    if (method.len == 0 || method.len > HTTP_METHOD_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < method.len; i++) {
        if (token_char(method.data[i]) == 0) {
            return false;
        }
    }
    return true;
}

static int take_version(struct http_head *head, struct bytes version)
{
    const uint8_t *text = version.data;

    if (version.len != 8 || memcmp(text, "HTTP/", 5) != 0 || text[5] < '0' || text[5] > '9' ||
        text[6] != '.' || text[7] < '0' || text[7] > '9') {
        return refuse(head, STATUS_BAD, "The request line is malformed.");
    }
    if (text[5] != '1' || text[7] > '1') {
        return refuse(head, STATUS_VERSION, "Only HTTP/1.0 and HTTP/1.1 are spoken here.");
    }
    head->minor = (uint8_t)(text[7] - '0');
    return 0;
}

/* "http://host/path": the authority is compared with Host once all fields are in. */
static size_t skip_authority(struct http_head *head, size_t at, size_t end)
{
    const uint8_t *text = head->text.data;
    size_t start = at + strlen("http://");
    size_t stop = start;

    if (end - at < strlen("http://") || strncasecmp((const char *)text + at, "http://", 7) != 0) {
        return at;
    }
    while (stop < end && text[stop] != '/' && text[stop] != '?') {
        stop++;
    }
    head->authority = span_of(start, stop);
    return stop;
}

static int take_target(struct http_head *head, size_t at, size_t end)
{
    const uint8_t *text = head->text.data;
    size_t path_at = skip_authority(head, at, end);
    const uint8_t *mark;

    for (size_t i = at; i < end; i++) {
        if (text[i] <= 0x20 || text[i] >= 0x7f || text[i] == '#') {
            return refuse(head, STATUS_BAD, "The request target has a character it may not have.");
        }
    }
    if (path_at == end || (text[path_at] != '/' && (end - at != 1 || text[at] != '*'))) {
        return refuse(head, STATUS_BAD, "The request target must begin with '/'.");
    }
    mark = memchr(text + path_at, '?', end - path_at);
    if (mark == NULL) {
        head->path = span_of(path_at, end);
        return 0;
    }
    head->path = span_of(path_at, (size_t)(mark - text));
    head->query = span_of((size_t)(mark - text) + 1, end);
    return 0;
}

static int take_request_line(struct http_head *head, size_t end)
{
    const uint8_t *text = head->text.data;
    size_t at = head->line_at;
    const uint8_t *first = memchr(text + at, ' ', end - at);
    const uint8_t *last = memrchr(text + at, ' ', end - at);
    int r;

    if (first == NULL || first == last) {
        return refuse(head, STATUS_BAD, "The request line is malformed.");
    }
    head->method = span_of(at, (size_t)(first - text));
    if (!is_method(http_head_bytes(head, head->method))) {
        return refuse(head, STATUS_BAD, "The method is malformed.");
    }
    r = take_version(head, bytes_of(last + 1, end - (size_t)(last + 1 - text)));
    if (r != 0) {
        return r;
    }
    return take_target(head, (size_t)(first + 1 - text), (size_t)(last - text));
}

/* --- fields -------------------------------------------------------------------- */

static int take_field(struct http_head *head, size_t end)
{
    uint8_t *text = head->text.data;
    size_t at = head->line_at;
    size_t colon = at;
    size_t value;

    if (head->field_count == HTTP_FIELDS_MAX) {
        return refuse(head, STATUS_HEAD_TOO_LARGE, "The request has more than 100 headers.");
    }
    for (; colon < end && text[colon] != ':'; colon++) {
        text[colon] = token_char(text[colon]);
        if (text[colon] == 0) {
            return refuse(head, STATUS_BAD, "A header's name is malformed.");
        }
    }
    if (colon == end || colon == at) {
        return refuse(head, STATUS_BAD, "A header has no name or no colon.");
    }
    value = colon + 1;
    while (value < end && (text[value] == ' ' || text[value] == '\t')) {
        value++;
    }
    while (end > value && (text[end - 1] == ' ' || text[end - 1] == '\t')) {
        end--;
    }
    head->fields[head->field_count++] =
        (struct http_field){.name = span_of(at, colon), .value = span_of(value, end)};
    return 0;
}

/* The characters of a host and port; an empty Host is well-formed. */
static bool is_host(struct bytes host)
{
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.data[i];

        if (c <= 0x20 || c >= 0x7f || strchr("\"#,/<>?@\\^`{|}", c) != NULL) {
            return false;
        }
    }
    return true;
}

static int check_host(struct http_head *head)
{
    struct bytes host = http_head_field(head, "host", 0);
    struct bytes authority = http_head_bytes(head, head->authority);

    if (host.data == NULL) {
        return (head->minor == 0 && authority.len == 0)
                   ? 0
                   : refuse(head, STATUS_BAD, "The request has no Host header.");
    }
    if (http_head_field(head, "host", 1).data != NULL) {
        return refuse(head, STATUS_BAD, "The request has two Host headers.");
    }
    if (!is_host(host)) {
        return refuse(head, STATUS_BAD, "The Host header is malformed.");
    }
    if (authority.len > 0 && !bytes_equal(authority, host)) {
        return refuse(head, STATUS_BAD, "The request target and the Host header differ.");
    }
    return 0;
}

/* Only "chunked", once and alone: we undo no other coding, and a body whose last
 * coding is another has no end that all agree on. */
static int check_coding(struct http_head *head)
{
    struct bytes coding = http_head_field(head, "transfer-encoding", 0);
    size_t tail = strlen("chunked");

    if (coding.data == NULL) {
        return 0;
    }
    if (head->minor == 0 || http_head_field(head, "transfer-encoding", 1).data != NULL) {
        return refuse(head, STATUS_BAD, "Transfer-Encoding is not allowed here.");
    }
    if (http_text_equal(coding, "chunked")) {
        return 0;
    }
    if (coding.len > tail &&
        http_text_equal(bytes_of(coding.data + coding.len - tail, tail), "chunked") &&
        strchr(", \t", coding.data[coding.len - tail - 1]) != NULL) {
        return refuse(head, STATUS_CODING, "Only the transfer coding chunked is known.");
    }
    return refuse(head, STATUS_BAD, "The last transfer coding must be chunked.");
}

static int check_expect(struct http_head *head)
{
    struct bytes expect = http_head_field(head, "expect", 0);

    if (expect.data == NULL || http_text_equal(expect, "100-continue")) {
        return 0;
    }
    return refuse(head, STATUS_EXPECTATION, "Only the expectation 100-continue is known.");
}

static int check_fields(struct http_head *head)
{
    int r = check_host(head);

    if (r == 0) {
        r = check_coding(head);
    }
    if (r == 0) {
        r = check_expect(head);
    }
    return (r == 0) ? HTTP_HEAD_DONE : r;
}

/* --- trailers ------------------------------------------------------------------ */

static bool is_text(struct bytes value)
{
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.data[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

/* Nobody reads these here; but whoever passes them on might (RFC 9110 section 6.5.1). */
static bool comes_too_late(struct bytes name)
{
    static const char *const names[] = {"authorization",
                                        "connection",
                                        "content-encoding",
                                        "content-length",
                                        "content-type",
                                        "expect",
                                        "host",
                                        "te",
                                        "trailer",
                                        "transfer-encoding",
                                        "upgrade"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (bytes_equal(name, bytes_of_text(names[i]))) {
            return true;
        }
    }
    return false;
}

/* The values of a head are judged by llhttp; these it does not see. */
static int check_trailer(struct http_head *head)
{
    const struct http_field *field = &head->fields[head->field_count - 1];

    if (!is_text(http_head_bytes(head, field->value))) {
        return refuse(head, STATUS_BAD, "A trailer has a control character.");
    }
    if (comes_too_late(http_head_bytes(head, field->name))) {
        return refuse(head, STATUS_BAD, "A trailer has a name that only a header may have.");
    }
    return 0;
}

/* --- lines --------------------------------------------------------------------- */

static int take_first_line(struct http_head *head, size_t end)
{
    int r = 0;

    if (end == head->line_at && !head->is_blank_seen) {
        head->is_blank_seen = true; /* one is forgiven: RFC 9112 section 2.2 */
    } else {
        r = take_request_line(head, end);
        head->fields_at = (uint16_t)head->text.len;
    }
    return r;
}

/* A line of the fields, which is not the empty one. */
static int take_next_line(struct http_head *head, size_t end)
{
    uint8_t first = head->text.data[head->line_at];
    int r;

    if (first == ' ' || first == '\t') {
        return refuse(head, STATUS_BAD, "A header is folded over two lines.");
    }
    r = take_field(head, end);
    return (r == 0 && head->trailer_bytes_max > 0) ? check_trailer(head) : r;
}

/* The text ends with a complete line. Its only CR must be the one before its LF. */
static int take_line(struct http_head *head)
{
    size_t len = head->text.len - head->line_at;
    const uint8_t *line = head->text.data + head->line_at;
    size_t end = head->text.len - 2;
    int r;

    if (len < 2 || memchr(line, '\r', len) != line + len - 2) {
        return refuse(head, STATUS_BAD, "A line does not end in CR LF.");
    }
    if (head->fields_at == 0 && head->trailer_bytes_max == 0) {
        r = take_first_line(head, end);
    } else if (len == 2) {
        return (head->trailer_bytes_max > 0) ? HTTP_HEAD_DONE : check_fields(head);
    } else {
        r = take_next_line(head, end);
    }
    head->line_at = (uint16_t)head->text.len;
    return r;
}

static int check_size(struct http_head *head, size_t len)
{
    if (head->trailer_bytes_max > 0) {
        return (head->text.len + len <= head->trailer_bytes_max)
                   ? 0
                   : refuse(head, STATUS_HEAD_TOO_LARGE, "The trailers are too large.");
    }
    if (head->fields_at == 0 && head->text.len - head->line_at + len > HTTP_LINE_BYTES_MAX + 2) {
        return refuse(head, STATUS_LINE_TOO_LONG, "The request line is longer than 8192 bytes.");
    }
    if (head->text.len + len > HTTP_HEAD_BYTES_MAX) {
        return refuse(head, STATUS_HEAD_TOO_LARGE, "The headers are larger than 16384 bytes.");
    }
    return 0;
}

int http_head_feed(struct http_head *head, const uint8_t *data, size_t len, size_t *ret_used)
{
    size_t used = 0;
    int r = 0;

    *ret_used = 0;
    while (r == 0 && used < len) {
        const uint8_t *newline = memchr(data + used, '\n', len - used);
        size_t take = (newline != NULL) ? (size_t)(newline - (data + used)) + 1 : len - used;

        r = check_size(head, take);
        if (r != 0) {
            break;
        }
        buf_append(&head->text, data + used, take);
        if (head->text.failed) {
            return refuse(head, STATUS_NO_MEMORY, "Out of memory.");
        }
        used += take;
        if (newline != NULL) {
            r = take_line(head);
        }
    }
    *ret_used = used;
    return r;
}
