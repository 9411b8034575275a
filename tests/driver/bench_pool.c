/* Invocations a second through the pool, with the program as a thread that answers
 * every INVOKE with COMPLETE: closed loop, so many at once. One JSON line a figure, with
 * the CPU that the loop's own thread took for one invocation; START, END and REPORT are
 * logged to a real directory. Beside it, what the sockets alone can do: the
 * same frames, without the pool, read and written by uv_pipe_t or by uv_poll_t. */
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/driver/pool.h"

#define CALLS_MAX 1024
#define PAYLOAD_BYTES 256

static double thread_seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- the program ------------------------------------------------------------------------ */

struct environment {
    int native;
    int output;
    pthread_t thread;
    struct environment_end end;
    void *arg;
    environment_end_cb on_end;
};

static uv_loop_t *loop;
static struct buf answer; /* an encoded COMPLETE */

static void echo(struct buf *out, struct frame_reader *frames)
{
    struct frame frame;

    while (frame_reader_next(frames, &frame) == 1) {
        frame_append(out, WIRE_COMPLETE, frame.invocation, buf_bytes(&answer));
    }
}

static void write_fully(int fd, struct buf *out)
{
    size_t done = 0;

    while (done < out->len) {
        ssize_t n = send(fd, out->data + done, out->len - done, MSG_NOSIGNAL);

        if (n <= 0) {
            break;
        }
        done += (size_t)n;
    }
    out->len = 0;
}

static void *run_program(void *arg)
{
    const struct environment *environment = arg;
    struct wire_hello hello = {.protocol = WIRE_PROTOCOL};
    struct frame_reader *frames;
    struct buf out = {0};
    size_t begun = frame_begin(&out, WIRE_HELLO, 0);
    ssize_t n;

    wire_put_hello(&out, &hello);
    frame_end(&out, begun);
    if (frame_reader_create(&frames) != 0) {
        abort();
    }
    do {
        uint8_t *room;
        size_t len;

        write_fully(environment->native, &out);
        len = frame_reader_room(frames, &room);
        n = recv(environment->native, room, len, 0);
        if (n > 0) {
            frame_reader_pushed(frames, (size_t)n);
            echo(&out, frames);
        }
    } while (n > 0);
    frame_reader_destroy(frames);
    buf_fini(&out);
    return NULL;
}

/* --- the launcher ------------------------------------------------------------------------- */

