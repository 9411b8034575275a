#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/log.h"
#include "runtime/base.h"
#include "runtime/cell.h"
#include "runtime/confine.h"
#include "runtime/landlock.h"
#include "runtime/launcher.h"
#include "runtime/message.h"
#include "runtime/order.h"
#include "runtime/unpack.h"
#include "runtime/watch.h"

/* The launcher process.
 *
 *   - it keeps one descriptor, takes the lock of the data directory, builds the base,
 *     and says READY when a first spare has got all the way to waiting for an order:
 *     so what the kernel refuses is known before anything is served;
 *   - then it is one loop. An order is checked, its mounts are opened, a spare gets it;
 *     what comes back is passed on. Spares are replaced when nothing else is to do;
 *   - when the daemon is gone, everything is killed, and with the last of it the lock
 *     is free.
 *
 * It never waits for anything that happens inside an environment. */

#define FD_DAEMON 3
#define LOCK_TRIES 3000 /* of 10 ms */
#define REFILL_AFTER_MS 2
#define TICK_MS 5
#define LAST_WORDS_S 5

struct server {
    struct watch daemon;
    struct outbox outbox;
    int loop;
    int lock;
    bool is_ready;
    bool is_ending;
    bool has_cgroups;
    bool is_spare_failing; /* no more until an order wants one */
    struct base base;
    struct cells cells;
    struct unpacks unpacks;
    struct request_options options;
    char instance[64];
};

/* --- to the daemon -------------------------------------------------------------------- */

static void watch_daemon(struct server *server)
{
    uint32_t events = outbox_is_empty(&server->outbox) ? EPOLLIN : EPOLLIN | EPOLLOUT;

    if (server->daemon.fd >= 0) {
        (void)watch_change(server->loop, &server->daemon, events);
    }
}

static void send_daemon(struct server *server, const struct message *message, int fd)
{
    bool was_empty = outbox_is_empty(&server->outbox);

    /* A daemon that is gone is noticed where it is read from. */
    (void)outbox_put(&server->outbox, FD_DAEMON, message, &fd, (fd >= 0) ? 1 : 0);
    if (was_empty != outbox_is_empty(&server->outbox)) {
        watch_daemon(server);
    }
}

static void send_end(struct server *server, uint64_t id, const char *text)
{
    struct message message = {.kind = MESSAGE_ENDED, .id = id, .exit_status = -1};

    (void)snprintf(message.text, sizeof message.text, "%s", text);
    send_daemon(server, &message, -1);
}

static void summarize(const struct server *server, char *text, size_t size)
{
    char groups[128];

    cgroups_describe(&server->cells.cgroups, groups, sizeof groups);
    if (!server->base.is_sandboxed) {
        (void)snprintf(text, size, "isolation: none cgroup=%s", groups);
        return;
    }
    (void)snprintf(text, size,
                   "sandbox: user,pid,mount,net,ipc,uts,cgroup seccomp landlock=%d "
                   "cgroup=%s users=%s",
                   (server->base.landlock_abi >= LANDLOCK_ABI_MIN) ? server->base.landlock_abi : 0,
                   groups, server->base.has_outer_range ? "own" : "shared");
}

static void send_ready(struct server *server, const char *error)
{
    struct message message = {.kind = MESSAGE_READY, .is_failed = error != NULL};

    if (error != NULL) {
        (void)snprintf(message.text, sizeof message.text, "%s", error);
    } else {
        summarize(server, message.text, sizeof message.text);
    }
    send_daemon(server, &message, -1);
    server->is_ready = error == NULL;
}

/* --- from the cells and the unpackers ------------------------------------------------- */

static void on_prepared(void *arg)
{
    struct server *server = arg;

    if (!server->is_ready) {
        send_ready(server, NULL);
    }
}

/* The daemon gets a pidfd: if the launcher is killed, it still sees when this ends. */
static void on_started(void *arg, const struct cell *cell)
{
    const struct message message = {.kind = MESSAGE_STARTED, .id = cell->id, .pid = cell->pid};
    int pidfd = fcntl(cell->pidfd.fd, F_DUPFD_CLOEXEC, 0);

    send_daemon(arg, &message, pidfd);
}

static void on_ended(void *arg, const struct message *message)
{
    send_daemon(arg, message, -1);
}

static void on_spare_failed(void *arg, const char *text)
{
    struct server *server = arg;

    server->is_spare_failing = true;
    if (!server->is_ready) {
        send_ready(server, text);
        server->is_ending = true;
    } else {
        log_warn("a spare environment was not made: %s", text);
    }
}

