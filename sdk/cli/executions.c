/* pawl executions: durable executions of all functions, or (--events) asynchronous
 * invokes of ordinary ones. The daemon filters and sorts. */
#include <string.h>

#include "sdk/cli/commands.h"
#include "sdk/cli/complain.h"
#include "sdk/cli/execution_id.h"
#include "sdk/cli/grid.h"
#include "sdk/cli/member.h"
#include "sdk/cli/pages.h"
#include "sdk/cli/path.h"
#include "sdk/cli/when.h"

#define PAGE_ITEMS 1000
#define LIMIT_DEFAULT 100

struct listing {
    struct cli_session *session;
    struct cli_grid grid;
};

static void add_times(struct listing *listing, const json_t *execution)
{
    int64_t start_ms = cli_member_time_ms(execution, "StartTimestamp");
    int64_t end_ms = cli_member_time_ms(execution, "EndTimestamp");
    bool is_running = strcmp(cli_member_text(execution, "Status"), "RUNNING") == 0;
    char text[CLI_WHEN_TEXT_MAX];

    cli_grid_add(&listing->grid, COLOR_NONE,
                 cli_when_format(text, start_ms, listing->session->is_terminal));
    if (is_running && end_ms < 0) {
        end_ms = cli_now_ms();
    }
    cli_grid_add(&listing->grid, COLOR_NONE,
                 cli_duration_format(text, (start_ms < 0 || end_ms < 0) ? -1 : end_ms - start_ms));
}

static int add_executions(void *arg, const json_t *items)
{
    struct listing *listing = arg;
    const json_t *execution;
    size_t i;

    json_array_foreach(items, i, execution)
    {
        const char *status = cli_member_text(execution, "Status");

        cli_grid_add(&listing->grid, cli_status_color(status), status);
        cli_grid_add(&listing->grid, COLOR_NONE, cli_member_text(execution, "FunctionName"));
        cli_grid_add(&listing->grid, COLOR_NONE,
                     cli_member_text(execution, "DurableExecutionName"));
        add_times(listing, execution);
        cli_grid_add(&listing->grid, COLOR_DIM,
                     cli_execution_uuid(cli_member_text(execution, "DurableExecutionArn")));
    }
    return 0;
}

static int append_query(struct buf *path, const struct cli_arguments *arguments)
{
    const char *since = cli_argument(arguments, "since", 0);
    int64_t since_ms = 0;

    if (since != NULL && !cli_when_parse(since, cli_now_ms(), &since_ms)) {
        return cli_complain(CLI_USAGE, "--since %s: give 90s, 30m, 1h30m, 2d or 2026-11-23T09:29Z",
                            since);
    }
    cli_path_append(path, "/pawl/v1/executions");
    cli_path_append_query(path, "Kind",
                          cli_argument_given(arguments, "events") ? "event" : "durable");
    cli_path_append_query(path, "Function", cli_argument(arguments, "function", 0));
    cli_path_append_query(path, "Status", cli_argument(arguments, "status", 0));
    cli_path_append_query(path, "Sort", cli_argument(arguments, "sort", 0));
    if (since != NULL) {
        cli_path_append_query_number(path, "Since", since_ms);
    }
    if (cli_argument_given(arguments, "reverse")) {
        cli_path_append_query(path, "ReverseOrder", "true");
    }
    buf_append(path, "", 1);
    return path->failed ? cli_complain_memory() : 0;
}

static int print(struct cli_session *session, struct cli_pages *pages)
{
    static const char *const titles[] = {"STATUS",    "FUNCTION", "NAME", "STARTED",
                                         ">DURATION", "ID",       NULL};
    struct listing listing = {.session = session};
    int r;

    cli_grid_init(&listing.grid, titles);
    pages->on_items = add_executions;
    pages->arg = &listing;
    r = cli_pages_read(session, pages);
    r = (r == 0) ? cli_grid_print(&listing.grid, session) : r;
    cli_grid_fini(&listing.grid);
    return r;
}

int cli_run_executions(struct cli_session *session, const struct cli_arguments *arguments)
{
    struct buf path = {0};
    struct cli_pages pages = {.member = "Executions",
                              .what = "list executions",
                              .page_max = PAGE_ITEMS,
                              .items_max = cli_argument_number(arguments, "limit", LIMIT_DEFAULT)};
    int r = append_query(&path, arguments);

    if (r == 0) {
        pages.path = (const char *)path.data;
        r = session->is_json ? cli_pages_print_json(session, &pages) : print(session, &pages);
    }
    buf_fini(&path);
    return r;
}
