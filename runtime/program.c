#include "runtime/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#define DATA_SLACK_MB 256u

static int limit(int resource, const char *name, rlim_t value, struct failure *failure)
{
    struct rlimit old;
    struct rlimit new = {.rlim_cur = value, .rlim_max = value};

    if (getrlimit((__rlimit_resource_t)resource, &old) != 0) {
        return failure_errno(failure, "read the limit of %s", name);
    }
    if (old.rlim_max < value) { /* only root may raise it: what there is has to do */
        new = (struct rlimit){.rlim_cur = old.rlim_max, .rlim_max = old.rlim_max};
    }
    if (setrlimit((__rlimit_resource_t)resource, &new) != 0) {
        return failure_errno(failure, "set the limit of %s", name);
    }
    return 0;
}

int program_limit(const struct request_limits *limits, bool is_data_limited,
                  struct failure *failure)
{
    rlim_t data_mb = (rlim_t)limits->memory_mb + DATA_SLACK_MB;
    int r = limit(RLIMIT_CORE, "core files", 0, failure);

    if (r == 0) {
        r = limit(RLIMIT_NOFILE, "open files", limits->files_max, failure);
    }
    if (r == 0) {
        r = limit(RLIMIT_NPROC, "processes", (rlim_t)limits->pids_max + 1, failure);
    }
    if (r == 0) {
        r = limit(RLIMIT_MEMLOCK, "locked memory", 64 * 1024, failure);
    }
    if (r == 0 && is_data_limited) {
        r = limit(RLIMIT_DATA, "memory", data_mb << 20, failure);
    }
    return r;
}

int program_take_fds(int native, int output, struct failure *failure)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0) {
        return failure_errno(failure, "open /dev/null");
    }
    if (dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(output, STDERR_FILENO) < 0 || dup2(native, REQUEST_PROGRAM_FD) < 0) {
        return failure_errno(failure, "hand over descriptors");
    }
    return (close(null) == 0) ? 0 : failure_errno(failure, "close /dev/null");
}

void program_exec(const char *path, const struct request *request)
{
    char *argv[] = {(char *)(uintptr_t)path, NULL};
    sigset_t none;

    for (int number = 1; number < NSIG; number++) {
        (void)signal(number, SIG_DFL);
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execve(path, argv, request->env);
}
