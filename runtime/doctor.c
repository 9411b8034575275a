#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/cgroup.h"
#include "runtime/filter.h"
#include "runtime/landlock.h"
#include "runtime/launcher.h"

/* Each question is put to the kernel, not to a version number: a child process tries it
 * and its exit status is the errno, or 0. It is made by _Fork(), without what libraries
 * do after fork(): a thread of theirs in the child would keep it from a user namespace. */

#define LANDLOCK_ABI_FULL 6 /* paths, truncation, device ioctls, scopes */

struct report {
    void *arg;
    doctor_line line;
};

static int ask(int (*attempt)(void))
{
    int status = 0;
    pid_t pid = _Fork();

    if (pid == 0) {
        _exit((attempt() == 0) ? 0 : errno & 0xff);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
        return ECHILD;
    }
    return WEXITSTATUS(status);
}

static int try_user_namespace(void)
{
    return unshare(CLONE_NEWUSER | CLONE_NEWNS);
}

static int mount_new_proc(void)
{
    int status = 0;
    pid_t pid = _Fork(); /* the first process of the new pid namespace */

    if (pid == 0) {
        _exit((mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0)
                  ? 0
                  : errno & 0xff);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        return -1;
    }
    errno = WEXITSTATUS(status);
    return (errno == 0) ? 0 : -1;
}

static int try_all_namespaces(void)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                CLONE_NEWUTS | CLONE_NEWCGROUP) != 0) {
        return -1;
    }
    return mount_new_proc();
}

static int try_seccomp(void)
{
    struct filter filter;
    struct failure failure;

    return (filter_build(&filter, FILTER_PROGRAM, &failure) == 0) ? 0 : -1;
}

static int try_mount_interface(void)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};

    /* On a descriptor that is none: a kernel that knows the call says so. */
    return (mount_setattr(-1, "", 0x1000, &attr, sizeof attr) == 0 || errno != ENOSYS) ? 0 : -1;
}

static void tell(const struct report *report, bool is_ok, const char *thing, int error,
                 const char *consequence)
{
    char text[160];

    if (error != 0) {
        (void)snprintf(text, sizeof text, "%s: %s", thing, strerror(error));
    } else {
        (void)snprintf(text, sizeof text, "%s", thing);
    }
    report->line(report->arg, is_ok, text, consequence);
}

static void tell_kernel(const struct report *report)
{
    struct utsname name;
    char text[sizeof name.release + 16];
    int error = ask(try_mount_interface);

    (void)uname(&name);
    (void)snprintf(text, sizeof text, "kernel %.64s", name.release);
    tell(report, error == 0, text, error, "environments need a kernel of 5.14 or later");
}

static void tell_namespaces(const struct report *report)
{
    int error = ask(try_user_namespace);

    tell(report, error == 0, "user namespaces", error,
         "no sandbox: serving is refused unless isolation = none is configured");
    error = ask(try_all_namespaces);
    tell(report, error == 0, "pid, mount, net, ipc, uts and cgroup namespaces", error,
         "no sandbox: serving is refused unless isolation = none is configured");
    tell(report, geteuid() == 0, "a user of its own for each environment", 0,
         "environments share your user outside, and with it the kernel's limits per user");
}

static void tell_filters(const struct report *report)
{
    int error = ask(try_seccomp);
    int abi = landlock_abi();
    char text[32];

    tell(report, error == 0, "seccomp", error, "no sandbox: system calls cannot be filtered");
    (void)snprintf(text, sizeof text, "Landlock ABI %d", abi);
    tell(report, abi >= LANDLOCK_ABI_FULL, text, 0,
         (abi >= LANDLOCK_ABI_MIN) ? "an older Landlock: paths only, the rest is left to the mounts"
                                   : "no Landlock: paths are left to the mounts alone");
}

static void tell_cgroups(const struct report *report)
{
    struct cgroups cgroups;
    char instance[32];

    (void)snprintf(instance, sizeof instance, "doctor-%d", (int)getpid());
    cgroups_open(&cgroups, "pawl", instance, 0);
    tell(report, cgroups_limit_memory(&cgroups), "memory limits by control group", 0,
         "memory is bounded for each process only, not for an environment");
    tell(report, cgroups.dirs[CGROUP_CPU] >= 0 || cgroups.v2_cpu, "CPU limits by control group", 0,
         "an environment may use every core");
    tell(report, cgroups.dirs[CGROUP_PIDS] >= 0 || cgroups.v2_pids,
         "process limits by control group", 0, "processes are bounded by rlimit only");
    tell(report, cgroups.v2_kill, "cgroup.kill", 0,
         "environments are killed by their first process; without isolation, what has left the "
         "session is not");
    cgroups_close(&cgroups);
}

void launcher_doctor(void *arg, doctor_line line)
{
    const struct report report = {.arg = arg, .line = line};

    tell_kernel(&report);
    tell_namespaces(&report);
    tell_filters(&report);
    tell_cgroups(&report);
}
