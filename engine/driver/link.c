#include "engine/driver/link.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/err.h"

/* A buffer that had to grow further for one large message is given back. */
#define OUT_KEPT_MAX ((size_t)1024 * 1024)

static void on_poll(uv_poll_t *poll, int status, int events);

static void set_polled(struct link *link, int events)
{
    if (events == link->polled) {
        return;
    }
    link->polled = events;
    if (events == 0) {
        (void)uv_poll_stop(&link->poll);
    } else {
        (void)uv_poll_start(&link->poll, events, on_poll);
    }
}

static void reset_out(struct link *link)
{
    link->out.len = 0;
    link->out_done = 0;
    if (link->out.cap > OUT_KEPT_MAX) {
        buf_fini(&link->out);
    }
}

void link_stop(struct link *link)
{
    link->is_reading = false;
    reset_out(link);
    turn_remove(&link->flush);
    set_polled(link, 0);
}

static void break_link(struct link *link, const char *problem)
{
    link_stop(link);
    link->events->on_broken(link, problem);
}

/* --- out ---------------------------------------------------------------------------- */

/* A write that fails is found again by reading: what the other side still said counts. */
static void write_out(struct link *link)
{
    size_t left = link->out.len - link->out_done;
    ssize_t n;

    do {
        n = send(link->fd, link->out.data + link->out_done, left, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN) {
        reset_out(link);
        set_polled(link, UV_READABLE);
        return;
    }
    link->out_done += (n > 0) ? (size_t)n : 0;
    if (link->out_done == link->out.len) {
        reset_out(link);
        set_polled(link, UV_READABLE);
    } else {
        set_polled(link, UV_READABLE | UV_WRITABLE);
    }
}

static void on_flush(struct turn_job *job)
{
    struct link *link = container_of(job, struct link, flush);

    if (link->out.failed) {
        break_link(link, "the daemon has no memory for what is to be sent");
    } else if (link->out.len - link->out_done > LINK_OUT_BYTES_MAX) {
        break_link(link, "it does not read what it is sent");
    } else if (link->out.len > 0) {
        write_out(link);
    }
}

/* What waits for the other side to read stays in front; it is moved once it has shrunk to half. */
static void make_room(struct link *link)
{
    if (link->out_done > OUT_KEPT_MAX && link->out_done > link->out.len / 2) {
        buf_consume(&link->out, link->out_done);
        link->out_done = 0;
    }
}

void link_send(struct link *link, enum wire_type type, uint64_t invocation, struct bytes body)
{
    if (!link->is_reading) {
        return;
    }
    make_room(link);
    frame_append(&link->out, type, invocation, body);
    if ((link->polled & UV_WRITABLE) == 0 || link->out.failed ||
        link->out.len - link->out_done > LINK_OUT_BYTES_MAX) {
        turn_add(link->turn, &link->flush);
    }
}

/* --- in ----------------------------------------------------------------------------- */

static void take_frames(struct link *link)
{
    struct frame frame;
    int r = 0;

    while (link->is_reading && (r = frame_reader_next(link->frames, &frame)) == 1) {
        link->events->on_frame(link, &frame);
    }
    if (link->is_reading && r < 0) {
        break_link(link, (r == ERR_NOMEM) ? "the daemon has no memory for a message"
                                          : "a frame is malformed or too large");
    }
}

/* Made by the environment's init before the program was there, so the first byte is never
 * the program's. A descriptor that a program sends later is never received: recv() lets
 * the kernel drop it. */
static bool read_door(struct link *link)
{
    char byte;
    struct iovec piece = {.iov_base = &byte, .iov_len = 1};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    ssize_t n = recvmsg(link->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *rights = (n == 1) ? CMSG_FIRSTHDR(&message) : NULL;
    int listener;

    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return errno == EINTR;
    }
    if (rights == NULL || rights->cmsg_type != SCM_RIGHTS ||
        rights->cmsg_len != CMSG_LEN(sizeof listener)) {
        break_link(link, (n == 0) ? NULL : "its Runtime API's socket did not come");
        return false;
    }
    link->awaits_door = false;
    memcpy(&listener, CMSG_DATA(rights), sizeof listener);
    link->events->on_door(link, listener);
    return true;
}

/* False when there is nothing more for now. */
static bool read_some(struct link *link)
{
    uint8_t *room;
    size_t len;
    ssize_t n;

    if (link->awaits_door) {
        return read_door(link);
    }
    len = frame_reader_room(link->frames, &room);
    n = recv(link->fd, room, len, MSG_DONTWAIT);

    if (n < 0 && errno == EINTR) {
        return true;
    }
    if (n < 0 && errno == EAGAIN) {
        return false;
    }
    if (n <= 0) {
        break_link(link, NULL);
        return false;
    }
    frame_reader_pushed(link->frames, (size_t)n);
    take_frames(link);
    return true;
}

/* Bounded by what a socket can hold: the program is dead. */
void link_drain(struct link *link)
{
    while (link->is_reading && read_some(link)) {
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct link *link = container_of(poll, struct link, poll);

    if (status < 0) { /* an error on the socket: libuv has stopped watching it */
        link->polled = 0;
        link_drain(link);
        return;
    }
    if ((events & UV_WRITABLE) != 0 && link->out.len > link->out_done) {
        write_out(link);
    }
    if ((events & UV_READABLE) != 0 && link->is_reading) {
        (void)read_some(link);
    }
}

/* --- beginning and end -------------------------------------------------------------- */

int link_init(struct link *link, uv_loop_t *loop, struct turn *turn, int fd, bool awaits_door,
              const struct link_events *events)
{
    int r = frame_reader_create(&link->frames);

    if (r != 0) {
        (void)close(fd);
        return r;
    }
    if (uv_poll_init(loop, &link->poll, fd) != 0) {
        frame_reader_destroy(link->frames);
        (void)close(fd);
        return ERR(ERR_SYSTEM, "watch an environment's socket");
    }
    link->events = events;
    link->turn = turn;
    link->fd = fd;
    link->is_reading = true;
    link->awaits_door = awaits_door;
    turn_job_init(&link->flush, on_flush);
    set_polled(link, UV_READABLE);
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct link *link = container_of(handle, struct link, poll);

    frame_reader_destroy(link->frames);
    buf_fini(&link->out);
    link->events->on_closed(link);
}

void link_close(struct link *link)
{
    link_stop(link);
    uv_close((uv_handle_t *)&link->poll, on_closed);
    (void)close(link->fd);
}
