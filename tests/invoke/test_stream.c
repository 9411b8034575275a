/* InvokeWithResponseStream: frames as AWS's clients read them, and who waits for whom. */
#include <stdlib.h>

#include "engine/base/mem.h"
#include "invoke/event_stream.h"
#include "tests/invoke/door.h"

#define UNIX(name) cmocka_unit_test_setup_teardown(name, door_set_up, door_tear_down)
#define S "/2021-11-15/functions/f/response-streaming-invocations"
#define ASK                                                                                        \
    "POST " S " HTTP/1.1\r\nHost: localhost\r\nX-Amz-Log-Type: Tail\r\nContent-Length: 2\r\n"      \
    "\r\n{}"

static uint32_t get_u32(const uint8_t *in)
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

/* --- frames ------------------------------------------------------------------------------ */

static void test_checksums_are_those_of_zlib(void **state)
{
    /* The empty message of AWS's own test vectors. */
    static const uint8_t empty[] = {0, 0, 0, 16, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb};

    (void)state;
    assert_int_equal(event_stream_crc(0, bytes_of_text("123456789")), 0xCBF43926U);
    assert_int_equal(event_stream_crc(0, bytes_of_text("")), 0);
    assert_int_equal(event_stream_crc(0, bytes_of(empty, 8)), 0x05c248ebU);
    assert_int_equal(event_stream_crc(0, bytes_of(empty, 12)), 0x7d98c8ffU);
    assert_int_equal(
        event_stream_crc(event_stream_crc(0, bytes_of(empty, 5)), bytes_of(empty + 5, 7)),
        0x7d98c8ffU);
}

struct event {
    char type[32];
    char content_type[64];
    char message_type[16];
    struct bytes payload;
};

static void take_headers(struct event *event, struct bytes headers)
{
    while (headers.len > 0) {
        size_t name_len = headers.data[0];
        const char *name = (const char *)headers.data + 1;
        size_t value_len = (size_t)(headers.data[2 + name_len] << 8 | headers.data[3 + name_len]);
        const char *value = (const char *)headers.data + 4 + name_len;
        char *out = (strncmp(name, ":event-type", name_len) == 0)     ? event->type
                    : (strncmp(name, ":content-type", name_len) == 0) ? event->content_type
                                                                      : event->message_type;

        assert_int_equal(headers.data[1 + name_len], 7);
        assert_true(4 + name_len + value_len <= headers.len && value_len < 64);
        memcpy(out, value, value_len);
        out[value_len] = '\0';
        headers = bytes_of(headers.data + 4 + name_len + value_len,
                           headers.len - 4 - name_len - value_len);
    }
}

/* Takes the next frame off `stream`; every length and checksum is looked at. */
static struct event take_event(struct bytes *stream)
{
    struct event event = {0};
    uint32_t total;
    uint32_t headers;

    assert_true(stream->len >= 16);
    total = get_u32(stream->data);
    headers = get_u32(stream->data + 4);
    assert_true(total <= stream->len && headers + 16 <= total);
    assert_int_equal(event_stream_crc(0, bytes_of(stream->data, 8)), get_u32(stream->data + 8));
    assert_int_equal(event_stream_crc(0, bytes_of(stream->data, total - 4)),
                     get_u32(stream->data + total - 4));
    take_headers(&event, bytes_of(stream->data + 12, headers));
    assert_string_equal(event.message_type, "event");
    event.payload = bytes_of(stream->data + 12 + headers, total - headers - 16);
    *stream = bytes_of(stream->data + total, stream->len - total);
    return event;
}

static void expect_event(struct bytes *stream, const char *type, const char *payload)
{
    struct event event = take_event(stream);

    assert_string_equal(event.type, type);
    assert_string_equal(event.content_type, (strcmp(type, "PayloadChunk") == 0)
                                                ? "application/octet-stream"
                                                : "application/json");
    assert_true(bytes_equal(event.payload, bytes_of_text(payload)));
}

static void test_a_large_payload_is_several_chunks(void **state)
{
    struct buf buf = {0};
    struct buf text = {0};
    struct bytes stream;
    size_t len = 0;
    int count = 0;

    (void)state;
    for (int i = 0; i < 50000; i++) {
        buf_printf(&text, "%d,", i);
    }
    event_stream_put_chunks(&buf, buf_bytes(&text));
    for (stream = buf_bytes(&buf); stream.len > 0; count++) {
        struct event event = take_event(&stream);

        assert_true(event.payload.len <= EVENT_STREAM_CHUNK_BYTES);
        assert_memory_equal(event.payload.data, text.data + len, event.payload.len);
        len += event.payload.len;
    }
    assert_int_equal(len, text.len);
    assert_int_equal(count, (text.len + EVENT_STREAM_CHUNK_BYTES - 1) / EVENT_STREAM_CHUNK_BYTES);
    buf_fini(&buf);
    buf_fini(&text);
}

