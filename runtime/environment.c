#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "runtime/client.h"
#include "runtime/request.h"

static uint64_t hash_of(uint64_t id)
{
    return id * 0x9e3779b97f4a7c15u;
}

static struct environment *find(const struct launcher *launcher, uint64_t id)
{
    struct table_node *node = table_first(&launcher->environments, hash_of(id));

    while (node != NULL) {
        struct environment *environment = container_of(node, struct environment, node);

        if (environment->id == id) {
            return environment;
        }
        node = table_next(node);
    }
    return NULL;
}

/* --- starting ------------------------------------------------------------------------- */

struct ends {
    int mine[2];
    int theirs[2];
};

static void close_ends(struct ends *ends)
{
    for (int i = 0; i < 2; i++) {
        if (ends->mine[i] >= 0) {
            (void)close(ends->mine[i]);
        }
        if (ends->theirs[i] >= 0) {
            (void)close(ends->theirs[i]);
        }
    }
}

/* Theirs stay blocking: the program is ordinary. */
static int open_ends(struct ends *ends)
{
    int pair[2];
    int pipe[2];

    *ends = (struct ends){{-1, -1}, {-1, -1}};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return ERR(ERR_SYSTEM, "socketpair: %s", strerror(errno));
    }
    ends->mine[0] = pair[0];
    ends->theirs[0] = pair[1];
    if (pipe2(pipe, O_CLOEXEC) != 0) {
        return ERR(ERR_SYSTEM, "pipe: %s", strerror(errno));
    }
    ends->mine[1] = pipe[0];
    ends->theirs[1] = pipe[1];
    if (fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0 || fcntl(pipe[0], F_SETFL, O_NONBLOCK) != 0) {
        return ERR(ERR_SYSTEM, "fcntl: %s", strerror(errno));
    }
    return 0;
}

/* The request and the other ends travel to the launcher. */
static int send_start(struct environment *environment, const struct environment_spec *spec,
                      struct ends *ends)
{
    const struct message message = {.kind = MESSAGE_START, .id = environment->id};
    int fds[3];
    int memfd = request_write(spec);

    if (memfd < 0) {
        return memfd;
    }
    fds[0] = memfd;
    fds[1] = ends->theirs[0];
    fds[2] = ends->theirs[1];
    ends->theirs[0] = -1;
    ends->theirs[1] = -1;
    return client_send(environment->launcher, &message, fds, 3);
}

static int open_and_send(struct environment *environment, const struct environment_spec *spec,
                         int ret_fds[2])
{
    struct ends ends;
    int r = open_ends(&ends);

    if (r == 0) {
        r = send_start(environment, spec, &ends);
    }
    if (r != 0) {
        close_ends(&ends);
        return r;
    }
    ret_fds[0] = ends.mine[0];
    ret_fds[1] = ends.mine[1];
    return 0;
}

int environment_start(struct environment **ret_environment, struct launcher *launcher,
                      const struct environment_spec *spec, int ret_fds[2], void *arg,
                      environment_end_cb on_end)
{
    struct environment *environment;
    int r;

    if (launcher->state != LAUNCHER_SERVING) {
        return ERR(ERR_SYSTEM, "the launcher is not there");
    }
    environment = mem_calloc(1, sizeof *environment);
    if (environment == NULL) {
        return ERR(ERR_NOMEM, "start an environment");
    }
    environment->launcher = launcher;
    environment->id = ++launcher->next_id;
    environment->pidfd = -1;
    environment->arg = arg;
    environment->on_end = on_end;
    r = table_insert(&launcher->environments, &environment->node, hash_of(environment->id));
    if (r != 0) {
        mem_free(environment);
        return r;
    }
    r = open_and_send(environment, spec, ret_fds);
    if (r != 0) {
        table_remove(&launcher->environments, &environment->node);
        mem_free(environment);
        return r;
    }
    *ret_environment = environment;
    return 0;
}

void environment_kill(struct environment *environment)
{
    const struct message message = {.kind = MESSAGE_KILL, .id = environment->id};
    struct launcher *launcher = environment->launcher;

    if (environment->is_ended || launcher->state != LAUNCHER_SERVING) {
        return; /* ended, or everything is being killed anyway */
    }
    (void)client_send(launcher, &message, NULL, 0);
}

pid_t environment_pid(const struct environment *environment)
{
    return environment->pid;
}

void environment_destroy(struct environment *environment)
{
    if (environment != NULL) {
        assert(environment->is_ended);
        mem_free(environment);
    }
}

/* --- what the launcher says ----------------------------------------------------------- */

void client_on_started(struct launcher *launcher, const struct message *message, int pidfd)
{
    struct environment *environment = find(launcher, message->id);

    if (environment == NULL || environment->pidfd >= 0) {
        if (pidfd >= 0) {
            (void)close(pidfd);
        }
        return;
    }
    environment->pid = message->pid;
    environment->pidfd = pidfd;
}

/* It may be destroyed in its callback. */
static void tell_end(struct environment *environment, const struct environment_end *end)
{
    table_remove(&environment->launcher->environments, &environment->node);
    if (environment->pidfd >= 0) {
        (void)close(environment->pidfd);
        environment->pidfd = -1;
    }
    environment->is_ended = true;
    environment->on_end(environment->arg, end);
}

