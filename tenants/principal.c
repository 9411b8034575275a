#include "tenants/principal.h"

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "tenants/private_file.h"
#include "tenants/secret.h"

#define TOKEN_MODE 0600
#define TOKEN_RANDOM_BYTES 32U
#define TOKEN_CHARS_MIN 32U
#define TOKEN_CHARS_MAX 255U
#define DIGEST_BYTES 32U

/* Only the digest of the token is kept: two digests have one length, and so can
 * be compared in constant time. */
struct verifier {
    uid_t own_uid;
    uint8_t digest[DIGEST_BYTES];
};

static void digest_of(struct bytes text, uint8_t out[DIGEST_BYTES])
{
    (void)crypto_generichash(out, DIGEST_BYTES, text.data, text.len, NULL, 0);
}

/* An operator may put a token of their own there: visible ASCII, one line. */
static bool is_token(struct bytes text)
{
    if (text.len < TOKEN_CHARS_MIN || text.len > TOKEN_CHARS_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~') {
            return false;
        }
    }
    return true;
}

static int write_token(const char *path)
{
    uint8_t key[TOKEN_RANDOM_BYTES];
    char text[2 * TOKEN_RANDOM_BYTES + 1];
    int r;

    randombytes_buf(key, sizeof key);
    (void)sodium_bin2hex(text, sizeof text, key, sizeof key);
    text[sizeof text - 1] = '\n';
    r = private_file_create(path, TOKEN_MODE, bytes_of(text, sizeof text));
    sodium_memzero(key, sizeof key);
    sodium_memzero(text, sizeof text);
    return r;
}

static int read_token(const char *path, uint8_t ret_digest[DIGEST_BYTES])
{
    uint8_t text[TOKEN_CHARS_MAX + 1];
    size_t len = 0;
    int r = private_file_read(path, text, sizeof text, &len);

    if (r == 0 && len > 0 && text[len - 1] == '\n') {
        len--;
    }
    if (r == 0 && !is_token(bytes_of(text, len))) {
        r = ERR(ERR_INVALID, "not a token of 32 or more visible characters: remove %s", path);
    }
    if (r == 0) {
        digest_of(bytes_of(text, len), ret_digest);
    }
    sodium_memzero(text, sizeof text);
    return r;
}

static int load_token(const char *path, uint8_t ret_digest[DIGEST_BYTES])
{
    int r = read_token(path, ret_digest);

    if (r != PRIVATE_FILE_ABSENT) {
        return r;
    }
    r = write_token(path);
    r = (r == 0) ? read_token(path, ret_digest) : r;
    return (r > 0) ? ERR(ERR_IO, "token vanished while it was made: %s", path) : r;
}

int verifier_create(struct verifier **ret_verifier, const char *dir)
{
    char path[PATH_MAX];
    struct verifier *verifier;
    int r = secret_init();

    if (r != 0) {
        return r;
    }
    if (snprintf(path, sizeof path, "%s/token", dir) >= (int)sizeof path) {
        return ERR(ERR_INVALID, "path of token too long: %s", dir);
    }
    verifier = mem_calloc(1, sizeof *verifier);
    if (verifier == NULL) {
        return ERR(ERR_NOMEM, "verifier");
    }
    verifier->own_uid = geteuid();
    r = load_token(path, verifier->digest);
    if (r != 0) {
        mem_free(verifier);
        return r;
    }
    *ret_verifier = verifier;
    return 0;
}

void verifier_destroy(struct verifier *verifier)
{
    if (verifier != NULL) {
        sodium_memzero(verifier, sizeof *verifier);
        mem_free(verifier);
    }
}

static bool is_text(struct bytes bytes, const char *text)
{
    return bytes.len == strlen(text) && strncasecmp((const char *)bytes.data, text, bytes.len) == 0;
}

/* Up to five digits, or nothing at all: the part of a Host behind the name. */
static bool is_port(struct bytes text)
{
    if (text.len == 0) {
        return true;
    }
    if (text.data[0] != ':' || text.len < 2 || text.len > 6) {
        return false;
    }
    for (size_t i = 1; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    return true;
}

/* A browser that was led here by a name (DNS rebinding) sends that name. */
static bool is_loopback(struct bytes host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t len = strlen(names[i]);

        if (host.len >= len && is_text(bytes_of(host.data, len), names[i])) {
            return is_port(bytes_of(host.data + len, host.len - len));
        }
    }
    return false;
}

static bool has_token(const struct verifier *verifier, struct bytes authorization)
{
    static const char scheme[] = "Bearer ";
    const size_t scheme_len = sizeof scheme - 1;
    uint8_t digest[DIGEST_BYTES];

    if (authorization.len <= scheme_len ||
        !is_text(bytes_of(authorization.data, scheme_len), scheme)) {
        return false;
    }
    digest_of(bytes_of(authorization.data + scheme_len, authorization.len - scheme_len), digest);
    return sodium_memcmp(digest, verifier->digest, sizeof digest) == 0;
}

static const char *check_unix(const struct verifier *verifier, uid_t peer_uid)
{
    return (peer_uid == verifier->own_uid || peer_uid == 0)
               ? NULL
               : "The socket is only for the user that the daemon runs as.";
}

static const char *check_tcp(const struct verifier *verifier, const struct credentials *credentials)
{
    if (credentials->origin.data != NULL) {
        return "Requests from web pages (with an Origin) are not accepted.";
    }
    if (credentials->host.data == NULL || !is_loopback(credentials->host)) {
        return "The Host must be localhost, 127.0.0.1 or [::1].";
    }
    if (credentials->authorization.data == NULL) {
        return "Missing Authentication Token";
    }
    if (!has_token(verifier, credentials->authorization)) {
        return "The bearer token is not the one in the data directory's file `token`.";
    }
    return NULL;
}

const char *verifier_check(const struct verifier *verifier, const struct credentials *credentials,
                           struct principal *ret_principal)
{
    const char *problem = credentials->is_unix ? check_unix(verifier, credentials->peer_uid)
                                               : check_tcp(verifier, credentials);

    if (problem == NULL) {
        *ret_principal =
            (struct principal){.tenant = TENANT_DEFAULT, .is_operator = credentials->is_unix};
    }
    return problem;
}