static int allocations_left;

static bool may_allocate(size_t size)
{
    (void)size;
    return allocations_left-- > 0;
}

static void test_a_frame_without_memory_is_no_frame(void **state)
{
    int n = 0;
    bool has_failed = true;

    (void)state;
    while (has_failed) {
        struct buf buf = {0};

        allocations_left = n++;
        mem_set_hook(may_allocate);
        event_stream_put_chunks(&buf, bytes_of_text("some payload"));
        event_stream_put_end(&buf, bytes_of_text("E"), bytes_of_text("d"), bytes_of_text("l"));
        mem_set_hook(NULL);
        has_failed = buf.failed;
        buf_fini(&buf);
        assert_true(n < 100);
    }
    assert_true(n > 1);
}

/* --- answers ------------------------------------------------------------------------------- */

static void test_what_came_at_once_is_streamed(void **state)
{
    struct door *door = *state;
    struct reply reply;
    struct bytes stream;

    fake.answer = (struct invoke_request){.has_payload = true,
                                          .result = bytes_of_text("{\"r\":1}"),
                                          .executed_version = "$LATEST",
                                          .log_tail = bytes_of_text("START x\n")};
    door_ask(door, "POST " S, "X-Amz-Log-Type: Tail\r\nX-Amz-Invocation-Type: RequestResponse\r\n",
             "{\"p\":1}", &reply);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.head, "content-type: application/vnd.amazon.eventstream\r\n"));
    assert_non_null(strstr(reply.head, "x-amz-executed-version: $LATEST\r\n"));
    assert_non_null(strstr(reply.head, "x-amzn-requestid: "));
    expect_asked("type=sync payload={\"p\":1} log");
    stream = reply.body;
    expect_event(&stream, "PayloadChunk", "{\"r\":1}");
    expect_event(&stream, "InvokeComplete", "{\"LogResult\":\"U1RBUlQgeAo=\"}");
    assert_int_equal(stream.len, 0);
}

static void test_an_error_of_the_function_ends_the_stream(void **state)
{
    struct door *door = *state;
    struct reply reply;
    struct bytes stream;

    fake.answer = (struct invoke_request){.has_payload = true,
                                          .result = bytes_of_text("{\"errorType\":\"E\"}"),
                                          .function_error = "Unhandled",
                                          .executed_version = "$LATEST"};
    door_ask(door, "POST " S, "", "", &reply);
    stream = reply.body;
    expect_event(
        &stream, "InvokeComplete",
        "{\"ErrorCode\":\"Unhandled\",\"ErrorDetails\":\"{\\\"errorType\\\":\\\"E\\\"}\"}");
    assert_int_equal(stream.len, 0);
}

static void test_refusals_are_ordinary_errors(void **state)
{
    struct door *door = *state;

    EXPECT(door, "POST " S, "X-Amz-Invocation-Type: Event\r\n", "{}", 400,
           "InvalidParameterValueException", "enum value set: [RequestResponse, DryRun]");
    EXPECT(door, "POST " S, "", "{", 400, "InvalidRequestContentException");
    assert_int_equal(fake.asks, 0);
    fake.answer.executed_version = "$LATEST";
    EXPECT(door, "POST " S, "X-Amz-Invocation-Type: DryRun\r\n", "{}", 204,
           "x-amz-executed-version: $LATEST");
    fake.error = (struct driver_error){.http_status = 429,
                                       .name = "TooManyRequestsException",
                                       .message = "Rate exceeded",
                                       .reason = "ConcurrentInvocationLimitExceeded"};
    EXPECT(door, "POST " S, "", "{}", 429, "retry-after: 1",
           "\"Reason\":\"ConcurrentInvocationLimitExceeded\"");
}

static void begin_stream(struct door *door)
{
    fake.is_holding = true;
    fake.answer.executed_version = "$LATEST";
    client_say(&door->client, ASK);
    WAIT_FOR(&door->http, fake.held_invoke != NULL);
}

static bool has_received(struct door *door, const char *text)
{
    client_poll(&door->client);
    return memmem(door->client.received.data, door->client.received.len, text, strlen(text)) !=
           NULL;
}

static void test_parts_are_sent_as_they_come(void **state)
{
    struct door *door = *state;
    struct reply reply;
    struct bytes stream;

    begin_stream(door);
    assert_true(fake_give_piece(bytes_of_text("first")));
    WAIT_FOR(&door->http, has_received(door, "first"));
    assert_true(fake_give_piece(bytes_of_text("second")));
    fake_answer_invoke();
    client_reply(&door->client, &reply);
    stream = reply.body;
    expect_event(&stream, "PayloadChunk", "first");
    expect_event(&stream, "PayloadChunk", "second");
    expect_event(&stream, "InvokeComplete", "{}");
    assert_int_equal(stream.len, 0);
}

