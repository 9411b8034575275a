#include "sdk/lib/service.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "sdk/lib/invocation.h"

/* Ticks without an invocation after which the flusher rests. */
#define IDLE_TICKS_MAX 100U

/* --- the flusher ------------------------------------------------------------------ */

static void tick(struct service *service)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += service->options.tick_ms / 1000;
    until.tv_nsec += (long)(service->options.tick_ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(&service->changed, &service->lock, &until);
}

/* Under the lock. */
static void flush_all(struct service *service)
{
    struct table_node *node = NULL;
    bool has_sent = false;
    size_t bucket = 0;

    while ((node = table_walk(&service->invocations, &bucket, node)) != NULL) {
        has_sent |= invocation_send_old(container_of(node, struct invocation, by_number));
    }
    if (has_sent) {
        pthread_mutex_unlock(&service->lock);
        out_flush(&service->out);
        pthread_mutex_lock(&service->lock);
    }
}

static void *run_flusher(void *arg)
{
    struct service *service = arg;
    unsigned idle = 0;

    pthread_mutex_lock(&service->lock);
    while (!service->is_closing) {
        idle = (service->invocations.count > 0) ? 0 : idle + 1;
        if (idle > IDLE_TICKS_MAX) {
            service->is_flusher_resting = true;
            while (service->is_flusher_resting && !service->is_closing) {
                pthread_cond_wait(&service->changed, &service->lock);
            }
            idle = 0;
        }
        tick(service);
        flush_all(service);
    }
    pthread_mutex_unlock(&service->lock);
    return NULL;
}

/* --- the reader ------------------------------------------------------------------- */

struct reader {
    struct service *service;
    struct frame_reader *frames;
    struct arena arena;
};

static int on_frame(struct reader *reader, const struct frame *frame)
{
    struct invocation *inv;

    if (frame->type == WIRE_INVOKE) {
        return invocation_start(reader->service, frame->invocation, frame->body);
    }
    if (frame->type < WIRE_INVOKE) {
        return ERR(ERR_PROTOCOL, "a message of type %d from the daemon", (int)frame->type);
    }
    inv = invocation_ref(reader->service, frame->invocation);
    if (inv == NULL) {
        return 0; /* it has ended meanwhile */
    }
    if (frame->type == WIRE_CHECKPOINTED) {
        invocation_on_checkpointed(inv, &reader->arena, frame->body);
        arena_reset(&reader->arena);
    } else if (frame->type == WIRE_NOTICE) {
        invocation_on_notice(inv);
    } else {
        invocation_fence(inv);
    }
    invocation_unref(inv);
    return 0;
}

static int take_frames(struct reader *reader)
{
    struct frame frame;
    int r;

    while ((r = frame_reader_next(reader->frames, &frame)) == 1) {
        r = on_frame(reader, &frame);
        if (r != 0) {
            return r;
        }
    }
    return (r == 0) ? 0 : ERR(r, "reading from the daemon");
}

static int read_all(struct reader *reader)
{
    int r = 0;

    while (r == 0) {
        uint8_t *room;
        size_t len = frame_reader_room(reader->frames, &room);
        ssize_t n = recv(reader->service->out.fd, room, len, 0);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return 0; /* the daemon has gone */
        }
        frame_reader_pushed(reader->frames, (size_t)n);
        r = take_frames(reader);
    }
    return r;
}

static int run_reader(struct service *service)
{
    struct reader reader = {.service = service};
    int r = frame_reader_create(&reader.frames);

    if (r != 0) {
        return r;
    }
    frame_reader_allow(reader.frames, WIRE_STATE_BYTES_MAX);
    arena_init(&reader.arena, 0);
    r = read_all(&reader);
    arena_fini(&reader.arena);
    frame_reader_destroy(reader.frames);
    return r;
}

/* --- the service ------------------------------------------------------------------ */

static void say_hello(struct service *service)
{
    struct wire_hello hello = {.protocol = WIRE_PROTOCOL,
                               .sdk = bytes_of_text("libpawl/" PAWL_VERSION)};
    struct buf *buf = out_lock(&service->out);
    size_t begun = frame_begin(buf, WIRE_HELLO, 0);

    wire_put_hello(buf, &hello);
    frame_end(buf, begun);
    out_unlock(&service->out);
    out_flush(&service->out);
}

static int init_lock(struct service *service)
{
    pthread_condattr_t attr;
    int r;

    if (pthread_mutex_init(&service->lock, NULL) != 0) {
        return ERR(ERR_SYSTEM, "mutex");
    }
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    r = pthread_cond_init(&service->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (r != 0) {
        pthread_mutex_destroy(&service->lock);
        return ERR(ERR_SYSTEM, "condition");
    }
    return 0;
}

static void fini_lock(struct service *service)
{
    table_fini(&service->invocations);
    pthread_cond_destroy(&service->changed);
    pthread_mutex_destroy(&service->lock);
}

static int init_parts(struct service *service, int fd)
{
    int r = init_lock(service);

    if (r != 0) {
        return r;
    }
    r = out_init(&service->out, fd);
    if (r != 0) {
        fini_lock(service);
        return r;
    }
    r = pool_init(&service->pool);
    if (r != 0) {
        out_fini(&service->out);
        fini_lock(service);
        return r;
    }
    r = cache_init(&service->cache, service->options.cache_bytes_max);
    if (r != 0) {
        pool_fini(&service->pool);
        out_fini(&service->out);
        fini_lock(service);
    }
    return r;
}

/* Nobody is left to answer to: what runs finds itself fenced. */
static void fence_all(struct service *service)
{
    struct table_node *node = NULL;
    size_t bucket = 0;

    pthread_mutex_lock(&service->lock);
    service->is_closing = true;
    pthread_cond_signal(&service->changed);
    while ((node = table_walk(&service->invocations, &bucket, node)) != NULL) {
        invocation_fence(container_of(node, struct invocation, by_number));
    }
    pthread_mutex_unlock(&service->lock);
}

static void fini_parts(struct service *service)
{
    pool_fini(&service->pool);
    cache_fini(&service->cache);
    out_fini(&service->out);
    fini_lock(service);
}

int service_run(int fd, const struct service_options *options)
{
    struct service service = {.options = *options};
    int r = init_parts(&service, fd);

    if (r != 0) {
        return r;
    }
    if (pthread_create(&service.flusher, NULL, run_flusher, &service) != 0) {
        r = ERR(ERR_SYSTEM, "thread");
    } else {
        say_hello(&service);
        r = run_reader(&service);
        if (options->is_to_death) {
            _exit((r == 0) ? 0 : 1);
        }
        out_break(&service.out);
        fence_all(&service);
        pthread_join(service.flusher, NULL);
    }
    fini_parts(&service);
    (void)close(fd);
    return r;
}
