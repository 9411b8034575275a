/* pawl versions: what was published of a function, and which aliases name it. */
#include <inttypes.h>
#include <string.h>

#include "sdk/cli/commands.h"
#include "sdk/cli/complain.h"
#include "sdk/cli/grid.h"
#include "sdk/cli/member.h"
#include "sdk/cli/pages.h"
#include "sdk/cli/path.h"

#define PAGE_ITEMS 50 /* Lambda's largest */

struct versions {
    struct cli_grid grid;
    json_t *aliases; /* an array */
};

static int keep_aliases(void *arg, const json_t *items)
{
    struct versions *versions = arg;

    return (json_array_extend(versions->aliases, (json_t *)(uintptr_t)items) == 0)
               ? 0
               : cli_complain_memory();
}

/* "live 90%, next": without a share the alias leads here alone. */
static void append_alias(struct buf *names, const json_t *alias, const char *version)
{
    const json_t *weights =
        cli_member(cli_member(alias, "RoutingConfig"), "AdditionalVersionWeights");
    const char *name = cli_member_text(alias, "Name");
    const char *other = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)weights));
    double share = (other != NULL) ? json_number_value(json_object_get(weights, other)) * 100 : 0;
    bool is_own = strcmp(cli_member_text(alias, "FunctionVersion"), version) == 0;

    if (!is_own && (other == NULL || strcmp(other, version) != 0)) {
        return;
    }
    buf_printf(names, "%s%s", (names->len > 0) ? ", " : "", name);
    if (other != NULL) {
        buf_printf(names, " %g%%", is_own ? 100 - share : share);
    }
}

static void add_aliases(struct versions *versions, const char *version)
{
    struct buf names = {0};
    const json_t *alias;
    size_t i;

    json_array_foreach(versions->aliases, i, alias)
    {
        append_alias(&names, alias, version);
    }
    cli_grid_printf(&versions->grid, "%.*s", (int)((names.len > 0) ? names.len : 1),
                    (names.len > 0) ? (const char *)names.data : "-");
    buf_fini(&names);
}

static int add_versions(void *arg, const json_t *items)
{
    struct versions *versions = arg;
    struct cli_grid *grid = &versions->grid;
    const json_t *version;
    size_t i;

    json_array_foreach(items, i, version)
    {
        cli_grid_add(grid, COLOR_NONE, cli_member_text(version, "Version"));
        add_aliases(versions, cli_member_text(version, "Version"));
        cli_grid_printf(grid, "%" PRId64, cli_member_number(version, "CodeSize"));
        cli_grid_add(grid, COLOR_NONE, cli_member_text(version, "CodeSha256"));
        cli_grid_add(grid, COLOR_NONE, cli_member_text(version, "LastModified"));
        cli_grid_add(grid, COLOR_DIM, cli_member_text(version, "Description"));
    }
    return 0;
}

static int read_list(struct cli_session *session, struct versions *versions, const char *name,
                     struct cli_pages *pages, const char *rest)
{
    struct buf path = {0};
    int r;

    cli_path_append_function(&path, name, rest);
    buf_append(&path, "", 1);
    pages->path = (const char *)path.data;
    pages->page_max = PAGE_ITEMS;
    pages->arg = versions;
    if (path.failed) {
        r = cli_complain_memory();
    } else {
        r = session->is_json ? cli_pages_print_json(session, pages)
                             : cli_pages_read(session, pages);
    }
    buf_fini(&path);
    return r;
}

int cli_run_versions(struct cli_session *session, const struct cli_arguments *arguments)
{
    static const char *const titles[] = {"VERSION",  "ALIASES",     ">BYTES", "SHA256",
                                         "MODIFIED", "DESCRIPTION", NULL};
    const char *name = cli_operand(arguments, 0);
    struct versions versions = {.aliases = json_array()};
    char what[256];
    struct cli_pages aliases = {.member = "Aliases", .what = what, .on_items = keep_aliases};
    struct cli_pages list = {.member = "Versions", .what = what, .on_items = add_versions};
    int r = 0;

    (void)snprintf(what, sizeof what, "list the versions of '%s'", name);
    cli_grid_init(&versions.grid, titles);
    if (!session->is_json) {
        r = read_list(session, &versions, name, &aliases, "/aliases");
    }
    r = (r == 0) ? read_list(session, &versions, name, &list, "/versions") : r;
    if (r == 0 && !session->is_json) {
        r = cli_grid_print(&versions.grid, session);
    }
    cli_grid_fini(&versions.grid);
    json_decref(versions.aliases);
    return r;
}
