/* The Runtime API over a real HTTP server, for a place that only remembers. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "engine/base/mem.h"
#include "engine/driver/state.h"
#include "invoke/guest_parts.h"
#include "sdk/wire/wire.h"
#include "tests/http/fixture.h"

#define RUNTIME "/2018-06-01/runtime"
#define ENDS_MAX 64

struct ended {
    uint64_t number;
    uint32_t outcome;
    bool is_error;
    bool has_payload;
    struct buf payload;
    struct buf document;
    char error_type[160];
    struct error_object error; /* in `arena` */
    struct arena arena;
};

/* What the driver has behind a guest. */
struct place {
    struct fixture http;
    struct service service;
    struct guest_ops ops;
    struct function_revision revision;
    void *guest;
    struct sockaddr_in address;
    struct client client;
    bool refuses;
    bool is_closed;
    int asking;
    int taken_back;
    int lost;
    struct ended ends[ENDS_MAX];
    int end_count;
    char init_type[160];
    char init_message[256];
    enum guest_reply reply; /* to each part */
    struct buf parts;
};

/* --- what the driver defines elsewhere ---------------------------------------------- */

const struct function_revision *guest_revision(const struct place *place)
{
    return &place->revision;
}

bool guest_asks(struct place *place)
{
    place->asking += place->refuses ? 0 : 1;
    return !place->refuses;
}

void guest_asks_no_more(struct place *place)
{
    place->taken_back++;
}

void guest_loses(struct place *place)
{
    place->lost++;
}

enum guest_reply guest_sends(struct place *place, uint64_t number, struct bytes part)
{
    assert_int_not_equal(number, 0);
    if (place->reply != GUEST_KEEP) {
        buf_append(&place->parts, part.data, part.len);
    }
    return place->reply;
}

bool guest_completes(struct place *place, uint64_t number, const struct guest_end *end)
{
    struct ended *ended = &place->ends[place->end_count++];

    assert_true(place->end_count < ENDS_MAX);
    ended->number = number;
    ended->outcome = end->complete.outcome;
    ended->is_error = end->is_error;
    ended->has_payload = end->complete.has_payload;
    buf_append(&ended->payload, end->complete.payload.data, end->complete.payload.len);
    buf_append(&ended->document, end->document.data, end->document.len);
    (void)snprintf(ended->error_type, sizeof ended->error_type, "%.*s", (int)end->error_type.len,
                   (const char *)end->error_type.data);
    arena_init(&ended->arena, 0);
    if (end->complete.error.len > 0) {
        assert_int_equal(wire_get_error(&ended->arena,
                                        arena_copy(&ended->arena, end->complete.error),
                                        &ended->error),
                         0);
    }
    return true;
}

void guest_fails_init(struct place *place, struct bytes type, struct bytes message)
{
    (void)snprintf(place->init_type, sizeof place->init_type, "%.*s", (int)type.len,
                   (const char *)type.data);
    (void)snprintf(place->init_message, sizeof place->init_message, "%.*s", (int)message.len,
                   (const char *)message.data);
}

void guest_on_closed(struct place *place)
{
    place->is_closed = true;
}

void driver_checkpoint_token(const struct driver *driver, const struct id *exec_id,
                             uint32_t attempt, uint32_t seq, char text[TOKEN_TEXT_MAX])
{
    (void)driver;
    (void)snprintf(text, TOKEN_TEXT_MAX, "T%02x/%u/%u", exec_id->bytes[0], attempt, seq);
}

void history_put_error_object(struct buf *json, struct bytes encoded)
{
    buf_append(json, encoded.data, encoded.len);
}

/* --- the fixture -------------------------------------------------------------------- */

static int listen_on_loopback(struct sockaddr_in *ret_address)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_address = address;
    return fd;
}

static void connect_client(struct place *place, struct client *client)
{
    *client = (struct client){.f = &place->http};
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client->fd >= 0);
    assert_int_equal(connect(client->fd, (struct sockaddr *)&place->address, sizeof place->address),
                     0);
    assert_int_equal(fcntl(client->fd, F_SETFL, O_NONBLOCK), 0);
}

