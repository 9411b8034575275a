#include "runtime/cell.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "runtime/sandbox.h"

#define NAMESPACES                                                                                 \
    (unsigned long long)(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET |               \
                         CLONE_NEWIPC | CLONE_NEWUTS)
#define EMPTY_TRIES_MAX 400 /* ticks of 5 ms: two seconds, then the group is left behind */

#define BIT(state) (1u << (state))
static const unsigned cell_allowed[CELL_STATES] = {
    [CELL_SPARE] = BIT(CELL_STARTING) | BIT(CELL_EMPTYING),
    [CELL_STARTING] = BIT(CELL_RUNNING) | BIT(CELL_EMPTYING),
    [CELL_RUNNING] = BIT(CELL_EMPTYING),
    [CELL_EMPTYING] = 0,
};

static void cell_move(struct cell *cell, enum cell_state next)
{
    struct cells *cells = cell->cells;

    assert(cell_allowed[cell->state] & BIT(next));
    cells->spare_count -= (cell->state == CELL_SPARE) ? 1 : 0;
    cells->emptying_count += (next == CELL_EMPTYING) ? 1 : 0;
    cell->state = next;
}

/* --- the end -------------------------------------------------------------------------- */

static void describe_end(struct cell *cell, const struct cgroup_usage *usage)
{
    struct message *end = &cell->end;

    if (end->is_failed) {
        return; /* `text` names the step */
    }
    if (usage->oom_kills > 0 && end->signal == SIGKILL && !cell->is_killed) {
        end->is_oom = 1;
        (void)snprintf(end->text, sizeof end->text, "out of memory");
    } else if (!end->is_started) {
        (void)snprintf(end->text, sizeof end->text, "killed before it ran");
    } else if (end->signal != 0) {
        (void)snprintf(end->text, sizeof end->text, "killed by signal %d (%s)", end->signal,
                       strsignal(end->signal));
    } else {
        (void)snprintf(end->text, sizeof end->text, "exited with status %d", end->exit_status);
    }
}

static void report(struct cell *cell)
{
    struct cells *cells = cell->cells;

    cell->end.kind = MESSAGE_ENDED;
    cell->end.id = cell->id;
    list_remove(&cell->link);
    cells->count--;
    cells->emptying_count--;
    cgroup_close_fds(&cell->cgroup);
    if (cell->id != 0) {
        cells->events.on_ended(cells->arg, &cell->end);
    } else if (!cell->is_killed) {
        cells->events.on_spare_failed(cells->arg, cell->end.text);
    }
    mem_free(cell);
}

/* Nothing of it may be alive when its end is told, and a group that can be removed is
 * the proof. With namespaces this is so at once: the init was the last to go. */
static void try_report(struct cell *cell)
{
    struct cells *cells = cell->cells;

    if (cgroup_remove(&cells->cgroups, &cell->cgroup) != 0) {
        cgroup_kill(&cells->cgroups, &cell->cgroup);
        if (++cell->empty_tries < EMPTY_TRIES_MAX) {
            return;
        }
        log_warn("control group e%u does not become empty", cell->number);
    }
    report(cell);
}

void cells_tick(struct cells *cells)
{
    struct list *item = cells->live.next;

    while (item != &cells->live) {
        struct cell *cell = container_of(item, struct cell, link);

        item = item->next;
        if (cell->state == CELL_EMPTYING) {
            try_report(cell);
        }
    }
}

static void read_control(struct cell *cell);

static uint64_t micros(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000000u + (uint64_t)time->tv_usec;
}

