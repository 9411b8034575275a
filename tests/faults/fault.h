/* What the preloaded library and the test that preloads it share: a file, mapped by every
 * process of one daemon, with the counts of all calls and what was done to one of them.
 *
 * A mapping, and not a pipe or a file to write to, because it lives on in a launcher that
 * closes all descriptors and in a sandbox that has another root. tests/faults/fault.py
 * reads it by the same layout. */
#ifndef TESTS_FAULTS_FAULT_H
#define TESTS_FAULTS_FAULT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The processes of a daemon. A sandbox is what the launcher makes: the first process of an
 * environment until it executes the program, and who unpacks code. */
enum fault_role {
    FAULT_SERVE,
    FAULT_LAUNCHER,
    FAULT_SANDBOX,
    FAULT_ROLES,
};

/* One for each wrapped function, or for several that are one call to the kernel. */
/* clang-format off */
#define FAULT_CALLS(X)                                                                            \
    X(open) X(read) X(pread) X(write) X(pwrite) X(writev) X(fsync) X(fdatasync) X(ftruncate)      \
    X(lseek) X(mmap) X(fallocate) X(rename) X(unlink) X(mkdir) X(rmdir) X(close) X(flock)         \
    X(fcntl) X(statvfs) X(clone3) X(fork) X(execve) X(socketpair) X(socket) X(sendmsg)            \
    X(recvmsg) X(memfd_create) X(pipe2) X(epoll_create1) X(epoll_ctl) X(epoll_wait) X(poll)       \
    X(wait) X(mount) X(umount) X(mount_setattr) X(open_tree) X(move_mount) X(unshare)             \
    X(syscall) X(prctl) X(setrlimit) X(symlink) X(dup) X(close_range) X(setids) X(kill)           \
    X(sendfile) X(thread) X(malloc)
/* clang-format on */

enum fault_call {
#define FAULT_NAME(name) FAULT_##name,
    FAULT_CALLS(FAULT_NAME)
#undef FAULT_NAME
        FAULT_CALL_COUNT,
};

struct fault_state {
    _Atomic uint32_t delivered; /* how often; more than once only for a lie */
    uint32_t pid;
    char what[248]; /* the call, in words */
    char names[64][16];
    _Atomic uint64_t counts[4][64]; /* by role and call */
};

_Static_assert(FAULT_CALL_COUNT <= 64 && FAULT_ROLES <= 4, "the layout has room for them");
_Static_assert(sizeof(struct fault_state) == 3328, "tests/faults/fault.py knows the size");

/* What becomes of the call that was chosen. */
enum fault_kind {
    FAULT_NONE,  /* it is made */
    FAULT_ERROR, /* it is not made, and fails with errno set */
    FAULT_SHORT, /* it is made for half of the bytes */
    FAULT_LIE,   /* from this one on: not made, and said to have been */
};

/* Counts the call. An error has set errno. A stall or a crash does not return. */
enum fault_kind fault_meet(enum fault_call call, const char *what);

/* The same for a call about a file: in the daemon only files below the data directory
 * count, and where the rule names a part of a path only those that have it. */
enum fault_kind fault_meet_fd(enum fault_call call, int fd);
enum fault_kind fault_meet_path(enum fault_call call, int dir_fd, const char *path);
void fault_note_open(int fd, int dir_fd, const char *path);
void fault_note_close(int fd);

/* In a process made by clone3 or fork. */
void fault_become_child(void);
void fault_set_role(enum fault_role role);
enum fault_role fault_role(void);

/* A control: "what fails here is not looked at", say. */
bool fault_is_planted(const char *name);

/* The function that we stand before; never NULL. */
void *fault_real(const char *name);

/* `ret_real` is a pointer to a function. */
#define FAULT_FIND(name, real)                                                                     \
    do {                                                                                           \
        if ((real) == NULL) {                                                                      \
            void *found = fault_real(name);                                                        \
            __builtin_memcpy(&(real), &found, sizeof found);                                       \
        }                                                                                          \
    } while (0)

#define EXPORT __attribute__((visibility("default")))

#endif /* TESTS_FAULTS_FAULT_H */
