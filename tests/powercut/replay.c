/* Makes the states that the disk under a recorded daemon could have been left in by a
 * power cut, and judges each.
 *
 *     powercut_replay --recording FILE --facts FILE --dir DIR [--states N] [--seed S]
 *                     [--workers N] [--deep-every N] [--ignore-syncs] [--plant] [--forget]
 *
 * With --plant each state is damaged first (plant.c), and a violation is one that was not
 * found. With --ignore-syncs the daemon's disk does, with --forget the one that its next
 * start has. Ends with `states N, violations N, of these N lack what was acknowledged`; 0 when
 * there were no violations, else 1. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/powercut/crew.h"
#include "tests/powercut/judge.h"
#include "tests/powercut/plant.h"

#define TWICE_EVERY 3U

struct options {
    const char *recording;
    const char *facts;
    uint64_t deep_every;
    bool plants;
    bool forgets; /* the syncs of recovery */
};

/* What a worker counts. */
struct counts {
    uint64_t deep;
    uint64_t early;
    uint64_t twice; /* cut again during recovery */
    uint64_t refused_early;
    uint64_t frames_read;
    uint64_t lost; /* of the violations: something acknowledged was not there */
    uint64_t planted[PLANTS];
};

struct replay {
    struct options options;
    struct crew crew;
    struct tape tape;
    struct story story;
    uint64_t ready_seq;    /* before it the daemon had promised nothing */
    struct counts *counts; /* shared, one for each worker */

    /* A worker's. */
    struct counts *own;
    struct judge judge;
};

/* --- a worker ------------------------------------------------------------------------------ */

static void begin(void *arg, uint64_t worker, const char *dir)
{
    struct replay *replay = arg;

    replay->own = &replay->counts[worker];
    judge_init(&replay->judge, &replay->story, dir);
}

static void end(void *arg)
{
    struct replay *replay = arg;

    judge_fini(&replay->judge);
}

static struct judge_question question_of(const struct replay *replay,
                                         const struct crew_state *state)
{
    uint64_t seq = state->op + 1;
    struct judge_question question = {.acked_lsn = story_acked_lsn(&replay->story, seq),
                                      .is_deep = state->number % replay->options.deep_every == 0,
                                      .is_early = seq < replay->ready_seq};

    if (replay->options.plants) { /* what else is removed must be seen at a glance */
        question.is_deep = state->number % PLANTS == PLANT_FRAMES;
    }
    return question;
}

/* The judge is right, or, where damage was planted, has found it. */
static bool is_sound(struct replay *replay, const struct judge_question *question, uint64_t number)
{
    struct judge *judge = &replay->judge;
    enum plant kind = (enum plant)(number % PLANTS);
    const char *what = replay->options.plants ? plant(judge, kind, number) : NULL;

    if (what == NULL) {
        return judge_state(judge, question);
    }
    replay->own->planted[kind]++;
    return !judge_state(judge, question) ||
           judge_fail(judge, "%s was removed, and nobody saw it", what);
}

/* Recovery may be cut off, too, while it writes. False: it was refused. */
static bool cut_recovery(struct replay *replay, struct crew_state *state)
{
    bool is_right;

    disk_watch(state->disk);
    is_right = judge_recover(&replay->judge);
    if (disk_cut_again(state->disk, &state->prng, state->variant, replay->options.forgets)) {
        replay->own->twice++;
    }
    return is_right;
}

static bool judge_one(void *arg, struct crew_state *state)
{
    struct replay *replay = arg;
    struct judge *judge = &replay->judge;
    struct counts *own = replay->own;
    struct judge_question question = question_of(replay, state);
    bool is_right;

    judge->shard = prng_below(&state->prng, 1U << 16);
    disk_cut(state->disk, &state->prng, state->variant);
    is_right = question.is_early || state->number % TWICE_EVERY != 0 || replay->options.plants ||
               cut_recovery(replay, state);
    is_right = is_right && is_sound(replay, &question, state->number);
    disk_restore(state->disk);
    (void)snprintf(state->problem, sizeof state->problem, "%s", judge->problem);
    own->deep += question.is_deep ? 1 : 0;
    own->early += question.is_early ? 1 : 0;
    own->frames_read += judge->frames_read;
    own->refused_early += judge->refused_early;
    own->lost += judge->lost;
    judge->lost = 0;
    judge->frames_read = 0;
    judge->refused_early = 0;
    return is_right;
}

/* --- the whole --------------------------------------------------------------------------- */

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

static struct counts sum(const struct replay *replay)
{
    struct counts sum = {0};

