#include "runtime/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/confine.h"
#include "runtime/door.h"
#include "runtime/launcher.h"
#include "runtime/message.h"
#include "runtime/program.h"
#include "runtime/rootfs.h"

/* The happy path:
 *
 *   - prepare(): control groups, user, root file system, network, and no way to make
 *     more user namespaces; "PREPARED" goes up. So far nothing is known of whom it is
 *     for, and nothing of theirs is visible: this part runs ahead of time.
 *   - "GO" comes down with the request and the mounts of code and grants;
 *   - settle(): /tmp, code, grants; the root becomes read-only; descriptors;
 *     capabilities, Landlock, seccomp. From here on not even the init has a way out.
 *   - run(): vfork, limits and exec. "STARTED" goes up, "EXITED" when the program is gone;
 *     the kernel kills what is left when the init ends.
 *
 * When a step fails, "FAILED" goes up with the step's name and the process ends. */

#define FD_CONTROL 10
#define FD_LOCK 11
#define FD_HIGH 64 /* above the fixed ones */

struct init {
    const struct sandbox_plan *plan;
    int control;
    struct request request;
    struct failure failure;
};

static void say(const struct init *init, uint32_t kind, const char *text)
{
    struct message message = {.kind = kind};

    (void)snprintf(message.text, sizeof message.text, "%s", text);
    if (message_send(init->control, &message, NULL, 0) != 0) {
        _exit(1); /* the launcher waits for it: our end says that something was wrong */
    }
}

static void fail(const struct init *init) __attribute__((noreturn));
static void fail(const struct init *init)
{
    say(init, MESSAGE_FAILED, init->failure.text);
    _exit(1);
}

/* The launcher's end of `control` is closed with it, so a wait here ends at once. */
static void wait_for(struct init *init, uint32_t kind, struct message_fds *ret_fds)
{
    struct message message;

    if (message_receive(init->control, &message, ret_fds) != 0 || message.kind != kind) {
        _exit(1);
    }
}

/* --- preparing ---------------------------------------------------------------------- */

/* Descriptors 0 to 3 are filled, so that nothing received lands where the program's
 * own will be. The lock is kept: it is free again only when the last init is gone,
 * also when the launcher was killed. */
static int keep_fds(struct init *init)
{
    int control = fcntl(init->plan->control, F_DUPFD_CLOEXEC, FD_HIGH);
    int lock = fcntl(init->plan->lock, F_DUPFD_CLOEXEC, FD_HIGH);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int spare = fcntl(null, F_DUPFD_CLOEXEC, FD_HIGH); /* `null` itself may be in the way */

    if (control < 0 || lock < 0 || spare < 0 || dup3(control, FD_CONTROL, O_CLOEXEC) < 0 ||
        dup3(lock, FD_LOCK, O_CLOEXEC) < 0) {
        return failure_errno(&init->failure, "keep descriptors");
    }
    init->control = FD_CONTROL;
    for (int fd = 0; fd <= REQUEST_PROGRAM_FD; fd++) {
        if (dup3(spare, fd, O_CLOEXEC) < 0) {
            return failure_errno(&init->failure, "fill descriptors");
        }
    }
    if (close_range(REQUEST_PROGRAM_FD + 1, FD_CONTROL - 1, 0) != 0 ||
        close_range(FD_LOCK + 1, ~0u, 0) != 0) {
        return failure_errno(&init->failure, "close descriptors");
    }
    return 0;
}

/* A change of user clears the death signal, so it is set behind it. */
static int become_user(struct init *init)
{
    if (base_may_change_user(init->plan->base) && setgroups(0, NULL) != 0) {
        return failure_errno(&init->failure, "setgroups");
    }
    if (setresgid(BASE_GROUP, BASE_GROUP, BASE_GROUP) != 0 ||
        setresuid(BASE_USER, BASE_USER, BASE_USER) != 0) {
        return failure_errno(&init->failure, "setresuid");
    }
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
        return failure_errno(&init->failure, "prctl");
    }
    return 0;
}

