/* What clients send arrives at the driver, and what it answers goes back, in Lambda's
 * forms. */
#include <stdlib.h>
#include <sys/socket.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"

#include "tests/invoke/door.h"

#define UNIX(name) cmocka_unit_test_setup_teardown(name, door_set_up, door_tear_down)
#define ARN "arn:aws:lambda:us-east-1:123456789012:function:f"
#define EXECUTION ARN ":$LATEST/durable-execution/n/0193"
#define EXECUTION_PATH                                                                             \
    "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af%3A%24LATEST%2Fdurable-"          \
    "execution%2Fn%2F0193"
#define F "/2015-03-31/functions"
#define D "/2025-12-01/durable-executions/" EXECUTION_PATH
#define NO_TOKEN "0000000000000000000000000000000000000000000000000000000000000000"
#define C "/2025-12-01/durable-execution-callbacks/a%2B%2F%3D"

/* --- the door -------------------------------------------------------------------------- */

static void fill(char *path, size_t max, const char *pattern)
{
    size_t len = 0;

    for (; *pattern != '\0'; pattern++) {
        if (strncmp(pattern, "{}", 2) == 0) {
            len += (size_t)snprintf(path + len, max - len, "f");
            pattern++;
        } else {
            len += (size_t)snprintf(path + len, max - len, "%c", *pattern);
        }
    }
}

static int ask_tcp(struct door *door, const struct route *route, const char *headers,
                   struct reply *reply)
{
    struct client client;
    char path[256];
    char text[1024];

    fill(path, sizeof path, route->path);
    (void)snprintf(text, sizeof text, "%s %s HTTP/1.1\r\n%sContent-Length: 2\r\n\r\n{}",
                   route->method, path, headers);
    client_open_tcp(&client, &door->http);
    client_say(&client, text);
    client_reply(&client, reply);
    client_close(&client);
    return reply->status;
}

static void test_no_route_is_reached_over_tcp_without_credentials(void **state)
{
    static const struct {
        const char *headers;
        int status;
        const char *name;
    } tries[] = {
        {"Host: localhost\r\n", 403, "MissingAuthenticationTokenException"},
        {"Host: localhost\r\nAuthorization: Bearer " NO_TOKEN "\r\n", 403, "AccessDeniedException"},
        {"Host: localhost\r\nAuthorization: AWS4-HMAC-SHA256 Credential=a/b/c\r\n", 400,
         "IncompleteSignatureException"},
    };
    struct door *door = *state;
    struct reply reply;
    int count = 0;

    fake_add_function("f", true);
    for (const struct route *route = routes; route->name != NULL; route++) {
        for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
            assert_int_equal(ask_tcp(door, route, tries[i].headers, &reply), tries[i].status);
            assert_non_null(strstr(reply.head, tries[i].name));
            count++;
        }
    }
    assert_true(count >= 3 * 60);
    assert_int_equal(fake.asks, 0);
}

static void test_the_token_opens_every_route_but_the_operators(void **state)
{
    struct door *door = *state;
    struct reply reply;
    char headers[256];

    (void)snprintf(headers, sizeof headers, "Host: 127.0.0.1:9\r\n%s", door->bearer);
    for (const struct route *route = routes; route->name != NULL; route++) {
        int status;

        fake_reset();
        fake_add_function("f", true);
        status = ask_tcp(door, route, headers, &reply);
        assert_int_equal(status == 403, route->is_operator);
        assert_int_equal(strstr(reply.head, "UnknownOperationException") != NULL,
                         route->handle == NULL);
    }
}

static void test_a_token_does_not_help_with_a_foreign_host_or_an_origin(void **state)
{
    struct door *door = *state;
    struct reply reply;
    char headers[256];

    (void)snprintf(headers, sizeof headers, "Host: evil.example\r\n%s", door->bearer);
    assert_int_equal(ask_tcp(door, &routes[1], headers, &reply), 403);
    (void)snprintf(headers, sizeof headers, "Host: localhost\r\nOrigin: http://a\r\n%s",
                   door->bearer);
    assert_int_equal(ask_tcp(door, &routes[1], headers, &reply), 403);
}

static void test_no_two_routes_have_the_same_method_and_path(void **state)
{
    (void)state;
    for (const struct route *a = routes; a->name != NULL; a++) {
        for (const struct route *b = a + 1; b->name != NULL; b++) {
            assert_false(strcmp(a->method, b->method) == 0 && strcmp(a->path, b->path) == 0);
            assert_string_not_equal(a->name, b->name);
        }
    }
}

static void test_a_large_body_without_credentials_is_refused_before_it_is_read(void **state)
{
    struct door *door = *state;
    struct client client;
    struct reply reply;

    client_open_tcp(&client, &door->http);
    client_say(&client, "POST " F " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000000\r\n"
                        "\r\n");
    client_reply(&client, &reply);
    assert_int_equal(reply.status, 413);
    assert_non_null(strstr(reply.head, "x-amzn-errortype: RequestTooLargeException"));
    client_close(&client);
}

