/* What daemon, launcher and environment inits say to each other: messages of one
 * fixed size over SOCK_SEQPACKET, with descriptors beside them. Nothing in a message
 * has a length to get wrong; what varies in size travels in a sealed memfd.
 *
 *   daemon   -> launcher  HELLO START KILL UNPACK
 *   launcher -> daemon    READY STARTED ENDED UNPACKED
 *   launcher -> init      MAPPED GO
 *   init     -> launcher  PREPARED STARTED FAILED EXITED */
#ifndef RUNTIME_MESSAGE_H
#define RUNTIME_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/list.h"

enum message_kind {
    MESSAGE_HELLO = 1, /* memfd: options */
    MESSAGE_READY,     /* text: the summary, or with is_failed what is missing */
    MESSAGE_START,     /* memfd: start request; the program's socket; its output */
    MESSAGE_STARTED,   /* pid and, to the daemon, a pidfd */
    MESSAGE_KILL,
    MESSAGE_ENDED,
    MESSAGE_UNPACK,   /* memfds: archives; text: code */
    MESSAGE_UNPACKED, /* text: what is wrong with it, if is_failed; memory_peak: bytes of its
                         files; is_started: it was not there before */
    MESSAGE_MAPPED,   /* its user namespace has its user */
    MESSAGE_GO,       /* as START, and then mounts: the code, each grant */
    MESSAGE_PREPARED,
    MESSAGE_FAILED, /* text: the step and its error */
    MESSAGE_EXITED, /* exit_status, signal of the program */
};

#define MESSAGE_TEXT_MAX 256
#define MESSAGE_FDS_MAX 40

struct message {
    uint32_t kind;
    int32_t pid;
    uint64_t id; /* chosen by the daemon, never used twice */
    int32_t exit_status;
    int32_t signal;
    uint32_t is_started;
    uint32_t is_oom;
    uint32_t is_failed;
    uint32_t reserved;
    uint64_t cpu_us;
    uint64_t memory_peak;
    char text[MESSAGE_TEXT_MAX];
};

struct message_fds {
    int fds[MESSAGE_FDS_MAX];
    size_t count;
};

#define MESSAGE_E_AGAIN 1 /* nothing to read, or no room to write: wait for the socket */
#define MESSAGE_E_GONE 2  /* the other side has closed or does not speak this language */

/* The descriptors stay the caller's. */
int message_send(int fd, const struct message *message, const int *fds, size_t fd_count);

/* The received descriptors become the caller's; they are close-on-exec. `text` ends
 * with a zero byte. Blocks if `fd` does. */
int message_receive(int fd, struct message *ret_message, struct message_fds *ret_fds);

void message_fds_close(struct message_fds *fds);

/* Takes descriptor `index` out, so that message_fds_close() leaves it open. */
int message_fds_take(struct message_fds *fds, size_t index);

/* Messages that wait for room in a socket, in order. At most OUTBOX_MAX. */
#define OUTBOX_MAX 65536

struct outbox {
    struct list waiting;
    size_t count;
};

void outbox_init(struct outbox *outbox);
void outbox_fini(struct outbox *outbox);

static inline bool outbox_is_empty(const struct outbox *outbox)
{
    return outbox->count == 0;
}

/* Sends now if nothing waits, else queues. `fds` are taken over and closed in either
 * case. 0, ERR_NOMEM, ERR_LIMIT, or MESSAGE_E_GONE. */
int outbox_put(struct outbox *outbox, int fd, const struct message *message, const int *fds,
               size_t fd_count);

/* Sends what it can: 0 when all is gone out, MESSAGE_E_AGAIN, MESSAGE_E_GONE. */
int outbox_flush(struct outbox *outbox, int fd);

#endif /* RUNTIME_MESSAGE_H */
