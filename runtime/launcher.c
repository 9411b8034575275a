#include "runtime/launcher.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "runtime/client.h"
#include "runtime/request.h"
#include "runtime/watch.h"

#define READY_TIMEOUT_MS 40000 /* the lock alone may take 30 s */
#define TICK_MS 5
#define TICKS_MAX 2000 /* ten seconds, then the launcher is killed or given up */
#define MESSAGES_PER_TURN 64

#define BIT(state) (1u << (state))
static const unsigned launcher_allowed[LAUNCHER_STATES] = {
    [LAUNCHER_STARTED] = BIT(LAUNCHER_SERVING),
    [LAUNCHER_SERVING] = BIT(LAUNCHER_CLOSING) | BIT(LAUNCHER_LOST),
    [LAUNCHER_CLOSING] = BIT(LAUNCHER_GONE),
    [LAUNCHER_LOST] = BIT(LAUNCHER_GONE),
    [LAUNCHER_GONE] = BIT(LAUNCHER_CLOSED),
    [LAUNCHER_CLOSED] = 0,
};

static void launcher_move(struct launcher *launcher, enum launcher_state next)
{
    assert(launcher_allowed[launcher->state] & BIT(next));
    launcher->state = next;
}

/* --- starting ------------------------------------------------------------------------- */

struct places {
    char data_dir[PATH_MAX];
    char cache_dir[PATH_MAX];
};

/* The cache is a part of the system's own temporary state. */
static int choose_cache(const char *wanted, char *ret_path, size_t size)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    if (wanted != NULL) {
        (void)snprintf(ret_path, size, "%s", wanted);
    } else if (geteuid() == 0) {
        (void)snprintf(ret_path, size, "/run/pawl");
    } else if (runtime != NULL && runtime[0] == '/') {
        (void)snprintf(ret_path, size, "%s/pawl", runtime);
    } else {
        return ERR(ERR_INVALID, "no cache directory: XDG_RUNTIME_DIR is not set");
    }
    if (mkdir(ret_path, 0700) != 0 && errno != EEXIST) {
        return ERR(ERR_SYSTEM, "make %s: %s", ret_path, strerror(errno));
    }
    return 0;
}

static int find_places(struct places *places, const struct launcher_options *options)
{
    char cache[PATH_MAX];
    int r = choose_cache(options->cache_dir, cache, sizeof cache);

    if (r != 0) {
        return r;
    }
    if (realpath(cache, places->cache_dir) == NULL) {
        return ERR(ERR_SYSTEM, "find %s: %s", cache, strerror(errno));
    }
    if (realpath(options->data_dir, places->data_dir) == NULL) {
        return ERR(ERR_SYSTEM, "find %s: %s", options->data_dir, strerror(errno));
    }
    return 0;
}

/* Of our environment only what sanitizers read: it may hold secrets. */
static void exec_launcher(int fd) __attribute__((noreturn));
static void exec_launcher(int fd)
{
    static char name[] = "pawl";
    static char command[] = "launcher";
    static const char *const kept[] = {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS",
                                       "LSAN_OPTIONS"};
    char *argv[] = {name, command, NULL};
    static char entries[5][512];
    char *env[6] = {NULL};
    sigset_t none;
    size_t count = 0;

    (void)snprintf(entries[count], sizeof entries[count], "PAWL_LAUNCHER_FD=%d", fd);
    env[count] = entries[count];
    count++;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        const char *value = getenv(kept[i]);

        if (value != NULL) {
            (void)snprintf(entries[count], sizeof entries[count], "%s=%s", kept[i], value);
            env[count] = entries[count];
            count++;
        }
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)fcntl(fd, F_SETFD, 0);
    (void)execve("/proc/self/exe", argv, env);
    _exit(127);
}

static int spawn(struct launcher *launcher)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return ERR(ERR_SYSTEM, "socketpair: %s", strerror(errno));
    }
    launcher->fd = pair[0];
    launcher->pid = fork();
    if (launcher->pid == 0) {
        exec_launcher(pair[1]);
    }
    (void)close(pair[1]);
    return (launcher->pid > 0) ? 0 : ERR(ERR_SYSTEM, "fork: %s", strerror(errno));
}

static int greet(struct launcher *launcher, const struct launcher_options *options)
{
    const struct message message = {.kind = MESSAGE_HELLO};
    int memfd = request_write_options(options);
    int r;

    if (memfd < 0) {
        return memfd;
    }
    r = message_send(launcher->fd, &message, &memfd, 1);
    (void)close(memfd);
    return (r == 0) ? 0 : ERR(ERR_SYSTEM, "the launcher does not listen");
}

