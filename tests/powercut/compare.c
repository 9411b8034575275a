/* What an open journal holds, beside what the story says it must. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/core/operation.h"
#include "engine/driver/function.h"
#include "journal/layout.h"
#include "tests/powercut/judge.h"

#define TENANT 123456789012U
#define RECENT_LSNS 64U /* executions that changed so late have their frames read always */
#define SHARDS 16U      /* of the others, one part each time */
#define DUE_MAX 64U

static bool fail_exec(struct judge *judge, const struct id *id, const char *what)
{
    char text[ID_TEXT_LEN + 1];

    id_format(id, text);
    return judge_fail(judge, "at LSN %" PRIu64 ", execution %s: %s", judge->lsn, text, what);
}

static const struct frame_header *last_header(const struct judge *judge,
                                              const struct story_exec *exec)
{
    size_t count = story_frames(exec, judge->lsn);

    return (count > 0) ? &exec->frames[count - 1].header : NULL;
}

/* An event of an ordinary function that has succeeded: only its name stays. */
static bool is_brief(const struct frame_header *last)
{
    return last != NULL && (last->flags & FRAME_BRIEF) != 0;
}

/* What is listed, due and read: NULL when the execution is not, or no more. */
static const struct frame_header *shown_header(const struct judge *judge,
                                               const struct story_exec *exec)
{
    const struct frame_header *last = last_header(judge, exec);

    return is_brief(last) ? NULL : last;
}

/* --- executions ------------------------------------------------------------------------------ */

struct reading {
    struct judge *judge;
    uint32_t statuses; /* that are listed; 0: all */
    uint64_t count;
};

/* Of the frame that ended it: notes may have followed. */
static int64_t end_ms(const struct judge *judge, const struct story_exec *exec)
{
    size_t first = story_frames(exec, judge->lsn);

    while (first > 0 && exec->frames[first - 1].header.status != EXEC_RUNNING) {
        first--;
    }
    return (first < story_frames(exec, judge->lsn)) ? exec->frames[first].header.time_ms : 0;
}

/* A head says what its last frame does; the chain stands for all that came before. */
static bool is_head_of(const struct journal_head *head, const struct story_exec *exec,
                       const struct frame_header *last)
{
    return head->status == last->status && head->wake_ms == last->wake_ms &&
           head->last_event == last->first_event + last->events - 1 &&
           head->last_record == last->first_record + last->records - 1 &&
           head->tenant == last->tenant &&
           memcmp(head->chain, last->chain, sizeof head->chain) == 0 &&
           head->kind == exec->opening.kind && head->start_ms == exec->opening.start_ms &&
           id_equal(&head->function_id, &exec->opening.function_id) &&
           id_equal(&head->name_hash, &exec->opening.name_hash) &&
           head->is_brief == is_brief(last) &&
           bytes_equal(head->title, is_brief(last) ? (struct bytes){0} : exec->opening.title);
}

static int check_head(void *arg, const struct journal_head *head)
{
    struct reading *reading = arg;
    struct judge *judge = reading->judge;
    const struct story_exec *exec = story_find_exec(judge->story, &head->exec_id);
    const struct frame_header *last = (exec != NULL) ? shown_header(judge, exec) : NULL;

    reading->count++;
    if (last == NULL) {
        (void)fail_exec(judge, &head->exec_id, "it is not there, and listed");
        return 1;
    }
    if (!is_head_of(head, exec, last) || head->end_ms != end_ms(judge, exec)) {
        (void)fail_exec(judge, &head->exec_id, "its head is not that of its last frame");
        return 1;
    }
    return 0;
}

static uint64_t count_expected(const struct judge *judge, uint32_t statuses)
{
    uint64_t count = 0;

    for (size_t i = 0; i < judge->story->exec_count; i++) {
        const struct frame_header *last = shown_header(judge, &judge->story->execs[i]);

        count +=
            (last != NULL && (statuses == 0 || (statuses & (1U << last->status)) != 0)) ? 1 : 0;
    }
    return count;
}

