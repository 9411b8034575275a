#include "sdk/lib/out.h"

#include <errno.h>
#include <sys/socket.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"

/* More than this waits for the daemon to read: whoever brings more waits too. */
#define PENDING_MAX ((size_t)16 * 1024 * 1024)
/* A buffer that one large message has grown is given back. */
#define KEEP_MAX ((size_t)1024 * 1024)

int out_init(struct out *out, int fd)
{
    *out = (struct out){.fd = fd};
    if (pthread_mutex_init(&out->lock, NULL) != 0) {
        return ERR(ERR_SYSTEM, "mutex");
    }
    if (pthread_cond_init(&out->drained, NULL) != 0) {
        pthread_mutex_destroy(&out->lock);
        return ERR(ERR_SYSTEM, "condition");
    }
    return 0;
}

void out_fini(struct out *out)
{
    buf_fini(&out->pending);
    buf_fini(&out->writing);
    pthread_cond_destroy(&out->drained);
    pthread_mutex_destroy(&out->lock);
}

struct buf *out_lock(struct out *out)
{
    pthread_mutex_lock(&out->lock);
    while (out->pending.len > PENDING_MAX && out->is_writing && !out->is_broken) {
        pthread_cond_wait(&out->drained, &out->lock);
    }
    return &out->pending;
}

void out_unlock(struct out *out)
{
    /* A frame that was lost for want of memory leaves the stream without meaning. */
    if (out->pending.failed) {
        out->is_broken = true;
        (void)shutdown(out->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&out->lock);
}

static bool write_all(int fd, struct bytes bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return false;
        }
        bytes = bytes_of(bytes.data + n, bytes.len - (size_t)n);
    }
    return true;
}

/* Takes what is pending; false when there is nothing. */
static bool swap(struct out *out)
{
    struct buf empty = out->writing;

    if (out->pending.len == 0 || out->is_broken) {
        out->pending.len = 0;
        return false;
    }
    out->writing = out->pending;
    out->pending = empty;
    return true;
}

static void empty(struct buf *buf)
{
    if (buf->cap > KEEP_MAX) {
        buf_fini(buf);
    }
    buf->len = 0;
}

void out_flush(struct out *out)
{
    pthread_mutex_lock(&out->lock);
    if (out->is_writing) {
        pthread_mutex_unlock(&out->lock);
        return;
    }
    out->is_writing = true;
    while (swap(out)) {
        bool is_written;

        pthread_mutex_unlock(&out->lock);
        is_written = write_all(out->fd, buf_bytes(&out->writing));
        pthread_mutex_lock(&out->lock);
        empty(&out->writing);
        out->is_broken |= !is_written;
        pthread_cond_broadcast(&out->drained);
    }
    out->is_writing = false;
    pthread_mutex_unlock(&out->lock);
}

void out_break(struct out *out)
{
    pthread_mutex_lock(&out->lock);
    out->is_broken = true;
    pthread_cond_broadcast(&out->drained);
    pthread_mutex_unlock(&out->lock);
}
