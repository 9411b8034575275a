/* How many entries a second the journal makes durable, by how many are in flight,
 * with what the machine can do in the same run beside it: one LMDB commit, and one
 * fdatasync, of an entry of the same size.
 *
 *     bench_journal [DIR [SECONDS]]      one line of JSON a figure
 *
 * The loop is closed: each callback appends the next frame of its execution, of
 * FRAMES_PER_EXECUTION, with random payloads. Afterwards the views are waited
 * for and the last complete execution is read back, for its length. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/prng.h"
#include "engine/core/operation.h"
#include "journal/journal.h"

#define IN_FLIGHT_MAX 1024
#define FRAMES_PER_EXECUTION 8
#define ENTRY_BYTES 350
#define TITLE_BYTES 60

struct slot {
    struct journal_append append;
    struct bench *bench;
    uint8_t frame[512];
    struct frame_header header;
    uint32_t frames; /* of this execution so far */
    int64_t began_ns;
};

struct bench {
    uv_loop_t loop;
    struct journal *journal;
    struct prng prng;
    struct slot *slots;
    int64_t until_ns;
    uint64_t entries;
    uint64_t *latencies;
    size_t latency_count;
    size_t latency_max;
    struct id sample; /* an execution that is complete */
    bool is_closed;
};

static void check(int r, const char *what)
{
    if (r != 0) {
        (void)fprintf(stderr, "bench_journal: %s: %d\n", what, r);
        exit(1);
    }
}

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void build_frame(struct slot *slot)
{
    struct bench *bench = slot->bench;
    struct frame_header *header = &slot->header;
    bool is_first = slot->frames == 0;
    size_t at = FRAME_HEADER_BYTES;
    struct frame_opening opening = {.function_id = {{1}}, .start_ms = 1700000000000};

    if (is_first) {
        *header = (struct frame_header){.format = FRAME_FORMAT,
                                        .suite = FRAME_SUITE,
                                        .flags = FRAME_FIRST,
                                        .tenant = 1,
                                        .first_event = 1,
                                        .first_record = 1};
        header->exec_id = id_make(1700000000000 + (int64_t)bench->entries / 100, 0,
                                  (uint32_t)bench->entries, &bench->prng);
        opening.name_hash = header->exec_id;
        frame_opening_put(&opening, slot->frame + at);
        at += FRAME_OPENING_BYTES + TITLE_BYTES;
    } else {
        header->flags = 0;
        header->first_record += header->records;
        header->first_event += header->events;
    }
    slot->frames++;
    header->status = (slot->frames == FRAMES_PER_EXECUTION) ? EXEC_SUCCEEDED : EXEC_RUNNING;
    header->wake_ms = (header->status == EXEC_RUNNING) ? 1 : 0;
    header->opening_len = is_first ? FRAME_OPENING_BYTES + TITLE_BYTES : 0;
    header->records = 2;
    header->events = 2;
    header->time_ms = 1700000000000;
    header->retention_days = 30;
    header->sealed_len = (uint32_t)(ENTRY_BYTES - at);
    for (size_t i = at; i + 8 <= ENTRY_BYTES; i += 8) {
        uint64_t random = prng_next(&bench->prng);

        memcpy(slot->frame + i, &random, sizeof random);
    }
    frame_header_put(header, slot->frame);
    if (slot->frames == FRAMES_PER_EXECUTION) {
        slot->frames = 0;
    }
}

static void append_next(struct slot *slot);

static void on_durable(struct journal_append *req)
{
    struct slot *slot = container_of(req, struct slot, append);
    struct bench *bench = slot->bench;
    int64_t now = now_ns();

    bench->entries++;
    if (bench->latency_count < bench->latency_max) {
        bench->latencies[bench->latency_count++] = (uint64_t)(now - slot->began_ns);
    }
    if (slot->frames == 0) {
        bench->sample = slot->header.exec_id;
    }
    if (now < bench->until_ns) {
        append_next(slot);
    }
}

static void append_next(struct slot *slot)
{
    build_frame(slot);
    slot->append.kind = JOURNAL_FRAME;
    slot->append.data = bytes_of(slot->frame, ENTRY_BYTES);
    slot->began_ns = now_ns();
    journal_append(slot->bench->journal, &slot->append, on_durable);
}

