/* root.key and keyring on disk.
 *
 * First start: keyring is staged (keyring.new), root.key is written, keyring gets
 * its name. A crash in between leaves root.key beside keyring.new; as that opens
 * only with this root key, the next start gives it its name. A crash before
 * leaves at most keyring.new, and the first start begins anew. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/log.h"
#include "tenants/keyring.h"
#include "tenants/private_file.h"

#define ROOT_MODE 0400
#define KEYRING_MODE 0600
#define ROOT_TEXT_BYTES (2U * SECRET_KEY_BYTES + 1U) /* hexadecimal, end of line */

struct keyring_paths {
    const char *dir;
    char root[PATH_MAX];
    char keyring[PATH_MAX];
    char staged[PATH_MAX];
};

static int make_paths(struct keyring_paths *paths, const char *dir, const char *root_key_path)
{
    int root_len = (root_key_path != NULL) ? snprintf(paths->root, PATH_MAX, "%s", root_key_path)
                                           : snprintf(paths->root, PATH_MAX, "%s/root.key", dir);

    paths->dir = dir;
    if (root_len >= PATH_MAX || snprintf(paths->keyring, PATH_MAX, "%s/keyring", dir) >= PATH_MAX ||
        snprintf(paths->staged, PATH_MAX, "%s/keyring.new", dir) >= PATH_MAX) {
        return ERR(ERR_INVALID, "path of keyring or root.key too long: %s", dir);
    }
    return 0;
}

static bool parse_root(const uint8_t *text, size_t len, uint8_t root[SECRET_KEY_BYTES])
{
    size_t key_len = 0;

    if (len == ROOT_TEXT_BYTES && text[len - 1] == '\n') {
        len--;
    }
    return len == ROOT_TEXT_BYTES - 1 &&
           sodium_hex2bin(root, SECRET_KEY_BYTES, (const char *)text, len, NULL, &key_len, NULL) ==
               0 &&
           key_len == SECRET_KEY_BYTES;
}

/* 0, PRIVATE_FILE_ABSENT or an error. */
static int read_root(const struct keyring_paths *paths, uint8_t root[SECRET_KEY_BYTES])
{
    uint8_t text[ROOT_TEXT_BYTES];
    size_t len = 0;
    int r = private_file_read(paths->root, text, sizeof text, &len);

    if (r == 0 && !parse_root(text, len, root)) {
        r = ERR(ERR_INVALID, "not 64 hexadecimal digits: restore %s from its backup", paths->root);
    }
    sodium_memzero(text, sizeof text);
    return r;
}

static int write_root(const struct keyring_paths *paths, const uint8_t root[SECRET_KEY_BYTES])
{
    char text[ROOT_TEXT_BYTES + 1];
    int r;

    (void)sodium_bin2hex(text, sizeof text, root, SECRET_KEY_BYTES);
    text[ROOT_TEXT_BYTES - 1] = '\n';
    r = private_file_create(paths->root, ROOT_MODE, bytes_of(text, ROOT_TEXT_BYTES));
    sodium_memzero(text, sizeof text);
    return r;
}

/* The first start: a random root key, one epoch. */
static int write_first(const struct keyring_paths *paths, uint8_t root[SECRET_KEY_BYTES])
{
    struct keyring *first = NULL;
    uint8_t file[KEYRING_BYTES_MAX];
    int r = keyring_create(&first);

    if (r != 0) {
        return r;
    }
    randombytes_buf(root, SECRET_KEY_BYTES);
    (void)keyring_add_epoch(first);
    r = private_file_stage(paths->keyring, KEYRING_MODE,
                           bytes_of(file, keyring_encode(first, root, file)));
    keyring_close(first);
    r = (r == 0) ? write_root(paths, root) : r;
    r = (r == 0) ? private_file_publish(paths->keyring) : r;
    if (r == 0) {
        log_info("made root.key and keyring: back both up, apart from the data");
    }
    return r;
}

static int decode_file(struct keyring *keyring, const char *path,
                       const uint8_t root[SECRET_KEY_BYTES])
{
    uint8_t file[KEYRING_BYTES_MAX];
    size_t len = 0;
    int r = private_file_read(path, file, sizeof file, &len);

    return (r == 0) ? keyring_decode(keyring, root, bytes_of(file, len)) : r;
}

/* root.key is there, keyring is not: an interrupted first start, or a loss. */
static int finish_first(struct keyring *keyring, const struct keyring_paths *paths,
                        const uint8_t root[SECRET_KEY_BYTES])
{
    int r = decode_file(keyring, paths->staged, root);

    if (r == 0) {
        return private_file_publish(paths->keyring);
    }
    return ERR(ERR_INVALID, "keyring is missing beside root.key: restore it from its backup in %s",
               paths->dir);
}

static int load(struct keyring *keyring, const struct keyring_paths *paths,
                uint8_t root[SECRET_KEY_BYTES])
{
    int root_r = read_root(paths, root);
    int r;

    if (root_r < 0) {
        return root_r;
    }
    if (root_r == 0) {
        r = decode_file(keyring, paths->keyring, root);
        return (r == PRIVATE_FILE_ABSENT) ? finish_first(keyring, paths, root) : r;
    }
    /* faccessat by effective user: who cannot look must not take it for absent. */
    if (faccessat(AT_FDCWD, paths->keyring, F_OK, AT_EACCESS) == 0 || errno != ENOENT) {
        return ERR(ERR_INVALID,
                   "root.key is missing beside keyring: restore it from its backup: %s",
                   paths->root);
    }
    r = write_first(paths, root);
    return (r == 0) ? decode_file(keyring, paths->keyring, root) : r;
}

int keyring_open(struct keyring **ret_keyring, const char *dir, const char *root_key_path)
{
    struct keyring_paths paths;
    struct keyring *keyring = NULL;
    uint8_t *root;
    int r = secret_init();

    r = (r == 0) ? make_paths(&paths, dir, root_key_path) : r;
    r = (r == 0) ? keyring_create(&keyring) : r;
    if (r != 0) {
        return r;
    }
    root = secret_alloc(SECRET_KEY_BYTES);
    r = (root != NULL) ? load(keyring, &paths, root) : ERR(ERR_NOMEM, "root key");
    secret_free(root);
    if (r != 0) {
        keyring_close(keyring);
        return (r > 0) ? ERR(ERR_IO, "keyring vanished while it was opened: %s", dir) : r;
    }
    *ret_keyring = keyring;
    return 0;
}