static void test_every_answer_has_a_request_id_of_its_own(void **state)
{
    struct door *door = *state;
    struct reply reply;
    char first[2048];
    const char *id;

    door_ask(door, "GET /pawl/v1/status", "", NULL, &reply);
    id = strstr(reply.head, "x-amzn-requestid: ");
    assert_non_null(id);
    (void)snprintf(first, sizeof first, "%s", id);
    assert_int_equal(strcspn(id + 18, "\r"), 36);
    door_ask(door, "GET /nothing", "", NULL, &reply);
    id = strstr(reply.head, "x-amzn-requestid: ");
    assert_non_null(id);
    assert_memory_not_equal(id, first, 18 + 36);
}

static void test_errors_have_lambdas_form(void **state)
{
    struct door *door = *state;
    struct reply reply;

    door_ask(door, "GET " F "/none", "", NULL, &reply);
    assert_int_equal(reply.status, 404);
    assert_non_null(strstr(reply.head, "x-amzn-errortype: ResourceNotFoundException"));
    assert_non_null(strstr(reply.head, "content-type: application/json"));
    assert_string_equal((const char *)reply.body.data,
                        "{\"Type\":\"User\",\"Message\":\"Function not found: arn:aws:lambda:us-"
                        "east-1:123456789012:function:none\",\"message\":\"Function not found: "
                        "arn:aws:lambda:us-east-1:123456789012:function:none\"}");
}

static void test_unknown_operations_are_named(void **state)
{
    struct door *door = *state;

    EXPECT(door, "POST /2015-03-31/event-source-mappings", "", "{}", 404,
           "CreateEventSourceMapping", "UnknownOperationException");
    EXPECT(door, "GET /elsewhere", "", NULL, 404, "There is no operation GET /elsewhere.");
    EXPECT(door, "PATCH " F "/f", "", NULL, 405, "PATCH is not a method of this path");
    EXPECT(door, "GET " F "/%zz", "", NULL, 400, "percent-encoding");
    EXPECT(door, "GET /pawl/v1/executions?Kind=%4", "", NULL, 400, "percent-encoding");
}

/* --- access keys ------------------------------------------------------------------------ */

#define KEYS "/pawl/v1/keys"
#define KEY_ID "AKIAIOSFODNN7EXAMPLE"

static void test_access_keys_are_told_with_their_secret_once(void **state)
{
    struct door *door = *state;
    struct reply reply;

    fake.is_key_enabled = true;
    EXPECT(door, "POST " KEYS, "", "{\"Description\":\"the CI\"}", 201, "\"AccessKeyId\":\"" KEY_ID,
           "\"SecretAccessKey\":\"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\"",
           "\"Status\":\"Active\"", "\"Account\":\"123456789012\"", "\"CreateDate\":1764802628.83",
           "\"Description\":\"the \\\"CI\\\"\"");
    assert_string_equal(fake.asked, "key-add of=the CI");
    door_ask(door, "GET " KEYS, "", NULL, &reply);
    assert_int_equal(reply.status, 200);
    assert_null(strstr((const char *)reply.body.data, "Secret"));
    assert_non_null(strstr((const char *)reply.body.data, "{\"Keys\":[{\"AccessKeyId\""));
    assert_non_null(strstr((const char *)reply.body.data, "\"Status\":\"Inactive\""));
}

static void test_access_keys_are_switched_and_removed(void **state)
{
    struct door *door = *state;

    EXPECT(door, "POST " KEYS "/" KEY_ID "/disable", "", NULL, 200, "\"Status\":\"Inactive\"");
    assert_string_equal(fake.asked, "key-disable of=" KEY_ID);
    EXPECT(door, "POST " KEYS "/" KEY_ID "/enable", "", NULL, 200, "\"Status\":\"Active\"");
    assert_string_equal(fake.asked, "key-enable of=" KEY_ID);
    EXPECT(door, "DELETE " KEYS "/" KEY_ID, "", NULL, 204);
    assert_string_equal(fake.asked, "key-remove of=" KEY_ID);
}

static void test_refusals_of_access_keys_are_named(void **state)
{
    static const struct {
        int refusal;
        int status;
        const char *name;
    } refusals[] = {
        {ACCESS_KEY_NOT_FOUND, 404, "ResourceNotFoundException"},
        {ACCESS_KEY_BUSY, 409, "ResourceConflictException"},
        {ACCESS_KEY_TOO_MANY, 402, "ServiceQuotaExceededException"},
        {ACCESS_KEY_FULL, 429, "TooManyRequestsException"},
        {ERR_NOMEM, 500, "ServiceException"},
    };
    struct door *door = *state;

    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        fake.refusal = refusals[i].refusal;
        EXPECT(door, "POST " KEYS, "", "{}", refusals[i].status, refusals[i].name);
        EXPECT(door, "POST " KEYS "/" KEY_ID "/enable", "", NULL, refusals[i].status,
               refusals[i].name);
        EXPECT(door, "DELETE " KEYS "/" KEY_ID, "", NULL, refusals[i].status, refusals[i].name);
    }
    fake.refusal = 0;
    EXPECT(door, "POST " KEYS, "", "{\"Description\":7}", 400, "Description");
    EXPECT(door, "POST " KEYS, "", "[]", 400, "InvalidRequestContentException");
}