static void test_an_error_after_the_first_part_is_in_the_last_frame(void **state)
{
    struct door *door = *state;
    struct reply reply;
    struct bytes stream;

    begin_stream(door);
    assert_true(fake_give_piece(bytes_of_text("half")));
    fake.answer.has_payload = true;
    fake.answer.function_error = "Unhandled";
    fake.answer.result = bytes_of_text("{}");
    fake_answer_invoke();
    client_reply(&door->client, &reply);
    stream = reply.body;
    expect_event(&stream, "PayloadChunk", "half");
    expect_event(&stream, "InvokeComplete",
                 "{\"ErrorCode\":\"Unhandled\",\"ErrorDetails\":\"{}\"}");
    begin_stream(door);
    assert_true(fake_give_piece(bytes_of_text("half")));
    fake.error = (struct driver_error){
        .http_status = 500, .name = "ServiceException", .message = "It is gone."};
    fake_answer_invoke();
    client_reply(&door->client, &reply);
    stream = reply.body;
    expect_event(&stream, "PayloadChunk", "half");
    expect_event(&stream, "InvokeComplete",
                 "{\"ErrorCode\":\"ServiceException\",\"ErrorDetails\":\"It is gone.\"}");
}

static void test_a_slow_client_pauses_the_function(void **state)
{
    struct door *door = *state;
    struct buf piece = {0};
    struct reply reply;
    size_t given = 0;
    size_t received = 0;

    begin_stream(door);
    for (int i = 0; i < 100000; i++) {
        buf_append(&piece, "0123456789", 10);
    }
    do {
        given += piece.len;
        assert_true(given < (64U << 20)); /* the socket takes only so much */
    } while (fake_give_piece(buf_bytes(&piece)));
    for (int i = 0; i < 50; i++) {
        turn(&door->http);
    }
    assert_int_equal(fake.resumed, 0);
    WAIT_FOR(&door->http, (client_poll(&door->client), fake.resumed == 1));
    fake_answer_invoke();
    client_reply(&door->client, &reply);
    for (struct bytes stream = reply.body; stream.len > 0;) {
        struct event event = take_event(&stream);

        received += (strcmp(event.type, "PayloadChunk") == 0) ? event.payload.len : 0;
    }
    assert_int_equal(received, given);
    buf_fini(&piece);
}

static void test_a_client_that_leaves_in_the_middle_abandons_it(void **state)
{
    struct door *door = *state;
    struct client client;

    fake.is_holding = true;
    fake.answer.executed_version = "$LATEST";
    for (int parts = 0; parts < 2; parts++) {
        client_open_unix(&client, &door->http);
        client_say(&client, ASK);
        WAIT_FOR(&door->http, fake.held_invoke != NULL);
        if (parts > 0) {
            assert_true(fake_give_piece(bytes_of_text("half")));
        }
        client_close(&client);
        WAIT_FOR(&door->http, fake.abandoned == parts + 1);
    }
}

static void test_who_does_not_stop_is_cut_off(void **state)
{
    struct door *door = *state;
    struct buf piece = {0};

    begin_stream(door);
    for (int i = 0; i < 100000; i++) {
        buf_append(&piece, "0123456789", 10);
    }
    for (int i = 0; fake.abandoned == 0; i++) {
        assert_true(i < 100);
        (void)fake_give_piece(buf_bytes(&piece));
    }
    assert_null(fake.held_invoke);
    buf_fini(&piece);
}

/* --- InvokeAsync ------------------------------------------------------------------------------ */

static void test_invoke_async_is_an_event(void **state)
{
    struct door *door = *state;
    const char *line = "POST /2014-11-13/functions/f/invoke-async";

    EXPECT(door, line, "X-Amz-Invocation-Type: DryRun\r\namz-sdk-invocation-id: 7\r\n", "{\"a\":1}",
           202, "");
    assert_string_equal(fake.asked, "invoke function=f type=event payload={\"a\":1}");
    EXPECT(door, line, "", "{", 400, "InvalidRequestContentException");
    fake.error = (struct driver_error){.http_status = 404,
                                       .name = "ResourceNotFoundException",
                                       .message = "Function not found: f"};
    EXPECT(door, line, "", "{}", 404, "ResourceNotFoundException");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checksums_are_those_of_zlib),
        cmocka_unit_test(test_a_large_payload_is_several_chunks),
        cmocka_unit_test(test_a_frame_without_memory_is_no_frame),
        UNIX(test_what_came_at_once_is_streamed),
        UNIX(test_an_error_of_the_function_ends_the_stream),
        UNIX(test_refusals_are_ordinary_errors),
        UNIX(test_parts_are_sent_as_they_come),
        UNIX(test_an_error_after_the_first_part_is_in_the_last_frame),
        UNIX(test_a_slow_client_pauses_the_function),
        UNIX(test_a_client_that_leaves_in_the_middle_abandons_it),
        UNIX(test_who_does_not_stop_is_cut_off),
        UNIX(test_invoke_async_is_an_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
