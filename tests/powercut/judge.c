#include "tests/powercut/judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/log.h"
#include "engine/driver/sealer.h"
#include "journal/verify.h"

static char last_error[JUDGE_TEXT_MAX]; /* what the product said of its refusal */

static void keep_error(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)snprintf(last_error, sizeof last_error, "%.200s", text);
}

void judge_init(struct judge *judge, const struct story *story, const char *dir)
{
    *judge = (struct judge){.story = story};
    (void)snprintf(judge->dir, sizeof judge->dir, "%s", dir);
    arena_init(&judge->arena, 0);
    require(uv_loop_init(&judge->loop) == 0, "event loop");
    err_set_sink(keep_error);
    log_set_level(LOG_ERROR);
}

void judge_fini(struct judge *judge)
{
    (void)uv_loop_close(&judge->loop);
    buf_fini(&judge->found);
    arena_fini(&judge->arena);
}

bool judge_fail(struct judge *judge, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(judge->problem, sizeof judge->problem, format, args);
    va_end(args);
    return false;
}

/* --- opening and closing --------------------------------------------------------------------- */

static void note_close(void *arg)
{
    struct judge *judge = arg;

    judge->journal = NULL;
}

static void close_journal(struct judge *judge)
{
    journal_close(judge->journal, judge, note_close);
    (void)uv_run(&judge->loop, UV_RUN_DEFAULT);
    require(judge->journal == NULL, "the journal does not close");
}

static bool open_journal(struct judge *judge)
{
    static const struct journal_options options = {.log_map_bytes = (uint64_t)16 << 20,
                                                   .views_map_bytes = (uint64_t)64 << 20,
                                                   .ballast_bytes = 4096};

    if (journal_open(&judge->journal, &judge->loop, judge->dir, &options) != 0) {
        return judge_fail(judge, "refused: %.200s", last_error);
    }
    judge->lsn = journal_last_lsn(judge->journal);
    return true;
}

/* As invoke/serve.c does, after the journal. */
static bool open_keys(struct judge *judge)
{
    struct keyring *keyring;

    if (keyring_open(&keyring, judge->dir, NULL) != 0) {
        return judge_fail(judge, "refused: %.200s", last_error);
    }
    keyring_close(keyring);
    return true;
}

/* --- judging --------------------------------------------------------------------------------- */

static bool judge_open(struct judge *judge, const struct judge_question *question)
{
    bool is_right;

    if (judge->lsn < question->acked_lsn) {
        judge->lost++;
        return judge_fail(judge, "LSN %" PRIu64 " was acknowledged, and the log ends at %" PRIu64,
                          question->acked_lsn, judge->lsn);
    }
    if (judge->lsn > judge->story->last_lsn) {
        return judge_fail(judge, "LSN %" PRIu64 " was never written", judge->lsn);
    }
    is_right = judge_executions(judge, question->is_deep) && judge_names(judge) &&
               judge_due(judge) && judge_objects(judge);
    if (is_right && (question->is_deep || question->is_early)) {
        is_right = open_keys(judge);
    }
    return is_right && (!question->is_deep || judge_functions(judge));
}

bool judge_recover(struct judge *judge)
{
    judge->problem[0] = '\0';
    if (!open_journal(judge)) {
        return false;
    }
    close_journal(judge);
    return true;
}

bool judge_state(struct judge *judge, const struct judge_question *question)
{
    bool is_right;

    judge->problem[0] = '\0';
    judge->shard++;
    if (!open_journal(judge)) {
        judge->refused_early += question->is_early ? 1 : 0;
        return false;
    }
    is_right = judge_open(judge, question);
    close_journal(judge);
    return is_right && (!question->is_deep || judge_verify(judge));
}

/* --- everything, by the product's own verification ------------------------------------------ */

struct verifying {
    struct judge *judge;
    struct arena arena;
    char text[JUDGE_TEXT_MAX];
};

static void ignore_object(void *arg, struct bytes key, struct bytes value)
{
    (void)arg;
    (void)key;
    (void)value;
}

static const char *check_frame(void *arg, struct bytes frame,
                               const uint8_t chain_before[FRAME_CHAIN_BYTES])
{
    struct verifying *verifying = arg;
    uint8_t chain[FRAME_CHAIN_BYTES];
    struct frame_header header;
    struct frame_opening opening;
    struct record *records;
    size_t count;

    memcpy(chain, chain_before, sizeof chain);
    arena_reset(&verifying->arena);
    return (sealer_open(&verifying->arena, verifying->judge->story->keys, frame, chain, &header,
                        &opening, &records, &count) == 0)
               ? NULL
               : "its seal or its chain does not fit";
}

static void note_problem(void *arg, const char *text)
{
    struct verifying *verifying = arg;

    (void)snprintf(verifying->text, sizeof verifying->text, "%.200s", text);
}

bool judge_verify(struct judge *judge)
{
    struct verifying verifying = {.judge = judge};
    const struct verify verify = {.arg = &verifying,
                                  .visit_object = ignore_object,
                                  .visit_frame = check_frame,
                                  .problem = note_problem};
    struct verify_counts counts = {0};
    int r;

    arena_init(&verifying.arena, 0);
    r = journal_verify(judge->dir, &verify, &counts);
    arena_fini(&verifying.arena);
    if (r != 0) {
        return judge_fail(judge, "verify: %.200s", last_error);
    }
    judge->frames_read += counts.frames;
    return counts.problems == 0 || judge_fail(judge, "verify: %.200s", verifying.text);
}
