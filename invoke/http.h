/* The HTTP/1.1 server: libuv + llhttp, on TCP and unix sockets.
 *
 * Requests are read whole into a bounded buffer (headers 16 KiB, 100 of them; body
 * as the router allows, or given on in pieces), answered in the order they came on their
 * connection, and anything malformed gets a 4xx and a closed connection. Limits and timeouts:
 * docs/limits.md. All calls are from the loop's thread.
 *
 * A callback may answer, close or kill from inside. Answers of one turn of the loop
 * are written together at its end. */
#ifndef INVOKE_HTTP_H
#define INVOKE_HTTP_H

#include <sys/types.h>
#include <uv.h>

#include "engine/base/arena.h"

struct http_server;
struct http_request;
struct http_budget;

struct http_limits {
    uint32_t connections_max;    /* 10,000 of TCP, and as many of unix sockets */
    uint32_t per_address_max;    /* 256; unix sockets do not count; 0: no limit */
    uint32_t pipeline_max;       /* requests of one connection being handled: 16 */
    uint32_t header_ms;          /* 5,000: from the first byte to the end of headers */
    uint32_t idle_ms;            /* 60,000 between requests, or with an answer unread;
                                    0: no limit, of either */
    uint32_t body_bytes_per_s;   /* 1,024 after the first `header_ms` */
    uint64_t buffered_bytes_max; /* of all request bodies together: 256 MiB */
    uint64_t unread_bytes_max;   /* of all answers that clients have not read: 1 GiB; the
                                    connection whose answer would be more is ended */
    uint64_t reserve_bytes;      /* of either, beside `budget`; see http_budget.h */
    struct http_budget *budget;  /* that bodies and answers of several servers share, or NULL */
    uint16_t trailer_bytes_max;  /* behind a chunked body, all of them; 0: refused */
};
extern const struct http_limits http_limits_default;

enum { HTTP_REFUSED_MAX = 64 }; /* connections over the limit that still get their 503 */

/* Decides on a request when its headers are complete: the largest body it may
 * have; more is answered with 413 before it is read. */
typedef size_t (*http_admit)(void *arg, struct http_request *request);

/* The request is complete. The handler answers now or later, exactly once, with
 * http_respond() or http_begin(). */
typedef void (*http_handle)(void *arg, struct http_request *request);

/* A server costs about a kilobyte and wakes nobody while it has no deadline to watch:
 * there may be hundreds. Their reads share one buffer. The process ignores SIGPIPE from
 * now on: a client may leave while written to. */
int http_server_create(struct http_server **ret_server, uv_loop_t *loop,
                       const struct http_limits *limits, void *arg, http_admit admit,
                       http_handle handle);

enum { HTTP_THREADS_MAX = 16 };

/* TCP addresses that are listened at from now on are served by so many threads each, with a loop
 * of their own: they accept, speak TLS, read requests, watch times and write answers. 0, the
 * default: the server's own loop does. Unix sockets and http_listen_fd() are always its own.
 *
 * Nothing else changes: `admit`, `handle` and all callbacks are called by the server's loop, all
 * calls are from there, and limits are of all threads together. But with threads
 * - `admit` of a request that came with its body in one read is called just before `handle`;
 *   its body is refused then, and the connection goes on behind it;
 * - what has been read when the server is closed, and was not with a handler, is answered 503;
 * - http_server_close() stops accepting a turn of each thread later;
 * - http_unread() counts what is on its way to the thread as unread. */
void http_server_use_threads(struct http_server *server, unsigned count);

/* TCP clients that come from now on speak TLS, with this certificate (and those above it)
 * and key, as PEM files; those that are there go on as they are. Call it again when the
 * files have changed. On failure, with a sentence, all stays as it was. */
int http_server_use_tls(struct http_server *server, const char *certificate_path,
                        const char *key_path);

/* "127.0.0.1:9100", "[::1]:9100", port 0 = any free one (http_server_port tells).
 * Without TLS only loopback addresses are accepted: ERR_INVALID with a sentence otherwise. */
int http_listen_tcp(struct http_server *server, const char *address);
int http_server_port(const struct http_server *server);

/* Takes over a listening TCP socket, which may be of another network namespace, and
 * whose address is not looked at. It is closed with the server, or here on failure. */
int http_listen_fd(struct http_server *server, int fd);

/* Mode 0600; a stale socket file of a dead server is replaced, a live one refused. */
int http_listen_unix(struct http_server *server, const char *path);

