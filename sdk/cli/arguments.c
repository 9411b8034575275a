#include "sdk/cli/arguments.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/cli/commands.h"
#include "sdk/cli/complain.h"

#define OPTIONS_MAX 40

/* The options of one pass, in getopt's form and, at the same place, in ours. */
struct accepted {
    struct option longs[OPTIONS_MAX + 1];
    const struct cli_option *options[OPTIONS_MAX];
    size_t count;
};

static void accept_options(struct accepted *accepted, const struct cli_option *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        assert(accepted->count < OPTIONS_MAX);
        accepted->longs[accepted->count] = (struct option){
            .name = options->name,
            .has_arg = (options->value != NULL) ? required_argument : no_argument,
        };
        accepted->options[accepted->count++] = options;
    }
}

static int complain_usage(const struct cli_arguments *arguments, const char *problem,
                          const char *what)
{
    const struct cli_command *command = arguments->command;

    return cli_complain(CLI_USAGE, "%s%s: see 'pawl %s%s--help'", problem, what,
                        (command != NULL) ? command->name : "", (command != NULL) ? " " : "");
}

static bool is_word(const char *words, const char *value)
{
    size_t len = strlen(value);

    while (*words != '\0') {
        size_t word = strcspn(words, " ");

        if (word == len && memcmp(words, value, len) == 0) {
            return true;
        }
        words += word + strspn(words + word, " ");
    }
    return false;
}

static int check_number(const struct cli_option *option, const char *value)
{
    char *end = NULL;
    int64_t number;

    errno = 0;
    number = strtoll(value, &end, 10);
    if (errno != 0 || end == value || *end != '\0' || number < option->min ||
        number > option->max) {
        return cli_complain(CLI_USAGE, "--%s %s: give a whole number from %" PRId64 " to %" PRId64,
                            option->name, value, option->min, option->max);
    }
    return 0;
}

static int check_value(const struct cli_option *option, const char *value)
{
    if (option->max != 0) {
        return check_number(option, value);
    }
    if (option->words != NULL && !is_word(option->words, value)) {
        return cli_complain(CLI_USAGE, "--%s %s: give one of: %s", option->name, value,
                            option->words);
    }
    return 0;
}

static int add_given(struct cli_arguments *arguments, const struct cli_option *option,
                     const char *value)
{
    int r = (value != NULL) ? check_value(option, value) : 0;

    if (r != 0) {
        return r;
    }
    if (!option->is_repeatable && cli_argument_given(arguments, option->name)) {
        return complain_usage(arguments, "given twice: --", option->name);
    }
    if (arguments->given_count == CLI_GIVEN_MAX) {
        return cli_complain(CLI_USAGE, "too many options: at most %d", CLI_GIVEN_MAX);
    }
    arguments->given[arguments->given_count++] = (struct cli_given){option, value};
    return 0;
}

/* One pass of getopt_long() over argv; the operands are then at argv[optind..]. */
static int read_options(struct cli_arguments *arguments, struct accepted *accepted, int argc,
                        char **argv, const char *letters)
{
    int place = 0;
    int r = 0;
    int c;

    optind = 0; /* GNU: forget every earlier command line */
    opterr = 0; /* our own sentences */
    while (r == 0 && (c = getopt_long(argc, argv, letters, accepted->longs, &place)) != -1) {
        if (c == 'h' || (c == 0 && strcmp(accepted->options[place]->name, "help") == 0)) {
            arguments->is_help = true;
        } else if (c == 0) {
            r = add_given(arguments, accepted->options[place], optarg);
        } else if (c == ':') {
            r = complain_usage(arguments, "a value is missing after ", argv[optind - 1]);
        } else {
            r = complain_usage(arguments, "unknown or incomplete option ", argv[optind - 1]);
        }
    }
    return r;
}

