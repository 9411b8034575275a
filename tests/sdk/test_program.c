/* The program of program.c as a process, by its descriptor and environment. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/sdk/crowd.h"

static const char *program;

/* With stderr into `errors` (-1: as it is) and PAWL_FD when fd >= 0. */
static pid_t start(const char *handler, int fd, int errors)
{
    char number[16];
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid > 0) {
        return pid;
    }
    unsetenv("PAWL_FD");
    unsetenv("_HANDLER");
    if (fd >= 0) {
        (void)snprintf(number, sizeof number, "%d", fd);
        setenv("PAWL_FD", number, 1);
        (void)fcntl(fd, F_SETFD, 0);
    }
    if (handler != NULL) {
        setenv("_HANDLER", handler, 1);
    }
    if (errors >= 0) {
        (void)dup2(errors, STDERR_FILENO);
    }
    execl(program, program, (char *)NULL);
    _exit(127);
}

static int exit_status(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void assert_served(const char *handler, const char *expected)
{
    struct crowd crowd = {.executions = 4, .rounds = 2};
    int fds[2];
    pid_t pid;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0); /* as a daemon might leave it */
    pid = start(handler, fds[1], -1);
    close(fds[1]);
    crowd.fd = fds[0];
    assert_true(crowd_run(&crowd, expected));
    assert_int_equal(crowd.failures, 0);
    close(fds[0]);
    assert_int_equal(exit_status(pid), 0); /* ends with the daemon */
}

static void test_handler_is_chosen_by_its_name(void **state)
{
    (void)state;
    assert_served("first", "3");
    assert_served("second", "\"second\"");
}

static void read_errors(int fd, char *text, size_t max)
{
    size_t len = 0;
    ssize_t n;

    while (len < max - 1 && (n = read(fd, text + len, max - 1 - len)) > 0) {
        len += (size_t)n;
    }
    text[len] = '\0';
}

static void assert_explains(const char *handler, int fd, int expected_status, const char *expected)
{
    char text[2000];
    int pipes[2];
    pid_t pid;

    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    pid = start(handler, fd, pipes[1]);
    close(pipes[1]);
    read_errors(pipes[0], text, sizeof text);
    close(pipes[0]);
    assert_int_equal(exit_status(pid), expected_status);
    assert_non_null(strstr(text, expected));
}

static void test_program_without_pawl_says_how_to_run_it(void **state)
{
    int pipes[2];

    (void)state;
    assert_explains("first", -1, 2, "pawl invoke");
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    assert_explains("first", pipes[0], 2, "pawl invoke"); /* not a socket */
    close(pipes[0]);
    close(pipes[1]);
}

static void test_unknown_handler_is_named_with_those_there_are(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_explains("third", fds[1], 1, "\"third\". There are: first second");
    close(fds[0]);
    close(fds[1]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handler_is_chosen_by_its_name),
        cmocka_unit_test(test_program_without_pawl_says_how_to_run_it),
        cmocka_unit_test(test_unknown_handler_is_named_with_those_there_are),
    };

    if (argc != 2) {
        return 2;
    }
    program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
