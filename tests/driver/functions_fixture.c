#include "tests/driver/functions_fixture.h"

#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/prng.h"

const struct function_config plain_config = {
    .runtime = "provided.al2023",
    .handler = "bootstrap",
    .timeout_s = 3,
    .memory_mb = 128,
    .tmp_mb = 512,
    .concurrency = 1,
};

/* --- the launcher ------------------------------------------------------------------------- */

struct request {
    struct list link;
    char code[65];
    struct buf archive; /* all of them, one behind the other */
    size_t count;
    bool is_bad;
    void *arg;
    launcher_unpack_cb cb;
};

struct played played;
static struct list requests = {&requests, &requests};
static long allocations_left = -1;

static bool is_allowed(size_t size)
{
    (void)size;
    return allocations_left-- > 0;
}

void fail_after(long allocations)
{
    allocations_left = allocations;
    mem_set_hook((allocations >= 0) ? is_allowed : NULL);
}

static void read_memfd(int fd, struct buf *buf)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    assert_non_null(buf_reserve(buf, (size_t)st.st_size + 1));
    assert_int_equal(pread(fd, buf->data + buf->len, (size_t)st.st_size, 0), st.st_size);
    buf->len += (size_t)st.st_size;
    assert_int_equal(write(fd, "x", 1), -1); /* sealed */
    assert_int_equal(close(fd), 0);
}

static void take_archive(struct request *request, int fd)
{
    size_t before = request->archive.len;

    read_memfd(fd, &request->archive);
    if (request->archive.len == before || memcmp(request->archive.data + before, "BAD", 3) == 0) {
        request->is_bad = true;
    }
}

int launcher_unpack(struct launcher *launcher, const char *code, int archive, void *arg,
                    launcher_unpack_cb cb)
{
    return launcher_unpack_all(launcher, code, &archive, 1, arg, cb);
}

/* What the launcher itself allocates does not count. */
int launcher_unpack_all(struct launcher *launcher, const char *code, const int *archives,
                        size_t count, void *arg, launcher_unpack_cb cb)
{
    long left = allocations_left;
    struct request *request;

    (void)launcher;
    fail_after(-1);
    request = mem_calloc(1, sizeof *request);
    assert_non_null(request);
    (void)snprintf(request->code, sizeof request->code, "%s", code);
    request->count = count;
    for (size_t i = 0; i < count; i++) {
        take_archive(request, archives[i]);
    }
    request->arg = arg;
    request->cb = cb;
    list_push_back(&requests, &request->link);
    played.asked++;
    played.bytes += request->archive.len;
    fail_after(left);
    return 0;
}

static bool is_known(const char *code)
{
    for (size_t i = 0; i < played.code_count; i++) {
        if (strcmp(played.codes[i], code) == 0) {
            return true;
        }
    }
    return false;
}

static struct unpacked judge(const struct request *request)
{
    if (is_known(request->code)) {
        return (struct unpacked){.was_there = true, .bytes = played.grows_to};
    }
    if (request->is_bad) {
        return (struct unpacked){.error = "the archive is not a zip"};
    }
    assert_true(played.code_count < CODES_MAX);
    (void)snprintf(played.codes[played.code_count++], sizeof played.codes[0], "%s", request->code);
    played.unpacked++;
    played.last_count = request->count;
    played.last.len = 0;
    buf_append(&played.last, request->archive.data, request->archive.len);
    return (struct unpacked){.bytes = played.grows_to};
}

void played_answer(void)
{
    struct list now;
    struct list *item;

    list_init(&now);
    list_splice_back(&now, &requests);
    while ((item = list_pop_front(&now)) != NULL) {
        struct request *request = container_of(item, struct request, link);
        long left = allocations_left;
        struct unpacked unpacked;

        fail_after(-1);
        unpacked = judge(request);
        fail_after(left);
        request->cb(request->arg, &unpacked);
        buf_fini(&request->archive);
        mem_free(request);
    }
}

void played_forget(void)
{
    played.code_count = 0;
}

bool played_has_work(void)
{
    return !list_is_empty(&requests);
}

/* --- the loop ------------------------------------------------------------------------------ */

void fixture_turn(struct fixture *f)
{
    (void)uv_run(&f->loop, UV_RUN_NOWAIT);
}

struct applied {
    struct journal_wait wait;
    bool is_done;
};

static void note_applied(struct journal_wait *wait)
{
    container_of(wait, struct applied, wait)->is_done = true;
}

void fixture_wait_applied(struct fixture *f)
{
    struct applied applied = {.is_done = false};

    journal_wait_applied(f->journal, &applied.wait, journal_last_lsn(f->journal), note_applied);
    while (!applied.is_done) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
}