static void on_dead(struct watch *watch, uint32_t events)
{
    struct cell *cell = container_of(watch, struct cell, pidfd);
    struct cells *cells = cell->cells;
    struct cgroup_usage usage;
    struct rusage rusage;
    int status;

    (void)events;
    if (wait4(cell->pid, &status, WNOHANG, &rusage) != cell->pid) {
        return;
    }
    read_control(cell);
    if (cell->end.exit_status < 0 && cell->end.signal == 0) { /* it could not say itself */
        cell->end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        cell->end.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    if (!cells->base->is_sandboxed) {
        (void)kill(-cell->pid, SIGKILL);
        cgroup_kill(&cells->cgroups, &cell->cgroup);
    }
    cgroup_read(&cells->cgroups, &cell->cgroup, &usage);
    describe_end(cell, &usage);
    cell->end.cpu_us = micros(&rusage.ru_utime) + micros(&rusage.ru_stime);
    cell->end.memory_peak = usage.memory_peak;
    watch_close(cells->loop, &cell->control);
    watch_close(cells->loop, &cell->pidfd);
    cell_move(cell, CELL_EMPTYING);
    try_report(cell);
}

/* --- what the init says --------------------------------------------------------------- */

static void note_started(struct cell *cell)
{
    if (cell->state == CELL_STARTING) {
        cell_move(cell, CELL_RUNNING);
        cell->end.is_started = 1;
        cell->cells->events.on_started(cell->cells->arg, cell);
    }
}

static void take_message(struct cell *cell, const struct message *message)
{
    switch (message->kind) {
    case MESSAGE_PREPARED:
        cell->is_prepared = true;
        cell->cells->events.on_prepared(cell->cells->arg);
        break;
    case MESSAGE_STARTED:
        note_started(cell);
        break;
    case MESSAGE_FAILED:
        cell->end.is_failed = 1;
        memcpy(cell->end.text, message->text, sizeof cell->end.text);
        break;
    case MESSAGE_EXITED:
        cell->end.exit_status = message->exit_status;
        cell->end.signal = message->signal;
        break;
    default:
        log_warn("an init sent message %u", message->kind);
    }
}

/* A program without isolation says nothing when it runs: exec closes its end. */
static void read_control(struct cell *cell)
{
    struct message message;
    struct message_fds fds;
    int r = 0;

    while (cell->control.fd >= 0 && r == 0) {
        r = message_receive(cell->control.fd, &message, &fds);
        if (r == 0) {
            message_fds_close(&fds);
            take_message(cell, &message);
        } else if (r == MESSAGE_E_GONE) {
            watch_close(cell->cells->loop, &cell->control);
            if (!cell->cells->base->is_sandboxed && !cell->end.is_failed) {
                note_started(cell);
            }
        }
    }
}

static void on_control(struct watch *watch, uint32_t events)
{
    (void)events;
    read_control(container_of(watch, struct cell, control));
}

/* --- making one ----------------------------------------------------------------------- */

/* Numbers repeat after 2^32 cells at the earliest, users outside after 65,536: neither
 * may meet one that is still alive. */
static unsigned choose_number(struct cells *cells)
{
    struct list *item;

again:
    cells->next_number++;
    list_for_each (item, &cells->live) {
        const struct cell *cell = container_of(item, struct cell, link);

        if ((cell->number - cells->next_number) % BASE_OUTER_COUNT == 0) {
            goto again;
        }
    }
    return cells->next_number;
}

static pid_t clone_init(const struct cells *cells, const struct cgroup *cgroup, int *ret_pidfd)
{
    struct clone_args args = {
        .flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)ret_pidfd, .exit_signal = SIGCHLD};

    if (cells->base->is_sandboxed) {
        args.flags |= NAMESPACES;
    }
    if (cgroup->v2_dir >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (unsigned)cgroup->v2_dir;
    }
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

static void become_init(struct cell *cell, int control) __attribute__((noreturn));
static void become_init(struct cell *cell, int control)
{
    const struct sandbox_plan plan = {.base = cell->cells->base,
                                      .cgroup = &cell->cgroup,
                                      .control = control,
                                      .lock = cell->cells->lock,
                                      .is_data_limited =
                                          !cgroups_limit_memory(&cell->cells->cgroups)};

    if (cell->cells->base->is_sandboxed) {
        sandbox_main(&plan);
    }
    sandbox_main_plain(&plan);
}

static int watch_init(struct cell *cell, int control, int pidfd, struct failure *failure)
{
    int loop = cell->cells->loop;

    if (fcntl(control, F_SETFL, O_NONBLOCK) != 0 ||
        watch_add(loop, &cell->control, control, EPOLLIN, on_control) != 0) {
        (void)close(control);
        (void)close(pidfd);
        return failure_errno(failure, "watch an init");
    }
    if (watch_add(loop, &cell->pidfd, pidfd, EPOLLIN, on_dead) != 0) {
        (void)close(pidfd);
        return failure_errno(failure, "watch an init");
    }
    return 0;
}

static int admit(struct cell *cell, struct failure *failure)
{
    const struct base *base = cell->cells->base;
    const struct message mapped = {.kind = MESSAGE_MAPPED};
    int r = 0;

    if (!base->is_sandboxed) {
        return 0;
    }
    r = base_map_user(base, cell->pid, base_outer_user(base, cell->number), failure);
    if (r == 0 && message_send(cell->control.fd, &mapped, NULL, 0) != 0) {
        r = failure_errno(failure, "speak to an init");
    }
    return r;
}

/* Not yet on the list, so its end is of no interest to anybody. */
static void abandon(struct cell *cell)
{
    struct cells *cells = cell->cells;

    if (cell->pid > 0) {
        (void)kill(cell->pid, SIGKILL);
        watch_reap(cell->pid, NULL);
    }
    watch_close(cells->loop, &cell->control);
    watch_close(cells->loop, &cell->pidfd);
    cgroup_drop(&cells->cgroups, &cell->cgroup);
    mem_free(cell);
}

static int launch(struct cell *cell, struct failure *failure)
{
    int pair[2];
    int pidfd = -1;
    int r;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return failure_errno(failure, "make a socket");
    }
    cell->pid = clone_init(cell->cells, &cell->cgroup, &pidfd);
    if (cell->pid == 0) {
        become_init(cell, pair[1]);
    }
    (void)close(pair[1]);
    if (cell->pid < 0) {
        (void)close(pair[0]);
        return failure_errno(failure, "make a process in namespaces of its own");
    }
    r = watch_init(cell, pair[0], pidfd, failure);
    return (r == 0) ? admit(cell, failure) : r;
}

