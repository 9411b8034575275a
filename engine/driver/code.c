#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/functions.h"

#define MERGED_MARK "layers" /* in front of the names that make the name of several */

bool code_is_name(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];

        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) {
            return false;
        }
    }
    return name.len == CODE_NAME_LEN;
}

static void put_hash(struct bytes bytes, char name[CODE_NAME_LEN + 1])
{
    uint8_t hash[CODE_NAME_LEN / 2];

    seal_sha256(bytes, hash);
    for (size_t i = 0; i < sizeof hash; i++) {
        (void)snprintf(name + 2 * i, 3, "%02x", hash[i]);
    }
}

void code_name(struct bytes archive, char name[CODE_NAME_LEN + 1])
{
    put_hash(archive, name);
}

uint32_t code_chunks(uint64_t bytes)
{
    return (uint32_t)((bytes + CODE_CHUNK_BYTES - 1) / CODE_CHUNK_BYTES);
}

void code_key(struct object_key *ret_key, const struct code *code, uint32_t chunk)
{
    object_key_format(ret_key, code->functions->tenant, "code/%s/%05u", code->name, chunk);
}

void code_archive_key(struct object_key *ret_key, const struct code *code)
{
    object_key_format(ret_key, code->functions->tenant, "archive/%s", code->name);
}

/* --- the table of codes ------------------------------------------------------------- */

struct code *code_find(const struct functions *functions, const char *name)
{
    struct bytes text = bytes_of_text(name);
    struct table_node *node;

    for (node = table_first(&functions->codes, table_hash(text)); node != NULL;
         node = table_next(node)) {
        struct code *code = container_of(node, struct code, by_name);

        if (bytes_equal(bytes_of_text(code->name), text)) {
            return code;
        }
    }
    return NULL;
}

int code_obtain(struct functions *functions, const char *name, uint64_t bytes,
                struct code **ret_code)
{
    struct code *code = code_find(functions, name);

    if (code == NULL) {
        code = mem_calloc(1, sizeof *code);
        if (code == NULL) {
            return ERR(ERR_NOMEM, "code");
        }
        code->functions = functions;
        code->bytes = bytes;
        memcpy(code->name, name, sizeof code->name);
        list_init(&code->waiters);
        if (table_insert(&functions->codes, &code->by_name, table_hash(bytes_of_text(name))) != 0) {
            mem_free(code);
            return ERR_NOMEM;
        }
    }
    code->references++;
    *ret_code = code;
    return 0;
}

void code_release(struct code *code)
{
    if (code == NULL) {
        return;
    }
    assert(code->references > 0);
    if (--code->references == 0 && !code->is_stored) {
        code_destroy(code);
    }
}

void code_destroy(struct code *code)
{
    assert(!code->is_unpacking && list_is_empty(&code->waiters));
    table_remove(&code->functions->codes, &code->by_name);
    for (size_t i = 0; i < code->part_count; i++) {
        code_release(code->parts[i]);
    }
    mem_free(code);
}

uint64_t code_unpacked_bytes(const struct code *code)
{
    uint64_t bytes = 0;

    if (code->part_count == 0) {
        return (code->unpacked_bytes > 0) ? code->unpacked_bytes : code->bytes;
    }
    for (size_t i = 0; i < code->part_count; i++) {
        bytes += code_unpacked_bytes(code->parts[i]);
    }
    return bytes;
}

/* --- several as one ------------------------------------------------------------------- */

/* Another name than any archive has: what is hashed is no zip. */
static void name_merged(struct code *const *parts, size_t count, char name[CODE_NAME_LEN + 1])
{
    char text[sizeof MERGED_MARK + CODE_PARTS_MAX * (CODE_NAME_LEN + 1)] = MERGED_MARK;
    size_t len = strlen(text);

    for (size_t i = 0; i < count; i++) {
        text[len++] = '/';
        memcpy(text + len, parts[i]->name, CODE_NAME_LEN);
        len += CODE_NAME_LEN;
    }
    put_hash(bytes_of(text, len), name);
}

int code_obtain_merged(struct functions *functions, struct code *const *parts, size_t count,
                       struct code **ret_code)
{
    char name[CODE_NAME_LEN + 1];
    struct code *code;
    int r;

    assert(count > 0 && count <= CODE_PARTS_MAX);
    if (count == 1) { /* it is itself */
        parts[0]->references++;
        *ret_code = parts[0];
        return 0;
    }
    name_merged(parts, count, name);
    r = code_obtain(functions, name, 0, &code);
    if (r != 0) {
        return r;
    }
    if (code->part_count == 0) {
        for (size_t i = 0; i < count; i++) {
            parts[i]->references++;
            code->parts[i] = parts[i];
        }
        code->part_count = count;
    }
    *ret_code = code;
    return 0;
}

/* --- memfds -------------------------------------------------------------------------- */

int code_write(int fd, struct bytes bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.data, bytes.len);

        if (n < 0) {
            return ERR(ERR_SYSTEM, "write memfd: %s", strerror(errno));
        }
        bytes.data += n;
        bytes.len -= (size_t)n;
    }
    return 0;
}

int code_open_memfd(void)
{
    int fd = memfd_create("pawl-code", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    return (fd >= 0) ? fd : ERR(ERR_SYSTEM, "memfd_create: %s", strerror(errno));
}

int code_finish_memfd(int fd, int r)
{
    if (r == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
        r = ERR(ERR_SYSTEM, "seal memfd: %s", strerror(errno));
    }
    if (r != 0) {
        (void)close(fd);
        return r;
    }
    return fd;
}

int code_seal_memfd(struct bytes archive)
{
    int fd = code_open_memfd();

    return (fd >= 0) ? code_finish_memfd(fd, code_write(fd, archive)) : fd;
}

/* The size object goes last: what is left of an interrupted removal is found by it. */
int code_remove(struct code *code)
{
    uint32_t chunks = code_chunks(code->bytes);
    struct removal *removal;
    struct object_key key;
    int r;

    assert(code->references == 0 && code->part_count == 0);
    r = removal_create(&removal, code->functions, chunks + 1);
    if (r != 0) {
        return r;
    }
    for (uint32_t i = 0; i < chunks; i++) {
        code_key(&key, code, i);
        removal_add(removal, &key);
    }
    code_archive_key(&key, code);
    removal_add(removal, &key);
    code_destroy(code);
    return 0;
}

/* Walking and removing do not go together: a few at a time. */
#define UNUSED_AT_ONCE 64U

static size_t list_unused(const struct functions *functions, struct code *unused[UNUSED_AT_ONCE])
{
    struct table_node *node = NULL;
    size_t bucket = 0;
    size_t count = 0;

    while (count < UNUSED_AT_ONCE &&
           (node = table_walk(&functions->codes, &bucket, node)) != NULL) {
        struct code *code = container_of(node, struct code, by_name);

        if (code->references == 0) {
            unused[count++] = code;
        }
    }
    return count;
}

int code_remove_unused(struct functions *functions, uint32_t entries_max)
{
    struct code *unused[UNUSED_AT_ONCE];
    uint32_t entries = 0;
    size_t count;

    do {
        count = list_unused(functions, unused);
        for (size_t i = 0; i < count && entries < entries_max; i++) {
            int r;

            entries += 1 + code_chunks(unused[i]->bytes);
            r = code_remove(unused[i]);
            if (r != 0) {
                return r;
            }
        }
    } while (count == UNUSED_AT_ONCE && entries < entries_max);
    return 0;
}
