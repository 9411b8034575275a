#include "sdk/cli/session.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sdk/cli/complain.h"

#define WIDTH_DEFAULT 80
#define WIDTH_MIN 40
#define WIDTH_MAX 1000

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return (value != NULL && value[0] != '\0') ? value : NULL;
}

/* Keeps in `best` the socket that was made last: a daemon of the user and one of the
 * system may both exist, or have existed. */
static void consider(char *best, size_t max, struct timespec *newest, const char *directory,
                     const char *rest)
{
    char path[4096];
    struct stat info;

    if (directory == NULL) {
        return;
    }
    (void)snprintf(path, sizeof path, "%s%s", directory, rest);
    if (best[0] == '\0') {
        (void)snprintf(best, max, "%s", path); /* to have a name for the complaint */
    }
    if (stat(path, &info) != 0 || !S_ISSOCK(info.st_mode)) {
        return;
    }
    if (info.st_mtim.tv_sec > newest->tv_sec ||
        (info.st_mtim.tv_sec == newest->tv_sec && info.st_mtim.tv_nsec > newest->tv_nsec)) {
        *newest = info.st_mtim;
        (void)snprintf(best, max, "%s", path);
    }
}

static int find_socket(struct cli_session *session, const char *given)
{
    struct timespec newest = {0};
    size_t max = sizeof session->socket;

    given = (given != NULL) ? given : environment("PAWL_SOCKET");
    if (given != NULL) {
        (void)snprintf(session->socket, max, "%s", given);
    } else {
        consider(session->socket, max, &newest, environment("XDG_RUNTIME_DIR"), "/pawl/pawl.sock");
        consider(session->socket, max, &newest, environment("HOME"), "/.pawl/pawl.sock");
        consider(session->socket, max, &newest, "/run", "/pawl/pawl.sock");
    }
    if (strlen(session->socket) >= sizeof((struct sockaddr_un *)0)->sun_path) {
        return cli_complain(CLI_USAGE, "the socket path '%s' is too long: at most %zu bytes",
                            session->socket, sizeof((struct sockaddr_un *)0)->sun_path - 1);
    }
    return 0;
}

static size_t find_width(void)
{
    struct winsize size = {0};
    const char *columns = environment("COLUMNS");
    size_t width = WIDTH_DEFAULT;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        width = size.ws_col;
    } else if (columns != NULL) {
        width = strtoul(columns, NULL, 10);
    }
    width = (width < WIDTH_MIN) ? WIDTH_MIN : width;
    return (width > WIDTH_MAX) ? WIDTH_MAX : width;
}

static bool has_utf8_locale(void)
{
    const char *locale = environment("LC_ALL");

    locale = (locale != NULL) ? locale : environment("LC_CTYPE");
    locale = (locale != NULL) ? locale : environment("LANG");
    return locale != NULL && (strcasestr(locale, "utf-8") != NULL || strcasestr(locale, "utf8"));
}

int cli_session_init(struct cli_session *session, const struct cli_arguments *arguments)
{
    const char *output = cli_argument(arguments, "output", 0);
    const char *terminal = environment("TERM");

    *session = (struct cli_session){.out = stdout};
    session->is_json = output != NULL && strcmp(output, "json") == 0;
    session->is_terminal = isatty(STDOUT_FILENO) == 1;
    session->is_color = session->is_terminal && !cli_argument_given(arguments, "no-color") &&
                        environment("NO_COLOR") == NULL &&
                        (terminal == NULL || strcmp(terminal, "dumb") != 0);
    session->is_utf8 = has_utf8_locale();
    session->width = session->is_terminal ? find_width() : 0;
    return find_socket(session, cli_argument(arguments, "socket", 0));
}

void cli_session_fini(struct cli_session *session)
{
    if (session->curl != NULL) {
        curl_easy_cleanup(session->curl);
    }
    session->curl = NULL;
}

const char *cli_session_color(const struct cli_session *session, enum cli_color color)
{
    static const char *const codes[] = {
        [COLOR_NONE] = "\033[0m",    [COLOR_GREEN] = "\033[32m", [COLOR_RED] = "\033[31m",
        [COLOR_YELLOW] = "\033[33m", [COLOR_BLUE] = "\033[36m",  [COLOR_DIM] = "\033[2m",
        [COLOR_BOLD] = "\033[1m",
    };

    return session->is_color ? codes[color] : "";
}

enum cli_color cli_status_color(const char *status)
{
    static const struct {
        const char *status;
        enum cli_color color;
    } colors[] = {
        {"SUCCEEDED", COLOR_GREEN},  {"Active", COLOR_GREEN},   {"FAILED", COLOR_RED},
        {"TIMED_OUT", COLOR_RED},    {"Failed", COLOR_RED},     {"STOPPED", COLOR_YELLOW},
        {"CANCELLED", COLOR_YELLOW}, {"RUNNING", COLOR_BLUE},   {"STARTED", COLOR_BLUE},
        {"PENDING", COLOR_BLUE},     {"Pending", COLOR_YELLOW}, {"Deleting", COLOR_YELLOW},
    };

    for (size_t i = 0; i < sizeof colors / sizeof colors[0]; i++) {
        if (strcmp(colors[i].status, status) == 0) {
            return colors[i].color;
        }
    }
    return COLOR_NONE;
}

void cli_session_print(struct cli_session *session, struct bytes text)
{
    if (text.len > 0) {
        (void)fwrite(text.data, 1, text.len, session->out);
    }
    if (text.len == 0 || text.data[text.len - 1] != '\n') {
        (void)fputc('\n', session->out);
    }
}
