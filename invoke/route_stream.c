/* InvokeWithResponseStream: what the function answers goes to the client frame by frame, as
 * it comes; what came at once goes as chunks of it. The status is sent with the first
 * frame, so an error before it is an ordinary one, and later ones are in the last frame.
 *
 * A client that reads slowly is waited for: the function is told to pause, until what it
 * has said was taken. */
#include "invoke/base64.h"
#include "invoke/event_stream.h"
#include "invoke/invoke_read.h"
#include "invoke/routes.h"

#define UNREAD_BYTES_MAX (256U << 10) /* then the function waits */
#define UNREAD_BYTES_LOW (64U << 10)  /* until so little is left */

struct stream {
    struct invoke invoke;
    bool is_begun;
    struct buf frames;
};

static struct stream *stream_of(struct invoke_request *request)
{
    return container_of(container_of(request, struct invoke, request), struct stream, invoke);
}

/* --- the end ---------------------------------------------------------------------------- */

/* The stream goes with its call. */
static void end(struct stream *stream)
{
    struct call *call = stream->invoke.call;

    buf_fini(&stream->frames);
    buf_fini(&call->out);
    http_end(call->request);
}

static void abandon(struct stream *stream)
{
    driver_invoke_abandon(stream->invoke.call->service->driver, &stream->invoke.request);
}

static void on_gone(void *user)
{
    struct stream *stream = user;

    abandon(stream);
    if (stream->is_begun) {
        end(stream);
    } else {
        call_fail(stream->invoke.call, 408, "RequestTimeoutException", "The client has left.");
    }
}

/* --- frames ------------------------------------------------------------------------------- */

static void begin(struct stream *stream)
{
    struct call *call = stream->invoke.call;
    const struct invoke_request *request = &stream->invoke.request;
    char text[ID_TEXT_LEN + 1];

    if (stream->is_begun) {
        return;
    }
    id_format(&call->id, text);
    http_add_header(call->request, "x-amzn-requestid", bytes_of(text, ID_TEXT_LEN));
    http_add_header(call->request, "x-amz-executed-version",
                    bytes_of_text(request->executed_version));
    if (request->execution_arn.len > 0) {
        http_add_header(call->request, "x-amz-durable-execution-arn", request->execution_arn);
    }
    http_begin(call->request, 200, EVENT_STREAM_TYPE);
    stream->is_begun = true;
}

/* False: the client is gone, or what it was to be told could not be kept. */
static bool send_frames(struct stream *stream)
{
    bool is_sent = !stream->frames.failed &&
                   http_send(stream->invoke.call->request, buf_bytes(&stream->frames));

    stream->frames.len = 0;
    return is_sent;
}

/* --- pieces --------------------------------------------------------------------------------- */

static void on_read(void *user)
{
    struct stream *stream = user;

    driver_invoke_resume(stream->invoke.call->service->driver, &stream->invoke.request);
}

/* True when the function is to wait until the client has read. */
static bool pause_if_full(struct stream *stream)
{
    struct http_request *request = stream->invoke.call->request;

    if (http_unread(request) <= UNREAD_BYTES_MAX) {
        return false;
    }
    http_call_when_read(request, UNREAD_BYTES_LOW, on_read);
    return true;
}

static bool on_piece(struct invoke_request *request, struct bytes piece)
{
    struct stream *stream = stream_of(request);

    begin(stream);
    event_stream_put_chunks(&stream->frames, piece);
    if (!send_frames(stream)) {
        abandon(stream);
        end(stream);
        return true;
    }
    return !pause_if_full(stream);
}

/* --- the answer ------------------------------------------------------------------------------- */

static void put_end(struct stream *stream)
{
    const struct invoke_request *request = &stream->invoke.request;
    struct bytes code = bytes_of_text(request->function_error);
    struct bytes details = (code.len > 0) ? request->result : bytes_of("", 0);
    struct buf log = {0};

    if (request->error.name != NULL) { /* after it had begun */
        code = bytes_of_text(request->error.name);
        details = bytes_of_text(request->error.message);
    }
    if (stream->invoke.wants_log) {
        base64_append(&log, request->log_tail);
    }
    event_stream_put_end(&stream->frames, code, details, buf_bytes(&log));
    buf_fini(&log);
}

static void on_answer(struct invoke_request *request)
{
    struct stream *stream = stream_of(request);
    struct call *call = stream->invoke.call;

    if (request->error.name != NULL && !stream->is_begun) {
        call_fail_driver(call, &request->error);
        return;
    }
    if (request->type == INVOKE_DRY_RUN) {
        http_add_header(call->request, "x-amz-executed-version",
                        bytes_of_text(request->executed_version));
        call_respond(call, 204, NULL, bytes_of("", 0));
        return;
    }
    begin(stream);
    if (request->function_error == NULL && request->has_payload) {
        event_stream_put_chunks(&stream->frames, request->result);
    }
    put_end(stream);
    (void)send_frames(stream); /* who is gone is told nothing */
    end(stream);
}

void route_invoke_stream(struct call *call, const struct principal *principal)
{
    static const enum invoke_type types[] = {INVOKE_REQUEST_RESPONSE, INVOKE_DRY_RUN};
    struct stream *stream = call_alloc(call, sizeof *stream);

    if (stream == NULL) {
        return;
    }
    stream->invoke.call = call;
    stream->invoke.request.cb = on_answer;
    stream->invoke.request.on_piece = on_piece;
    if (invoke_read_type(&stream->invoke, types, sizeof types / sizeof types[0]) &&
        invoke_read_log_type(&stream->invoke) &&
        invoke_read(&stream->invoke, principal, "InvokeWithResponseStream")) {
        http_set_user(call->request, stream, on_gone);
        driver_invoke(call->service->driver, &stream->invoke.request);
    }
}
