/* Power cuts, at the level of writes. A load is recorded once (recorder.c); then
 * states that its disk could have been left in are made: after each write, with all,
 * some, the last, or torn parts of what was not yet synced. On each, the journal is
 * opened as after any crash, and what was acknowledged before the cut must be there.
 *
 *     test_journal LOAD RECORDER [SEED [STATES]]
 *
 * The controls: a disk that ignores syncs, and a load that acknowledges before the
 * commit, must both be found out. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/log.h"
#include "tests/journal/ledger.h"
#include "tests/powercut/recording.h"

#define STEPS 1500
#define SECTOR 512U
#define LAZY_MAX 60U /* writes that a disk which ignores syncs holds back */
#define CHECK_SECONDS 30U

enum { CHECK_SOUND = 0, CHECK_LOST = 10, CHECK_REFUSED = 11 };

struct op {
    struct recorded head;
    const uint8_t *data;
};

struct image {
    uint8_t *bytes;
    size_t len;
};

struct disk {
    struct image synced;
    size_t *pending; /* numbers of the writes since */
    size_t pending_count;
};

struct world {
    char dir[64];
    struct prng prng;
    uint64_t seed;
    uint8_t *recording;
    struct op *ops;
    size_t op_count;
    size_t write_count;
    size_t image_max;
    struct disk disks[RECORDED_FILES];
    struct image cut; /* of one file, while a state is made */
    struct ledger ledger;
    bool is_lazy; /* the disk ignores syncs */
    uint64_t states;
    uint64_t early; /* cut before the journal was ever opened */
    uint64_t violations;
};

