#include "invoke/log_stream.h"

#include "engine/base/mem.h"
#include "invoke/routes.h"

#define UNREAD_BYTES_MAX (256U << 10)
#define PACE_MS 20
#define READS_PER_TURN 4

/* --- the end --------------------------------------------------------------------------- */

static void after_close(uv_handle_t *handle)
{
    mem_free(handle);
}

/* The call goes with its answer. */
void log_stream_end(struct log_stream *stream)
{
    struct call *call = stream->call;

    if (stream->is_pumping) {
        stream->is_ending = true; /* by the pump, when it is done */
        return;
    }
    list_remove(&stream->link);
    if (stream->is_following) {
        logs_unfollow(stream->logs, &stream->follow);
    }
    uv_close((uv_handle_t *)stream->pace, after_close);
    buf_fini(&stream->lines);
    http_end(call->request);
}

static void on_gone(void *user)
{
    log_stream_end(user);
}

/* --- sending ---------------------------------------------------------------------------- */

static int take_line(void *arg, struct bytes line)
{
    struct log_stream *stream = arg;

    buf_append(&stream->lines, line.data, line.len);
    return stream->lines.failed ? 1 : 0;
}

/* One reading of the file as one piece. 1: there is more; 0: that was all; negative:
 * the stream cannot go on. */
static int send_some(struct log_stream *stream)
{
    int r = logs_read(stream->logs, stream->function, stream->execution, stream->since_ms,
                      &stream->position, take_line, stream);

    if (stream->lines.failed || !http_send(stream->call->request, buf_bytes(&stream->lines))) {
        return -1;
    }
    stream->lines.len = 0;
    return r;
}

static void pump(struct log_stream *stream);

static void on_pace(uv_timer_t *timer)
{
    pump(timer->data);
}

static int send_while_taken(struct log_stream *stream)
{
    int r = 1;

    for (int i = 0; i < READS_PER_TURN && r == 1; i++) {
        if (http_unread(stream->call->request) > UNREAD_BYTES_MAX) {
            return 1;
        }
        r = send_some(stream);
    }
    return r;
}

static void pump(struct log_stream *stream)
{
    int r;

    stream->is_pumping = true;
    r = send_while_taken(stream);
    stream->is_pumping = false;
    if (r < 0 || stream->is_ending || (r == 0 && !stream->is_endless)) {
        log_stream_end(stream);
    } else if (r == 1) {
        (void)uv_timer_start(stream->pace, on_pace, PACE_MS, 0);
    }
}

static void on_wake(struct logs_follow *follow)
{
    struct log_stream *stream = container_of(follow, struct log_stream, follow);

    /* Not from inside: the logs are in the middle of telling. */
    if (!uv_is_active((uv_handle_t *)stream->pace)) {
        (void)uv_timer_start(stream->pace, on_pace, 0, 0);
    }
}

/* --- the beginning ------------------------------------------------------------------------- */

static bool read_since(struct call *call, int64_t *ret_ms)
{
    struct bytes text;
    int64_t since_ms = 0;

    if (!call_query(call, "Since", &text)) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || text.len > 15) {
            call_fail(call, 400, "InvalidParameterValueException",
                      "Since must be epoch milliseconds.");
            return false;
        }
        since_ms = since_ms * 10 + (text.data[i] - '0');
    }
    *ret_ms = since_ms;
    return true;
}

static bool start_timer(struct log_stream *stream)
{
    stream->pace = mem_calloc(1, sizeof *stream->pace);
    if (stream->pace == NULL) {
        call_fail_memory(stream->call);
        return false;
    }
    (void)uv_timer_init(stream->call->service->loop, stream->pace); /* never fails */
    stream->pace->data = stream;
    return true;
}

static void begin(struct log_stream *stream)
{
    struct call *call = stream->call;
    char text[ID_TEXT_LEN + 1];

    id_format(&call->id, text);
    http_add_header(call->request, "x-amzn-requestid", bytes_of(text, ID_TEXT_LEN));
    http_begin(call->request, 200, "application/x-ndjson");
    list_push_back(&call->service->streams, &stream->link);
    http_set_user(call->request, stream, on_gone);
    if (stream->is_endless) {
        stream->follow.wake = on_wake;
        stream->follow.function = stream->function;
        stream->is_following = true;
        logs_follow(stream->logs, &stream->follow);
    }
    pump(stream);
}

void route_logs(struct call *call, const struct principal *principal)
{
    struct bytes qualifier;
    const struct function *function = call_function(call, 0, &qualifier);
    struct log_stream *stream = (function != NULL) ? call_alloc(call, sizeof *stream) : NULL;

    (void)principal;
    if (stream == NULL) {
        return;
    }
    stream->call = call;
    stream->logs = driver_logs(call->service->driver);
    stream->function = arena_copy(http_arena(call->request), bytes_of_text(function->name));
    if (stream->function.data == NULL) {
        call_fail_memory(call);
        return;
    }
    if (call_query(call, "Execution", &stream->execution) && read_since(call, &stream->since_ms) &&
        call_query_flag(call, "Follow", false, &stream->is_endless) && start_timer(stream)) {
        begin(stream);
    }
}
