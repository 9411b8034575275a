/* The zip that is deployed: the same files always give the same bytes (sorted names,
 * fixed times, modes 0755 or 0644), so the same code has the same hash. */
#ifndef SDK_CLI_ARCHIVE_H
#define SDK_CLI_ARCHIVE_H

#include <stdbool.h>

#include "engine/base/bytes.h"

#define CLI_ARCHIVE_BYTES_MAX (256U << 20) /* of all files, unpacked */
#define CLI_ARCHIVE_FILES_MAX 10000
#define CLI_ARCHIVE_DEPTH_MAX 32

/* What runs it: by `bootstrap`, else index.mjs or index.js, else app.py at its top. */
struct cli_archive {
    struct buf zip;
    const char *runtime; /* "nodejs22.x"; NULL: there is none of these */
    const char *handler; /* "index.handler" */
};

/* `path` is a program (it becomes `bootstrap`), a script (*.mjs, *.js or *.py without #!: it
 * becomes the index.mjs, index.js or app.py of its runtime), a zip (taken as it is), or a
 * directory. Symbolic links and special files are refused, never followed; only what npm
 * makes itself, node_modules/.bin, is left out. */
int cli_archive_make(struct cli_archive *archive, const char *path);
/* Of a layer: a zip or a directory, with whatever is in it. */
int cli_archive_make_layer(struct cli_archive *archive, const char *path);
void cli_archive_fini(struct cli_archive *archive);

#endif /* SDK_CLI_ARCHIVE_H */
