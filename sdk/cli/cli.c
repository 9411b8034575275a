#include "sdk/cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "sdk/cli/commands.h"
#include "sdk/cli/complain.h"
#include "sdk/cli/help.h"
#include "sdk/cli/session.h"

int (*cli_verify_hook)(const char *data_dir, bool is_json);
int (*cli_doctor_hook)(bool is_json);

static int print_help(const struct cli_command *command)
{
    struct buf text = {0};

    cli_help_append(&text, command);
    if (text.failed) {
        buf_fini(&text);
        return cli_complain_memory();
    }
    (void)fwrite(text.data, 1, text.len, stdout);
    buf_fini(&text);
    return CLI_OK;
}

static int run_command(const struct cli_arguments *arguments)
{
    struct cli_session session = {0};
    int r;

    if (arguments->command->run == NULL) {
        return cli_complain(CLI_USAGE, "this program cannot run '%s'", arguments->command->name);
    }
    if (arguments->command->is_local) {
        return arguments->command->run(NULL, arguments);
    }
    r = cli_session_init(&session, arguments);
    if (r == 0) {
        r = arguments->command->run(&session, arguments);
    }
    cli_session_fini(&session);
    return r;
}

static int run(int argc, char **argv)
{
    struct cli_arguments arguments = {0};
    int r = cli_arguments_parse(&arguments, argc, argv);

    if (r != 0) {
        return r;
    }
    if (cli_argument_given(&arguments, "version")) {
        (void)printf("pawl %s\n", PAWL_VERSION);
        return CLI_OK;
    }
    if (arguments.is_help) {
        return print_help(arguments.command);
    }
    if (arguments.command == NULL) {
        return cli_complain(CLI_USAGE, "no command given: see 'pawl --help'");
    }
    return run_command(&arguments);
}

int cli_main(int argc, char **argv)
{
    int r = run(argc, argv);

    if (fflush(stdout) != 0 || ferror(stdout)) {
        return cli_complain(CLI_SERVER, "the output could not be written: it is not complete");
    }
    return r;
}
