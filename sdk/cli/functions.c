/* pawl functions: what is deployed. */
#include <inttypes.h>
#include <string.h>

#include "sdk/cli/commands.h"
#include "sdk/cli/grid.h"
#include "sdk/cli/member.h"
#include "sdk/cli/pages.h"

#define PAGE_ITEMS 50 /* Lambda's largest */

static void add_number(struct cli_grid *grid, int64_t number)
{
    if (number < 0) {
        cli_grid_add(grid, COLOR_DIM, "-");
    } else {
        cli_grid_printf(grid, "%" PRId64, number);
    }
}

static int64_t concurrency(const json_t *function)
{
    const json_t *provider = cli_member(function, "CapacityProviderConfig");
    int64_t number =
        cli_member_number(cli_member(provider, "LambdaManagedInstancesCapacityProviderConfig"),
                          "PerExecutionEnvironmentMaxConcurrency");

    return (number > 0) ? number : 1;
}

static int add_functions(void *arg, const json_t *items)
{
    struct cli_grid *grid = arg;
    const json_t *function;
    size_t i;

    json_array_foreach(items, i, function)
    {
        const char *state = cli_member_text(function, "State");
        bool is_durable = json_is_object(cli_member(function, "DurableConfig"));

        cli_grid_add(grid, COLOR_NONE, cli_member_text(function, "FunctionName"));
        cli_grid_add(grid, cli_status_color(state), state);
        cli_grid_add(grid, COLOR_NONE, is_durable ? "yes" : "no");
        cli_grid_add(grid, COLOR_NONE, cli_member_text(function, "Runtime"));
        add_number(grid, cli_member_number(function, "Timeout"));
        add_number(grid, cli_member_number(function, "MemorySize"));
        add_number(grid, concurrency(function));
        add_number(grid, cli_member_number(function, "CodeSize"));
        cli_grid_add(grid, COLOR_NONE, cli_member_text(function, "LastModified"));
        cli_grid_add(grid, COLOR_DIM, cli_member_text(function, "Description"));
    }
    return 0;
}

int cli_run_functions(struct cli_session *session, const struct cli_arguments *arguments)
{
    static const char *const titles[] = {"NAME",       "STATE",       "DURABLE", "RUNTIME",
                                         ">TIMEOUT S", ">MEM MB",     ">CONC",   ">BYTES",
                                         "MODIFIED",   "DESCRIPTION", NULL};
    struct cli_grid grid;
    struct cli_pages pages = {.path = "/2015-03-31/functions",
                              .member = "Functions",
                              .what = "list functions",
                              .page_max = PAGE_ITEMS,
                              .on_items = add_functions,
                              .arg = &grid};
    int r;

    (void)arguments;
    if (session->is_json) {
        return cli_pages_print_json(session, &pages);
    }
    cli_grid_init(&grid, titles);
    r = cli_pages_read(session, &pages);
    r = (r == 0) ? cli_grid_print(&grid, session) : r;
    cli_grid_fini(&grid);
    return r;
}