static void on_unpacked(void *arg, uint64_t id, const struct unpack_end *end)
{
    struct message message = {.kind = MESSAGE_UNPACKED,
                              .id = id,
                              .is_failed = end->error != NULL,
                              .is_started = !end->was_there,
                              .memory_peak = end->bytes};

    (void)snprintf(message.text, sizeof message.text, "%s", (end->error != NULL) ? end->error : "");
    send_daemon(arg, &message, -1);
}

/* --- from the daemon ------------------------------------------------------------------ */

static void start(struct server *server, uint64_t id, struct message_fds *fds)
{
    struct failure failure;
    struct order order;
    int r = order_open(&order, &server->base, id, fds, &failure);

    if (r == 0) {
        r = cells_start(&server->cells, &order, &failure);
        order_close(&order);
    }
    if (r != 0) {
        send_end(server, id, failure.text);
    }
    server->is_spare_failing = false;
}

static void obey(struct server *server, const struct message *message, struct message_fds *fds)
{
    switch (message->kind) {
    case MESSAGE_START:
        start(server, message->id, fds);
        break;
    case MESSAGE_KILL:
        cells_kill(&server->cells, message->id);
        break;
    case MESSAGE_UNPACK:
        unpacks_start(&server->unpacks, message->id, message->text, fds);
        break;
    default:
        log_warn("the daemon sent message %u", message->kind);
    }
    message_fds_close(fds);
}

static void end(struct server *server)
{
    server->is_ending = true;
    watch_remove(server->loop, &server->daemon);
    cgroups_unweigh(&server->cells.cgroups);
    cells_kill_all(&server->cells);
    unpacks_kill_all(&server->unpacks);
}

static void on_daemon(struct watch *watch, uint32_t events)
{
    struct server *server = container_of(watch, struct server, daemon);
    struct message message;
    struct message_fds fds;
    int r;

    if ((events & EPOLLOUT) != 0) {
        (void)outbox_flush(&server->outbox, FD_DAEMON);
        watch_daemon(server);
    }
    r = message_receive(FD_DAEMON, &message, &fds);
    if (r == MESSAGE_E_GONE) {
        end(server);
    } else if (r == 0) {
        obey(server, &message, &fds);
    }
}

/* --- the loop ------------------------------------------------------------------------- */

static bool wants_spare(const struct server *server)
{
    return server->base.is_sandboxed && server->is_ready && !server->is_ending &&
           !server->is_spare_failing && server->cells.spare_count < CELLS_SPARE;
}

static bool is_done(const struct server *server)
{
    return server->is_ending && server->cells.count == 0 && server->unpacks.running_count == 0;
}

static int next_timeout(const struct server *server)
{
    if (wants_spare(server)) {
        return REFILL_AFTER_MS;
    }
    return (server->cells.emptying_count > 0) ? TICK_MS : -1;
}

static void on_quiet(struct server *server)
{
    struct failure failure;

    cells_tick(&server->cells);
    if (wants_spare(server) && cells_add_spare(&server->cells, &failure) != 0) {
        on_spare_failed(server, failure.text);
    }
}

static int serve(struct server *server)
{
    while (!is_done(server)) {
        int r = watch_run_once(server->loop, next_timeout(server));

        if (r < 0) {
            return r;
        }
        if (r == 0) {
            on_quiet(server);
        }
    }
    return 0;
}

/* --- setting up ----------------------------------------------------------------------- */

/* Signals of a terminal or of a service manager are for the daemon: the launcher ends
 * when the daemon does. */
static int detach(int fd)
{
    static const int ignored[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct rlimit files;

    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        (void)signal(ignored[i], SIG_IGN);
    }
    (void)setsid();
    (void)prctl(PR_SET_NAME, "pawl-launcher", 0, 0, 0);
    if (fd != FD_DAEMON && dup2(fd, FD_DAEMON) < 0) {
        return ERR(ERR_SYSTEM, "dup2: %s", strerror(errno));
    }
    if (close_range(FD_DAEMON + 1, ~0u, 0) != 0 || fcntl(FD_DAEMON, F_SETFD, FD_CLOEXEC) != 0) {
        return ERR(ERR_SYSTEM, "close descriptors: %s", strerror(errno));
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    return 0;
}

static int read_hello(struct server *server, struct failure *failure)
{
    struct message message;
    struct message_fds fds;
    int r = message_receive(FD_DAEMON, &message, &fds);

    if (r != 0 || message.kind != MESSAGE_HELLO || fds.count != 1) {
        if (r == 0) {
            message_fds_close(&fds);
        }
        return failure_text(failure, "the daemon did not greet");
    }
    r = request_read_options(&server->options, fds.fds[0], failure);
    message_fds_close(&fds);
    return r;
}

/* An older launcher holds it until the last of its environments is reaped. */
static int wait_for_lock(int fd, struct failure *failure)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            return 0;
        }
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return failure_errno(failure, "lock launcher.lock");
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return failure_text(failure, "another launcher still holds launcher.lock after 30 s");
}

