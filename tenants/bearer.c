#include "tenants/bearer.h"

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <strings.h>

#include "engine/base/err.h"
#include "tenants/private_file.h"

#define TOKEN_MODE 0600
#define TOKEN_RANDOM_BYTES 32U
#define TOKEN_CHARS_MIN 32U
#define TOKEN_CHARS_MAX 255U

static void digest_of(struct bytes text, uint8_t out[BEARER_DIGEST_BYTES])
{
    (void)crypto_generichash(out, BEARER_DIGEST_BYTES, text.data, text.len, NULL, 0);
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

static int read_token(const char *path, uint8_t ret_digest[BEARER_DIGEST_BYTES])
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

static int load_token(const char *path, uint8_t ret_digest[BEARER_DIGEST_BYTES])
{
    int r = read_token(path, ret_digest);

    if (r != PRIVATE_FILE_ABSENT) {
        return r;
    }
    r = write_token(path);
    r = (r == 0) ? read_token(path, ret_digest) : r;
    return (r > 0) ? ERR(ERR_IO, "token vanished while it was made: %s", path) : r;
}

int bearer_load(struct bearer *bearer, const char *dir)
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof path, "%s/token", dir) >= (int)sizeof path) {
        return ERR(ERR_INVALID, "path of token too long: %s", dir);
    }
    return load_token(path, bearer->digest);
}

bool bearer_is_in(const struct bearer *bearer, struct bytes authorization)
{
    static const char scheme[] = "Bearer ";
    const size_t scheme_len = sizeof scheme - 1;
    uint8_t digest[BEARER_DIGEST_BYTES];

    if (authorization.len <= scheme_len ||
        strncasecmp((const char *)authorization.data, scheme, scheme_len) != 0) {
        return false;
    }
    digest_of(bytes_of(authorization.data + scheme_len, authorization.len - scheme_len), digest);
    return sodium_memcmp(digest, bearer->digest, sizeof digest) == 0;
}