static int open_place(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    struct fixture *f;

    assert_non_null(place);
    f = &place->http;
    assert_int_equal(uv_loop_init(&f->loop), 0);
    place->service = (struct service){
        .loop = &f->loop, .region = "us-east-1", .guest_budget.max = (uint64_t)64 << 20};
    place->reply = GUEST_KEEP;
    place->ops = guest_door(&place->service);
    place->guest = place->ops.open(place->ops.arg, place, listen_on_loopback(&place->address));
    assert_non_null(place->guest);
    connect_client(place, &place->client);
    *state = place;
    return 0;
}

static void close_guest(struct place *place)
{
    struct fixture *f = &place->http;

    place->ops.close(place->guest);
    assert_false(place->is_closed); /* later, from the loop */
    WAIT_FOR(f, place->is_closed);
}

static void drop_ends(struct place *place)
{
    for (int i = 0; i < place->end_count; i++) {
        buf_fini(&place->ends[i].payload);
        buf_fini(&place->ends[i].document);
        arena_fini(&place->ends[i].arena);
    }
    place->end_count = 0;
}

static int close_place(void **state)
{
    struct place *place = *state;
    struct fixture *f = &place->http;

    client_close(&place->client);
    if (!place->is_closed) {
        close_guest(place);
    }
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    drop_ends(place);
    buf_fini(&place->parts);
    free(place);
    return 0;
}

static const char request_id[] = "01900000-0000-7000-8000-000000000001";

static struct wire_invoke make_invoke(const char *payload)
{
    return (struct wire_invoke){.request_id = bytes_of_text(request_id),
                                .function_arn = bytes_of_text("arn:f:$LATEST"),
                                .deadline_ms = 1234567890123,
                                .has_payload = payload != NULL,
                                .payload = bytes_of_text((payload != NULL) ? payload : "")};
}

static void say_next(struct place *place)
{
    int before = place->asking;

    client_say(&place->client, "GET " RUNTIME "/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n");
    WAIT_FOR(&place->http, place->asking > before);
}

/* Asks, is given it, and reads it; its number is 7. */
static void give(struct place *place, const struct wire_invoke *invoke, struct reply *ret_reply)
{
    say_next(place);
    place->ops.invoke(place->guest, 7, invoke);
    client_reply(&place->client, ret_reply);
    assert_int_equal(ret_reply->status, 200);
}

static void give_any(struct place *place, bool is_durable)
{
    static const uint8_t exec_id[16] = {0xAB};
    struct wire_invoke invoke = make_invoke("{}");
    struct reply reply;

    invoke.is_durable = is_durable;
    invoke.execution_id = bytes_of(exec_id, sizeof exec_id);
    invoke.execution_arn = bytes_of_text("arn/durable-execution/n/u");
    give(place, &invoke, &reply);
}

static void post(struct place *place, const char *what, const char *headers, struct bytes body,
                 struct reply *ret_reply)
{
    char head[1024];

    (void)snprintf(head, sizeof head,
                   "POST " RUNTIME "/%s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n", what,
                   headers, body.len);
    client_say(&place->client, head);
    client_send(&place->client, (const char *)body.data, body.len);
    client_reply(&place->client, ret_reply);
}

static const struct ended *post_end(struct place *place, const char *what, const char *headers,
                                    const char *body)
{
    char path[128];
    struct reply reply;

    (void)snprintf(path, sizeof path, "invocation/%s/%s", request_id, what);
    post(place, path, headers, bytes_of_text(body), &reply);
    assert_int_equal(reply.status, 202);
    assert_int_equal(place->end_count, 1);
    assert_int_equal(place->ends[0].number, 7);
    return &place->ends[0];
}

static void expect_text(struct bytes text, const char *expected)
{
    if (!bytes_equal(text, bytes_of_text(expected))) {
        fail_msg("'%.*s' instead of '%s'", (int)text.len, (const char *)text.data, expected);
    }
}

static bool has(const char *head, const char *line)
{
    return strcasestr(head, line) != NULL;
}

/* --- what it is given --------------------------------------------------------------- */

