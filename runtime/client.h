/* The daemon's side of the launcher, shared by launcher.c (the process and the socket)
 * and environment.c (what goes over it). Everything belongs to the loop's thread. */
#ifndef RUNTIME_CLIENT_H
#define RUNTIME_CLIENT_H

#include <uv.h>

#include "engine/base/list.h"
#include "engine/base/table.h"
#include "runtime/launcher.h"
#include "runtime/message.h"

/*  STARTED --attach--> SERVING --close--> CLOSING --> GONE --close--> CLOSED
 *                         |                             ^
 *                         +--the launcher dies--> LOST -+   */
enum launcher_state {
    LAUNCHER_STARTED,
    LAUNCHER_SERVING,
    LAUNCHER_CLOSING,
    LAUNCHER_LOST,
    LAUNCHER_GONE,
    LAUNCHER_CLOSED,
    LAUNCHER_STATES
};

#define CLIENT_UNPACKS_MAX 32 /* at the launcher; the others wait here */

struct launcher {
    enum launcher_state state;
    pid_t pid; /* -1: reaped */
    int fd;
    char summary[MESSAGE_TEXT_MAX];
    char lock_path[600];
    uv_loop_t *loop;
    uv_poll_t poll;
    uv_timer_t timer;
    int open_handles;
    unsigned ticks;
    uint64_t next_id;
    struct outbox outbox;
    struct table environments; /* by id, until their end is told */
    struct list unpacks;       /* sent */
    struct list unpacks_waiting;
    size_t unpack_count;
    void *arg;
    launcher_lost_cb on_lost;
    void *close_arg;
    launcher_close_cb close_cb;
};

struct environment {
    struct table_node node;
    struct launcher *launcher;
    uint64_t id;
    pid_t pid;
    int pidfd; /* of its init; -1 until it runs */
    bool is_ended;
    void *arg;
    environment_end_cb on_end;
};

/* Sends now or when the socket has room. Takes `fds` over. */
int client_send(struct launcher *launcher, const struct message *message, const int *fds,
                size_t fd_count);

/* What the launcher says about environments and archives. */
void client_on_started(struct launcher *launcher, const struct message *message, int pidfd);
void client_on_ended(struct launcher *launcher, const struct message *message);
void client_on_unpacked(struct launcher *launcher, const struct message *message);

/* Is every environment whose pidfd we have dead? */
bool client_all_dead(const struct launcher *launcher);

/* Ends everything that is still open: the launcher is gone. */
void client_end_all(struct launcher *launcher, const char *text);

#endif /* RUNTIME_CLIENT_H */
