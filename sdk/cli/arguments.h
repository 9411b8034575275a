/* A command line, read against the table of commands (commands.c): options with
 * getopt_long(), then operands. Numbers, choices and counts are checked here, so a
 * command finds only values that its table allows. */
#ifndef SDK_CLI_ARGUMENTS_H
#define SDK_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/bytes.h"

#define CLI_OPERANDS_MAX 4
#define CLI_GIVEN_MAX 256

struct cli_option {
    const char *name;  /* without the dashes */
    const char *value; /* what the help calls it; NULL: a flag */
    const char *help;
    const char *words; /* the only values allowed, with spaces between; NULL: any */
    int64_t min;       /* of a number */
    int64_t max;       /* of a number; 0: it is not one */
    bool is_repeatable;
};

struct cli_session;
struct cli_arguments;

struct cli_command {
    const char *name;     /* one or two words: "deploy", "callback fail" */
    const char *operands; /* as the help shows them; "" if none */
    size_t operands_min;
    size_t operands_max;
    const char *summary;
    const char *notes;                /* more paragraphs of its help, with examples; NULL: none */
    const struct cli_option *options; /* ends with a NULL name; NULL: none */
    /* NULL for a command that the program handles before the client is asked. */
    int (*run)(struct cli_session *session, const struct cli_arguments *arguments);
    bool is_local; /* prints to stdout without session or daemon */
};

struct cli_given {
    const struct cli_option *option;
    const char *value; /* NULL for a flag */
};

struct cli_arguments {
    const struct cli_command *command;
    const char *operands[CLI_OPERANDS_MAX];
    size_t operand_count;
    struct cli_given given[CLI_GIVEN_MAX];
    size_t given_count;
    bool is_help;
};

/* The options that every command has. */
extern const struct cli_option cli_global_options[];

/* Reads all of argv[1..] and finds the command, into zeroed `arguments`. With --help
 * or --version the operands are not looked at. `argv` may be reordered; values point
 * into it. `command` stays NULL when argv names none. */
int cli_arguments_parse(struct cli_arguments *arguments, int argc, char **argv);

/* The n-th value of an option of this command, counted from 0, or NULL. To ask for
 * an option that the table does not have is a programming error. */
const char *cli_argument(const struct cli_arguments *arguments, const char *name, size_t n);
bool cli_argument_given(const struct cli_arguments *arguments, const char *name);
int64_t cli_argument_number(const struct cli_arguments *arguments, const char *name,
                            int64_t otherwise);

/* The n-th operand, or NULL. */
const char *cli_operand(const struct cli_arguments *arguments, size_t n);

#endif /* SDK_CLI_ARGUMENTS_H */
