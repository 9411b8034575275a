#include "runtime/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/cgroup_find.h"

#define LEFTOVERS_MAX 65536
#define LEFTOVER_TRIES 1000 /* of 5 ms */
#define DROP_TRIES 20       /* of 5 ms */
#define CPU_PERIOD_US 100000u

/* --- small files ------------------------------------------------------------------- */

static int write_at(int dir, const char *path, const char *text)
{
    int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);
    size_t len = strlen(text);
    ssize_t n;

    if (fd < 0) {
        return -1;
    }
    n = write(fd, text, len);
    (void)close(fd);
    return (n == (ssize_t)len) ? 0 : -1;
}

/* The text of a small file; "" if there is none. */
static void read_at(int dir, const char *path, char *ret_text, size_t size)
{
    int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;

    if (fd >= 0) {
        n = read(fd, ret_text, size - 1);
        (void)close(fd);
    }
    ret_text[(n > 0) ? n : 0] = '\0';
}

/* The number behind `key` ("oom_kill 3"), or the file's only number if `key` is "". */
static uint64_t number_in(const char *text, const char *key)
{
    size_t len = strlen(key);

    while (*text != '\0') {
        if (strncmp(text, key, len) == 0 && (len == 0 || text[len] == ' ')) {
            return strtoull(text + len, NULL, 10);
        }
        text += strcspn(text, "\n");
        text += (*text == '\n') ? 1 : 0;
    }
    return 0;
}

/* --- the instance ------------------------------------------------------------------- */

static void enable_controllers(int dir)
{
    static const char *const names[] = {"+memory", "+cpu", "+pids"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)write_at(dir, "cgroup.subtree_control", names[i]);
    }
}

