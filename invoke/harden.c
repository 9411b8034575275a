#include "invoke/harden.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/log.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1 /* it traces its own process, and runs a program to name lines */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER 0
#endif

static void raise_limit(__rlimit_resource_t resource)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(resource, &limit);
    }
}

/* --- capabilities ---------------------------------------------------------------------- */

static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];

    for (unsigned long i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++) {
        (void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0); /* only root can, and only root need */
    }
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    memset(none, 0, sizeof none);
    if (syscall(SYS_capset, &header, none) != 0) {
        return ERR(ERR_SYSTEM, "drop capabilities: %s", strerror(errno));
    }
    return 0;
}

/* --- system calls ------------------------------------------------------------------------ */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#define FOREIGN_CALLS 0x40000000U /* those of the x32 interface */
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#define FOREIGN_CALLS 0x80000000U
#endif

#ifdef ARCHITECTURE

/* A list of what must not be, not of what may be: the libraries of the daemon use what
 * they like. Together they are the ways to run another program, to reach into another
 * process, and to change what the machine is. */
static const uint32_t forbidden[] = {
    SYS_execve,          SYS_execveat,
    SYS_ptrace,          SYS_process_vm_readv,
    SYS_mount,           SYS_process_vm_writev,
    SYS_umount2,         SYS_pivot_root,
    SYS_chroot,          SYS_setns,
    SYS_unshare,         SYS_init_module,
    SYS_finit_module,    SYS_delete_module,
    SYS_kexec_load,      SYS_bpf,
    SYS_perf_event_open, SYS_userfaultfd,
    SYS_swapon,          SYS_swapoff,
    SYS_reboot,          SYS_keyctl,
    SYS_add_key,         SYS_request_key,
    SYS_open_tree,       SYS_move_mount,
    SYS_fsopen,          SYS_mount_setattr,
};

enum { FORBIDDEN = (int)sizeof forbidden / sizeof forbidden[0], HEAD = 5, TAIL = 2 };

static int filter_calls(void)
{
    static struct sock_filter code[HEAD + FORBIDDEN + TAIL];
    struct sock_fprog program = {.len = HEAD + FORBIDDEN + TAIL, .filter = code};
    size_t n = 0;

    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    code[n++] =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FOREIGN_CALLS, FORBIDDEN + 1, 0);
    for (size_t i = 0; i < FORBIDDEN; i++) {
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, forbidden[i],
                                                 (uint8_t)((size_t)FORBIDDEN - i), 0);
    }
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) {
        return ERR(ERR_SYSTEM, "filter system calls: %s", strerror(errno));
    }
    return 0;
}

#else

static int filter_calls(void)
{
    log_warn("system calls of the daemon are not filtered on this kind of machine");
    return 0;
}

#endif

int harden_process(void)
{
    const struct rlimit none = {0};
    int r;

    raise_limit(RLIMIT_NOFILE);
    raise_limit(RLIMIT_MEMLOCK);
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return ERR(ERR_SYSTEM, "give up privileges: %s", strerror(errno));
    }
    r = drop_capabilities();
    if (r != 0 || HAS_SANITIZER) {
        return r;
    }
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return ERR(ERR_SYSTEM, "forbid tracing: %s", strerror(errno));
    }
    return filter_calls();
}
