#include "tests/powercut/crew.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATE_SECONDS 30U
#define FIRST_SHARE 20U /* of the states: one in so many is of the first cuts */
#define PRINTED_MAX 3U  /* violations of a worker that are described */

/* What a worker tells its parent, also by dying. */
struct progress {
    uint64_t next; /* the first state that it has not begun */
    bool is_done;
    struct crew_counts counts;
};

struct work {
    const struct crew *crew;
    struct progress *progress; /* shared, one for each worker */
    pid_t pids[CREW_MAX];
};

/* --- states ------------------------------------------------------------------------------ */

static size_t op_of(const struct crew *crew, uint64_t number)
{
    uint64_t first = (crew->first_cuts > 0) ? crew->states / FIRST_SHARE : 0;
    uint64_t later = crew->tape->cut_count - crew->first_cuts;

    if (number < first) {
        return crew->tape->cuts[number * crew->first_cuts / first];
    }
    return crew->tape->cuts[crew->first_cuts + (number - first) * later / (crew->states - first)];
}

/* All of each cut where there are enough states for that, else any. */
static struct crew_state state_of(const struct crew *crew, uint64_t number)
{
    bool has_all = crew->states >= crew->tape->cut_count * DISK_VARIANTS;
    struct crew_state state = {.number = number,
                               .op = op_of(crew, number),
                               .prng = {.state = crew->seed * 1000003 + number}};
    uint32_t any = prng_below(&state.prng, DISK_VARIANTS);

    state.variant = (enum disk_variant)(has_all ? number % DISK_VARIANTS : any);
    return state;
}

static void note_violation(const struct crew *crew, struct progress *progress,
                           const struct crew_state *state)
{
    static const char *const kept[DISK_VARIANTS] = {"all", "last", "some", "some"};

    if (progress->counts.violations++ >= PRINTED_MAX) {
        return;
    }
    (void)printf("violation: state %" PRIu64 " of seed %" PRIu64
                 ", after operation %zu of %zu, %s kept: %s\n",
                 state->number, crew->seed, state->op + 1, crew->tape->count, kept[state->variant],
                 state->problem);
    (void)fflush(stdout);
}

/* --- workers ----------------------------------------------------------------------------- */

static void advance(const struct crew *crew, struct disk *disk, size_t op)
{
    while (disk_steps(disk) <= op) {
        const struct tape_op *now = &crew->tape->ops[disk_steps(disk)];

        disk_step(disk);
        if (crew->happened != NULL) {
            crew->happened(crew->arg, now);
        }
    }
}

static _Noreturn void run(const struct crew *crew, struct progress *progress, uint64_t worker)
{
    struct disk *disk;
    char dir[4096];

    (void)snprintf(dir, sizeof dir, "%.4000s/worker-%" PRIu64 ".log", crew->dir, worker);
    require(freopen(dir, "a", stderr) != NULL, dir); /* LMDB and the journal say much */
    (void)snprintf(dir, sizeof dir, "%.4000s/state-%" PRIu64, crew->dir, worker);
    disk = disk_create(dir, crew->tape, crew->ignores_syncs);
    crew->begin(crew->arg, worker, dir);
    while (progress->next < crew->states) {
        struct crew_state state = state_of(crew, progress->next);

        advance(crew, disk, state.op);
        state.disk = disk;
        progress->next += crew->workers;
        progress->counts.variants[state.variant]++;
        (void)alarm(STATE_SECONDS);
        if (!crew->judge(crew->arg, &state)) {
            note_violation(crew, progress, &state);
        }
    }
    (void)alarm(0);
    crew->end(crew->arg);
    disk_destroy(disk);
    progress->is_done = true;
    exit(0);
}

static void start_worker(struct work *work, uint64_t worker)
{
    pid_t pid = fork();

    require(pid >= 0, "fork");
    if (pid == 0) {
        run(work->crew, &work->progress[worker], worker);
    }
    work->pids[worker] = pid;
}

static uint64_t worker_of(const struct work *work, pid_t pid)
{
    uint64_t worker = 0;

    while (worker < work->crew->workers && work->pids[worker] != pid) {
        worker++;
    }
    require(worker < work->crew->workers, "a child that nobody started");
    return worker;
}

static void note_death(struct work *work, uint64_t worker, int status)
{
    struct progress *progress = &work->progress[worker];
    struct crew_state state;

    require(WIFSIGNALED(status), "a worker fell over");
    state = state_of(work->crew, progress->next - work->crew->workers);
    (void)snprintf(state.problem, sizeof state.problem, "ended with signal %d", WTERMSIG(status));
    note_violation(work->crew, progress, &state);
}

static void wait_for_all(struct work *work)
{
    uint64_t running = work->crew->workers;
    int status;

    while (running > 0) {
        pid_t pid = wait(&status);
        uint64_t worker;

        require(pid > 0, "wait");
        worker = worker_of(work, pid);
        if (work->progress[worker].is_done) {
            running--;
        } else {
            note_death(work, worker, status);
            start_worker(work, worker);
        }
    }
}

struct crew_counts crew_run(const struct crew *crew)
{
    size_t shared = CREW_MAX * sizeof(struct progress);
    struct work work = {.crew = crew};
    struct crew_counts sum = {0};

    require(crew->workers > 0 && crew->workers <= CREW_MAX, "number of workers");
    work.progress = mmap(NULL, shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(work.progress != MAP_FAILED, "memory");
    for (uint64_t i = 0; i < crew->workers; i++) {
        work.progress[i].next = i;
        start_worker(&work, i);
    }
    wait_for_all(&work);
    for (uint64_t i = 0; i < crew->workers; i++) {
        sum.violations += work.progress[i].counts.violations;
        for (int n = 0; n < DISK_VARIANTS; n++) {
            sum.variants[n] += work.progress[i].counts.variants[n];
        }
    }
    (void)munmap(work.progress, shared);
    return sum;
}
