#include "runtime/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/mem.h"

#define TIOCLINUX_NUMBER 0x541c
#define NAMESPACE_FLAGS                                                                            \
    ((unsigned)CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |       \
     CLONE_NEWPID | CLONE_NEWNET | 0x00000080 /* CLONE_NEWTIME */)

/* Names that this architecture or this libseccomp does not know are passed over. */
static const char *const allowed_always[] = {
    "access",
    "alarm",
    "arch_prctl",
    "brk",
    "cachestat",
    "capget",
    "capset",
    "chdir",
    "chmod",
    "chown",
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "close",
    "close_range",
    "copy_file_range",
    "creat",
    "dup",
    "dup2",
    "dup3",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_ctl_old",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "eventfd",
    "eventfd2",
    "exit",
    "exit_group",
    "faccessat",
    "faccessat2",
    "fadvise64",
    "fallocate",
    "fchdir",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "fchown",
    "fchownat",
    "fcntl",
    "fdatasync",
    "fgetxattr",
    "flistxattr",
    "flock",
    "fremovexattr",
    "fsetxattr",
    "fstat",
    "fstatfs",
    "fsync",
    "ftruncate",
    "futex",
    "futex_requeue",
    "futex_wait",
    "futex_waitv",
    "futex_wake",
    "futimesat",
    "get_mempolicy",
    "get_robust_list",
    "get_thread_area",
    "getcpu",
    "getcwd",
    "getdents",
    "getdents64",
    "getegid",
    "geteuid",
    "getgid",
    "getgroups",
    "getitimer",
    "getpgid",
    "getpgrp",
    "getpid",
    "getppid",
    "getpriority",
    "getrandom",
    "getresgid",
    "getresuid",
    "getrlimit",
    "getrusage",
    "getsid",
    "gettid",
    "gettimeofday",
    "getuid",
    "getxattr",
    "inotify_add_watch",
    "inotify_init",
    "inotify_init1",
    "inotify_rm_watch",
    "ioctl",
    "ioprio_get",
    "landlock_add_rule",
    "landlock_create_ruleset",
    "landlock_restrict_self",
    "lchown",
    "lgetxattr",
    "link",
    "linkat",
    "listxattr",
    "llistxattr",
    "lremovexattr",
    "lseek",
    "lsetxattr",
    "lstat",
    "madvise",
    "map_shadow_stack",
    "mbind",
    "membarrier",
    "memfd_create",
    "mincore",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "mlock",
    "mlock2",
    "mlockall",
    "mmap",
    "mprotect",
    "mremap",
    "mseal",
    "msync",
    "munlock",
    "munlockall",
    "munmap",
    "nanosleep",
    "newfstatat",
    "open",
    "openat",
    "openat2",
    "pause",
    "personality",
    "pipe",
    "pipe2",
    "pkey_alloc",
    "pkey_free",
    "pkey_mprotect",
    "poll",
    "ppoll",
    "pread64",
    "prctl",
    "preadv",
    "preadv2",
    "prlimit64",
    "pselect6",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "read",
    "readahead",
    "readlink",
    "readlinkat",
    "readv",
    "removexattr",
    "rename",
    "renameat",
    "renameat2",
    "restart_syscall",
    "riscv_flush_icache",
    "rmdir",
    "rseq",
    "rt_sigaction",
    "rt_sigpending",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "sched_getaffinity",
    "sched_getattr",
    "sched_getparam",
    "sched_getscheduler",
    "sched_rr_get_interval",
    "sched_setaffinity",
    "sched_setattr",
    "sched_setparam",
    "sched_setscheduler",
    "sched_yield",
    "select",
    "sendfile",
    "sendmsg",
    "set_mempolicy",
    "set_robust_list",
    "set_thread_area",
    "set_tid_address",
    "setfsgid",
    "setfsuid",
    "setgid",
    "setgroups",
    "setitimer",
    "setpgid",
    "setpriority",
    "setregid",
    "setresgid",
    "setresuid",
    "setreuid",
    "setrlimit",
    "setsid",
    "setuid",
    "setxattr",
    "sigaltstack",
    "signalfd",
    "signalfd4",
    "splice",
    "stat",
    "statfs",
    "statx",
    "symlink",
    "symlinkat",
    "sync_file_range",
    "sysinfo",
    "tee",
    "time",
    "timer_create",
    "timer_delete",
    "timer_getoverrun",
    "timer_gettime",
    "timer_settime",
    "timerfd_create",
    "timerfd_gettime",
    "timerfd_settime",
    "times",
    "truncate",
    "umask",
    "uname",
    "unlink",
    "unlinkat",
    "utime",
    "utimensat",
    "utimes",
    "vmsplice",
    "wait4",
    "waitid",
    "write",
    "writev",
};

