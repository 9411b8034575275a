/* Which checkpoints are refused, and with which text: lambda's, as its emulator has
 * them. Each line of the table plays some updates one by one, then the last one. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/core/fixture.h"

#define BATCH 4

struct rule {
    const char *what;
    struct op_update before[BATCH]; /* accepted, each in a checkpoint of its own */
    struct op_update batch[BATCH];  /* then these together */
    const char *message;            /* NULL: accepted */
};

#define ID(characters)                                                                             \
    {                                                                                              \
        .data = (const uint8_t *)(characters), .len = sizeof(characters) - 1                       \
    }
#define UP(t, a, i) .type = OP_##t, .action = OP_##a, .id = ID(i)
#define RETRY(i)                                                                                   \
    {                                                                                              \
        UP(STEP, RETRY, i), .has_step_options = true, .delay_s = 5                                 \
    }
#define WAIT(i)                                                                                    \
    {                                                                                              \
        UP(WAIT, START, i), .wait_s = 5                                                            \
    }
#define INVOKE(i)                                                                                  \
    {                                                                                              \
        UP(CHAINED_INVOKE, START, i), .function = ID("f")                                          \
    }

static const struct rule rules[] = {
    {"an empty batch", {{0}}, {{0}}, NULL},
    {"two EXECUTION updates",
     {{0}},
     {{UP(EXECUTION, SUCCEED, "x")}, {UP(EXECUTION, SUCCEED, "y")}},
     "Cannot checkpoint multiple EXECUTION updates."},
    {"two EXECUTION updates apart",
     {{0}},
     {{UP(EXECUTION, SUCCEED, "x")}, {UP(STEP, START, "s")}, {UP(EXECUTION, FAIL, "y")}},
     "Cannot checkpoint multiple EXECUTION updates."},
    {"EXECUTION before another",
     {{0}},
     {{UP(EXECUTION, SUCCEED, "x")}, {UP(STEP, START, "s")}},
     "EXECUTION checkpoint must be the last update."},
    {"EXECUTION last", {{0}}, {{UP(STEP, START, "s")}, {UP(EXECUTION, SUCCEED, "x")}}, NULL},
    {"EXECUTION START", {{0}}, {{UP(EXECUTION, START, "x")}}, "Invalid EXECUTION action."},
    {"EXECUTION RETRY", {{0}}, {{UP(EXECUTION, RETRY, "x")}}, "Invalid EXECUTION action."},
    {"EXECUTION FAIL", {{0}}, {{UP(EXECUTION, FAIL, "x")}}, NULL},

    {"one id twice",
     {{0}},
     {WAIT("w"), WAIT("w")},
     "Cannot checkpoint multiple operations with the same ID."},
    {"a WAIT, then its CANCEL",
     {{0}},
     {WAIT("w"), {UP(WAIT, CANCEL, "w")}},
     "Cannot checkpoint multiple operations with the same ID."},
    {"STEP START, then SUCCEED", {{0}}, {{UP(STEP, START, "s")}, {UP(STEP, SUCCEED, "s")}}, NULL},
    {"STEP START, then RETRY", {{0}}, {{UP(STEP, START, "s")}, RETRY("s")}, NULL},
    {"CONTEXT START, then FAIL",
     {{0}},
     {{UP(CONTEXT, START, "c")}, {UP(CONTEXT, FAIL, "c")}},
     NULL},
    {"STEP SUCCEED, then START",
     {{0}},
     {{UP(STEP, SUCCEED, "s")}, {UP(STEP, START, "s")}},
     "Cannot checkpoint multiple operations with the same ID."},
    {"STEP START twice",
     {{0}},
     {{UP(STEP, START, "s")}, {UP(STEP, START, "s")}},
     "Cannot checkpoint multiple operations with the same ID."},
    {"STEP START and two ends",
     {{0}},
     {{UP(STEP, START, "s")}, {UP(STEP, SUCCEED, "s")}, {UP(STEP, FAIL, "s")}},
     "Cannot checkpoint multiple operations with the same ID."},

    {"a parent that is not there",
     {{0}},
     {{UP(STEP, START, "s"), .parent_id = ID("p")}},
     "Invalid parent operation id."},
    {"a parent that is a STEP",
     {{UP(STEP, START, "p")}},
     {{UP(STEP, START, "s"), .parent_id = ID("p")}},
     "Invalid parent operation id."},
    {"a parent started later in the batch",
     {{0}},
     {{UP(STEP, START, "s"), .parent_id = ID("p")}, {UP(CONTEXT, START, "p")}},
     "Invalid parent operation id."},
    {"a CONTEXT that is its own parent",
     {{0}},
     {{UP(CONTEXT, START, "p"), .parent_id = ID("p")}},
     "Invalid parent operation id."},
    {"a parent started earlier in the batch",
     {{0}},
     {{UP(CONTEXT, START, "p")}, {UP(STEP, START, "s"), .parent_id = ID("p")}},
     NULL},
    {"a parent that exists",
     {{UP(CONTEXT, START, "p")}},
     {{UP(STEP, START, "s"), .parent_id = ID("p")}},
     NULL},

    {"another type", {WAIT("a")}, {{UP(STEP, SUCCEED, "a")}}, "Inconsistent operation type."},
    {"another type in the batch",
     {{0}},
     {{UP(STEP, START, "a")}, {UP(CONTEXT, SUCCEED, "a")}},
     "Inconsistent operation type."},
    {"another subtype",
     {{UP(STEP, START, "a"), .sub_type = ID("Step")}},
     {{UP(STEP, SUCCEED, "a"), .sub_type = ID("Other")}},
     "Inconsistent operation subtype."},
    {"another name",
     {{UP(STEP, START, "a"), .name = ID("pay")}},
     {{UP(STEP, SUCCEED, "a"), .name = ID("ship")}},
     "Inconsistent operation name."},
    {"another name in the batch",
     {{0}},
     {{UP(STEP, START, "a"), .name = ID("pay")}, {UP(STEP, SUCCEED, "a"), .name = ID("ship")}},
     "Inconsistent operation name."},
    {"another parent",
     {{UP(CONTEXT, START, "p")},
      {UP(CONTEXT, START, "q")},
      {UP(STEP, START, "s"), .parent_id = ID("p")}},
     {{UP(STEP, SUCCEED, "s"), .parent_id = ID("q")}},
     "Inconsistent parent operation id."},
    {"the same again, or left out",
     {{UP(STEP, START, "a"), .name = ID("pay"), .sub_type = ID("Step")}},
     {{UP(STEP, SUCCEED, "a")}},
     NULL},

    {"an unknown type",
     {{0}},
     {{.type = 77, .action = OP_START, .id = ID("u")}},
     "Unknown operation type."},
    {"no type", {{0}}, {{.action = OP_START, .id = ID("u")}}, "Unknown operation type."},
    {"an unknown action",
     {{0}},
     {{.type = OP_STEP, .action = 77, .id = ID("u")}},
     "Invalid action for the given operation type."},
    {"STEP CANCEL",
     {{0}},
     {{UP(STEP, CANCEL, "s")}},
     "Invalid action for the given operation type."},
    {"CONTEXT RETRY",
     {{0}},
     {{UP(CONTEXT, RETRY, "c")}},
     "Invalid action for the given operation type."},
    {"WAIT SUCCEED",
     {WAIT("w")},
     {{UP(WAIT, SUCCEED, "w")}},
     "Invalid action for the given operation type."},
    {"CALLBACK SUCCEED",
     {{UP(CALLBACK, START, "k")}},
     {{UP(CALLBACK, SUCCEED, "k")}},
     "Invalid action for the given operation type."},
    {"INVOKE SUCCEED",
     {INVOKE("i")},
     {{UP(CHAINED_INVOKE, SUCCEED, "i")}},
     "Invalid action for the given operation type."},

    {"SUCCEED with an Error",
     {{0}},
     {{UP(STEP, SUCCEED, "s"), .has_error = true, .error = ID("e")}},
     "Cannot provide an Error for SUCCEED action."},
    {"FAIL with a Payload",
     {{0}},
     {{UP(STEP, FAIL, "s"), .has_payload = true, .payload = ID("p")}},
     "Cannot provide a Payload for FAIL action."},
    {"CONTEXT SUCCEED with an Error",
     {{0}},
     {{UP(CONTEXT, SUCCEED, "s"), .has_error = true, .error = ID("e")}},
     "Cannot provide an Error for SUCCEED action."},
    {"EXECUTION FAIL with a Payload",
     {{0}},
     {{UP(EXECUTION, FAIL, "s"), .has_payload = true, .payload = ID("p")}},
     "Cannot provide a Payload for FAIL action."},

    {"STEP START of a started one",
     {{UP(STEP, START, "s")}},
     {{UP(STEP, START, "s")}},
     "Invalid current STEP state to start."},
    {"STEP START of a pending one",
     {RETRY("s")},
     {{UP(STEP, START, "s")}},
     "Invalid current STEP state to start."},
    {"STEP START of a finished one",
     {{UP(STEP, SUCCEED, "s")}},
     {{UP(STEP, START, "s")}},
     "Invalid current STEP state to start."},
    {"STEP SUCCEED of a pending one",
     {RETRY("s")},
     {{UP(STEP, SUCCEED, "s")}},
     "Invalid current STEP state to close."},
    {"STEP FAIL of a finished one",
     {{UP(STEP, FAIL, "s")}},
     {{UP(STEP, FAIL, "s")}},
     "Invalid current STEP state to close."},
    {"STEP RETRY of a pending one",
     {RETRY("s")},
     {RETRY("s")},
     "Invalid current STEP state to re-attempt."},
    {"STEP RETRY of a finished one",
     {{UP(STEP, SUCCEED, "s")}},
     {RETRY("s")},
     "Invalid current STEP state to re-attempt."},
    {"STEP RETRY without options",
     {{0}},
     {{UP(STEP, RETRY, "s"), .delay_s = 5}},
     "Invalid StepOptions for the given action."},
    {"STEP RETRY after 0 s",
     {{0}},
     {{UP(STEP, RETRY, "s"), .has_step_options = true}},
     "Invalid StepOptions for the given action."},
    {"STEP RETRY after the longest delay",
     {{0}},
     {{UP(STEP, RETRY, "s"), .has_step_options = true, .delay_s = OP_DELAY_S_MAX}},
     NULL},
    {"STEP RETRY after more than that",
     {{0}},
     {{UP(STEP, RETRY, "s"), .has_step_options = true, .delay_s = OP_DELAY_S_MAX + 1}},
     "Invalid StepOptions for the given action."},
    {"STEP RETRY with both",
     {{0}},
     {{UP(STEP, RETRY, "s"), .has_step_options = true, .delay_s = 1, .has_error = true,
       .error = ID("e"), .has_payload = true, .payload = ID("p")}},
     "Cannot provide both error and payload to RETRY a STEP."},

    {"CONTEXT START of a started one",
     {{UP(CONTEXT, START, "c")}},
     {{UP(CONTEXT, START, "c")}},
     "Cannot start a CONTEXT that already exist."},
    {"CONTEXT SUCCEED of a finished one",
     {{UP(CONTEXT, SUCCEED, "c")}},
     {{UP(CONTEXT, SUCCEED, "c")}},
     "Invalid current CONTEXT state to close."},
    {"CONTEXT FAIL of a finished one",
     {{UP(CONTEXT, FAIL, "c")}},
     {{UP(CONTEXT, FAIL, "c")}},
     "Invalid current CONTEXT state to close."},

    {"WAIT START of one that exists",
     {WAIT("w")},
     {WAIT("w")},
     "Cannot start a WAIT that already exist."},
    {"a WAIT of 0 s", {{0}}, {{UP(WAIT, START, "w")}}, "Invalid WaitOptions for the given action."},
    {"the longest WAIT", {{0}}, {{UP(WAIT, START, "w"), .wait_s = OP_DELAY_S_MAX}}, NULL},
    {"a longer WAIT",
     {{0}},
     {{UP(WAIT, START, "w"), .wait_s = OP_DELAY_S_MAX + 1}},
     "Invalid WaitOptions for the given action."},
    {"WAIT CANCEL of none",
     {{0}},
     {{UP(WAIT, CANCEL, "w")}},
     "Cannot cancel a WAIT that does not exist or has already completed."},
    {"WAIT CANCEL of a cancelled one",
     {WAIT("w"), {UP(WAIT, CANCEL, "w")}},
     {{UP(WAIT, CANCEL, "w")}},
     "Cannot cancel a WAIT that does not exist or has already completed."},

    {"CALLBACK START of one that exists",
     {{UP(CALLBACK, START, "k")}},
     {{UP(CALLBACK, START, "k")}},
     "Cannot start a CALLBACK that already exist."},
    {"the longest callback timeouts",
     {{0}},
     {{UP(CALLBACK, START, "k"), .timeout_s = OP_TIMEOUT_S_MAX, .heartbeat_s = OP_TIMEOUT_S_MAX}},
     NULL},
    {"a longer callback timeout",
     {{0}},
     {{UP(CALLBACK, START, "k"), .timeout_s = OP_TIMEOUT_S_MAX + 1}},
     "Invalid CallbackOptions for the given action."},
    {"a longer heartbeat",
     {{0}},
     {{UP(CALLBACK, START, "k"), .heartbeat_s = OP_TIMEOUT_S_MAX + 1}},
     "Invalid CallbackOptions for the given action."},

    {"INVOKE START of one that exists",
     {INVOKE("i")},
     {INVOKE("i")},
     "Cannot start an INVOKE that already exist."},
    {"INVOKE START without a function",
     {{0}},
     {{UP(CHAINED_INVOKE, START, "i")}},
     "Invalid ChainedInvokeOptions for the given action."},
    {"INVOKE CANCEL of none",
     {{0}},
     {{UP(CHAINED_INVOKE, CANCEL, "i")}},
     "Cannot cancel an INVOKE that does not exist or has already completed."},
    {"INVOKE CANCEL of a cancelled one",
     {INVOKE("i"), {UP(CHAINED_INVOKE, CANCEL, "i")}},
     {{UP(CHAINED_INVOKE, CANCEL, "i")}},
     "Cannot cancel an INVOKE that does not exist or has already completed."},

    {"no id",
     {{0}},
     {{.type = OP_STEP, .action = OP_START}},
     "Invalid operation id, name or subtype."},
    {"a space in an id",
     {{0}},
     {{UP(STEP, START, "a b")}},
     "Invalid operation id, name or subtype."},
    {"a dot in an id", {{0}}, {{UP(STEP, START, "a.b")}}, "Invalid operation id, name or subtype."},
    {"every character of an id", {{0}}, {{UP(STEP, START, "azAZ09-_")}}, NULL},
    {"a newline in a name",
     {{0}},
     {{UP(STEP, START, "s"), .name = ID("a\nb")}},
     "Invalid operation id, name or subtype."},
    {"a letter beyond ASCII in a name",
     {{0}},
     {{UP(STEP, START, "s"), .name = ID("caf\xC3\xA9")}},
     "Invalid operation id, name or subtype."},
    {"the first bad of two",
     {{0}},
     {{UP(STEP, START, "s")}, {UP(WAIT, CANCEL, "w")}},
     "Cannot cancel a WAIT that does not exist or has already completed."},
};

