/* Threads that read and write for a server: each has a loop, a listening socket of its own at the
 * same address (SO_REUSEPORT: the kernel deals out the clients), and an ordinary http_server,
 * which accepts, speaks TLS, parses, collects bodies, watches times and writes answers. Whole
 * requests go to the server's own loop, its *home*, and come back as answers: http_errand.h.
 *
 * What the threads share is the census (http_census.h), the mail, and nothing else. */
#ifndef INVOKE_HTTP_LOOP_H
#define INVOKE_HTTP_LOOP_H

#include "invoke/http_mail.h"
#include "invoke/http_server.h"

/* To the thread. */
enum {
    HTTP_ORDER_CLOSE = 1 << 0,
    HTTP_ORDER_KILL = 1 << 1,
};

/* To the loop that decides: the thread touches nothing any more. */
enum {
    HTTP_ORDER_ENDED = 1 << 0,
};

struct http_loop {
    struct list link; /* home's: in its loops */
    struct http_server *home;
    struct list errands; /* home's: those that its handlers have */
    struct list ready;   /* home's: those whose body has something to tell */
    bool is_ended;       /* home's: the thread is, and what it had is home's */
    bool is_closed;      /* home's: so is `home_wake` */

    struct http_server *server; /* the thread's; NULL once closed */
    struct list free_errands;   /* the thread's */
    unsigned free_errand_count; /* the thread's */
    unsigned errand_count;      /* the thread's: all that there are */

    struct http_post to_home;
    struct http_post to_loop;
    uv_async_t home_wake;
    uv_async_t wake;
    uv_loop_t uv;
    pthread_t thread;
};

/* Listens at this address with as many threads as the server has been told to use, and notes the
 * port. On failure those that have begun end with the server. */
int http_loops_listen(struct http_server *home, const struct sockaddr *address, const char *text);

void http_loops_close(struct http_server *home);
void http_loops_kill(struct http_server *home);

/* At the end of a turn of the home loop: tells of bodies, and hands answers over. */
void http_loops_flush(struct http_server *home);

/* An errand of a loop that has ended is gone. */
void http_loop_maybe_free(struct http_loop *loop);

#endif /* INVOKE_HTTP_LOOP_H */
