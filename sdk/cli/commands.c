#include "sdk/cli/commands.h"

#define SECONDS_MAX 31622400 /* Lambda's longest execution: 366 days */

const struct cli_option cli_global_options[] = {
    {.name = "socket", .value = "PATH", .help = "the daemon's unix socket"},
    {.name = "output", .value = "FORM", .words = "table json", .help = "table (default) or json"},
    {.name = "no-color", .help = "no colours; so does the variable NO_COLOR"},
    {.name = "help", .help = "show this help"},
    {.name = "version", .help = "show the version"},
    {0},
};

/* clang-format off */
static const struct cli_option deploy_options[] = {
    {.name = "timeout", .value = "S", .min = 1, .max = 5400,
     .help = "seconds one invocation may take (default 3)"},
    {.name = "memory", .value = "MB", .min = 128, .max = 32768,
     .help = "memory of an environment (default 128)"},
    {.name = "env", .value = "K=V", .is_repeatable = true,
     .help = "an environment variable; repeatable; replaces all earlier ones"},
    {.name = "durable", .help = "make it a durable function"},
    {.name = "execution-timeout", .value = "S", .min = 1, .max = SECONDS_MAX,
     .help = "seconds an execution may take (default 86400)"},
    {.name = "retention", .value = "DAYS", .min = 1, .max = 90,
     .help = "days a closed execution is kept (default 14)"},
    {.name = "concurrency", .value = "N", .min = 1, .max = 1600,
     .help = "invocations at once in one environment (default 1)"},
    {.name = "layer", .value = "NAME:N", .is_repeatable = true,
     .help = "a layer's version; repeatable; replaces all earlier ones"},
    {.name = "no-layers", .help = "no layers any more"},
    {.name = "runtime", .value = "R", .help = "the runtime's name (default: as the files say)"},
    {.name = "handler", .value = "H", .help = "the handler's name (likewise)"},
    {.name = "description", .value = "T", .help = "a text for people"},
    {0},
};

static const struct cli_option layer_options[] = {
    {.name = "description", .value = "T", .help = "a text for people"},
    {.name = "license", .value = "T", .help = "its license, as a name or an address"},
    {.name = "runtime", .value = "R", .is_repeatable = true,
     .help = "a runtime that it is made for; repeatable"},
    {0},
};

static const struct cli_option invoke_options[] = {
    {.name = "async", .help = "return when the event is stored, not when it has run"},
    {.name = "name", .value = "EXECUTION",
     .help = "name of the execution: invoking again with it attaches to the same one"},
    {.name = "tenant-id", .value = "T", .help = "tenant id, for PER_TENANT functions"},
    {.name = "log", .help = "print the end of the function's log to stderr"},
    {0},
};

static const struct cli_option publish_options[] = {
    {.name = "description", .value = "T", .help = "a text for people (default the function's)"},
    {0},
};

static const struct cli_option alias_options[] = {
    {.name = "weight", .value = "V=SHARE",
     .help = "a second version and its share of the invokes, 0 to 1"},
    {.name = "description", .value = "T", .help = "a text for people"},
    {.name = "delete", .help = "delete the alias"},
    {0},
};

static const struct cli_option executions_options[] = {
    {.name = "function", .value = "F", .help = "only of this function"},
    {.name = "status", .value = "S", .words = "RUNNING SUCCEEDED FAILED TIMED_OUT STOPPED",
     .help = "only in this status: RUNNING, SUCCEEDED, FAILED, TIMED_OUT or STOPPED"},
    {.name = "since", .value = "TIME",
     .help = "started since: 90s, 30m, 1h30m, 2d or 2026-11-23T09:29[Z]"},
    {.name = "sort", .value = "KEY", .words = "start end status name duration",
     .help = "start, end, status, name or duration"},
    {.name = "reverse", .help = "the other way round"},
    {.name = "limit", .value = "N", .min = 1, .max = 1000000, .help = "at most N (default 100)"},
    {.name = "events", .help = "asynchronous invokes of ordinary functions instead"},
    {0},
};

#define FUNCTION_OPTION                                                                            \
    {.name = "function", .value = "F", .help = "the function, if ID is not an ARN"}

static const struct cli_option id_options[] = {FUNCTION_OPTION, {0}};

static const struct cli_option history_options[] = {
    FUNCTION_OPTION,
    {.name = "follow", .help = "go on printing events until the execution has ended"},
    {.name = "timeline", .help = "draw the operations over time instead of the events"},
    {0},
};

