/* pawl stop: ends an execution from outside. Stopping a closed one changes nothing
 * and is no failure, so the request may be repeated. */
#include <string.h>

#include "sdk/cli/commands.h"
#include "sdk/cli/complain.h"
#include "sdk/cli/execution_id.h"
#include "sdk/cli/member.h"
#include "sdk/cli/path.h"
#include "sdk/cli/payload.h"
#include "sdk/cli/request.h"
#include "sdk/cli/when.h"

static int send(struct cli_session *session, const char *arn, const struct buf *error,
                const char *what)
{
    struct buf path = {0};
    struct cli_request request = {.method = "POST",
                                  .path = &path,
                                  .body = buf_bytes(error),
                                  .content_type = "application/json",
                                  .what = what,
                                  .is_repeatable = true};
    struct cli_reply reply = {0};
    json_t *json = NULL;
    int r;

    cli_path_append_execution(&path, arn, "/stop");
    path.failed = path.failed || error->failed;
    r = cli_request_send(session, &request, &reply);
    r = (r == 0) ? cli_reply_json(&request, &reply, &json) : r;
    if (r == 0 && session->is_json) {
        cli_session_print(session, buf_bytes(&reply.body));
    } else if (r == 0) {
        char when[CLI_WHEN_TEXT_MAX];

        (void)fprintf(
            session->out, "stopped %s at %s\n", arn,
            cli_when_format(when, cli_member_time_ms(json, "StopTimestamp"), session->is_terminal));
    }
    json_decref(json);
    cli_reply_fini(&reply);
    buf_fini(&path);
    return r;
}

int cli_run_stop(struct cli_session *session, const struct cli_arguments *arguments)
{
    char arn[CLI_ARN_MAX + 1];
    char what[256];
    struct buf error = {0};
    int r = cli_execution_resolve(session, cli_operand(arguments, 0),
                                  cli_argument(arguments, "function", 0), arn);

    if (r != 0) {
        return r;
    }
    (void)snprintf(what, sizeof what, "stop execution %s", cli_operand(arguments, 0));
    cli_error_object(&error, cli_argument(arguments, "error-type", 0),
                     cli_argument(arguments, "message", 0), NULL);
    r = send(session, arn, &error, what);
    buf_fini(&error);
    return r;
}
