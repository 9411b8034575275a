#include "runtime/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROOT_OPTIONS "mode=0755,size=1m,nr_inodes=1024"
#define QUIET (MS_NOSUID | MS_NODEV)

/* What of /proc says something about the host or other environments. All of /proc is
 * read-only besides. */
static const char *const masked_files[] = {
    "config.gz",   "interrupts", "kallsyms",    "kcore",         "key-users",  "keys",
    "kmsg",        "modules",    "sched_debug", "sysrq-trigger", "timer_list", "latency_stats",
    "vmallocinfo", "slabinfo",   "kpagecount",  "kpageflags",    "kpagecgroup"};
static const char *const masked_dirs[] = {"acpi", "asound", "bus", "driver", "fs", "irq", "scsi"};

static int make_dirs(const struct base *base, struct failure *failure)
{
    static const char *const names[] = {"etc", "dev", "proc",     "tmp",         "run",
                                        "opt", "var", "var/task", "var/runtime", "home"};
    size_t i;

    for (i = 0; i < sizeof names / sizeof *names; i++) {
        if (mkdirat(AT_FDCWD, names[i], 0755) != 0) {
            return failure_errno(failure, "make /%s", names[i]);
        }
    }
    if (symlink("../tmp", "var/tmp") != 0) {
        return failure_errno(failure, "make /var/tmp");
    }
    for (i = 0; i < base->root_count; i++) {
        const struct base_root *root = &base->roots[i];
        bool is_link = root->link[0] != '\0';

        if ((is_link ? symlink(root->link, root->name) : mkdir(root->name, 0755)) != 0) {
            return failure_errno(failure, "make /%s", root->name);
        }
    }
    return 0;
}

/* Of the base in the parent directory; flags come along and cannot be taken off here. */
static int bind_base(const char *name, struct failure *failure)
{
    char source[16];

    (void)snprintf(source, sizeof source, "../%s", name);
    if (mount(source, name, NULL, MS_BIND | MS_REC, NULL) != 0) {
        return failure_errno(failure, "mount /%s", name);
    }
    return 0;
}

static int bind_all(const struct base *base, struct failure *failure)
{
    int r = bind_base("etc", failure);

    if (r == 0) {
        r = bind_base("dev", failure);
    }
    for (size_t i = 0; i < base->root_count && r == 0; i++) {
        if (base->roots[i].link[0] == '\0') {
            r = bind_base(base->roots[i].name, failure);
        }
    }
    return r;
}