static int await_ready(struct launcher *launcher)
{
    struct pollfd readable = {.fd = launcher->fd, .events = POLLIN};
    struct message message;
    struct message_fds fds;
    int r;

    do {
        r = poll(&readable, 1, READY_TIMEOUT_MS);
    } while (r < 0 && errno == EINTR);
    if (r <= 0) {
        return ERR(ERR_SYSTEM, "the launcher is not ready after %d ms", READY_TIMEOUT_MS);
    }
    if (message_receive(launcher->fd, &message, &fds) != 0) {
        return ERR(ERR_SYSTEM, "the launcher ended before it was ready");
    }
    message_fds_close(&fds);
    if (message.kind != MESSAGE_READY || message.is_failed) {
        return ERR(ERR_SYSTEM, "the launcher cannot start: %s", message.text);
    }
    memcpy(launcher->summary, message.text, sizeof launcher->summary);
    return 0;
}

static void abandon(struct launcher *launcher)
{
    if (launcher->fd >= 0) {
        (void)close(launcher->fd);
    }
    if (launcher->pid > 0) {
        (void)kill(launcher->pid, SIGKILL);
        watch_reap(launcher->pid, NULL);
    }
    mem_free(launcher);
}

static int start_process(struct launcher *launcher, const struct launcher_options *options)
{
    struct places *places = mem_calloc(1, sizeof *places);
    struct launcher_options absolute = *options;
    int r = (places != NULL) ? find_places(places, options) : ERR(ERR_NOMEM, "start the launcher");

    if (r == 0) {
        absolute.data_dir = places->data_dir;
        absolute.cache_dir = places->cache_dir;
        absolute.cgroup = (options->cgroup != NULL) ? options->cgroup : "pawl";
        (void)snprintf(launcher->lock_path, sizeof launcher->lock_path, "%.500s/launcher.lock",
                       places->data_dir);
        r = spawn(launcher);
    }
    if (r == 0) {
        r = greet(launcher, &absolute);
    }
    mem_free(places);
    return (r == 0) ? await_ready(launcher) : r;
}

int launcher_start(struct launcher **ret_launcher, const struct launcher_options *options)
{
    struct launcher *launcher = mem_calloc(1, sizeof *launcher);
    int r;

    if (launcher == NULL) {
        return ERR(ERR_NOMEM, "start the launcher");
    }
    launcher->fd = -1;
    launcher->pid = -1;
    outbox_init(&launcher->outbox);
    list_init(&launcher->unpacks);
    list_init(&launcher->unpacks_waiting);
    r = start_process(launcher, options);
    if (r != 0) {
        abandon(launcher);
        return r;
    }
    *ret_launcher = launcher;
    return 0;
}

const char *launcher_summary(const struct launcher *launcher)
{
    return launcher->summary;
}

pid_t launcher_pid(const struct launcher *launcher)
{
    return launcher->pid;
}

/* --- the end -------------------------------------------------------------------------- */

/* Every init holds the lock until it dies. */
static bool is_lock_free(const struct launcher *launcher)
{
    int fd = open(launcher->lock_path, O_RDWR | O_CLOEXEC);
    bool is_free = fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;

    if (fd >= 0) {
        (void)close(fd);
    }
    return is_free;
}

static void after_handle(uv_handle_t *handle)
{
    struct launcher *launcher = handle->data;
    launcher_close_cb cb = launcher->close_cb;
    void *arg = launcher->close_arg;

    launcher->open_handles--;
    if (launcher->open_handles > 0) {
        return;
    }
    outbox_fini(&launcher->outbox);
    table_fini(&launcher->environments);
    (void)close(launcher->fd);
    mem_free(launcher);
    cb(arg);
}

static void close_handles(struct launcher *launcher)
{
    launcher_move(launcher, LAUNCHER_CLOSED);
    (void)uv_timer_stop(&launcher->timer);
    uv_close((uv_handle_t *)&launcher->poll, after_handle);
    uv_close((uv_handle_t *)&launcher->timer, after_handle);
}

static void finish(struct launcher *launcher)
{
    bool is_lost = launcher->state == LAUNCHER_LOST;

    launcher_move(launcher, LAUNCHER_GONE);
    (void)uv_timer_stop(&launcher->timer);
    client_end_all(launcher, "the launcher died");
    if (launcher->close_cb != NULL) {
        close_handles(launcher);
    } else if (is_lost) {
        launcher->on_lost(launcher->arg);
    }
}

