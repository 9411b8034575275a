#include "invoke/http_tls.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "engine/base/err.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"

/* The one protocol that is spoken behind it, as ALPN writes it. */
static const unsigned char protocol[] = "\x08http/1.1";
#define CIPHERS_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define RECORD_HANDSHAKE 0x16

struct http_tls_context {
    SSL_CTX *ssl;
};

/* --- the two ends of a session ------------------------------------------------------ */

static int take_input(BIO *bio, char *to, int len)
{
    struct http_tls *tls = BIO_get_data(bio);
    size_t take = (tls->input.len < (size_t)len) ? tls->input.len : (size_t)len;

    BIO_clear_retry_flags(bio);
    if (take == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(to, tls->input.data, take);
    tls->input = bytes_of(tls->input.data + take, tls->input.len - take);
    return (int)take;
}

static int give_output(BIO *bio, const char *data, int len)
{
    struct http_tls *tls = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    buf_append(&tls->output, data, (size_t)len);
    return tls->output.failed ? -1 : len;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return (command == BIO_CTRL_FLUSH) ? 1 : 0;
}

/* Made with the first context, before any other thread can have one, and kept. */
static BIO_METHOD *ends(void)
{
    static BIO_METHOD *method;

    if (method == NULL) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "pawl");
        if (method != NULL && (BIO_meth_set_read(method, take_input) != 1 ||
                               BIO_meth_set_write(method, give_output) != 1 ||
                               BIO_meth_set_ctrl(method, control) != 1)) {
            BIO_meth_free(method);
            method = NULL;
        }
    }
    return method;
}

struct http_tls *http_tls_create(struct http_tls_context *context)
{
    struct http_tls *tls = mem_calloc(1, sizeof *tls);
    BIO *bio = (ends() != NULL) ? BIO_new(ends()) : NULL;
    SSL *session = SSL_new(context->ssl);

    if (tls == NULL || bio == NULL || session == NULL) {
        BIO_free(bio);
        SSL_free(session);
        mem_free(tls);
        return NULL;
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(session, bio, bio); /* one reference, for both directions */
    SSL_set_accept_state(session);
    tls->session = session;
    return tls;
}

void http_tls_destroy(struct http_tls *tls)
{
    if (tls != NULL) {
        SSL_free(tls->session);
        buf_fini(&tls->output);
        mem_free(tls);
    }
}

/* --- bytes -------------------------------------------------------------------------- */

/* After a call that gave nothing. */
static int judge(struct http_tls *tls, int r)
{
    switch (SSL_get_error(tls->session, r)) {
    case SSL_ERROR_WANT_READ:
        return (tls->input.len == 0 && !tls->output.failed) ? 0 : HTTP_TLS_BROKEN;
    case SSL_ERROR_ZERO_RETURN:
        return HTTP_TLS_ENDED;
    default:
        return HTTP_TLS_BROKEN;
    }
}

int http_tls_open(struct http_tls *tls, struct bytes data, uint8_t *to, size_t size,
                  size_t *ret_len)
{
    size_t len = 0;
    int r;

    *ret_len = 0;
    if (!tls->is_begun && data.len > 0) {
        if (data.data[0] != RECORD_HANDSHAKE) {
            return HTTP_TLS_PLAIN;
        }
        tls->is_begun = true;
    }
    tls->input = data;
    do {
        size_t room = (size - len < INT_MAX) ? size - len : INT_MAX;

        ERR_clear_error();
        r = SSL_read(tls->session, to + len, (int)room);
        len += (r > 0) ? (size_t)r : 0;
    } while (r > 0 && len < size);
    *ret_len = len;
    r = (r > 0) ? HTTP_TLS_BROKEN : judge(tls, r); /* more than it was made of cannot be */
    tls->input = (struct bytes){0};
    tls->is_ready = SSL_is_init_finished(tls->session) != 0;
    return r;
}

bool http_tls_seal(struct http_tls *tls, struct buf *plain)
{
    int r;

    if (plain->len == 0) {
        return true;
    }
    if (!tls->is_ready || plain->len > INT_MAX) {
        return false;
    }
    ERR_clear_error();
    r = SSL_write(tls->session, plain->data, (int)plain->len);
    if (r != (int)plain->len || tls->output.failed) {
        return false;
    }
    plain->len = 0;
    return true;
}

void http_tls_end(struct http_tls *tls)
{
    if (tls->is_ready) {
        ERR_clear_error();
        (void)SSL_shutdown(tls->session);
    }
}

/* --- the context -------------------------------------------------------------------- */

/* Nobody is there to type it. */
static int refuse_passphrase(char *buf, int size, int is_write, void *arg)
{
    (void)buf;
    (void)size;
    (void)is_write;
    (void)arg;
    return -1;
}

static int choose_protocol(SSL *session, const unsigned char **ret, unsigned char *ret_len,
                           const unsigned char *offered, unsigned offered_len, void *arg)
{
    unsigned char *chosen;

    (void)session;
    (void)arg;
    if (SSL_select_next_proto(&chosen, ret_len, protocol, sizeof protocol - 1, offered,
                              offered_len) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 section 3.2 */
    }
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool set_up(SSL_CTX *ssl)
{
    SSL_CTX_set_default_passwd_cb(ssl, refuse_passphrase);
    SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
    (void)SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                       SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF); /* tickets need no memory */
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ssl, CIPHERS_1_2) == 1;
}

