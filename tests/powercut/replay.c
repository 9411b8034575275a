/* Makes the states that the disk under a recorded daemon could have been left in by a
 * power cut, and judges each.
 *
 *     powercut_replay --recording FILE --facts FILE --dir DIR [--states N] [--seed S]
 *                     [--workers N] [--deep-every N] [--ignore-syncs] [--plant]
 *
 * States are spread evenly over the writes; which of a write's neighbours are kept is
 * decided by the seed and the number of the state alone, so any state can be made again.
 * Workers share the states. One that is killed by a state (LMDB may crash on a damaged
 * file, or hang) has found a violation, and another goes on behind it.
 *
 * With --plant each state is damaged first (plant.c), and a violation is one that was not
 * found. Ends with `states N, violations N, of these N lack what was acknowledged`; 0 when there
 * were none, 1 when there were. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/powercut/disk.h"
#include "tests/powercut/judge.h"
#include "tests/powercut/plant.h"

#define STATE_SECONDS 30U
#define WORKERS_MAX 64U
#define FIRST_START_SHARE 20U /* of the states: one in so many */
#define PRINTED_MAX 3U        /* violations of a worker that are described */

struct options {
    const char *recording;
    const char *facts;
    const char *dir;
    uint64_t states;
    uint64_t seed;
    uint64_t workers;
    uint64_t deep_every;
    bool ignores_syncs;
    bool plants;
};

/* What a worker tells its parent, also by dying. */
struct progress {
    uint64_t next; /* the first state that it has not begun */
    bool is_done;
    uint64_t variants[DISK_VARIANTS];
    uint64_t deep;
    uint64_t early;
    uint64_t refused_early;
    uint64_t frames_read;
    uint64_t lost; /* of the violations: something acknowledged was not there */
    uint64_t violations;
    uint64_t planted[PLANTS];
};

struct replay {
    struct options options;
    struct tape tape;
    struct story story;
    uint64_t ready_seq;        /* before it the daemon had promised nothing */
    size_t first_cuts;         /* before that */
    struct progress *progress; /* shared, one for each worker */
};

/* --- states ------------------------------------------------------------------------------ */

/* The operation that the state's cut comes after: the first states are of the first start
 * of the daemon, where names come and files begin, the others of what followed. */
static size_t op_of(const struct replay *replay, uint64_t number)
{
    uint64_t first = replay->options.states / FIRST_START_SHARE;
    uint64_t later = replay->tape.cut_count - replay->first_cuts;

    if (number < first) {
        return replay->tape.cuts[number * replay->first_cuts / first];
    }
    return replay->tape
        .cuts[replay->first_cuts + (number - first) * later / (replay->options.states - first)];
}

static enum disk_variant variant_of(const struct replay *replay, uint64_t number, struct prng *prng)
{
    bool has_all = replay->options.states >= replay->tape.cut_count * DISK_VARIANTS;
    uint32_t any = prng_below(prng, DISK_VARIANTS);

    return (enum disk_variant)(has_all ? number % DISK_VARIANTS : any);
}

static struct judge_question question_of(const struct replay *replay, uint64_t number, size_t op)
{
    struct judge_question question = {.acked_lsn = story_acked_lsn(&replay->story, op + 1),
                                      .is_deep = number % replay->options.deep_every == 0,
                                      .is_early = op + 1 < replay->ready_seq};

    if (replay->options.plants) { /* what else is removed must be seen at a glance */
        question.is_deep = number % PLANTS == PLANT_FRAMES;
    }
    return question;
}

static void describe(const struct replay *replay, uint64_t number, size_t op,
                     enum disk_variant variant, const char *problem)
{
    static const char *const names[] = {"all", "last", "some", "some"};

    (void)printf("violation: state %" PRIu64 " of seed %" PRIu64 ", after operation %zu of %zu, %s"
                 " kept: %s\n",
                 number, replay->options.seed, op + 1, replay->tape.count, names[variant], problem);
    (void)fflush(stdout);
}

static void count(struct progress *progress, const struct judge_question *question,
                  enum disk_variant variant)
{
    progress->variants[variant]++;
    progress->deep += question->is_deep ? 1 : 0;
    progress->early += question->is_early ? 1 : 0;
}

/* The judge is right, or, where damage was planted, has found it. */
static bool is_sound(const struct replay *replay, struct progress *progress, struct judge *judge,
                     const struct judge_question *question, uint64_t number)
{
    enum plant kind = (enum plant)(number % PLANTS);
    const char *what = replay->options.plants ? plant(judge, kind, number) : NULL;

    if (what == NULL) {
        return judge_state(judge, question);
    }
    progress->planted[kind]++;
    if (!judge_state(judge, question)) {
        return true;
    }
    (void)judge_fail(judge, "%s was removed, and nobody saw it", what);
    return false;
}

