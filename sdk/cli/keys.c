/* pawl keys: access keys for clients of Lambda's, which sign their requests over TCP. */
#include <string.h>

#include "sdk/cli/commands.h"
#include "sdk/cli/grid.h"
#include "sdk/cli/member.h"
#include "sdk/cli/path.h"
#include "sdk/cli/put.h"
#include "sdk/cli/request.h"
#include "sdk/cli/when.h"

#define KEYS_PATH "/pawl/v1/keys"

/* Prints the answer as it is, or hands it on; `print` NULL: the sentence is enough. */
static int exchange(struct cli_session *session, const struct cli_request *request,
                    const char *sentence,
                    int (*print)(struct cli_session *session, const json_t *json))
{
    struct cli_reply reply = {0};
    json_t *json = NULL;
    int r = cli_request_send(session, request, &reply);

    if (r == 0 && session->is_json) {
        cli_session_print(session,
                          (reply.body.len > 0) ? buf_bytes(&reply.body) : bytes_of_text("{}"));
    } else if (r == 0 && print == NULL) {
        (void)fprintf(session->out, "%s\n", sentence);
    } else if (r == 0) {
        r = cli_reply_json(request, &reply, &json);
        r = (r == 0) ? print(session, json) : r;
    }
    json_decref(json);
    cli_reply_fini(&reply);
    return r;
}

/* --- create ---------------------------------------------------------------------------- */

static int print_created(struct cli_session *session, const json_t *json)
{
    (void)fprintf(session->out,
                  "AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n"
                  "# The secret is not shown again: keep it now.\n",
                  cli_member_text(json, "AccessKeyId"), cli_member_text(json, "SecretAccessKey"));
    return 0;
}

int cli_run_keys_create(struct cli_session *session, const struct cli_arguments *arguments)
{
    const char *description = cli_argument(arguments, "description", 0);
    struct buf path = {0};
    struct buf body = {0};
    struct cli_request request = {.method = "POST",
                                  .path = &path,
                                  .what = "create an access key",
                                  .content_type = "application/json"};
    int r;

    cli_path_append(&path, KEYS_PATH);
    cli_put_object(&body, NULL);
    if (description != NULL) {
        cli_put_text(&body, "Description", description);
    }
    cli_put_end(&body);
    request.body = buf_bytes(&body);
    r = exchange(session, &request, NULL, print_created);
    buf_fini(&body);
    buf_fini(&path);
    return r;
}

/* --- list ------------------------------------------------------------------------------ */

static int print_list(struct cli_session *session, const json_t *json)
{
    static const char *const titles[] = {"ID", "STATUS", "CREATED", "DESCRIPTION", NULL};
    struct cli_grid grid;
    const json_t *key;
    size_t i;
    int r;

    cli_grid_init(&grid, titles);
    json_array_foreach(cli_member(json, "Keys"), i, key)
    {
        const char *status = cli_member_text(key, "Status");
        bool is_active = strcmp(status, "Active") == 0;
        char when[CLI_WHEN_TEXT_MAX];

        cli_grid_add(&grid, COLOR_NONE, cli_member_text(key, "AccessKeyId"));
        cli_grid_add(&grid, is_active ? COLOR_GREEN : COLOR_DIM, status);
        cli_grid_add(
            &grid, COLOR_NONE,
            cli_when_format(when, cli_member_time_ms(key, "CreateDate"), session->is_terminal));
        cli_grid_add(&grid, COLOR_DIM, cli_member_text(key, "Description"));
    }
    r = cli_grid_print(&grid, session);
    cli_grid_fini(&grid);
    return r;
}

int cli_run_keys_list(struct cli_session *session, const struct cli_arguments *arguments)
{
    struct buf path = {0};
    struct cli_request request = {
        .method = "GET", .path = &path, .what = "list access keys", .is_repeatable = true};
    int r;

    (void)arguments;
    cli_path_append(&path, KEYS_PATH);
    r = exchange(session, &request, NULL, print_list);
    buf_fini(&path);
    return r;
}

/* --- one key --------------------------------------------------------------------------- */

static int change(struct cli_session *session, const struct cli_arguments *arguments,
                  const char *method, const char *verb)
{
    const char *id = cli_operand(arguments, 0);
    bool is_delete = strcmp(method, "DELETE") == 0;
    struct buf path = {0};
    char what[128];
    char sentence[128];
    struct cli_request request = {
        .method = method, .path = &path, .what = what, .is_repeatable = !is_delete};
    int r;

    (void)snprintf(what, sizeof what, "%s access key %s", verb, id);
    (void)snprintf(sentence, sizeof sentence, "%sd access key %s", verb, id);
    cli_path_append(&path, KEYS_PATH "/");
    cli_path_append_segment(&path, id);
    if (!is_delete) {
        cli_path_append(&path, "/");
        cli_path_append(&path, verb);
    }
    r = exchange(session, &request, sentence, NULL);
    buf_fini(&path);
    return r;
}

int cli_run_keys_enable(struct cli_session *session, const struct cli_arguments *arguments)
{
    return change(session, arguments, "POST", "enable");
}

int cli_run_keys_disable(struct cli_session *session, const struct cli_arguments *arguments)
{
    return change(session, arguments, "POST", "disable");
}

int cli_run_keys_delete(struct cli_session *session, const struct cli_arguments *arguments)
{
    return change(session, arguments, "DELETE", "delete");
}
