/* Preloaded into a daemon: which of its calls fails, and how. By the environment:
 *
 *     PAWL_FAULT_STATE  the file of struct fault_state, made by the test
 *     PAWL_FAULT_DIR    the data directory
 *     PAWL_FAULT        "ROLE CALL N HOW [PATH]": the N-th such call of such a process,
 *                       HOW is a number of errno, `short`, `lie`, `stall` or `abort`, PATH a
 *                       part of the file's path. None: calls are only counted
 *     PAWL_FAULT_PLANT  a control: `ignore-commit`, `mute`
 *
 * The wrappers are in files.c and processes.c. */
#include "tests/faults/fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FDS_MAX 65536
#define STALL_S 3600

enum how { HOW_ERRNO, HOW_SHORT, HOW_LIE, HOW_STALL, HOW_ABORT };

static struct fault_state *state;
static struct {
    bool is_set;
    enum fault_role role;
    enum fault_call call;
    uint64_t number;
    enum how how;
    int error;
    char path[64];
} rule;
static enum fault_role role;
static char data_dir[PATH_MAX];
static char plant[32];

/* What stands behind a descriptor: 0 no file of ours, else 1 + that of the rule. */
static _Atomic uint8_t files[FDS_MAX];

static const char *const call_names[FAULT_CALL_COUNT] = {
#define FAULT_TEXT(name) #name,
    FAULT_CALLS(FAULT_TEXT)
#undef FAULT_TEXT
};
static const char *const role_names[FAULT_ROLES] = {"serve", "launcher", "sandbox"};

/* A test that does not run as it was told would prove something else. */
static _Noreturn void refuse(const char *what)
{
    (void)fprintf(stderr, "fault library: %s\n", what);
    _exit(99);
}

void *fault_real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (found == NULL) {
        refuse(name);
    }
    return found;
}

static int find_name(const char *name, const char *const *names, int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    refuse(name);
}

static void parse_how(const char *text)
{
    static const char *const words[] = {"short", "lie", "stall", "abort"};

    rule.error = (int)strtol(text, NULL, 10);
    rule.how =
        (rule.error > 0) ? HOW_ERRNO : (enum how)(HOW_SHORT + find_name(text, words, HOW_ABORT));
}

static void parse_rule(const char *text)
{
    char role_name[16];
    char call_name[16];
    char how[16];
    unsigned long number;
    int fields =
        sscanf(text, "%15s %15s %lu %15s %63s", role_name, call_name, &number, how, rule.path);

    if (fields < 4) {
        refuse("PAWL_FAULT is not `ROLE CALL N HOW [PATH]`");
    }
    rule.role = (enum fault_role)find_name(role_name, role_names, FAULT_ROLES);
    rule.call = (enum fault_call)find_name(call_name, call_names, FAULT_CALL_COUNT);
    rule.number = number;
    parse_how(how);
    rule.is_set = true;
}

static void map_state(const char *path)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    void *mapped = MAP_FAILED;

    if (fd >= 0) {
        mapped = (void *)syscall(SYS_mmap, NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED,
                                 fd, 0);
        (void)syscall(SYS_close, fd);
    }
    if (mapped == MAP_FAILED) {
        refuse("PAWL_FAULT_STATE cannot be mapped");
    }
    state = mapped;
    for (int i = 0; i < FAULT_CALL_COUNT; i++) {
        (void)snprintf(state->names[i], sizeof state->names[i], "%s", call_names[i]);
    }
}

/* Planted: nobody hears why it ends. */
static void silence(void)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY | O_CLOEXEC);

    (void)syscall(SYS_dup3, fd, STDERR_FILENO, 0);
}

/* The linker calls it before anything of the program runs. */
__attribute__((constructor)) static void start(int argc, char **argv)
{
    const char *path = getenv("PAWL_FAULT_STATE");
    const char *text = getenv("PAWL_FAULT");
    const char *dir = getenv("PAWL_FAULT_DIR");
    const char *control = getenv("PAWL_FAULT_PLANT");

    if (path == NULL) {
        return;
    }
    role = (argc > 1 && strcmp(argv[1], "launcher") == 0) ? FAULT_LAUNCHER : FAULT_SERVE;
    (void)snprintf(data_dir, sizeof data_dir, "%s", (dir != NULL) ? dir : "/");
    (void)snprintf(plant, sizeof plant, "%s", (control != NULL) ? control : "");
    if (text != NULL) {
        parse_rule(text);
    }
    map_state(path);
    if (fault_is_planted("mute")) {
        silence();
    }
}