static void test_an_event_is_the_payload_with_its_headers(void **state)
{
    struct wire_invoke invoke = make_invoke(" {\"a\" : 1} ");
    struct reply reply;

    invoke.trace_id = bytes_of_text("Root=1");
    invoke.client_context = bytes_of_text("{\"c\":1}");
    invoke.tenant_id = bytes_of_text("blue team");
    give(*state, &invoke, &reply);
    expect_text(reply.body, " {\"a\" : 1} ");
    assert_true(has(reply.head, "Lambda-Runtime-Aws-Request-Id: 01900000-0000-7000-8000-0000"));
    assert_true(has(reply.head, "Lambda-Runtime-Deadline-Ms: 1234567890123\r"));
    assert_true(has(reply.head, "Lambda-Runtime-Invoked-Function-Arn: arn:f:$LATEST\r"));
    assert_true(has(reply.head, "Lambda-Runtime-Trace-Id: Root=1\r"));
    assert_true(has(reply.head, "Lambda-Runtime-Client-Context: {\"c\":1}\r"));
    assert_true(has(reply.head, "Lambda-Runtime-Aws-Tenant-Id: blue team\r"));
}

static void test_what_is_not_there_has_no_header(void **state)
{
    struct wire_invoke invoke = make_invoke(NULL);
    struct reply reply;

    give(*state, &invoke, &reply);
    expect_text(reply.body, "{}");
    assert_false(has(reply.head, "Trace-Id"));
    assert_false(has(reply.head, "Client-Context"));
    assert_false(has(reply.head, "Tenant-Id"));
}

static void test_the_state_of_an_execution_is_its_event(void **state)
{
    static const uint8_t exec_id[16] = {0xAB};
    struct wire_operation operations[] = {
        {.id = bytes_of_text("s"),
         .type = OP_STEP,
         .status = OP_PENDING,
         .attempt = 1,
         .name = bytes_of_text("a \"name\""),
         .sub_type = bytes_of_text("Step"),
         .start_ms = 1500,
         .due_ms = 2500,
         .has_error = true,
         .error = bytes_of_text("ERROR")},
        {.id = bytes_of_text("w"),
         .type = OP_WAIT,
         .status = OP_SUCCEEDED,
         .parent_id = bytes_of_text("c"),
         .start_ms = 1600,
         .due_ms = 2600,
         .end_ms = 2601,
         .is_updated = true},
        {.id = bytes_of_text("c"),
         .type = OP_CONTEXT,
         .status = OP_SUCCEEDED,
         .start_ms = 1,
         .end_ms = 2,
         .has_result = true,
         .result = bytes_of_text("\"\xC3\xA9\n"),
         .replay_children = true},
    };
    struct wire_invoke invoke = make_invoke("[1]");
    struct reply reply;

    invoke.is_durable = true;
    invoke.attempt = 3;
    invoke.execution_id = bytes_of(exec_id, sizeof exec_id);
    invoke.execution_arn = bytes_of_text("arn:f/durable-execution/order-1/be30");
    invoke.start_ms = 1000;
    invoke.operations = operations;
    invoke.operation_count = 3;
    give(*state, &invoke, &reply);
    expect_text(
        reply.body,
        "{\"DurableExecutionArn\":\"arn:f/durable-execution/order-1/be30\","
        "\"CheckpointToken\":\"Tab/3/1\",\"InitialExecutionState\":{\"Operations\":["
        "{\"Id\":\"be30\",\"Name\":\"order-1\",\"Type\":\"EXECUTION\",\"StartTimestamp\":1000,"
        "\"Status\":\"STARTED\",\"ExecutionDetails\":{\"InputPayload\":\"[1]\"}},"
        "{\"Id\":\"s\",\"Name\":\"a \\\"name\\\"\",\"Type\":\"STEP\",\"SubType\":\"Step\","
        "\"StartTimestamp\":1500,\"Status\":\"PENDING\",\"StepDetails\":{\"Attempt\":1,"
        "\"NextAttemptTimestamp\":2500,\"Error\":ERROR}},"
        "{\"Id\":\"w\",\"ParentId\":\"c\",\"Type\":\"WAIT\",\"StartTimestamp\":1600,"
        "\"EndTimestamp\":2601,\"Status\":\"SUCCEEDED\","
        "\"WaitDetails\":{\"ScheduledEndTimestamp\":2600}},"
        "{\"Id\":\"c\",\"Type\":\"CONTEXT\",\"StartTimestamp\":1,\"EndTimestamp\":2,"
        "\"Status\":\"SUCCEEDED\",\"ContextDetails\":{\"Result\":\"\\\"\xC3\xA9\\n\","
        "\"ReplayChildren\":true}}]},\"UpdatedOperationIds\":[\"w\"]}");
}