static bool check_list(struct judge *judge, uint32_t statuses)
{
    struct reading reading = {.judge = judge, .statuses = statuses};
    const struct journal_list list = {
        .tenant = TENANT, .statuses = statuses, .is_oldest_first = true};
    uint64_t expected = count_expected(judge, statuses);
    int r = journal_read_list(judge->journal, &list, check_head, &reading);

    if (r != 0) {
        return (r > 0) ? false : judge_fail(judge, "a list cannot be read");
    }
    return reading.count == expected ||
           judge_fail(judge,
                      "at LSN %" PRIu64 ": %" PRIu64 " executions are listed (statuses %x), "
                      "not %" PRIu64,
                      judge->lsn, reading.count, statuses, expected);
}

static int collect(void *arg, struct bytes frame)
{
    buf_append(arg, frame.data, frame.len);
    return 0;
}

/* Byte for byte: what the daemon's keys opened when the story was told. */
static bool check_frames(struct judge *judge, const struct story_exec *exec, size_t count)
{
    size_t at = 0;

    judge->found.len = 0;
    if (journal_read_frames(judge->journal, &exec->id, 1, collect, &judge->found) != 0) {
        return fail_exec(judge, &exec->id, "its frames cannot be read");
    }
    for (size_t i = 0; i < count; i++) {
        struct bytes frame = exec->frames[i].bytes;

        if (at + frame.len > judge->found.len ||
            memcmp(judge->found.data + at, frame.data, frame.len) != 0) {
            return fail_exec(judge, &exec->id, "a frame is not what was written");
        }
        at += frame.len;
    }
    judge->frames_read += count;
    return at == judge->found.len || fail_exec(judge, &exec->id, "it has a frame too many");
}

static bool has_turn(const struct judge *judge, size_t number, const struct story_exec *exec,
                     size_t count)
{
    return number % SHARDS == judge->shard % SHARDS ||
           exec->frames[count - 1].lsn + RECENT_LSNS > judge->lsn;
}

/* Of a brief one there is its head, if it has a name, and nothing to read. */
static bool check_brief(struct judge *judge, const struct story_exec *exec,
                        const struct frame_header *last)
{
    struct journal_head head = {0};
    bool has_name = !id_is_none(&exec->opening.name_hash);
    int r = journal_get_head(judge->journal, &exec->id, &judge->arena, &head);

    if (has_name ? (r != 0 || !is_head_of(&head, exec, last)) : r != JOURNAL_NOT_FOUND) {
        return fail_exec(judge, &exec->id, "its event is over, and its head not what stays of it");
    }
    return journal_read_frames(judge->journal, &exec->id, 1, collect, &judge->found) ==
               JOURNAL_NOT_FOUND ||
           fail_exec(judge, &exec->id, "its event is over, and its frames are there");
}

bool judge_executions(struct judge *judge, bool is_deep)
{
    bool is_right = check_list(judge, 0) && check_list(judge, 1U << EXEC_RUNNING) &&
                    check_list(judge, 1U << EXEC_FAILED | 1U << EXEC_STOPPED);

    arena_reset(&judge->arena);
    for (size_t i = 0; is_right && i < judge->story->exec_count; i++) {
        const struct story_exec *exec = &judge->story->execs[i];
        size_t count = story_frames(exec, judge->lsn);

        if (count > 0 && (is_deep || has_turn(judge, i, exec, count))) {
            const struct frame_header *last = &exec->frames[count - 1].header;

            is_right =
                is_brief(last) ? check_brief(judge, exec, last) : check_frames(judge, exec, count);
        }
    }
    return is_right;
}

bool judge_names(struct judge *judge)
{
    struct id found;

    for (size_t i = 0; i < judge->story->exec_count; i++) {
        const struct story_exec *exec = &judge->story->execs[i];
        int r;

        if (!exec->owns_name) {
            continue;
        }
        r = journal_find_name(judge->journal, TENANT, &exec->opening.function_id,
                              &exec->opening.name_hash, &found);
        if (exec->frames[0].lsn > judge->lsn) {
            if (r != JOURNAL_NOT_FOUND) {
                return fail_exec(judge, &exec->id, "it is not there yet, and its name is");
            }
        } else if (r != 0 || !id_equal(&found, &exec->id)) {
            return fail_exec(judge, &exec->id, "it is not found by its name");
        }
    }
    return true;
}

/* --- what is due ------------------------------------------------------------------------------ */