static void require(bool is_true, const char *what)
{
    if (!is_true) {
        (void)fprintf(stderr, "test_journal: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static void join(char path[128], const char *dir, const char *name)
{
    (void)snprintf(path, 128, "%.63s/%s", dir, name);
}

/* --- the recording ----------------------------------------------------------------------- */

static void run_load(struct world *world, const char *load, const char *recorder, bool is_early)
{
    char path[128];
    char data[128];
    char seed[32];
    char steps[32];
    int status;
    pid_t pid;

    join(path, world->dir, "recording");
    join(data, world->dir, "data");
    (void)snprintf(seed, sizeof seed, "%" PRIu64, world->seed);
    (void)snprintf(steps, sizeof steps, "%d", STEPS);
    pid = fork();
    require(pid >= 0, "fork");
    if (pid == 0) {
        (void)setenv(RECORDING_FILE, path, 1);
        (void)setenv(RECORDING_DATA, data, 1);
        (void)setenv("LD_PRELOAD", recorder, 1);
        (void)execl(load, load, data, seed, steps, is_early ? "early" : "late", (char *)NULL);
        _exit(127);
    }
    require(waitpid(pid, &status, 0) == pid && status == 0, "recorded load");
    remove_tree(data);
}

static uint8_t *read_file(const char *path, size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    uint8_t *bytes;

    require(fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0, path);
    bytes = calloc(1, (size_t)st.st_size);
    require(bytes != NULL, "memory");
    for (size_t at = 0; at < (size_t)st.st_size;) {
        ssize_t len = read(fd, bytes + at, (size_t)st.st_size - at);

        require(len > 0, path);
        at += (size_t)len;
    }
    (void)close(fd);
    *ret_len = (size_t)st.st_size;
    return bytes;
}

static void parse(struct world *world, size_t len)
{
    world->ops = calloc(len / sizeof(struct recorded), sizeof *world->ops);
    require(world->ops != NULL, "memory");
    for (size_t at = 0; at < len;) {
        struct op *op = &world->ops[world->op_count++];

        memcpy(&op->head, world->recording + at, sizeof op->head);
        op->data = world->recording + at + sizeof op->head;
        at += sizeof op->head + op->head.len;
        require(at <= len, "cut off recording");
        if (op->head.kind == RECORDED_WRITE || op->head.kind == RECORDED_DSYNC) {
            size_t end = op->head.offset + op->head.len;

            world->write_count++;
            world->image_max = (end > world->image_max) ? end : world->image_max;
        }
    }
}

static void load_recording(struct world *world)
{
    char path[128];
    size_t len;

    join(path, world->dir, "recording");
    world->recording = read_file(path, &len);
    parse(world, len);
    require(world->write_count > 0, "recording of nothing");
    world->cut.bytes = calloc(1, world->image_max);
    require(world->cut.bytes != NULL, "memory");
    for (int i = 0; i < RECORDED_FILES; i++) {
        world->disks[i].synced.bytes = calloc(1, world->image_max);
        world->disks[i].pending = calloc(world->write_count, sizeof(size_t));
        require(world->disks[i].synced.bytes != NULL && world->disks[i].pending != NULL, "memory");
    }
}

static void free_recording(struct world *world)
{
    for (int i = 0; i < RECORDED_FILES; i++) {
        free(world->disks[i].synced.bytes);
        free(world->disks[i].pending);
    }
    free(world->cut.bytes);
    free(world->ops);
    free(world->recording);
}

/* --- states ------------------------------------------------------------------------------ */

static void write_part(struct image *image, const struct op *op, size_t from, size_t to)
{
    size_t end = op->head.offset + to;

    memcpy(image->bytes + op->head.offset + from, op->data + from, to - from);
    image->len = (end > image->len) ? end : image->len;
}

static void write_torn(struct world *world, struct image *image, const struct op *op)
{
    for (size_t from = 0; from < op->head.len;) {
        size_t to = from + SECTOR - (op->head.offset + from) % SECTOR;

        to = (to < op->head.len) ? to : op->head.len;
        if (prng_below(&world->prng, 2) == 0) {
            write_part(image, op, from, to);
        }
        from = to;
    }
}

enum variant { KEEP_ALL, KEEP_LAST, KEEP_SOME, VARIANTS };

/* What a cut leaves of one file. */
static void cut_file(struct world *world, const struct disk *disk, enum variant variant)
{
    struct image *cut = &world->cut;

    memcpy(cut->bytes, disk->synced.bytes, disk->synced.len);
    memset(cut->bytes + disk->synced.len, 0, world->image_max - disk->synced.len);
    cut->len = disk->synced.len;
    for (size_t i = 0; i < disk->pending_count; i++) {
        const struct op *op = &world->ops[disk->pending[i]];
        uint32_t fate = prng_below(&world->prng, 3);

        if (variant == KEEP_ALL || (variant == KEEP_LAST && i + 1 == disk->pending_count) ||
            (variant == KEEP_SOME && fate == 0)) {
            write_part(cut, op, 0, op->head.len);
        } else if (variant == KEEP_SOME && fate == 1) {
            write_torn(world, cut, op);
        }
    }
}

static void store_file(struct world *world, const char *name)
{
    char path[128];
    int fd;

    join(path, world->dir, name);
    require(mkdir(path, 0700) == 0 || errno == EEXIST, path);
    (void)snprintf(path, sizeof path, "%.63s/%s/lock.mdb", world->dir, name);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%.63s/%s/data.mdb", world->dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(fd >= 0, path);
    require(write(fd, world->cut.bytes, world->cut.len) == (ssize_t)world->cut.len, path);
    (void)close(fd);
}

static void silence(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)text;
}

/* In a child: a damaged file may crash LMDB, or hang it. */
static _Noreturn void check_state(struct world *world)
{
    static struct fixture f;

    (void)alarm(CHECK_SECONDS);
    (void)setenv("CMOCKA_TEST_ABORT", "1", 1);
    err_set_sink(silence);
    log_set_level(LOG_ERROR);
    f.options = (struct journal_options){.log_map_bytes = (uint64_t)2 << 20,
                                         .views_map_bytes = (uint64_t)16 << 20,
                                         .ballast_bytes = 4096};
    if (uv_loop_init(&f.loop) != 0 ||
        journal_open(&f.journal, &f.loop, world->dir, &f.options) != 0) {
        _exit(CHECK_REFUSED);
    }
    _exit((ledger_count_lost(&f, world->seed, &world->ledger) == 0) ? CHECK_SOUND : CHECK_LOST);
}

static int run_check(struct world *world)
{
    int status;
    pid_t pid;

    pid = fork();
    require(pid >= 0, "fork");
    if (pid == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL) {
            _exit(1);
        }
        check_state(world);
    }
    require(waitpid(pid, &status, 0) == pid, "wait");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void try_state(struct world *world, enum variant variant, size_t op)
{
    int found;

    cut_file(world, &world->disks[RECORDED_VIEWS], variant);
    store_file(world, "views");
    cut_file(world, &world->disks[RECORDED_LOG], variant);
    store_file(world, "log");
    found = run_check(world);
    world->states++;
    if (found == CHECK_REFUSED && world->ledger.acks == 0) {
        world->early++;
    } else if (found != CHECK_SOUND) {
        world->violations++;
        if (world->violations == 1) {
            (void)printf("  first violation: operation %zu, variant %d, outcome %d\n", op,
                         (int)variant, found);
        }
    }
}

static void settle(struct world *world, struct disk *disk, size_t index)
{
    const struct op *op = &world->ops[disk->pending[index]];

    write_part(&disk->synced, op, 0, op->head.len);
    disk->pending_count--;
    memmove(disk->pending + index, disk->pending + index + 1,
            (disk->pending_count - index) * sizeof *disk->pending);
}

/* A write through O_DSYNC makes itself durable, not what was written before it. */
static void settle_last_dsync(struct world *world, struct disk *disk)
{
    for (size_t i = disk->pending_count; i > 0; i--) {
        if (world->ops[disk->pending[i - 1]].head.kind == RECORDED_DSYNC) {
            settle(world, disk, i - 1);
            return;
        }
    }
}

static void step(struct world *world, size_t number)
{
    const struct op *op = &world->ops[number];
    struct disk *disk = &world->disks[op->head.file % RECORDED_FILES];
    struct ack ack;

    switch ((enum recorded_kind)op->head.kind) {
    case RECORDED_WRITE:
    case RECORDED_DSYNC:
        disk->pending[disk->pending_count++] = number;
        if (world->is_lazy && disk->pending_count > LAZY_MAX) {
            settle(world, disk, 0);
        }
        return;
    case RECORDED_SYNC:
        while (!world->is_lazy && disk->pending_count > 0) {
            settle(world, disk, 0);
        }
        return;
    case RECORDED_DSYNC_END:
        if (!world->is_lazy) {
            settle_last_dsync(world, disk);
        }
        return;
    case RECORDED_ACK:
        require(op->head.len == sizeof ack, "acknowledgement");
        memcpy(&ack, op->data, sizeof ack);
        ledger_note(&world->ledger, &ack);
        return;
    case RECORDED_TRUNCATE:
        require(false, "a data file was truncated");
        return;
    case RECORDED_CREATE: /* names: the daemon's recording is about them, too */
    case RECORDED_RENAME:
    case RECORDED_UNLINK:
    case RECORDED_DIR_SYNC:
        return;
    }
}

/* Spreads the states evenly over the writes, all variants of each. */
static void replay(struct world *world, uint64_t states)
{
    uint64_t rounds = states / world->write_count;
    uint64_t rest = states % world->write_count;
    uint64_t owed = 0;

    for (size_t i = 0; i < world->op_count; i++) {
        uint32_t kind = world->ops[i].head.kind;

        step(world, i);
        if (kind != RECORDED_WRITE && kind != RECORDED_DSYNC) {
            continue;
        }
        owed += rest;
        for (uint64_t n = 0; n < rounds + (owed >= world->write_count ? 1 : 0); n++) {
            try_state(world,
                      (rounds > 1 && n < VARIANTS)
                          ? (enum variant)n
                          : (enum variant)prng_below(&world->prng, VARIANTS),
                      i);
        }
        owed -= (owed >= world->write_count) ? world->write_count : 0;
    }
    try_state(world, KEEP_ALL, world->op_count);
}

/* --- runs -------------------------------------------------------------------------------- */

struct run {
    const char *name;
    bool is_early;
    bool is_lazy;
};

static uint64_t run_one(const struct run *run, char **argv, uint64_t seed, uint64_t states)
{
    struct world world = {.prng = {.state = seed}, .seed = seed, .is_lazy = run->is_lazy};

    (void)snprintf(world.dir, sizeof world.dir, "%s/test_journal.XXXXXX",
                   (access("/dev/shm", W_OK) == 0) ? "/dev/shm" : "/tmp");
    require(mkdtemp(world.dir) != NULL, world.dir);
    run_load(&world, argv[1], argv[2], run->is_early);
    load_recording(&world);
    replay(&world, states);
    (void)printf("%s: seed %" PRIu64 ", %zu writes, %" PRIu64 " acknowledgements, %" PRIu64
                 " states, %" PRIu64 " before the first open, %" PRIu64 " violations\n",
                 run->name, seed, world.write_count, world.ledger.acks, world.states, world.early,
                 world.violations);
    (void)fflush(stdout);
    free_recording(&world);
    remove_tree(world.dir);
    return world.violations;
}

int main(int argc, char **argv)
{
    static const struct run sound = {.name = "journal"};
    static const struct run lazy = {.name = "control: syncs ignored", .is_lazy = true};
    static const struct run early = {.name = "control: early acknowledgements", .is_early = true};
    uint64_t seed = (argc > 3) ? strtoull(argv[3], NULL, 10) : 1;
    uint64_t states = (argc > 4) ? strtoull(argv[4], NULL, 10) : 2000;
    uint64_t violations;
    int blind; /* controls that were not found out */

    require(argc > 2, "usage: test_journal LOAD RECORDER [SEED [STATES]]");
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    violations = run_one(&sound, argv, seed, states);
    blind = run_one(&lazy, argv, seed, states / 4) == 0 ? 1 : 0;
    blind += run_one(&early, argv, seed, states / 4) == 0 ? 1 : 0;
    (void)printf("%llu passed, %llu failed\n",
                 (unsigned long long)(states - violations) + 2 - (unsigned)blind,
                 (unsigned long long)violations + (unsigned)blind);
    return (violations == 0 && blind == 0) ? 0 : 1;
}
