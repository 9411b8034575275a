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

    struct http_address *address; /* NULL for a unix socket */
    uid_t peer_uid;
    bool is_unix;
    bool is_refused; /* over the limit of connections */
    bool is_ended;   /* the client has closed its side */
    bool is_broken;  /* to be closed at the next visit */
};

/* Accepts the client that waits at the listener. Returns 0, ERR_NOMEM (it still
 * waits), or ERR_SYSTEM. */
int http_connection_accept(struct http_listener *listener);

/* No more requests are read; what is in flight is answered; then it closes, at once
 * if nothing is. */
void http_connection_drain(struct http_connection *connection);
/* Ends it now. */
void http_connection_kill(struct http_connection *connection);

/* Ends it if it has been too slow. Called by the ticker. */
void http_connection_check_time(struct http_connection *connection, uint64_t now_ms);

/* Writes what is ready, reads on, closes: whatever has become possible. Called at
 * the end of the turn. */
void http_connection_visit(struct http_connection *connection);

/* --- for the answers --- */

/* Where the request's answer goes: straight to the output when it is its turn. */
struct buf *http_connection_answer_of(struct http_connection *connection,
                                      struct http_request *request);
/* The answer has grown, or is complete: moves the turn on. */
void http_connection_answered(struct http_connection *connection);
/* Gives the kernel what it takes now; then how much is left unread. */
size_t http_connection_unread(struct http_connection *connection, struct http_request *request);
/* The connection ends behind this request's answer. */
bool http_connection_is_last(const struct http_connection *connection,
                             const struct http_request *request);
void http_connection_break(struct http_connection *connection);

#endif /* INVOKE_HTTP_CONNECTION_H */