/* Why OpenSSL said no, by its newest error. */
static const char *reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = (code != 0) ? ERR_reason_error_string(code) : NULL;

    return (text != NULL) ? text : "unknown reason";
}

static int check_file(const char *path, const char *what)
{
    struct stat info;

    if (stat(path, &info) != 0) {
        return ERR(ERR_INVALID, "%s %s: %s", what, path, strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return ERR(ERR_INVALID, "%s %s: it is not a file", what, path);
    }
    return 0;
}

static void warn_if_open(const char *path)
{
    struct stat info;

    if (stat(path, &info) == 0 && (info.st_mode & (S_IRWXG | S_IRWXO) & ~(mode_t)S_IRGRP) != 0) {
        log_warn("others may read or change the TLS key %s: chmod 600 it", path);
    }
}

static int load(SSL_CTX *ssl, const char *certificate_path, const char *key_path)
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ssl, certificate_path) != 1) {
        return ERR(ERR_INVALID, "the TLS certificate %s cannot be used: %s; it must be PEM",
                   certificate_path, reason());
    }
    if (SSL_CTX_use_PrivateKey_file(ssl, key_path, SSL_FILETYPE_PEM) != 1) {
        return ERR(ERR_INVALID,
                   "the TLS key %s cannot be used with the certificate %s: %s; it must be PEM "
                   "and not encrypted",
                   key_path, certificate_path, reason());
    }
    if (SSL_CTX_check_private_key(ssl) != 1) {
        return ERR(ERR_INVALID, "the TLS key %s is not that of the certificate %s", key_path,
                   certificate_path);
    }
    return 0;
}

int http_tls_context_create(struct http_tls_context **ret_context, const char *certificate_path,
                            const char *key_path)
{
    struct http_tls_context *context;
    int r = check_file(certificate_path, "the TLS certificate");

    r = (r == 0) ? check_file(key_path, "the TLS key") : r;
    if (r != 0) {
        return r;
    }
    context = mem_calloc(1, sizeof *context);
    if (context == NULL) {
        return ERR(ERR_NOMEM, "TLS");
    }
    context->ssl = SSL_CTX_new(TLS_server_method());
    if (context->ssl == NULL || ends() == NULL || !set_up(context->ssl)) {
        r = ERR(ERR_SYSTEM, "TLS: %s", reason());
    }
    r = (r == 0) ? load(context->ssl, certificate_path, key_path) : r;
    if (r != 0) {
        http_tls_context_destroy(context);
        return r;
    }
    warn_if_open(key_path);
    *ret_context = context;
    return 0;
}

void http_tls_context_destroy(struct http_tls_context *context)
{
    if (context != NULL) {
        SSL_CTX_free(context->ssl); /* each session holds it too */
        mem_free(context);
    }
}