static int compare(const void *one, const void *two)
{
    uint64_t a;
    uint64_t b;

    memcpy(&a, one, sizeof a);
    memcpy(&b, two, sizeof b);
    return (a > b) - (a < b);
}

static double latency_us(const struct bench *bench, double share)
{
    return (double)bench->latencies[(size_t)((double)(bench->latency_count - 1) * share)] / 1000;
}

static int add_len(void *arg, struct bytes frame)
{
    *(size_t *)arg += frame.len;
    return 0;
}

static void note_applied(struct journal_wait *wait)
{
    wait->lsn = 0;
}

static void note_close(void *arg)
{
    *(bool *)arg = true;
}

static double cpu_s(void)
{
    struct rusage use;

    (void)getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static void verify(struct bench *bench)
{
    size_t len = 0;

    check(journal_read_frames(bench->journal, &bench->sample, 1, add_len, &len), "read back");
    check(len != FRAMES_PER_EXECUTION * ENTRY_BYTES, "length read back");
}

static void report(struct bench *bench, unsigned in_flight, double seconds, double cpu)
{
    uint64_t lag = journal_committed_lsn(bench->journal) - journal_applied_lsn(bench->journal);
    struct journal_wait wait = {.lsn = 0};
    struct journal_stats stats;
    int64_t began = now_ns();

    journal_wait_applied(bench->journal, &wait, journal_last_lsn(bench->journal), note_applied);
    while (wait.lsn != 0) {
        (void)uv_run(&bench->loop, UV_RUN_ONCE);
    }
    verify(bench);
    journal_get_stats(bench->journal, &stats);
    qsort(bench->latencies, bench->latency_count, sizeof *bench->latencies, compare);
    (void)printf("{\"bench\":\"journal.append\",\"in_flight\":%u,\"loop\":\"closed\","
                 "\"entry_bytes\":%d,\"entries_per_s\":%.0f,\"entries_per_commit\":%.1f,"
                 "\"p50_us\":%.0f,\"p99_us\":%.0f,\"cpu_us_per_entry\":%.1f,"
                 "\"views_behind\":%" PRIu64 ",\"views_caught_up_ms\":%.1f,"
                 "\"executions\":%" PRIu64 ",\"log_bytes\":%" PRIu64 ",\"views_bytes\":%" PRIu64
                 "}\n",
                 in_flight, ENTRY_BYTES, (double)bench->entries / seconds,
                 (double)stats.entries / (double)stats.commits, latency_us(bench, 0.5),
                 latency_us(bench, 0.99), cpu * 1e6 / (double)bench->entries, lag,
                 (double)(now_ns() - began) / 1e6, stats.executions, stats.log_used_bytes,
                 stats.views_used_bytes);
    (void)fflush(stdout);
}

static void bench_append(const char *dir, unsigned in_flight, int seconds)
{
    struct bench *bench = calloc(1, sizeof *bench);
    char path[256];
    int64_t began;
    double cpu;

    (void)snprintf(path, sizeof path, "%s/journal-%u", dir, in_flight);
    bench->slots = calloc(in_flight, sizeof *bench->slots);
    bench->latency_max = 4000000;
    bench->latencies = calloc(bench->latency_max, sizeof *bench->latencies);
    bench->prng.state = in_flight;
    check(uv_loop_init(&bench->loop), "loop");
    check(journal_open(&bench->journal, &bench->loop, path, NULL), "open");
    began = now_ns();
    cpu = cpu_s();
    bench->until_ns = began + (int64_t)seconds * 1000000000;
    for (unsigned i = 0; i < in_flight; i++) {
        bench->slots[i].bench = bench;
        append_next(&bench->slots[i]);
    }
    (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
    report(bench, in_flight, (double)(now_ns() - began) / 1e9, cpu_s() - cpu);
    journal_close(bench->journal, &bench->is_closed, note_close);
    (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
    check(!bench->is_closed, "close");
    check(uv_loop_close(&bench->loop), "loop close");
    free(bench->latencies);
    free(bench->slots);
    free(bench);
}

static void report_limit(const char *what, const uint64_t *latencies, size_t count, double seconds)
{
    (void)printf("{\"bench\":\"%s\",\"entry_bytes\":%d,\"per_s\":%.0f,\"p50_us\":%.0f,"
                 "\"p99_us\":%.0f}\n",
                 what, ENTRY_BYTES, (double)count / seconds, (double)latencies[count / 2] / 1000,
                 (double)latencies[count * 99 / 100] / 1000);
    (void)fflush(stdout);
}

static void commit_one(MDB_env *env, MDB_dbi dbi, uint64_t number)
{
    static const uint8_t data[ENTRY_BYTES];
    uint64_t key_be = htobe64(number);
    MDB_val key = {sizeof key_be, &key_be};
    MDB_val value = {sizeof data, (void *)(uintptr_t)data};
    MDB_txn *txn;

    check(mdb_txn_begin(env, NULL, 0, &txn), "begin");
    check(mdb_put(txn, dbi, &key, &value, MDB_APPEND), "put");
    check(mdb_txn_commit(txn), "commit");
}

static void bench_lmdb(const char *dir, int seconds, uint64_t *latencies, size_t max)
{
    char path[256];
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    size_t count = 0;
    int64_t began;

    (void)snprintf(path, sizeof path, "%s/bare", dir);
    check(mkdir(path, 0700), "mkdir");
    check(mdb_env_create(&env), "env");
    check(mdb_env_set_mapsize(env, (size_t)1 << 30), "map");
    check(mdb_env_set_maxdbs(env, 1), "maxdbs");
    check(mdb_env_open(env, path, 0, 0600), "open");
    check(mdb_txn_begin(env, NULL, 0, &txn), "begin");
    check(mdb_dbi_open(txn, "log", MDB_CREATE, &dbi), "table");
    check(mdb_txn_commit(txn), "commit");
    began = now_ns();
    while (count < max && now_ns() < began + (int64_t)seconds * 1000000000) {
        int64_t start = now_ns();

        commit_one(env, dbi, count + 1);
        latencies[count++] = (uint64_t)(now_ns() - start);
    }
    qsort(latencies, count, sizeof *latencies, compare);
    report_limit("limit.lmdb_commit", latencies, count, (double)(now_ns() - began) / 1e9);
    mdb_env_close(env);
}

static void bench_fdatasync(const char *dir, int seconds, uint64_t *latencies, size_t max)
{
    static const uint8_t data[ENTRY_BYTES];
    char path[256];
    size_t count = 0;
    int64_t began;
    int fd;

    (void)snprintf(path, sizeof path, "%s/file", dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    check(fd < 0, "file");
    began = now_ns();
    while (count < max && now_ns() < began + (int64_t)seconds * 1000000000) {
        int64_t start = now_ns();

        check(pwrite(fd, data, sizeof data, (off_t)(count * sizeof data)) != sizeof data, "write");
        check(fdatasync(fd), "fdatasync");
        latencies[count++] = (uint64_t)(now_ns() - start);
    }
    qsort(latencies, count, sizeof *latencies, compare);
    report_limit("limit.fdatasync", latencies, count, (double)(now_ns() - began) / 1e9);
    (void)close(fd);
}

int main(int argc, char **argv)
{
    static uint64_t latencies[1000000];
    static const unsigned in_flight[] = {1, 32, 256, 1024};
    int seconds = (argc > 2) ? (int)strtoul(argv[2], NULL, 10) : 3;
    char dir[200];

    (void)snprintf(dir, sizeof dir, "%s/bench_journal.XXXXXX", (argc > 1) ? argv[1] : "/tmp");
    check(mkdtemp(dir) == NULL, "directory");
    bench_fdatasync(dir, seconds, latencies, 1000000);
    bench_lmdb(dir, seconds, latencies, 1000000);
    for (size_t i = 0; i < sizeof in_flight / sizeof *in_flight; i++) {
        bench_append(dir, in_flight[i], seconds);
    }
    (void)printf("{\"directory\":\"%s\"}\n", dir);
    return 0;
}