/* Processes, signals and sockets: nothing that unpacks an archive needs (but to say on
 * the one it has how it went). */
static const char *const allowed_program[] = {
    "accept",
    "accept4",
    "bind",
    "clone",
    "connect",
    "execve",
    "execveat",
    "fork",
    "getpeername",
    "getsockname",
    "getsockopt",
    "kill",
    "listen",
    "mq_getsetattr",
    "mq_notify",
    "mq_open",
    "mq_timedreceive",
    "mq_timedsend",
    "mq_unlink",
    "msgctl",
    "msgget",
    "msgrcv",
    "msgsnd",
    "pidfd_open",
    "pidfd_send_signal",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    "semctl",
    "semget",
    "semop",
    "semtimedop",
    "sendmmsg",
    "sendto",
    "setsockopt",
    "shmat",
    "shmctl",
    "shmdt",
    "shmget",
    "shutdown",
    "socket",
    "socketpair",
    "tgkill",
    "tkill",
    "vfork",
};

/* Refused by name, so that programs that probe for them see "not permitted". */
static const char *const refused[] = {
    "acct",
    "add_key",
    "adjtimex",
    "bpf",
    "chroot",
    "clock_adjtime",
    "clock_settime",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "memfd_secret",
    "migrate_pages",
    "modify_ldt",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "name_to_handle_at",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pidfd_getfd",
    "pivot_root",
    "process_madvise",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "seccomp",
    "setdomainname",
    "sethostname",
    "setns",
    "settimeofday",
    "stime",
    "swapoff",
    "swapon",
    "sysfs",
    "syslog",
    "umount",
    "umount2",
    "unshare",
    "userfaultfd",
    "vhangup",
};

/* One rule; a call that does not exist here is no failure. */
static int add(scmp_filter_ctx ctx, uint32_t action, const char *name, unsigned count,
               const struct scmp_arg_cmp *args)
{
    int number = seccomp_syscall_resolve_name(name);
    int r;

    if (number < 0) {
        return 0;
    }
    r = seccomp_rule_add_array(ctx, action, number, count, args);
    return (r == -EEXIST || r == -EACCES) ? 0 : r; /* EACCES: it is the default action */
}

static int add_all(scmp_filter_ctx ctx, uint32_t action, const char *const *names, size_t count)
{
    int r = 0;

    for (size_t i = 0; i < count && r == 0; i++) {
        r = add(ctx, action, names[i], 0, NULL);
    }
    return r;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LOW_HALF 0
#else
#define LOW_HALF 4
#endif
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define LOAD_NUMBER LOAD(offsetof(struct seccomp_data, nr))
#define LOAD_ARG(n) LOAD(offsetof(struct seccomp_data, args[n]) + LOW_HALF)
#define IF_EQ(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define IF_ANY(bits, yes, no) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (bits), (yes), (no))
#define DENY(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))

/* Calls whose arguments decide, by hand: it runs before the list, on the low halves,
 * as the kernel takes them. Each block ends by falling through to the next.
 *   clone        threads and processes, but no namespaces
 *   ioctl        no characters pushed into a terminal
 *   personality  plain, or a question, or without address randomisation
 *   socket       local and IP without privilege; netlink only to ask for interfaces */
static const struct sock_filter prologue[] = {
    LOAD_NUMBER,
    IF_EQ(SYS_clone, 0, 3),
    LOAD_ARG(0),
    IF_ANY(NAMESPACE_FLAGS, 0, 1),
    DENY(EPERM),

    LOAD_NUMBER,
    IF_EQ(SYS_ioctl, 0, 4),
    LOAD_ARG(1),
    IF_EQ(TIOCSTI, 1, 0),
    IF_EQ(TIOCLINUX_NUMBER, 0, 1),
    DENY(EPERM),

    LOAD_NUMBER,
    IF_EQ(SYS_personality, 0, 5),
    LOAD_ARG(0),
    IF_EQ(0, 3, 0),
    IF_EQ(0xffffffff, 2, 0),
    IF_EQ(ADDR_NO_RANDOMIZE, 1, 0),
    DENY(EPERM),

    LOAD_NUMBER,
    IF_EQ(SYS_socket, 0, 15),
    LOAD_ARG(0),
    IF_EQ(AF_UNIX, 4, 0),
    IF_EQ(AF_INET, 3, 0),
    IF_EQ(AF_INET6, 2, 0),
    IF_EQ(AF_NETLINK, 7, 0),
    DENY(EAFNOSUPPORT),
    LOAD_ARG(1),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf),
    IF_EQ(SOCK_STREAM, 6, 0),
    IF_EQ(SOCK_DGRAM, 5, 0),
    IF_EQ(SOCK_SEQPACKET, 4, 0),
    DENY(EPERM),
    LOAD_ARG(2),
    IF_EQ(NETLINK_ROUTE, 1, 0),
    DENY(EPROTONOSUPPORT),
};
#define PROLOGUE_COUNT (sizeof prologue / sizeof *prologue)

