/* pawl callback succeed, fail, heartbeat. A callback can be completed once, so only
 * the heartbeat is safe to repeat. */
#include <string.h>

#include "sdk/cli/commands.h"
#include "sdk/cli/complain.h"
#include "sdk/cli/path.h"
#include "sdk/cli/payload.h"
#include "sdk/cli/request.h"

struct callback {
    const char *verb; /* of the path and the command */
    const char *done; /* what is printed */
    const char *content_type;
    bool is_repeatable;
};

static int complete(struct cli_session *session, const struct cli_arguments *arguments,
                    const struct callback *callback, const struct buf *body)
{
    struct buf path = {0};
    char what[128];
    struct cli_request request = {.method = "POST",
                                  .path = &path,
                                  .body = buf_bytes(body),
                                  .content_type = callback->content_type,
                                  .what = what,
                                  .is_repeatable = callback->is_repeatable};
    struct cli_reply reply = {0};
    int r;

    (void)snprintf(what, sizeof what, "%s the callback %.32s...", callback->verb,
                   cli_operand(arguments, 0));
    cli_path_append(&path, "/2025-12-01/durable-execution-callbacks/");
    cli_path_append_segment(&path, cli_operand(arguments, 0));
    cli_path_append(&path, "/");
    cli_path_append(&path, callback->verb);
    path.failed = path.failed || body->failed;
    r = cli_request_send(session, &request, &reply);
    if (r == 0) {
        (void)fprintf(session->out, "%s\n", session->is_json ? "{}" : callback->done);
    }
    cli_reply_fini(&reply);
    buf_fini(&path);
    return r;
}

int cli_run_callback_succeed(struct cli_session *session, const struct cli_arguments *arguments)
{
    static const struct callback callback = {.verb = "succeed",
                                             .done = "callback succeeded",
                                             .content_type = "application/octet-stream"};
    struct buf payload = {0};
    int r = cli_payload_read(&payload, cli_operand(arguments, 1));

    r = (r == 0) ? complete(session, arguments, &callback, &payload) : r;
    buf_fini(&payload);
    return r;
}

int cli_run_callback_fail(struct cli_session *session, const struct cli_arguments *arguments)
{
    static const struct callback callback = {
        .verb = "fail", .done = "callback failed", .content_type = "application/json"};
    struct buf data = {0};
    struct buf error = {0};
    int r = cli_payload_read(&data, cli_operand(arguments, 1));

    if (r == 0) {
        cli_error_object(&error, cli_argument(arguments, "error-type", 0),
                         cli_argument(arguments, "message", 0), &data);
        r = complete(session, arguments, &callback, &error);
    }
    buf_fini(&data);
    buf_fini(&error);
    return r;
}

int cli_run_callback_heartbeat(struct cli_session *session, const struct cli_arguments *arguments)
{
    static const struct callback callback = {
        .verb = "heartbeat", .done = "callback is alive", .is_repeatable = true};
    struct buf none = {0};

    return complete(session, arguments, &callback, &none);
}