/* The limit is per namespace: this one may have no children. */
static int forbid_user_namespaces(struct failure *failure)
{
    int fd = open("proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC);
    int r = 0;

    if (fd < 0) {
        return (errno == ENOENT) ? 0 : failure_errno(failure, "open max_user_namespaces");
    }
    if (write(fd, "0", 1) != 1) {
        r = failure_errno(failure, "forbid user namespaces");
    }
    (void)close(fd);
    return r;
}

static int mask(const char *source, const char *name, struct failure *failure)
{
    char path[64];

    (void)snprintf(path, sizeof path, "proc/%s", name);
    if (mount(source, path, NULL, MS_BIND, NULL) != 0 && errno != ENOENT) {
        return failure_errno(failure, "hide /proc/%s", name);
    }
    return 0;
}

static int mount_proc(struct failure *failure)
{
    int r = 0;

    if (mount("proc", "proc", "proc", QUIET | MS_NOEXEC, NULL) != 0) {
        return failure_errno(failure, "mount /proc");
    }
    r = forbid_user_namespaces(failure);
    for (size_t i = 0; i < sizeof masked_files / sizeof *masked_files && r == 0; i++) {
        r = mask("../masked", masked_files[i], failure);
    }
    for (size_t i = 0; i < sizeof masked_dirs / sizeof *masked_dirs && r == 0; i++) {
        r = mask("../void", masked_dirs[i], failure);
    }
    if (r == 0 && mount(NULL, "proc", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | QUIET | MS_NOEXEC,
                        NULL) != 0) {
        r = failure_errno(failure, "make /proc read-only");
    }
    return r;
}

/* The old root lands on the new one and is let go: nothing keeps it. */
static int pivot(struct failure *failure)
{
    if (syscall(SYS_pivot_root, ".", ".") != 0) {
        return failure_errno(failure, "pivot_root");
    }
    if (umount2(".", MNT_DETACH) != 0) {
        return failure_errno(failure, "let go of the host's root");
    }
    return (chdir("/") == 0) ? 0 : failure_errno(failure, "enter the root");
}

int rootfs_build(const struct base *base, struct failure *failure)
{
    int r;

    if (mount("root", "root", "tmpfs", QUIET, ROOT_OPTIONS) != 0 || chdir("root") != 0) {
        return failure_errno(failure, "mount a tmpfs as root");
    }
    r = make_dirs(base, failure);
    if (r == 0) {
        r = bind_all(base, failure);
    }
    if (r == 0) {
        r = mount_proc(failure);
    }
    return (r == 0) ? pivot(failure) : r;
}

/* --- one request's part ------------------------------------------------------------- */

static int bind_part(const char *part, const char *target, struct failure *failure)
{
    if (mkdir(part, 01777) != 0 || chmod(part, 01777) != 0 ||
        mount(part, target, NULL, MS_BIND, NULL) != 0) {
        return failure_errno(failure, "mount %s", target);
    }
    return 0;
}

/* One tmpfs of the size asked for, seen in two places. */
static int mount_tmp(uint32_t size_mb, struct failure *failure)
{
    char options[96];
    int r;

    (void)snprintf(options, sizeof options, "mode=0755,size=%um,nr_inodes=%u",
                   (size_mb > 0) ? size_mb : 1, 65536u);
    if (mount("tmp", "/run", "tmpfs", QUIET, options) != 0) {
        return failure_errno(failure, "mount /tmp");
    }
    r = bind_part("/run/tmp", "/tmp", failure);
    if (r == 0) {
        r = bind_part("/run/shm", "/dev/shm", failure);
    }
    if (r == 0 && umount2("/run", MNT_DETACH) != 0) {
        r = failure_errno(failure, "clear /run");
    }
    return r;
}

/* mkdir -p, in a tree that is still ours alone. */
static int make_path(const char *path, struct failure *failure)
{
    char part[REQUEST_PROGRAM_MAX];
    size_t len = 1;

    while (path[len - 1] != '\0') {
        len += strcspn(path + len, "/");
        (void)snprintf(part, sizeof part, "%.*s", (int)len, path);
        if (mkdir(part, 0755) != 0 && errno != EEXIST) {
            return failure_errno(failure, "make %s", part);
        }
        len++;
    }
    return 0;
}

static int attach(int tree, const char *target, struct failure *failure)
{
    if (move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) != 0) {
        return failure_errno(failure, "mount %s", target);
    }
    return 0;
}

size_t rootfs_count_mounts(const struct request *request)
{
    return 1 + (request->layers[0] != '\0' ? 1U : 0U) + (request->runtime[0] != '\0' ? 1U : 0U) +
           request->grant_count;
}

int rootfs_furnish(const struct request *request, const int *mounts, struct failure *failure)
{
    int r = mount_tmp(request->limits.tmp_mb, failure);

    if (r == 0) {
        r = attach(*mounts++, ROOTFS_TASK, failure);
    }
    if (r == 0 && request->layers[0] != '\0') {
        r = attach(*mounts++, ROOTFS_LAYERS, failure);
    }
    if (r == 0 && request->runtime[0] != '\0') {
        r = attach(*mounts++, ROOTFS_RUNTIME, failure);
    }
    for (size_t i = 0; i < request->grant_count && r == 0; i++) {
        r = make_path(request->grants[i], failure);
        if (r == 0) {
            r = attach(mounts[i], request->grants[i], failure);
        }
    }
    if (r == 0 && mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | QUIET, NULL) != 0) {
        r = failure_errno(failure, "make the root read-only");
    }
    return r;
}