/* --- asking ------------------------------------------------------------------------- */

static void test_questions_are_answered_in_their_order(void **state)
{
    struct place *place = *state;
    struct wire_invoke invoke = make_invoke("1");
    struct client other;
    struct reply reply;

    say_next(place);
    connect_client(place, &other);
    client_say(&other, "GET " RUNTIME "/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n");
    WAIT_FOR(&place->http, place->asking == 2);
    place->ops.invoke(place->guest, 7, &invoke);
    client_reply(&place->client, &reply);
    expect_text(reply.body, "1");
    invoke = make_invoke("2");
    place->ops.invoke(place->guest, 8, &invoke);
    client_reply(&other, &reply);
    expect_text(reply.body, "2");
    client_close(&other);
}

static void test_a_question_is_taken_back_with_its_connection(void **state)
{
    struct place *place = *state;
    struct wire_invoke invoke = make_invoke("1");

    say_next(place);
    (void)shutdown(place->client.fd, SHUT_RDWR);
    WAIT_FOR(&place->http, place->taken_back == 1);
    assert_int_equal(place->lost, 0);
    place->ops.invoke(place->guest, 7, &invoke);
    assert_int_equal(place->lost, 1);
}

static void test_a_question_that_may_not_be_asked_is_not_counted(void **state)
{
    struct place *place = *state;

    place->refuses = true;
    client_say(&place->client, "GET " RUNTIME "/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 50; i++) {
        turn(&place->http);
    }
    (void)shutdown(place->client.fd, SHUT_RDWR);
    for (int i = 0; i < 50; i++) {
        turn(&place->http);
    }
    assert_int_equal(place->taken_back, 0);
}

static void test_who_waits_when_it_is_closed_is_answered(void **state)
{
    struct place *place = *state;

    say_next(place);
    close_guest(place);
    assert_int_equal(place->taken_back, 0);
}

static void test_it_may_be_closed_while_a_response_comes(void **state)
{
    struct place *place = *state;
    char head[256];

    give_any(place, false);
    (void)snprintf(head, sizeof head,
                   "POST " RUNTIME "/invocation/%s/response HTTP/1.1\r\nHost: x\r\n"
                   "Content-Length: 100\r\n\r\nhalf",
                   request_id);
    client_say(&place->client, head);
    for (int i = 0; i < 20; i++) {
        turn(&place->http);
    }
    close_guest(place);
    assert_int_equal(place->end_count, 0);
}

/* --- responses ---------------------------------------------------------------------- */

static void test_a_response_ends_an_invocation(void **state)
{
    const struct ended *ended;

    give_any(*state, false);
    ended = post_end(*state, "response", "", "[1]");
    assert_int_equal(ended->outcome, OUTCOME_SUCCEEDED);
    expect_text(buf_bytes(&ended->payload), "[1]");
}

static void test_an_id_is_good_once(void **state)
{
    struct place *place = *state;
    char path[128];
    struct reply reply;

    (void)snprintf(path, sizeof path, "invocation/%s/response", request_id);
    post(place, path, "", bytes_of_text("0"), &reply);
    assert_int_equal(reply.status, 400);
    client_close(&place->client); /* it was answered before its body was read */
    connect_client(place, &place->client);
    give_any(place, false);
    (void)post_end(place, "response", "", "1");
    post(place, path, "", bytes_of_text("2"), &reply);
    assert_int_equal(reply.status, 400);
    assert_non_null(memmem(reply.body.data, reply.body.len, "InvalidRequestID", 16));
    assert_int_equal(place->end_count, 1);
}

static void test_a_forgotten_one_is_not_heard(void **state)
{
    struct place *place = *state;
    char path[128];
    struct reply reply;

    give_any(place, false);
    place->ops.forget(place->guest, 7);
    place->ops.forget(place->guest, 7);
    place->ops.resume(place->guest, 7);
    (void)snprintf(path, sizeof path, "invocation/%s/response", request_id);
    post(place, path, "", bytes_of_text("2"), &reply);
    assert_int_equal(reply.status, 400);
    assert_int_equal(place->end_count, 0);
}