static void try_state(const struct replay *replay, struct progress *progress, struct disk *disk,
                      struct judge *judge, uint64_t number)
{
    struct prng prng = {.state = replay->options.seed * 1000003 + number};
    enum disk_variant variant = variant_of(replay, number, &prng);
    size_t op = disk_steps(disk) - 1;
    struct judge_question question = question_of(replay, number, op);

    judge->shard = prng_below(&prng, 1U << 16);
    count(progress, &question, variant);
    (void)alarm(STATE_SECONDS);
    disk_cut(disk, &prng, variant);
    if (!is_sound(replay, progress, judge, &question, number) &&
        progress->violations++ < PRINTED_MAX) {
        describe(replay, number, op, variant, judge->problem);
    }
    disk_restore(disk);
    progress->frames_read += judge->frames_read;
    progress->refused_early += judge->refused_early;
    progress->lost += judge->lost;
    judge->lost = 0;
    judge->frames_read = 0;
    judge->refused_early = 0;
}

/* --- workers ----------------------------------------------------------------------------- */

static _Noreturn void work(const struct replay *replay, uint64_t worker)
{
    const struct options *options = &replay->options;
    struct progress *progress = &replay->progress[worker];
    struct disk *disk;
    struct judge judge;
    char dir[4096];

    (void)snprintf(dir, sizeof dir, "%.4000s/state-%" PRIu64, options->dir, worker);
    if (options->ignores_syncs && freopen("/dev/null", "w", stderr) == NULL) {
        require(false, "/dev/null"); /* LMDB has much to say of files like these */
    }
    disk = disk_create(dir, &replay->tape, options->ignores_syncs);
    judge_init(&judge, &replay->story, dir);
    while (progress->next < options->states) {
        uint64_t number = progress->next;
        size_t op = op_of(replay, number);

        while (disk_steps(disk) <= op) {
            disk_step(disk);
        }
        progress->next += options->workers;
        try_state(replay, progress, disk, &judge, number);
    }
    judge_fini(&judge);
    disk_destroy(disk);
    progress->is_done = true;
    exit(0);
}

static pid_t start_worker(const struct replay *replay, uint64_t worker)
{
    pid_t pid = fork();

    require(pid >= 0, "fork");
    if (pid == 0) {
        work(replay, worker);
    }
    return pid;
}

static uint64_t worker_of(const pid_t *pids, uint64_t workers, pid_t pid)
{
    uint64_t worker = 0;

    while (worker < workers && pids[worker] != pid) {
        worker++;
    }
    require(worker < workers, "a child that nobody started");
    return worker;
}

static void note_death(const struct replay *replay, uint64_t worker, int status)
{
    struct progress *progress = &replay->progress[worker];
    uint64_t number = progress->next - replay->options.workers;
    char text[64];

    require(WIFSIGNALED(status), "a worker fell over");
    (void)snprintf(text, sizeof text, "ended with signal %d", WTERMSIG(status));
    if (progress->violations++ < PRINTED_MAX) {
        describe(replay, number, op_of(replay, number), DISK_SOME, text);
    }
}

static void run_workers(const struct replay *replay)
{
    pid_t pids[WORKERS_MAX];
    uint64_t running = replay->options.workers;
    int status;

    for (uint64_t i = 0; i < replay->options.workers; i++) {
        replay->progress[i].next = i;
        pids[i] = start_worker(replay, i);
    }
    while (running > 0) {
        pid_t pid = wait(&status);
        uint64_t worker;

        require(pid > 0, "wait");
        worker = worker_of(pids, replay->options.workers, pid);
        if (replay->progress[worker].is_done) {
            running--;
        } else {
            note_death(replay, worker, status);
            pids[worker] = start_worker(replay, worker);
        }
    }
}

/* --- the whole --------------------------------------------------------------------------- */

static struct progress sum(const struct replay *replay)
{
    struct progress sum = {0};

    for (uint64_t i = 0; i < replay->options.workers; i++) {
        const struct progress *one = &replay->progress[i];

        for (int n = 0; n < DISK_VARIANTS; n++) {
            sum.variants[n] += one->variants[n];
        }
        for (int n = 0; n < PLANTS; n++) {
            sum.planted[n] += one->planted[n];
        }
        sum.deep += one->deep;
        sum.early += one->early;
        sum.refused_early += one->refused_early;
        sum.frames_read += one->frames_read;
        sum.lost += one->lost;
        sum.violations += one->violations;
    }
    return sum;
}

