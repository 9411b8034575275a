/* The inside of a request: what came, what goes back, and whose it is.
 *
 *   RECEIVING --complete*-> HANDLED --http_begin()--> STREAMING
 *       |                      |                          |
 *       | refused by us        | http_respond()           | http_end()
 *       v                      v                          v
 *   ANSWERED <-----------------+--------------------------+
 *
 * (*) or, if the body is taken in pieces, when its headers are.
 *
 * A request belongs to its connection until it is answered and that answer's turn
 * has come; if the connection ends before, a HANDLED or STREAMING one lives on
 * without it until its handler has answered to nobody. Requests and their buffers
 * are used again: a busy server does not allocate. */
#ifndef INVOKE_HTTP_REQUEST_H
#define INVOKE_HTTP_REQUEST_H

#include "engine/base/list.h"
#include "invoke/http.h"
#include "invoke/http_head.h"

struct http_connection;
struct http_errand;

enum http_request_state {
    HTTP_REQUEST_RECEIVING,
    HTTP_REQUEST_HANDLED,
    HTTP_REQUEST_STREAMING,
    HTTP_REQUEST_ANSWERED,
    HTTP_REQUEST_STATES,
};

enum { HTTP_ARENA_BYTES_MAX = 64 << 20 };

struct http_request {
    struct list link; /* in the connection's requests, or among the free ones */
    struct http_server *server;
    struct http_connection *connection; /* NULL once the client is gone for good */
    struct http_errand *errand;         /* it is a far one (http_errand.h): of no connection here */
    struct http_errand *sent_on;        /* it is the near one of this errand */
    enum http_request_state state;

    struct http_head head;
    struct http_head *trailers; /* where the body may have some */
    struct buf body;
    uint64_t charged_bytes; /* of the body, on the server's account */
    struct arena arena;

    struct buf fields; /* of the answer, from http_add_header() */
    struct buf answer; /* while earlier requests are unanswered */

    void *user;
    void (*on_gone)(void *user);
    void (*on_body)(void *user, const struct http_piece *piece);
    void (*on_read)(void *user); /* once less than so much of its answer is unread: */
    size_t unread_below;

    uid_t peer_uid;
    bool is_unix;
    bool is_tls;
    bool is_keep_alive; /* the connection may go on behind it */
    bool is_head;       /* answers have no body */
    bool is_chunked;    /* the answer is */
    bool is_cut;        /* http_send() has said no */
    bool is_gone_told;
    bool wants_continue;
    bool is_streamed; /* the body is, in pieces */
    bool is_body_paused;
    bool is_asked; /* the other loop, how large its body may be */
};

/* Makes room for trailers. Returns whether there was memory. */
bool http_request_expect_trailers(struct http_request *request);

/* Everything but the memory that the next one can use. */
void http_request_blank(struct http_request *request);
void http_request_fini(struct http_request *request);

/* A blank one, RECEIVING, or NULL without memory. */
struct http_request *http_request_acquire(struct http_server *server);
void http_request_release(struct http_request *request);
void http_request_move(struct http_request *request, enum http_request_state next);

/* Tells its handler once that nobody waits for the answer. */
void http_request_tell_gone(struct http_request *request);

/* The server's own answer: {"message": reason}, and the connection ends. */
void http_request_refuse(struct http_request *request, int status, const char *reason);

/* Of a chunked answer: bytes that the handler's side has judged, and its "no". */
void http_request_send(struct http_request *request, struct bytes piece);
void http_request_cut(struct http_request *request);

/* Has the handler still got it? */
static inline bool http_request_is_in_flight(const struct http_request *request)
{
    return request->state == HTTP_REQUEST_HANDLED || request->state == HTTP_REQUEST_STREAMING;
}

#endif /* INVOKE_HTTP_REQUEST_H */