static void test_one_that_is_forgotten_while_it_answers_may_end(void **state)
{
    struct place *place = *state;
    char head[256];
    struct reply reply;

    give_any(place, false);
    place->reply = GUEST_PAUSE;
    (void)snprintf(head, sizeof head,
                   "POST " RUNTIME "/invocation/%s/response HTTP/1.1\r\nHost: x\r\n"
                   "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
                   "Content-Length: 8\r\n\r\nhalf",
                   request_id);
    client_say(&place->client, head);
    WAIT_FOR(&place->http, place->parts.len == 4);
    place->ops.forget(place->guest, 7);
    client_say(&place->client, "rest");
    client_reply(&place->client, &reply);
    assert_int_equal(reply.status, 202);
    assert_int_equal(place->end_count, 0);
    assert_int_equal(place->parts.len, 4);
}

static void test_a_stream_waits_for_its_reader(void **state)
{
    struct place *place = *state;
    char head[256];
    struct reply reply;

    give_any(place, false);
    place->reply = GUEST_PAUSE;
    (void)snprintf(head, sizeof head,
                   "POST " RUNTIME "/invocation/%s/response HTTP/1.1\r\nHost: x\r\n"
                   "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
                   request_id);
    client_say(&place->client, head);
    WAIT_FOR(&place->http, place->parts.len == 4);
    client_say(&place->client, "4\r\nrest\r\n0\r\n\r\n");
    for (int i = 0; i < 50; i++) {
        turn(&place->http);
    }
    assert_int_equal(place->parts.len, 4);
    place->reply = GUEST_MORE;
    place->ops.resume(place->guest, 7);
    client_reply(&place->client, &reply);
    assert_int_equal(reply.status, 202);
    assert_int_equal(place->parts.len, 8);
    assert_int_equal(place->end_count, 1);
    assert_false(place->ends[0].has_payload);
}

static void begin_response(struct place *place, const char *headers)
{
    char head[512];

    (void)snprintf(head, sizeof head,
                   "POST " RUNTIME "/invocation/%s/response HTTP/1.1\r\nHost: x\r\n%s"
                   "Content-Length: 8\r\n\r\nhalf",
                   request_id, headers);
    client_say(&place->client, head);
}

static void test_a_response_that_is_sent_again_counts(void **state)
{
    struct place *place = *state;
    struct client first;
    struct reply reply;

    give_any(place, false);
    begin_response(place, "");
    for (int i = 0; i < 20; i++) {
        turn(&place->http);
    }
    first = place->client;
    connect_client(place, &place->client);
    expect_text(buf_bytes(&post_end(place, "response", "", "again")->payload), "again");
    client_say(&first, "rest");
    client_reply(&first, &reply);
    assert_int_equal(place->end_count, 1);
    client_close(&first);
}

static void test_of_two_responses_the_later_counts(void **state)
{
    struct place *place = *state;
    struct client first;
    struct reply reply;

    give_any(place, false);
    begin_response(place, "");
    for (int i = 0; i < 20; i++) {
        turn(&place->http);
    }
    first = place->client;
    connect_client(place, &place->client);
    begin_response(place, "");
    for (int i = 0; i < 20; i++) {
        turn(&place->http);
    }
    client_say(&first, "rest");
    client_reply(&first, &reply);
    assert_int_equal(place->end_count, 0);
    client_say(&place->client, "more");
    client_reply(&place->client, &reply);
    assert_int_equal(reply.status, 202);
    assert_int_equal(place->end_count, 1);
    expect_text(buf_bytes(&place->ends[0].payload), "halfmore");
    client_close(&first);
}

static void test_a_stream_that_has_begun_is_not_sent_again(void **state)
{
    struct place *place = *state;
    struct client first;
    struct reply reply;
    char path[128];

    give_any(place, false);
    place->reply = GUEST_MORE;
    begin_response(place, "Lambda-Runtime-Function-Response-Mode: streaming\r\n");
    WAIT_FOR(&place->http, place->parts.len == 4);
    first = place->client;
    connect_client(place, &place->client);
    (void)snprintf(path, sizeof path, "invocation/%s/response", request_id);
    post(place, path, "", bytes_of_text("again"), &reply);
    assert_int_equal(reply.status, 403);
    client_say(&first, "rest");
    client_reply(&first, &reply);
    assert_int_equal(reply.status, 202);
    assert_int_equal(place->end_count, 1);
    client_close(&first);
}

