#include "runtime/base.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/etc.h"
#include "runtime/landlock.h"

#define BASE_OPTIONS "mode=0755,size=16m,nr_inodes=2048"
#define CODE_BYTES_DEFAULT (1ull << 30)
#define BYTES_PER_INODE 2048 /* of the cache: 20,000 small files in each 40 MB */

/* --- namespaces and users ----------------------------------------------------------- */

static int write_text(const char *path, const char *text, struct failure *failure)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0) {
        return failure_errno(failure, "open %s", path);
    }
    n = write(fd, text, strlen(text));
    if (n != (ssize_t)strlen(text)) {
        (void)failure_errno(failure, "write %s", path);
        (void)close(fd);
        return FAILURE_E_SET;
    }
    (void)close(fd);
    return 0;
}

static int write_map(pid_t pid, const char *file, unsigned inner, unsigned outer,
                     struct failure *failure)
{
    char path[64];
    char text[64];

    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    (void)snprintf(text, sizeof text, "%u %u 1\n", inner, outer);
    return write_text(path, text, failure);
}

int base_map_user(const struct base *base, pid_t pid, unsigned outer, struct failure *failure)
{
    char path[64];
    int r = 0;

    (void)snprintf(path, sizeof path, "/proc/%d/setgroups", (int)pid);
    if (base->is_own_user_namespace) {
        r = write_text(path, "deny", failure);
    }
    if (r == 0) {
        r = write_map(pid, "uid_map", BASE_USER, outer, failure);
    }
    return (r == 0) ? write_map(pid, "gid_map", BASE_GROUP, outer, failure) : r;
}

static int become_own_root(struct base *base, struct failure *failure)
{
    unsigned user = geteuid();
    unsigned group = getegid();
    int r;

    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        return failure_errno(failure, "make a user namespace");
    }
    base->is_own_user_namespace = true;
    r = write_text("/proc/self/setgroups", "deny", failure);
    if (r == 0) {
        r = write_map(getpid(), "uid_map", 0, user, failure);
    }
    return (r == 0) ? write_map(getpid(), "gid_map", 0, group, failure) : r;
}

/* Does a user namespace's map have these ids? */
static bool map_has(const char *path, unsigned first, unsigned count)
{
    unsigned inner;
    unsigned outer;
    unsigned len;
    bool is_found = false;
    FILE *file = fopen(path, "re");

    for (int i = 0; file != NULL && !is_found && i < 1024; i++) {
        if (fscanf(file, "%u %u %u", &inner, &outer, &len) != 3) {
            break;
        }
        is_found = first >= inner && first - inner < len && count <= len - (first - inner);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return is_found;
}

static bool both_maps_have(unsigned first, unsigned count)
{
    return map_has("/proc/self/uid_map", first, count) &&
           map_has("/proc/self/gid_map", first, count);
}

static void choose_outer_users(struct base *base)
{
    base->has_outer_range = both_maps_have(BASE_OUTER_FIRST, BASE_OUTER_COUNT);
    base->outer_user = both_maps_have(BASE_OUTER_NOBODY, 1) ? BASE_OUTER_NOBODY : 0;
}

unsigned base_outer_user(const struct base *base, unsigned slot)
{
    return base->has_outer_range ? BASE_OUTER_FIRST + slot % BASE_OUTER_COUNT : base->outer_user;
}

bool base_may_change_user(const struct base *base)
{
    return base->is_root && !base->is_own_user_namespace;
}

static int enter_namespaces(struct base *base, struct failure *failure)
{
    int r = 0;

    if (unshare(CLONE_NEWNS) != 0) {
        r = (errno == EPERM) ? become_own_root(base, failure)
                             : failure_errno(failure, "make a mount namespace");
    }
    if (r == 0 && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0) {
        r = failure_errno(failure, "take the host's mounts as they are");
    }
    return r;
}

/* --- the system that environments see ----------------------------------------------- */

static int bind_read_only(const char *source, const char *target, unsigned flags,
                          struct failure *failure)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | flags};
    int tree = open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    int r = 0;

    if (tree < 0 && errno == EINVAL) { /* mounts below it, which we may not take apart */
        tree = open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    }
    if (tree < 0) {
        return failure_errno(failure, "open %s", source);
    }
    if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) != 0) {
        r = failure_errno(failure, "make %s read-only", source);
    } else if (move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) != 0) {
        r = failure_errno(failure, "mount %s", source);
    }
    (void)close(tree);
    return r;
}