#define COUNT(array) (sizeof(array) / sizeof *(array))

static int add_rules(scmp_filter_ctx ctx, enum filter_kind kind)
{
    int r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

    if (r == 0) {
        r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree */
    }
    if (r == 0) {
        r = add_all(ctx, SCMP_ACT_ALLOW, allowed_always, COUNT(allowed_always));
    }
    if (r == 0 && kind == FILTER_PROGRAM) {
        r = add_all(ctx, SCMP_ACT_ALLOW, allowed_program, COUNT(allowed_program));
    }
    return (r == 0) ? add_all(ctx, SCMP_ACT_ERRNO(EPERM), refused, COUNT(refused)) : r;
}

/* What libseccomp wrote to `fd`, behind our prologue. */
static int load(struct filter *filter, int fd, struct failure *failure)
{
    off_t bytes = lseek(fd, 0, SEEK_END);
    size_t count = (bytes > 0) ? (size_t)bytes / sizeof(struct sock_filter) : 0;
    struct sock_filter *code;

    if (count == 0 || count + PROLOGUE_COUNT > BPF_MAXINSNS) {
        return failure_text(failure, "the system call filter has %zu instructions", count);
    }
    code = mem_calloc(count + PROLOGUE_COUNT, sizeof *code);
    if (code == NULL) {
        return failure_text(failure, "out of memory for the system call filter");
    }
    memcpy(code, prologue, sizeof prologue);
    if (pread(fd, code + PROLOGUE_COUNT, (size_t)bytes, 0) != bytes) {
        mem_free(code);
        return failure_errno(failure, "read the system call filter");
    }
    filter->program.filter = code;
    filter->program.len = (unsigned short)(count + PROLOGUE_COUNT);
    return 0;
}

static int export(struct filter *filter, scmp_filter_ctx ctx, struct failure *failure)
{
    int fd = memfd_create("pawl-filter", MFD_CLOEXEC);
    int r;

    if (fd < 0) {
        return failure_errno(failure, "memfd_create");
    }
    r = seccomp_export_bpf(ctx, fd);
    r = (r == 0) ? load(filter, fd, failure)
                 : failure_text(failure, "compile the system call filter: %s", strerror(-r));
    (void)close(fd);
    return r;
}

int filter_build(struct filter *ret_filter, enum filter_kind kind, struct failure *failure)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int r;

    if (ctx == NULL) {
        return failure_text(failure, "libseccomp cannot start");
    }
    r = add_rules(ctx, kind);
    r = (r == 0) ? export(ret_filter, ctx, failure)
                 : failure_text(failure, "make the system call filter: %s", strerror(-r));
    seccomp_release(ctx);
    return r;
}

void filter_fini(struct filter *filter)
{
    mem_free(filter->program.filter);
    filter->program.filter = NULL;
}

int filter_apply(const struct filter *filter)
{
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter->program);
}
