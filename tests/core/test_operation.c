/* The texts of the wire, both ways, and of records; and error objects. */
#include "tests/core/fixture.h"

static void test_types_and_actions_are_read_as_they_are_written(void **state)
{
    (void)state;
    for (int type = OP_EXECUTION; type < OP_TYPES; type++) {
        assert_int_equal(op_type_parse(text(op_type_text((enum op_type)type))), type);
    }
    for (int action = OP_START; action < OP_ACTIONS; action++) {
        assert_int_equal(op_action_parse(text(op_action_text((enum op_action)action))), action);
    }
    for (int status = EXEC_RUNNING; status < EXEC_STATUSES; status++) {
        assert_int_equal(exec_status_parse(text(exec_status_text((enum exec_status)status))),
                         status);
    }
    assert_string_equal(op_status_text(OP_TIMED_OUT), "TIMED_OUT");
}

static void test_unknown_texts_are_nothing(void **state)
{
    (void)state;
    assert_int_equal(op_type_parse(text("STEPS")), OP_NONE);
    assert_int_equal(op_type_parse(text("NONE")), OP_NONE);
    assert_int_equal(op_action_parse(text("")), OP_ACTION_NONE);
    assert_int_equal(exec_status_parse(text("running")), EXEC_STATUS_NONE);
    assert_string_equal(op_type_text((enum op_type)77), "UNKNOWN");
}

static void test_each_kind_of_record_has_a_name(void **state)
{
    (void)state;
    for (int kind = EXECUTION_STARTED; kind < RECORD_EVENTS_END; kind++) {
        assert_string_not_equal(record_kind_text((enum record_kind)kind), "unknown record");
    }
    for (int kind = NOTE_ATTEMPT_STARTED; kind < RECORD_KINDS; kind++) {
        assert_string_not_equal(record_kind_text((enum record_kind)kind), "unknown record");
    }
    assert_string_equal(record_kind_text(CHAINED_INVOKE_TIMED_OUT), "ChainedInvokeTimedOut");
    assert_string_equal(record_kind_text((enum record_kind)40), "unknown record");
    assert_string_equal(record_kind_text(RECORD_KINDS), "unknown record");
}

static void test_an_error_object_is_two_fields(void **state)
{
    static const char expected[] = "\x0A\x01T\x12\x02no";
    uint8_t out[ERROR_TEXT_MAX];
    char message[201];
    struct bytes error = error_encode(out, "T", "no");

    (void)state;
    assert_true(bytes_equal(error, bytes_of(expected, sizeof expected - 1)));
    memset(message, 'm', 200);
    message[200] = '\0';
    error = error_encode(out, "T", message); /* its length takes two bytes */
    assert_int_equal(error.len, 3 + 3 + 200);
    assert_memory_equal(error.data + 3, "\x12\xC8\x01mmm", 6);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_types_and_actions_are_read_as_they_are_written),
        TEST(test_unknown_texts_are_nothing),
        TEST(test_each_kind_of_record_has_a_name),
        TEST(test_an_error_object_is_two_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