static int take_lock(struct server *server, struct failure *failure)
{
    char path[600];
    struct stat st;

    if (stat(server->options.data_dir, &st) != 0) {
        return failure_errno(failure, "find %s", server->options.data_dir);
    }
    (void)snprintf(server->instance, sizeof server->instance, "%llx-%llx",
                   (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    (void)snprintf(path, sizeof path, "%s/launcher.lock", server->options.data_dir);
    server->lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (server->lock < 0) {
        return failure_errno(failure, "open %s", path);
    }
    return wait_for_lock(server->lock, failure);
}

static void init_parts(struct server *server)
{
    struct cells *cells = &server->cells;
    struct unpacks *unpacks = &server->unpacks;

    cells->base = &server->base;
    cells->loop = server->loop;
    cells->lock = server->lock;
    list_init(&cells->live);
    cells->events = (struct cells_events){.on_prepared = on_prepared,
                                          .on_started = on_started,
                                          .on_ended = on_ended,
                                          .on_spare_failed = on_spare_failed};
    cells->arg = server;
    unpacks->base = &server->base;
    unpacks->cells = cells;
    unpacks->loop = server->loop;
    unpacks->bytes_max = server->base.is_sandboxed ? 0 : server->options.cache_bytes_max;
    unpacks->done = on_unpacked;
    unpacks->arg = server;
    unpacks_init(unpacks);
}

static int set_up(struct server *server, struct failure *failure)
{
    int r = read_hello(server, failure);

    if (r == 0) {
        r = take_lock(server, failure);
    }
    if (r == 0) {
        server->has_cgroups = true;
        cgroups_open(&server->cells.cgroups, server->options.cgroup, server->instance,
                     server->options.cpu_weight);
        r = base_build(&server->base, &server->options, server->instance, failure);
    }
    if (r == 0 && server->base.is_sandboxed) {
        r = confine_launcher(failure);
    }
    if (r == 0) {
        init_parts(server);
        r = server->base.is_sandboxed ? cells_add_spare(&server->cells, failure) : 0;
    }
    return r;
}

static int watch_socket(struct server *server)
{
    if (fcntl(FD_DAEMON, F_SETFL, O_NONBLOCK) != 0) {
        return ERR(ERR_SYSTEM, "fcntl: %s", strerror(errno));
    }
    return watch_add(server->loop, &server->daemon, FD_DAEMON, EPOLLIN, on_daemon);
}

static int run(struct server *server)
{
    struct failure failure;

    outbox_init(&server->outbox);
    server->daemon.fd = -1;
    server->lock = -1;
    server->loop = watch_open();
    if (server->loop < 0) {
        return 1;
    }
    if (set_up(server, &failure) != 0) {
        send_ready(server, failure.text);
        return 1;
    }
    if (watch_socket(server) != 0) {
        return 1;
    }
    if (!server->base.is_sandboxed) {
        send_ready(server, NULL);
    }
    return (serve(server) == 0) ? 0 : 1;
}

/* A daemon that closes still reads how its environments ended; one that hangs does not
 * keep us. */
static void say_last_words(struct server *server)
{
    const struct timeval patience = {.tv_sec = LAST_WORDS_S};

    (void)fcntl(FD_DAEMON, F_SETFL, 0);
    (void)setsockopt(FD_DAEMON, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    (void)outbox_flush(&server->outbox, FD_DAEMON);
}

int launcher_main(int fd)
{
    static struct server server; /* one process, one launcher; several kilobytes */
    int r;

    if (detach(fd) != 0) {
        return 1;
    }
    r = run(&server);
    say_last_words(&server);
    if (server.has_cgroups) {
        cgroups_close(&server.cells.cgroups);
    }
    outbox_fini(&server.outbox);
    return r;
}
