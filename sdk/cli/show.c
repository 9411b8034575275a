/* pawl show: one execution with its input and result. */
#include <string.h>

#include "sdk/cli/commands.h"
#include "sdk/cli/execution_id.h"
#include "sdk/cli/outline.h"
#include "sdk/cli/path.h"
#include "sdk/cli/request.h"

int cli_run_show(struct cli_session *session, const struct cli_arguments *arguments)
{
    char arn[CLI_ARN_MAX + 1];
    char what[256];
    struct buf path = {0};
    struct cli_request request = {
        .method = "GET", .path = &path, .what = what, .is_repeatable = true};
    struct cli_reply reply = {0};
    json_t *json = NULL;
    int r = cli_execution_resolve(session, cli_operand(arguments, 0),
                                  cli_argument(arguments, "function", 0), arn);

    if (r != 0) {
        return r;
    }
    (void)snprintf(what, sizeof what, "show execution %s", cli_operand(arguments, 0));
    cli_path_append_execution(&path, arn, "");
    r = cli_request_send(session, &request, &reply);
    r = (r == 0) ? cli_reply_json(&request, &reply, &json) : r;
    if (r == 0 && session->is_json) {
        cli_session_print(session, buf_bytes(&reply.body));
    } else if (r == 0) {
        r = cli_outline_print(session, json);
    }
    json_decref(json);
    cli_reply_fini(&reply);
    buf_fini(&path);
    return r;
}
