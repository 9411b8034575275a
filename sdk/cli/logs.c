/* pawl logs: JSON lines from the daemon, as they come. */
#include <string.h>

#include "sdk/cli/commands.h"
#include "sdk/cli/complain.h"
#include "sdk/cli/execution_id.h"
#include "sdk/cli/member.h"
#include "sdk/cli/path.h"
#include "sdk/cli/request.h"
#include "sdk/cli/text.h"
#include "sdk/cli/when.h"

#define LINE_BYTES_MAX (1U << 20)
#define ID_SHOWN 8 /* of a request id: enough to tell invocations apart */

struct logs {
    struct cli_session *session;
    struct buf line; /* what of the next line has come */
};

static enum cli_color level_color(const char *level)
{
    if (strcasecmp(level, "error") == 0 || strcasecmp(level, "fatal") == 0) {
        return COLOR_RED;
    }
    return (strncasecmp(level, "warn", 4) == 0) ? COLOR_YELLOW : COLOR_DIM;
}

/* The time is ISO 8601 text, or epoch seconds. */
static void append_time(struct buf *out, const struct cli_session *session, const json_t *json)
{
    const char *text = cli_member_text(json, "time");
    int64_t time_ms = cli_member_time_ms(json, "time");
    char when[CLI_WHEN_TEXT_MAX];

    if (text[0] != '\0' && !cli_when_parse(text, 0, &time_ms)) {
        time_ms = -1;
    }
    buf_append_text(out, cli_when_format(when, time_ms, session->is_terminal));
}

/* Later lines of one message are indented. */
static void append_message(struct buf *out, const char *message)
{
    size_t len = strlen(message);

    while (len > 0 && (message[len - 1] == '\n' || message[len - 1] == '\r')) {
        len--;
    }
    while (len > 0) {
        const char *end = memchr(message, '\n', len);
        size_t here = (end != NULL) ? (size_t)(end - message) : len;

        cli_text_append_clean(out, bytes_of(message, here));
        here += (end != NULL) ? 1 : 0;
        message += here;
        len -= here;
        buf_append_text(out, (len > 0) ? "\n    " : "");
    }
    buf_append_text(out, "\n");
}

static void append_line(struct buf *out, const struct cli_session *session, const json_t *json)
{
    const char *level = cli_member_text(json, "level");
    const char *request = cli_member_text(json, "requestId");

    append_time(out, session, json);
    buf_append_text(out, "  ");
    buf_append_text(out, cli_session_color(session, level_color(level)));
    cli_text_append_clean(out, bytes_of_text((level[0] != '\0') ? level : "-"));
    buf_append_text(out, cli_session_color(session, COLOR_NONE));
    buf_append_text(out, "  ");
    cli_text_append_clean(out, bytes_of(request, strnlen(request, ID_SHOWN)));
    buf_append_text(out, "  ");
    append_message(out, cli_member_text(json, "message"));
}

static int print_line(struct logs *logs, struct bytes line)
{
    json_t *json = json_loadb((const char *)line.data, line.len, JSON_ALLOW_NUL, NULL);
    struct buf out = {0};
    int r = 0;

    if (json == NULL) {
        return cli_complain(CLI_SERVER, "the daemon sent a log line that is not JSON");
    }
    append_line(&out, logs->session, json);
    if (out.failed) {
        r = cli_complain_memory();
    } else {
        (void)fwrite(out.data, 1, out.len, logs->session->out);
    }
    buf_fini(&out);
    json_decref(json);
    return r;
}

static int take_line(struct logs *logs, struct bytes line)
{
    if (line.len == 0) {
        return 0; /* a sign of life */
    }
    if (logs->session->is_json) {
        cli_session_print(logs->session, line);
        return 0;
    }
    return print_line(logs, line);
}

static int take_piece(void *arg, struct bytes piece)
{
    struct logs *logs = arg;
    const uint8_t *end;
    int r = 0;

    buf_append(&logs->line, piece.data, piece.len);
    if (logs->line.failed) {
        return cli_complain_memory();
    }
    while (r == 0 && (end = memchr(logs->line.data, '\n', logs->line.len)) != NULL) {
        size_t len = (size_t)(end - logs->line.data);

        r = take_line(logs, bytes_of(logs->line.data, len));
        buf_consume(&logs->line, len + 1);
    }
    if (r == 0 && logs->line.len > LINE_BYTES_MAX) {
        return cli_complain(CLI_SERVER, "the daemon sent a log line of more than %u bytes",
                            LINE_BYTES_MAX);
    }
    (void)fflush(logs->session->out);
    return r;
}

static int append_query(struct buf *path, struct cli_session *session,
                        const struct cli_arguments *arguments)
{
    const char *execution = cli_argument(arguments, "execution", 0);
    const char *since = cli_argument(arguments, "since", 0);
    char arn[CLI_ARN_MAX + 1];
    int64_t since_ms = 0;
    int r;

    if (since != NULL && !cli_when_parse(since, cli_now_ms(), &since_ms)) {
        return cli_complain(CLI_USAGE, "--since %s: give 90s, 30m, 1h30m, 2d or 2026-11-23T09:29Z",
                            since);
    }
    if (execution != NULL) {
        r = cli_execution_resolve(session, execution, cli_operand(arguments, 0), arn);
        if (r != 0) {
            return r;
        }
        cli_path_append_query(path, "Execution", arn);
    }
    if (since != NULL) {
        cli_path_append_query_number(path, "Since", since_ms);
    }
    if (cli_argument_given(arguments, "follow")) {
        cli_path_append_query(path, "Follow", "true");
    }
    return 0;
}

int cli_run_logs(struct cli_session *session, const struct cli_arguments *arguments)
{
    struct logs logs = {.session = session};
    struct buf path = {0};
    char what[256];
    bool is_endless = cli_argument_given(arguments, "follow");
    struct cli_request request = {.method = "GET",
                                  .path = &path,
                                  .what = what,
                                  .is_repeatable = true,
                                  .timeout_s = is_endless ? -1 : 0,
                                  .on_piece = take_piece,
                                  .arg = &logs};
    struct cli_reply reply = {0};
    int r;

    (void)snprintf(what, sizeof what, "read the log of '%s'", cli_operand(arguments, 0));
    cli_path_append(&path, "/pawl/v1/logs/");
    cli_path_append_segment(&path, cli_operand(arguments, 0));
    r = append_query(&path, session, arguments);
    r = (r == 0) ? cli_request_send(session, &request, &reply) : r;
    if (r == 0 && logs.line.len > 0) {
        r = take_line(&logs, buf_bytes(&logs.line));
    }
    cli_reply_fini(&reply);
    buf_fini(&logs.line);
    buf_fini(&path);
    return r;
}
