/* The `pawl` program: the daemon, its launcher, and its client. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/json.h"
#include "engine/driver/verify.h"
#include "invoke/dev.h"
#include "invoke/serve.h"
#include "runtime/launcher.h"
#include "sdk/cli/cli.h"

/* --- pawl doctor ------------------------------------------------------------------------- */

struct report {
    struct buf json;
    bool is_json;
    bool is_missing;
};

static void add_line(void *arg, bool is_ok, const char *thing, const char *consequence)
{
    struct report *report = arg;

    report->is_missing = report->is_missing || !is_ok;
    if (!report->is_json) {
        (void)printf("%-8s %s%s%s\n", is_ok ? "ok" : "missing", thing, is_ok ? "" : "\n         ",
                     is_ok ? "" : consequence);
        return;
    }
    json_element(&report->json);
    json_open(&report->json, '{');
    json_key(&report->json, "Thing");
    json_text(&report->json, thing);
    json_key(&report->json, "Ok");
    json_bool(&report->json, is_ok);
    if (!is_ok) {
        json_key(&report->json, "Consequence");
        json_text(&report->json, consequence);
    }
    json_close(&report->json, '}');
}

static int doctor(bool is_json)
{
    struct report report = {.is_json = is_json};
    int r = CLI_OK;

    json_open(&report.json, '{');
    json_key(&report.json, "Checks");
    json_open(&report.json, '[');
    launcher_doctor(&report, add_line);
    json_close(&report.json, ']');
    json_close(&report.json, '}');
    if (report.is_missing) {
        r = CLI_FAILED;
    }
    r = report.json.failed ? CLI_SERVER : r;
    if (is_json && !report.json.failed) {
        (void)printf("%.*s\n", (int)report.json.len, (const char *)report.json.data);
    }
    buf_fini(&report.json);
    return r;
}

/* --- commands ------------------------------------------------------------------------------ */

static int run_daemon(int argc, char **argv)
{
    struct options options;

    if (!options_parse(&options, argc, argv)) {
        return SERVE_EXIT_USAGE;
    }
    if (options.is_version) {
        (void)printf("pawl %s\n", PAWL_VERSION);
        return 0;
    }
    if (options.is_help) {
        options_print_help(&options);
        return 0;
    }
    return (strcmp(options.program, "dev") == 0) ? dev_main(&options) : serve_main(&options);
}

/* Started by launcher_start() alone, which says where its socket is. */
static int run_launcher(void)
{
    const char *text = getenv("PAWL_LAUNCHER_FD");
    char *rest = NULL;
    long fd = (text != NULL) ? strtol(text, &rest, 10) : -1;

    if (fd < 3 || fd > 1000000 || *rest != '\0') {
        (void)fprintf(stderr, "pawl launcher: is started by 'pawl serve', not by you\n");
        return SERVE_EXIT_USAGE;
    }
    return launcher_main((int)fd);
}

int main(int argc, char **argv)
{
    const char *command = (argc > 1) ? argv[1] : "";

    if (strcmp(command, "serve") == 0 || strcmp(command, "dev") == 0) {
        return run_daemon(argc - 1, argv + 1);
    }
    if (strcmp(command, "launcher") == 0) {
        return run_launcher();
    }
    cli_verify_hook = driver_verify_directory;
    cli_doctor_hook = doctor;
    return cli_main(argc, argv);
}
