/* The command lines of `pawl serve` and `pawl dev`. */
#ifndef INVOKE_OPTIONS_H
#define INVOKE_OPTIONS_H

#include "invoke/config.h"

#define OPTIONS_GIVEN_MAX 32

struct options {
    const char *program; /* "serve" or "dev" */
    const char *config_path;
    bool is_help;
    bool is_version;
    const char *supervisor;               /* serve: the pid of the dev with whom it ends, or NULL */
    bool is_list_points;                  /* serve: of a build with crash points */
    bool is_plain;                        /* dev: deploy ordinary functions, not durable ones */
    const char *given[OPTIONS_GIVEN_MAX]; /* by place in the table; NULL: not given */
    char **operands;
    int operand_count;
};

/* argv[0] is the command's name. False when it is wrong: a sentence is on stderr. */
bool options_parse(struct options *options, int argc, char **argv);

/* The help, to stdout. */
void options_print_help(const struct options *options);

/* The value of one, or NULL. To ask for an unknown one is a programming error. */
const char *options_get(const struct options *options, const char *name);

/* The configuration: defaults, file, command line; data and socket are set. ERR_INVALID
 * with a sentence; config_fini() either way. */
int options_configure(const struct options *options, struct config *config);

/* Makes the directory, and those above it, for the owner alone; one that is there stays
 * as it is. */
int options_make_directory(const char *path);

#endif /* INVOKE_OPTIONS_H */