/* --- invoke ---------------------------------------------------------------------------- */

static void test_invoke_carries_headers_both_ways(void **state)
{
    struct door *door = *state;

    fake.answer = (struct invoke_request){.has_payload = true,
                                          .result = bytes_of_text("{\"r\":1}"),
                                          .executed_version = "$LATEST",
                                          .execution_arn = bytes_of_text(EXECUTION),
                                          .log_tail = bytes_of_text("START x\n")};
    EXPECT(door, "POST " F "/f%3A%24LATEST/invocations?Qualifier=%24LATEST",
           "X-Amz-Log-Type: Tail\r\nX-Amz-Tenant-Id: blue team\r\nX-Amz-Client-Context: "
           "eyJhIjoxfQ==\r\nX-Amz-Durable-Execution-Name: order-7\r\nX-Amzn-Trace-Id: Root=1\r\n",
           "{\"p\":1}", 200, "x-amz-executed-version: $LATEST",
           "x-amz-durable-execution-arn: " EXECUTION,
           "x-amz-log-result: U1RBUlQgeAo=", "{\"r\":1}");
    assert_string_equal(fake.asked, "invoke function=f qualifier=$LATEST type=sync "
                                    "payload={\"p\":1} name=order-7 tenant=blue team "
                                    "context={\"a\":1} trace=Root=1 log");
}

static void test_function_errors_are_200_with_a_header(void **state)
{
    struct door *door = *state;

    fake.answer = (struct invoke_request){.has_payload = true,
                                          .result = bytes_of_text("{\"errorType\":\"E\"}"),
                                          .function_error = "Unhandled",
                                          .executed_version = "$LATEST"};
    EXPECT(door, "POST " F "/f/invocations", "", "", 200, "x-amz-function-error: Unhandled",
           "errorType");
}

static void test_events_are_202_and_dry_runs_204(void **state)
{
    struct door *door = *state;

    fake.answer.execution_arn = bytes_of_text(EXECUTION);
    EXPECT(door, "POST " F "/f/invocations", "X-Amz-Invocation-Type: Event\r\n", "{}", 202,
           "x-amz-durable-execution-arn: " EXECUTION);
    expect_asked("type=event");
    EXPECT(door, "POST " F "/f/invocations", "X-Amz-Invocation-Type: DryRun\r\n", "{}", 204);
    expect_asked("type=dry");
}

static void test_errors_of_the_driver_are_passed_on(void **state)
{
    struct door *door = *state;

    fake.error = (struct driver_error){
        .http_status = 429, .name = "TooManyRequestsException", .message = "Rate exceeded"};
    EXPECT(door, "POST " F "/f/invocations", "", "{}", 429, "retry-after: 1",
           "x-amzn-errortype: TooManyRequestsException", "Rate exceeded");
    fake.error =
        (struct driver_error){.http_status = 500, .name = "ServiceException", .message = "no"};
    EXPECT(door, "POST " F "/f/invocations", "", "{}", 500, "\"Type\":\"Service\"");
}

static void test_wrong_invokes_do_not_reach_the_driver(void **state)
{
    struct door *door = *state;
    const char *line = "POST " F "/f/invocations";

    EXPECT(door, line, "", "{\"a\":}", 400, "InvalidRequestContentException",
           "Could not parse request body into json: at byte 5: a value is missing");
    EXPECT(door, line, "X-Amz-Invocation-Type: Later\r\n", "{}", 400, "invocationType");
    EXPECT(door, line, "X-Amz-Log-Type: All\r\n", "{}", 400, "logType");
    EXPECT(door, line, "X-Amz-Durable-Execution-Name: a b\r\n", "{}", 400, "durableExecutionName");
    EXPECT(door, line, "X-Amz-Tenant-Id: a;b\r\n", "{}", 400, "tenantId");
    EXPECT(door, line, "X-Amz-Client-Context: e30\r\n", "{}", 400, "Client context");
    EXPECT(door, line, "X-Amz-Client-Context: e3s=\r\n", "{}", 400, "Client context");
    assert_int_equal(fake.asks, 0);
}

static int ask_with_body(struct door *door, const char *headers, size_t len)
{
    char *body = malloc(len + 1);
    struct client client;
    struct reply reply;
    char head[256];

    assert_non_null(body);
    memset(body, ' ', len);
    body[len - 1] = '1';
    client_open_unix(&client, &door->http);
    (void)snprintf(head, sizeof head,
                   "POST " F "/f/invocations HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: "
                   "%zu\r\n\r\n",
                   headers, len);
    client_say(&client, head);
    client_send(&client, body, len);
    client_reply(&client, &reply);
    client_close(&client);
    free(body);
    assert_true(reply.status != 413 || strstr(reply.head, "RequestTooLargeException") != NULL);
    return reply.status;
}