/* Loop and launcher give each other work, and both are idle at the end. */
void fixture_settle(struct fixture *f)
{
    uint64_t lsn;

    do {
        played_answer();
        lsn = journal_last_lsn(f->journal);
        fixture_wait_applied(f);
        while (uv_run(&f->loop, UV_RUN_NOWAIT) != 0) {
            played_answer();
        }
    } while (played_has_work() || lsn != journal_last_lsn(f->journal));
}

/* --- set-up ---------------------------------------------------------------------------------- */

static void quiet(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)text;
}

static struct tenant_keys *open_keys(struct fixture *f, uint64_t tenant)
{
    uint8_t wrapped[TENANT_WRAPPED_BYTES];
    struct tenant_keys *keys = NULL;

    assert_int_equal(tenant_keys_create(f->keyring, tenant, wrapped), 0);
    assert_int_equal(tenant_keys_open(&keys, f->keyring, tenant, bytes_of(wrapped, sizeof wrapped)),
                     0);
    return keys;
}

static void open_journal(struct fixture *f)
{
    const struct journal_options options = {.log_map_bytes = (uint64_t)256 << 20,
                                            .views_map_bytes = (uint64_t)1 << 30,
                                            .ballast_bytes = 4096};
    char dir[96];

    (void)snprintf(dir, sizeof dir, "%s/journal", f->dir);
    (void)mkdir(dir, 0700);
    assert_int_equal(journal_open(&f->journal, &f->loop, dir, &options), 0);
}

static void note_close(void *arg)
{
    *(bool *)arg = true;
}

static void close_journal(struct fixture *f)
{
    bool is_closed = false;

    journal_close(f->journal, &is_closed, note_close);
    while (!is_closed) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
}

/* What it still waits for comes after it was closed. */
static void close_functions(struct fixture *f)
{
    functions_close(f->functions);
    f->functions = NULL;
    fixture_settle(f);
}

int fixture_open_functions(struct fixture *f)
{
    return functions_open(&f->functions, f->journal, f->keys, TENANT_A, "us-east-1", NULL);
}