static uint32_t length_of(const struct op_update *updates)
{
    uint32_t count = 0;

    while (count < BATCH && (updates[count].type != OP_NONE || updates[count].id.len > 0 ||
                             updates[count].action != OP_ACTION_NONE)) {
        count++;
    }
    return count;
}

static void play(const struct rule *rule)
{
    void *state;
    struct fixture *fixture;
    uint64_t records;
    int r;

    assert_int_equal(fixture_setup(&state), 0);
    fixture = state;
    fixture_start(fixture);
    for (uint32_t i = 0; i < length_of(rule->before); i++) {
        fixture_update(fixture, rule->before[i]);
    }
    records = fixture->exec->records;
    r = fixture_checkpoint(fixture, rule->batch, length_of(rule->batch));
    if (rule->message == NULL && r != 0) {
        fail_msg("%s is refused: %s", rule->what, fixture->actions.message);
    }
    if (rule->message != NULL) {
        if (r != CORE_REFUSED || fixture->actions.refusal != REFUSAL_INVALID) {
            fail_msg("%s is accepted", rule->what);
        }
        if (strcmp(fixture->actions.message, rule->message) != 0) {
            fail_msg("%s: %s", rule->what, fixture->actions.message);
        }
        assert_int_equal(fixture->exec->records, records);
    }
    (void)fixture_teardown(&state);
}

