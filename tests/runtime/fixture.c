#include "tests/runtime/fixture.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zip.h>

#include "engine/base/mem.h"
#include "runtime/remove.h"

#define DEADLINE_MS 60000
#define SKIPPED 77
#define NOBODY 65534
#define GROUP 65533 /* another number: they are easily mixed up */

/* The same tests as an ordinary user: nobody, if we are root. */
static void become_user(void)
{
    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setresgid(GROUP, GROUP, GROUP) != 0 ||
                           setresuid(NOBODY, NOBODY, NOBODY) != 0)) {
        exit(SKIPPED);
    }
    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* an ordinary process of that user */
}

static void note_namespaces(void *arg, bool is_ok, const char *thing, const char *consequence)
{
    bool *is_missing = arg;

    (void)consequence;
    if (!is_ok && (strncmp(thing, "user namespaces", 15) == 0 || strncmp(thing, "pid,", 4) == 0)) {
        *is_missing = true;
        printf("skipped: %s\n", thing);
    }
}

static void skip_without_sandbox(void)
{
    bool is_missing = false;

    launcher_doctor(&is_missing, note_namespaces);
    if (is_missing) {
        exit(SKIPPED);
    }
}

void fixture_enter(int argc, char **argv)
{
    const char *fd = getenv("PAWL_LAUNCHER_FD");

    if (argc > 1 && strcmp(argv[1], "launcher") == 0) {
        exit((fd != NULL) ? launcher_main((int)strtol(fd, NULL, 10)) : 64);
    }
    if (argc > 1 && strcmp(argv[1], "--user") == 0) {
        become_user();
    }
    skip_without_sandbox();
}

uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- the launcher --------------------------------------------------------------------- */

void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/pawl-runtime-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->data_dir, sizeof f->data_dir, "%s/data", f->dir);
    (void)snprintf(f->cache_dir, sizeof f->cache_dir, "%s/cache", f->dir);
    assert_int_equal(mkdir(f->data_dir, 0700), 0);
    assert_int_equal(mkdir(f->cache_dir, 0700), 0);
    assert_int_equal(uv_loop_init(&f->loop), 0);
}

static void note_lost(void *arg)
{
    struct fixture *f = arg;

    f->is_lost = true;
}

static void install_probe(struct fixture *f)
{
    struct buf content = {0};
    struct buf zip = {0};

    fixture_read(&content, PROBE_PATH);
    fixture_zip(&zip, "bootstrap", buf_bytes(&content));
    assert_string_equal(fixture_unpack(f, "probe", buf_bytes(&zip)), "");
    buf_fini(&content);
    buf_fini(&zip);
}

void fixture_open(struct fixture *f)
{
    const struct launcher_options options = {.data_dir = f->data_dir,
                                             .cache_dir = f->cache_dir,
                                             .cgroup = "pawl-test",
                                             .isolation = f->isolation,
                                             .cache_bytes_max = f->cache_bytes_max};

    assert_int_equal(launcher_start(&f->launcher, &options), 0);
    assert_int_equal(launcher_attach(f->launcher, &f->loop, f, note_lost), 0);
    f->is_open = true;
    install_probe(f);
}

static void note_closed(void *arg)
{
    struct fixture *f = arg;

    f->is_open = false;
    f->launcher = NULL;
}

void fixture_close(struct fixture *f)
{
    uint64_t deadline = now_ms() + DEADLINE_MS;

    if (!f->is_open) {
        return;
    }
    launcher_close(f->launcher, f, note_closed);
    while (f->is_open && now_ms() < deadline) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_false(f->is_open);
}

void fixture_fini(struct fixture *f)
{
    assert_int_equal(uv_loop_close(&f->loop), 0);
    remove_tree(AT_FDCWD, f->dir);
}

static int set_up(void **state, enum isolation isolation)
{
    struct fixture *f = mem_calloc(1, sizeof *f);

    if (f == NULL) {
        return -1;
    }
    fixture_init(f);
    f->isolation = isolation;
    fixture_open(f);
    *state = f;
    return 0;
}

int fixture_set_up(void **state)
{
    return set_up(state, ISOLATION_SANDBOX);
}

int fixture_set_up_plain(void **state)
{
    return set_up(state, ISOLATION_NONE);
}

int fixture_tear_down(void **state)
{
    struct fixture *f = *state;

    fixture_close(f);
    if (f->is_lost) { /* a next launcher clears up what the dead one left */
        fixture_open(f);
        fixture_close(f);
    }
    fixture_fini(f);
    mem_free(f);
    return 0;
}

