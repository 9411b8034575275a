/* pawl publish: what is deployed becomes a version. Without a change since the last one the
 * daemon answers that one, so the request may be repeated. */
#include <string.h>

#include "sdk/cli/commands.h"
#include "sdk/cli/member.h"
#include "sdk/cli/path.h"
#include "sdk/cli/put.h"
#include "sdk/cli/request.h"

static void print(struct cli_session *session, const char *name, const struct cli_reply *reply,
                  const json_t *json)
{
    if (session->is_json) {
        cli_session_print(session, buf_bytes(&reply->body));
        return;
    }
    (void)fprintf(session->out, "%s is version %s (sha256 %s)\n", name,
                  cli_member_text(json, "Version"), cli_member_text(json, "CodeSha256"));
}

int cli_run_publish(struct cli_session *session, const struct cli_arguments *arguments)
{
    const char *name = cli_operand(arguments, 0);
    const char *description = cli_argument(arguments, "description", 0);
    struct buf path = {0};
    struct buf body = {0};
    char what[256];
    struct cli_request request = {.method = "POST",
                                  .path = &path,
                                  .content_type = "application/json",
                                  .what = what,
                                  .is_repeatable = true};
    struct cli_reply reply = {0};
    json_t *json = NULL;
    int r;

    (void)snprintf(what, sizeof what, "publish '%s'", name);
    cli_path_append_function(&path, name, "/versions");
    cli_put_object(&body, NULL);
    if (description != NULL) {
        cli_put_text(&body, "Description", description);
    }
    cli_put_end(&body);
    request.body = buf_bytes(&body);
    path.failed = path.failed || body.failed;
    r = cli_request_send(session, &request, &reply);
    r = (r == 0) ? cli_reply_json(&request, &reply, &json) : r;
    if (r == 0) {
        print(session, name, &reply, json);
    }
    json_decref(json);
    cli_reply_fini(&reply);
    buf_fini(&path);
    buf_fini(&body);
    return r;
}