static void print_story(const struct replay *replay)
{
    const struct story *story = &replay->story;

    (void)printf("%zu writes and names, %" PRIu64 " commits of the log (trimmed to LSN %" PRIu64
                 " of %" PRIu64 ") and %" PRIu64 " of the views\n",
                 replay->tape.cut_count, replay->tape.commits[RECORDED_LOG], story->trimmed_lsn,
                 story->last_lsn, replay->tape.commits[RECORDED_VIEWS]);
    (void)printf("%" PRIu64 " entries of %zu executions and %zu objects; %zu facts, %" PRIu64
                 " unfounded; %" PRIu64 " broken frames\n",
                 story->entries, story->exec_count, story->object_count, story->fact_count,
                 story->unfounded, story->broken);
    (void)fflush(stdout);
}

static uint64_t print_result(const struct replay *replay)
{
    struct progress all = sum(replay);
    uint64_t violations = all.violations + replay->story.unfounded + replay->story.broken;

    (void)printf("each opened and compared: heads, lists, names, due times, objects, recent "
                 "frames; %" PRIu64 " deep: every frame, seal and row, functions loaded\n",
                 all.deep);
    (void)printf("%" PRIu64 " with all that was written, %" PRIu64 " with the last write only, "
                 "%" PRIu64 " with some of it or torn; %" PRIu64 " before the first answer; "
                 "%" PRIu64 " frames read\n",
                 all.variants[DISK_ALL], all.variants[DISK_LAST],
                 all.variants[DISK_SOME] + all.variants[DISK_SOME_TOO], all.early, all.frames_read);
    for (int n = 0; replay->options.plants && n < PLANTS; n++) {
        (void)printf("%" PRIu64 "%s", all.planted[n],
                     (n + 1 < PLANTS) ? ", " : " states damaged, by what was removed\n");
    }
    if (all.refused_early > 0) {
        (void)printf("%" PRIu64 " of these before the first answer were refused\n",
                     all.refused_early);
    }
    (void)printf("states %" PRIu64 ", violations %" PRIu64 ", of these %" PRIu64
                 " lack what was acknowledged\n",
                 replay->options.states, violations, all.lost);
    return violations;
}

static bool parse(struct options *options, int argc, char **argv)
{
    static const struct option known[] = {{"recording", required_argument, NULL, 'r'},
                                          {"facts", required_argument, NULL, 'f'},
                                          {"dir", required_argument, NULL, 'd'},
                                          {"states", required_argument, NULL, 'n'},
                                          {"seed", required_argument, NULL, 's'},
                                          {"workers", required_argument, NULL, 'w'},
                                          {"deep-every", required_argument, NULL, 'e'},
                                          {"ignore-syncs", no_argument, NULL, 'i'},
                                          {"plant", no_argument, NULL, 'p'},
                                          {0}};
    int option;

    *options = (struct options){.states = 2000, .seed = 1, .workers = 1, .deep_every = 25};
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        uint64_t number = (optarg != NULL) ? strtoull(optarg, NULL, 10) : 0;

        options->recording = (option == 'r') ? optarg : options->recording;
        options->facts = (option == 'f') ? optarg : options->facts;
        options->dir = (option == 'd') ? optarg : options->dir;
        options->states = (option == 'n') ? number : options->states;
        options->seed = (option == 's') ? number : options->seed;
        options->workers = (option == 'w') ? number : options->workers;
        options->deep_every = (option == 'e') ? number : options->deep_every;
        options->ignores_syncs = options->ignores_syncs || option == 'i';
        options->plants = options->plants || option == 'p';
    }
    return options->recording != NULL && options->facts != NULL && options->dir != NULL &&
           options->states > 0 && options->workers > 0 && options->workers <= WORKERS_MAX &&
           options->deep_every > 0;
}

int main(int argc, char **argv)
{
    static struct replay replay;
    char dir[4096];

    if (!parse(&replay.options, argc, argv)) {
        (void)fprintf(stderr, "powercut_replay: see the top of tests/powercut/replay.c\n");
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    tape_load(&replay.tape, replay.options.recording);
    (void)snprintf(dir, sizeof dir, "%.4000s/story", replay.options.dir);
    story_tell(&replay.story, &replay.tape, dir);
    story_add_facts(&replay.story, replay.options.facts);
    replay.ready_seq = (replay.story.fact_count > 0) ? replay.story.facts[0].seq : 0;
    while (replay.first_cuts + 1 < replay.tape.cut_count &&
           replay.tape.cuts[replay.first_cuts] + 1 < replay.ready_seq) {
        replay.first_cuts++;
    }
    print_story(&replay);
    replay.progress = mmap(NULL, WORKERS_MAX * sizeof *replay.progress, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(replay.progress != MAP_FAILED, "memory");
    run_workers(&replay);
    return (print_result(&replay) == 0) ? 0 : 1;
}
