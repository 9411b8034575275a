#include "sdk/cli/help.h"

#include "sdk/cli/cli.h"
#include "sdk/cli/commands.h"

#define NAME_COLUMNS 22
#define OPTION_COLUMNS 26

static void append_option(struct buf *buf, const struct cli_option *option)
{
    struct buf left = {0};

    buf_printf(&left, "--%s", option->name);
    if (option->value != NULL) {
        buf_printf(&left, " %s", option->value);
    }
    buf_printf(buf, "  %-*.*s%s\n", OPTION_COLUMNS, (int)left.len,
               (left.data != NULL) ? (const char *)left.data : "", option->help);
    buf_fini(&left);
}

static void append_options(struct buf *buf, const char *title, const struct cli_option *options)
{
    if (options == NULL) {
        return;
    }
    buf_printf(buf, "\n%s\n", title);
    for (; options->name != NULL; options++) {
        append_option(buf, options);
    }
}

static void append_program(struct buf *buf)
{
    static const struct {
        int code;
        const char *text;
    } exits[] = {
#define X(name, code, text) {(code), (text)},
        CLI_EXIT_MAP(X)
#undef X
    };

    buf_append_text(buf, "Usage: pawl [OPTIONS] COMMAND ...\n\n"
                         "Runs durable workflows and functions, and looks at them.\n\nCommands:\n");
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        buf_printf(buf, "  %-*s%s\n", NAME_COLUMNS, command->name, command->summary);
    }
    buf_append_text(buf, "\n'pawl COMMAND --help' tells more about one.\n");
    append_options(buf, "Options of all commands:", cli_global_options);
    buf_append_text(buf, "\nThe socket is $PAWL_SOCKET, else the newest that exists of\n"
                         "$XDG_RUNTIME_DIR/pawl/pawl.sock, ~/.pawl/pawl.sock and "
                         "/run/pawl/pawl.sock.\n\nExit codes:\n");
    for (size_t i = 0; i < sizeof exits / sizeof exits[0]; i++) {
        buf_printf(buf, "  %d  %s\n", exits[i].code, exits[i].text);
    }
}

void cli_help_append(struct buf *buf, const struct cli_command *command)
{
    if (command == NULL) {
        append_program(buf);
        return;
    }
    buf_printf(buf, "Usage: pawl %s%s%s%s\n\n", command->name,
               (command->options != NULL) ? " [OPTIONS]" : "",
               (command->operands[0] != '\0') ? " " : "", command->operands);
    buf_printf(buf, "pawl %s: %s.\n", command->name, command->summary);
    if (command->notes != NULL) {
        buf_printf(buf, "\n%s", command->notes);
    }
    append_options(buf, "Options:", command->options);
    append_options(buf, "Options of all commands:", cli_global_options);
}
