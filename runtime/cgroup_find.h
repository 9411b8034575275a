/* Where the control group trees are mounted, and where in them we are. */
#ifndef RUNTIME_CGROUP_FIND_H
#define RUNTIME_CGROUP_FIND_H

#include "runtime/cgroup.h"

#define CGROUP_PATH_MAX 1024

struct cgroup_place {
    char mount[CGROUP_PATH_MAX]; /* "" if there is no such tree */
    char own[CGROUP_PATH_MAX];   /* our group in it, as a path below `mount`, or "" */
};

/* Reads /proc/self/mountinfo and /proc/self/cgroup. */
void cgroup_find(struct cgroup_place ret_places[CGROUP_TREES]);

#endif /* RUNTIME_CGROUP_FIND_H */
