#include "examples/audit/diversions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DIVERSIONS_MAX 10000
#define LINE_BYTES 4200

/* A line without its end, in memory of `ctx`; NULL at the end of the file. */
static const char *read_line(struct pawl_context *ctx, FILE *file)
{
    char line[LINE_BYTES];

    if (fgets(line, sizeof line, file) == NULL) {
        return NULL;
    }
    line[strcspn(line, "\n")] = '\0';
    return pawl_printf(ctx, "%s", line);
}

static size_t read_all(struct pawl_context *ctx, FILE *file, struct diversion *items)
{
    size_t count = 0;

    while (count < DIVERSIONS_MAX) {
        struct diversion *item = &items[count];

        item->from = read_line(ctx, file);
        item->to = read_line(ctx, file);
        item->package = read_line(ctx, file);
        if (item->package == NULL) {
            break;
        }
        count++;
    }
    return count;
}

int diversions_read(struct pawl_context *ctx, const char *path, struct diversions *ret_diversions)
{
    FILE *file = fopen(path, "re");
    struct diversion *items;

    *ret_diversions = (struct diversions){0};
    if (file == NULL) {
        return (errno == ENOENT) ? 0 : pawl_fail(ctx, "Unreadable", "%s: errno %d", path, errno);
    }
    items = pawl_alloc(ctx, DIVERSIONS_MAX * sizeof *items);
    *ret_diversions = (struct diversions){items, read_all(ctx, file, items)};
    (void)fclose(file);
    return 0;
}

const char *diversions_follow(const struct diversions *diversions, const char *package,
                              const char *path)
{
    size_t name_len = strcspn(package, ":"); /* without the architecture */

    for (size_t i = 0; i < diversions->count; i++) {
        const struct diversion *item = &diversions->items[i];

        if (strcmp(item->from, path) == 0 &&
            !(strlen(item->package) == name_len && memcmp(item->package, package, name_len) == 0)) {
            return item->to;
        }
    }
    return path;
}