int environment_start(struct environment **ret_environment, struct launcher *launcher,
                      const struct environment_spec *spec, int ret_fds[2], void *arg,
                      environment_end_cb on_end)
{
    struct environment *environment = calloc(1, sizeof *environment);
    int pair[2];
    int pipe[2];

    (void)launcher;
    (void)spec;
    if (environment == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 ||
        pipe2(pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
        abort();
    }
    (void)fcntl(pair[0], F_SETFL, O_NONBLOCK);
    environment->native = pair[1];
    environment->output = pipe[1];
    environment->arg = arg;
    environment->on_end = on_end;
    ret_fds[0] = pair[0];
    ret_fds[1] = pipe[0];
    if (pthread_create(&environment->thread, NULL, run_program, environment) != 0) {
        abort();
    }
    *ret_environment = environment;
    return 0;
}

static void on_kill_timer(uv_timer_t *timer)
{
    struct environment *environment = timer->data;

    environment->end = (struct environment_end){.is_started = true, .signal = 9, .text = "killed"};
    environment->on_end(environment->arg, &environment->end);
    uv_close((uv_handle_t *)timer, (uv_close_cb)free);
}

void environment_kill(struct environment *environment)
{
    uv_timer_t *timer = calloc(1, sizeof *timer);

    if (timer == NULL) {
        abort();
    }
    (void)shutdown(environment->native, SHUT_RDWR);
    (void)pthread_join(environment->thread, NULL);
    timer->data = environment;
    (void)uv_timer_init(loop, timer);
    (void)uv_timer_start(timer, on_kill_timer, 0, 0);
}

pid_t environment_pid(const struct environment *environment)
{
    (void)environment;
    return 0;
}

void environment_destroy(struct environment *environment)
{
    if (environment != NULL) {
        (void)close(environment->native);
        (void)close(environment->output);
        free(environment);
    }
}

struct unpack {
    uv_timer_t timer;
    void *arg;
    function_ready_cb cb;
};

static void on_unpack_timer(uv_timer_t *timer)
{
    struct unpack *unpack = container_of(timer, struct unpack, timer);

    unpack->cb(unpack->arg, NULL);
    uv_close((uv_handle_t *)timer, (uv_close_cb)free);
}

int function_unpack(struct functions *functions, struct function_revision *revision, void *arg,
                    function_ready_cb cb)
{
    struct unpack *unpack = calloc(1, sizeof *unpack);

    (void)functions;
    (void)revision;
    if (unpack == NULL) {
        return ERR_NOMEM;
    }
    unpack->arg = arg;
    unpack->cb = cb;
    (void)uv_timer_init(loop, &unpack->timer);
    return uv_timer_start(&unpack->timer, on_unpack_timer, 0, 0);
}

void function_revision_ref(struct function_revision *revision)
{
    revision->references++;
}

void function_revision_unref(struct function_revision *revision)
{
    revision->references--;
}

/* --- through the pool ------------------------------------------------------------------------ */

static struct pool *pool;
static struct invocation calls[CALLS_MAX];
static struct function_revision revision;
static uint8_t payload[PAYLOAD_BYTES];
static long done;
static long wanted;
static int running;
static double started;

static void on_placed(struct invocation *invocation, uint64_t environment)
{
    (void)environment;
    invocation_send(pool, invocation, WIRE_INVOKE, bytes_of(payload, sizeof payload));
}

static void on_message(struct invocation *invocation, enum wire_type type, struct bytes body)
{
    (void)invocation;
    (void)type;
    (void)body;
}

static void on_ended(struct invocation *invocation, const struct invocation_end *end)
{
    if (!end->is_complete) {
        if (running > 0) {
            (void)fprintf(stderr, "%s: %s\n", end->error_type, end->error_message);
            exit(1);
        }
        return;
    }
    running--;
    if (++done + running < wanted) {
        invocation->request_id.bytes[7]++;
        running++;
        pool_invoke(pool, invocation);
    }
}

static void on_closed(void *arg)
{
    *(bool *)arg = true;
}

static void run_calls(int at_once, long count)
{
    static const struct invocation_events events = {
        .on_placed = on_placed, .on_message = on_message, .on_ended = on_ended};

    done = 0;
    wanted = count;
    for (int i = 0; i < at_once; i++) {
        calls[i] = (struct invocation){.revision = &revision, .events = &events};
        calls[i].request_id.bytes[15] = (uint8_t)i;
        running++;
        pool_invoke(pool, &calls[i]);
    }
    while (done < wanted) {
        (void)uv_run(loop, UV_RUN_ONCE);
    }
}

static void bench_pool(struct logs *logs, int environments, int concurrency, long count)
{
    static struct function function = {.name = "echo", .latest = &revision};
    struct pool_options options = {.environments_max = (uint32_t)environments,
                                   .environments_each_max = (uint32_t)environments,
                                   .waiting_max = 100000,
                                   .idle_ms = 300000,
                                   .init_ms = 10000,
                                   .grace_ms = 1000,
                                   .region = "us-east-1"};
    int at_once = environments * concurrency;
    bool is_closed = false;
    double cpu;
    double wall;

    revision = (struct function_revision){.function = &function, .qualifier = "$LATEST"};
    revision.config.concurrency = (uint32_t)concurrency;
    revision.config.timeout_s = 3;
    if (pool_create(&pool, loop, NULL, NULL, logs, &options) != 0) {
        exit(1);
    }
    run_calls(at_once, at_once * 10); /* warm */
    started = (double)uv_hrtime() / 1e9;
    cpu = thread_seconds();
    run_calls(at_once, count);
    cpu = thread_seconds() - cpu;
    wall = (double)uv_hrtime() / 1e9 - started;
    printf("{\"figure\":\"pool invocations\",\"environments\":%d,\"concurrency\":%d,\"per_s\":%.0f,"
           "\"loop_cpu_us_each\":%.2f}\n",
           environments, concurrency, (double)count / wall, cpu * 1e6 / (double)count);
    pool_close(pool, &is_closed, on_closed);
    while (!is_closed) {
        (void)uv_run(loop, UV_RUN_ONCE);
    }
}

/* --- the sockets alone -------------------------------------------------------------------------
 */

struct bare {
    union {
        uv_pipe_t pipe;
        uv_poll_t poll;
    };
    struct environment program;
    int fd;
    uint8_t room[64 * 1024];
    long left;
    struct buf out;
    struct buf frame;
};

/* Frames have one size here, so they need not be read to be counted. */
static void bare_take(struct bare *bare, ssize_t n)
{
    size_t frame_bytes = WIRE_HEADER_BYTES + answer.len;

    bare->left -= n;
    bare->out.len = 0;
    for (size_t i = 0; i < (size_t)n / frame_bytes + ((size_t)n % frame_bytes != 0); i++) {
        buf_append(&bare->out, bare->frame.data, bare->frame.len);
    }
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct bare *bare = handle->data;

    (void)size;
    *buf = uv_buf_init((char *)bare->room, sizeof bare->room);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct bare *bare = stream->data;
    uv_buf_t out;

    (void)buf;
    if (n > 0) {
        bare_take(bare, n);
        out = uv_buf_init((char *)bare->out.data, (unsigned)bare->out.len);
        (void)uv_try_write(stream, &out, 1);
    }
}

static void on_bare_poll(uv_poll_t *poll, int status, int events)
{
    struct bare *bare = poll->data;
    ssize_t n = recv(bare->fd, bare->room, sizeof bare->room, MSG_DONTWAIT);

    (void)status;
    (void)events;
    if (n > 0) {
        bare_take(bare, n);
        (void)send(bare->fd, bare->out.data, bare->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

static void bench_bare(bool is_pipe, int at_once, long count)
{
    struct bare *bare = calloc(1, sizeof *bare);
    size_t frame_bytes = WIRE_HEADER_BYTES + answer.len;
    int pair[2];
    double cpu;
    double wall;

    if (bare == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        abort();
    }
    (void)fcntl(pair[0], F_SETFL, O_NONBLOCK);
    bare->fd = pair[0];
    bare->program.native = pair[1];
    bare->left = count * (long)frame_bytes;
    frame_append(&bare->frame, WIRE_INVOKE, 1, bytes_of(payload, sizeof payload));
    for (int i = 0; i < at_once; i++) {
        buf_append(&bare->out, bare->frame.data, bare->frame.len);
    }
    if (is_pipe) {
        (void)uv_pipe_init(loop, &bare->pipe, 0);
        (void)uv_pipe_open(&bare->pipe, bare->fd);
        bare->pipe.data = bare;
        (void)uv_read_start((uv_stream_t *)&bare->pipe, on_alloc, on_read);
    } else {
        (void)uv_poll_init(loop, &bare->poll, bare->fd);
        bare->poll.data = bare;
        (void)uv_poll_start(&bare->poll, UV_READABLE, on_bare_poll);
    }
    (void)pthread_create(&bare->program.thread, NULL, run_program, &bare->program);
    wall = (double)uv_hrtime();
    cpu = thread_seconds();
    write_fully(bare->fd, &bare->out);
    while (bare->left > 0) {
        (void)uv_run(loop, UV_RUN_ONCE);
    }
    cpu = thread_seconds() - cpu;
    wall = ((double)uv_hrtime() - wall) / 1e9;
    printf("{\"figure\":\"bare %s\",\"at_once\":%d,\"per_s\":%.0f,\"loop_cpu_us_each\":%.2f}\n",
           is_pipe ? "uv_pipe_t" : "uv_poll_t", at_once, (double)count / wall,
           cpu * 1e6 / (double)count);
    (void)shutdown(bare->fd, SHUT_RDWR);
    (void)pthread_join(bare->program.thread, NULL);
    uv_close(is_pipe ? (uv_handle_t *)&bare->pipe : (uv_handle_t *)&bare->poll, NULL);
    while (uv_run(loop, UV_RUN_ONCE) != 0) {
    }
    (void)close(pair[1]);
    buf_fini(&bare->out);
    buf_fini(&bare->frame);
    free(bare);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int main(int argc, char **argv)
{
    long count = (argc > 1) ? strtol(argv[1], NULL, 10) : 200000;
    struct wire_complete complete = {.outcome = WIRE_OUTCOME_SUCCEEDED, .has_payload = true};
    char dir[] = "/tmp/pawl-bench-XXXXXX";
    struct logs *logs;

    loop = uv_default_loop();
    complete.payload = bytes_of(payload, sizeof payload);
    wire_put_complete(&answer, &complete);
    for (int round = 0; round < 2; round++) {
        bench_bare(true, 1, count / 4);
        bench_bare(false, 1, count / 4);
        bench_bare(true, 64, count);
        bench_bare(false, 64, count);
    }
    if (mkdtemp(dir) == NULL || logs_open(&logs, loop, dir, 64U << 20) != 0) {
        return 1;
    }
    bench_pool(logs, 1, 1, count / 4);
    bench_pool(logs, 4, 1, count / 4);
    bench_pool(logs, 1, 64, count);
    bench_pool(logs, 4, 64, count);
    logs_close(logs);
    (void)uv_run(loop, UV_RUN_DEFAULT);
    buf_fini(&answer);
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
