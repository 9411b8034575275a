/* pawl status: what the daemon says about itself. */
#include "sdk/cli/commands.h"
#include "sdk/cli/outline.h"
#include "sdk/cli/path.h"
#include "sdk/cli/request.h"

int cli_run_status(struct cli_session *session, const struct cli_arguments *arguments)
{
    struct buf path = {0};
    struct cli_request request = {
        .method = "GET", .path = &path, .what = "read the status", .is_repeatable = true};
    struct cli_reply reply = {0};
    json_t *json = NULL;
    int r;

    (void)arguments;
    cli_path_append(&path, "/pawl/v1/status");
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