static void test_a_response_that_is_too_large_ends_it(void **state)
{
    struct place *place = *state;
    size_t len = GUEST_RESPONSE_BYTES_MAX + 1;
    char *body = malloc(len);
    char path[128];
    struct reply reply;

    assert_non_null(body);
    memset(body, 'x', len);
    give_any(place, false);
    (void)snprintf(path, sizeof path, "invocation/%s/response", request_id);
    post(place, path, "", bytes_of(body, len), &reply);
    assert_int_equal(reply.status, 413);
    assert_int_equal(place->end_count, 1);
    assert_int_equal(place->ends[0].outcome, OUTCOME_FAILED);
    expect_text(place->ends[0].error.type, "Function.ResponseSizeTooLarge");
    free(body);
}

/* --- errors ------------------------------------------------------------------------- */

static void test_an_error_is_kept_as_it_was_written(void **state)
{
    static const char text[] =
        "{\"errorType\":\"E\",\"errorMessage\":\"m\\u0000\",\"trace\":[\"a\",1,\"b\"]}";
    const struct ended *ended;

    give_any(*state, false);
    ended = post_end(*state, "error", "Lambda-Runtime-Function-Error-Type: Other\r\n", text);
    assert_int_equal(ended->outcome, OUTCOME_FAILED);
    assert_false(ended->is_error);
    expect_text(buf_bytes(&ended->document), text);
    expect_text(ended->error.type, "E");
    assert_int_equal(ended->error.message.len, 2);
    assert_int_equal(ended->error.stack_count, 2);
    expect_text(ended->error.stack[1], "b");
}

static void test_what_is_no_document_is_a_message(void **state)
{
    const struct ended *ended;

    give_any(*state, true);
    ended = post_end(*state, "error", "Lambda-Runtime-Function-Error-Type: Mine\r\n", "[broken");
    assert_true(ended->is_error);
    assert_int_equal(ended->document.len, 0);
    assert_string_equal(ended->error_type, "Mine");
    expect_text(ended->error.message, "[broken");
}

static void test_a_type_of_an_error_has_a_limit(void **state)
{
    static char text[1024];
    const struct ended *ended;

    (void)snprintf(text, sizeof text, "{\"errorType\":\"%0300d\"}", 7);
    give_any(*state, true);
    ended = post_end(*state, "error", "", text);
    assert_int_equal(strlen(ended->error_type), 128);
}

static void test_an_init_error_is_told(void **state)
{
    struct place *place = *state;
    struct reply reply;

    post(place, "init/error", "Lambda-Runtime-Function-Error-Type: Header\r\n",
         bytes_of_text("{\"errorMessage\":\"no luck\"}"), &reply);
    assert_int_equal(reply.status, 202);
    assert_string_equal(place->init_type, "Header");
    assert_string_equal(place->init_message, "no luck");
}

/* --- verdicts ----------------------------------------------------------------------- */

static void test_verdicts_are_read(void **state)
{
    static const struct {
        const char *body;
        uint32_t outcome;
        const char *payload; /* NULL: none */
    } rows[] = {
        {"{\"Status\":\"PENDING\"}", OUTCOME_PENDING, NULL},
        {"{\"Status\":\"SUCCEEDED\"}", OUTCOME_SUCCEEDED, NULL},
        {"{\"Status\":\"SUCCEEDED\",\"Result\":null}", OUTCOME_SUCCEEDED, NULL},
        {"{\"Status\":\"SUCCEEDED\",\"Result\":\"\"}", OUTCOME_SUCCEEDED, ""},
        {" {\"x\":[],\"Result\":\"\\u00e9\",\"Status\":\"SUCCEEDED\"} ", OUTCOME_SUCCEEDED,
         "\xC3\xA9"},
        {"{\"Status\":\"FAILED\"}", OUTCOME_FAILED, NULL},
        {"{\"Status\":\"FAILED\",\"Error\":{\"ErrorType\":\"E\"}}", OUTCOME_FAILED, NULL},
    };
    struct place *place = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        give_any(place, true);
        (void)post_end(place, "response", "", rows[i].body);
        assert_int_equal(place->ends[0].outcome, rows[i].outcome);
        assert_false(place->ends[0].is_error);
        assert_int_equal(place->ends[0].has_payload, rows[i].payload != NULL);
        expect_text(buf_bytes(&place->ends[0].payload),
                    (rows[i].payload != NULL) ? rows[i].payload : "");
        drop_ends(place);
    }
}

