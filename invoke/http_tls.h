/* TLS between the bytes of a socket and the bytes of HTTP: OpenSSL, TLS 1.2 and 1.3.
 *
 * It knows no sockets. What was read goes through http_tls_open(); what is to be written
 * goes through http_tls_seal() into `output`, which the caller writes, also where the
 * handshake alone has something to say. A context is a certificate and its key; sessions
 * begun with one go on when the server gets another. Contexts are made by one thread; any
 * thread may begin a session with one, and has it for itself. */
#ifndef INVOKE_HTTP_TLS_H
#define INVOKE_HTTP_TLS_H

#include "engine/base/bytes.h"

struct http_tls_context;

/* PEM files: the certificate, with those between it and the root behind it, and the key,
 * not encrypted. ERR_INVALID with a sentence. */
int http_tls_context_create(struct http_tls_context **ret_context, const char *certificate_path,
                            const char *key_path);
/* Accepts NULL. Sessions that use it stay whole. */
void http_tls_context_destroy(struct http_tls_context *context);

enum {
    HTTP_TLS_RECORD_BYTES_MAX = 17 << 10, /* what may be kept of one that is not whole yet */
};

struct http_tls {
    void *session;      /* OpenSSL's SSL */
    struct bytes input; /* what is left of what was read */
    struct buf output;
    bool is_begun;
    bool is_ready; /* the handshake is done */
};

/* NULL without memory. */
struct http_tls *http_tls_create(struct http_tls_context *context);
void http_tls_destroy(struct http_tls *tls); /* accepts NULL */

/* Opens what was read, all of it. `to` has room for as much, and for one record more.
 * Returns 0, or, with what came before in `to`: */
enum {
    HTTP_TLS_ENDED = 1,  /* the client has said that no more will come */
    HTTP_TLS_BROKEN = 2, /* not to be gone on with; why is said in `output` */
    HTTP_TLS_PLAIN = 3,  /* the client does not speak TLS at all; nothing was taken */
};
int http_tls_open(struct http_tls *tls, struct bytes data, uint8_t *to, size_t size,
                  size_t *ret_len);

/* Seals all of `plain` and empties it. False: it cannot be. */
bool http_tls_seal(struct http_tls *tls, struct buf *plain);

/* Says that no more will come. */
void http_tls_end(struct http_tls *tls);

#endif /* INVOKE_HTTP_TLS_H */
