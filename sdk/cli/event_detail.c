#include "sdk/cli/event_detail.h"

#include <inttypes.h>
#include <string.h>

#include "sdk/cli/member.h"
#include "sdk/cli/when.h"

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text);
    size_t end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

enum cli_color cli_event_color(const char *event_type)
{
    if (ends_with(event_type, "Failed") || ends_with(event_type, "TimedOut")) {
        return COLOR_RED;
    }
    if (ends_with(event_type, "Stopped") || ends_with(event_type, "Cancelled")) {
        return COLOR_YELLOW;
    }
    if (ends_with(event_type, "Succeeded")) {
        return COLOR_GREEN;
    }
    return ends_with(event_type, "Started") ? COLOR_BLUE : COLOR_DIM;
}

static void separate(struct buf *detail)
{
    buf_append_text(detail, (detail->len > 0) ? ", " : "");
}

static void add_payload(struct buf *detail, const json_t *details, const char *key)
{
    const char *payload = cli_member_text(cli_member(details, key), "Payload");
    size_t len = strlen(payload);

    if (len == 0) {
        return;
    }
    separate(detail);
    buf_append(detail, payload, (len < CLI_DETAIL_PAYLOAD_MAX) ? len : CLI_DETAIL_PAYLOAD_MAX);
    buf_append_text(detail, (len > CLI_DETAIL_PAYLOAD_MAX) ? "..." : "");
}

static void add_error(struct buf *detail, const json_t *details)
{
    const json_t *error = cli_member(cli_member(details, "Error"), "Payload");
    const char *type = cli_member_text(error, "ErrorType");
    const char *message = cli_member_text(error, "ErrorMessage");

    if (type[0] == '\0' && message[0] == '\0') {
        return;
    }
    separate(detail);
    buf_printf(detail, "%s%s%s", type, (type[0] != '\0' && message[0] != '\0') ? ": " : "",
               message);
}

static void add_retry(struct buf *detail, const json_t *details)
{
    const json_t *retry = cli_member(details, "RetryDetails");
    int64_t attempt = cli_member_number(retry, "CurrentAttempt");
    int64_t delay_s = cli_member_number(retry, "NextAttemptDelaySeconds");

    if (attempt > 1 || delay_s > 0) {
        separate(detail);
        buf_printf(detail, "attempt %" PRId64, attempt);
    }
    if (delay_s > 0) {
        buf_printf(detail, ", next in %" PRId64 " s", delay_s);
    }
}

static void add_seconds(struct buf *detail, const json_t *details, const char *key,
                        const char *name)
{
    int64_t seconds = cli_member_number(details, key);

    if (seconds > 0) {
        separate(detail);
        buf_printf(detail, "%s %" PRId64 " s", name, seconds);
    }
}

static void add_text(struct buf *detail, const json_t *details, const char *key, const char *name)
{
    const char *text = cli_member_text(details, key);

    if (text[0] != '\0') {
        separate(detail);
        buf_printf(detail, "%s %s", name, text);
    }
}

static void add_invocation(struct buf *detail, const json_t *details)
{
    int64_t start_ms = cli_member_time_ms(details, "StartTimestamp");
    int64_t end_ms = cli_member_time_ms(details, "EndTimestamp");
    char text[CLI_WHEN_TEXT_MAX];

    if (start_ms >= 0 && end_ms >= 0) {
        separate(detail);
        buf_append_text(detail, cli_duration_format(text, end_ms - start_ms));
    }
    add_text(detail, details, "RequestId", "request");
}

void cli_event_detail(struct buf *detail, const json_t *event)
{
    char key[64];
    const json_t *details;

    (void)snprintf(key, sizeof key, "%sDetails", cli_member_text(event, "EventType"));
    details = cli_member(event, key);
    add_error(detail, details);
    add_retry(detail, details);
    add_text(detail, details, "FunctionName", "of");
    add_text(detail, details, "CallbackId", "id");
    add_seconds(detail, details, "Duration", "for");
    add_seconds(detail, details, "ExecutionTimeout", "at most");
    add_seconds(detail, details, "Timeout", "timeout");
    add_seconds(detail, details, "HeartbeatTimeout", "heartbeat");
    add_invocation(detail, details);
    add_payload(detail, details, "Input");
    add_payload(detail, details, "Result");
}
