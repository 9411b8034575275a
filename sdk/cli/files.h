/* The files of a program, read into memory: what the archive is made of. */
#ifndef SDK_CLI_FILES_H
#define SDK_CLI_FILES_H

#include <stdbool.h>

#include "engine/base/bytes.h"

struct cli_file {
    char *name; /* relative, with slashes */
    struct buf content;
    bool is_executable;
};

struct cli_files {
    struct cli_file *files; /* sorted by the bytes of their names */
    size_t count;
    size_t cap;
    size_t bytes; /* of all contents */
};

/* All regular files below a directory; or one file, under its own path. Limits are
 * those of archive.h. Nothing is read through a symbolic link, and a directory .bin of a
 * node_modules not at all. Release also after a failure. */
int cli_files_read(struct cli_files *files, const char *path, bool *ret_is_directory);
void cli_files_fini(struct cli_files *files);

const struct cli_file *cli_files_find(const struct cli_files *files, const char *name);

#endif /* SDK_CLI_FILES_H */