/* --- archives ------------------------------------------------------------------------- */

int fixture_memfd(struct bytes bytes)
{
    int fd = memfd_create("archive", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_true(fd >= 0);
    for (size_t done = 0; done < bytes.len;) {
        ssize_t n = write(fd, bytes.data + done, bytes.len - done);

        assert_true(n > 0);
        done += (size_t)n;
    }
    assert_int_equal(
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
    return fd;
}

struct outcome {
    bool is_done;
    char error[512];
    struct unpacked unpacked;
};

static void note_unpacked(void *arg, const struct unpacked *unpacked)
{
    struct outcome *outcome = arg;

    outcome->is_done = true;
    outcome->unpacked = *unpacked;
    (void)snprintf(outcome->error, sizeof outcome->error, "%s",
                   (unpacked->error != NULL) ? unpacked->error : "");
}

const char *fixture_unpack_all(struct fixture *f, const char *code, const struct bytes *archives,
                               size_t count, struct unpacked *ret_unpacked)
{
    static struct outcome outcome;
    uint64_t deadline = now_ms() + DEADLINE_MS;
    int memfds[LAUNCHER_ARCHIVES_MAX];

    for (size_t i = 0; i < count; i++) {
        memfds[i] = fixture_memfd(archives[i]);
    }
    memset(&outcome, 0, sizeof outcome);
    assert_int_equal(launcher_unpack_all(f->launcher, code, memfds, count, &outcome, note_unpacked),
                     0);
    while (!outcome.is_done && now_ms() < deadline) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_true(outcome.is_done);
    if (ret_unpacked != NULL) {
        *ret_unpacked = outcome.unpacked;
    }
    return outcome.error;
}

const char *fixture_unpack(struct fixture *f, const char *code, struct bytes archive)
{
    return fixture_unpack_all(f, code, &archive, 1, NULL);
}

void fixture_zip_noise(struct buf *ret_zip, unsigned count, size_t each)
{
    zip_error_t error;
    zip_source_t *out = zip_source_buffer_create(NULL, 0, 0, &error);
    zip_t *zip = zip_open_from_source(out, ZIP_TRUNCATE, &error);
    uint8_t *data = mem_calloc(1, each + 1);
    zip_stat_t stat;
    char name[32];

    zip_source_keep(out);
    for (size_t i = 0; i < each; i++) {
        data[i] = (uint8_t)(i * 2654435761u >> 13) & ((i % 16 == 0) ? 0xff : 0);
    }
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "d%u/f%u", i % 100, i);
        assert_true(zip_file_add(zip, name, zip_source_buffer(zip, data, each, 0), 0) >= 0);
        assert_int_equal(zip_set_file_compression(zip, i, ZIP_CM_DEFLATE, 1), 0);
    }
    assert_int_equal(zip_close(zip), 0);
    assert_int_equal(zip_source_stat(out, &stat), 0);
    assert_int_equal(zip_source_open(out), 0);
    assert_non_null(buf_reserve(ret_zip, stat.size));
    assert_int_equal(zip_source_read(out, ret_zip->data, stat.size), stat.size);
    ret_zip->len = stat.size;
    (void)zip_source_close(out);
    zip_source_free(out);
    mem_free(data);
}

void fixture_read(struct buf *ret_content, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    while (true) {
        uint8_t *room = buf_reserve(ret_content, 65536);
        ssize_t n;

        assert_non_null(room);
        n = read(fd, room, 65536);
        assert_true(n >= 0);
        if (n == 0) {
            break;
        }
        ret_content->len += (size_t)n;
    }
    (void)close(fd);
}

void fixture_zip(struct buf *ret_zip, const char *name, struct bytes content)
{
    zip_error_t error;
    zip_source_t *out = zip_source_buffer_create(NULL, 0, 0, &error);
    zip_t *zip = zip_open_from_source(out, ZIP_TRUNCATE, &error);
    zip_source_t *in = zip_source_buffer(zip, content.data, content.len, 0);
    zip_stat_t stat;

    assert_non_null(zip);
    zip_source_keep(out);
    assert_true(zip_file_add(zip, name, in, 0) >= 0);
    assert_int_equal(zip_close(zip), 0);
    assert_int_equal(zip_source_stat(out, &stat), 0);
    assert_int_equal(zip_source_open(out), 0);
    assert_non_null(buf_reserve(ret_zip, stat.size));
    assert_int_equal(zip_source_read(out, ret_zip->data + ret_zip->len, stat.size), stat.size);
    ret_zip->len += stat.size;
    (void)zip_source_close(out);
    zip_source_free(out);
}