#define ERROR_OPTIONS                                                                              \
    {.name = "error-type", .value = "TYPE", .help = "type of the error that it ends with"},        \
    {.name = "message", .value = "TEXT", .help = "message of that error"}

static const struct cli_option stop_options[] = {FUNCTION_OPTION, ERROR_OPTIONS, {0}};

static const struct cli_option fail_options[] = {ERROR_OPTIONS, {0}};

static const struct cli_option logs_options[] = {
    {.name = "execution", .value = "ID", .help = "only of this execution: ARN, name or UUID"},
    {.name = "follow", .help = "go on printing new lines"},
    {.name = "since", .value = "TIME", .help = "90s, 30m, 1h30m, 2d or 2026-11-23T09:29[Z]"},
    {0},
};

static const struct cli_option key_options[] = {
    {.name = "description", .value = "T", .help = "a text for people, such as who gets it"},
    {0},
};

static const struct cli_option verify_options[] = {
    {.name = "data", .value = "DIR", .help = "read this data directory; no daemon may use it"},
    {0},
};

#define ID_NOTE                                                                                    \
    "ID is an execution's ARN, or its name or UUID together with --function.\n"
#define PAYLOAD_NOTE                                                                               \
    "PAYLOAD is JSON; @FILE reads a file, - reads stdin; without it the body is empty.\n"