void fixture_restart(struct fixture *f)
{
    close_functions(f);
    close_journal(f);
    open_journal(f);
    assert_int_equal(fixture_open_functions(f), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void fixture_new_journal(struct fixture *f)
{
    char dir[96];

    close_functions(f);
    close_journal(f);
    (void)snprintf(dir, sizeof dir, "%s/journal", f->dir);
    assert_int_equal(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    open_journal(f);
}

int fixture_set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);

    assert_non_null(f);
    err_set_sink(quiet);
    log_set_level(LOG_WARN);
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/pawl-functions-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(keyring_open(&f->keyring, f->dir, NULL), 0);
    f->keys = open_keys(f, TENANT_A);
    f->others = open_keys(f, TENANT_B);
    open_journal(f);
    assert_int_equal(fixture_open_functions(f), 0);
    played = (struct played){.asked = 0};
    *state = f;
    return 0;
}

int fixture_tear_down(void **state)
{
    struct fixture *f = *state;

    fail_after(-1);
    journal_says_full = false;
    record_appends(true);
    record_appends(false);
    close_functions(f);
    close_journal(f);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    tenant_keys_close(f->keys);
    tenant_keys_close(f->others);
    keyring_close(f->keyring);
    buf_fini(&played.last);
    assert_int_equal(nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    mem_free(f);
    return 0;
}

/* --- changes -------------------------------------------------------------------------------- */

void note_change(void *arg, struct function *function, const char *error)
{
    struct outcome *outcome = arg;

    outcome->calls++;
    outcome->function = function;
    (void)snprintf(outcome->error, sizeof outcome->error, "%s", (error != NULL) ? error : "");
}

void note_ready(void *arg, const char *error)
{
    note_change(arg, NULL, error);
}

static void expect_done(struct fixture *f, const struct outcome *outcome)
{
    fixture_settle(f);
    assert_int_equal(outcome->calls, 1);
    assert_string_equal(outcome->error, "");
}

struct function *create_now(struct fixture *f, const char *name, struct bytes archive)
{
    struct outcome outcome = {.calls = 0};

    assert_int_equal(function_create(f->functions, bytes_of_text(name), &plain_config, archive,
                                     false, NOW_MS, &outcome, note_change),
                     0);
    expect_done(f, &outcome);
    assert_non_null(outcome.function);
    return outcome.function;
}

void update_now(struct fixture *f, struct function *function, const struct function_config *config,
                struct bytes archive)
{
    struct outcome outcome = {.calls = 0};

    assert_int_equal(function_update(f->functions, function, config, archive, false, NOW_MS + 1,
                                     &outcome, note_change),
                     0);
    expect_done(f, &outcome);
    assert_ptr_equal(outcome.function, function);
}

void delete_now(struct fixture *f, struct function *function)
{
    struct outcome outcome = {.calls = 0};

    assert_int_equal(function_delete(f->functions, function, &outcome, note_change), 0);
    expect_done(f, &outcome);
}

const char *unpack_now(struct fixture *f, struct function_revision *revision)
{
    static struct outcome outcome;

    outcome = (struct outcome){.calls = 0};
    assert_int_equal(function_unpack(f->functions, revision, &outcome, note_ready), 0);
    assert_int_equal(outcome.calls, 0);
    fixture_settle(f);
    assert_int_equal(outcome.calls, 1);
    return outcome.error;
}

struct bytes make_archive(struct buf *buf, size_t len, uint64_t seed)
{
    struct prng prng = {.state = seed};

    buf->len = 0;
    assert_non_null(buf_reserve(buf, len + 1));
    for (size_t i = 0; i < len; i++) {
        buf->data[i] = (uint8_t)prng_next(&prng);
    }
    buf->data[0] = 'P'; /* not a bad one */
    buf->len = len;
    return buf_bytes(buf);
}

static int count_one(void *arg, struct bytes key, struct bytes value)
{
    (void)key;
    (void)value;
    (*(int *)arg)++;
    return 0;
}

int count_objects(struct fixture *f, uint64_t tenant, const char *kind)
{
    char prefix[64];
    int count = 0;

    (void)snprintf(prefix, sizeof prefix, "t/%012" PRIu64 "/%s", tenant, kind);
    fixture_wait_applied(f);
    assert_int_equal(journal_read_objects(f->journal, bytes_of_text(prefix), count_one, &count), 0);
    return count;
}

/* --- what is appended ------------------------------------------------------------------------ */

struct appended appended[APPENDED_MAX];
size_t appended_count;
static bool is_recording;

void record_appends(bool is_on)
{
    is_recording = is_on;
    for (size_t i = 0; is_on && i < appended_count; i++) {
        buf_fini(&appended[i].key);
        buf_fini(&appended[i].value);
        appended[i] = (struct appended){.kind = JOURNAL_PUT};
    }
    appended_count = is_on ? 0 : appended_count;
}

static void record(const struct journal_append *req)
{
    size_t key_len = (size_t)(req->data.data[0] | req->data.data[1] << 8);
    struct appended *entry = &appended[appended_count++];

    assert_true(appended_count <= APPENDED_MAX);
    entry->kind = req->kind;
    buf_append(&entry->key, req->data.data + 2, key_len);
    buf_append(&entry->value, req->data.data + 2 + key_len, req->data.len - 2 - key_len);
    assert_false(entry->key.failed || entry->value.failed);
}

/* The linker puts these around the journal's. */
void __wrap_journal_append(struct journal *journal, struct journal_append *req,
                           journal_append_cb cb);
void __real_journal_append(struct journal *journal, struct journal_append *req,
                           journal_append_cb cb);

void __wrap_journal_append(struct journal *journal, struct journal_append *req,
                           journal_append_cb cb)
{
    if (is_recording) {
        record(req);
    }
    __real_journal_append(journal, req, cb);
}

bool journal_says_full;
bool __wrap_journal_is_full(const struct journal *journal);
bool __real_journal_is_full(const struct journal *journal);

bool __wrap_journal_is_full(const struct journal *journal)
{
    return journal_says_full || __real_journal_is_full(journal);
}

struct put {
    struct journal_append append;
    bool is_done;
};

static void note_put(struct journal_append *append)
{
    container_of(append, struct put, append)->is_done = true;
}

void append_object(struct fixture *f, enum journal_entry_kind kind, struct bytes key,
                   struct bytes value)
{
    const uint8_t key_len[2] = {(uint8_t)key.len, (uint8_t)(key.len >> 8)};
    struct put put = {.is_done = false};
    struct buf data = {0};

    buf_append(&data, key_len, sizeof key_len);
    buf_append(&data, key.data, key.len);
    buf_append(&data, value.data, value.len);
    assert_false(data.failed);
    put.append.kind = kind;
    put.append.data = buf_bytes(&data);
    journal_append(f->journal, &put.append, note_put);
    while (!put.is_done) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    buf_fini(&data);
    fixture_wait_applied(f);
}
