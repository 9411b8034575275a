#include "runtime/order.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* A part of the file system as a mount of its own that belongs nowhere yet. What is
 * mounted below it stays out of it. */
static int open_read_only(int dir, const char *path, struct failure *failure, int *ret_tree)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    int tree = open_tree(dir, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);

    if (tree < 0) {
        return failure_errno(failure, "open %s", path);
    }
    if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof attr) != 0) {
        (void)failure_errno(failure, "make %s read-only", path);
        (void)close(tree);
        return FAILURE_E_SET;
    }
    *ret_tree = tree;
    return 0;
}

/* --- grants --------------------------------------------------------------------------- */

/* Is `path` the directory `dir` or below it? */
static bool is_within(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    if (strcmp(dir, "/") == 0) {
        return true;
    }
    return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static bool meets(const char *path, const char *dir)
{
    return is_within(path, dir) || is_within(dir, path);
}

/* Places that every environment fills itself. */
static int check_reserved(const char *path, struct failure *failure)
{
    static const char *const reserved[] = {"/usr",   "/bin",   "/sbin",   "/lib",
                                           "/lib32", "/lib64", "/libx32", "/etc",
                                           "/dev",   "/proc",  "/sys",    "/var/task"};

    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (meets(path, reserved[i])) {
            return failure_text(failure, "grant %.120s: %s is the environment's own", path,
                                reserved[i]);
        }
    }
    if (is_within("/tmp", path) || is_within("/dev/shm", path)) {
        return failure_text(failure, "grant %.120s: /tmp is the environment's own", path);
    }
    return 0;
}

/* Also the same directory under another name. */
static bool is_same_file(const char *path, const char *other)
{
    struct stat a;
    struct stat b;

    return stat(path, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

static int check_private(const struct base *base, const char *role, const char *path,
                         const char *real, struct failure *failure)
{
    if (meets(real, base->data_dir) || is_same_file(real, base->data_dir)) {
        return failure_text(failure, "%s %.120s: it would show the data directory", role, path);
    }
    if (meets(real, base->cache_dir)) {
        return failure_text(failure, "%s %.120s: it would show the code of others", role, path);
    }
    return 0;
}

static int open_directory(const struct base *base, const char *path, const char *role,
                          struct failure *failure, int *ret_tree)
{
    bool is_grant = role[0] == 'g'; /* a runtime may well be below /usr */
    char *real = realpath(path, NULL);
    struct stat st;
    int r = 0;

    if (real == NULL || lstat(real, &st) != 0) {
        r = failure_errno(failure, "%s %.120s", role, path);
    } else if (!S_ISDIR(st.st_mode)) {
        r = failure_text(failure, "%s %.120s: it is not a directory", role, path);
    } else if (is_grant) {
        r = check_reserved(real, failure);
    }
    if (r == 0) {
        r = check_private(base, role, path, real, failure);
    }
    if (r == 0) {
        r = open_read_only(AT_FDCWD, real, failure, ret_tree);
    }
    free(real);
    return r;
}

/* --- the order ------------------------------------------------------------------------ */

/* The next one of the order's mounts. */
static int add_cached(struct order *order, const struct base *base, const char *name,
                      struct failure *failure)
{
    int r = open_read_only(base->code_dir, name, failure, &order->fds[order->fd_count]);

    order->fd_count += (r == 0) ? 1 : 0;
    return r;
}

static int add_directory(struct order *order, const struct base *base, const char *path,
                         const char *role, struct failure *failure)
{
    int r = open_directory(base, path, role, failure, &order->fds[order->fd_count]);

    order->fd_count += (r == 0) ? 1 : 0;
    return r;
}

static int open_mounts(struct order *order, const struct base *base, struct failure *failure)
{
    const struct request *request = &order->request;
    int r = add_cached(order, base, request->code, failure);

    if (r == 0 && request->layers[0] != '\0') {
        r = add_cached(order, base, request->layers, failure);
    }
    if (r == 0 && request->runtime[0] != '\0') {
        r = add_directory(order, base, request->runtime, "runtime", failure);
    }
    for (size_t i = 0; i < request->grant_count && r == 0; i++) {
        r = check_reserved(request->grants[i], failure);
        if (r == 0) {
            r = add_directory(order, base, request->grants[i], "grant", failure);
        }
    }
    return r;
}

/* The program may open /dev/stdout by name, so the pipe has to be its own. */
static void make_outputs_open(const struct order *order)
{
    (void)fchmod(order->fds[2], 0666);
}

static int check_code(const char *name, const struct base *base, struct failure *failure)
{
    struct stat st;

    if (fstatat(base->code_dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode)) {
        return failure_text(failure, "code %.100s is not in the cache", name);
    }
    return 0;
}

int order_open(struct order *ret_order, const struct base *base, uint64_t id,
               struct message_fds *fds, struct failure *failure)
{
    int r;

    memset(ret_order, 0, sizeof *ret_order);
    ret_order->id = id;
    if (fds->count != ORDER_FDS) {
        message_fds_close(fds);
        return failure_text(failure, "a start request has %zu descriptors", fds->count);
    }
    for (size_t i = 0; i < ORDER_FDS; i++) {
        ret_order->fds[ret_order->fd_count++] = message_fds_take(fds, i);
    }
    r = request_read(&ret_order->request, ret_order->fds[0], failure);
    if (r == 0) {
        r = check_code(ret_order->request.code, base, failure);
    }
    if (r == 0 && ret_order->request.layers[0] != '\0') {
        r = check_code(ret_order->request.layers, base, failure);
    }
    if (r == 0 && base->is_sandboxed) {
        make_outputs_open(ret_order);
        r = open_mounts(ret_order, base, failure);
    }
    if (r != 0) {
        order_close(ret_order);
    }
    return r;
}

void order_close(struct order *order)
{
    for (size_t i = 0; i < order->fd_count; i++) {
        (void)close(order->fds[i]);
    }
    order->fd_count = 0;
    request_fini(&order->request);
}
