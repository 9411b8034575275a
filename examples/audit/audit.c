/* A durable audit: every file that Debian's packages installed on this machine, compared
 * with the MD5 sum that its package was shipped with.
 *
 *     list-packages                  one step: the names
 *     packages                       a map, some at a time
 *         map-item-0 .. n            a child context for each package
 *             NAME                   one step: hashes its files
 *     report                         one step: the sums, and the first paths of each kind
 *
 * However often it is cut off, a package whose step has ended is not read again. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "examples/audit/findings.h"
#include "examples/audit/ledger.h"
#include "examples/audit/package.h"
#include "examples/audit/request.h"

#define PACKAGES_MAX 6000 /* five operations each would be the daemon's 30,000 */
#define LIST_BYTES_MAX (250U << 10)

struct audit {
    struct request request;
    struct pawl_batch checked;
};

static int give_json(struct pawl_context *ctx, json_t *root, struct pawl_value *ret_text)
{
    char *text = (root != NULL) ? json_dumps(root, JSON_COMPACT) : NULL;

    json_decref(root);
    if (text == NULL) {
        return pawl_fail(ctx, "NoMemory", "for a result");
    }
    *ret_text = pawl_format(ctx, "%s", text);
    free(text);
    return 0;
}

/* --- the packages ------------------------------------------------------------------------ */

static int is_list(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    size_t suffix_len = sizeof PACKAGE_LIST_SUFFIX - 1;

    return len > suffix_len && strcmp(entry->d_name + len - suffix_len, PACKAGE_LIST_SUFFIX) == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* One name a line: names of packages have no blanks. */
static int join_names(struct pawl_context *ctx, const struct request *request,
                      struct dirent **entries, size_t count, struct pawl_value *ret_names)
{
    char *text = pawl_alloc(ctx, LIST_BYTES_MAX);
    size_t len = 0;

    if (request->packages_max != 0 && request->packages_max < count) {
        count = request->packages_max;
    }
    for (size_t i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        size_t name_len = strlen(name) - (sizeof PACKAGE_LIST_SUFFIX - 1);

        if (i >= PACKAGES_MAX || len + name_len + 2 > LIST_BYTES_MAX) {
            return pawl_fail(ctx, "TooManyPackages", "%zu are more than one audit takes", count);
        }
        memcpy(text + len, name, name_len);
        text[len + name_len] = '\n';
        len += name_len + 1;
    }
    *ret_names = pawl_format(ctx, "%s", pawl_json_quote(ctx, text));
    return 0;
}

static int list_packages(struct pawl_context *ctx, void *arg, struct pawl_value *ret_names)
{
    const struct audit *audit = arg;
    struct dirent **entries = NULL;
    int count;
    int r;

    PAWL_TRY(ledger_tell(ctx, audit->request.ledger, "start", "list-packages"));
    count = scandir(PACKAGE_LISTS, &entries, is_list, by_bytes);
    if (count < 0) {
        return pawl_fail(ctx, "Unreadable", PACKAGE_LISTS ": errno %d", errno);
    }
    r = join_names(ctx, &audit->request, entries, (size_t)count, ret_names);
    for (int i = 0; i < count; i++) {
        free(entries[i]);
    }
    free(entries);
    PAWL_TRY(r);
    return ledger_tell(ctx, audit->request.ledger, "done", "list-packages");
}

static struct pawl_value *split_names(struct pawl_context *ctx, struct pawl_value names,
                                      size_t *ret_count)
{
    struct pawl_value *items = pawl_alloc(ctx, PACKAGES_MAX * sizeof *items);
    char *rest = pawl_json_unquote(ctx, names);
    char *name;
    size_t count = 0;

    while (rest != NULL && count < PACKAGES_MAX && (name = strsep(&rest, "\n")) != NULL) {
        if (name[0] != '\0') {
            items[count++] = pawl_value(name);
        }
    }
    *ret_count = count;
    return items;
}

/* --- one package --------------------------------------------------------------------------- */

struct package {
    const struct audit *audit;
    const char *name;
};

static int hash_package(struct pawl_context *ctx, void *arg, struct pawl_value *ret_findings)
{
    const struct package *package = arg;
    const struct request *request = &package->audit->request;
    struct findings findings;
    int r;

    PAWL_TRY(ledger_tell(ctx, request->ledger, "start", package->name));
    findings_init(&findings);
    r = package_check(ctx, request, package->name, &findings);
    if (r == 0) {
        r = give_json(ctx, findings_write(&findings), ret_findings);
    }
    findings_fini(&findings);
    PAWL_TRY(r);
    return ledger_tell(ctx, request->ledger, "done", package->name);
}

static int check_package(struct pawl_context *ctx, struct pawl_value item, size_t index, void *arg,
                         struct pawl_value *ret_findings)
{
    struct package package = {.audit = arg, .name = item.data};

    (void)index;
    return pawl_step(ctx, package.name, hash_package, &package, NULL, ret_findings);
}

/* --- the report ------------------------------------------------------------------------------ */

static int add_up(struct pawl_context *ctx, const struct audit *audit, struct findings *findings)
{
    for (size_t i = 0; i < audit->checked.count; i++) {
        if (!findings_read(findings, audit->checked.items[i].result, audit->request.listed_max)) {
            return pawl_fail(ctx, "BadResult", "package number %zu has no findings", i);
        }
    }
    return 0;
}

static int report(struct pawl_context *ctx, void *arg, struct pawl_value *ret_report)
{
    const struct audit *audit = arg;
    struct findings findings;
    json_t *root;
    int r;

    PAWL_TRY(ledger_tell(ctx, audit->request.ledger, "start", "report"));
    findings_init(&findings);
    r = add_up(ctx, audit, &findings);
    if (r == 0) {
        root = findings_write(&findings);
        (void)json_object_set_new(root, "packages", json_integer((json_int_t)audit->checked.count));
        r = give_json(ctx, root, ret_report);
    }
    findings_fini(&findings);
    PAWL_TRY(r);
    return ledger_tell(ctx, audit->request.ledger, "done", "report");
}

static int handler(struct pawl_context *ctx, struct pawl_value input, struct pawl_value *ret_report)
{
    struct audit *audit = pawl_alloc(ctx, sizeof *audit);
    struct pawl_batch_options options = {0};
    struct pawl_value names;
    struct pawl_value *items;
    size_t count;

    PAWL_TRY(request_parse(ctx, input, &audit->request));
    options.max_concurrency = audit->request.concurrency;
    PAWL_TRY(pawl_step(ctx, "list-packages", list_packages, audit, NULL, &names));
    items = split_names(ctx, names, &count);
    PAWL_TRY(
        pawl_map(ctx, "packages", items, count, check_package, audit, &options, &audit->checked));
    PAWL_TRY(pawl_batch_check(ctx, &audit->checked));
    return pawl_step(ctx, "report", report, audit, NULL, ret_report);
}

int main(void)
{
    return pawl_run(handler);
}
