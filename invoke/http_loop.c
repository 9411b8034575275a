#include "invoke/http_loop.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/base/thread.h"
#include "invoke/http_errand.h"

#define BACKLOG 1024

/* --- in the thread ------------------------------------------------------------- */

static void on_server_closed(void *arg)
{
    struct http_loop *loop = arg;

    loop->server = NULL;
    http_post_close(&loop->to_loop);
    uv_close((uv_handle_t *)&loop->wake, NULL);
}

static void obey(struct http_loop *loop, unsigned orders)
{
    if (orders & HTTP_ORDER_CLOSE) {
        http_server_close(loop->server, loop, on_server_closed);
    }
    if ((orders & HTTP_ORDER_KILL) && loop->server != NULL) {
        http_server_kill(loop->server);
    }
}

static void take_answers(struct http_loop *loop)
{
    struct http_mail *mail;

    while ((mail = http_post_next(&loop->to_loop)) != NULL) {
        http_carry_read(container_of(mail, struct http_errand, to_loop));
    }
}

static void on_wake(uv_async_t *wake)
{
    struct http_loop *loop = container_of(wake, struct http_loop, wake);

    obey(loop, http_post_take(&loop->to_loop));
    take_answers(loop);
}

static void *run(void *arg)
{
    struct http_loop *loop = arg;

    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    http_post_flush(&loop->to_home);
    http_post_order(&loop->to_home, HTTP_ORDER_ENDED);
    return NULL;
}

/* --- at home ------------------------------------------------------------------- */

static void take_requests(struct http_loop *loop)
{
    struct http_mail *mail;

    while ((mail = http_post_next(&loop->to_home)) != NULL) {
        http_errand_read(container_of(mail, struct http_errand, to_home));
    }
}

void http_loop_maybe_free(struct http_loop *loop)
{
    if (!loop->is_closed || loop->errand_count > 0) {
        return;
    }
    http_post_fini(&loop->to_home);
    http_post_fini(&loop->to_loop);
    mem_free(loop);
}

static void after_close(uv_handle_t *handle)
{
    struct http_loop *loop =
        container_of((uv_async_t *)(void *)handle, struct http_loop, home_wake);
    struct http_server *home = loop->home;

    loop->is_closed = true;
    http_loop_maybe_free(loop);
    http_server_handle_closed(home);
}

/* The thread has ended, or never begun: what it had is ours. Answers that it has not taken any
 * more are taken here; those to come have no connection, and are only counted. */
static void inherit(struct http_loop *loop)
{
    http_post_flush(&loop->to_loop);
    (void)http_post_take(&loop->to_loop);
    take_answers(loop);
    loop->is_ended = true;
    http_errands_destroy(&loop->free_errands);
    (void)uv_loop_close(&loop->uv);
    list_remove(&loop->link);
    uv_close((uv_handle_t *)&loop->home_wake, after_close);
    http_server_maybe_end(loop->home);
}

static void on_home_wake(uv_async_t *wake)
{
    struct http_loop *loop = container_of(wake, struct http_loop, home_wake);
    unsigned orders = http_post_take(&loop->to_home);

    take_requests(loop);
    if (orders & HTTP_ORDER_ENDED) {
        (void)pthread_join(loop->thread, NULL);
        inherit(loop);
    }
}

/* Handlers that are told may have more to be told of, and answer what another thread has. */
void http_loops_flush(struct http_server *home)
{
    struct list *item;
    bool has_more = false;

    list_for_each (item, &home->loops) {
        http_errand_tell_ready(container_of(item, struct http_loop, link));
    }
    list_for_each (item, &home->loops) {
        struct http_loop *loop = container_of(item, struct http_loop, link);

        http_post_flush(&loop->to_loop);
        has_more |= !list_is_empty(&loop->ready);
    }
    if (has_more) {
        http_server_wake(home);
    }
}

void http_loops_close(struct http_server *home)
{
    struct list *item;

    list_for_each (item, &home->loops) {
        http_post_order(&container_of(item, struct http_loop, link)->to_loop, HTTP_ORDER_CLOSE);
    }
}

/* Handlers are told here and now: a letter from the thread would come too late for whoever
 * counts on it after http_server_kill(). */
static void lose_all(struct http_loop *loop)
{
    struct list errands;
    struct list *item;

    list_init(&errands);
    list_splice_back(&errands, &loop->errands);
    while ((item = list_pop_front(&errands)) != NULL) {
        list_push_back(&loop->errands, item);
        http_errand_lose(container_of(item, struct http_errand, link));
    }
}