    for (uint64_t i = 0; i < replay->crew.workers; i++) {
        const struct counts *one = &replay->counts[i];

        sum.deep += one->deep;
        sum.early += one->early;
        sum.twice += one->twice;
        sum.refused_early += one->refused_early;
        sum.frames_read += one->frames_read;
        sum.lost += one->lost;
        for (int n = 0; n < PLANTS; n++) {
            sum.planted[n] += one->planted[n];
        }
    }
    return sum;
}

static void print_counts(const struct replay *replay, const struct crew_counts *made)
{
    struct counts all = sum(replay);

    (void)printf("each opened and compared: heads, lists, names, due times, objects, recent "
                 "frames; %" PRIu64 " deep: every frame, seal and row, functions loaded\n",
                 all.deep);
    (void)printf("%" PRIu64 " with all that was written, %" PRIu64 " with the last write only, "
                 "%" PRIu64 " with some of it or torn; %" PRIu64 " before the first answer; "
                 "%" PRIu64 " cut again during recovery; %" PRIu64 " frames read\n",
                 made->variants[DISK_ALL], made->variants[DISK_LAST],
                 made->variants[DISK_SOME] + made->variants[DISK_SOME_TOO], all.early, all.twice,
                 all.frames_read);
    for (int n = 0; replay->options.plants && n < PLANTS; n++) {
        (void)printf("%" PRIu64 "%s", all.planted[n],
                     (n + 1 < PLANTS) ? ", " : " states damaged, by what was removed\n");
    }
    if (all.refused_early > 0) {
        (void)printf("%" PRIu64 " of these before the first answer were refused\n",
                     all.refused_early);
    }
}

/* A state is a violation once; so is each fact that rests on nothing, and each frame that
 * does not open. */
static uint64_t print_result(const struct replay *replay, const struct crew_counts *made)
{
    uint64_t violations = made->violations + replay->story.unfounded + replay->story.broken;

    print_counts(replay, made);
    (void)printf("states %" PRIu64 ", violations %" PRIu64 ", of these %" PRIu64
                 " lack what was acknowledged\n",
                 replay->crew.states, violations, sum(replay).lost);
    return violations;
}

static void set(struct replay *replay, int option, const char *text)
{
    uint64_t number = (text != NULL) ? strtoull(text, NULL, 10) : 0;

    switch (option) {
    case 'r':
        replay->options.recording = text;
        return;
    case 'f':
        replay->options.facts = text;
        return;
    case 'd':
        replay->crew.dir = text;
        return;
    case 'n':
        replay->crew.states = number;
        return;
    case 's':
        replay->crew.seed = number;
        return;
    case 'w':
        replay->crew.workers = number;
        return;
    case 'e':
        replay->options.deep_every = number;
        return;
    case 'i':
        replay->crew.ignores_syncs = true;
        return;
    case 'o':
        replay->options.forgets = true;
        return;
    case 'p':
        replay->options.plants = true;
        return;
    default:
        replay->options.deep_every = 0; /* which is not right */
        return;
    }
}

static bool parse(struct replay *replay, int argc, char **argv)
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
                                          {"forget", no_argument, NULL, 'o'},
                                          {0}};
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        set(replay, option, optarg);
    }
    return replay->options.recording != NULL && replay->options.facts != NULL &&
           replay->crew.dir != NULL && replay->crew.states > 0 && replay->options.deep_every > 0;
}

static void load(struct replay *replay)
{
    char dir[4096];

    tape_load(&replay->tape, replay->options.recording);
    (void)snprintf(dir, sizeof dir, "%.4000s/story", replay->crew.dir);
    story_tell(&replay->story, &replay->tape, dir);
    story_add_facts(&replay->story, replay->options.facts);
    replay->ready_seq = (replay->story.fact_count > 0) ? replay->story.facts[0].seq : 0;
    replay->crew.first_cuts = tape_cuts_before(&replay->tape, replay->ready_seq);
    print_story(replay);
}

int main(int argc, char **argv)
{
    static struct replay replay = {.options = {.deep_every = 25},
                                   .crew = {.states = 2000,
                                            .seed = 1,
                                            .workers = 1,
                                            .begin = begin,
                                            .judge = judge_one,
                                            .end = end}};
    struct crew_counts made;

    if (!parse(&replay, argc, argv)) {
        (void)fprintf(stderr, "powercut_replay: see the top of tests/powercut/replay.c\n");
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    load(&replay);
    replay.crew.tape = &replay.tape;
    replay.crew.arg = &replay;
    replay.counts = mmap(NULL, CREW_MAX * sizeof *replay.counts, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(replay.counts != MAP_FAILED, "memory");
    made = crew_run(&replay.crew);
    return (print_result(&replay, &made) == 0) ? 0 : 1;
}
