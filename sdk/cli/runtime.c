/* pawl runtime: what runs functions that bring no program of their own. */
#include "sdk/cli/commands.h"
#include "sdk/cli/complain.h"
#include "sdk/cli/grid.h"
#include "sdk/cli/member.h"
#include "sdk/cli/path.h"
#include "sdk/cli/put.h"
#include "sdk/cli/request.h"

#define RUNTIMES "/pawl/v1/runtimes"

/* Sends a change of the runtime `name` and prints what was done. */
static int change(struct cli_session *session, struct cli_request *request, const char *name,
                  const char *done)
{
    struct buf path = {0};
    char what[256];
    struct cli_reply reply = {0};
    int r;

    (void)snprintf(what, sizeof what, "change the runtime '%s'", name);
    cli_path_append(&path, RUNTIMES "/");
    cli_path_append_segment(&path, name);
    request->path = &path;
    request->what = what;
    request->is_repeatable = true;
    r = cli_request_send(session, request, &reply);
    if (r == 0 && session->is_json) {
        cli_session_print(session,
                          (reply.body.len > 0) ? buf_bytes(&reply.body) : bytes_of_text("{}"));
    } else if (r == 0) {
        (void)fprintf(session->out, "%s %s\n", done, name);
    }
    cli_reply_fini(&reply);
    buf_fini(&path);
    return r;
}

int cli_run_runtime_add(struct cli_session *session, const struct cli_arguments *arguments)
{
    struct buf json = {0};
    struct cli_request request = {.method = "PUT", .content_type = "application/json"};
    int r;

    cli_put_object(&json, NULL);
    r = cli_put_path(&json, "Directory", cli_operand(arguments, 1));
    cli_put_end(&json);
    if (r == 0 && json.failed) {
        r = cli_complain_memory();
    }
    if (r == 0) {
        request.body = buf_bytes(&json);
        r = change(session, &request, cli_operand(arguments, 0), "added");
    }
    buf_fini(&json);
    return r;
}

int cli_run_runtime_remove(struct cli_session *session, const struct cli_arguments *arguments)
{
    struct cli_request request = {.method = "DELETE"};

    return change(session, &request, cli_operand(arguments, 0), "removed");
}

static int print(struct cli_session *session, const json_t *json)
{
    static const char *const titles[] = {"NAME", "DIRECTORY", "PROBLEM", NULL};
    const json_t *runtime;
    struct cli_grid grid;
    size_t i;
    int r;

    cli_grid_init(&grid, titles);
    json_array_foreach(cli_member(json, "Runtimes"), i, runtime)
    {
        cli_grid_add(&grid, COLOR_NONE, cli_member_text(runtime, "Name"));
        cli_grid_add(&grid, COLOR_NONE, cli_member_text(runtime, "Directory"));
        cli_grid_add(&grid, COLOR_NONE, cli_member_text(runtime, "Problem"));
    }
    r = cli_grid_print(&grid, session);
    cli_grid_fini(&grid);
    return r;
}

int cli_run_runtime_list(struct cli_session *session, const struct cli_arguments *arguments)
{
    struct buf path = {0};
    struct cli_request request = {
        .method = "GET", .path = &path, .what = "list runtimes", .is_repeatable = true};
    struct cli_reply reply = {0};
    json_t *json = NULL;
    int r;

    (void)arguments;
    cli_path_append(&path, RUNTIMES);
    r = cli_request_send(session, &request, &reply);
    if (r == 0 && session->is_json) {
        cli_session_print(session, buf_bytes(&reply.body));
    } else if (r == 0) {
        r = cli_reply_json(&request, &reply, &json);
        r = (r == 0) ? print(session, json) : r;
    }
    json_decref(json);
    cli_reply_fini(&reply);
    buf_fini(&path);
    return r;
}
