/* What this machine can do, whatever runs on it: the limits beside the figures.
 *
 *     bench_limits DIR [SECONDS [NAME]]     one line of JSON a limit
 *
 * fdatasync and a bare LMDB commit of one entry on the file system of DIR, and a round
 * trip between two processes over a socketpair. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/histogram.h"

#define ENTRY_BYTES 350 /* about what a step of 100 bytes is in the log */
#define COUNT_MAX 2000000U
#define SECONDS_MAX 60
#define MAP_BYTES ((size_t)2 << 30)

struct limits {
    const char *dir;
    const char *only; /* NULL: all */
    uint64_t length_ns;
    uint8_t entry[ENTRY_BYTES];
    struct histogram histogram;
};

static void check(int r, const char *what)
{
    if (r != 0) {
        (void)fprintf(stderr, "bench_limits: %s: %d (%s)\n", what, r, strerror(errno));
        exit(1);
    }
}

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* Calls `once` until the time is over, and prints how often that was. */
static void measure(struct limits *limits, const char *name, void (*once)(void *, uint64_t),
                    void *arg)
{
    uint64_t began = now_ns();
    uint64_t before = began;

    memset(&limits->histogram, 0, sizeof limits->histogram);
    for (uint64_t i = 0; i < COUNT_MAX && before < began + limits->length_ns; i++) {
        uint64_t after;

        once(arg, i);
        after = now_ns();
        histogram_add(&limits->histogram, after - before);
        before = after;
    }
    (void)printf("{\"bench\":\"limit.%s\",\"unit\":\"1/s\",\"value\":%.0f,\"p50_us\":%.1f,"
                 "\"p99_us\":%.1f}\n",
                 name, (double)limits->histogram.count * 1e9 / (double)(before - began),
                 histogram_us(&limits->histogram, 0.5), histogram_us(&limits->histogram, 0.99));
    (void)fflush(stdout);
}

/* --- the disk ------------------------------------------------------------------------- */

struct file {
    const uint8_t *entry;
    int fd;
};

static void sync_one(void *arg, uint64_t number)
{
    struct file *file = arg;
    off_t at = (off_t)(number * ENTRY_BYTES);

    check(pwrite(file->fd, file->entry, ENTRY_BYTES, at) != ENTRY_BYTES, "write");
    check(fdatasync(file->fd), "fdatasync");
}

static void measure_sync(struct limits *limits, const char *name)
{
    struct file file = {.entry = limits->entry};
    char path[512];

    (void)snprintf(path, sizeof path, "%s/limit.file", limits->dir);
    file.fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    check(file.fd < 0, path);
    measure(limits, name, sync_one, &file);
    (void)close(file.fd);
    (void)unlink(path);
}

struct table {
    const uint8_t *entry;
    MDB_env *env;
    MDB_dbi dbi;
};

static void commit_one(void *arg, uint64_t number)
{
    struct table *table = arg;
    uint64_t key_be = htobe64(number + 1);
    MDB_val key = {sizeof key_be, &key_be};
    MDB_val value = {ENTRY_BYTES, (void *)(uintptr_t)table->entry};
    MDB_txn *txn;

    check(mdb_txn_begin(table->env, NULL, 0, &txn), "begin");
    check(mdb_put(txn, table->dbi, &key, &value, MDB_APPEND), "put");
    check(mdb_txn_commit(txn), "commit");
}

static void measure_commit(struct limits *limits, const char *name)
{
    struct table table = {.entry = limits->entry};
    char path[512];
    char lock[520];
    MDB_txn *txn;

    (void)snprintf(path, sizeof path, "%s/limit.mdb", limits->dir);
    (void)snprintf(lock, sizeof lock, "%s-lock", path);
    check(mdb_env_create(&table.env), "env");
    check(mdb_env_set_mapsize(table.env, MAP_BYTES), "map");
    check(mdb_env_set_maxdbs(table.env, 1), "maxdbs");
    check(mdb_env_open(table.env, path, MDB_NOSUBDIR, 0600), "open");
    check(mdb_txn_begin(table.env, NULL, 0, &txn), "begin");
    check(mdb_dbi_open(txn, "log", MDB_CREATE, &table.dbi), "table");
    check(mdb_txn_commit(txn), "commit");
    measure(limits, name, commit_one, &table);
    mdb_env_close(table.env);
    (void)unlink(path);
    (void)unlink(lock);
}

/* --- two processes ---------------------------------------------------------------------- */

static void round_trip(void *arg, uint64_t number)
{
    int fd = *(const int *)arg;
    char message[64] = {0};

    (void)number;
    check(write(fd, message, sizeof message) != sizeof message, "write");
    check(read(fd, message, sizeof message) != sizeof message, "read");
}

static _Noreturn void answer_all(int fd)
{
    char message[64];

    while (read(fd, message, sizeof message) == sizeof message &&
           write(fd, message, sizeof message) == sizeof message) {
    }
    _exit(0);
}

static void measure_round_trips(struct limits *limits, const char *name)
{
    int fds[2];
    pid_t pid;

    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), "socketpair");
    pid = fork();
    check(pid < 0, "fork");
    if (pid == 0) {
        (void)close(fds[0]);
        answer_all(fds[1]);
    }
    (void)close(fds[1]);
    measure(limits, name, round_trip, &fds[0]);
    (void)close(fds[0]);
    check(waitpid(pid, NULL, 0) != pid, "wait");
}

static const struct {
    const char *name;
    void (*measure)(struct limits *limits, const char *name);
} all[] = {
    {"fdatasync", measure_sync},
    {"lmdb_commit", measure_commit},
    {"socketpair", measure_round_trips},
};

int main(int argc, char **argv)
{
    static struct limits limits;
    unsigned long seconds = (argc > 2) ? strtoul(argv[2], NULL, 10) : 2;

    if (argc < 2 || seconds < 1 || seconds > SECONDS_MAX) {
        (void)fprintf(stderr, "usage: bench_limits DIR [SECONDS [NAME]]\n");
        return 2;
    }
    limits.dir = argv[1];
    limits.only = (argc > 3) ? argv[3] : NULL;
    limits.length_ns = seconds * 1000000000U;
    check(getrandom(limits.entry, sizeof limits.entry, 0) != sizeof limits.entry, "random");
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (limits.only == NULL || strcmp(limits.only, all[i].name) == 0) {
            all[i].measure(&limits, all[i].name);
        }
    }
    return 0;
}
