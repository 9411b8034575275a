/* One run of the program: where the daemon is and how to print. */
#ifndef SDK_CLI_SESSION_H
#define SDK_CLI_SESSION_H

#include <stdio.h>

#include "sdk/cli/arguments.h"

struct cli_session {
    FILE *out;
    char socket[4096];
    bool is_json;
    bool is_terminal; /* stdout is one: local times, cut to width, timelines */
    bool is_color;
    bool is_utf8; /* the locale can show more than ASCII */
    size_t width; /* of the terminal; 0: unlimited */
    void *curl;   /* made by the first request, kept for the next ones */
};

/* From the global options and the environment. */
int cli_session_init(struct cli_session *session, const struct cli_arguments *arguments);
void cli_session_fini(struct cli_session *session);

enum cli_color {
    COLOR_NONE,
    COLOR_GREEN,
    COLOR_RED,
    COLOR_YELLOW,
    COLOR_BLUE,
    COLOR_DIM,
    COLOR_BOLD
};

/* The escape sequence, or "" where colours are off; COLOR_NONE ends one. */
const char *cli_session_color(const struct cli_session *session, enum cli_color color);

/* The colour of a status of Lambda's: SUCCEEDED green, FAILED red, ... */
enum cli_color cli_status_color(const char *status);

/* Prints bytes as they are, and a line end unless they have one. */
void cli_session_print(struct cli_session *session, struct bytes text);

#endif /* SDK_CLI_SESSION_H */
