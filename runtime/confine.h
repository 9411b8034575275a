/* What a process gives up for good: capabilities, new privileges, and by Landlock and
 * seccomp most of the kernel. */
#ifndef RUNTIME_CONFINE_H
#define RUNTIME_CONFINE_H

#include "runtime/failure.h"
#include "runtime/filter.h"

/* All five sets, the bounding one included, and no way to gain any by exec. */
int confine_capabilities(struct failure *failure);

/* A function's environment: reads all it sees, writes /tmp, /dev/shm and devices. */
int confine_program(int landlock_abi, const struct filter *filter, struct failure *failure);

/* An unpacker: nothing but what is below `dir`. */
int confine_unpack(int landlock_abi, const struct filter *filter, int dir, struct failure *failure);

/* The launcher itself, for sandboxes: keeps what making them takes (mounts, users,
 * files of others, signals to others) and gives up the rest. */
int confine_launcher(struct failure *failure);

#endif /* RUNTIME_CONFINE_H */
