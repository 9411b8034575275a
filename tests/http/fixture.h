/* A server and raw clients in one thread: the client's bytes are its own, the loop
 * is turned until what is waited for has happened, and a test that waits in vain
 * fails after ten seconds. */
#ifndef TESTS_HTTP_FIXTURE_H
#define TESTS_HTTP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/bytes.h"
#include "invoke/http.h"

enum { HELD_MAX = 2048 };

struct fixture {
    uv_loop_t loop;
    struct http_server *server; /* NULL once closed */
    struct http_limits limits;
    char dir[64];
    char path[96]; /* of the unix socket */
    size_t body_bytes_max;
    int thread_count; /* of HTTP_TEST_THREADS: the same tests, with the server in threads */
    int admitted;
    int handled;
    int gone;
    int closed;
    /* Requests for /later..., in the order they came: the test answers them. */
    struct http_request *held[HELD_MAX];
    int held_count;
    char last[4096];                     /* of the newest request: "METHOD path?query body" */
    void (*on_admit)(struct fixture *f); /* or NULL */
    void (*on_head)(struct fixture *f, struct http_request *request);   /* or NULL */
    void (*on_handle)(struct fixture *f, struct http_request *request); /* or NULL: answers */
};

/* HTTP_TEST_THREADS, or 0. */
unsigned fixture_threads(void);

/* With limits of its own: set_up() uses the default ones. */
void fixture_open(struct fixture *f, const struct http_limits *limits);
void fixture_close(struct fixture *f);
int set_up(void **state);
int tear_down(void **state);
/* For a test that looks into the server's own connections, which with threads it may not. */
#define NOT_WITH_THREADS(f)                                                                        \
    do {                                                                                           \
        if ((f)->thread_count > 0) {                                                               \
            skip();                                                                                \
        }                                                                                          \
    } while (0)
/* Those of TCP, within the limit. */
unsigned fixture_connections(struct fixture *f);
/* The same again, with other limits. */
void fixture_reopen(struct fixture *f, const struct http_limits *limits);

/* One turn of the loop, without sleeping longer than a millisecond. */
void turn(struct fixture *f);

/* Turns until the condition holds. */
#define WAIT_FOR(f, condition)                                                                     \
    do {                                                                                           \
        uint64_t until_ = uv_hrtime() + 10000000000U;                                              \
        while (!(condition)) {                                                                     \
            if (uv_hrtime() > until_) {                                                            \
                fail_msg("waited in vain for %s", #condition);                                     \
            }                                                                                      \
            turn(f);                                                                               \
        }                                                                                          \
    } while (0)

/* Counts a client that left, with http_set_user(request, f, count_gone). */
void count_gone(void *user);

struct client {
    struct fixture *f;
    int fd;
    struct buf received;
    bool is_ended; /* the server has closed, or reset */
};

void client_open_tcp(struct client *client, struct fixture *f);
void client_open_unix(struct client *client, struct fixture *f);
void client_close(struct client *client);
void client_send(struct client *client, const char *data, size_t len);
void client_say(struct client *client, const char *text);
/* Reads what is there. */
void client_poll(struct client *client);

struct reply {
    int status;
    char head[2048];
    struct bytes body; /* decoded; valid until the next call */
};

/* Waits for the next whole answer and takes it off what was received. `is_head`:
 * the answer to HEAD. Fails the test if the connection ends before. */
void client_reply(struct client *client, struct reply *ret_reply);
void client_reply_to_head(struct client *client, struct reply *ret_reply);
void client_expect_end(struct client *client);

/* One request on a new connection; the status of its answer. */
int ask(struct fixture *f, const char *text);

#endif /* TESTS_HTTP_FIXTURE_H */
