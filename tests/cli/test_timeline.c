/* Timelines against pictures that a person has looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>

#include "engine/base/mem.h"
#include "sdk/cli/cli.h"
#include "sdk/cli/timeline.h"

/* Times are seconds after 1000. */
static const char finished[] =
    "[{'EventType':'ExecutionStarted','EventTimestamp':1000,'Id':'u','Name':'order-7'},"
    "{'EventType':'StepStarted','EventTimestamp':1000,'Id':'1','Name':'charge','SubType':'Step'},"
    "{'EventType':'StepFailed','EventTimestamp':1001,'Id':'1','Name':'charge','StepFailedDetails':"
    "{'RetryDetails':{'CurrentAttempt':1,'NextAttemptDelaySeconds':2}}},"
    "{'EventType':'InvocationCompleted','EventTimestamp':1001},"
    "{'EventType':'StepStarted','EventTimestamp':1003,'Id':'1','Name':'charge'},"
    "{'EventType':'StepSucceeded','EventTimestamp':1004,'Id':'1','StepSucceededDetails':"
    "{'RetryDetails':{'CurrentAttempt':2}}},"
    "{'EventType':'ContextStarted','EventTimestamp':1004,'Id':'2','Name':'ship'},"
    "{'EventType':'WaitStarted','EventTimestamp':1004,'Id':'3','SubType':'Wait'},"
    "{'EventType':'StepSucceeded','EventTimestamp':1005,'Id':'2-1','Name':'pack','ParentId':'2',"
    "'StepSucceededDetails':{'RetryDetails':{'CurrentAttempt':1}}},"
    "{'EventType':'CallbackStarted','EventTimestamp':1005,'Id':'2-2','Name':'label','ParentId':'2'}"
    ","
    "{'EventType':'CallbackTimedOut','EventTimestamp':1007,'Id':'2-2'},"
    "{'EventType':'ChainedInvokeStarted','EventTimestamp':1005,'Id':'4','Name':'mail'},"
    "{'EventType':'ChainedInvokeFailed','EventTimestamp':1008,'Id':'4'},"
    "{'EventType':'ContextFailed','EventTimestamp':1007,'Id':'2'},"
    "{'EventType':'WaitSucceeded','EventTimestamp':1009,'Id':'3'},"
    "{'EventType':'InvocationCompleted','EventTimestamp':1010},"
    "{'EventType':'ExecutionSucceeded','EventTimestamp':1010,'Id':'u'}]";

static json_t *load(const char *text)
{
    char json[4096];
    json_t *events;
    size_t i = 0;

    for (; text[i] != '\0'; i++) {
        assert_true(i < sizeof json - 1);
        json[i] = (char)((text[i] == '\'') ? '"' : text[i]);
    }
    json[i] = '\0';
    events = json_loads(json, 0, NULL);
    assert_non_null(events);
    return events;
}

static int draw(const char *text, const struct cli_session *session, size_t width,
                struct buf *picture)
{
    struct cli_timeline timeline = {0};
    json_t *events = load(text);
    const json_t *event;
    size_t i;
    int r;

    json_array_foreach(events, i, event)
    {
        cli_timeline_add(&timeline, event);
    }
    r = cli_timeline_draw(&timeline, session, width, 1020 * 1000, picture);
    cli_timeline_fini(&timeline);
    json_decref(events);
    return r;
}

static void assert_picture(const char *text, const struct cli_session *session, size_t width,
                           const char *expected)
{
    struct buf picture = {0};

    assert_int_equal(draw(text, session, width, &picture), 0);
    buf_append(&picture, "", 1);
    assert_string_equal((const char *)picture.data, expected);
    buf_fini(&picture);
}

static void test_finished_execution_is_drawn(void **state)
{
    struct cli_session session = {.is_utf8 = true};

    (void)state;
    assert_picture(
        finished, &session, 90,
        "order-7   execution  0                            10.0 s  SUCCEEDED\n"
        "charge    step       ████······████                       4.00 s  SUCCEEDED, 2 attempts\n"
        "ship      context                  ───────────            3.00 s  FAILED\n"
        "  pack    step                        █                   0 ms    SUCCEEDED\n"
        "  label   callback                    ░░░░░░░░            2.00 s  TIMED_OUT\n"
        "Wait      wait                     ··················     5.00 s  SUCCEEDED\n"
        "mail      invoke                      ▒▒▒▒▒▒▒▒▒▒▒         3.00 s  FAILED\n");
}

static void test_ascii_where_the_locale_has_no_more(void **state)
{
    static const char text[] =
        "[{'EventType':'ExecutionStarted','EventTimestamp':1000,'Id':'u','Name':'e'},"
        "{'EventType':'StepStarted','EventTimestamp':1000,'Id':'1','Name':'s'},"
        "{'EventType':'StepFailed','EventTimestamp':1005,'Id':'1'},"
        "{'EventType':'ExecutionFailed','EventTimestamp':1010,'Id':'u'}]";
    struct cli_session session = {0};

    (void)state;
    assert_picture(text, &session, 75,
                   "e         execution  0             10.0 s  FAILED\n"
                   "s         step       ##########            5.00 s  FAILED\n");
}

