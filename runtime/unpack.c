#include "runtime/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "runtime/archive.h"
#include "runtime/confine.h"
#include "runtime/remove.h"

/* The happy path of one archive, or of several that lie on each other: a directory
 * CODE.tmp-N is made, a child without any right but to write there unpacks them, and the
 * directory gets its name. Names of
 * codes have no '.', so what is half-done is never taken for one.
 *
 * What has to go is renamed into the "gone" directory, which another child, the
 * sweeper, empties. When an unpacker finds no room, codes that nobody uses go; when the
 * sweeper is done, it is tried once more. */

#define CPU_S_MAX 60
#define DATA_BYTES_MAX (512u << 20)

/* A sanitizer's shadow memory is larger than any limit. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SHADOW_MEMORY 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SHADOW_MEMORY 1
#endif
#ifndef HAS_SHADOW_MEMORY
#define HAS_SHADOW_MEMORY 0
#endif
#define CHILD_FILES_MAX 64
#define ROOM_BYTES (256u << 20) /* more than any archive unpacks to */
#define CHILD_NAMESPACES                                                                           \
    (unsigned long long)(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET |               \
                         CLONE_NEWIPC | CLONE_NEWUTS)
#define UNPACK_SLOT (BASE_OUTER_COUNT - 1) /* its user outside */

struct code {
    struct list link;
    uint64_t bytes;
    char name[REQUEST_NAME_MAX + 1];
};

struct unpack {
    struct list link;
    struct unpacks *unpacks;
    uint64_t id;
    struct message_fds memfds;
    int dir;
    pid_t pid;
    struct watch pidfd;
    int result;      /* from the child: one message */
    bool is_waiting; /* for the sweeper */
    bool is_second_try;
    char code[REQUEST_NAME_MAX + 1];
    char dir_name[REQUEST_NAME_MAX + 32];
};

void unpacks_init(struct unpacks *unpacks)
{
    list_init(&unpacks->running);
    list_init(&unpacks->codes);
    unpacks->sweeper.fd = -1;
    remove_content(unpacks->base->code_dir); /* what an earlier launcher left */
    remove_content(unpacks->base->gone_dir);
}

/* --- what the cache holds ------------------------------------------------------------- */

static struct code *find_code(const struct unpacks *unpacks, const char *name)
{
    struct list *item;

    list_for_each (item, &unpacks->codes) {
        struct code *code = container_of(item, struct code, link);

        if (strcmp(code->name, name) == 0) {
            return code;
        }
    }
    return NULL;
}

static void touch(struct unpacks *unpacks, struct code *code)
{
    list_remove(&code->link);
    list_push_back(&unpacks->codes, &code->link);
}

static bool add_code(struct unpacks *unpacks, const char *name, uint64_t bytes)
{
    struct code *code = mem_calloc(1, sizeof *code);

    if (code == NULL) {
        return false;
    }
    (void)snprintf(code->name, sizeof code->name, "%s", name);
    code->bytes = bytes;
    list_push_back(&unpacks->codes, &code->link);
    unpacks->code_count++;
    unpacks->bytes += bytes;
    return true;
}

/* Out of sight; the sweeper removes it. */
static bool throw_away(struct unpacks *unpacks, const char *name)
{
    char gone[32];

    (void)snprintf(gone, sizeof gone, "%u", ++unpacks->next_number);
    unpacks->has_swept_all = false;
    return renameat(unpacks->base->code_dir, name, unpacks->base->gone_dir, gone) == 0;
}

static bool condemn(struct unpacks *unpacks, struct code *code)
{
    if (!throw_away(unpacks, code->name)) {
        return false;
    }
    list_remove(&code->link);
    unpacks->code_count--;
    unpacks->bytes -= code->bytes;
    mem_free(code);
    return true;
}

/* The oldest ones that nobody uses, until so many bytes are free. */
static uint64_t condemn_unused(struct unpacks *unpacks, uint64_t bytes)
{
    struct list *item = unpacks->codes.next;
    uint64_t freed = 0;

    while (item != &unpacks->codes && freed < bytes) {
        struct code *code = container_of(item, struct code, link);
        uint64_t size = code->bytes;

        item = item->next;
        if (!cells_use_code(unpacks->cells, code->name) && condemn(unpacks, code)) {
            freed += size + 1; /* an empty one frees its name */
        }
    }
    return freed;
}

/* --- the child ------------------------------------------------------------------------ */

static void child_say(int result, const char *error, uint64_t bytes, int is_full)
{
    struct message message = {.kind = MESSAGE_UNPACKED, .memory_peak = bytes};

    message.is_failed = error != NULL;
    message.is_oom = is_full != 0;
    (void)snprintf(message.text, sizeof message.text, "%s", (error != NULL) ? error : "");
    (void)message_send(result, &message, NULL, 0);
}