static int make_dir(int parent, const char *name)
{
    if (mkdirat(parent, name, 0755) != 0 && errno != EEXIST) {
        return -1;
    }
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Are all processes of the group (one pid a line) the daemon and we? */
static bool is_only_us(const char *procs)
{
    while (*procs != '\0') {
        char *end;
        long pid = strtol(procs, &end, 10);

        if (end == procs || (pid != (long)getpid() && pid != (long)getppid())) {
            return false;
        }
        procs = end + strspn(end, "\n");
    }
    return true;
}

/* In v2 a group that hands out controllers must hold no process. If the group holds
 * nobody but us and the daemon (a service of its own), both move to a leaf. */
static void make_room(int own)
{
    char text[256];
    char pid[16];
    int leaf;

    read_at(own, "cgroup.procs", text, sizeof text);
    if (text[0] == '\0' || !is_only_us(text)) {
        return;
    }
    leaf = make_dir(own, "daemon");
    if (leaf < 0) {
        return;
    }
    (void)snprintf(pid, sizeof pid, "%d", (int)getppid());
    (void)write_at(leaf, "cgroup.procs", pid);
    (void)write_at(leaf, "cgroup.procs", "0");
    (void)close(leaf);
}

/* The kernel's default is 100 in v2 and 1,024 in v1. A tree without the controller has
 * neither file. */
static void set_weight(int dir, uint32_t weight)
{
    char text[16];

    if (weight == 0) {
        return;
    }
    (void)snprintf(text, sizeof text, "%u", weight);
    (void)write_at(dir, "cpu.weight", text);
    (void)snprintf(text, sizeof text, "%u", (weight * 1024u + 50) / 100);
    (void)write_at(dir, "cpu.shares", text);
}

/* NAME/INSTANCE below `root`, or -1. */
static int open_below(int root, const char *name, const char *instance, uint32_t cpu_weight,
                      bool is_v2)
{
    int parent = make_dir(root, name);
    int dir;

    if (parent < 0) {
        return -1;
    }
    if (is_v2) {
        enable_controllers(root);
        enable_controllers(parent);
    }
    set_weight(parent, cpu_weight);
    dir = make_dir(parent, instance);
    if (dir >= 0 && is_v2) {
        enable_controllers(dir);
    }
    (void)close(parent);
    return dir;
}

static int open_root(const char *mount, const char *own)
{
    char path[2 * CGROUP_PATH_MAX];

    (void)snprintf(path, sizeof path, "%.1023s%.1023s", mount, own);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int open_instance(const struct cgroup_place *place, const char *name, const char *instance,
                         uint32_t cpu_weight, bool is_v2)
{
    const char *const roots[] = {place->own, ""};
    int dir = -1;

    if (place->mount[0] == '\0') {
        return -1;
    }
    for (size_t i = 0; i < 2 && dir < 0; i++) {
        int root = open_root(place->mount, roots[i]);

        if (root < 0) {
            continue;
        }
        if (is_v2 && roots[i][0] != '\0') {
            make_room(root);
        }
        dir = open_below(root, name, instance, cpu_weight, is_v2);
        (void)close(root);
    }
    return dir;
}

/* --- what an earlier owner left ----------------------------------------------------- */

static void kill_each(int dir, const char *group)
{
    char path[300];
    char text[8192];
    char *at = text;

    (void)snprintf(path, sizeof path, "%s/cgroup.procs", group);
    read_at(dir, path, text, sizeof text);
    for (size_t i = 0; i < sizeof text && *at != '\0'; i++) {
        char *end;
        long pid = strtol(at, &end, 10);

        if (end == at) {
            break;
        }
        if (pid > 1) {
            (void)kill((pid_t)pid, SIGKILL);
        }
        at = end + strspn(end, "\n");
    }
}

/* Fork bombs are out of breath after a few rounds: each kills what it sees. */
static void remove_leftover(int dir, const char *group)
{
    char path[300];

    (void)snprintf(path, sizeof path, "%s/cgroup.kill", group);
    for (int i = 0; i < LEFTOVER_TRIES; i++) {
        if (unlinkat(dir, group, AT_REMOVEDIR) == 0 || errno != EBUSY) {
            return;
        }
        if (write_at(dir, path, "1") != 0) {
            kill_each(dir, group);
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

static void sweep(int dir)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = (copy >= 0) ? fdopendir(copy) : NULL;

    for (int i = 0; list != NULL && i < LEFTOVERS_MAX; i++) {
        const struct dirent *entry = readdir(list);

        if (entry == NULL) {
            break;
        }
        if (entry->d_type == DT_DIR && entry->d_name[0] == 'e') {
            remove_leftover(dir, entry->d_name);
        }
    }
    if (list != NULL) {
        (void)closedir(list);
    }
}

/* --- opening and telling ------------------------------------------------------------ */

static bool has_controller(const char *list, const char *name)
{
    const char *at = strstr(list, name);
    size_t len = strlen(name);

    return at != NULL && (at[len] == ' ' || at[len] == '\n' || at[len] == '\0');
}

/* v2 offers for a child what the instance has in its subtree_control. */
static void probe_v2(struct cgroups *cgroups)
{
    struct cgroup probe;
    char text[256];
    int dir = cgroups->dirs[CGROUP_V2];

    if (dir < 0) {
        return;
    }
    read_at(dir, "cgroup.subtree_control", text, sizeof text);
    cgroups->v2_memory = cgroups->dirs[CGROUP_MEMORY] < 0 && has_controller(text, "memory");
    cgroups->v2_cpu = cgroups->dirs[CGROUP_CPU] < 0 && has_controller(text, "cpu");
    cgroups->v2_pids = cgroups->dirs[CGROUP_PIDS] < 0 && has_controller(text, "pids");
    (void)cgroup_make(cgroups, &probe, 0);
    cgroups->v2_kill = probe.v2_dir >= 0 && write_at(probe.v2_dir, "cgroup.kill", "1") == 0;
    cgroup_drop(cgroups, &probe);
}

void cgroups_open(struct cgroups *cgroups, const char *name, const char *instance,
                  uint32_t cpu_weight)
{
    struct cgroup_place places[CGROUP_TREES];

    memset(cgroups, 0, sizeof *cgroups);
    cgroup_find(places);
    for (unsigned tree = 0; tree < CGROUP_TREES; tree++) {
        cgroups->dirs[tree] =
            open_instance(&places[tree], name, instance, cpu_weight, tree == CGROUP_V2);
        if (cgroups->dirs[tree] >= 0) {
            sweep(cgroups->dirs[tree]);
        }
    }
    probe_v2(cgroups);
}

void cgroups_unweigh(const struct cgroups *cgroups)
{
    if (cgroups->dirs[CGROUP_CPU] >= 0) {
        (void)write_at(cgroups->dirs[CGROUP_CPU], "../cpu.shares", "1024");
    }
    if (cgroups->v2_cpu) {
        (void)write_at(cgroups->dirs[CGROUP_V2], "../cpu.weight", "100");
    }
}

static void remove_self(int dir)
{
    char link[64];
    char path[3 * CGROUP_PATH_MAX];
    ssize_t n;

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
    n = readlink(link, path, sizeof path - 1);
    if (n > 0) {
        path[n] = '\0';
        (void)rmdir(path);
        *strrchr(path, '/') = '\0';
        (void)rmdir(path); /* NAME, if no other instance is in it */
    }
}

void cgroups_close(struct cgroups *cgroups)
{
    for (unsigned tree = 0; tree < CGROUP_TREES; tree++) {
        if (cgroups->dirs[tree] >= 0) {
            remove_self(cgroups->dirs[tree]);
            (void)close(cgroups->dirs[tree]);
            cgroups->dirs[tree] = -1;
        }
    }
}

static void describe_part(char *text, size_t size, const char *version, const char *const *names,
                          const bool *has, size_t count)
{
    const char *separator = "";
    size_t len = strlen(text);

    len += (size_t)snprintf(text + len, size - len, "%s%s(", (len > 0) ? " " : "", version);
    for (size_t i = 0; i < count; i++) {
        if (has[i] && len < size) {
            len += (size_t)snprintf(text + len, size - len, "%s%s", separator, names[i]);
            separator = ",";
        }
    }
    if (len < size) {
        (void)snprintf(text + len, size - len, ")");
    }
}

void cgroups_describe(const struct cgroups *cgroups, char *ret_text, size_t size)
{
    static const char *const names[] = {"memory", "cpu", "pids", "kill"};
    const bool v1[] = {cgroups->dirs[CGROUP_MEMORY] >= 0, cgroups->dirs[CGROUP_CPU] >= 0,
                       cgroups->dirs[CGROUP_PIDS] >= 0};
    const bool v2[] = {cgroups->v2_memory, cgroups->v2_cpu, cgroups->v2_pids, cgroups->v2_kill};

    ret_text[0] = '\0';
    if (v1[0] || v1[1] || v1[2]) {
        describe_part(ret_text, size, "v1", names, v1, 3);
    }
    if (v2[0] || v2[1] || v2[2] || v2[3]) {
        describe_part(ret_text, size, "v2", names, v2, 4);
    }
    if (ret_text[0] == '\0') {
        (void)snprintf(ret_text, size, "none");
    }
}

bool cgroups_limit_memory(const struct cgroups *cgroups)
{
    return cgroups->dirs[CGROUP_MEMORY] >= 0 || cgroups->v2_memory;
}

/* --- one environment's groups ------------------------------------------------------- */

struct group_path {
    char text[64];
};

static struct group_path path_of(const struct cgroup *cgroup, const char *file)
{
    struct group_path path;

    (void)snprintf(path.text, sizeof path.text, "e%u%s%s", cgroup->number,
                   (file[0] != '\0') ? "/" : "", file);
    return path;
}

static int make_in_tree(int dir, struct cgroup *cgroup, unsigned tree)
{
    struct group_path path = path_of(cgroup, "");

    if (mkdirat(dir, path.text, 0755) != 0) {
        return -1;
    }
    cgroup->is_made[tree] = true;
    if (tree == CGROUP_V2) {
        cgroup->v2_dir = openat(dir, path.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return (cgroup->v2_dir >= 0) ? 0 : -1;
    }
    path = path_of(cgroup, "cgroup.procs");
    cgroup->join_fds[tree] = openat(dir, path.text, O_WRONLY | O_CLOEXEC);
    return (cgroup->join_fds[tree] >= 0) ? 0 : -1;
}

int cgroup_make(const struct cgroups *cgroups, struct cgroup *ret_cgroup, unsigned number)
{
    memset(ret_cgroup, 0, sizeof *ret_cgroup);
    ret_cgroup->number = number;
    ret_cgroup->v2_dir = -1;
    for (unsigned tree = 0; tree < CGROUP_TREES; tree++) {
        ret_cgroup->join_fds[tree] = -1;
    }
    for (unsigned tree = 0; tree < CGROUP_TREES; tree++) {
        if (cgroups->dirs[tree] >= 0 && make_in_tree(cgroups->dirs[tree], ret_cgroup, tree) != 0) {
            return -1;
        }
    }
    return 0;
}

int cgroup_join(const struct cgroup *cgroup)
{
    for (unsigned tree = 0; tree < CGROUP_TREES; tree++) {
        if (cgroup->join_fds[tree] >= 0 && write(cgroup->join_fds[tree], "0", 1) != 1) {
            return -1;
        }
    }
    return 0;
}

void cgroup_close_fds(struct cgroup *cgroup)
{
    for (unsigned tree = 0; tree < CGROUP_TREES; tree++) {
        if (cgroup->join_fds[tree] >= 0) {
            (void)close(cgroup->join_fds[tree]);
            cgroup->join_fds[tree] = -1;
        }
    }
    if (cgroup->v2_dir >= 0) {
        (void)close(cgroup->v2_dir);
        cgroup->v2_dir = -1;
    }
}

static int set(const struct cgroups *cgroups, const struct cgroup *cgroup, enum cgroup_tree tree,
               const char *file, const char *text)
{
    struct group_path path = path_of(cgroup, file);

    return cgroup->is_made[tree] ? write_at(cgroups->dirs[tree], path.text, text) : 0;
}

/* Without swap for it, as far as swap is accounted at all. */
static int limit_memory(const struct cgroups *cgroups, const struct cgroup *cgroup, uint64_t bytes)
{
    char text[32];
    int r;

    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)bytes);
    if (cgroups->v2_memory) {
        (void)set(cgroups, cgroup, CGROUP_V2, "memory.oom.group", "1");
        (void)set(cgroups, cgroup, CGROUP_V2, "memory.swap.max", "0");
        return set(cgroups, cgroup, CGROUP_V2, "memory.max", text);
    }
    r = set(cgroups, cgroup, CGROUP_MEMORY, "memory.limit_in_bytes", text);
    (void)set(cgroups, cgroup, CGROUP_MEMORY, "memory.memsw.limit_in_bytes", text);
    return r;
}

static int limit_cpu(const struct cgroups *cgroups, const struct cgroup *cgroup, uint32_t percent)
{
    unsigned long long quota = (unsigned long long)percent * (CPU_PERIOD_US / 100);
    char text[48];

    if (percent == 0) {
        return 0;
    }
    if (cgroups->v2_cpu) {
        (void)snprintf(text, sizeof text, "%llu %u", quota, CPU_PERIOD_US);
        return set(cgroups, cgroup, CGROUP_V2, "cpu.max", text);
    }
    (void)snprintf(text, sizeof text, "%llu", quota);
    return set(cgroups, cgroup, CGROUP_CPU, "cpu.cfs_quota_us", text);
}

/* One more than was asked for: the init counts too. */
static int limit_pids(const struct cgroups *cgroups, const struct cgroup *cgroup, uint32_t count)
{
    char text[16];

    (void)snprintf(text, sizeof text, "%u", count + 1);
    return set(cgroups, cgroup, cgroups->v2_pids ? CGROUP_V2 : CGROUP_PIDS, "pids.max", text);
}

int cgroup_limit(const struct cgroups *cgroups, const struct cgroup *cgroup,
                 const struct cgroup_limits *limits)
{
    if (cgroups_limit_memory(cgroups) && limit_memory(cgroups, cgroup, limits->memory_bytes) != 0) {
        return -1;
    }
    if ((cgroups->v2_cpu || cgroups->dirs[CGROUP_CPU] >= 0) &&
        limit_cpu(cgroups, cgroup, limits->cpu_percent) != 0) {
        return -1;
    }
    if (cgroups->v2_pids || cgroups->dirs[CGROUP_PIDS] >= 0) {
        return limit_pids(cgroups, cgroup, limits->pids_max);
    }
    return 0;
}

void cgroup_kill(const struct cgroups *cgroups, const struct cgroup *cgroup)
{
    if (cgroups->v2_kill) {
        (void)set(cgroups, cgroup, CGROUP_V2, "cgroup.kill", "1");
    }
}

static uint64_t read_number(const struct cgroups *cgroups, const struct cgroup *cgroup,
                            enum cgroup_tree tree, const char *file, const char *key)
{
    struct group_path path = path_of(cgroup, file);
    char text[2048];

    if (!cgroup->is_made[tree]) {
        return 0;
    }
    read_at(cgroups->dirs[tree], path.text, text, sizeof text);
    return number_in(text, key);
}

void cgroup_read(const struct cgroups *cgroups, const struct cgroup *cgroup,
                 struct cgroup_usage *ret_usage)
{
    memset(ret_usage, 0, sizeof *ret_usage);
    if (cgroups->v2_memory) {
        ret_usage->oom_kills = read_number(cgroups, cgroup, CGROUP_V2, "memory.events", "oom_kill");
        ret_usage->memory_peak = read_number(cgroups, cgroup, CGROUP_V2, "memory.peak", "");
    } else if (cgroups->dirs[CGROUP_MEMORY] >= 0) {
        ret_usage->oom_kills =
            read_number(cgroups, cgroup, CGROUP_MEMORY, "memory.oom_control", "oom_kill");
        ret_usage->memory_peak =
            read_number(cgroups, cgroup, CGROUP_MEMORY, "memory.max_usage_in_bytes", "");
    }
    if (cgroups->v2_cpu) {
        ret_usage->cpu_us = read_number(cgroups, cgroup, CGROUP_V2, "cpu.stat", "usage_usec");
    }
}

int cgroup_remove(const struct cgroups *cgroups, struct cgroup *cgroup)
{
    struct group_path path = path_of(cgroup, "");
    int r = 0;

    for (unsigned tree = 0; tree < CGROUP_TREES; tree++) {
        if (!cgroup->is_made[tree]) {
            continue;
        }
        if (unlinkat(cgroups->dirs[tree], path.text, AT_REMOVEDIR) == 0 ||
            (errno != EBUSY && errno != EINTR)) {
            cgroup->is_made[tree] = false;
        } else {
            r = CGROUP_E_BUSY;
        }
    }
    return r;
}

void cgroup_drop(const struct cgroups *cgroups, struct cgroup *cgroup)
{
    cgroup_close_fds(cgroup);
    for (int i = 0; i < DROP_TRIES && cgroup_remove(cgroups, cgroup) != 0; i++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}