static int cell_create(struct cells *cells, struct cell **ret_cell, struct failure *failure)
{
    struct cell *cell;
    int r;

    if (cells->count >= CELLS_MAX) {
        return failure_text(failure, "there are %d environments already", CELLS_MAX);
    }
    cell = mem_calloc(1, sizeof *cell);
    if (cell == NULL) {
        return failure_text(failure, "out of memory");
    }
    cell->cells = cells;
    cell->state = CELL_SPARE;
    cell->control.fd = -1;
    cell->pidfd.fd = -1;
    cell->end.exit_status = -1;
    cell->number = choose_number(cells);
    if (cgroup_make(&cells->cgroups, &cell->cgroup, cell->number) != 0) {
        r = failure_errno(failure, "make a control group");
    } else {
        r = launch(cell, failure);
    }
    if (r != 0) {
        abandon(cell);
        return r;
    }
    list_push_back(&cells->live, &cell->link);
    cells->count++;
    cells->spare_count++;
    *ret_cell = cell;
    return 0;
}

int cells_add_spare(struct cells *cells, struct failure *failure)
{
    struct cell *cell;

    return cell_create(cells, &cell, failure);
}

/* --- starting and killing ------------------------------------------------------------- */

/* The oldest: it has had the most time to get ready. */
static struct cell *find_spare(const struct cells *cells)
{
    struct list *item;

    list_for_each (item, &cells->live) {
        struct cell *cell = container_of(item, struct cell, link);

        if (cell->state == CELL_SPARE && !cell->is_killed && !cell->end.is_failed) {
            return cell;
        }
    }
    return NULL;
}

static int set_limits(const struct cell *cell, const struct request_limits *limits,
                      struct failure *failure)
{
    const struct cgroup_limits wanted = {.memory_bytes = (uint64_t)limits->memory_mb << 20,
                                         .pids_max = limits->pids_max,
                                         .cpu_percent = limits->cpu_percent};

    if (cgroup_limit(&cell->cells->cgroups, &cell->cgroup, &wanted) != 0) {
        return failure_errno(failure, "limit the control group");
    }
    return 0;
}

/* A kill is not waited for; the end is noticed like any other. */
static void cell_kill(struct cell *cell)
{
    cell->is_killed = true;
    if (cell->state == CELL_EMPTYING) {
        return;
    }
    (void)syscall(SYS_pidfd_send_signal, cell->pidfd.fd, SIGKILL, NULL, 0);
    cgroup_kill(&cell->cells->cgroups, &cell->cgroup);
    if (!cell->cells->base->is_sandboxed) {
        (void)kill(-cell->pid, SIGKILL);
    }
}

int cells_start(struct cells *cells, const struct order *order, struct failure *failure)
{
    const struct message go = {.kind = MESSAGE_GO};
    struct cell *cell = cells->base->is_sandboxed ? find_spare(cells) : NULL;
    int r = 0;

    if (cell == NULL) {
        r = cell_create(cells, &cell, failure);
    }
    if (r != 0) {
        return r;
    }
    r = set_limits(cell, &order->request.limits, failure);
    if (r == 0 && message_send(cell->control.fd, &go, order->fds, order->fd_count) != 0) {
        r = failure_errno(failure, "speak to an init");
    }
    if (r != 0) {
        cell_kill(cell);
        return r;
    }
    cell_move(cell, CELL_STARTING);
    cell->id = order->id;
    (void)snprintf(cell->code, sizeof cell->code, "%s", order->request.code);
    (void)snprintf(cell->layers, sizeof cell->layers, "%s", order->request.layers);
    return 0;
}

void cells_kill(struct cells *cells, uint64_t id)
{
    struct list *item;

    list_for_each (item, &cells->live) {
        struct cell *cell = container_of(item, struct cell, link);

        if (cell->id == id) {
            cell_kill(cell);
            return;
        }
    }
}

void cells_kill_all(struct cells *cells)
{
    struct list *item;

    list_for_each (item, &cells->live) {
        cell_kill(container_of(item, struct cell, link));
    }
}

bool cells_use_code(const struct cells *cells, const char *code)
{
    struct list *item;

    list_for_each (item, &cells->live) {
        const struct cell *cell = container_of(item, struct cell, link);

        if (strcmp(cell->code, code) == 0 || strcmp(cell->layers, code) == 0) {
            return true;
        }
    }
    return false;
}
