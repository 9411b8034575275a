/* The calls about processes, memory, sockets and mounts, wrapped. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/faults/fault.h"

#define ENTRIES_MAX 64

/* A function that gives -1 when it fails and 0, or any figure, else. */
#define WRAP(call, result, name, parameters, ...)                                                  \
    EXPORT result name parameters                                                                  \
    {                                                                                              \
        static result(*real) parameters;                                                           \
        enum fault_kind kind;                                                                      \
                                                                                                   \
        FAULT_FIND(#name, real);                                                                   \
        kind = fault_meet(FAULT_##call, #name);                                                    \
        if (kind == FAULT_ERROR || kind == FAULT_LIE) {                                            \
            return (kind == FAULT_ERROR) ? -1 : 0;                                                 \
        }                                                                                          \
        return real(__VA_ARGS__);                                                                  \
    }

static const char *text_of(const char *text)
{
    return (text != NULL) ? text : "";
}

/* The same, with the path that says which it was. */
#define WRAP_PATH(call, path, result, name, parameters, ...)                                       \
    EXPORT result name parameters                                                                  \
    {                                                                                              \
        static result(*real) parameters;                                                           \
        char what[200];                                                                            \
        enum fault_kind kind;                                                                      \
                                                                                                   \
        FAULT_FIND(#name, real);                                                                   \
        (void)snprintf(what, sizeof what, "%s %s", #name, text_of(path));                          \
        kind = fault_meet(FAULT_##call, what);                                                     \
        if (kind == FAULT_ERROR || kind == FAULT_LIE) {                                            \
            return (kind == FAULT_ERROR) ? -1 : 0;                                                 \
        }                                                                                          \
        return real(__VA_ARGS__);                                                                  \
    }

/* --- sockets and descriptors ------------------------------------------------------------------ */

WRAP(socketpair, int, socketpair, (int domain, int type, int protocol, int pair[2]), domain, type,
     protocol, pair)
WRAP(socket, int, socket, (int domain, int type, int protocol), domain, type, protocol)
WRAP(sendmsg, ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), fd, message,
     flags)
WRAP(recvmsg, ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), fd, message, flags)
WRAP(memfd_create, int, memfd_create, (const char *name, unsigned flags), name, flags)
WRAP(pipe2, int, pipe2, (int pipes[2], int flags), pipes, flags)
WRAP(epoll_create1, int, epoll_create1, (int flags), flags)
WRAP(epoll_ctl, int, epoll_ctl, (int loop, int operation, int fd, struct epoll_event *event), loop,
     operation, fd, event)
WRAP(epoll_wait, int, epoll_wait, (int loop, struct epoll_event *events, int max, int ms), loop,
     events, max, ms)
WRAP(poll, int, poll, (struct pollfd * fds, nfds_t count, int ms), fds, count, ms)
WRAP(dup, int, dup2, (int from, int to), from, to)
WRAP(dup, int, dup3, (int from, int to, int flags), from, to, flags)
WRAP(close_range, int, close_range, (unsigned first, unsigned last, int flags), first, last, flags)
WRAP(sendfile, ssize_t, sendfile64, (int to, int from, off64_t *offset, size_t len), to, from,
     offset, len)

/* --- processes -------------------------------------------------------------------------------- */

WRAP(wait, pid_t, wait4, (pid_t pid, int *status, int options, struct rusage *usage), pid, status,
     options, usage)
WRAP(wait, pid_t, waitpid, (pid_t pid, int *status, int options), pid, status, options)
WRAP(kill, int, kill, (pid_t pid, int number), pid, number)
WRAP(unshare, int, unshare, (int flags), flags)
WRAP(setids, int, setresuid, (uid_t real_id, uid_t effective, uid_t saved), real_id, effective,
     saved)
WRAP(setids, int, setresgid, (gid_t real_id, gid_t effective, gid_t saved), real_id, effective,
     saved)
WRAP(setids, int, setgroups, (size_t count, const gid_t *groups), count, groups)
WRAP(setrlimit, int, setrlimit64, (__rlimit_resource_t resource, const struct rlimit64 *limit),
     resource, limit)

EXPORT int prctl(int option, ...)
{
    static int (*real)(int, ...);
    char what[32];
    unsigned long words[4];
    va_list args;

    va_start(args, option);
    for (int i = 0; i < 4; i++) {
        words[i] = va_arg(args, unsigned long);
    }
    va_end(args);
    FAULT_FIND("prctl", real);
    (void)snprintf(what, sizeof what, "prctl %d", option);
    if (fault_meet(FAULT_prctl, what) == FAULT_ERROR) {
        return -1;
    }
    return real(option, words[0], words[1], words[2], words[3]);
}

EXPORT pid_t fork(void)
{
    static pid_t (*real)(void);
    pid_t pid;

    FAULT_FIND("fork", real);
    if (fault_meet(FAULT_fork, "fork") == FAULT_ERROR) {
        return -1;
    }
    pid = real();
    if (pid == 0 && fault_role() == FAULT_LAUNCHER) {
        fault_become_child();
    }
    return pid;
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *arg), void *arg)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

    FAULT_FIND("pthread_create", real);
    if (fault_meet(FAULT_thread, "pthread_create") == FAULT_ERROR) {
        return errno;
    }
    return real(thread, attributes, run, arg);
}

/* The daemon gives its launcher an environment of its own making: what we need is added. */
static char *const *with_ours(char *const env[], char *entries[ENTRIES_MAX])
{
    static const char *const ours[] = {"LD_PRELOAD=", "PAWL_FAULT=", "PAWL_FAULT_"};
    size_t count = 0;

    for (; env[count] != NULL && count < ENTRIES_MAX / 2; count++) {
        entries[count] = env[count];
    }
    for (char **entry = environ; *entry != NULL && count < ENTRIES_MAX - 1; entry++) {
        for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
            if (strncmp(*entry, ours[i], strlen(ours[i])) == 0) {
                entries[count++] = *entry;
                break;
            }
        }
    }
    entries[count] = NULL;
    return entries;
}