void client_on_ended(struct launcher *launcher, const struct message *message)
{
    struct environment *environment = find(launcher, message->id);
    const struct environment_end end = {.is_started = message->is_started != 0,
                                        .is_oom = message->is_oom != 0,
                                        .exit_status = message->exit_status,
                                        .signal = message->signal,
                                        .cpu_us = message->cpu_us,
                                        .memory_peak = message->memory_peak,
                                        .text = message->text};

    if (environment != NULL) {
        tell_end(environment, &end);
    }
}

bool client_all_dead(const struct launcher *launcher)
{
    struct table_node *node = NULL;
    size_t bucket = 0;

    while ((node = table_walk(&launcher->environments, &bucket, node)) != NULL) {
        const struct environment *environment = container_of(node, struct environment, node);
        struct pollfd dead = {.fd = environment->pidfd, .events = POLLIN};

        if (environment->pidfd >= 0 && poll(&dead, 1, 0) == 0) {
            return false;
        }
    }
    return true;
}

/* --- archives ------------------------------------------------------------------------- */

struct unpack_request {
    struct list link;
    uint64_t id;
    int archives[LAUNCHER_ARCHIVES_MAX];
    size_t count; /* 0: sent */
    void *arg;
    launcher_unpack_cb cb;
    char code[REQUEST_NAME_MAX + 1];
};

static void end_unpack(struct unpack_request *request, const struct unpacked *unpacked)
{
    list_remove(&request->link);
    request->cb(request->arg, unpacked);
    mem_free(request);
}

static int send_unpack(struct launcher *launcher, struct unpack_request *request)
{
    struct message message = {.kind = MESSAGE_UNPACK, .id = request->id};
    size_t count = request->count;

    (void)snprintf(message.text, sizeof message.text, "%s", request->code);
    request->count = 0;
    return client_send(launcher, &message, request->archives, count);
}

static void send_waiting(struct launcher *launcher)
{
    while (launcher->unpack_count < CLIENT_UNPACKS_MAX &&
           !list_is_empty(&launcher->unpacks_waiting)) {
        struct unpack_request *request =
            container_of(launcher->unpacks_waiting.next, struct unpack_request, link);

        list_remove(&request->link);
        list_push_back(&launcher->unpacks, &request->link);
        if (send_unpack(launcher, request) == 0) {
            launcher->unpack_count++;
        } else {
            end_unpack(request, &(struct unpacked){.error = "the launcher cannot be reached"});
        }
    }
}

static void close_archives(const int *archives, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)close(archives[i]);
    }
}

int launcher_unpack(struct launcher *launcher, const char *code, int archive, void *arg,
                    launcher_unpack_cb cb)
{
    return launcher_unpack_all(launcher, code, &archive, 1, arg, cb);
}

int launcher_unpack_all(struct launcher *launcher, const char *code, const int *archives,
                        size_t count, void *arg, launcher_unpack_cb cb)
{
    struct unpack_request *request;
    int r;

    assert(count > 0 && count <= LAUNCHER_ARCHIVES_MAX);
    if (launcher->state != LAUNCHER_SERVING || !request_is_name(code)) {
        close_archives(archives, count);
        return ERR(ERR_INVALID, "unpack '%.80s': no launcher, or no such name", code);
    }
    request = mem_calloc(1, sizeof *request);
    if (request == NULL) {
        close_archives(archives, count);
        return ERR(ERR_NOMEM, "unpack an archive");
    }
    request->id = ++launcher->next_id;
    memcpy(request->archives, archives, count * sizeof *archives);
    request->count = count;
    request->arg = arg;
    request->cb = cb;
    (void)snprintf(request->code, sizeof request->code, "%s", code);
    if (launcher->unpack_count >= CLIENT_UNPACKS_MAX) {
        list_push_back(&launcher->unpacks_waiting, &request->link);
        return 0;
    }
    r = send_unpack(launcher, request);
    if (r != 0) {
        mem_free(request);
        return r;
    }
    list_push_back(&launcher->unpacks, &request->link);
    launcher->unpack_count++;
    return 0;
}

void client_on_unpacked(struct launcher *launcher, const struct message *message)
{
    struct list *item;

    list_for_each (item, &launcher->unpacks) {
        struct unpack_request *request = container_of(item, struct unpack_request, link);

        if (request->id == message->id) {
            const struct unpacked unpacked = {.error = message->is_failed ? message->text : NULL,
                                              .bytes = message->memory_peak,
                                              .was_there = message->is_started == 0};

            launcher->unpack_count--;
            end_unpack(request, &unpacked);
            send_waiting(launcher);
            return;
        }
    }
}

/* --- the end of all ------------------------------------------------------------------- */

static void end_unpacks(struct list *requests, const char *text)
{
    while (!list_is_empty(requests)) {
        struct unpack_request *request = container_of(requests->next, struct unpack_request, link);

        close_archives(request->archives, request->count);
        end_unpack(request, &(struct unpacked){.error = text});
    }
}

void client_end_all(struct launcher *launcher, const char *text)
{
    while (launcher->environments.count > 0) {
        size_t bucket = 0;
        struct table_node *node = table_walk(&launcher->environments, &bucket, NULL);
        struct environment *environment = container_of(node, struct environment, node);
        const struct environment_end end = {
            .is_started = environment->pid != 0, .exit_status = -1, .signal = 9, .text = text};

        tell_end(environment, &end);
    }
    end_unpacks(&launcher->unpacks, text);
    end_unpacks(&launcher->unpacks_waiting, text);
    launcher->unpack_count = 0;
}