static void test_what_runs_is_drawn_up_to_now(void **state)
{
    static const char text[] =
        "[{'EventType':'ExecutionStarted','EventTimestamp':1000,'Id':'u','Name':'e'},"
        "{'EventType':'StepFailed','EventTimestamp':1010,'Id':'1','Name':'s',"
        "'StepFailedDetails':{'RetryDetails':{'CurrentAttempt':3,'NextAttemptDelaySeconds':60}}}]";
    struct cli_session session = {0};

    (void)state;
    assert_picture(text, &session, 75,
                   "e         execution  0             20.0 s  RUNNING\n"
                   "s         step                 #.........  10.0 s  PENDING, 3 attempts\n");
}

static void test_status_gives_the_colour(void **state)
{
    static const char text[] =
        "[{'EventType':'ExecutionStarted','EventTimestamp':1000,'Id':'u','Name':'e'},"
        "{'EventType':'WaitStarted','EventTimestamp':1000,'Id':'1','Name':'w'},"
        "{'EventType':'WaitCancelled','EventTimestamp':1010,'Id':'1'},"
        "{'EventType':'ExecutionStopped','EventTimestamp':1010,'Id':'u'}]";
    struct cli_session session = {.is_color = true};

    (void)state;
    assert_picture(text, &session, 75,
                   "e         execution  0             10.0 s  \033[33mSTOPPED\033[0m\n"
                   "w         wait       \033[33m....................\033[0m  10.0 s  CANCELLED\n");
}

static void test_strange_histories_do_no_harm(void **state)
{
    static const char *const texts[] = {
        "[]",
        "[{'EventType':'StepStarted','Id':'1'}]",
        "[{'EventType':'ExecutionStarted'},{'EventType':'StepStarted','Id':'1','ParentId':'1'}]",
        "[{'EventType':'ExecutionStarted','EventTimestamp':9},{'EventType':'WaitStarted'},"
        "{'EventType':'WaitSucceeded','EventTimestamp':1}]",
        "[{'EventType':'ExecutionStarted','EventTimestamp':9},{'EventType':7},{},3,"
        "{'EventType':'StepExploded'},{'EventType':'StepStarted','EventTimestamp':1e300,"
        "'Id':'1','Name':'\\u0007'}]",
    };
    struct cli_session session = {0};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t width = 40; width <= 2000; width += 490) {
            struct buf picture = {0};

            assert_int_equal(draw(texts[i], &session, width, &picture), 0);
            assert_null((picture.len > 0) ? memchr(picture.data, 7, picture.len) : NULL);
            buf_fini(&picture);
        }
    }
}

static void add_event(struct cli_timeline *timeline, const char *type, int id, int parent)
{
    json_t *event = json_pack("{s:s,s:i,s:o,s:o}", "EventType", type, "EventTimestamp", 1000 + id,
                              "Id", json_sprintf("%d", id), "ParentId", json_sprintf("%d", parent));

    assert_non_null(event);
    cli_timeline_add(timeline, event);
    json_decref(event);
}

static void test_many_and_deep_operations_are_cut(void **state)
{
    struct cli_session session = {0};
    struct cli_timeline timeline = {0};
    struct buf picture = {0};
    size_t lines = 0;

    (void)state;
    add_event(&timeline, "ExecutionStarted", 0, 0);
    for (int i = 1; i <= 5000; i++) {
        add_event(&timeline, "ContextStarted", i, i - 1); /* each inside the one before */
    }
    assert_int_equal(cli_timeline_draw(&timeline, &session, 80, 9000000, &picture), 0);
    for (size_t i = 0; i < picture.len; i++) {
        lines += (picture.data[i] == '\n') ? 1 : 0;
    }
    assert_int_equal(lines, 1 + CLI_TIMELINE_ROWS_MAX + 1);
    buf_append(&picture, "", 1);
    assert_non_null(strstr((const char *)picture.data, "... and 4000 more operations\n"));
    buf_fini(&picture);
    cli_timeline_fini(&timeline);
}

static size_t allowed;

static bool allow(size_t size)
{
    (void)size;
    return allowed > 0 && allowed-- > 0;
}

static void test_lost_memory_is_reported(void **state)
{
    struct cli_session session = {0};
    int r = CLI_SERVER;

    (void)state;
    for (size_t n = 0; r != 0; n++) {
        struct buf picture = {0};

        assert_true(n < 1000);
        allowed = n;
        mem_set_hook(allow);
        r = draw(finished, &session, 80, &picture);
        mem_set_hook(NULL);
        assert_true(r == 0 || r == CLI_SERVER);
        buf_fini(&picture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finished_execution_is_drawn),
        cmocka_unit_test(test_ascii_where_the_locale_has_no_more),
        cmocka_unit_test(test_what_runs_is_drawn_up_to_now),
        cmocka_unit_test(test_status_gives_the_colour),
        cmocka_unit_test(test_strange_histories_do_no_harm),
        cmocka_unit_test(test_many_and_deep_operations_are_cut),
        cmocka_unit_test(test_lost_memory_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
