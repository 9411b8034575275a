/* What clients were told, and the entry of the log that each of it rests on. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/powercut/story.h"

#define FIELDS 5U
#define PRINTED_MAX 5U

struct claim {
    const char *kind;
    const char *subject; /* ARN of an execution, or name of a function */
    const char *op;      /* name of an operation, or status */
    struct bytes text;
    const struct story_exec *exec; /* of the ARN; NULL when there is none */
};

/* --- executions ---------------------------------------------------------------------------- */

static bool is_text(struct bytes bytes, const char *text)
{
    return bytes_equal(bytes, bytes_of_text(text));
}

/* The id of the operation of this name: only some of its records have it. */
static struct bytes op_named(const struct story_exec *exec, const char *name)
{
    for (size_t i = 0; i < exec->count; i++) {
        for (size_t n = 0; n < exec->frames[i].record_count; n++) {
            const struct record *record = &exec->frames[i].records[n];

            if (record->kind >= CONTEXT_STARTED && is_text(record->name, name)) {
                return record->op_id;
            }
        }
    }
    return (struct bytes){0};
}

/* The LSN of the n-th record of a kind, and of an operation if one is named; 0 when there
 * is none. With a payload, it must be that. */
static uint64_t find_record(const struct claim *claim, enum record_kind kind, unsigned nth,
                            bool has_payload)
{
    const struct story_exec *exec = claim->exec;
    bool has_op = claim->op[0] != '-' && kind >= CONTEXT_STARTED;
    struct bytes op_id = has_op ? op_named(exec, claim->op) : (struct bytes){0};
    unsigned found = 0;

    for (size_t i = 0; i < exec->count && (!has_op || op_id.len > 0); i++) {
        for (size_t n = 0; n < exec->frames[i].record_count; n++) {
            const struct record *record = &exec->frames[i].records[n];

            if (record->kind == kind && (!has_op || bytes_equal(record->op_id, op_id)) &&
                (!has_payload || bytes_equal(record->payload, claim->text)) && ++found == nth) {
                return exec->frames[i].lsn;
            }
        }
    }
    return 0;
}

static uint64_t find_event(const struct claim *claim, uint64_t number)
{
    for (size_t i = 0; i < claim->exec->count; i++) {
        const struct frame_header *header = &claim->exec->frames[i].header;

        if (header->first_event + header->events > number) {
            return claim->exec->frames[i].lsn;
        }
    }
    return 0;
}

/* The end of an execution; with the result that was shown when it has succeeded. */
static uint64_t find_end(const struct claim *claim)
{
    static const struct {
        const char *status;
        enum record_kind kind;
    } ends[] = {{"SUCCEEDED", EXECUTION_SUCCEEDED},
                {"FAILED", EXECUTION_FAILED},
                {"STOPPED", EXECUTION_STOPPED},
                {"TIMED_OUT", EXECUTION_TIMED_OUT}};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (strcmp(claim->op, ends[i].status) == 0) {
            return find_record(claim, ends[i].kind, 1, ends[i].kind == EXECUTION_SUCCEEDED);
        }
    }
    return 0;
}

/* An ordinary function's event is known by what it was given. */
static uint64_t find_event_invoke(const struct story *story, struct bytes payload)
{
    for (size_t i = 0; i < story->exec_count; i++) {
        const struct story_frame *first = &story->execs[i].frames[0];

        if (story->execs[i].opening.kind == EXEC_EVENT && first->record_count > 0 &&
            bytes_equal(first->records[0].payload, payload)) {
            return first->lsn;
        }
    }
    return 0;
}

static unsigned number_of(struct bytes text)
{
    return (unsigned)strtoul((const char *)text.data, NULL, 10);
}

/* One stop finds an execution at its end: that it has one is what was said. */
static uint64_t find_stop(const struct claim *claim)
{
    const struct story_frame *last = &claim->exec->frames[claim->exec->count - 1];
    uint64_t lsn = find_record(claim, EXECUTION_STOPPED, 1, false);

    return (lsn == 0 && last->header.status != EXEC_RUNNING) ? last->lsn : lsn;
}

static uint64_t find_in_execution(const struct claim *claim)
{
    static const struct {
        const char *kind;
        enum record_kind record;
        bool has_payload;
    } simple[] = {{"started", EXECUTION_STARTED, true}, {"step", STEP_SUCCEEDED, true},
                  {"retried", STEP_FAILED, false},      {"waited", WAIT_SUCCEEDED, false},
                  {"opened", CALLBACK_STARTED, false},  {"succeeded", CALLBACK_SUCCEEDED, true},
                  {"refused", CALLBACK_FAILED, false}};

    for (size_t i = 0; i < sizeof simple / sizeof *simple; i++) {
        if (strcmp(claim->kind, simple[i].kind) == 0) {
            return find_record(claim, simple[i].record, 1, simple[i].has_payload);
        }
    }
    if (strcmp(claim->kind, "heartbeat") == 0) {
        return find_record(claim, NOTE_HEARTBEAT, number_of(claim->text), false);
    }
    if (strcmp(claim->kind, "seen") == 0) {
        return find_event(claim, number_of(claim->text));
    }
    if (strcmp(claim->kind, "stopped") == 0) {
        return find_stop(claim);
    }
    return (strcmp(claim->kind, "closed") == 0) ? find_end(claim) : 0;
}

