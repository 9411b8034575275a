/* pawl verify: the running daemon reads back what it holds; or, with --data, this
 * program reads a directory that no daemon uses. */
#include <inttypes.h>

#include "sdk/cli/commands.h"
#include "sdk/cli/complain.h"
#include "sdk/cli/member.h"
#include "sdk/cli/outline.h"
#include "sdk/cli/path.h"
#include "sdk/cli/request.h"

#define VERIFY_TIMEOUT_S 86400

static int report(struct cli_session *session, const struct cli_reply *reply, const json_t *json)
{
    size_t damaged = json_array_size(cli_member(json, "Damaged"));
    int r = 0;

    if (cli_member_number(json, "Checked") < 0 || !json_is_array(cli_member(json, "Damaged"))) {
        return cli_complain(CLI_SERVER, "the daemon's answer does not say what was checked");
    }
    if (session->is_json) {
        cli_session_print(session, buf_bytes(&reply->body));
    } else {
        r = cli_outline_print(session, json);
    }
    if (r == 0 && damaged > 0) {
        return cli_complain(CLI_FAILED, "%zu of %" PRId64 " things checked are damaged", damaged,
                            cli_member_number(json, "Checked"));
    }
    return r;
}

static int verify_daemon(struct cli_session *session)
{
    struct buf path = {0};
    struct cli_request request = {.method = "POST",
                                  .path = &path,
                                  .body = bytes_of_text("{}"),
                                  .content_type = "application/json",
                                  .what = "verify",
                                  .timeout_s = VERIFY_TIMEOUT_S};
    struct cli_reply reply = {0};
    json_t *json = NULL;
    int r;

    cli_path_append(&path, "/pawl/v1/verify");
    r = cli_request_send(session, &request, &reply);
    r = (r == 0) ? cli_reply_json(&request, &reply, &json) : r;
    r = (r == 0) ? report(session, &reply, json) : r;
    json_decref(json);
    cli_reply_fini(&reply);
    buf_fini(&path);
    return r;
}

int cli_run_verify(struct cli_session *session, const struct cli_arguments *arguments)
{
    const char *directory = cli_argument(arguments, "data", 0);

    if (directory == NULL) {
        return verify_daemon(session);
    }
    if (cli_verify_hook == NULL) {
        return cli_complain(CLI_SERVER, "this program cannot read data directories: leave out "
                                        "--data and ask the running daemon");
    }
    return cli_verify_hook(directory, session->is_json);
}