/* --- which call ------------------------------------------------------------------------------ */

static void describe(const char *what)
{
    state->pid = (uint32_t)syscall(SYS_getpid);
    (void)snprintf(state->what, sizeof state->what, "%.200s", what);
}

static enum fault_kind deliver(void)
{
    switch (rule.how) {
    case HOW_ERRNO:
        errno = rule.error;
        return FAULT_ERROR;
    case HOW_SHORT:
        return FAULT_SHORT;
    case HOW_LIE:
        return FAULT_LIE;
    case HOW_ABORT:
        abort();
    case HOW_STALL:
        break;
    }
    for (;;) {
        (void)sleep(STALL_S);
    }
}

enum fault_kind fault_meet(enum fault_call call, const char *what)
{
    uint64_t number;

    if (state == NULL) {
        return FAULT_NONE;
    }
    number = atomic_fetch_add(&state->counts[role][call], 1) + 1;
    if (!rule.is_set || rule.role != role || rule.call != call || number < rule.number ||
        (number > rule.number && rule.how != HOW_LIE)) {
        return FAULT_NONE;
    }
    if (atomic_fetch_add(&state->delivered, 1) == 0) {
        describe(what);
    }
    return deliver();
}

/* --- which file ------------------------------------------------------------------------------ */

static bool is_below_data(const char *path)
{
    size_t len = strlen(data_dir);

    return strncmp(path, data_dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static const char *path_of_fd(int fd, char path[PATH_MAX])
{
    char link[64];
    ssize_t len;

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    len = readlink(link, path, PATH_MAX - 1);
    path[(len > 0) ? len : 0] = '\0';
    return path;
}

/* 0, 1 for a file that counts, 2 for one that the rule also names. */
static uint8_t weigh(int dir_fd, const char *path)
{
    char dir[PATH_MAX];

    if (role == FAULT_SERVE && path[0] == '/' && !is_below_data(path)) {
        return 0;
    }
    if (role == FAULT_SERVE && path[0] != '/' &&
        (dir_fd == AT_FDCWD || !is_below_data(path_of_fd(dir_fd, dir)))) {
        return 0;
    }
    return (rule.path[0] == '\0' || strstr(path, rule.path) != NULL) ? 2 : 1;
}

static enum fault_kind meet_file(enum fault_call call, uint8_t weight, const char *what)
{
    return (weight == 2) ? fault_meet(call, what) : FAULT_NONE;
}

enum fault_kind fault_meet_path(enum fault_call call, int dir_fd, const char *path)
{
    int error = errno;
    enum fault_kind kind =
        (state != NULL && path != NULL) ? meet_file(call, weigh(dir_fd, path), path) : FAULT_NONE;

    errno = (kind == FAULT_ERROR) ? errno : error;
    return kind;
}

enum fault_kind fault_meet_fd(enum fault_call call, int fd)
{
    char path[PATH_MAX];
    enum fault_kind kind;
    int error = errno;

    if (state == NULL || fd < 0 || fd >= FDS_MAX ||
        (role == FAULT_SERVE && atomic_load(&files[fd]) != 2)) {
        return FAULT_NONE;
    }
    kind = fault_meet(call, path_of_fd(fd, path));
    errno = (kind == FAULT_ERROR) ? errno : error;
    return kind;
}

void fault_note_open(int fd, int dir_fd, const char *path)
{
    int error = errno;

    if (state != NULL && fd >= 0 && fd < FDS_MAX) {
        atomic_store(&files[fd], weigh(dir_fd, path));
    }
    errno = error;
}

void fault_note_close(int fd)
{
    if (fd >= 0 && fd < FDS_MAX) {
        atomic_store(&files[fd], 0);
    }
}

/* --- which process --------------------------------------------------------------------------- */

void fault_become_child(void)
{
    role = FAULT_SANDBOX;
}

void fault_set_role(enum fault_role wanted)
{
    role = wanted;
}

enum fault_role fault_role(void)
{
    return role;
}

bool fault_is_planted(const char *name)
{
    return strcmp(plant, name) == 0;
}