static void test_what_is_no_verdict_is_an_error(void **state)
{
    static const char *const bodies[] = {"",
                                         "{",
                                         "null",
                                         "[]",
                                         "\"SUCCEEDED\"",
                                         "{}",
                                         "{\"Status\":null}",
                                         "{\"Status\":1}",
                                         "{\"Status\":\"succeeded\"}",
                                         "{\"Status\":\"SUCCEEDED\\u0000\"}",
                                         "{\"Status\":\"SUCCEEDED\",\"Result\":1}",
                                         "{\"Status\":\"SUCCEEDED\",\"Result\":{}}",
                                         "{\"Status\":\"FAILED\",\"Error\":\"x\"}",
                                         "{\"Status\":\"FAILED\",\"Error\":[]}",
                                         "{\"Status\":\"FAILED\",\"Error\":{\"ErrorType\":1}}",
                                         "{\"Status\":\"FAILED\",\"Error\":{\"StackTrace\":[1]}}",
                                         "{\"Status\":\"PENDING\"} x",
                                         "{\"Status\":\"PENDING\",\"x\":\"\xFF\"}"};
    struct place *place = *state;

    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        give_any(place, true);
        (void)post_end(place, "response", "", bodies[i]);
        assert_true(place->ends[0].is_error);
        assert_string_equal(place->ends[0].error_type, "Pawl.InvalidDurableResponse");
        drop_ends(place);
    }
}

/* --- routes ------------------------------------------------------------------------- */

static void test_what_is_not_served_says_so(void **state)
{
    static const struct {
        const char *line;
        int status;
        const char *type;
    } rows[] = {
        {"GET " RUNTIME "/restore/next", 404, "Runtime.UnknownPath"},
        {"POST " RUNTIME "/invocation/next", 404, "Runtime.UnknownPath"},
        {"GET " RUNTIME "/", 404, "Runtime.UnknownPath"},
        {"POST /2020-01-01/extension/register", 403, "Extension.NotSupported"},
        {"PUT /2022-07-01/telemetry", 403, "Telemetry.NotSupported"},
        {"PUT /2020-08-15/logs", 403, "Telemetry.NotSupported"},
    };
    struct place *place = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        struct reply reply;

        (void)snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
                       rows[i].line);
        client_say(&place->client, text);
        client_reply(&place->client, &reply);
        assert_int_equal(reply.status, rows[i].status);
        assert_non_null(
            memmem(reply.body.data, reply.body.len, rows[i].type, strlen(rows[i].type)));
    }
}

static void test_a_function_has_so_many_connections(void **state)
{
    enum { ROOM = 64 + 4 - 1 };
    struct place *place = *state;
    struct client clients[ROOM + 1];
    struct reply reply;

    turn(&place->http);
    for (int i = 0; i <= ROOM; i++) {
        connect_client(place, &clients[i]);
        client_say(&clients[i], "GET " RUNTIME "/ HTTP/1.1\r\nHost: x\r\n\r\n");
        client_reply(&clients[i], &reply);
        assert_int_equal(reply.status, (i < ROOM) ? 404 : 503);
    }
    for (int i = 0; i <= ROOM; i++) {
        client_close(&clients[i]);
    }
}

/* Five errors that are nearly there are what it may hold; the next one waits for none. */
static void test_a_function_has_so_much_room_for_bodies(void **state)
{
    enum { ROOM = 5, LEN = 6200000 };
    struct place *place = *state;
    struct client clients[ROOM];
    char head[256];
    char *body = calloc(1, LEN);
    struct reply reply;

    assert_non_null(body);
    give_any(place, false);
    (void)snprintf(head, sizeof head,
                   "POST " RUNTIME "/invocation/%s/error HTTP/1.1\r\nHost: x\r\n"
                   "Content-Length: 6291556\r\n\r\n",
                   request_id);
    for (int i = 0; i < ROOM; i++) {
        connect_client(place, &clients[i]);
        client_say(&clients[i], head);
        client_send(&clients[i], body, LEN);
    }
    for (int i = 0; i < 50; i++) {
        turn(&place->http);
    }
    client_say(&place->client, head);
    client_reply(&place->client, &reply);
    assert_int_equal(reply.status, 503);
    for (int i = 0; i < ROOM; i++) {
        client_close(&clients[i]);
    }
    free(body);
}