static bool check_due(struct judge *judge, const struct journal_due *due)
{
    const struct story_exec *exec = story_find_exec(judge->story, &due->exec_id);
    const struct frame_header *last = (exec != NULL) ? shown_header(judge, exec) : NULL;

    return (last != NULL && last->wake_ms == due->wake_ms) ||
           fail_exec(judge, &due->exec_id, "it is due when it is not");
}

bool judge_due(struct judge *judge)
{
    struct journal_due after = {0};
    struct journal_due due[DUE_MAX];
    uint64_t expected = 0;
    uint64_t count = 0;
    int got;

    do {
        got = journal_read_due(judge->journal, INT64_MAX, &after, due, DUE_MAX);
        for (int i = 0; i < got; i++) {
            if (!check_due(judge, &due[i])) {
                return false;
            }
        }
        count += (got > 0) ? (uint64_t)got : 0;
    } while (got > 0);
    for (size_t i = 0; i < judge->story->exec_count; i++) {
        const struct frame_header *last = shown_header(judge, &judge->story->execs[i]);

        expected += (last != NULL && last->wake_ms != 0) ? 1 : 0;
    }
    return (got == 0 && count == expected) ||
           judge_fail(judge, "at LSN %" PRIu64 ": %" PRIu64 " executions are due, not %" PRIu64,
                      judge->lsn, count, expected);
}

/* --- objects ---------------------------------------------------------------------------------- */

struct object_walk {
    struct judge *judge;
    size_t next; /* of the story's objects */
};

static const struct story_version *skip_absent(struct object_walk *walk)
{
    const struct story *story = walk->judge->story;

    while (walk->next < story->object_count) {
        const struct story_version *version =
            story_value(&story->objects[walk->next], walk->judge->lsn);

        if (version != NULL) {
            return version;
        }
        walk->next++;
    }
    return NULL;
}

static int check_object(void *arg, struct bytes key, struct bytes value)
{
    struct object_walk *walk = arg;
    const struct story_version *expected = skip_absent(walk);

    if (expected == NULL || !bytes_equal(walk->judge->story->objects[walk->next].key, key) ||
        !bytes_equal(expected->value, value)) {
        (void)judge_fail(walk->judge, "at LSN %" PRIu64 ": object %.*s is not what was written",
                         walk->judge->lsn, (int)key.len, (const char *)key.data);
        return 1;
    }
    walk->next++;
    return 0;
}

bool judge_objects(struct judge *judge)
{
    struct object_walk walk = {.judge = judge};
    int r = journal_read_objects(judge->journal, bytes_of("", 0), check_object, &walk);

    if (r != 0) {
        return (r > 0) ? false : judge_fail(judge, "objects cannot be read");
    }
    return skip_absent(&walk) == NULL ||
           judge_fail(judge, "at LSN %" PRIu64 ": object %.*s is missing", judge->lsn,
                      (int)judge->story->objects[walk.next].key.len,
                      (const char *)judge->story->objects[walk.next].key.data);
}

static bool check_functions(struct judge *judge, const struct functions *functions)
{
    for (size_t i = 0; i < judge->story->object_count; i++) {
        const struct story_object *object = &judge->story->objects[i];
        bool is_there = object->function[0] != '\0' && object->versions[0].lsn <= judge->lsn &&
                        (object->deleted_lsn == 0 || object->deleted_lsn > judge->lsn);
        const struct function *function =
            is_there ? function_find(functions, bytes_of_text(object->function)) : NULL;

        if (is_there && (function == NULL || function->latest == NULL)) {
            return judge_fail(judge, "at LSN %" PRIu64 ": function %s is missing", judge->lsn,
                              object->function);
        }
    }
    return true;
}

/* The registry as the daemon has it after its start. */
bool judge_functions(struct judge *judge)
{
    struct functions *functions;
    bool is_right;

    if (judge->story->keys == NULL || judge->lsn == 0) {
        return true;
    }
    if (functions_open(&functions, judge->journal, judge->story->keys, TENANT, "us-east-1", NULL) !=
        0) {
        return judge_fail(judge, "functions cannot be loaded");
    }
    is_right = check_functions(judge, functions);
    functions_close(functions);
    return is_right;
}
