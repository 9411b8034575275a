/* Power cuts of a journal alone, without a daemon: a load whose every byte is known from
 * its seed (tests/journal/ledger.h) is recorded, with small maps and small batches; on
 * each state the journal is opened as after any crash, and what was acknowledged before
 * the cut must be there, as it was written.
 *
 *     test_journal_powercut LOAD RECORDER [SEED [STATES]]
 *
 * The controls: a disk that ignores syncs, and a load that acknowledges before the
 * commit, must both be found out. */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/log.h"
#include "tests/journal/ledger.h"
#include "tests/powercut/crew.h"

#define STEPS 1500
#define CONTROL_SHARE 4U /* of the states, for each control */

struct world {
    char dir[64];
    uint64_t seed;
    struct tape tape;

    /* A worker's. */
    struct fixture f;
    struct ledger ledger; /* what was acknowledged */
};

/* --- the recording ----------------------------------------------------------------------- */

static void join(char path[128], const char *dir, const char *name)
{
    (void)snprintf(path, 128, "%.63s/%s", dir, name);
}

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
    tape_load(&world->tape, path);
}

/* --- states ------------------------------------------------------------------------------ */

static void silence(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)text;
}

static void begin(void *arg, uint64_t worker, const char *dir)
{
    struct world *world = arg;

    (void)worker;
    (void)snprintf(world->f.dir, sizeof world->f.dir, "%s", dir);
    world->f.options = (struct journal_options){.log_map_bytes = (uint64_t)2 << 20,
                                                .views_map_bytes = (uint64_t)16 << 20,
                                                .ballast_bytes = 4096};
    require(uv_loop_init(&world->f.loop) == 0, "event loop");
    (void)setenv("CMOCKA_TEST_ABORT", "1", 1); /* what is not as it was written kills */
    err_set_sink(silence);
    log_set_level(LOG_ERROR);
}

static void happened(void *arg, const struct tape_op *op)
{
    struct world *world = arg;
    struct ack ack;

    if (op->head.kind == RECORDED_ACK) {
        require(op->head.len == sizeof ack, "acknowledgement");
        memcpy(&ack, op->data, sizeof ack);
        ledger_note(&world->ledger, &ack);
    }
}

static void note_close(void *arg)
{
    (void)arg;
}

static bool judge(void *arg, struct crew_state *state)
{
    struct world *world = arg;
    struct fixture *f = &world->f;
    uint64_t lost = 0;
    int r;

    disk_cut(state->disk, &state->prng, state->variant);
    r = journal_open(&f->journal, &f->loop, f->dir, &f->options);
    if (r == 0) {
        lost = ledger_count_lost(f, world->seed, &world->ledger);
        journal_close(f->journal, NULL, note_close);
        (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    }
    disk_restore(state->disk);
    (void)snprintf(state->problem, sizeof state->problem, "%s, %" PRIu64 " executions lost",
                   (r == 0) ? "opened" : "refused", lost);
    return r == 0 && lost == 0;
}

static void end(void *arg)
{
    struct world *world = arg;

    (void)uv_loop_close(&world->f.loop);
}

/* --- runs -------------------------------------------------------------------------------- */

struct run {
    const char *name;
    bool is_early;
    bool ignores_syncs;
};

static uint64_t run_one(const struct run *run, char **argv, uint64_t seed, uint64_t states)
{
    static struct world world;
    struct crew crew = {.tape = &world.tape,
                        .dir = world.dir,
                        .states = states,
                        .seed = seed,
                        .workers = 2,
                        .ignores_syncs = run->ignores_syncs,
                        .arg = &world,
                        .begin = begin,
                        .happened = happened,
                        .judge = judge,
                        .end = end};
    struct crew_counts made;

    world = (struct world){.seed = seed};
    (void)snprintf(world.dir, sizeof world.dir, "%s/powercut.XXXXXX",
                   (access("/dev/shm", W_OK) == 0) ? "/dev/shm" : "/tmp");
    require(mkdtemp(world.dir) != NULL, world.dir);
    run_load(&world, argv[1], argv[2], run->is_early);
    made = crew_run(&crew);
    (void)printf("%s: seed %" PRIu64 ", %zu writes and names, %" PRIu64 " states, %" PRIu64
                 " violations\n",
                 run->name, seed, world.tape.cut_count, states, made.violations);
    disk_remove_tree(world.dir);
    tape_free(&world.tape);
    return made.violations;
}

int main(int argc, char **argv)
{
    static const struct run sound = {.name = "journal"};
    static const struct run lazy = {.name = "control: syncs ignored", .ignores_syncs = true};
    static const struct run early = {.name = "control: early acknowledgements", .is_early = true};
    uint64_t seed = (argc > 3) ? strtoull(argv[3], NULL, 10) : 1;
    uint64_t states = (argc > 4) ? strtoull(argv[4], NULL, 10) : 2000;
    uint64_t violations;
    unsigned blind = 0; /* controls that were not found out */

    require(argc > 2, "usage: test_journal_powercut LOAD RECORDER [SEED [STATES]]");
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    violations = run_one(&sound, argv, seed, states);
    blind += (run_one(&lazy, argv, seed, states / CONTROL_SHARE) == 0) ? 1 : 0;
    blind += (run_one(&early, argv, seed, states / CONTROL_SHARE) == 0) ? 1 : 0;
    (void)printf("%" PRIu64 " passed, %" PRIu64 " failed\n", states - violations + 2 - blind,
                 violations + blind);
    return (violations == 0 && blind == 0) ? 0 : 1;
}
