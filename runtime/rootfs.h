/* The file system that an environment sees: a small read-only tmpfs of its own with
 * the shared base's /usr, /etc and /dev, its own /proc, /tmp and /dev/shm, the code
 * at /var/task and the grants. */
#ifndef RUNTIME_ROOTFS_H
#define RUNTIME_ROOTFS_H

#include "runtime/base.h"

#define ROOTFS_TASK "/var/task"

/* Builds it from the working directory (the base) and makes it the root: from here on
 * nothing of the host's file system has a name. Also takes from the namespace the
 * right to make further user namespaces. */
int rootfs_build(const struct base *base, struct failure *failure);

/* Adds what one request brings: a /tmp of its size and the detached mounts `code` and
 * `grants`, which the launcher has opened; then the root is read-only for good. */
int rootfs_furnish(const struct request *request, int code, const int *grants,
                   struct failure *failure);

#endif /* RUNTIME_ROOTFS_H */
