/* From events to operations and spans. Event types are a noun and a verb:
 * "Step" "Failed". A step that failed and will be tried again stays open: its bar
 * ends, dots begin, and the next StepStarted turns them into a bar again. */
#include "sdk/cli/timeline_build.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"
#include "sdk/cli/member.h"

static const struct {
    const char *prefix; /* of event types */
    const char *name;
    enum cli_span_kind span;
} types[TYPE_COUNT] = {
    [TYPE_EXECUTION] = {"Execution", "execution", SPAN_RUN},
    [TYPE_CONTEXT] = {"Context", "context", SPAN_CONTEXT},
    [TYPE_STEP] = {"Step", "step", SPAN_RUN},
    [TYPE_WAIT] = {"Wait", "wait", SPAN_WAIT},
    [TYPE_CALLBACK] = {"Callback", "callback", SPAN_CALLBACK},
    [TYPE_INVOKE] = {"ChainedInvoke", "invoke", SPAN_INVOKE},
};

static const struct {
    const char *suffix;
    const char *status;
} verbs[] = {
    {"Started", "RUNNING"},    {"Succeeded", "SUCCEEDED"}, {"Failed", "FAILED"},
    {"TimedOut", "TIMED_OUT"}, {"Stopped", "STOPPED"},     {"Cancelled", "CANCELLED"},
};

#define VERB_STARTED 0
#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

const char *cli_operation_type_name(enum cli_operation_type type)
{
    return types[type].name;
}

void cli_timeline_fini(struct cli_timeline *timeline)
{
    mem_free(timeline->operations);
    mem_free(timeline->spans);
    table_fini(&timeline->by_id);
    *timeline = (struct cli_timeline){0};
}

const char *cli_timeline_status(const struct cli_timeline *timeline)
{
    return (timeline->count > 0) ? timeline->operations[0].status : "RUNNING";
}

static size_t find_operation(const struct cli_timeline *timeline, const char *id)
{
    struct table_node *node = table_first(&timeline->by_id, table_hash(bytes_of_text(id)));

    for (; node != NULL; node = table_next(node)) {
        const struct cli_operation *operation = container_of(node, struct cli_operation, node);

        if (strcmp(operation->id, id) == 0) {
            return (size_t)(operation - timeline->operations);
        }
    }
    return NO_INDEX;
}

static bool index_operation(struct cli_timeline *timeline, size_t place)
{
    struct cli_operation *operation = &timeline->operations[place];

    return table_insert(&timeline->by_id, &operation->node,
                        table_hash(bytes_of_text(operation->id))) == 0;
}

