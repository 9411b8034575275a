#include "runtime/message.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"

union fd_space {
    char bytes[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
    struct cmsghdr align;
};

static void add_fds(struct msghdr *header, union fd_space *space, const int *fds, size_t fd_count)
{
    struct cmsghdr *cmsg;

    memset(space, 0, sizeof *space);
    header->msg_control = space->bytes;
    header->msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
    cmsg = CMSG_FIRSTHDR(header);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
    memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * fd_count);
}

/* The kernel has no memory for it now, or too many descriptors are on their way: nobody is
 * gone. A socket that blocks does not say AGAIN, and these are as rare as they are short. */
static bool is_passing(int error)
{
    return error == EAGAIN || error == ETOOMANYREFS || error == ENOBUFS || error == ENOMEM;
}

int message_send(int fd, const struct message *message, const int *fds, size_t fd_count)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)message, .iov_len = sizeof *message};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
    union fd_space space;
    ssize_t n;

    assert(fd_count <= MESSAGE_FDS_MAX);
    if (fd_count > 0) {
        add_fds(&header, &space, fds, fd_count);
    }
    do {
        n = sendmsg(fd, &header, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return is_passing(errno) ? MESSAGE_E_AGAIN : MESSAGE_E_GONE;
    }
    return 0;
}

static void take_fds(struct msghdr *header, struct message_fds *fds)
{
    struct cmsghdr *cmsg;

    for (cmsg = CMSG_FIRSTHDR(header); cmsg != NULL; cmsg = CMSG_NXTHDR(header, cmsg)) {
        if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS) {
            size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

            assert(fds->count + count <= MESSAGE_FDS_MAX); /* the space holds no more */
            memcpy(fds->fds + fds->count, CMSG_DATA(cmsg), count * sizeof(int));
            fds->count += count;
        }
    }
}

int message_receive(int fd, struct message *ret_message, struct message_fds *ret_fds)
{
    struct iovec iov = {.iov_base = ret_message, .iov_len = sizeof *ret_message};
    union fd_space space;
    struct msghdr header = {.msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = space.bytes,
                            .msg_controllen = sizeof space.bytes};
    ssize_t n;

    ret_fds->count = 0;
    do {
        n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return is_passing(errno) ? MESSAGE_E_AGAIN : MESSAGE_E_GONE;
    }
    take_fds(&header, ret_fds);
    if (n != sizeof *ret_message || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        message_fds_close(ret_fds);
        return MESSAGE_E_GONE;
    }
    ret_message->text[MESSAGE_TEXT_MAX - 1] = '\0';
    return 0;
}

void message_fds_close(struct message_fds *fds)
{
    for (size_t i = 0; i < fds->count; i++) {
        if (fds->fds[i] >= 0) {
            (void)close(fds->fds[i]);
        }
    }
    fds->count = 0;
}

int message_fds_take(struct message_fds *fds, size_t index)
{
    int fd;

    assert(index < fds->count);
    fd = fds->fds[index];
    fds->fds[index] = -1;
    return fd;
}

struct waiting {
    struct list link;
    struct message message;
    struct message_fds fds;
};

void outbox_init(struct outbox *outbox)
{
    list_init(&outbox->waiting);
    outbox->count = 0;
}

static void drop_first(struct outbox *outbox)
{
    struct waiting *first = container_of(outbox->waiting.next, struct waiting, link);

    assert(outbox->count > 0);
    list_remove(&first->link);
    message_fds_close(&first->fds);
    mem_free(first);
    outbox->count--;
}

void outbox_fini(struct outbox *outbox)
{
    while (outbox->count > 0) {
        drop_first(outbox);
    }
}

static int queue(struct outbox *outbox, const struct message *message, struct message_fds *fds)
{
    struct waiting *item;

    if (outbox->count == OUTBOX_MAX) {
        return ERR(ERR_LIMIT, "%d messages wait for the other side", OUTBOX_MAX);
    }
    item = mem_calloc(1, sizeof *item);
    if (item == NULL) {
        return ERR(ERR_NOMEM, "queue a message");
    }
    item->message = *message;
    item->fds = *fds;
    fds->count = 0;
    list_push_back(&outbox->waiting, &item->link);
    outbox->count++;
    return 0;
}

int outbox_put(struct outbox *outbox, int fd, const struct message *message, const int *fds,
               size_t fd_count)
{
    struct message_fds mine = {.count = fd_count};
    int r = MESSAGE_E_AGAIN;

    assert(fd_count <= MESSAGE_FDS_MAX);
    if (fd_count > 0) {
        memcpy(mine.fds, fds, fd_count * sizeof *fds);
    }
    if (outbox_is_empty(outbox)) {
        r = message_send(fd, message, fds, fd_count);
    }
    if (r == MESSAGE_E_AGAIN) {
        r = queue(outbox, message, &mine);
    }
    message_fds_close(&mine);
    return r;
}

int outbox_flush(struct outbox *outbox, int fd)
{
    while (outbox->count > 0) {
        struct waiting *first = container_of(outbox->waiting.next, struct waiting, link);
        int r = message_send(fd, &first->message, first->fds.fds, first->fds.count);

        if (r != 0) {
            return r;
        }
        drop_first(outbox);
    }
    return 0;
}
