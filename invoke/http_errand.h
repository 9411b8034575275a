/* A request on its way between the thread that reads it and the loop that decides.
 *
 *      thread: http_carry.c                          loop that decides: http_errand.c
 *      ------------------------------------------------------------------------------
 *      FREE
 *        | the head is complete, its body is not here yet
 *        +------------- ASK ------------------------->  router's admit
 *      READING  <------ ADMITTED ------------------------+
 *        | the request is complete
 *        +------------- WHOLE or BEGUN ------------->  (admit,) handle
 *        |              PIECE, BODY_END, BODY_CUT ->     |
 *        |              GONE, LOST, READ ---------->     |
 *        | <----------- PULL, BEGIN, SEND, WANT_READ, CUT
 *      FREE <---------- RESPOND or END ------------------+  the request is gone
 *
 * There are two requests. The *near* one is of the thread's own server, an ordinary request of an
 * ordinary connection, whose handler happens to be http_carry.c; nobody else ever touches it,
 * nor its connection. The *far* one is `request` below: what the router and its routes have,
 * with head, body, trailers and arena. These are not shared but given away: the buffers of the
 * near request's head and body become the far one's.
 *
 * Whose is an errand? The thread's while it is FREE or READING. From ASK until ADMITTED, and from
 * WHOLE or BEGUN until RESPOND or END, it and its far request belong to the loop that decides;
 * each field below says who may touch it then. What one side has written, the other reads only
 * after it has got a letter that was posted behind it (http_mail.h), so nothing here is
 * locked. A letter is one set of flags and some bytes, in each direction: whatever is told before
 * the other side has looked is told at once. Bodies in pieces are one piece ahead of their
 * handler at most (PULL asks for the next), answers as far as http_send() allows, so what an
 * errand can hold is bounded.
 *
 * A small request is handed over once: a body that came together with its head is not asked
 * about but judged by the loop that decides, before the handler gets it. A body that is still to
 * come is asked about first, so what a stranger can make the daemon keep is the same with
 * threads as without. */
#ifndef INVOKE_HTTP_ERRAND_H
#define INVOKE_HTTP_ERRAND_H

#include <stdatomic.h>

#include "invoke/http_mail.h"
#include "invoke/http_request.h"

struct http_loop;

/* To the loop that decides. */
enum {
    HTTP_MAIL_ASK = 1 << 0,      /* how large may its body be? */
    HTTP_MAIL_WHOLE = 1 << 1,    /* it is complete */
    HTTP_MAIL_BEGUN = 1 << 2,    /* its head is; the body comes in pieces: */
    HTTP_MAIL_PIECE = 1 << 3,    /* the bytes of the letter */
    HTTP_MAIL_BODY_END = 1 << 4, /* with the trailers, if it has any */
    HTTP_MAIL_BODY_CUT = 1 << 5, /* for `cut_status` and `cut_reason` */
    HTTP_MAIL_GONE = 1 << 6,     /* the client has closed its side */
    HTTP_MAIL_LOST = 1 << 7,     /* there is no connection any more */
    HTTP_MAIL_READ = 1 << 8,     /* the answer to WANT_READ */
};

/* To the thread. */
enum {
    HTTP_MAIL_ADMITTED = 1 << 0,  /* `body_bytes_max`, and whether it is to be streamed */
    HTTP_MAIL_PULL = 1 << 1,      /* the next piece is wanted */
    HTTP_MAIL_BEGIN = 1 << 2,     /* `status`, `content_type` and the far request's fields */
    HTTP_MAIL_SEND = 1 << 3,      /* the bytes of the letter */
    HTTP_MAIL_CUT = 1 << 4,       /* http_send() has said no */
    HTTP_MAIL_WANT_READ = 1 << 5, /* http_call_when_read() with `unread_below` */
    HTTP_MAIL_RESPOND = 1 << 6,   /* like BEGIN, with the body in the letter, and the last */
    HTTP_MAIL_END = 1 << 7,       /* the last */
};

struct http_errand {
    struct http_request request; /* the far one; whose errand it is */
    struct http_loop *loop;
    struct list link; /* of who has it: among the free ones, or those in hand */

    struct http_mail to_home; /* to the loop that decides */
    struct http_mail to_loop; /* to the thread */

    /* The thread's. */
    struct http_request *near; /* NULL: the connection has let go of it already */
    bool is_in_hand;           /* it is the other side's, who will say something */
    bool is_in_doubt;          /* a letter may not have been taken yet */
    bool is_read_begun;        /* its body */
    uint64_t taken_bytes;      /* of a chunked answer, by the near request */

    /* Of whoever posts the letter that they belong to, before it is posted. */
    struct http_head *trailers;
    int cut_status;
    const char *cut_reason;
    size_t body_bytes_max;
    int status;
    const char *content_type; /* in the far request's arena */

    /* The loop's that decides. */
    struct list ready;    /* to be told of its body, or alone */
    struct buf pieces;    /* of the body, not told yet */
    bool is_admitted;     /* the router has seen its head */
    bool is_pulled;       /* a piece has been asked for, and has not come */
    bool is_end_due;      /* behind `pieces` */
    bool is_body_over;    /* nothing more is to be told of it */
    bool is_lost;         /* nothing that is sent arrives */
    uint64_t given_bytes; /* of a chunked answer */

    /* Both. */
    atomic_uint_fast64_t read_bytes; /* of those given, the client has taken */
    atomic_size_t unread_below;      /* of WANT_READ */
};

/* --- http_errand.c: the loop that decides --------------------------------------- */

/* Reads a letter from the thread. */
void http_errand_read(struct http_errand *errand);
/* Tells handlers of bodies what has been kept back. */
void http_errand_tell_ready(struct http_loop *loop);
/* Its client is gone, or soon will be: tells the handler. */
void http_errand_lose(struct http_errand *errand);

/* What http.h promises, for a far request. */
void http_errand_respond(struct http_errand *errand, int status, const char *content_type,
                         struct bytes body);
void http_errand_begin(struct http_errand *errand, int status, const char *content_type);
bool http_errand_send(struct http_errand *errand, struct bytes piece);
void http_errand_cut(struct http_errand *errand);
void http_errand_end(struct http_errand *errand);
size_t http_errand_unread(const struct http_errand *errand);
void http_errand_call_when_read(struct http_errand *errand, size_t below);
void http_errand_go_on_later(struct http_errand *errand);

/* --- http_carry.c: the thread ---------------------------------------------------- */

/* For the thread's server, whose handler this is. */
size_t http_carry_admit(void *arg, struct http_request *near);
void http_carry_handle(void *arg, struct http_request *near);

/* The head is complete: asks how large the body may be. http_connection_admitted() is called
 * when that is known. False: there is no memory. */
bool http_carry_ask(struct http_request *near);

/* The near request has lost its connection, or goes. */
void http_carry_lost(struct http_request *near);
void http_carry_released(struct http_request *near);
/* Some of its answer may have been written. */
void http_carry_written(struct http_request *near);

/* Reads a letter from the loop that decides. */
void http_carry_read(struct http_errand *errand);

/* The thread has ended, and this request is answered, to nobody. */
void http_carry_bury(struct http_errand *errand);

void http_errands_destroy(struct list *errands);

#endif /* INVOKE_HTTP_ERRAND_H */
