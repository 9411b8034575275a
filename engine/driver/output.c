#include "engine/driver/output.h"

#include <errno.h>
#include <unistd.h>

#include "engine/base/err.h"

#define DRAIN_READS_MAX 4 /* a pipe holds 64 KiB */

static void flush_line(struct output *output)
{
    output->events->on_line(output, buf_bytes(&output->line));
    output->line.len = 0;
    output->line.failed = false;
}

/* Whole lines are handed on in place; only a rest is copied. */
static void take(struct output *output, struct bytes text)
{
    while (text.len > 0) {
        const uint8_t *feed = memchr(text.data, '\n', text.len);
        size_t len = (feed != NULL) ? (size_t)(feed - text.data) : text.len;

        if (output->line.len == 0 && feed != NULL && len <= OUTPUT_LINE_MAX) {
            output->events->on_line(output, bytes_of(text.data, len));
        } else {
            size_t room = OUTPUT_LINE_MAX - output->line.len;

            feed = (len <= room) ? feed : NULL;
            len = (len <= room) ? len : room;
            buf_append(&output->line, text.data, len);
            if (feed != NULL || output->line.failed || output->line.len == OUTPUT_LINE_MAX) {
                flush_line(output);
            }
        }
        len += (feed != NULL) ? 1 : 0;
        text = bytes_of(text.data + len, text.len - len);
    }
}

static void stop(struct output *output)
{
    if (output->is_open) {
        output->is_open = false;
        (void)uv_poll_stop(&output->poll);
    }
}

/* False when there is nothing more for now. */
static bool read_some(struct output *output)
{
    uint8_t room[64 * 1024];
    ssize_t n = read(output->fd, room, sizeof room);

    if (n < 0 && errno == EINTR) {
        return true;
    }
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) {
            stop(output);
        }
        return false;
    }
    take(output, bytes_of(room, (size_t)n));
    return true;
}

void output_drain(struct output *output)
{
    for (int i = 0; i < DRAIN_READS_MAX && output->is_open && read_some(output); i++) {
    }
    if (output->line.len > 0) {
        flush_line(output);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct output *output = container_of(poll, struct output, poll);

    (void)status;
    (void)events;
    (void)read_some(output);
}

int output_init(struct output *output, uv_loop_t *loop, int fd, const struct output_events *events)
{
    if (uv_poll_init(loop, &output->poll, fd) != 0) {
        (void)close(fd);
        return ERR(ERR_SYSTEM, "watch an environment's output");
    }
    output->events = events;
    output->fd = fd;
    output->is_open = true;
    (void)uv_poll_start(&output->poll, UV_READABLE, on_poll);
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct output *output = container_of(handle, struct output, poll);

    buf_fini(&output->line);
    output->events->on_closed(output);
}

void output_close(struct output *output)
{
    stop(output);
    uv_close((uv_handle_t *)&output->poll, on_closed);
    (void)close(output->fd);
}