/* --- functions ------------------------------------------------------------------------------- */

/* A function that is there has a revision, too. */
static uint64_t first_revision(const struct story *story, const struct story_object *function)
{
    static const char prefix[] = "t/123456789012/revision/";
    const char *id = (const char *)function->key.data + function->key.len - ID_TEXT_LEN;

    for (size_t i = 0; i < story->object_count; i++) {
        const struct story_object *object = &story->objects[i];

        if (object->key.len > sizeof prefix - 1 + ID_TEXT_LEN &&
            memcmp(object->key.data, prefix, sizeof prefix - 1) == 0 &&
            memcmp(object->key.data + sizeof prefix - 1, id, ID_TEXT_LEN) == 0) {
            return object->versions[0].lsn;
        }
    }
    return 0;
}

static uint64_t find_function(const struct story *story, const struct claim *claim)
{
    for (size_t i = 0; i < story->object_count; i++) {
        const struct story_object *object = &story->objects[i];

        if (strcmp(object->function, claim->subject) == 0) {
            uint64_t revision = first_revision(story, object);
            uint64_t lsn = object->versions[0].lsn;

            if (strcmp(claim->kind, "deleted") == 0) {
                return object->deleted_lsn;
            }
            return (revision == 0 || lsn > revision) ? lsn : revision;
        }
    }
    return 0;
}

/* --- claims ---------------------------------------------------------------------------------- */

static const struct story_exec *exec_of(const struct story *story, const char *arn)
{
    const char *slash = strrchr(arn, '/');
    struct id id;

    if (slash == NULL || !id_parse(slash + 1, strlen(slash + 1), &id)) {
        return NULL;
    }
    return story_find_exec(story, &id);
}

static uint64_t find_claim(const struct story *story, struct claim *claim)
{
    if (strcmp(claim->kind, "function") == 0 || strcmp(claim->kind, "deleted") == 0) {
        return find_function(story, claim);
    }
    if (strcmp(claim->kind, "event") == 0) {
        return find_event_invoke(story, claim->text);
    }
    claim->exec = exec_of(story, claim->subject);
    return (claim->exec != NULL) ? find_in_execution(claim) : 0;
}

static unsigned nibble(char digit)
{
    return (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

/* In place; a zero byte is put behind it. */
static struct bytes decode_hex(char *hex)
{
    size_t len = strlen(hex) / 2;

    for (size_t i = 0; i < len; i++) {
        hex[i] = (char)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
    }
    hex[len] = '\0';
    return bytes_of(hex, len);
}

static void add_line(struct story *story, char *line)
{
    char *fields[FIELDS];
    struct claim claim = {0};
    struct story_fact *fact = &story->facts[story->fact_count];

    for (size_t i = 0; i < FIELDS; i++) {
        fields[i] = strsep(&line, "\t");
        require(fields[i] != NULL, "a fact");
    }
    claim = (struct claim){.kind = fields[1], .subject = fields[2], .op = fields[3]};
    claim.text = decode_hex(fields[4]);
    *fact =
        (struct story_fact){.seq = strtoull(fields[0], NULL, 10), .lsn = find_claim(story, &claim)};
    if (fact->lsn != 0) {
        story->fact_count++;
    } else if (story->unfounded++ < PRINTED_MAX) {
        (void)printf("unfounded: %s %s %s %.60s\n", claim.kind, claim.subject, claim.op,
                     (const char *)claim.text.data);
    }
}

static int compare_facts(const void *a, const void *b)
{
    const struct story_fact *left = a;
    const struct story_fact *right = b;

    return (left->seq > right->seq) - (left->seq < right->seq);
}

void story_add_facts(struct story *story, const char *path)
{
    size_t len;
    char *text = (char *)read_whole(path, &len);
    char *rest = text;
    size_t lines = 1;
    uint64_t lsn_max = 0;

    for (size_t i = 0; i < len; i++) {
        lines += (text[i] == '\n') ? 1 : 0;
    }
    story->facts = calloc(lines, sizeof *story->facts);
    require(story->facts != NULL, "memory");
    while (rest != NULL && rest[0] != '\0') {
        add_line(story, strsep(&rest, "\n"));
    }
    qsort(story->facts, story->fact_count, sizeof *story->facts, compare_facts);
    for (size_t i = 0; i < story->fact_count; i++) {
        lsn_max = (story->facts[i].lsn > lsn_max) ? story->facts[i].lsn : lsn_max;
        story->facts[i].lsn_max = lsn_max;
    }
    free(text);
}