static void test_each_rule_has_its_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        play(&rules[i]);
    }
}

enum part { PART_PAYLOAD, PART_ERROR, PART_ID, PART_NAME, PART_SUB_TYPE };

struct size_rule {
    struct op_update update;
    enum part part;
    size_t max;
    const char *message;
};

#define TOO_BIG "Payload size exceeds the limit of the operation type."
#define BAD_ERROR "Error object size must be less than 32768 bytes."
#define BAD_ID "Invalid operation id, name or subtype."

static const struct size_rule size_rules[] = {
    {{UP(STEP, SUCCEED, "s")}, PART_PAYLOAD, OP_PAYLOAD_BYTES_MAX, TOO_BIG},
    {RETRY("s"), PART_PAYLOAD, OP_PAYLOAD_BYTES_MAX, TOO_BIG},
    {{UP(CONTEXT, SUCCEED, "s")}, PART_PAYLOAD, OP_PAYLOAD_BYTES_MAX, TOO_BIG},
    {INVOKE("s"), PART_PAYLOAD, OP_INVOKE_PAYLOAD_BYTES_MAX, TOO_BIG},
    {{UP(EXECUTION, SUCCEED, "s")}, PART_PAYLOAD, EXEC_RESULT_BYTES_MAX, TOO_BIG},
    {{UP(STEP, FAIL, "s")}, PART_ERROR, OP_ERROR_BYTES_MAX, BAD_ERROR},
    {RETRY("s"), PART_ERROR, OP_ERROR_BYTES_MAX, BAD_ERROR},
    {{UP(EXECUTION, FAIL, "s")}, PART_ERROR, OP_ERROR_BYTES_MAX, BAD_ERROR},
    {{UP(STEP, START, "s")}, PART_ID, OP_ID_MAX, BAD_ID},
    {{UP(STEP, START, "s")}, PART_NAME, OP_NAME_MAX, BAD_ID},
    {{UP(STEP, START, "s")}, PART_SUB_TYPE, OP_SUB_TYPE_MAX, BAD_ID},
};

