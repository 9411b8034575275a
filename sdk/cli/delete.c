/* pawl delete: a function with all its versions, or one of them. */
#include <string.h>

#include "sdk/cli/commands.h"
#include "sdk/cli/path.h"
#include "sdk/cli/request.h"

int cli_run_delete(struct cli_session *session, const struct cli_arguments *arguments)
{
    const char *name = cli_operand(arguments, 0);
    struct buf path = {0};
    char what[256];
    struct cli_request request = {.method = "DELETE", .path = &path, .what = what};
    struct cli_reply reply = {0};
    int r;

    (void)snprintf(what, sizeof what, "delete '%s'", name);
    cli_path_append_function(&path, name, "");
    r = cli_request_send(session, &request, &reply);
    if (r == 0 && session->is_json) {
        cli_session_print(session,
                          (reply.body.len > 0) ? buf_bytes(&reply.body) : bytes_of_text("{}"));
    } else if (r == 0) {
        (void)fprintf(session->out, "deleted %s\n", name);
    }
    cli_reply_fini(&reply);
    buf_fini(&path);
    return r;
}