/* --- memory ------------------------------------------------------------------------- */

static size_t allocations_left;

static bool fail_one(size_t size)
{
    (void)size;
    return allocations_left-- != 0;
}

static void turn_some(struct place *place)
{
    for (int i = 0; i < 12; i++) {
        turn(&place->http);
    }
}

/* A question, an event, an answer: whatever of it can be had. */
static void talk(struct place *place, const struct wire_invoke *invoke)
{
    static const char body[] = "{\"Status\":\"FAILED\",\"Error\":{\"StackTrace\":[\"l\"]}}";
    char head[512];
    int before = place->asking;

    client_say(&place->client, "GET " RUNTIME "/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n");
    turn_some(place);
    if (place->asking > before) {
        place->ops.invoke(place->guest, 7, invoke);
    }
    turn_some(place);
    (void)snprintf(head, sizeof head,
                   "POST " RUNTIME "/invocation/%s/response HTTP/1.1\r\nHost: x\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   request_id, sizeof body - 1, body);
    (void)send(place->client.fd, head, strlen(head), MSG_NOSIGNAL);
    turn_some(place);
}

static void start_over(struct place *place)
{
    client_close(&place->client);
    turn_some(place);
    place->ops.forget(place->guest, 7);
    drop_ends(place);
    connect_client(place, &place->client);
    turn_some(place);
}

static void test_no_allocation_is_taken_for_granted(void **state)
{
    static const uint8_t exec_id[16] = {0xAB};
    struct wire_operation operation = {
        .id = bytes_of_text("s"), .type = OP_STEP, .status = OP_STARTED, .start_ms = 1500};
    struct wire_invoke invoke = make_invoke("[1]");
    struct place *place = *state;
    bool has_failed = true;

    invoke.is_durable = true;
    invoke.execution_id = bytes_of(exec_id, sizeof exec_id);
    invoke.execution_arn = bytes_of_text("arn/durable-execution/n/u");
    invoke.operations = &operation;
    invoke.operation_count = 1;
    turn_some(place); /* it is accepted */
    for (size_t n = 0; has_failed; n++) {
        assert_true(n < 500);
        allocations_left = n;
        mem_set_hook(fail_one);
        talk(place, &invoke);
        mem_set_hook(NULL);
        has_failed = allocations_left > n; /* it went below zero */
        assert_true(place->end_count <= 1);
        assert_true(has_failed || place->end_count == 1);
        start_over(place);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_place, close_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_event_is_the_payload_with_its_headers),
        TEST(test_what_is_not_there_has_no_header),
        TEST(test_the_state_of_an_execution_is_its_event),
        TEST(test_questions_are_answered_in_their_order),
        TEST(test_a_question_is_taken_back_with_its_connection),
        TEST(test_a_question_that_may_not_be_asked_is_not_counted),
        TEST(test_who_waits_when_it_is_closed_is_answered),
        TEST(test_it_may_be_closed_while_a_response_comes),
        TEST(test_a_response_ends_an_invocation),
        TEST(test_an_id_is_good_once),
        TEST(test_a_forgotten_one_is_not_heard),
        TEST(test_one_that_is_forgotten_while_it_answers_may_end),
        TEST(test_a_stream_waits_for_its_reader),
        TEST(test_a_response_that_is_sent_again_counts),
        TEST(test_of_two_responses_the_later_counts),
        TEST(test_a_stream_that_has_begun_is_not_sent_again),
        TEST(test_a_response_that_is_too_large_ends_it),
        TEST(test_an_error_is_kept_as_it_was_written),
        TEST(test_what_is_no_document_is_a_message),
        TEST(test_a_type_of_an_error_has_a_limit),
        TEST(test_an_init_error_is_told),
        TEST(test_verdicts_are_read),
        TEST(test_what_is_no_verdict_is_an_error),
        TEST(test_what_is_not_served_says_so),
        TEST(test_a_function_has_so_many_connections),
        TEST(test_a_function_has_so_much_room_for_bodies),
        TEST(test_no_allocation_is_taken_for_granted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
