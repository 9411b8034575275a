/* The client side of the `pawl` program: it deploys, invokes, looks and repairs by
 * speaking Lambda's HTTP API (and Pawl's own /pawl/v1 routes) over the daemon's
 * unix socket. It never touches the data directory.
 *
 * Every function of this directory that can fail returns 0 or one of the exit
 * codes below, and has then already printed one sentence, where the failure was
 * found; callers pass the code up unchanged. docs/cli.md is the user's page. */
#ifndef SDK_CLI_CLI_H
#define SDK_CLI_CLI_H

#include <stdbool.h>

#define CLI_EXIT_MAP(X)                                                                            \
    X(OK, 0, "done")                                                                               \
    X(FAILED, 1, "the function or execution failed, or damage was found")                          \
    X(USAGE, 2, "the command line, or a file it names, is wrong")                                  \
    X(NOT_FOUND, 3, "the function, execution or callback does not exist")                          \
    X(REFUSED, 4, "the daemon refused the request (4xx)")                                          \
    X(UNREACHABLE, 5, "no daemon answers on the socket")                                           \
    X(SERVER, 6, "the daemon failed or throttled, also after retries; or no memory, no output")

enum cli_exit {
#define X(name, code, text) CLI_##name = (code),
    CLI_EXIT_MAP(X)
#undef X
};

/* Runs every command but `serve`, `dev` and `launcher`, which the program itself
 * handles before. `argv` may be reordered. Returns the exit code. */
int cli_main(int argc, char **argv);

/* What the client cannot do without the daemon's code; the program sets them before
 * cli_main(). They print their findings to stdout and return an exit code: CLI_FAILED
 * when damage (or a missing piece) was found. While NULL, the command says so. */
extern int (*cli_verify_hook)(const char *data_dir, bool is_json);
extern int (*cli_doctor_hook)(bool is_json);

#endif /* SDK_CLI_CLI_H */
