#include "sdk/cli/execution_id.h"

#include <string.h>

#include "sdk/cli/complain.h"
#include "sdk/cli/member.h"
#include "sdk/cli/pages.h"
#include "sdk/cli/path.h"

#define PAGE_ITEMS 1000

const char *cli_execution_uuid(const char *arn)
{
    const char *slash = strrchr(arn, '/');

    return (slash != NULL) ? slash + 1 : arn;
}

/* What follows "function:" in an ARN or partial ARN; else the text itself. */
static const char *after_function(const char *name)
{
    const char *mark = strstr(name, "function:");

    if (mark == name || (mark != NULL && mark[-1] == ':')) {
        return mark + strlen("function:");
    }
    return name;
}

struct bytes cli_function_of_arn(const char *arn)
{
    const char *name = after_function(arn);

    return bytes_of(name, strcspn(name, ":/"));
}

bool cli_function_is_qualified(const char *name)
{
    return strchr(after_function(name), ':') != NULL;
}

struct search {
    const char *text;
    char *ret_arn;
    bool is_found;
};

static int look_for(void *arg, const json_t *items)
{
    struct search *search = arg;
    const json_t *item;
    size_t i;

    json_array_foreach(items, i, item)
    {
        const char *arn = cli_member_text(item, "DurableExecutionArn");
        const char *name = cli_member_text(item, "DurableExecutionName");

        if (strcmp(name, search->text) == 0 || strcmp(cli_execution_uuid(arn), search->text) == 0) {
            (void)snprintf(search->ret_arn, CLI_ARN_MAX + 1, "%s", arn);
            search->is_found = true;
            return CLI_PAGES_STOP;
        }
    }
    return 0;
}

/* `by_name` lets the daemon filter: the usual case, one small answer. */
static int search_list(struct cli_session *session, const char *function, struct search *search,
                       bool by_name)
{
    struct buf path = {0};
    struct cli_pages pages = {.member = "DurableExecutions",
                              .what = "find the execution",
                              .page_max = PAGE_ITEMS,
                              .on_items = look_for,
                              .arg = search};
    int r;

    cli_path_append(&path, "/2025-12-01/functions/");
    cli_path_append_segment(&path, function);
    cli_path_append(&path, "/durable-executions");
    cli_path_append_query(&path, "DurableExecutionName", by_name ? search->text : NULL);
    buf_append(&path, "", 1);
    if (path.failed) {
        buf_fini(&path);
        return cli_complain_memory();
    }
    pages.path = (const char *)path.data;
    r = cli_pages_read(session, &pages);
    buf_fini(&path);
    return r;
}

int cli_execution_resolve(struct cli_session *session, const char *text, const char *function,
                          char ret_arn[CLI_ARN_MAX + 1])
{
    struct search search = {.text = text, .ret_arn = ret_arn};
    struct id id;
    int r;

    if (strncmp(text, "arn:", 4) == 0) {
        if (strlen(text) > CLI_ARN_MAX) {
            return cli_complain(CLI_USAGE, "an ARN has at most %d characters", CLI_ARN_MAX);
        }
        (void)snprintf(ret_arn, CLI_ARN_MAX + 1, "%s", text);
        return 0;
    }
    if (function == NULL) {
        return cli_complain(CLI_USAGE,
                            "'%s' is not an ARN: add --function NAME, so that the "
                            "execution can be found by its name or UUID",
                            text);
    }
    r = search_list(session, function, &search, true);
    if (r == 0 && !search.is_found && id_parse(text, strlen(text), &id)) {
        r = search_list(session, function, &search, false);
    }
    if (r == 0 && !search.is_found) {
        return cli_complain(CLI_NOT_FOUND,
                            "function '%s' has no execution '%s': 'pawl executions --function "
                            "%s' lists them",
                            function, text, function);
    }
    return r;
}
