#include "invoke/http_server.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "invoke/http_connection.h"
#include "invoke/http_errand.h"
#include "invoke/http_loop.h"

#define TICK_MS_MIN 10U
#define TICK_MS_MAX 1000U
#define FREE_REQUESTS_MAX 1024U /* of all threads together */

const struct http_limits http_limits_default = {
    .connections_max = 10000,
    .per_address_max = 256,
    .pipeline_max = 16,
    .header_ms = 5000,
    .idle_ms = 60000,
    .body_bytes_per_s = 1024,
    .buffered_bytes_max = (uint64_t)256 << 20,
    .unread_bytes_max = (uint64_t)1 << 30,
};

static struct http_connection *connection_of(struct list *link)
{
    return container_of(link, struct http_connection, link);
}

/* --- the end of a turn --------------------------------------------------------- */

static void stay_awake(uv_idle_t *waker)
{
    (void)waker;
}

/* What becomes dirty meanwhile is visited in the next turn, so that one client with
 * much to say does not keep the others waiting. */
static void flush(uv_check_t *flusher)
{
    struct http_server *server = container_of(flusher, struct http_server, flusher);
    struct list dirty;
    struct list *item;

    list_init(&dirty);
    list_splice_back(&dirty, &server->dirty);
    while ((item = list_pop_front(&dirty)) != NULL) {
        http_connection_visit(container_of(item, struct http_connection, dirty));
    }
    if (list_is_empty(&server->dirty)) {
        (void)uv_check_stop(&server->flusher);
        (void)uv_idle_stop(&server->waker);
    }
    if (server->carrier != NULL) {
        http_post_flush(&server->carrier->to_home);
    } else if (!list_is_empty(&server->loops)) {
        http_loops_flush(server); /* which may have us called again */
    }
}

void http_server_wake(struct http_server *server)
{
    if (!server->is_ending) {
        (void)uv_check_start(&server->flusher, flush);
        (void)uv_idle_start(&server->waker, stay_awake);
    }
}

void http_server_flush_later(struct http_server *server, struct list *dirty)
{
    if (!list_is_empty(dirty)) {
        return; /* it is linked already */
    }
    list_push_back(&server->dirty, dirty);
    (void)uv_check_start(&server->flusher, flush);
    (void)uv_idle_start(&server->waker, stay_awake);
}

/* --- time ---------------------------------------------------------------------- */