static void test_payloads_have_lambdas_sizes(void **state)
{
    struct door *door = *state;

    assert_int_equal(ask_with_body(door, "", 6291456), 200);
    assert_int_equal(ask_with_body(door, "", 6291457), 413);
    assert_int_equal(ask_with_body(door, "X-Amz-Invocation-Type: Event\r\n", 1048576), 202);
    assert_int_equal(ask_with_body(door, "X-Amz-Invocation-Type: Event\r\n", 1048577), 413);
}

static void test_the_invocation_id_names_durable_executions_without_a_name(void **state)
{
    struct door *door = *state;

    fake_add_function("d", true);
    fake_add_function("f", false);
    EXPECT(door, "POST " F "/d%3A%24LATEST/invocations", "amz-sdk-invocation-id: 12-ab\r\n", "{}",
           200);
    expect_asked("name=12-ab");
    EXPECT(door, "POST " F "/d%3A%24LATEST/invocations",
           "amz-sdk-invocation-id: 12-ab\r\nX-Amz-Durable-Execution-Name: own\r\n", "{}", 200);
    expect_asked("name=own");
    EXPECT(door, "POST " F "/f/invocations", "amz-sdk-invocation-id: 12-ab\r\n", "{}", 200);
    assert_null(strstr(fake.asked, "name="));
}