/* How many words of argv name this command; 0: they do not. */
static int match_command(const struct cli_command *command, int argc, char **argv)
{
    const char *rest = command->name;
    int words = 0;

    while (*rest != '\0') {
        size_t len = strcspn(rest, " ");

        if (words == argc || strlen(argv[words]) != len || memcmp(argv[words], rest, len) != 0) {
            return 0;
        }
        words++;
        rest += len + strspn(rest + len, " ");
    }
    return words;
}

static int find_command(struct cli_arguments *arguments, int argc, char **argv, int *ret_words)
{
    size_t len = strlen(argv[0]);

    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        *ret_words = match_command(command, argc, argv);
        if (*ret_words > 0) {
            arguments->command = command;
            return 0;
        }
    }
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        if (strncmp(command->name, argv[0], len) == 0 && command->name[len] == ' ') {
            return cli_complain(CLI_USAGE, "'%s' needs a second word: see 'pawl %s --help'",
                                argv[0], command->name);
        }
    }
    return complain_usage(arguments, "no such command: ", argv[0]);
}

static int take_operands(struct cli_arguments *arguments, int argc, char **argv)
{
    const struct cli_command *command = arguments->command;

    if ((size_t)argc < command->operands_min) {
        return cli_complain(CLI_USAGE, "'pawl %s' needs %s: see 'pawl %s --help'", command->name,
                            command->operands, command->name);
    }
    if ((size_t)argc > command->operands_max) {
        return complain_usage(arguments, "one argument too many: ", argv[command->operands_max]);
    }
    for (int i = 0; i < argc; i++) {
        arguments->operands[arguments->operand_count++] = argv[i];
    }
    return 0;
}

int cli_arguments_parse(struct cli_arguments *arguments, int argc, char **argv)
{
    struct accepted global = {0};
    struct accepted all = {0};
    int words = 0;
    int r;

    accept_options(&global, cli_global_options);
    r = read_options(arguments, &global, argc, argv, "+:h"); /* up to the command */
    if (r != 0 || optind == argc) {
        return r;
    }
    argc -= optind;
    argv += optind;
    r = find_command(arguments, argc, argv, &words);
    if (r != 0) {
        return r;
    }
    accept_options(&all, arguments->command->options);
    accept_options(&all, cli_global_options);
    /* getopt skips argv[0]: here the last word of the command's name. */
    r = read_options(arguments, &all, argc - words + 1, argv + words - 1, ":h");
    if (r != 0 || arguments->is_help || cli_argument_given(arguments, "version")) {
        return r;
    }
    return take_operands(arguments, argc - words + 1 - optind, argv + words - 1 + optind);
}

static bool has_option(const struct cli_option *options, const char *name)
{
    for (; options != NULL && options->name != NULL; options++) {
        if (strcmp(options->name, name) == 0) {
            return true;
        }
    }
    return false;
}

const char *cli_operand(const struct cli_arguments *arguments, size_t n)
{
    return (n < arguments->operand_count) ? arguments->operands[n] : NULL;
}

static const struct cli_given *find_given(const struct cli_arguments *arguments, const char *name,
                                          size_t n)
{
    for (size_t i = 0; i < arguments->given_count; i++) {
        if (strcmp(arguments->given[i].option->name, name) == 0 && n-- == 0) {
            return &arguments->given[i];
        }
    }
    return NULL;
}

const char *cli_argument(const struct cli_arguments *arguments, const char *name, size_t n)
{
    const struct cli_given *given = find_given(arguments, name, n);

    assert(has_option(cli_global_options, name) || arguments->command == NULL ||
           has_option(arguments->command->options, name));
    return (given != NULL) ? given->value : NULL;
}

bool cli_argument_given(const struct cli_arguments *arguments, const char *name)
{
    return find_given(arguments, name, 0) != NULL;
}

int64_t cli_argument_number(const struct cli_arguments *arguments, const char *name,
                            int64_t otherwise)
{
    const char *value = cli_argument(arguments, name, 0);

    return (value != NULL) ? strtoll(value, NULL, 10) : otherwise;
}