static struct op_update sized(const struct size_rule *rule, struct bytes bytes)
{
    struct op_update update = rule->update;

    switch (rule->part) {
    case PART_PAYLOAD:
        update.has_payload = true;
        update.payload = bytes;
        break;
    case PART_ERROR:
        update.has_error = true;
        update.error = bytes;
        break;
    case PART_ID:
        update.id = bytes;
        break;
    case PART_NAME:
        update.name = bytes;
        break;
    case PART_SUB_TYPE:
        update.sub_type = bytes;
        break;
    }
    return update;
}

/* One byte more is refused; the longest, after it, is accepted. */
static void test_each_size_has_its_limit(void **state)
{
    uint8_t *bytes = malloc(EXEC_RESULT_BYTES_MAX + 1);

    (void)state;
    assert_non_null(bytes);
    memset(bytes, 'x', EXEC_RESULT_BYTES_MAX + 1);
    for (size_t i = 0; i < sizeof size_rules / sizeof size_rules[0]; i++) {
        const struct size_rule *rule = &size_rules[i];
        void *made;

        assert_int_equal(fixture_setup(&made), 0);
        fixture_start(made);
        fixture_refused(made, sized(rule, bytes_of(bytes, rule->max + 1)), rule->message);
        fixture_update(made, sized(rule, bytes_of(bytes, rule->max)));
        (void)fixture_teardown(&made);
    }
    free(bytes);
}

