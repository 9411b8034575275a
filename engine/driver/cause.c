#include "engine/driver/cause.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* As Lambda's own supervisor names them. */
static const char *const signal_names[] = {
    [SIGHUP] = "hangup",
    [SIGINT] = "interrupt",
    [SIGQUIT] = "quit",
    [SIGILL] = "illegal instruction",
    [SIGTRAP] = "trace/breakpoint trap",
    [SIGABRT] = "aborted",
    [SIGBUS] = "bus error",
    [SIGFPE] = "floating point exception",
    [SIGKILL] = "killed",
    [SIGUSR1] = "user defined signal 1",
    [SIGSEGV] = "segmentation fault",
    [SIGUSR2] = "user defined signal 2",
    [SIGPIPE] = "broken pipe",
    [SIGALRM] = "alarm clock",
    [SIGTERM] = "terminated",
};

static void describe_signal(int number, char *text, size_t size)
{
    static const int count = sizeof signal_names / sizeof *signal_names;

    if (number > 0 && number < count && signal_names[number] != NULL) {
        (void)snprintf(text, size, "Runtime exited with error: signal: %s", signal_names[number]);
    } else {
        (void)snprintf(text, size, "Runtime exited with error: signal: signal %d", number);
    }
}

/* The launcher's step "start PROGRAM" is the one whose failure is the program's. */
static const char *cause_of_failed_start(const struct environment_end *end, char *text, size_t size)
{
    (void)snprintf(text, size, "%s", end->text);
    return (strncmp(end->text, "start ", 6) == 0) ? "Runtime.InvalidEntrypoint"
                                                  : "Sandbox.StartFailed";
}

const char *cause_of_end(const struct environment_end *end, char *text, size_t size)
{
    if (!end->is_started) {
        return cause_of_failed_start(end, text, size);
    }
    if (end->signal != 0) {
        describe_signal(end->signal, text, size);
    } else if (end->exit_status == 0) {
        (void)snprintf(text, size, "Runtime exited without providing a reason");
    } else {
        (void)snprintf(text, size, "Runtime exited with error: exit status %d", end->exit_status);
    }
    return end->is_oom ? "Runtime.OutOfMemory" : "Runtime.ExitError";
}

void cause_format_message(const struct id *request_id, const char *cause, char *text, size_t size)
{
    char id[ID_TEXT_LEN + 1];

    id_format(request_id, id);
    (void)snprintf(text, size, "RequestId: %s Error: %s", id, cause);
}
