/* pawl backup: the daemon copies its data while it runs. */
#include "sdk/cli/commands.h"
#include "sdk/cli/path.h"
#include "sdk/cli/put.h"
#include "sdk/cli/request.h"

#define BACKUP_TIMEOUT_S 86400

static int send(struct cli_session *session, const struct buf *json, const char *directory)
{
    struct buf path = {0};
    char what[256];
    struct cli_request request = {.method = "POST",
                                  .path = &path,
                                  .body = buf_bytes(json),
                                  .content_type = "application/json",
                                  .what = what,
                                  .timeout_s = BACKUP_TIMEOUT_S};
    struct cli_reply reply = {0};
    int r;

    (void)snprintf(what, sizeof what, "back up to %s", directory);
    cli_path_append(&path, "/pawl/v1/backup");
    path.failed = path.failed || json->failed;
    r = cli_request_send(session, &request, &reply);
    if (r == 0 && session->is_json) {
        cli_session_print(session,
                          (reply.body.len > 0) ? buf_bytes(&reply.body) : bytes_of_text("{}"));
    } else if (r == 0) {
        (void)fprintf(session->out, "backed up to %s\n", directory);
    }
    cli_reply_fini(&reply);
    buf_fini(&path);
    return r;
}

int cli_run_backup(struct cli_session *session, const struct cli_arguments *arguments)
{
    const char *directory = cli_operand(arguments, 0);
    struct buf json = {0};
    int r;

    cli_put_object(&json, NULL);
    r = cli_put_path(&json, "Directory", directory);
    cli_put_end(&json);
    r = (r == 0) ? send(session, &json, directory) : r;
    buf_fini(&json);
    return r;
}