/* From the loss of the socket, or the wish to close, to the last environment's end. */
static void on_tick(uv_timer_t *timer)
{
    struct launcher *launcher = timer->data;
    bool is_late = ++launcher->ticks > TICKS_MAX;

    if (is_late && launcher->pid > 0) {
        log_error("the launcher does not end: it is killed");
        (void)kill(launcher->pid, SIGKILL);
    }
    if (launcher->pid > 0 && waitpid(launcher->pid, NULL, WNOHANG) != 0) {
        launcher->pid = -1;
    }
    if (launcher->pid > 0 || uv_is_active((uv_handle_t *)&launcher->poll)) {
        return; /* alive, or not read to its end */
    }
    if ((is_lock_free(launcher) && client_all_dead(launcher)) || is_late) {
        finish(launcher);
    }
}

static void lose(struct launcher *launcher)
{
    (void)uv_poll_stop(&launcher->poll);
    if (launcher->state == LAUNCHER_SERVING) {
        log_error("the launcher is lost");
        launcher_move(launcher, LAUNCHER_LOST);
        launcher->ticks = 0;
        (void)uv_timer_start(&launcher->timer, on_tick, 0, TICK_MS);
    }
}

/* --- the socket ----------------------------------------------------------------------- */

static void dispatch(struct launcher *launcher, const struct message *message,
                     struct message_fds *fds)
{
    switch (message->kind) {
    case MESSAGE_STARTED:
        client_on_started(launcher, message, (fds->count == 1) ? message_fds_take(fds, 0) : -1);
        break;
    case MESSAGE_ENDED:
        client_on_ended(launcher, message);
        break;
    case MESSAGE_UNPACKED:
        client_on_unpacked(launcher, message);
        break;
    default:
        log_warn("the launcher sent message %u", message->kind);
    }
    message_fds_close(fds);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static int watch(struct launcher *launcher)
{
    int events = outbox_is_empty(&launcher->outbox) ? UV_READABLE : UV_READABLE | UV_WRITABLE;

    return uv_poll_start(&launcher->poll, events, on_poll);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct launcher *launcher = poll->data;
    struct message message;
    struct message_fds fds;
    int r = 0;

    if (status == 0 && (events & UV_WRITABLE) != 0) {
        (void)outbox_flush(&launcher->outbox, launcher->fd);
        (void)watch(launcher);
    }
    for (int i = 0; i < MESSAGES_PER_TURN && r == 0; i++) {
        r = message_receive(launcher->fd, &message, &fds);
        if (r == 0) {
            dispatch(launcher, &message, &fds);
        }
    }
    if (r == MESSAGE_E_GONE) {
        lose(launcher);
    }
}

int client_send(struct launcher *launcher, const struct message *message, const int *fds,
                size_t fd_count)
{
    int r = outbox_put(&launcher->outbox, launcher->fd, message, fds, fd_count);

    if (r == MESSAGE_E_GONE) {
        return ERR(ERR_SYSTEM, "the launcher does not listen");
    }
    if (r == 0 && !outbox_is_empty(&launcher->outbox)) {
        (void)watch(launcher);
    }
    return r;
}

int launcher_attach(struct launcher *launcher, uv_loop_t *loop, void *arg, launcher_lost_cb on_lost)
{
    int r;

    launcher->loop = loop;
    launcher->arg = arg;
    launcher->on_lost = on_lost;
    r = uv_poll_init(loop, &launcher->poll, launcher->fd);
    if (r != 0) {
        return ERR(ERR_SYSTEM, "watch the launcher: %s", uv_strerror(r));
    }
    (void)uv_timer_init(loop, &launcher->timer); /* never fails */
    launcher->poll.data = launcher;
    launcher->timer.data = launcher;
    launcher->open_handles = 2;
    launcher_move(launcher, LAUNCHER_SERVING);
    r = watch(launcher);
    return (r == 0) ? 0 : ERR(ERR_SYSTEM, "watch the launcher: %s", uv_strerror(r));
}

/* The launcher takes the end of our half of the socket as ours, kills everything and
 * still tells how each ended. */
void launcher_close(struct launcher *launcher, void *arg, launcher_close_cb cb)
{
    assert(launcher->close_cb == NULL && launcher->state != LAUNCHER_STARTED);
    launcher->close_arg = arg;
    launcher->close_cb = cb;
    if (launcher->state == LAUNCHER_GONE) {
        close_handles(launcher);
    } else if (launcher->state == LAUNCHER_SERVING) {
        launcher_move(launcher, LAUNCHER_CLOSING);
        (void)shutdown(launcher->fd, SHUT_WR);
        launcher->ticks = 0;
        (void)uv_timer_start(&launcher->timer, on_tick, TICK_MS, TICK_MS);
    }
}