static void write_date(char *text, size_t size, time_t seconds)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm tm;

    (void)gmtime_r(&seconds, &tm);
    (void)snprintf(text, size, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[tm.tm_wday],
                   (unsigned)tm.tm_mday % 100, months[tm.tm_mon],
                   (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100,
                   (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

const char *http_server_date(struct http_server *server)
{
    uint64_t now_ms = uv_now(server->loop);
    uv_timeval64_t now;

    if (server->date[0] == 0 || now_ms - server->date_ms >= 1000) {
        (void)uv_gettimeofday(&now);
        write_date(server->date, sizeof server->date, now.tv_sec);
        server->date_ms = now_ms - (uint64_t)now.tv_usec / 1000;
    }
    return server->date;
}

/* Returns whether a client still waits to be accepted. */
static bool retry_listeners(struct http_server *server)
{
    bool is_waiting = false;

    for (unsigned i = 0; i < server->listener_count; i++) {
        is_waiting |= http_listener_retry(server->listeners[i]);
    }
    return is_waiting;
}

/* Connections are closed here, but leave the list only when libuv is done. */
static void tick(uv_timer_t *ticker)
{
    struct http_server *server = container_of(ticker, struct http_server, ticker);
    uint64_t now_ms = uv_now(server->loop);
    bool has_deadline = false;
    struct list *item;

    list_for_each (item, &server->connections) {
        has_deadline |= http_connection_check_time(connection_of(item), now_ms);
    }
    if (!retry_listeners(server) && !has_deadline) {
        (void)uv_timer_stop(ticker);
    }
}

void http_server_keep_ticking(struct http_server *server)
{
    const struct http_limits *limits = &server->limits;
    uint32_t idle_ms = (limits->idle_ms > 0) ? limits->idle_ms : UINT32_MAX;
    uint32_t ms = ((limits->header_ms < idle_ms) ? limits->header_ms : idle_ms) / 4;

    if (uv_is_active((uv_handle_t *)&server->ticker) || server->is_ending) {
        return;
    }
    ms = (ms < TICK_MS_MIN) ? TICK_MS_MIN : ms;
    ms = (ms > TICK_MS_MAX) ? TICK_MS_MAX : ms;
    (void)uv_timer_start(&server->ticker, tick, ms, ms);
}

/* --- connections --------------------------------------------------------------- */

void http_server_join(struct http_server *server, struct list *connection)
{
    list_push_back(&server->connections, connection);
    server->connection_count++;
    http_server_keep_ticking(server);
}

void http_server_forget(struct http_server *server)
{
    server->connection_count--;
    if (!retry_listeners(server) && server->connection_count == 0) {
        (void)uv_timer_stop(&server->ticker);
    }
    http_server_maybe_end(server);
}

/* --- the input that all share ---------------------------------------------------- */

static _Thread_local struct http_input *shared_input;

static struct http_input *input_acquire(void)
{
    if (shared_input == NULL) {
        shared_input = mem_calloc(1, sizeof *shared_input);
    }
    if (shared_input != NULL) {
        shared_input->user_count++;
    }
    return shared_input;
}

static void input_release(struct http_input *input)
{
    if (--input->user_count > 0) {
        return;
    }
    if (shared_input == input) {
        shared_input = NULL;
    }
    mem_free(input);
}

/* --- the end ------------------------------------------------------------------- */

void http_server_maybe_free(struct http_server *server)
{
    if (!server->is_finished || server->request_count > 0) {
        return;
    }
    http_requests_destroy(&server->free_requests);
    if (server->census == &server->own) {
        http_census_fini(&server->own);
    }
    input_release(server->input);
    mem_free(server);
}

/* A handler may still have a request: the last one answered frees the server. */
void http_server_handle_closed(struct http_server *server)
{
    http_close_cb cb = server->close_cb;
    void *arg = server->close_arg;

    assert(server->handle_count > 0);
    if (--server->handle_count > 0) {
        return;
    }
    server->is_finished = true;
    http_server_maybe_free(server);
    cb(arg);
}

static void after_flusher_close(uv_handle_t *handle)
{
    http_server_handle_closed(container_of(handle, struct http_server, flusher));
}

static void after_waker_close(uv_handle_t *handle)
{
    http_server_handle_closed(container_of(handle, struct http_server, waker));
}

static void after_ticker_close(uv_handle_t *handle)
{
    http_server_handle_closed(container_of(handle, struct http_server, ticker));
}

void http_server_maybe_end(struct http_server *server)
{
    if (!server->is_closing || server->is_ending || server->connection_count > 0 ||
        !list_is_empty(&server->loops)) {
        return;
    }
    server->is_ending = true;
    uv_close((uv_handle_t *)&server->flusher, after_flusher_close);
    uv_close((uv_handle_t *)&server->waker, after_waker_close);
    uv_close((uv_handle_t *)&server->ticker, after_ticker_close);
}

void http_server_close(struct http_server *server, void *arg, http_close_cb cb)
{
    struct list *item;

    assert(!server->is_closing && cb != NULL);
    server->is_closing = true;
    server->close_arg = arg;
    server->close_cb = cb;
    while (server->listener_count > 0) {
        http_listener_close(server->listeners[--server->listener_count]);
    }
    list_for_each (item, &server->connections) {
        http_connection_part(connection_of(item));
    }
    http_loops_close(server);
    http_server_maybe_end(server);
}

void http_server_kill(struct http_server *server)
{
    struct list *item;

    assert(server->is_closing);
    list_for_each (item, &server->connections) {
        http_connection_kill(connection_of(item));
    }
    http_loops_kill(server);
}

/* --- TLS --------------------------------------------------------------------------- */

int http_server_use_tls(struct http_server *server, const char *certificate_path,
                        const char *key_path)
{
    struct http_tls_context *context;
    int r = http_tls_context_create(&context, certificate_path, key_path);

    if (r == 0) {
        http_census_set_tls(server->census, context);
    }
    return r;
}

/* --- the beginning ------------------------------------------------------------- */

/* A client that leaves while it is written to must not end the process. */
static void ignore_sigpipe(void)
{
    struct sigaction action = {.sa_handler = SIG_IGN};

    (void)sigaction(SIGPIPE, &action, NULL); /* it fails only for a bad number */
}

/* Takes over the input. */
static int create(struct http_server **ret_server, uv_loop_t *loop, struct http_input *input,
                  const struct http_limits *limits)
{
    struct http_server *server = (input != NULL) ? mem_calloc(1, sizeof *server) : NULL;

    if (server == NULL) {
        if (input != NULL) {
            input_release(input);
        }
        return ERR(ERR_NOMEM, "HTTP server");
    }
    assert(limits->pipeline_max > 0 && limits->connections_max > 0);
    ignore_sigpipe();
    server->loop = loop;
    server->input = input;
    server->limits = *limits;
    server->free_requests_max = FREE_REQUESTS_MAX;
    list_init(&server->connections);
    list_init(&server->free_requests);
    list_init(&server->dirty);
    list_init(&server->loops);
    (void)uv_check_init(loop, &server->flusher); /* these three always succeed */
    (void)uv_idle_init(loop, &server->waker);
    (void)uv_timer_init(loop, &server->ticker);
    server->handle_count = 3;
    *ret_server = server;
    return 0;
}

int http_server_create(struct http_server **ret_server, uv_loop_t *loop,
                       const struct http_limits *limits, void *arg, http_admit admit,
                       http_handle handle)
{
    int r = create(ret_server, loop, input_acquire(), limits);

    if (r == 0) {
        struct http_server *server = *ret_server;

        http_census_init(&server->own, &server->limits);
        server->census = &server->own;
        server->arg = arg;
        server->admit = admit;
        server->handle = handle;
    }
    return r;
}

int http_server_create_carrier(struct http_server **ret_server, struct http_loop *loop)
{
    struct http_server *home = loop->home;
    struct http_input *input = mem_calloc(1, sizeof *input);
    int r;

    if (input != NULL) {
        input->user_count = 1;
    }
    r = create(ret_server, &loop->uv, input, &home->limits);
    if (r == 0) {
        struct http_server *server = *ret_server;

        server->census = home->census;
        server->free_requests_max /= home->thread_count;
        server->carrier = loop;
        server->arg = loop;
        server->admit = http_carry_admit;
        server->handle = http_carry_handle;
    }
    return r;
}

void http_server_use_threads(struct http_server *server, unsigned count)
{
    assert(count <= HTTP_THREADS_MAX);
    server->thread_count = count;
}
