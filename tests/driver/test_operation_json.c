/* How operations look in the event of a function, in the answer to a checkpoint, and page by
 * page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/base/json.h"
#include "engine/driver/operation_json.h"
#include "engine/driver/state.h"

#define OPERATIONS 9

/* The driver's, in history.c. */
void history_put_error_object(struct buf *json, struct bytes encoded)
{
    buf_append(json, encoded.data, encoded.len);
}

static void expect_text(struct buf *json, const char *expected)
{
    if (!bytes_equal(buf_bytes(json), bytes_of_text(expected))) {
        fail_msg("'%.*s' instead of '%s'", (int)json->len, (const char *)json->data, expected);
    }
    buf_fini(json);
}

static void expect_operation(const struct wire_operation *operation, const char *expected)
{
    struct buf json = {0};

    operation_put_json(&json, operation, JSON_TIME_ANSWER);
    expect_text(&json, expected);
}

/* --- one -------------------------------------------------------------------------------- */

static void test_an_answer_has_seconds(void **state)
{
    struct wire_operation operation = {.id = bytes_of_text("s"),
                                       .type = OP_STEP,
                                       .status = OP_PENDING,
                                       .attempt = 2,
                                       .start_ms = 1764802628830,
                                       .due_ms = 1764802629000};

    (void)state;
    expect_operation(&operation, "{\"Id\":\"s\",\"Type\":\"STEP\",\"StartTimestamp\":1764802628.830"
                                 ",\"Status\":\"PENDING\",\"StepDetails\":{\"Attempt\":2,"
                                 "\"NextAttemptTimestamp\":1764802629.000}}");
    operation.status = OP_READY; /* when it is due, the time of it is gone */
    expect_operation(&operation, "{\"Id\":\"s\",\"Type\":\"STEP\",\"StartTimestamp\":1764802628.830"
                                 ",\"Status\":\"READY\",\"StepDetails\":{\"Attempt\":2}}");
}

static void test_a_callback_has_its_id_and_its_result(void **state)
{
    struct wire_operation operation = {.id = bytes_of_text("k"),
                                       .type = OP_CALLBACK,
                                       .status = OP_STARTED,
                                       .parent_id = bytes_of_text("p"),
                                       .start_ms = 1000,
                                       .callback_id = bytes_of_text("Zm9v")};

    (void)state;
    expect_operation(
        &operation,
        "{\"Id\":\"k\",\"ParentId\":\"p\",\"Type\":\"CALLBACK\",\"StartTimestamp\":1.000,"
        "\"Status\":\"STARTED\",\"CallbackDetails\":{\"CallbackId\":\"Zm9v\"}}");
    operation.status = OP_SUCCEEDED;
    operation.end_ms = 2500;
    operation.has_result = true; /* an empty one is one */
    expect_operation(
        &operation,
        "{\"Id\":\"k\",\"ParentId\":\"p\",\"Type\":\"CALLBACK\",\"StartTimestamp\":1.000,"
        "\"EndTimestamp\":2.500,\"Status\":\"SUCCEEDED\",\"CallbackDetails\":"
        "{\"CallbackId\":\"Zm9v\",\"Result\":\"\"}}");
}

static void test_a_chained_invoke_has_its_end(void **state)
{
    struct wire_operation operation = {.id = bytes_of_text("i"),
                                       .type = OP_CHAINED_INVOKE,
                                       .status = OP_TIMED_OUT,
                                       .start_ms = 1000,
                                       .end_ms = 2000,
                                       .has_error = true,
                                       .error = bytes_of_text("ERROR")};

    (void)state;
    expect_operation(&operation,
                     "{\"Id\":\"i\",\"Type\":\"CHAINED_INVOKE\",\"StartTimestamp\":1.000,"
                     "\"EndTimestamp\":2.000,\"Status\":\"TIMED_OUT\",\"ChainedInvokeDetails\":"
                     "{\"Error\":ERROR}}");
}

static void test_an_execution_is_named_as_its_arn_is(void **state)
{
    struct wire_invoke invoke = {
        .execution_arn = bytes_of_text("arn:aws:lambda:r:1:function:f:1/durable-execution/n/u"),
        .start_ms = 1500};
    struct buf json = {0};

    (void)state;
    operation_put_execution(&json, &invoke, JSON_TIME_EVENT);
    expect_text(&json,
                "{\"Id\":\"u\",\"Name\":\"n\",\"Type\":\"EXECUTION\",\"StartTimestamp\":1500,"
                "\"Status\":\"STARTED\",\"ExecutionDetails\":{}}");
}

