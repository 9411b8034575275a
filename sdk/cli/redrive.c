/* pawl redrive: an execution that failed, was stopped or is held runs on. */
#include <string.h>

#include "sdk/cli/commands.h"
#include "sdk/cli/execution_id.h"
#include "sdk/cli/path.h"
#include "sdk/cli/request.h"

int cli_run_redrive(struct cli_session *session, const struct cli_arguments *arguments)
{
    char arn[CLI_ARN_MAX + 1];
    char what[256];
    struct buf path = {0};
    struct cli_request request = {.method = "POST",
                                  .path = &path,
                                  .what = what,
                                  .body = bytes_of_text("{}"),
                                  .content_type = "application/json"};
    struct cli_reply reply = {0};
    int r = cli_execution_resolve(session, cli_operand(arguments, 0),
                                  cli_argument(arguments, "function", 0), arn);

    if (r != 0) {
        return r;
    }
    (void)snprintf(what, sizeof what, "redrive execution %s", cli_operand(arguments, 0));
    cli_path_append(&path, "/pawl/v1/executions/");
    cli_path_append_segment(&path, arn);
    cli_path_append(&path, "/redrive");
    r = cli_request_send(session, &request, &reply);
    if (r == 0 && session->is_json) {
        cli_session_print(session,
                          (reply.body.len > 0) ? buf_bytes(&reply.body) : bytes_of_text("{}"));
    } else if (r == 0) {
        (void)fprintf(session->out, "redriven %s\n", arn);
    }
    cli_reply_fini(&reply);
    buf_fini(&path);
    return r;
}