/* /usr, and what the host has as links into it (or, on older systems, as directories). */
static int add_roots(struct base *base, struct failure *failure)
{
    static const char *const names[] = {"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct base_root *root = &base->roots[base->root_count];
        char path[16];
        ssize_t n;

        (void)snprintf(path, sizeof path, "/%s", names[i]);
        n = readlink(path, root->link, sizeof root->link - 1);
        if (n < 0 && errno != EINVAL) {
            continue;
        }
        root->link[(n > 0) ? n : 0] = '\0';
        root->name = names[i];
        base->root_count++;
        if (n < 0 && (mkdir(names[i], 0755) != 0 ||
                      bind_read_only(path, names[i], MOUNT_ATTR_NODEV, failure) != 0)) {
            return failure_errno(failure, "bring in %s", path);
        }
    }
    return 0;
}

static int make_file(const char *path, mode_t mode, struct failure *failure)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

    if (fd < 0) {
        return failure_errno(failure, "make %s", path);
    }
    (void)close(fd);
    return 0;
}

/* The nodes are bound, not made: a user namespace may not make any. */
static int add_devices(struct failure *failure)
{
    static const char *const names[] = {"null", "zero", "full", "random", "urandom"};
    static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
                                           {"/proc/self/fd/0", "dev/stdin"},
                                           {"/proc/self/fd/1", "dev/stdout"},
                                           {"/proc/self/fd/2", "dev/stderr"}};
    int r = (mkdir("dev", 0755) == 0 && mkdir("dev/shm", 0755) == 0)
                ? 0
                : failure_errno(failure, "make /dev");

    for (size_t i = 0; i < sizeof names / sizeof *names && r == 0; i++) {
        char source[32];

        (void)snprintf(source, sizeof source, "/dev/%s", names[i]);
        r = make_file(source + 1, 0666, failure);
        if (r == 0 && mount(source, source + 1, NULL, MS_BIND, NULL) != 0) {
            r = failure_errno(failure, "mount %s", source);
        }
    }
    for (size_t i = 0; i < sizeof links / sizeof *links && r == 0; i++) {
        r = (symlink(links[i][0], links[i][1]) == 0) ? 0 : failure_errno(failure, "fill /dev");
    }
    return r;
}

static int add_etc(struct failure *failure)
{
    struct stat st;
    int r = etc_write("etc", failure);

    if (r == 0 && stat("/etc/alternatives", &st) == 0 && S_ISDIR(st.st_mode)) {
        if (mkdir("etc/alternatives", 0755) != 0) {
            return failure_errno(failure, "make /etc/alternatives");
        }
        r = bind_read_only("/etc/alternatives", "etc/alternatives",
                           MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, failure);
    }
    return r;
}

static int fill(struct base *base, struct failure *failure)
{
    int r = add_roots(base, failure);

    if (r == 0) {
        r = add_devices(failure);
    }
    if (r == 0) {
        r = add_etc(failure);
    }
    if (r == 0 && (mkdir("root", 0755) != 0 || mkdir("void", 0) != 0)) {
        r = failure_errno(failure, "make the base");
    }
    if (r == 0) {
        r = make_file("masked", 0, failure);
    }
    if (r == 0 && mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV,
                        NULL) != 0) {
        r = failure_errno(failure, "make the base read-only");
    }
    return r;
}

/* --- the code cache ----------------------------------------------------------------- */

static int open_dir(const struct base *base, const char *name, int *ret_dir,
                    struct failure *failure)
{
    char path[600];

    (void)snprintf(path, sizeof path, "%s/%s", base->cache_dir, name);
    if (mkdir(path, 0755) != 0 && errno != EEXIST) {
        return failure_errno(failure, "make %s", path);
    }
    *ret_dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return (*ret_dir >= 0) ? 0 : failure_errno(failure, "open %s", path);
}