void http_loops_kill(struct http_server *home)
{
    struct list *item;

    list_for_each (item, &home->loops) {
        struct http_loop *loop = container_of(item, struct http_loop, link);

        http_post_order(&loop->to_loop, HTTP_ORDER_KILL);
        lose_all(loop);
    }
}

/* --- beginning ----------------------------------------------------------------- */

/* What of it has been made is let go of, as if a thread had ended. */
static void give_up(struct http_loop *loop)
{
    if (loop->server != NULL) {
        http_server_close(loop->server, loop, on_server_closed);
    } else if (loop->wake.loop != NULL) {
        uv_close((uv_handle_t *)&loop->wake, NULL);
    }
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    inherit(loop);
}

static int furnish(struct http_loop *loop, int fd)
{
    int r = uv_async_init(&loop->uv, &loop->wake, on_wake);

    if (r != 0) {
        loop->wake.loop = NULL;
        (void)close(fd);
        return ERR(ERR_SYSTEM, "a thread for HTTP: %s", uv_strerror(r));
    }
    r = http_server_create_carrier(&loop->server, loop);
    if (r != 0) {
        (void)close(fd);
        return r;
    }
    r = http_listen_fd(loop->server, fd);
    return (r == 0) ? thread_start(&loop->thread, run, loop, "pawl-http") : r;
}

static struct http_loop *create(struct http_server *home)
{
    struct http_loop *loop = mem_calloc(1, sizeof *loop);

    if (loop == NULL) {
        return NULL;
    }
    loop->home = home;
    list_init(&loop->errands);
    list_init(&loop->ready);
    list_init(&loop->free_errands);
    if (uv_loop_init(&loop->uv) != 0) {
        mem_free(loop);
        return NULL;
    }
    if (uv_async_init(home->loop, &loop->home_wake, on_home_wake) != 0) {
        (void)uv_loop_close(&loop->uv);
        mem_free(loop);
        return NULL;
    }
    http_post_init(&loop->to_home, &loop->home_wake);
    http_post_init(&loop->to_loop, &loop->wake);
    home->handle_count++;
    list_push_back(&home->loops, &loop->link);
    return loop;
}

/* Takes over `fd`. */
static int start(struct http_server *home, int fd)
{
    struct http_loop *loop = create(home);
    int r;

    if (loop == NULL) {
        (void)close(fd);
        return ERR(ERR_NOMEM, "a thread for HTTP");
    }
    r = furnish(loop, fd);
    if (r != 0) {
        give_up(loop);
    }
    return r;
}

/* --- one address, several sockets ------------------------------------------------ */

static bool allow(int fd, int option)
{
    const int yes = 1;

    return setsockopt(fd, SOL_SOCKET, option, &yes, sizeof yes) == 0;
}

/* The first is bound like any other server's socket, and shares its address only then: so an
 * address that another process has is refused, also where that one would share it. */
static bool bind_one(int fd, const struct sockaddr *address, socklen_t len, bool is_first)
{
    return allow(fd, SO_REUSEADDR) && (is_first || allow(fd, SO_REUSEPORT)) &&
           bind(fd, address, len) == 0 && (!is_first || allow(fd, SO_REUSEPORT)) &&
           listen(fd, BACKLOG) == 0;
}

static int bind_all(int *fds, unsigned count, const struct sockaddr *address, const char *text)
{
    struct sockaddr_storage name = {0};
    socklen_t len =
        (address->sa_family == AF_INET) ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

    memcpy(&name, address, len);
    for (unsigned i = 0; i < count; i++) {
        fds[i] = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fds[i] < 0 || !bind_one(fds[i], (struct sockaddr *)&name, len, i == 0) ||
            getsockname(fds[i], (struct sockaddr *)&name, &len) != 0) {
            return ERR(ERR_SYSTEM, "bind to %s: %s", text, strerror(errno));
        }
    }
    return ntohs(((struct sockaddr_in *)&name)->sin_port); /* at one place in both */
}

int http_loops_listen(struct http_server *home, const struct sockaddr *address, const char *text)
{
    int fds[HTTP_THREADS_MAX];
    int port;
    int r = 0;

    for (unsigned i = 0; i < HTTP_THREADS_MAX; i++) {
        fds[i] = -1;
    }
    port = bind_all(fds, home->thread_count, address, text);
    for (unsigned i = 0; i < home->thread_count; i++) {
        if (port < 0 || r != 0) {
            (void)((fds[i] >= 0) ? close(fds[i]) : 0);
        } else {
            r = start(home, fds[i]);
        }
    }
    if (port < 0 || r != 0) {
        return (port < 0) ? port : r;
    }
    home->port = (home->port == 0) ? port : home->port;
    return 0;
}
