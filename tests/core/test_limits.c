/* Full is a failure with a name, never a wedge. */
#include <stdio.h>

#include "tests/core/fixture.h"

static void begin(struct fixture *fixture)
{
    core_destroy(fixture->core);
    assert_int_equal(core_create(&fixture->core, &fixture->limits), 0);
    fixture_start(fixture);
}

static void add_step(struct fixture *fixture, int number, struct bytes payload)
{
    char id[16];

    (void)snprintf(id, sizeof id, "s%d", number);
    fixture_update(fixture, (struct op_update){.type = OP_STEP,
                                               .action = OP_SUCCEED,
                                               .id = text(id),
                                               .has_payload = true,
                                               .payload = payload});
}

static void expect_failed(const struct fixture *fixture, const char *type)
{
    const struct record *last = &fixture->actions.records[fixture->actions.record_count - 1];

    assert_int_equal(fixture->exec->status, EXEC_FAILED);
    assert_int_equal(last->kind, EXECUTION_FAILED);
    assert_true(memmem(last->error.data, last->error.len, type, strlen(type)) != NULL);
    EXPECT_ACTIONS(fixture, ACTION_FENCE, ACTION_CLOSED);
}

static void test_too_many_operations_fail_the_execution(void **state)
{
    struct fixture *fixture = *state;

    fixture->limits.operations_max = 5;
    begin(fixture);
    for (int i = 0; i < 5; i++) {
        add_step(fixture, i, text("1"));
        assert_int_equal(fixture->exec->status, EXEC_RUNNING);
    }
    add_step(fixture, 5, text("1"));
    expect_failed(fixture, "Pawl.OperationLimitExceeded");
}

static void test_too_many_events_fail_the_execution(void **state)
{
    struct fixture *fixture = *state;

    fixture->limits.events_max = 6;
    begin(fixture);
    for (int i = 0; i < 5; i++) { /* the first event is the start */
        add_step(fixture, i, text("1"));
        assert_int_equal(fixture->exec->status, EXEC_RUNNING);
    }
    add_step(fixture, 5, text("1"));
    expect_failed(fixture, "Pawl.EventLimitExceeded");
}

static void test_too_large_a_history_fails_the_execution(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t payload[100000];

    fixture->limits.history_bytes_max = 1000000;
    begin(fixture);
    for (int i = 0; i < 9; i++) {
        add_step(fixture, i, bytes_of(payload, sizeof payload));
        assert_int_equal(fixture->exec->status, EXEC_RUNNING);
    }
    add_step(fixture, 9, bytes_of(payload, sizeof payload));
    expect_failed(fixture, "Pawl.HistorySizeExceeded");
}

static void test_a_history_may_fill_its_limit(void **state)
{
    struct fixture *fixture = *state;
    uint64_t bytes;

    begin(fixture);
    add_step(fixture, 0, text("12345"));
    bytes = fixture->exec->history_bytes;
    for (uint64_t less = 0; less <= 1; less++) {
        void *made;
        struct fixture *other;

        assert_int_equal(fixture_setup(&made), 0);
        other = made;
        other->limits.history_bytes_max = bytes - less;
        begin(other);
        add_step(other, 0, text("12345"));
        assert_int_equal(other->exec->status, (less == 0) ? EXEC_RUNNING : EXEC_FAILED);
        (void)fixture_teardown(&made);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_too_many_operations_fail_the_execution),
        TEST(test_too_many_events_fail_the_execution),
        TEST(test_too_large_a_history_fails_the_execution),
        TEST(test_a_history_may_fill_its_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
