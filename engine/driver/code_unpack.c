#include <assert.h>
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
 *     unpacks. Several at once where they are one directory. */

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
        r = code_write(reading->fd, buf_bytes(&reading->plain));
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
    struct reading reading = {.code = code, .fd = code_open_memfd()};
    int r;

    if (reading.fd < 0) {
        return reading.fd;
    }
    r = read_chunks(code, &reading);
    buf_fini(&reading.plain);
    return code_finish_memfd(reading.fd, r);
}

/* --- who waits -------------------------------------------------------------------------- */

#define ROUNDS_MAX 8U

/* The code of a revision and its layers are asked for in turn, until each was there when it
 * was asked for last: while one of them is unpacked, the other may go to make room. */
struct waiter {
    struct list link;
    struct function_revision *revision;
    struct code *code; /* that is asked for */
    unsigned in_a_row; /* codes that are there */
    unsigned rounds;
    void *arg;
    function_ready_cb cb;
};

static int ask(struct waiter *waiter, struct code *code);

static void end_waiter(struct waiter *waiter, const char *error)
{
    function_ready_cb cb = waiter->cb;
    void *arg = waiter->arg;

    waiter->revision->is_unpacked = error == NULL;
    mem_free(waiter);
    cb(arg, error); /* the registry may be closed now */
}

static void answer(struct waiter *waiter, const char *error, bool was_there)
{
    const struct held_revision *held = held_revision_of(waiter->revision);
    unsigned wanted = (held->layers != NULL) ? 2 : 1;
    int r;

    waiter->in_a_row = was_there ? waiter->in_a_row + 1 : 1;
    if (error != NULL || waiter->in_a_row >= wanted) {
        end_waiter(waiter, error);
    } else if (++waiter->rounds >= ROUNDS_MAX) {
        end_waiter(waiter, "the code cache is full: it does not hold the code with its layers");
    } else {
        r = ask(waiter, (waiter->code == held->code) ? held->layers : held->code);
        if (r != 0) {
            end_waiter(waiter, err_text(r));
        }
    }
}

static void answer_waiters(struct code *code, const char *error, bool was_there)
{
    struct list waiters;
    struct list *item;

    list_init(&waiters);
    list_splice_back(&waiters, &code->waiters);
    while ((item = list_pop_front(&waiters)) != NULL) {
        answer(container_of(item, struct waiter, link), error, was_there);
    }
}

void code_end_waiters(struct code *code, const char *error)
{
    assert(error != NULL);
    answer_waiters(code, error, false);
}

/* --- unpacking ---------------------------------------------------------------------------- */

/* The reference was taken when it began: the code is still there. */
static void finish_unpack(struct code *code, const char *error, bool was_there)
{
    struct functions *functions = code->functions;

    code->is_unpacking = false;
    code->is_unpacked = error == NULL;
    answer_waiters(code, error, was_there);
    code_release(code);
    functions_unhold(functions);
}

static void on_unpacked(void *arg, const struct unpacked *unpacked)
{
    finish_unpack(arg, unpacked->error, unpacked->was_there);
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)close(fds[i]);
    }
}

static int send_archives(struct code *code)
{
    struct code *const *parts = (code->part_count > 0) ? code->parts : &code;
    size_t count = (code->part_count > 0) ? code->part_count : 1;
    int fds[CODE_PARTS_MAX];

    for (size_t i = 0; i < count; i++) {
        fds[i] = read_archive(parts[i]);
        if (fds[i] < 0) {
            close_all(fds, i);
            return fds[i];
        }
    }
    return launcher_unpack_all(code->functions->launcher, code->name, fds, count, code,
                               on_unpacked);
}

static void on_applied(struct journal_wait *wait)
{
    struct code *code = container_of(wait, struct code, wait);

    code->is_waiting = false;
    code->status = send_archives(code);
    if (code->status != 0 && !code->is_asking) {
        finish_unpack(code, err_text(code->status), false);
    }
}

static uint64_t last_lsn(const struct code *code)
{
    uint64_t lsn = code->lsn;

    for (size_t i = 0; i < code->part_count; i++) {
        lsn = (code->parts[i]->lsn > lsn) ? code->parts[i]->lsn : lsn;
    }
    return lsn;
}

/* The views may arrive while we ask for them, so on_applied() can come from inside: then
 * its status is ours. Nobody is called back before this returns. */
static int start_unpack(struct code *code)
{
    code->status = 0;
    code->is_waiting = true;
    code->is_asking = true;
    journal_wait_applied(code->functions->journal, &code->wait, last_lsn(code), on_applied);
    code->is_asking = false;
    return code->status;
}

static void on_probed(void *arg, const struct unpacked *unpacked)
{
    struct code *code = arg;
    int r;

    if (unpacked->error == NULL || code->functions->is_closed) {
        finish_unpack(code, unpacked->error, unpacked->was_there);
        return;
    }
    code->is_unpacked = false;
    r = start_unpack(code);
    if (r != 0) {
        finish_unpack(code, err_text(r), false);
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

static int ask(struct waiter *waiter, struct code *code)
{
    int r;

    waiter->code = code;
    list_push_back(&code->waiters, &waiter->link);
    r = start(code);
    if (r != 0) {
        list_remove(&waiter->link);
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
    r = ask(waiter, code);
    if (r != 0) {
        mem_free(waiter);
    }
    return r;
}

void code_cancel(struct code *code)
{
    if (code->is_waiting) {
        code->is_waiting = false;
        journal_wait_cancel(code->functions->journal, &code->wait);
        finish_unpack(code, err_text(ERR_CANCELED), false);
    }
}
