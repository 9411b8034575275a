/* What all environments share, made once by the launcher in a mount namespace of its
 * own, so nobody else sees it and it is gone with the launcher:
 *
 *   CACHE/code/...   unpacked code, a tmpfs of limited size
 *   CACHE/gone/...   what is being removed from it
 *   CACHE/base/      the launcher's working directory; a read-only tmpfs with
 *       usr/         the host's /usr, read-only, nosuid, nodev
 *       etc/         passwd, group, hosts, ... of our own making
 *       dev/         null, zero, full, random, urandom
 *       root/        where each environment mounts its own root before it pivots
 *       masked void  what hides files and directories in /proc
 *
 * An ordinary user's launcher first enters a user namespace where it is root.
 * Without isolation there are only code and gone, below CACHE/plain-INSTANCE, on
 * whatever file system. */
#ifndef RUNTIME_BASE_H
#define RUNTIME_BASE_H

#include <stdbool.h>
#include <sys/types.h>

#include "runtime/failure.h"
#include "runtime/filter.h"
#include "runtime/request.h"

#define BASE_ROOTS_MAX 8

/* The user and group that a program sees itself as. */
#define BASE_USER 1000
#define BASE_GROUP 1000

/* Outside, each environment has a user of its own from a range that nobody uses
 * (above systemd's and below 2^31), so that no limit per user is shared. */
#define BASE_OUTER_FIRST 0x70000000u
#define BASE_OUTER_COUNT 65536u
#define BASE_OUTER_NOBODY 65534u

/* A name in / that the system needs: a directory, or a link into /usr. */
struct base_root {
    const char *name;
    char link[64]; /* "" for a directory */
};

struct base {
    bool is_sandboxed;
    bool is_own_user_namespace; /* an ordinary user's launcher */
    bool is_root;               /* on the host, or in a container */
    bool has_outer_range;
    unsigned outer_user; /* without a range: the one user for all */
    int code_dir;
    int gone_dir; /* beside it: what is about to be removed */
    int landlock_abi;
    struct base_root roots[BASE_ROOTS_MAX];
    size_t root_count;
    struct filter program_filter;
    struct filter unpack_filter;
    char data_dir[512]; /* resolved */
    char cache_dir[512];
};

/* FAILURE_E_SET if something is missing that isolation needs. */
int base_build(struct base *ret_base, const struct request_options *options, const char *instance,
               struct failure *failure);

/* The user and group outside for the environment in `slot`. */
unsigned base_outer_user(const struct base *base, unsigned slot);

/* Does the launcher run as root, so that others can be somebody else? In a child of its
 * own user namespace: as it was there. */
bool base_may_change_user(const struct base *base);

/* Gives a new user namespace its one user and group; `pid` is its first process. */
int base_map_user(const struct base *base, pid_t pid, unsigned outer, struct failure *failure);

#endif /* RUNTIME_BASE_H */
