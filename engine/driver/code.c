#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/functions.h"

/* The way of code into the cache:
 *
 *   - it was there once: the launcher is asked with an empty archive, which it does not
 *     look at when it has the code; if it has not, the empty archive is refused and we
 *     go on as if it had never been there;
 *   - when the views hold its chunks, they are opened into a memfd, which the launcher
 *     unpacks. */

struct waiter {
    struct list link;
    struct function_revision *revision;
    void *arg;
    function_ready_cb cb;
};

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
    mem_free(code);
}

/* --- memfds -------------------------------------------------------------------------- */

static int write_all(int fd, struct bytes bytes)
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

static int open_memfd(void)
{
    int fd = memfd_create("pawl-code", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    return (fd >= 0) ? fd : ERR(ERR_SYSTEM, "memfd_create: %s", strerror(errno));
}

/* Returns the descriptor, or closes it. */
static int finish_memfd(int fd, int r)
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
    int fd = open_memfd();

    return (fd >= 0) ? finish_memfd(fd, write_all(fd, archive)) : fd;
}

/* --- reading chunks ------------------------------------------------------------------ */

struct reading {
    const struct code *code;
    int fd;
    uint32_t chunks;
    uint64_t bytes;
    struct buf plain;
};

/* Each chunk is sealed with its key, so it is enough to see them in order. */
static int read_chunk(void *arg, struct bytes key, struct bytes value)
{
    struct reading *reading = arg;
    const struct code *code = reading->code;
    struct object_key expected;
    int r;

    code_key(&expected, code, reading->chunks);
    if (!bytes_equal(bytes_of_text(expected.text), key)) {
        return ERR(ERR_CORRUPT, "code %.16s… lacks chunk %u", code->name, reading->chunks);
    }
    r = object_open(code->functions->keys, KEY_CODE, key, value, &reading->plain);
    if (r == 0) {
        r = write_all(reading->fd, buf_bytes(&reading->plain));
    }
    reading->chunks++;
    reading->bytes += reading->plain.len;
    return r;
}

static int read_chunks(const struct code *code, struct reading *reading)
{
    struct object_key prefix;
    int r;

    object_key_format(&prefix, code->functions->tenant, "code/%s/", code->name);
    r = journal_read_objects(code->functions->journal, bytes_of_text(prefix.text), read_chunk,
                             reading);
    if (r == 0 && (reading->bytes != code->bytes || reading->chunks != code_chunks(code->bytes))) {
        r = ERR(ERR_CORRUPT, "code %.16s… has %u chunks of %u", code->name, reading->chunks,
                code_chunks(code->bytes));
    }
    return r;
}

/* A sealed memfd, or a negative error. */
static int read_archive(const struct code *code)
{
    struct reading reading = {.code = code, .fd = open_memfd()};
    int r;

    if (reading.fd < 0) {
        return reading.fd;
    }
    r = read_chunks(code, &reading);
    buf_fini(&reading.plain);
    return finish_memfd(reading.fd, r);
}

/* --- unpacking ------------------------------------------------------------------------ */

void code_end_waiters(struct code *code, const char *error)
{
    struct list waiters;
    struct list *item;

    list_init(&waiters);
    list_splice_back(&waiters, &code->waiters);
    while ((item = list_pop_front(&waiters)) != NULL) {
        struct waiter *waiter = container_of(item, struct waiter, link);
        function_ready_cb cb = waiter->cb;
        void *arg = waiter->arg;

        waiter->revision->is_unpacked = error == NULL;
        mem_free(waiter);
        cb(arg, error); /* the registry may be closed now */
    }
}

/* The reference was taken when it began: the code is still there. */
static void finish_unpack(struct code *code, const char *error)
{
    struct functions *functions = code->functions;

    code->is_unpacking = false;
    code->is_unpacked = error == NULL;
    code_end_waiters(code, error);
    code_release(code);
    functions_unhold(functions);
}

static void on_unpacked(void *arg, const struct unpacked *unpacked)
{
    finish_unpack(arg, unpacked->error);
}

static int send_archive(struct code *code)
{
    int fd = read_archive(code);

    if (fd < 0) {
        return fd;
    }
    return launcher_unpack(code->functions->launcher, code->name, fd, code, on_unpacked);
}

static void on_applied(struct journal_wait *wait)
{
    struct code *code = container_of(wait, struct code, wait);

    code->is_waiting = false;
    code->status = send_archive(code);
    if (code->status != 0 && !code->is_asking) {
        finish_unpack(code, err_text(code->status));
    }
}

/* The views may arrive while we ask for them, so on_applied() can come from inside: then
 * its status is ours. Nobody is called back before this returns. */
static int start_unpack(struct code *code)
{
    code->status = 0;
    code->is_waiting = true;
    code->is_asking = true;
    journal_wait_applied(code->functions->journal, &code->wait, code->lsn, on_applied);
    code->is_asking = false;
    return code->status;
}

static void on_probed(void *arg, const struct unpacked *unpacked)
{
    struct code *code = arg;
    int r;

    if (unpacked->error == NULL || code->functions->is_closed) {
        finish_unpack(code, unpacked->error);
        return;
    }
    code->is_unpacked = false;
    r = start_unpack(code);
    if (r != 0) {
        finish_unpack(code, err_text(r));
    }
}

static int start_probe(struct code *code)
{
    int fd = code_seal_memfd(bytes_of(NULL, 0));

    if (fd < 0) {
        return fd;
    }
    return launcher_unpack(code->functions->launcher, code->name, fd, code, on_probed);
}

/* Whoever comes while it is under way shares it. */
static int start(struct code *code)
{
    int r;

    if (code->is_unpacking) {
        return 0;
    }
    code->is_unpacking = true;
    code->references++;
    functions_hold(code->functions);
    r = code->is_unpacked ? start_probe(code) : start_unpack(code);
    if (r != 0) {
        code->is_unpacking = false;
        code_release(code);
        functions_unhold(code->functions);
    }
    return r;
}

int function_unpack(struct functions *functions, struct function_revision *revision, void *arg,
                    function_ready_cb cb)
{
    struct code *code = held_revision_of(revision)->code;
    struct waiter *waiter = mem_calloc(1, sizeof *waiter);
    int r;

    assert(!functions->is_closed && code->functions == functions);
    if (waiter == NULL) {
        return ERR(ERR_NOMEM, "wait for code");
    }
    waiter->revision = revision;
    waiter->arg = arg;
    waiter->cb = cb;
    list_push_back(&code->waiters, &waiter->link);
    r = start(code);
    if (r != 0) {
        list_remove(&waiter->link);
        mem_free(waiter);
    }
    return r;
}

void code_cancel(struct code *code)
{
    if (code->is_waiting) {
        code->is_waiting = false;
        journal_wait_cancel(code->functions->journal, &code->wait);
        finish_unpack(code, err_text(ERR_CANCELED));
    }
}

/* The size object goes last: what is left of an interrupted removal is found by it. */
int code_remove(struct code *code)
{
    uint32_t chunks = code_chunks(code->bytes);
    struct removal *removal;
    struct object_key key;
    int r;

    assert(code->references == 0);
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