/* --- pages ------------------------------------------------------------------------------ */

struct paging {
    struct wire_invoke invoke;
    struct wire_operation operations[OPERATIONS];
    char ids[OPERATIONS][8];
};

static void make_paging(struct paging *paging, struct bytes result)
{
    memset(paging, 0, sizeof *paging);
    paging->invoke.execution_arn = bytes_of_text("arn/durable-execution/n/op-0");
    paging->invoke.operations = paging->operations;
    paging->invoke.operation_count = OPERATIONS;
    for (int i = 0; i < OPERATIONS; i++) {
        (void)snprintf(paging->ids[i], sizeof paging->ids[i], "op-%d", i + 1);
        paging->operations[i] = (struct wire_operation){.id = bytes_of_text(paging->ids[i]),
                                                        .type = OP_CONTEXT,
                                                        .status = OP_SUCCEEDED,
                                                        .has_result = result.len > 0,
                                                        .result = result};
    }
}

/* Reads pages until one has no marker; each operation is there once, in order. */
static int count_pages(const struct paging *paging, uint32_t items_max, size_t *ret_bytes_max)
{
    size_t next = 0;
    int pages = 0;
    bool has_more = true;

    *ret_bytes_max = 0;
    while (has_more) {
        struct buf json = {0};
        const char *at;
        size_t first = next;

        json_open(&json, '{');
        state_put_page(&json, &paging->invoke, next, items_max, JSON_TIME_ANSWER);
        json_close(&json, '}');
        buf_append(&json, "", 1);
        assert_false(json.failed);
        for (at = (char *)json.data; (at = strstr(at, "\"Id\":\"op-")) != NULL; at += 9) {
            assert_int_equal(strtoul(at + 9, NULL, 10), next);
            next++;
        }
        assert_true(next > first);
        at = strstr((char *)json.data, "\"NextMarker\":\"");
        has_more = at != NULL;
        assert_true(!has_more || strtoul(at + 14, NULL, 10) == next);
        *ret_bytes_max = (json.len > *ret_bytes_max) ? json.len : *ret_bytes_max;
        pages++;
        buf_fini(&json);
    }
    assert_int_equal(next, OPERATIONS + 1);
    return pages;
}

static void test_a_page_has_as_many_as_were_asked_for(void **state)
{
    static const struct {
        uint32_t items_max;
        int pages;
    } rows[] = {{0, 1}, {1, 10}, {3, 4}, {5, 2}, {10, 1}, {1000, 1}};
    struct paging paging;
    size_t bytes;

    (void)state;
    make_paging(&paging, (struct bytes){0});
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(count_pages(&paging, rows[i].items_max, &bytes), rows[i].pages);
    }
}

static void test_a_page_ends_beyond_five_megabytes(void **state)
{
    size_t len = (size_t)2 << 20;
    char *text = malloc(len);
    struct paging paging;
    size_t bytes;

    (void)state;
    assert_non_null(text);
    memset(text, 'x', len);
    make_paging(&paging, bytes_of(text, len));
    assert_int_equal(count_pages(&paging, 0, &bytes), 3); /* 1 + 3, 3, 3 */
    assert_in_range(bytes, (size_t)5 << 20, (size_t)7 << 20);
    free(text);
}

static void test_one_that_is_larger_has_a_page_of_its_own(void **state)
{
    size_t len = (size_t)6 << 20;
    char *text = malloc(len);
    struct paging paging;
    size_t bytes;

    (void)state;
    assert_non_null(text);
    memset(text, 'x', len);
    make_paging(&paging, bytes_of(text, len));
    assert_int_equal(count_pages(&paging, 0, &bytes), 9); /* the execution is with the first */
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answer_has_seconds),
        cmocka_unit_test(test_a_callback_has_its_id_and_its_result),
        cmocka_unit_test(test_a_chained_invoke_has_its_end),
        cmocka_unit_test(test_an_execution_is_named_as_its_arn_is),
        cmocka_unit_test(test_a_page_has_as_many_as_were_asked_for),
        cmocka_unit_test(test_a_page_ends_beyond_five_megabytes),
        cmocka_unit_test(test_one_that_is_larger_has_a_page_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
