/* pawl layer: archives that functions share, by name and version. */
#include <inttypes.h>
#include <string.h>

#include "sdk/cli/archive.h"
#include "sdk/cli/base64.h"
#include "sdk/cli/commands.h"
#include "sdk/cli/complain.h"
#include "sdk/cli/grid.h"
#include "sdk/cli/layers.h"
#include "sdk/cli/member.h"
#include "sdk/cli/pages.h"
#include "sdk/cli/path.h"
#include "sdk/cli/put.h"

#define PAGE_ITEMS 50 /* Lambda's largest */
#define UPLOAD_TIMEOUT_S 600

/* --- publish ---------------------------------------------------------------------------- */

static int put_body(struct buf *json, const struct cli_arguments *arguments,
                    const struct cli_archive *archive)
{
    cli_put_object(json, NULL);
    if (cli_argument_given(arguments, "description")) {
        cli_put_text(json, "Description", cli_argument(arguments, "description", 0));
    }
    if (cli_argument_given(arguments, "license")) {
        cli_put_text(json, "LicenseInfo", cli_argument(arguments, "license", 0));
    }
    if (cli_argument_given(arguments, "runtime")) {
        cli_put_texts(json, "CompatibleRuntimes", arguments, "runtime");
    }
    cli_put_object(json, "Content");
    cli_put_key(json, "ZipFile");
    buf_append_text(json, "\"");
    cli_base64_append(json, buf_bytes(&archive->zip));
    buf_append_text(json, "\"");
    cli_put_end(json);
    cli_put_end(json);
    return json->failed ? cli_complain_memory() : 0;
}

static int print_published(struct cli_session *session, const struct cli_request *request,
                           const struct cli_reply *reply)
{
    json_t *json = NULL;
    int r = cli_reply_json(request, reply, &json);

    if (r == 0) {
        const json_t *content = cli_member(json, "Content");

        (void)fprintf(session->out, "published %s (%" PRId64 " bytes, sha256 %s)\n",
                      cli_member_text(json, "LayerVersionArn"),
                      cli_member_number(content, "CodeSize"),
                      cli_member_text(content, "CodeSha256"));
    }
    json_decref(json);
    return r;
}

static int send_published(struct cli_session *session, const char *name, const struct buf *json)
{
    struct buf path = {0};
    char what[256];
    struct cli_request request = {.method = "POST",
                                  .path = &path,
                                  .body = buf_bytes(json),
                                  .content_type = "application/json",
                                  .what = what,
                                  .timeout_s = UPLOAD_TIMEOUT_S};
    struct cli_reply reply = {0};
    int r;

    (void)snprintf(what, sizeof what, "publish the layer '%s'", name);
    cli_path_append(&path, CLI_LAYERS "/");
    cli_path_append_segment(&path, name);
    cli_path_append(&path, "/versions");
    r = cli_request_send(session, &request, &reply);
    if (r == 0 && session->is_json) {
        cli_session_print(session, buf_bytes(&reply.body));
    } else if (r == 0) {
        r = print_published(session, &request, &reply);
    }
    cli_reply_fini(&reply);
    buf_fini(&path);
    return r;
}

int cli_run_layer_publish(struct cli_session *session, const struct cli_arguments *arguments)
{
    struct cli_archive archive = {.runtime = NULL};
    struct buf json = {0};
    int r = cli_archive_make_layer(&archive, cli_operand(arguments, 1));

    if (r == 0) {
        r = put_body(&json, arguments, &archive);
    }
    if (r == 0) {
        r = send_published(session, cli_operand(arguments, 0), &json);
    }
    buf_fini(&json);
    cli_archive_fini(&archive);
    return r;
}

/* --- list ------------------------------------------------------------------------------- */

static void put_runtimes(struct cli_grid *grid, const json_t *version)
{
    const json_t *list = cli_member(version, "CompatibleRuntimes");
    struct buf names = {0};

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));

        buf_printf(&names, "%s%s", (i > 0) ? " " : "", (name != NULL) ? name : "");
    }
    buf_append(&names, "", 1);
    cli_grid_add(grid, COLOR_NONE, names.failed ? "" : (const char *)names.data);
    buf_fini(&names);
}

static void add_version(struct cli_grid *grid, const char *name, const json_t *version)
{
    cli_grid_add(grid, COLOR_NONE, name);
    cli_grid_printf(grid, "%" PRId64, cli_member_number(version, "Version"));
    put_runtimes(grid, version);
    cli_grid_add(grid, COLOR_NONE, cli_member_text(version, "CreatedDate"));
    cli_grid_add(grid, COLOR_DIM, cli_member_text(version, "Description"));
}

struct listing {
    struct cli_grid grid;
    const char *name; /* NULL: all layers, each with its newest version */
};

static int add_items(void *arg, const json_t *items)
{
    struct listing *listing = arg;
    const json_t *item;
    size_t i;

    json_array_foreach(items, i, item)
    {
        if (listing->name != NULL) {
            add_version(&listing->grid, listing->name, item);
        } else {
            add_version(&listing->grid, cli_member_text(item, "LayerName"),
                        cli_member(item, "LatestMatchingVersion"));
        }
    }
    return 0;
}

int cli_run_layer_list(struct cli_session *session, const struct cli_arguments *arguments)
{
    static const char *const titles[] = {"NAME",    ">VERSION",    "RUNTIMES",
                                         "CREATED", "DESCRIPTION", NULL};
    struct listing listing = {.name = cli_operand(arguments, 0)};
    struct buf path = {0};
    struct cli_pages pages = {.member = (listing.name != NULL) ? "LayerVersions" : "Layers",
                              .what = "list layers",
                              .page_max = PAGE_ITEMS,
                              .on_items = add_items,
                              .arg = &listing};
    int r;

    cli_path_append(&path, CLI_LAYERS);
    if (listing.name != NULL) {
        cli_path_append(&path, "/");
        cli_path_append_segment(&path, listing.name);
        cli_path_append(&path, "/versions");
    }
    buf_append(&path, "", 1);
    if (path.failed) {
        buf_fini(&path);
        return cli_complain_memory();
    }
    pages.path = (const char *)path.data;
    if (session->is_json) {
        r = cli_pages_print_json(session, &pages);
    } else {
        cli_grid_init(&listing.grid, titles);
        r = cli_pages_read(session, &pages);
        r = (r == 0) ? cli_grid_print(&listing.grid, session) : r;
        cli_grid_fini(&listing.grid);
    }
    buf_fini(&path);
    return r;
}

/* --- delete ----------------------------------------------------------------------------- */

int cli_run_layer_delete(struct cli_session *session, const struct cli_arguments *arguments)
{
    const char *name = cli_operand(arguments, 0);
    struct buf path = {0};
    char what[256];
    struct cli_request request = {
        .method = "DELETE", .path = &path, .what = what, .is_repeatable = true};
    struct cli_reply reply = {0};
    int r = cli_layer_path(&path, name);

    if (r == 0) {
        (void)snprintf(what, sizeof what, "delete the layer '%s'", name);
        r = cli_request_send(session, &request, &reply);
    }
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