/* --- runs ----------------------------------------------------------------------------- */

static void note_end(void *arg, const struct environment_end *end)
{
    struct run *run = arg;

    assert_false(run->is_ended);
    run->is_ended = true;
    run->end = *end;
    (void)snprintf(run->text, sizeof run->text, "%s", end->text);
    run->end.text = run->text;
}

void run_start(struct run *run, struct fixture *f, const char *command,
               const struct run_options *options)
{
    const struct run_options none = {0};
    const struct run_options *wish = (options != NULL) ? options : &none;
    char probe[128];
    const char *env[] = {probe, "PATH=/usr/bin:/bin", wish->extra_env, NULL};
    const struct environment_spec spec = {
        .code = (wish->code != NULL) ? wish->code : "probe",
        .program = wish->program,
        .layers = wish->layers,
        .runtime = wish->runtime,
        .env = env,
        .grants = wish->grants,
        .grant_count = wish->grant_count,
        .memory_mb = (wish->memory_mb != 0) ? wish->memory_mb : 128,
        .tmp_mb = (wish->tmp_mb != 0) ? wish->tmp_mb : 8,
        .pids_max = (wish->pids_max != 0) ? wish->pids_max : 64,
        .files_max = 256,
        .has_door = wish->has_door,
    };

    memset(run, 0, sizeof *run);
    (void)snprintf(probe, sizeof probe, "PROBE=%s", command);
    assert_int_equal(
        environment_start(&run->environment, f->launcher, &spec, run->fds, run, note_end), 0);
}

/* True when the other side has closed. */
static bool drain(struct run *run)
{
    while (true) {
        uint8_t *room = buf_reserve(&run->output, 65536);
        ssize_t n;

        assert_non_null(room);
        n = read(run->fds[1], room, 65535);
        if (n <= 0) {
            run->output.data[run->output.len] = '\0';
            return n == 0;
        }
        run->output.len += (size_t)n;
    }
}

/* One turn of the loop, or a few milliseconds of waiting for output. */
static void turn(struct run *run, struct fixture *f)
{
    struct pollfd both[2] = {{.fd = uv_backend_fd(&f->loop), .events = POLLIN},
                             {.fd = run->fds[1], .events = POLLIN}};

    (void)poll(both, 2, 10);
    (void)uv_run(&f->loop, UV_RUN_NOWAIT);
}

void run_wait_end(struct run *run, struct fixture *f)
{
    uint64_t deadline = now_ms() + DEADLINE_MS;

    while ((!drain(run) || !run->is_ended) && now_ms() < deadline) {
        turn(run, f);
    }
    assert_true(run->is_ended);
}

void run_wait_text(struct run *run, struct fixture *f, const char *text)
{
    uint64_t deadline = now_ms() + DEADLINE_MS;

    (void)drain(run);
    while (strstr((char *)run->output.data, text) == NULL && now_ms() < deadline) {
        turn(run, f);
        (void)drain(run);
    }
    assert_has((char *)run->output.data, text);
}

void run_wait_pid(struct run *run, struct fixture *f)
{
    uint64_t deadline = now_ms() + DEADLINE_MS;

    while (environment_pid(run->environment) == 0 && !run->is_ended && now_ms() < deadline) {
        turn(run, f);
    }
    assert_true(environment_pid(run->environment) > 0);
}

void run_fini(struct run *run)
{
    environment_destroy(run->environment);
    (void)close(run->fds[0]);
    (void)close(run->fds[1]);
    buf_fini(&run->output);
}

const char *run_all(struct run *run, struct fixture *f, const char *command,
                    const struct run_options *options)
{
    run_start(run, f, command, options);
    run_wait_end(run, f);
    return (const char *)run->output.data;
}

/* --- checks --------------------------------------------------------------------------- */

void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in:\n%s", part, text);
    }
}

void assert_has_not(const char *text, const char *part)
{
    if (strstr(text, part) != NULL) {
        fail_msg("'%s' is in:\n%s", part, text);
    }
}

bool is_alive(pid_t pid)
{
    char path[64];
    char line[512] = "";
    const char *state;
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    (void)fgets(line, sizeof line, file);
    (void)fclose(file);
    state = strrchr(line, ')');
    return state != NULL && strlen(state) > 2 && state[2] != 'Z';
}