const struct cli_command cli_commands[] = {
    {"serve", "[OPTIONS]", 0, CLI_OPERANDS_MAX, "run the daemon",
     "'pawl serve --help' lists its options.\n", NULL, NULL, false},
    {"dev", "[OPTIONS]", 0, CLI_OPERANDS_MAX, "run the daemon for development",
     "'pawl dev --help' lists its options.\n", NULL, NULL, false},
    {"deploy", "NAME PROGRAM|DIR|ZIP", 2, 2, "create a function, or update its code and settings",
     "PROGRAM is packed as 'bootstrap', a script (*.mjs, *.js, *.py) as what its runtime starts.\n"
     "DIR is packed whole: with 'bootstrap' it brings its own program, with index.mjs or index.js\n"
     "it is run by nodejs22.x, with app.py by python3.11 (see 'pawl runtime'). Symbolic links are\n"
     "never followed: they are an error. Same files, same archive. On an update, settings that\n"
     "are not given stay.\n\n"
     "  pawl deploy orders build/orders --durable --timeout 30 --env STAGE=test\n"
     "  pawl deploy greet greet/ --runtime nodejs22.x --handler main.hello --layer tools:3\n",
     deploy_options, cli_run_deploy, false},
    {"invoke", "NAME [PAYLOAD|@FILE|-]", 1, 2, "run a function and print what it returns",
     PAYLOAD_NOTE
     "NAME may have a qualifier (orders:3); a durable function without one runs as $LATEST.\n"
     "A payload that begins with '-' comes after '--'.\n\n"
     "  pawl invoke orders '{\"item\":7}' --name order-7\n",
     invoke_options, cli_run_invoke, false},
    {"functions", "", 0, 0, "list functions", NULL, NULL, cli_run_functions, false},
    {"publish", "NAME", 1, 1, "make a version of what is deployed",
     "Without a change since the last version it is that one.\n\n"
     "  pawl publish orders --description 'the new prices'\n",
     publish_options, cli_run_publish, false},
    {"versions", "NAME", 1, 1, "list the versions of a function, with their aliases", NULL, NULL,
     cli_run_versions, false},
    {"alias", "NAME ALIAS [VERSION]", 2, 3, "make an alias of a version, move or delete it",
     "Without --weight all invokes of the alias go to VERSION, a number or $LATEST.\n\n"
     "  pawl alias orders live 3 --weight 4=0.1\n"
     "  pawl alias orders live --delete\n",
     alias_options, cli_run_alias, false},
    {"delete", "NAME", 1, 1, "delete a function, or one version of it",
     "NAME:3 deletes version 3, which no alias may name.\n", NULL, cli_run_delete, false},
    {"executions", "", 0, 0, "list executions",
     "  pawl executions --function orders --status FAILED --since 1h --sort duration\n",
     executions_options, cli_run_executions, false},
    {"history", "ID", 1, 1, "print the events of an execution",
     ID_NOTE
     "On a terminal the timeline of an ended execution follows its events. With --follow the\n"
     "exit code is 1 when the execution ended otherwise than SUCCEEDED.\n\n"
     "  pawl history order-7 --function orders --follow\n",
     history_options, cli_run_history, false},
    {"show", "ID", 1, 1, "print one execution: status, input, result", ID_NOTE, id_options,
     cli_run_show, false},
    {"stop", "ID", 1, 1, "stop an execution", ID_NOTE, stop_options, cli_run_stop, false},
    {"redrive", "ID", 1, 1, "run a failed, stopped or held execution on",
     ID_NOTE, id_options, cli_run_redrive, false},
    {"callback succeed", "ID [PAYLOAD|@FILE|-]", 1, 2, "complete a callback with a result",
     PAYLOAD_NOTE "\n  pawl callback succeed \"$CALLBACK_ID\" '{\"approved\":true}'\n", NULL,
     cli_run_callback_succeed, false},
    {"callback fail", "ID [PAYLOAD|@FILE|-]", 1, 2, "complete a callback with an error",
     "PAYLOAD becomes the error's data; @FILE reads a file, - reads stdin.\n", fail_options,
     cli_run_callback_fail, false},
    {"callback heartbeat", "ID", 1, 1, "say that the work of a callback goes on", NULL, NULL,
     cli_run_callback_heartbeat, false},
    {"runtime add", "NAME DIR", 2, 2, "add a directory that runs functions",
     "DIR holds an executable 'bootstrap'. Environments of functions with the Runtime NAME see it\n"
     "at /var/runtime and start that. A name that is added again has the new directory for those\n"
     "that start from then on.\n\n"
     "  pawl runtime add nodejs22.x /srv/pawl/nodejs22.x\n",
     NULL, cli_run_runtime_add, false},
    {"runtime list", "", 0, 0, "list runtimes, and what is wrong with them", NULL, NULL,
     cli_run_runtime_list, false},
    {"runtime remove", "NAME", 1, 1, "forget a runtime that no function needs", NULL, NULL,
     cli_run_runtime_remove, false},
    {"layer publish", "NAME DIR|ZIP", 2, 2, "make the next version of a layer",
     "Functions that are deployed with it see what is in DIR or ZIP at /opt. A version is never\n"
     "changed, and its number never used again.\n\n"
     "  pawl layer publish tools build/tools --runtime python3.11\n"
     "  pawl deploy orders orders/ --layer tools:1\n",
     layer_options, cli_run_layer_publish, false},
    {"layer list", "[NAME]", 0, 1, "list layers, or the versions of one", NULL, NULL,
     cli_run_layer_list, false},
    {"layer delete", "NAME:VERSION", 1, 1, "let no more functions have this version of a layer",
     "Functions that have it keep it.\n", NULL, cli_run_layer_delete, false},
    {"logs", "NAME", 1, 1, "print what a function logged",
     "  pawl logs orders --since 10m --follow\n",
     logs_options, cli_run_logs, false},
    {"keys create", "", 0, 0, "make an access key for AWS's clients",
     "The secret is printed once. With the key, clients of Lambda's that sign their requests are\n"
     "admitted over TCP, as this account and not as the operator.\n\n"
     "  pawl keys create --description \"the CI\"\n",
     key_options, cli_run_keys_create, false},
    {"keys list", "", 0, 0, "list access keys", NULL, NULL, cli_run_keys_list, false},
    {"keys disable", "ID", 1, 1, "refuse what an access key has signed, until it is enabled",
     NULL, NULL, cli_run_keys_disable, false},
    {"keys enable", "ID", 1, 1, "accept an access key again", NULL, NULL, cli_run_keys_enable,
     false},
    {"keys delete", "ID", 1, 1, "delete an access key for good", NULL, NULL,
     cli_run_keys_delete, false},
    {"status", "", 0, 0, "print how the daemon is", NULL, NULL, cli_run_status, false},
    {"verify", "", 0, 0, "check everything that is stored",
     "Without --data the running daemon checks itself. The exit code is 1 if anything is\n"
     "damaged; what is damaged is named.\n",
     verify_options, cli_run_verify, false},
    {"backup", "DIR", 1, 1, "copy the running daemon's data to a new directory",
     "DIR is on the daemon's machine and is made by it.\n", NULL, cli_run_backup, false},
    {"doctor", "", 0, 0, "print what this machine lacks for sandboxes", NULL, NULL,
     cli_run_doctor, false},
    {"completion", "bash", 1, 1, "print the completion for a shell",
     "  source <(pawl completion bash)\n", NULL, cli_run_completion, true},
    {0},
};
/* clang-format on */