static int raise_loopback(struct failure *failure)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int r = 0;

    if (fd < 0) {
        return failure_errno(failure, "open a socket");
    }
    if (ioctl(fd, SIOCSIFFLAGS, &request) != 0) {
        r = failure_errno(failure, "raise the loopback interface");
    }
    (void)close(fd);
    return r;
}

/* The namespace of control groups comes last, so that its root is our own group. */
static int name_itself(struct init *init)
{
    (void)prctl(PR_SET_NAME, "pawl-init", 0, 0, 0);
    if (unshare(CLONE_NEWCGROUP) != 0) {
        return failure_errno(&init->failure, "make a cgroup namespace");
    }
    if (sethostname("pawl", 4) != 0 || setdomainname("", 0) != 0) {
        return failure_errno(&init->failure, "sethostname");
    }
    (void)setsid();
    return 0;
}

static int prepare(struct init *init)
{
    struct message_fds fds;
    int r;

    if (cgroup_join(init->plan->cgroup) != 0) {
        return failure_errno(&init->failure, "enter the control groups");
    }
    r = keep_fds(init);
    if (r != 0) {
        return r;
    }
    wait_for(init, MESSAGE_MAPPED, &fds);
    message_fds_close(&fds);
    r = become_user(init);
    if (r == 0) {
        r = name_itself(init);
    }
    if (r == 0) {
        r = rootfs_build(init->plan->base, &init->failure);
    }
    return (r == 0) ? raise_loopback(&init->failure) : r;
}

/* --- settling ----------------------------------------------------------------------- */

enum { GO_REQUEST, GO_NATIVE, GO_OUTPUT, GO_MOUNTS };

static int furnish(struct init *init, const struct message_fds *fds)
{
    struct request *request = &init->request;
    int r;

    if (fds->count < GO_MOUNTS) {
        return failure_text(&init->failure, "the launcher sent too few descriptors");
    }
    r = request_read(request, fds->fds[GO_REQUEST], &init->failure);
    if (r == 0 && init->plan->base->is_sandboxed) {
        if (fds->count != GO_MOUNTS + rootfs_count_mounts(request)) {
            return failure_text(&init->failure, "the launcher sent too few mounts");
        }
        r = rootfs_furnish(request, fds->fds + GO_MOUNTS, &init->failure);
    }
    return r;
}

static int settle(struct init *init)
{
    const struct base *base = init->plan->base;
    struct message_fds fds;
    int r;

    wait_for(init, MESSAGE_GO, &fds);
    r = furnish(init, &fds);
    if (r == 0 && init->request.has_door) {
        r = door_open(&init->request, ENVIRONMENT_DOOR_PORT, fds.fds[GO_NATIVE], &init->failure);
    }
    if (r == 0) {
        r = program_take_fds(fds.fds[GO_NATIVE], fds.fds[GO_OUTPUT], &init->failure);
    }
    message_fds_close(&fds);
    if (r == 0) {
        r = confine_capabilities(&init->failure);
    }
    return (r == 0) ? confine_program(base->landlock_abi, &base->program_filter, &init->failure)
                    : r;
}

/* --- running ------------------------------------------------------------------------ */

/* The child has our memory until it execs: its limits bind it alone, and what it writes
 * into `failure` is ours to report. */
static void become_program(struct init *init, const char *path)
{
    (void)setsid();
    if (program_limit(&init->request.limits, init->plan->is_data_limited, &init->failure) == 0) {
        program_exec(path, &init->request);
        (void)failure_errno(&init->failure, "start %s", init->request.program);
    }
}

static pid_t start_program(struct init *init, const char *path)
{
    static volatile bool has_failed; /* written by the child */
    pid_t pid = vfork();

    if (pid == 0) {
        become_program(init, path);
        has_failed = true;
        _exit(127);
    }
    if (pid < 0) {
        (void)failure_errno(&init->failure, "start a process");
        fail(init);
    }
    if (has_failed) {
        fail(init);
    }
    return pid;
}

