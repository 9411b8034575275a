/* One client: its bytes become requests, their answers go back in order.
 *
 *   OPEN --no more requests will be read--> LAST --all is sent--> LINGER
 *     |                                       |                      |
 *     +---------------------+-----------------+----------------------+
 *                           v  the client is gone, or time is up
 *                         CLOSED (its memory goes when libuv has let go of it)
 *
 * LAST reads on, to notice when the client leaves, and drops what it reads. LINGER
 * has said that nothing more will come and waits for the client to close: closing
 * first, with bytes unread, would make the kernel throw away the answer (RFC 9112
 * section 9.6). */
#ifndef INVOKE_HTTP_CONNECTION_H
#define INVOKE_HTTP_CONNECTION_H

#include "invoke/http_address.h"
#include "invoke/http_parser.h"
#include "invoke/http_request.h"
#include "invoke/http_server.h"

enum http_connection_state {
    HTTP_CONNECTION_OPEN,
    HTTP_CONNECTION_LAST,
    HTTP_CONNECTION_LINGER,
    HTTP_CONNECTION_CLOSED,
    HTTP_CONNECTION_STATES,
};

/* Of answers that a client has not read: more ends a stream, and stops reading. */
enum { HTTP_UNREAD_BYTES_MAX = 1 << 20 };

/* Buffers that have grown beyond this are not kept for the next request. */
enum { HTTP_KEPT_BYTES_MAX = 64 << 10 };

struct http_connection {
    struct list link;  /* in the server's connections */
    struct list dirty; /* in the server's dirty ones, or alone */
    struct http_server *server;
    enum http_connection_state state;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } socket;
    struct http_tls *tls; /* NULL: none */
    uv_write_t write;
    uv_shutdown_t shutdown;

    struct http_parser parser;
    struct http_request *receiving; /* the newest one, until it is complete */
    struct list requests;           /* in the order they came; the first may answer */
    uint32_t request_count;

    struct buf input;   /* read already, to be parsed when there is room for it */
    struct buf output;  /* the next bytes to be written */
    struct buf writing; /* uv_write() has them */

    uint64_t since_ms; /* when its phase began: idle, head, body, linger */
    uint64_t write_ms; /* when writing last got on */
    size_t write_left;
    uint64_t unread_bytes; /* counted in the census */

    struct http_address *address; /* NULL for a unix socket */
    uid_t peer_uid;
    bool is_unix;
    bool is_counted; /* among those of its kind */
    bool is_over;    /* their limit, or its address's, */
    bool is_refused; /* and only told so */
    bool is_ended;   /* the client has closed its side */
    bool is_ending;  /* it has, behind what waits in `input` */
    bool is_broken;  /* to be closed at the next visit */
};

/* --- http_connection.c: its life ----------------------------------------------- */

void http_connection_move(struct http_connection *connection, enum http_connection_state next);

/* No more requests are read; what is in flight is answered; then it closes, at once
 * if nothing is. */
void http_connection_drain(struct http_connection *connection);
/* The same, when it is the server that ends: who is in the middle of a request is told
 * to come again. */
void http_connection_part(struct http_connection *connection);
/* Ends it now. */
void http_connection_kill(struct http_connection *connection);
/* Ends it at the next visit, where the caller still needs it. */
void http_connection_break(struct http_connection *connection);

/* Writes what is ready, reads on, closes: whatever has become possible. Called at
 * the end of the turn in which visit_later() was. */
void http_connection_visit(struct http_connection *connection);
void http_connection_visit_later(struct http_connection *connection);

/* Starts reading, or goes on. Returns what libuv says. */
int http_connection_read(struct http_connection *connection);

/* Nothing is in a handler's hands or on its way out. */
bool http_connection_is_all_sent(const struct http_connection *connection);

/* Ends it if it has been too slow. Returns whether it has a deadline still. */
bool http_connection_check_time(struct http_connection *connection, uint64_t now_ms);

/* --- http_accept.c ------------------------------------------------------------- */

/* Accepts the client that waits at the listener. Returns 0, also when it had to be
 * turned away, or ERR_NOMEM: it still waits. */
int http_connection_accept(struct http_listener *listener);
/* It is no longer one of those that are limited. */
void http_connection_uncount(struct http_connection *connection);

/* --- http_intake.c: from bytes to requests ------------------------------------- */

/* Handles what can be handled now and returns how much that was: less than `len`
 * when requests before it must be answered first. */
size_t http_connection_take(struct http_connection *connection, const uint8_t *data, size_t len);

/* The one being received may have a body so large. Called where that was asked of another loop
 * (http_errand.h). */
void http_connection_admitted(struct http_connection *connection, size_t body_bytes_max);

/* A new request to receive, or NULL without memory. */
struct http_request *http_connection_begin(struct http_connection *connection);
/* Answers the one being received, which is the last: nothing behind it can be
 * understood. */
void http_connection_refuse(struct http_connection *connection, int status, const char *reason);
/* Says "100 Continue" when it is the turn of a request that waits for it. */
void http_connection_continue(struct http_connection *connection);

/* --- http_body.c: bodies in pieces --------------------------------------------- */

/* The one being received is in its handler's hands already, */
bool http_body_is_streaming(const struct http_connection *connection);
/* and is not to be read on. */
bool http_body_is_held(const struct http_connection *connection);

/* Its head is complete: the handler gets it. */
void http_body_begin(struct http_connection *connection);
/* The parser has been fed, and said `r`. */
void http_body_take(struct http_connection *connection, int r);
/* Tells of the end, if that has been held back. */
void http_body_go_on(struct http_connection *connection);
/* No more of it can come: the handler is told, if one has it. */
void http_body_cut(struct http_connection *connection, int status, const char *reason);
/* It is being answered: what is missing of its body is not waited for. */
void http_body_stop(struct http_request *request);

/* --- http_output.c: from answers to bytes -------------------------------------- */

/* Gives the kernel what it takes. Returns 0, or what libuv says when the client
 * cannot be written to. */
int http_connection_write(struct http_connection *connection);
/* Counts what the client has not read yet. False: all clients together leave too much, and
 * this one leaves more than before. */
bool http_connection_keep_unread(struct http_connection *connection);
/* Nothing has been written for as long as a connection may be idle. */
bool http_connection_is_stuck(struct http_connection *connection, uint64_t now_ms);

/* Where the request's answer goes: straight to the output when it is its turn. */
struct buf *http_connection_answer_of(struct http_connection *connection,
                                      struct http_request *request);
/* The answer has grown, or is complete: moves the turn on. */
void http_connection_answered(struct http_connection *connection);
/* How much of the answer the client has not taken, after another try. */
size_t http_connection_unread(struct http_connection *connection, struct http_request *request);
/* Calls who waits for the client to have read, if it has. */
void http_connection_tell_read(struct http_connection *connection);
/* The connection ends behind this request's answer. */
bool http_connection_is_last(const struct http_connection *connection,
                             const struct http_request *request);

/* The first and the newest of its requests, or NULL. */
static inline struct http_request *http_connection_first(const struct http_connection *connection)
{
    return list_is_empty(&connection->requests)
               ? NULL
               : container_of(connection->requests.next, struct http_request, link);
}

static inline struct http_request *http_connection_last(const struct http_connection *connection)
{
    return list_is_empty(&connection->requests)
               ? NULL
               : container_of(connection->requests.prev, struct http_request, link);
}

#endif /* INVOKE_HTTP_CONNECTION_H */
