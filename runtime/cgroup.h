/* Control groups, as far as this machine lets us write them: v1 controllers, the v2
 * tree, or a mix of both. What is not writable is left out and named by
 * cgroups_describe(): an environment then has rlimits only.
 *
 * Below the launcher's own group in each tree (or below the tree's root, if that one
 * is not ours to write) there is NAME/INSTANCE/eN, one group for each environment. An
 * instance belongs to one data directory, whose lock its owner holds. */
#ifndef RUNTIME_CGROUP_H
#define RUNTIME_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum cgroup_tree {
    CGROUP_MEMORY, /* v1 */
    CGROUP_CPU,    /* v1 */
    CGROUP_PIDS,   /* v1 */
    CGROUP_V2,
    CGROUP_TREES
};

struct cgroups {
    int dirs[CGROUP_TREES]; /* of the instance; -1: not writable */
    bool v2_memory;
    bool v2_cpu;
    bool v2_pids;
    bool v2_kill;
};

struct cgroup_limits {
    uint64_t memory_bytes;
    uint32_t pids_max;
    uint32_t cpu_percent; /* 0: no limit */
};

struct cgroup_usage {
    uint64_t oom_kills;
    uint64_t memory_peak;
    uint64_t cpu_us;
};

/* Kills and removes what an earlier owner of the instance left behind. `cpu_weight` is that
 * of all instances of the name together, as in launcher.h. Cannot fail: what does not work
 * is missing. */
void cgroups_open(struct cgroups *cgroups, const char *name, const char *instance,
                  uint32_t cpu_weight);

/* The weight is the kernel's own again, so that what is being killed has the time to die:
 * the next launcher waits for it. */
void cgroups_unweigh(const struct cgroups *cgroups);

/* Removes the instance's directories if they are empty. */
void cgroups_close(struct cgroups *cgroups);

/* "v1(memory,cpu,pids) v2(kill)" or "none". */
void cgroups_describe(const struct cgroups *cgroups, char *ret_text, size_t size);

bool cgroups_limit_memory(const struct cgroups *cgroups);

/* The groups of one environment. */
struct cgroup {
    unsigned number;
    int v2_dir;                 /* for CLONE_INTO_CGROUP, or -1 */
    int join_fds[CGROUP_TREES]; /* v1 cgroup.procs, or -1 */
    bool is_made[CGROUP_TREES];
};

/* 0, or -1 with errno if a tree that the machine offers refuses: without its limits
 * nothing may start. What was made is in `ret_cgroup` and wants cgroup_remove(). */
int cgroup_make(const struct cgroups *cgroups, struct cgroup *ret_cgroup, unsigned number);

/* In a new process: enters the v1 groups. May take milliseconds (the kernel waits for
 * an RCU grace period), which is why the launcher never does it. 0 or -1 with errno. */
int cgroup_join(const struct cgroup *cgroup);

/* The descriptors of a made group; the group stays. */
void cgroup_close_fds(struct cgroup *cgroup);

/* 0 or -1 with errno, when a limit that the trees offer was refused. */
int cgroup_limit(const struct cgroups *cgroups, const struct cgroup *cgroup,
                 const struct cgroup_limits *limits);

/* SIGKILL for everything in it, where the v2 tree can; otherwise does nothing. */
void cgroup_kill(const struct cgroups *cgroups, const struct cgroup *cgroup);

void cgroup_read(const struct cgroups *cgroups, const struct cgroup *cgroup,
                 struct cgroup_usage *ret_usage);

/* 0, or CGROUP_E_BUSY while a process is left in it: try again later. */
#define CGROUP_E_BUSY 1
int cgroup_remove(const struct cgroups *cgroups, struct cgroup *cgroup);

/* Closes and removes one in which nobody is left. The kernel may call it busy for some
 * milliseconds more: those are waited for. */
void cgroup_drop(const struct cgroups *cgroups, struct cgroup *cgroup);

#endif /* RUNTIME_CGROUP_H */
