/* The inside of the server: its connections, its limits and what they share.
 *
 * Answers made during one turn of the loop are written together at its end: a
 * connection with something to do is put on `dirty`, and the check handle visits
 * each once. The idle handle keeps the loop from sleeping before it does. What is for the
 * loops of other threads is handed over there too. */
#ifndef INVOKE_HTTP_SERVER_H
#define INVOKE_HTTP_SERVER_H

#include "engine/base/list.h"
#include "engine/base/table.h"
#include "invoke/http.h"
#include "invoke/http_census.h"

struct http_loop;

enum {
    HTTP_LISTENERS_MAX = 8,
    HTTP_READ_BYTES = 64 << 10,
};

struct http_listener {
    struct http_server *server;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } socket;
    bool is_unix;
    bool is_waiting; /* a client that could not be accepted for want of memory */
    char *path;      /* of the unix socket, removed at the close */
    dev_t path_dev;
    ino_t path_inode;
};

struct http_server {
    uv_loop_t *loop;
    struct http_limits limits;
    void *arg;
    http_admit admit;
    http_handle handle;

    struct http_listener *listeners[HTTP_LISTENERS_MAX];
    unsigned listener_count;

    struct list connections;
    uint32_t connection_count; /* open or still being closed */

    struct list free_requests;
    unsigned free_request_count;
    unsigned free_requests_max;
    uint32_t request_count; /* not yet released, with or without a connection */

    struct http_census *census; /* `own`, or that of the server whose thread this is */
    struct http_census own;

    struct list dirty;
    uv_check_t flusher;
    uv_idle_t waker;
    uv_timer_t ticker; /* runs while there is a deadline, or a client to accept */
    unsigned handle_count;

    char date[32]; /* of the Date header */
    uint64_t date_ms;

    bool is_closing;
    bool is_ending;   /* only our own handles are left to close */
    bool is_finished; /* `close_cb` has been called */
    void *close_arg;
    http_close_cb close_cb;

    struct http_input *input;

    unsigned thread_count;     /* of http_server_use_threads() */
    struct list loops;         /* the threads that run: http_loop.h */
    int port;                  /* that they listen at */
    struct http_loop *carrier; /* this server is one thread's, or NULL */
};

/* What was read last. Nobody needs it beyond the callback of that read, so the servers
 * of one thread share it. */
struct http_input {
    unsigned user_count;
    uint8_t bytes[HTTP_READ_BYTES];
    uint8_t opened[HTTP_READ_BYTES + HTTP_TLS_RECORD_BYTES_MAX]; /* the same, out of TLS */
};

/* A server for a thread of `loop`'s home, with an input of its own. Called by the home's
 * thread, before the other one runs. */
int http_server_create_carrier(struct http_server **ret_server, struct http_loop *loop);

/* Has flush() called at the end of this turn. */
void http_server_wake(struct http_server *server);

/* Ends a closed server that has no connections and threads any more. */
void http_server_maybe_end(struct http_server *server);

/* Has the connection visited at the end of this turn. Its `dirty` link is used. */
void http_server_flush_later(struct http_server *server, struct list *dirty);

/* A connection comes, and goes once its handle is closed. */
void http_server_join(struct http_server *server, struct list *connection);
void http_server_forget(struct http_server *server);

/* Starts the ticker if it does not run; it stops by itself. */
void http_server_keep_ticking(struct http_server *server);

/* A listener's handle is closed. */
void http_server_handle_closed(struct http_server *server);

/* Called by a released request: after the end, the last one frees the server. */
void http_server_maybe_free(struct http_server *server);

/* The value of the Date header, made once a second. */
const char *http_server_date(struct http_server *server);

/* Frees the requests that wait to be used again. */
void http_requests_destroy(struct list *requests);

/* --- http_listener.c --- */

/* Stops listening; the memory goes when the handle is closed. */
void http_listener_close(struct http_listener *listener);

/* Tries again when a client could not be accepted for want of memory. Returns
 * whether it still waits. */
bool http_listener_retry(struct http_listener *listener);

#endif /* INVOKE_HTTP_SERVER_H */
