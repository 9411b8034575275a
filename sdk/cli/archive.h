/* The zip that is deployed: the same files always give the same bytes (sorted names,
 * fixed times, modes 0755 or 0644), so the same code has the same hash. */
#ifndef SDK_CLI_ARCHIVE_H
#define SDK_CLI_ARCHIVE_H

#include <stdbool.h>

#include "engine/base/bytes.h"

#define CLI_ARCHIVE_BYTES_MAX (256U << 20) /* of all files, unpacked */
#define CLI_ARCHIVE_FILES_MAX 10000
#define CLI_ARCHIVE_DEPTH_MAX 32

struct cli_archive {
    struct buf zip;
    bool has_bootstrap;
    bool has_index; /* index.mjs */
    bool has_app;   /* app.py */
};

/* `path` is a program (it becomes `bootstrap`), a zip (taken as it is; then only
 * has_bootstrap is set), or a directory. Symbolic links and special files are
 * refused, never followed. */
int cli_archive_make(struct cli_archive *archive, const char *path);
void cli_archive_fini(struct cli_archive *archive);

#endif /* SDK_CLI_ARCHIVE_H */