enum { CHILD_RESULT, CHILD_DIR, CHILD_ARCHIVES };
#define CHILD_KEPT_MAX (CHILD_ARCHIVES + ARCHIVES_MAX)

/* Only these stay open, as 0, 1, 2 and so on. */
static int keep_open(const int *fds, int count)
{
    int high[CHILD_KEPT_MAX]; /* out of the way of what is still to be moved */

    for (int i = 0; i < count; i++) {
        high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 64);
        if (high[i] < 0) {
            return -1;
        }
    }
    for (int i = 0; i < count; i++) {
        if (dup3(high[i], i, O_CLOEXEC) < 0) {
            return -1;
        }
    }
    return close_range((unsigned)count, ~0u, 0);
}

static int become_nobody(const struct base *base, struct failure *failure)
{
    unsigned user = base->is_sandboxed ? BASE_USER : base->outer_user;

    if (base_may_change_user(base) && setgroups(0, NULL) != 0) {
        return failure_errno(failure, "setgroups");
    }
    if ((base->is_sandboxed || base_may_change_user(base)) &&
        (setresgid(user, user, user) != 0 || setresuid(user, user, user) != 0)) {
        return failure_errno(failure, "setresuid");
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    return 0;
}

static void limit_child(void)
{
    const struct rlimit cpu = {CPU_S_MAX, CPU_S_MAX};
    const struct rlimit data = {DATA_BYTES_MAX, DATA_BYTES_MAX};
    const struct rlimit files = {CHILD_FILES_MAX, CHILD_FILES_MAX};
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CPU, &cpu);
    if (!HAS_SHADOW_MEMORY) {
        (void)setrlimit(RLIMIT_DATA, &data);
    }
    (void)setrlimit(RLIMIT_NOFILE, &files);
    (void)setrlimit(RLIMIT_CORE, &none);
}

static int give_up_rights(const struct base *base, int dir, struct failure *failure)
{
    int r = become_nobody(base, failure);

    if (r == 0) {
        limit_child();
        r = confine_capabilities(failure);
    }
    return (r == 0) ? confine_unpack(base->landlock_abi, &base->unpack_filter, dir, failure) : r;
}

/* What is left open are its own, so that the names of descriptors are known: 2, 3, ... */
static int unpack_here(size_t count, uint64_t *ret_bytes, int *ret_is_full, struct failure *failure)
{
    int archives[ARCHIVES_MAX];

    for (size_t i = 0; i < count; i++) {
        archives[i] = CHILD_ARCHIVES + (int)i;
    }
    return archive_unpack(archives, count, CHILD_DIR, ret_bytes, ret_is_full, failure);
}

static int keep_own(const struct unpack *unpack, int result)
{
    int fds[CHILD_KEPT_MAX] = {result, unpack->dir};

    memcpy(fds + CHILD_ARCHIVES, unpack->memfds.fds, unpack->memfds.count * sizeof *fds);
    return keep_open(fds, CHILD_ARCHIVES + (int)unpack->memfds.count);
}

static void child_main(const struct unpack *unpack, int result) __attribute__((noreturn));
static void child_main(const struct unpack *unpack, int result)
{
    struct failure failure = {""};
    struct message message;
    struct message_fds fds_none;
    uint64_t bytes = 0;
    int is_full = 0;
    int r;

    if (keep_own(unpack, result) != 0 || message_receive(CHILD_RESULT, &message, &fds_none) != 0) {
        _exit(1);
    }
    r = give_up_rights(unpack->unpacks->base, CHILD_DIR, &failure);
    if (r == 0) {
        r = unpack_here(unpack->memfds.count, &bytes, &is_full, &failure);
    }
    child_say(CHILD_RESULT, (r == 0) ? NULL : failure.text, bytes, is_full);
    _exit(0);
}

/* --- the launcher's side -------------------------------------------------------------- */

static void start_child(struct unpack *unpack);

static void finish(struct unpack *unpack, const char *error, uint64_t bytes)
{
    const struct unpack_end end = {.error = error, .bytes = bytes};
    struct unpacks *unpacks = unpack->unpacks;

    watch_close(unpacks->loop, &unpack->pidfd);
    if (unpack->result >= 0) {
        (void)close(unpack->result);
    }
    if (unpack->dir >= 0) {
        (void)close(unpack->dir);
    }
    message_fds_close(&unpack->memfds);
    list_remove(&unpack->link);
    unpacks->running_count--;
    unpacks->done(unpacks->arg, unpack->id, &end);
    mem_free(unpack);
}