static void report_exit(const struct init *init, int status)
{
    struct message message = {.kind = MESSAGE_EXITED, .exit_status = -1};

    if (WIFEXITED(status)) {
        message.exit_status = WEXITSTATUS(status);
    } else {
        message.signal = WTERMSIG(status);
    }
    (void)message_send(init->control, &message, NULL, 0);
}

/* Reaps all that is left to it, until the program itself has ended. */
static void await_program(const struct init *init, pid_t program)
{
    int status;

    while (true) {
        pid_t pid = wait4(-1, &status, 0, NULL);

        if (pid == program) {
            report_exit(init, status);
            _exit(0);
        }
        if (pid < 0 && errno != EINTR) {
            _exit(1);
        }
    }
}

/* The runtime's, else the function's own, else (as in Lambda) that of a layer. */
static void find_program(const struct init *init, char *path, size_t size)
{
    const struct request *request = &init->request;

    if (request->runtime[0] != '\0') {
        (void)snprintf(path, size, "%s", ROOTFS_RUNTIME "/bootstrap");
        return;
    }
    (void)snprintf(path, size, ROOTFS_TASK "/%s", request->program);
    if (request->layers[0] != '\0' && access(path, F_OK) != 0) {
        (void)snprintf(path, size, ROOTFS_LAYERS "/%s", request->program);
    }
}

static void run(struct init *init) __attribute__((noreturn));
static void run(struct init *init)
{
    char path[REQUEST_PROGRAM_MAX + 16];
    pid_t pid;

    find_program(init, path, sizeof path);
    if (chdir(ROOTFS_TASK) != 0) {
        (void)failure_errno(&init->failure, "enter the code");
        fail(init);
    }
    pid = start_program(init, path);
    (void)close_range(STDIN_FILENO, REQUEST_PROGRAM_FD, 0);
    request_fini(&init->request);
    say(init, MESSAGE_STARTED, "");
    await_program(init, pid);
    _exit(1);
}

void sandbox_main(const struct sandbox_plan *plan)
{
    struct init init = {.plan = plan, .control = plan->control};

    if (prepare(&init) != 0) {
        fail(&init);
    }
    say(&init, MESSAGE_PREPARED, "");
    if (settle(&init) != 0) {
        fail(&init);
    }
    run(&init);
}

/* --- without isolation -------------------------------------------------------------- */

static int settle_plain(struct init *init, char *path, size_t size)
{
    struct message_fds fds;
    int r;

    wait_for(init, MESSAGE_GO, &fds);
    r = furnish(init, &fds);
    if (r == 0) {
        (void)snprintf(path, size, "%s/code/%s", init->plan->base->cache_dir, init->request.code);
        r = (chdir(path) == 0) ? 0 : failure_errno(&init->failure, "enter %s", path);
    }
    if (r == 0) {
        r = program_limit(&init->request.limits, init->plan->is_data_limited, &init->failure);
    }
    if (r == 0 && init->request.has_door) {
        r = door_open(&init->request, 0, fds.fds[GO_NATIVE], &init->failure);
    }
    return (r == 0) ? program_take_fds(fds.fds[GO_NATIVE], fds.fds[GO_OUTPUT], &init->failure) : r;
}

void sandbox_main_plain(const struct sandbox_plan *plan)
{
    struct init init = {.plan = plan, .control = plan->control};
    char path[1024 + REQUEST_PROGRAM_MAX];
    size_t len;

    (void)setsid();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (cgroup_join(plan->cgroup) != 0) {
        (void)failure_errno(&init.failure, "enter the control groups");
        fail(&init);
    }
    if (keep_fds(&init) != 0 || settle_plain(&init, path, sizeof path) != 0) {
        fail(&init);
    }
    if (init.request.runtime[0] != '\0') {
        (void)snprintf(path, sizeof path, "%s/bootstrap", init.request.runtime);
    } else {
        len = strlen(path);
        (void)snprintf(path + len, sizeof path - len, "/%s", init.request.program);
    }
    program_exec(path, &init.request);
    (void)failure_errno(&init.failure, "start %s", init.request.program);
    fail(&init);
}