/* Stops accepting at once, closes idle connections, lets requests in flight be
 * answered (as the last of their connections), then `cb`, from the loop. http_server_kill(), after
 * it, ends what is left: `cb` comes soon, and requests whose handlers still have them stay valid
 * until they are answered, to nobody. */
typedef void (*http_close_cb)(void *arg);
void http_server_close(struct http_server *server, void *arg, http_close_cb cb);
void http_server_kill(struct http_server *server);

/* --- a request, valid until it is answered ------------------------------------- */

struct bytes http_method(const struct http_request *request);
struct bytes http_path(const struct http_request *request);  /* raw, before '?' */
struct bytes http_query(const struct http_request *request); /* raw, after '?' */
struct bytes http_header(const struct http_request *request, const char *lower_name);
/* All of them, in the order they came: the n-th one's name, in lower case, and value. */
size_t http_header_count(const struct http_request *request);
struct bytes http_header_at(const struct http_request *request, size_t n, struct bytes *ret_name);
struct bytes http_body(const struct http_request *request);
bool http_is_unix(const struct http_request *request);
bool http_is_tls(const struct http_request *request);
uid_t http_peer_uid(const struct http_request *request); /* of a unix socket */
struct arena *http_arena(struct http_request *request);  /* lives as long; up to 64 MiB */

/* The caller's own, for the life of the request. `on_gone` is called if the client
 * goes away first; the request must still be answered (to nobody, or to a client
 * that has only closed its sending side). It is not called for a request that never
 * reached the handler, nor once http_send() has returned false. */
void http_set_user(struct http_request *request, void *user, void (*on_gone)(void *user));
void *http_user(const struct http_request *request); /* NULL before */

/* A trailer of a chunked body, once the request is complete, or data NULL. */
struct bytes http_trailer(const struct http_request *request, const char *lower_name);

/* The value of the n-th `key` of the query, decoded into the arena; data NULL when there is
 * none or it is malformed. */
struct bytes http_query_value(struct http_request *request, const char *key, size_t n);

/* --- bodies in pieces ------------------------------------------------------------ */

/* In `admit` only: the body is not collected. `handle` is called as soon as the headers
 * are complete; http_body() stays empty; `body_bytes_per_s` does not apply, and what is
 * passed on does not count as buffered. */
void http_stream_body(struct http_request *request);

enum http_body_event {
    HTTP_BODY_PIECE, /* any number of times */
    HTTP_BODY_END,   /* last: the body was whole, its trailers are there */
    HTTP_BODY_CUT,   /* or this: it was malformed or too large, or the client is gone */
};

struct http_piece {
    enum http_body_event event;
    struct bytes bytes; /* of a PIECE: 1 to 64 KiB, valid until the call returns */
    int status;         /* of CUT: what the answer should say, 400 and above, */
    const char *reason; /* and a sentence for it */
};

/* Begins to read the body of such a request: `on_body`, with the user of
 * http_set_user(), gets it from the loop, never from inside another call on the
 * request. Before this, and while it is paused, nothing is read. The handler must still
 * answer; it may do so before the body has ended: the rest is dropped, and the
 * connection ends with the answer. Nothing is told once it is answered. */
void http_read_body(struct http_request *request,
                    void (*on_body)(void *user, const struct http_piece *piece));
void http_pause_body(struct http_request *request);
void http_resume_body(struct http_request *request);

/* --- answers ------------------------------------------------------------------- */

/* Before http_respond() or http_begin(). The value is copied. */
void http_add_header(struct http_request *request, const char *name, struct bytes value);

/* Headers, content-length and body, all at once; the body is copied. The request
 * is gone when this returns. `content_type` NULL: no body type. */
void http_respond(struct http_request *request, int status, const char *content_type,
                  struct bytes body);

/* A chunked answer: begin, any number of http_send(), http_end(). http_send()
 * returns false when the client is gone or too slow (1 MiB unread): then only
 * http_end() is left to call. */
void http_begin(struct http_request *request, int status, const char *content_type);
bool http_send(struct http_request *request, struct bytes piece);
/* What of a chunked answer waits for the client to read; 0 once it is gone. */
size_t http_unread(struct http_request *request);
/* Calls `on_read` once, from the loop, when that has become less than `below`, with the
 * user of http_set_user(). Never when the client goes first. */
void http_call_when_read(struct http_request *request, size_t below, void (*on_read)(void *user));
void http_end(struct http_request *request);

#endif /* INVOKE_HTTP_H */