EXPORT int execve(const char *path, char *const argv[], char *const env[])
{
    static int (*real)(const char *, char *const[], char *const[]);
    char *entries[ENTRIES_MAX];

    FAULT_FIND("execve", real);
    if (fault_meet(FAULT_execve, path) == FAULT_ERROR) {
        return -1;
    }
    if (fault_role() == FAULT_SERVE && argv[0] != NULL && argv[1] != NULL &&
        strcmp(argv[1], "launcher") == 0) {
        env = with_ours(env, entries);
    }
    return real(path, argv, env);
}

/* A clone without memory of its own in common returns twice, like fork. */
EXPORT long syscall(long number, ...)
{
    static long (*real)(long, ...);
    enum fault_call call = (number == SYS_clone3) ? FAULT_clone3 : FAULT_syscall;
    unsigned long words[6];
    char what[32];
    va_list args;
    long r;

    va_start(args, number);
    for (int i = 0; i < 6; i++) {
        words[i] = va_arg(args, unsigned long);
    }
    va_end(args);
    FAULT_FIND("syscall", real);
    (void)snprintf(what, sizeof what, "syscall %ld", number);
    if (fault_meet(call, what) == FAULT_ERROR) {
        return -1;
    }
    r = real(number, words[0], words[1], words[2], words[3], words[4], words[5]);
    if (number == SYS_clone3 && r == 0) {
        fault_become_child();
    }
    return r;
}

/* --- mounts ----------------------------------------------------------------------------------- */

WRAP_PATH(mount, target, int, mount,
          (const char *source, const char *target, const char *type, unsigned long flags,
           const void *data),
          source, target, type, flags, data)
WRAP_PATH(umount, path, int, umount2, (const char *path, int flags), path, flags)
WRAP_PATH(open_tree, path, int, open_tree, (int dir_fd, const char *path, unsigned flags), dir_fd,
          path, flags)
WRAP_PATH(mount_setattr, path, int, mount_setattr,
          (int dir_fd, const char *path, unsigned flags, struct mount_attr *attributes,
           size_t size),
          dir_fd, path, flags, attributes, size)
WRAP_PATH(move_mount, to, int, move_mount,
          (int from_dir, const char *from, int to_dir, const char *to, unsigned flags), from_dir,
          from, to_dir, to, flags)
WRAP_PATH(symlink, path, int, symlink, (const char *target, const char *path), target, path)
WRAP_PATH(symlink, path, int, symlinkat, (const char *target, int dir_fd, const char *path), target,
          dir_fd, path)

/* --- memory ----------------------------------------------------------------------------------- */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *data, size_t size);

EXPORT void *malloc(size_t size)
{
    return (fault_meet(FAULT_malloc, "malloc") == FAULT_ERROR) ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    return (fault_meet(FAULT_malloc, "calloc") == FAULT_ERROR) ? NULL : __libc_calloc(count, size);
}

EXPORT void *realloc(void *data, size_t size)
{
    return (fault_meet(FAULT_malloc, "realloc") == FAULT_ERROR) ? NULL : __libc_realloc(data, size);
}