/* The nodes live inside the operations, so they move with them. */
static bool grow_operations(struct cli_timeline *timeline)
{
    size_t cap = (timeline->cap != 0) ? timeline->cap * 2 : 64;
    struct cli_operation *grown;
    bool is_ok = true;

    table_fini(&timeline->by_id);
    grown = mem_realloc(timeline->operations, cap * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    timeline->operations = grown;
    timeline->cap = cap;
    for (size_t i = 0; is_ok && i < timeline->count; i++) {
        is_ok = index_operation(timeline, i);
    }
    return is_ok;
}

static void add_child(struct cli_timeline *timeline, size_t parent, size_t child)
{
    struct cli_operation *operations = timeline->operations;

    operations[child].parent = parent;
    if (operations[parent].first_child == NO_INDEX) {
        operations[parent].first_child = child;
    } else {
        operations[operations[parent].last_child].next_sibling = child;
    }
    operations[parent].last_child = child;
}

static struct cli_operation new_operation(const json_t *event, enum cli_operation_type type)
{
    struct cli_operation operation = {
        .type = type,
        .status = verbs[VERB_STARTED].status,
        .end_ms = -1,
        .parent = NO_INDEX,
        .start_ms = cli_member_time_ms(event, "EventTimestamp"),
        .first_child = NO_INDEX,
        .last_child = NO_INDEX,
        .next_sibling = NO_INDEX,
        .first_span = NO_INDEX,
        .last_span = NO_INDEX,
    };
    const char *name = cli_member_text(event, "Name");

    name = (name[0] != '\0') ? name : cli_member_text(event, "SubType");
    name = (name[0] != '\0') ? name : cli_member_text(event, "Id");
    (void)snprintf(operation.id, sizeof operation.id, "%s", cli_member_text(event, "Id"));
    (void)snprintf(operation.name, sizeof operation.name, "%s", name);
    return operation;
}

/* What has no known parent hangs below the execution. */
static size_t add_operation(struct cli_timeline *timeline, const json_t *event,
                            enum cli_operation_type type)
{
    size_t place = timeline->count;
    size_t parent = find_operation(timeline, cli_member_text(event, "ParentId"));

    if (timeline->count == timeline->cap && !grow_operations(timeline)) {
        timeline->has_failed = true;
        return NO_INDEX;
    }
    timeline->operations[place] = new_operation(event, type);
    timeline->count++;
    if (!index_operation(timeline, place)) {
        timeline->has_failed = true;
    }
    if (place > 0) {
        add_child(timeline, (parent != NO_INDEX) ? parent : 0, place);
    }
    return place;
}

static void close_span(struct cli_timeline *timeline, const struct cli_operation *operation,
                       int64_t time_ms)
{
    if (operation->last_span != NO_INDEX && timeline->spans[operation->last_span].end_ms < 0) {
        timeline->spans[operation->last_span].end_ms = time_ms;
    }
}

static void open_span(struct cli_timeline *timeline, struct cli_operation *operation,
                      enum cli_span_kind kind, int64_t time_ms)
{
    size_t place = timeline->span_count;

    close_span(timeline, operation, time_ms);
    if (place == timeline->span_cap) {
        size_t cap = (place != 0) ? place * 2 : 64;
        struct cli_span *grown = mem_realloc(timeline->spans, cap * sizeof *grown);

        if (grown == NULL) {
            timeline->has_failed = true;
            return;
        }
        timeline->spans = grown;
        timeline->span_cap = cap;
    }
    timeline->spans[place] =
        (struct cli_span){.start_ms = time_ms, .end_ms = -1, .kind = kind, .next = NO_INDEX};
    timeline->span_count++;
    if (operation->first_span == NO_INDEX) {
        operation->first_span = place;
    } else {
        timeline->spans[operation->last_span].next = place;
    }
    operation->last_span = place;
}

/* The event's own Details. */
static const json_t *details_of(const json_t *event)
{
    char key[64];

    (void)snprintf(key, sizeof key, "%sDetails", cli_member_text(event, "EventType"));
    return cli_member(event, key);
}

static void end_operation(struct cli_timeline *timeline, struct cli_operation *operation,
                          const json_t *event, size_t verb)
{
    int64_t time_ms = cli_member_time_ms(event, "EventTimestamp");
    const json_t *retry = cli_member(details_of(event), "RetryDetails");

    if (cli_member_number(retry, "CurrentAttempt") > 0) {
        operation->attempts = cli_member_number(retry, "CurrentAttempt");
    }
    if (cli_member_number(retry, "NextAttemptDelaySeconds") > 0) {
        operation->status = "PENDING";
        open_span(timeline, operation, SPAN_WAIT, time_ms);
        return;
    }
    operation->status = verbs[verb].status;
    operation->end_ms = time_ms;
    close_span(timeline, operation, time_ms);
}

static bool parse_type(const char *text, enum cli_operation_type *ret_type, size_t *ret_verb)
{
    for (size_t type = 0; type < TYPE_COUNT; type++) {
        size_t len = strlen(types[type].prefix);

        for (size_t verb = 0; strncmp(text, types[type].prefix, len) == 0 && verb < VERB_COUNT;
             verb++) {
            if (strcmp(text + len, verbs[verb].suffix) == 0) {
                *ret_type = (enum cli_operation_type)type;
                *ret_verb = verb;
                return true;
            }
        }
    }
    return false;
}

void cli_timeline_add(struct cli_timeline *timeline, const json_t *event)
{
    enum cli_operation_type type;
    size_t verb;
    size_t place;
    bool is_first;

    if (!parse_type(cli_member_text(event, "EventType"), &type, &verb)) {
        return; /* InvocationCompleted: time of the environment, of no operation */
    }
    place = (type == TYPE_EXECUTION && timeline->count > 0)
                ? 0
                : find_operation(timeline, cli_member_text(event, "Id"));
    is_first = place == NO_INDEX;
    if (is_first) {
        place = add_operation(timeline, event, type);
    }
    if (place == NO_INDEX) {
        return;
    }
    if (is_first || verb == VERB_STARTED) {
        timeline->operations[place].status = verbs[VERB_STARTED].status;
        open_span(timeline, &timeline->operations[place], types[type].span,
                  cli_member_time_ms(event, "EventTimestamp"));
    }
    if (verb != VERB_STARTED) {
        end_operation(timeline, &timeline->operations[place], event, verb);
    }
}
