/* The file system that an environment sees: a small read-only tmpfs of its own with
 * the shared base's /usr, /etc and /dev, its own /proc, /tmp and /dev/shm, the code
 * at /var/task, layers at /opt, a runtime at /var/runtime, and the grants. */
#ifndef RUNTIME_ROOTFS_H
#define RUNTIME_ROOTFS_H

#include "runtime/base.h"

#define ROOTFS_TASK "/var/task"
#define ROOTFS_LAYERS "/opt"
#define ROOTFS_RUNTIME "/var/runtime"

/* Builds it from the working directory (the base) and makes it the root: from here on
 * nothing of the host's file system has a name. Also takes from the namespace the
 * right to make further user namespaces. */
int rootfs_build(const struct base *base, struct failure *failure);

/* How many mounts a request brings: code, layers, runtime, grants. */
size_t rootfs_count_mounts(const struct request *request);

/* Adds what one request brings: a /tmp of its size and its detached mounts, which the
 * launcher has opened; then the root is read-only for good. */
int rootfs_furnish(const struct request *request, const int *mounts, struct failure *failure);

#endif /* RUNTIME_ROOTFS_H */