static pid_t fork_watched(struct unpacks *unpacks, struct watch *watch, watch_cb cb,
                          unsigned long long namespaces)
{
    int pidfd = -1;
    struct clone_args args = {.flags = CLONE_PIDFD | namespaces,
                              .pidfd = (uint64_t)(uintptr_t)&pidfd,
                              .exit_signal = SIGCHLD};
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);

    if (pid > 0 && watch_add(unpacks->loop, watch, pidfd, EPOLLIN, cb) != 0) {
        (void)kill(pid, SIGKILL);
        watch_reap(pid, NULL);
        (void)close(pidfd);
        return -1;
    }
    return pid;
}

static void start_sweeper(struct unpacks *unpacks);

static void on_swept(struct watch *watch, uint32_t events)
{
    struct unpacks *unpacks = container_of(watch, struct unpacks, sweeper);
    struct list *item = unpacks->running.next;

    (void)events;
    watch_reap(unpacks->sweeper_pid, NULL);
    watch_close(unpacks->loop, &unpacks->sweeper);
    while (item != &unpacks->running) {
        struct unpack *unpack = container_of(item, struct unpack, link);

        item = item->next;
        if (unpack->is_waiting) {
            unpack->is_waiting = false;
            start_child(unpack);
        }
    }
    start_sweeper(unpacks);
}

static void start_sweeper(struct unpacks *unpacks)
{
    if (unpacks->sweeper.fd >= 0 || unpacks->has_swept_all) {
        return;
    }
    unpacks->has_swept_all = true;
    unpacks->sweeper_pid = fork_watched(unpacks, &unpacks->sweeper, on_swept, 0);
    if (unpacks->sweeper_pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        remove_content(unpacks->base->gone_dir);
        _exit(0);
    }
}

/* Makes room and tries again, once. */
static bool try_again(struct unpack *unpack)
{
    struct unpacks *unpacks = unpack->unpacks;

    if (unpack->is_second_try) {
        return false;
    }
    (void)condemn_unused(unpacks, ROOM_BYTES); /* what failed now goes too, and others' */
    unpack->is_second_try = true;
    unpack->is_waiting = true;
    start_sweeper(unpacks);
    return unpacks->sweeper.fd >= 0;
}

/* The name is given last: a code that can be seen is whole. */
static const char *publish(struct unpack *unpack, uint64_t bytes)
{
    struct unpacks *unpacks = unpack->unpacks;
    int dir = unpacks->base->code_dir;

    if (unpacks->bytes_max > 0 && unpacks->bytes + bytes > unpacks->bytes_max) {
        (void)condemn_unused(unpacks, unpacks->bytes + bytes - unpacks->bytes_max);
        if (unpacks->bytes + bytes > unpacks->bytes_max) {
            return "the code cache is full";
        }
    }
    if (find_code(unpacks, unpack->code) != NULL) {
        (void)throw_away(unpacks, unpack->dir_name); /* another one was faster */
        return NULL;
    }
    if (fchmodat(dir, unpack->dir_name, 0755, 0) != 0 ||
        renameat2(dir, unpack->dir_name, dir, unpack->code, RENAME_NOREPLACE) != 0) {
        return "the code cache cannot be written";
    }
    return add_code(unpacks, unpack->code, bytes) ? NULL : "out of memory";
}

static void settle(struct unpack *unpack, const struct message *message)
{
    struct unpacks *unpacks = unpack->unpacks;
    const char *error = message->is_failed ? message->text : NULL;

    if (error == NULL) {
        error = publish(unpack, message->memory_peak);
    }
    if (error != NULL) {
        (void)throw_away(unpacks, unpack->dir_name);
        if (message->is_oom && try_again(unpack)) {
            return;
        }
    }
    finish(unpack, message->is_oom ? "the code cache is full" : error, message->memory_peak);
    start_sweeper(unpacks);
}

/* Limits of time and memory end it by a signal: those an archive can bring about. */
static void describe_end(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status)) {
        (void)snprintf(text, size, "the archive ended its unpacker by signal %d", WTERMSIG(status));
    } else {
        (void)snprintf(text, size, "the unpacker ended with status %d",
                       WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    }
}

static void on_unpacked(struct watch *watch, uint32_t events)
{
    struct unpack *unpack = container_of(watch, struct unpack, pidfd);
    struct message message;
    struct message_fds fds;
    int status = 0;

    (void)events;
    watch_reap(unpack->pid, &status);
    if (message_receive(unpack->result, &message, &fds) != 0) {
        memset(&message, 0, sizeof message);
        message.is_failed = 1;
        describe_end(status, message.text, sizeof message.text);
    }
    message_fds_close(&fds);
    watch_close(unpack->unpacks->loop, &unpack->pidfd);
    (void)close(unpack->result);
    (void)close(unpack->dir);
    unpack->result = -1;
    unpack->dir = -1;
    settle(unpack, &message);
}