static int open_dirs(struct base *base, struct failure *failure)
{
    int r = open_dir(base, "code", &base->code_dir, failure);

    return (r == 0) ? open_dir(base, "gone", &base->gone_dir, failure) : r;
}

static int mount_cache(struct base *base, uint64_t bytes_max, struct failure *failure)
{
    unsigned long long bytes = (bytes_max > 0) ? bytes_max : CODE_BYTES_DEFAULT;
    char options[128];

    (void)snprintf(options, sizeof options, "mode=0755,size=%llu,nr_inodes=%llu", bytes,
                   bytes / BYTES_PER_INODE + 1024);
    if (mount("pawl-cache", base->cache_dir, "tmpfs", MS_NOSUID | MS_NODEV, options) != 0) {
        return failure_errno(failure, "mount a tmpfs on %s", base->cache_dir);
    }
    return open_dirs(base, failure);
}

static int mount_base(struct base *base, struct failure *failure)
{
    char path[600];

    (void)snprintf(path, sizeof path, "%s/base", base->cache_dir);
    if (mkdir(path, 0755) != 0 ||
        mount("pawl-base", path, "tmpfs", MS_NOSUID | MS_NODEV, BASE_OPTIONS) != 0 ||
        chdir(path) != 0) {
        return failure_errno(failure, "mount a tmpfs on %s", path);
    }
    return 0;
}

/* --- all of it ---------------------------------------------------------------------- */

static int resolve(char *ret_path, size_t size, const char *path, struct failure *failure)
{
    char *real = realpath(path, NULL);
    int r = 0;

    if (real == NULL) {
        return failure_errno(failure, "find %s", path);
    }
    if ((size_t)snprintf(ret_path, size, "%s", real) >= size) {
        r = failure_text(failure, "the name of %s is too long", path);
    }
    free(real);
    return r;
}

static int build_sandbox(struct base *base, const struct request_options *options,
                         struct failure *failure)
{
    int r = enter_namespaces(base, failure);

    if (r == 0) {
        choose_outer_users(base);
        r = mount_cache(base, options->cache_bytes_max, failure);
    }
    if (r == 0) {
        r = mount_base(base, failure);
    }
    return (r == 0) ? fill(base, failure) : r;
}

/* Two daemons may share the directory, so each has a part of its own. */
static int build_plain(struct base *base, const char *instance, struct failure *failure)
{
    size_t len = strlen(base->cache_dir);

    base->outer_user = (geteuid() == 0) ? BASE_OUTER_NOBODY : geteuid();
    if (chdir("/") != 0) {
        return failure_errno(failure, "enter /");
    }
    if ((size_t)snprintf(base->cache_dir + len, sizeof base->cache_dir - len, "/plain-%s",
                         instance) >= sizeof base->cache_dir - len) {
        return failure_text(failure, "the name of %s is too long", base->cache_dir);
    }
    if (mkdir(base->cache_dir, 0755) != 0 && errno != EEXIST) {
        return failure_errno(failure, "make %s", base->cache_dir);
    }
    return open_dirs(base, failure);
}

static int build_shared(struct base *base, const struct request_options *options,
                        struct failure *failure)
{
    int r = resolve(base->data_dir, sizeof base->data_dir, options->data_dir, failure);

    if (r == 0) {
        r = resolve(base->cache_dir, sizeof base->cache_dir, options->cache_dir, failure);
    }
    if (r == 0) {
        r = filter_build(&base->program_filter, FILTER_PROGRAM, failure);
    }
    return (r == 0) ? filter_build(&base->unpack_filter, FILTER_UNPACK, failure) : r;
}

int base_build(struct base *ret_base, const struct request_options *options, const char *instance,
               struct failure *failure)
{
    int r;

    memset(ret_base, 0, sizeof *ret_base);
    ret_base->is_sandboxed = options->is_sandboxed;
    ret_base->is_root = geteuid() == 0;
    ret_base->landlock_abi = landlock_abi();
    (void)umask(022);
    r = build_shared(ret_base, options, failure);
    if (r != 0) {
        return r;
    }
    return ret_base->is_sandboxed ? build_sandbox(ret_base, options, failure)
                                  : build_plain(ret_base, instance, failure);
}