static void test_a_batch_has_a_largest_size(void **state)
{
    struct fixture *fixture = *state;
    static struct op_update updates[UPDATES_MAX + 1];
    static char ids[UPDATES_MAX + 1][8];

    for (uint32_t i = 0; i <= UPDATES_MAX; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "s%u", i);
        updates[i] = (struct op_update){.type = OP_STEP, .action = OP_START, .id = text(ids[i])};
    }
    fixture_start(fixture);
    assert_int_equal(fixture_checkpoint(fixture, updates, UPDATES_MAX + 1), CORE_REFUSED);
    assert_int_equal(fixture->actions.refusal, REFUSAL_INVALID);
    assert_int_equal(fixture_checkpoint(fixture, updates, UPDATES_MAX), 0);
    assert_int_equal(fixture->exec->op_count, UPDATES_MAX);
}

/* All or none: what is good in a refused batch is not done, and the token holds. */
static void test_a_refused_batch_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    const struct op_update updates[] = {{UP(STEP, START, "a")}, {UP(WAIT, CANCEL, "b")}};

    fixture_start(fixture);
    assert_int_equal(fixture_checkpoint(fixture, updates, 2), CORE_REFUSED);
    assert_null(exec_find_op(fixture->exec, text("a")));
    assert_int_equal(fixture->exec->seq, 0);
    fixture_update(fixture, updates[0]);
    assert_int_equal(fixture->exec->seq, 1);
}

/* A result that has come but is not told yet ends the operation all the same. */
static void test_an_invoke_with_a_result_cannot_be_cancelled(void **state)
{
    struct fixture *fixture = *state;
    const struct op_update start = INVOKE("i");

    fixture_start(fixture);
    fixture_update(fixture, start);
    assert_int_equal(fixture_apply(fixture, (struct command){.kind = COMMAND_CHAINED_ENDED,
                                                             .op_id = text("i"),
                                                             .op_status = OP_SUCCEEDED}),
                     0);
    fixture_refused(fixture, (struct op_update){UP(CHAINED_INVOKE, CANCEL, "i")},
                    "Cannot cancel an INVOKE that does not exist or has already completed.");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_each_rule_has_its_text),
        TEST(test_each_size_has_its_limit),
        TEST(test_a_batch_has_a_largest_size),
        TEST(test_a_refused_batch_changes_nothing),
        TEST(test_an_invoke_with_a_result_cannot_be_cancelled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