/* Owned by the child's user outside; nobody else may look before it is whole. */
static int make_dir(struct unpack *unpack)
{
    const struct base *base = unpack->unpacks->base;
    unsigned user = base->is_sandboxed ? base_outer_user(base, UNPACK_SLOT) : base->outer_user;

    (void)snprintf(unpack->dir_name, sizeof unpack->dir_name, "%s.tmp-%u", unpack->code,
                   ++unpack->unpacks->next_number);
    if (mkdirat(base->code_dir, unpack->dir_name, 0700) != 0) {
        return -1;
    }
    unpack->dir = openat(base->code_dir, unpack->dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (unpack->dir < 0) {
        return -1;
    }
    return base_may_change_user(base) ? fchown(unpack->dir, user, user) : 0;
}

/* The child waits for the message, and so for its user. */
static int fork_child(struct unpack *unpack, struct failure *failure)
{
    const struct base *base = unpack->unpacks->base;
    const struct message mapped = {.kind = MESSAGE_MAPPED};
    int pair[2];
    int r = 0;

    if (make_dir(unpack) != 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return failure_errno(failure, "prepare to unpack");
    }
    unpack->result = pair[0];
    unpack->pid = fork_watched(unpack->unpacks, &unpack->pidfd, on_unpacked,
                               base->is_sandboxed ? CHILD_NAMESPACES : 0);
    if (unpack->pid == 0) {
        (void)close(pair[0]);
        child_main(unpack, pair[1]);
    }
    (void)close(pair[1]);
    if (unpack->pid < 0) {
        return failure_errno(failure, "start an unpacker");
    }
    if (base->is_sandboxed) {
        r = base_map_user(base, unpack->pid, base_outer_user(base, UNPACK_SLOT), failure);
    }
    if (r == 0 && message_send(unpack->result, &mapped, NULL, 0) != 0) {
        r = failure_errno(failure, "speak to an unpacker");
    }
    if (r != 0) {
        (void)kill(unpack->pid, SIGKILL);
        watch_reap(unpack->pid, NULL);
    }
    return r;
}

static void start_child(struct unpack *unpack)
{
    struct failure failure;

    if (fork_child(unpack, &failure) != 0) {
        (void)throw_away(unpack->unpacks, unpack->dir_name);
        finish(unpack, failure.text, 0);
    }
}

static bool is_sealed(int memfd)
{
    int seals = fcntl(memfd, F_GET_SEALS);
    const int wanted = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

    return seals >= 0 && (seals & wanted) == wanted;
}

static const char *refuse(const struct unpacks *unpacks, const char *code,
                          const struct message_fds *memfds)
{
    if (!request_is_name(code)) {
        return "the code has no name";
    }
    if (memfds->count == 0 || memfds->count > ARCHIVES_MAX) {
        return "no archive was sent, or too many";
    }
    for (size_t i = 0; i < memfds->count; i++) {
        if (!is_sealed(memfds->fds[i])) {
            return "no sealed memfd holds the archive";
        }
    }
    if (unpacks->running_count >= UNPACKS_MAX || unpacks->code_count >= UNPACK_CODES_MAX) {
        return "too many archives at once";
    }
    return NULL;
}

void unpacks_start(struct unpacks *unpacks, uint64_t id, const char *code,
                   struct message_fds *memfds)
{
    struct unpack_end end = {.error = refuse(unpacks, code, memfds)};
    struct code *known = (end.error == NULL) ? find_code(unpacks, code) : NULL;
    struct unpack *unpack = NULL;

    if (known != NULL) {
        touch(unpacks, known);
        end.was_there = true;
        end.bytes = known->bytes;
    } else if (end.error == NULL) {
        unpack = mem_calloc(1, sizeof *unpack);
        end.error = (unpack == NULL) ? "out of memory" : NULL;
    }
    if (unpack == NULL) {
        message_fds_close(memfds);
        unpacks->done(unpacks->arg, id, &end);
        return;
    }
    unpack->unpacks = unpacks;
    unpack->id = id;
    unpack->memfds = *memfds;
    memfds->count = 0;
    unpack->dir = -1;
    unpack->result = -1;
    unpack->pidfd.fd = -1;
    (void)snprintf(unpack->code, sizeof unpack->code, "%s", code);
    list_push_back(&unpacks->running, &unpack->link);
    unpacks->running_count++;
    start_child(unpack);
}

void unpacks_kill_all(struct unpacks *unpacks)
{
    struct list *item;

    list_for_each (item, &unpacks->running) {
        const struct unpack *unpack = container_of(item, struct unpack, link);

        if (unpack->pidfd.fd >= 0) {
            (void)kill(unpack->pid, SIGKILL);
        }
    }
}