static void test_a_client_that_leaves_abandons_its_invoke(void **state)
{
    struct door *door = *state;
    struct client client;

    fake.is_holding = true;
    client_open_unix(&client, &door->http);
    client_say(&client, "POST " F "/f/invocations HTTP/1.1\r\nHost: localhost\r\n"
                        "Content-Length: 2\r\n\r\n{}");
    WAIT_FOR(&door->http, fake.held_invoke != NULL);
    client_close(&client);
    WAIT_FOR(&door->http, fake.abandoned == 1);
    client_open_unix(&client, &door->http);
    client_say(&client, "GET " D " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    WAIT_FOR(&door->http, fake.held_execution != NULL);
    client_close(&client);
    WAIT_FOR(&door->http, fake.abandoned == 2);
}

static void test_an_invoke_is_answered_later(void **state)
{
    struct door *door = *state;
    struct reply reply;

    fake.is_holding = true;
    client_say(&door->client, "POST " F "/f/invocations HTTP/1.1\r\nHost: localhost\r\n"
                              "Content-Length: 2\r\n\r\n{}");
    WAIT_FOR(&door->http, fake.held_invoke != NULL);
    fake.answer.has_payload = true;
    fake.answer.result = bytes_of_text("null");
    fake_answer_invoke();
    client_reply(&door->client, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal((const char *)reply.body.data, "null");
}

/* --- durable executions ------------------------------------------------------------------- */

static void test_execution_paths_and_queries_are_read(void **state)
{
    struct door *door = *state;

    fake.json = "{\"Events\":[]}";
    EXPECT(door,
           "GET " D "/history?MaxItems=7&Marker=a%2Fb&ReverseOrder=true&IncludeExecutionData="
           "false",
           "", NULL, 200, "{\"Events\":[]}");
    assert_string_equal(fake.asked, "driver_get_history arn=" EXECUTION " marker=a/b items=7 "
                                    "reverse");
    EXPECT(door, "GET " D "/history?MaxItems=0", "", NULL, 200);
    expect_asked("items=100 data");
    EXPECT(door, "GET " D, "", NULL, 200);
    expect_asked("driver_get_execution arn=" EXECUTION " items=0 data");
    EXPECT(door, "GET " D "/history?MaxItems=1001", "", NULL, 400, "MaxItems");
    EXPECT(door, "GET " D "/history?ReverseOrder=1", "", NULL, 400, "ReverseOrder");
    EXPECT(door, "GET " D "/state?CheckpointToken=YQ%3D%3D&MaxItems=5", "", NULL, 200);
    expect_asked("driver_get_state arn=" EXECUTION " token=YQ== items=5");
    EXPECT(door, "GET " D "/state?CheckpointToken=-", "", NULL, 400, "Invalid Checkpoint Token");
}

static void test_stop_and_redrive(void **state)
{
    struct door *door = *state;

    EXPECT(door, "POST " D "/stop", "",
           "{\"ErrorType\":\"T\",\"ErrorMessage\":\"M\",\"ErrorData\":\"D\",\"StackTrace\":[\"a\","
           "\"b\"],\"Unknown\":1}",
           200, "{\"StopTimestamp\":1764802628.830}");
    assert_string_equal(fake.asked, "driver_stop arn=" EXECUTION " error=T message=M data=D "
                                    "stack=2 items=0");
    EXPECT(door, "POST " D "/stop", "", "{}", 200);
    EXPECT(door, "POST " D "/stop", "", "{\"ErrorType\":7}", 400, "ErrorType must be a string");
    EXPECT(door, "POST " D "/stop", "", "[]", 400, "it is not an object");
    EXPECT(door, "POST /pawl/v1/executions/" EXECUTION_PATH "/redrive", "", "{}", 200, "{}");
    expect_asked("driver_redrive arn=" EXECUTION);
    fake.error = (struct driver_error){
        .http_status = 404, .name = "ResourceNotFoundException", .message = "gone"};
    EXPECT(door, "POST " D "/stop", "", "{}", 404, "ResourceNotFoundException");
}

static void test_callbacks(void **state)
{
    struct door *door = *state;

    EXPECT(door, "POST " C "/succeed", "Content-Type: application/octet-stream\r\n", "any bytes",
           200, "{}");
    assert_string_equal(fake.asked, "driver_callback_succeed callback=a+/= payload=any bytes "
                                    "items=0");
    EXPECT(door, "POST " C "/fail", "", "{\"ErrorMessage\":\"no\"}", 200, "{}");
    assert_string_equal(fake.asked, "driver_callback_fail callback=a+/= message=no items=0");
    EXPECT(door, "POST " C "/heartbeat", "", "", 200, "{}");
    EXPECT(door, "POST /2025-12-01/durable-execution-callbacks/a-b/succeed", "", "", 400,
           "callbackId");
    fake.error = (struct driver_error){
        .http_status = 400, .name = "CallbackTimeoutException", .message = "late"};
    EXPECT(door, "POST " C "/succeed", "", "", 400, "CallbackTimeoutException");
}

static void test_checkpoints_become_updates(void **state)
{
    struct door *door = *state;

    fake.json = "{\"CheckpointToken\":\"Yg==\"}";
    EXPECT(door, "POST " D "/checkpoint", "",
           "{\"CheckpointToken\": \"YQ==\", \"ClientToken\": \"c\", \"Updates\": ["
           "{\"Id\":\"1\",\"Type\":\"STEP\",\"Action\":\"START\",\"Name\":\"n\",\"SubType\":"
           "\"Step\",\"ParentId\":\"0\"},"
           "{\"Id\":\"1\",\"Type\":\"STEP\",\"Action\":\"RETRY\",\"Error\":{\"ErrorType\":\"E\"},"
           "\"StepOptions\":{\"NextAttemptDelaySeconds\":9}},"
           "{\"Id\":\"2\",\"Type\":\"CALLBACK\",\"Action\":\"START\",\"CallbackOptions\":"
           "{\"TimeoutSeconds\":5,\"HeartbeatTimeoutSeconds\":6}},"
           "{\"Id\":\"3\",\"Type\":\"CHAINED_INVOKE\",\"Action\":\"START\",\"Payload\":\"\","
           "\"ChainedInvokeOptions\":{\"FunctionName\":\"g\"}},"
           "{\"Id\":\"4\",\"Type\":\"WAIT\",\"Action\":\"START\",\"WaitOptions\":{\"WaitSeconds\":"
           "7}},"
           "{\"Id\":\"5\",\"Type\":\"CONTEXT\",\"Action\":\"SUCCEED\",\"Payload\":\"p\","
           "\"ContextOptions\":{\"ReplayChildren\":true}}]}",
           200, "{\"CheckpointToken\":\"Yg==\"}");
    expect_asked("driver_checkpoint arn=" EXECUTION " token=YQ==");
    expect_asked("[STEP START id=1 parent=0 name=n sub=Step 0 0 0 0]");
    expect_asked("[STEP RETRY id=1 has_error step 9 0 0 0]");
    expect_asked("[CALLBACK START id=2 0 0 5 6]");
    expect_asked("[CHAINED_INVOKE START id=3 has_payload 0 0 0 0 function=g]");
    expect_asked("[WAIT START id=4 0 7 0 0]");
    expect_asked("[CONTEXT SUCCEED id=5 payload=p has_payload replay 0 0 0 0]");
    EXPECT(door, "POST " D "/checkpoint", "", "{\"CheckpointToken\":\"YQ==\",\"Updates\":[]}", 200);
}

static void test_malformed_checkpoints_are_refused(void **state)
{
    static const char *const updates[] = {
        "{\"Updates\":[]}",
        "{\"CheckpointToken\":\"\"}",
        "{\"CheckpointToken\":\"YQ==\",\"CheckpointToken\":\"YQ==\"}",
        "{\"CheckpointToken\":\"YQ==\",\"Updates\":{}}",
        "{\"CheckpointToken\":\"YQ==\",\"Updates\":[1]}",
        "{\"CheckpointToken\":\"YQ==\",\"Updates\":[{\"Id\":\"1\",\"Type\":\"STEP\"}]}",
        "{\"CheckpointToken\":\"YQ==\",\"Updates\":[{\"Id\":\"a b\",\"Type\":\"STEP\",\"Action\":"
        "\"START\"}]}",
        "{\"CheckpointToken\":\"YQ==\",\"Updates\":[{\"Id\":\"1\",\"Type\":\"LOOP\",\"Action\":"
        "\"START\"}]}",
        "{\"CheckpointToken\":\"YQ==\",\"Updates\":[{\"Id\":\"1\",\"Type\":\"WAIT\",\"Action\":"
        "\"START\",\"WaitOptions\":{\"WaitSeconds\":0}}]}",
        "{\"CheckpointToken\":\"YQ==\",\"Updates\":[{\"Id\":\"1\",\"Type\":\"STEP\",\"Action\":"
        "\"START\",\"Name\":\"\xc3\xbc\"}]}",
    };
    struct door *door = *state;

    for (size_t i = 0; i < sizeof updates / sizeof updates[0]; i++) {
        EXPECT(door, "POST " D "/checkpoint", "", updates[i], 400, "Exception");
    }
    assert_int_equal(fake.asks, 0);
}

/* --- lists ---------------------------------------------------------------------------------- */

static void test_lists_are_filtered_by_the_driver(void **state)
{
    struct door *door = *state;

    fake_add_function("f", true);
    fake.json = "{\"DurableExecutions\":[]}";
    EXPECT(door,
           "GET /2025-12-01/functions/f%3A%24LATEST/durable-executions?DurableExecutionName=n&"
           "Statuses=RUNNING&Statuses=FAILED&StartedAfter=2025-12-03T22%3A57%3A08.830Z&"
           "StartedBefore=2025-12-04T00%3A00%3A00%2B01%3A00&ReverseOrder=true&MaxItems=3&Marker=m",
           "", NULL, 200, "DurableExecutions");
    assert_string_equal(fake.asked, "list function=f version=$LATEST name=n marker=m statuses=10 "
                                    "after=1764802628830 before=1764802800000 items=3 kind=1 "
                                    "oldest");
    EXPECT(door, "GET /2025-12-01/functions/g/durable-executions", "", NULL, 404, "not found");
    EXPECT(door, "GET /2025-12-01/functions/f/durable-executions?Statuses=DONE", "", NULL, 400,
           "Statuses");
    EXPECT(door, "GET /2025-12-01/functions/f/durable-executions?StartedAfter=now", "", NULL, 400,
           "StartedAfter");
}

static void test_the_clients_list_is_passed_on(void **state)
{
    struct door *door = *state;

    fake.json = "{\"Executions\":[]}";
    EXPECT(door,
           "GET /pawl/v1/executions?Kind=event&Function=f&Status=FAILED&Since=10000&ReverseOrder="
           "true&MaxItems=100",
           "", NULL, 200, "{\"Executions\":[]}");
    assert_string_equal(fake.asked, "list function=f statuses=8 after=10000 before=0 items=100 "
                                    "kind=2 oldest pawl");
    EXPECT(door, "GET /pawl/v1/executions?Kind=both", "", NULL, 400, "Kind");
    EXPECT(door, "GET /pawl/v1/executions?Since=1h", "", NULL, 400, "Since");
    EXPECT(door, "GET /pawl/v1/executions?Sort=colour", "", NULL, 400, "Sort");
}

static void test_other_orders_are_made_here(void **state)
{
    struct door *door = *state;
    struct reply reply;

    fake.json = "{\"Executions\":["
                "{\"DurableExecutionArn\":\"1\",\"DurableExecutionName\":\"b\",\"StartTimestamp\":"
                "10.5,\"EndTimestamp\":11},"
                "{\"DurableExecutionArn\":\"2\",\"DurableExecutionName\":\"a\",\"StartTimestamp\":"
                "12,\"EndTimestamp\":20},"
                "{\"DurableExecutionArn\":\"3\",\"DurableExecutionName\":\"c\",\"StartTimestamp\":"
                "13,\"EndTimestamp\":14}]}";
    door_ask(door, "GET /pawl/v1/executions?Sort=name&MaxItems=2", "", NULL, &reply);
    assert_int_equal(reply.status, 200);
    assert_true(strstr((const char *)reply.body.data, "\"a\"") <
                strstr((const char *)reply.body.data, "\"b\""));
    assert_null(strstr((const char *)reply.body.data, "\"c\""));
    assert_non_null(strstr((const char *)reply.body.data, "\"NextMarker\":\"2\""));
    EXPECT(door, "GET /pawl/v1/executions?Sort=name&MaxItems=2&Marker=2", "", NULL, 200,
           "{\"Executions\":[{\"DurableExecutionArn\":\"3\"");
    EXPECT(door, "GET /pawl/v1/executions?Sort=duration&MaxItems=1", "", NULL, 200,
           "{\"Executions\":[{\"DurableExecutionArn\":\"2\"");
    EXPECT(door, "GET /pawl/v1/executions?Sort=end&MaxItems=1&ReverseOrder=true", "", NULL, 200,
           "{\"Executions\":[{\"DurableExecutionArn\":\"1\"");
}

static void test_sorting_without_an_end_is_given_up(void **state)
{
    struct door *door = *state;

    fake.json = "{\"Executions\":[],\"NextMarker\":\"more\"}";
    EXPECT(door, "GET /pawl/v1/executions?Sort=name", "", NULL, 400, "Narrow it down");
    fake.error = (struct driver_error){
        .http_status = 429, .name = "TooManyRequestsException", .message = "later"};
    EXPECT(door, "GET /pawl/v1/executions?Sort=name", "", NULL, 429, "later");
}

/* --- the operator ---------------------------------------------------------------------------- */

static void test_status_backup_and_verify(void **state)
{
    struct door *door = *state;

    EXPECT(door, "GET /pawl/v1/status", "", NULL, 200, "{\"Version\":\"" PAWL_VERSION "\"",
           "\"Fake\":true}");
    EXPECT(door, "POST /pawl/v1/verify", "", "{}", 200, "{\"Checked\":3,\"Damaged\":[]}");
    EXPECT(door, "POST /pawl/v1/backup", "", "{\"Directory\":\"/b\"}", 200, "{}");
    assert_string_equal(fake.backup, "/b");
    EXPECT(door, "POST /pawl/v1/backup", "", "{\"Directory\":\"b\"}", 400, "absolute path");
    EXPECT(door, "POST /pawl/v1/backup", "", "{}", 400, "absolute path");
    fake.backup_status = -1;
    EXPECT(door, "POST /pawl/v1/backup", "", "{\"Directory\":\"/b\"}", 500, "backup failed");
    fake.backup_status = 1;
    EXPECT(door, "POST /pawl/v1/backup", "", "{\"Directory\":\"/b\"}", 400, "cannot be made");
}

static void test_logs_are_streamed_to_their_end(void **state)
{
    struct door *door = *state;

    fake_add_function("f", true);
    fake.lines = "{\"a\":1}\n";
    fake.log_reads = 3;
    EXPECT(door, "GET /pawl/v1/logs/f?Since=10000&Execution=" EXECUTION_PATH, "", NULL, 200,
           "application/x-ndjson", "{\"a\":1}\n{\"a\":1}\n{\"a\":1}\n");
    expect_asked("logs function=f execution=" EXECUTION " since=10000 position=2");
    EXPECT(door, "GET /pawl/v1/logs/g", "", NULL, 404, "ResourceNotFoundException");
}

static void test_followed_logs_go_on_until_the_client_leaves(void **state)
{
    struct door *door = *state;
    struct client client;

    fake_add_function("f", true);
    fake.lines = "{\"a\":1}\n";
    client_open_unix(&client, &door->http);
    client_say(&client, "GET /pawl/v1/logs/f?Follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n");
    WAIT_FOR(&door->http, fake.follow != NULL);
    for (int i = 1; i <= 3; i++) {
        fake.log_reads = 1;
        fake.follow->wake(fake.follow);
        WAIT_FOR(&door->http, fake.log_reads == 0);
    }
    client_poll(&client);
    WAIT_FOR(&door->http, (client_poll(&client), client.received.len > 60));
    client_close(&client);
    WAIT_FOR(&door->http, fake.follow == NULL);
}

static void test_a_slow_reader_of_logs_is_waited_for(void **state)
{
    enum { LINE = 1 << 20, READS = 24 };
    struct door *door = *state;
    char *line = calloc(1, LINE + 1);
    struct client client;
    size_t total = 0;

    assert_non_null(line);
    memset(line, 'x', LINE);
    line[LINE - 1] = '\n';
    fake_add_function("f", true);
    fake.lines = line;
    fake.log_reads = READS;
    client_open_unix(&client, &door->http);
    client_say(&client, "GET /pawl/v1/logs/f HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for (int i = 0; i < 200; i++) {
        turn(&door->http);
    }
    assert_in_range(fake.log_reads, READS / 2, READS); /* nobody has read: it waits */
    while (!client.is_ended &&
           (client.received.len < 5 ||
            memcmp(client.received.data + client.received.len - 5, "0\r\n\r\n", 5) != 0)) {
        total += client.received.len > LINE ? client.received.len - 16 : 0;
        if (client.received.len > LINE) {
            buf_consume(&client.received, client.received.len - 16);
        }
        client_poll(&client);
        turn(&door->http);
    }
    assert_false(client.is_ended);
    assert_true(total + client.received.len > (size_t)READS * LINE);
    client_close(&client);
    free(line);
}

/* --- without memory -------------------------------------------------------------------------- */

static int allocations_left;

static void drop_error(int code, const char *file, int line, const char *text)
{
    (void)code;
    (void)file;
    (void)line;
    (void)text;
}

static bool may_allocate(size_t size)
{
    (void)size;
    return allocations_left-- > 0;
}

/* One request while the n-th allocation fails: answered, or the connection ends. */
static bool survives(struct door *door, const char *text, int n)
{
    struct client client;
    bool is_whole;

    client_open_unix(&client, &door->http);
    WAIT_FOR(&door->http, (turn(&door->http), true));
    allocations_left = n;
    mem_set_hook(may_allocate);
    (void)send(client.fd, text, strlen(text), MSG_NOSIGNAL);
    for (int i = 0; i < 20; i++) {
        turn(&door->http);
    }
    is_whole = allocations_left >= 0;
    mem_set_hook(NULL);
    WAIT_FOR(&door->http, (client_poll(&client), client.is_ended || client.received.len > 0));
    client_close(&client);
    return is_whole;
}

static void test_a_failed_allocation_ends_one_request(void **state)
{
    static const char *const texts[] = {
        "POST " F "/f/invocations HTTP/1.1\r\nHost: x\r\nX-Amz-Log-Type: Tail\r\n"
        "X-Amz-Client-Context: e30=\r\nContent-Length: 2\r\n\r\n{}",
        "POST /2021-11-15/functions/f/response-streaming-invocations HTTP/1.1\r\nHost: x\r\n"
        "X-Amz-Log-Type: Tail\r\nContent-Length: 2\r\n\r\n{}",
        "POST " F " HTTP/1.1\r\nHost: x\r\nContent-Length: 130\r\n\r\n"
        "{\"FunctionName\":\"g\",\"Role\":\"r\",\"Runtime\":\"x\",\"Handler\":\"h\",\"Code\":"
        "{\"ZipFile\":\"UEsF\"},\"Environment\":{\"Variables\":{\"A\":\"123456\"}}}  ",
        "GET " F "/f HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST " D "/checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 126\r\n\r\n"
        "{\"CheckpointToken\":\"YQ==\",\"Updates\":[{\"Id\":\"1\",\"Type\":\"STEP\",\"Action\":"
        "\"FAIL\",\"Error\":{\"ErrorType\":\"T\",\"StackTrace\":[\"a\"]}}]}  ",
        "GET /pawl/v1/executions?Sort=name HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /pawl/v1/logs/f HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /pawl/v1/status HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    struct door *door = *state;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int n = 0;

        fake_reset();
        fake_add_function("f", true);
        fake.answer.log_tail = bytes_of_text("tail");
        fake.json = "{\"Executions\":[{\"DurableExecutionArn\":\"1\"}]}";
        fake.lines = "{}\n";
        fake.log_reads = 1000;
        err_set_sink(drop_error);
        while (!survives(door, texts[i], n)) {
            fake.log_reads = 2;
            n++;
            assert_true(n < 200);
        }
        err_set_sink(NULL);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        UNIX(test_no_route_is_reached_over_tcp_without_credentials),
        UNIX(test_the_token_opens_every_route_but_the_operators),
        UNIX(test_a_token_does_not_help_with_a_foreign_host_or_an_origin),
        UNIX(test_no_two_routes_have_the_same_method_and_path),
        UNIX(test_a_large_body_without_credentials_is_refused_before_it_is_read),
        UNIX(test_every_answer_has_a_request_id_of_its_own),
        UNIX(test_errors_have_lambdas_form),
        UNIX(test_unknown_operations_are_named),
        UNIX(test_access_keys_are_told_with_their_secret_once),
        UNIX(test_access_keys_are_switched_and_removed),
        UNIX(test_refusals_of_access_keys_are_named),
        UNIX(test_invoke_carries_headers_both_ways),
        UNIX(test_function_errors_are_200_with_a_header),
        UNIX(test_events_are_202_and_dry_runs_204),
        UNIX(test_errors_of_the_driver_are_passed_on),
        UNIX(test_wrong_invokes_do_not_reach_the_driver),
        UNIX(test_payloads_have_lambdas_sizes),
        UNIX(test_the_invocation_id_names_durable_executions_without_a_name),
        UNIX(test_a_client_that_leaves_abandons_its_invoke),
        UNIX(test_an_invoke_is_answered_later),
        UNIX(test_execution_paths_and_queries_are_read),
        UNIX(test_stop_and_redrive),
        UNIX(test_callbacks),
        UNIX(test_checkpoints_become_updates),
        UNIX(test_malformed_checkpoints_are_refused),
        UNIX(test_lists_are_filtered_by_the_driver),
        UNIX(test_the_clients_list_is_passed_on),
        UNIX(test_other_orders_are_made_here),
        UNIX(test_sorting_without_an_end_is_given_up),
        UNIX(test_status_backup_and_verify),
        UNIX(test_logs_are_streamed_to_their_end),
        UNIX(test_followed_logs_go_on_until_the_client_leaves),
        UNIX(test_a_slow_reader_of_logs_is_waited_for),
        UNIX(test_a_failed_allocation_ends_one_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
