/* Ordinary synchronous invokes: nothing of them is journaled. */
#include "engine/base/mem.h"
#include "engine/driver/state.h"

static const struct invocation_events plain_events;
static const struct invocation_events stream_events;

void plain_invoke(struct driver *driver, struct function_revision *revision,
                  struct invoke_request *request)
{
    struct run *run = run_create(driver);

    if (run == NULL) {
        invoke_answer_error(request, 500, "ServiceException", "The daemon is out of memory.");
        return;
    }
    function_revision_ref(revision);
    run->request = request;
    request->state = run;
    request->state_kind = INVOKE_STATE_RUN;
    run->invocation.revision = revision;
    run->invocation.events = (request->on_piece != NULL) ? &stream_events : &plain_events;
    run->invocation.request_id =
        id_is_none(&request->request_id) ? driver_make_id(driver) : request->request_id;
    run->invocation.tenant_id = request->tenant_id;
    run->invocation.wants_log_tail = request->wants_log_tail;
    pool_invoke(driver->pool, &run->invocation);
}

static void on_plain_placed(struct invocation *invocation, uint64_t environment)
{
    struct run *run = container_of(invocation, struct run, invocation);
    const struct invoke_request *request = run->request;
    struct arena arena;
    struct wire_invoke invoke;
    char request_id[ID_TEXT_LEN + 1];

    run->environment = environment;
    if (request == NULL) {
        return; /* canceled a moment ago */
    }
    id_format(&invocation->request_id, request_id);
    arena_init(&arena, 0);
    invoke = (struct wire_invoke){
        .request_id = bytes_of_text(request_id),
        .function_arn =
            arn_qualify(&arena, invocation->revision->function, request->asked_qualifier),
        .deadline_ms = driver_now_ms() + (int64_t)invocation->revision->config.timeout_s * 1000,
        .has_payload = request->payload.len > 0,
        .payload = request->payload,
        .tenant_id = request->tenant_id,
        .trace_id = trace_of_run(&arena, request->trace_id, &invocation->request_id,
                                 &invocation->revision->function->id),
        .client_context = request->client_context,
    };
    run->is_sent = true;
    invocation_invoke(run->driver->pool, invocation, &arena, &invoke, &run->answer);
    arena_fini(&arena);
}

static void on_plain_message(struct invocation *invocation, enum wire_type type, struct bytes body)
{
    /* libpawl does not send these for an ordinary function; nobody waits for them. */
    (void)invocation;
    (void)type;
    (void)body;
}

static void answer_plain(struct run *run, const struct invocation_end *end)
{
    struct invoke_request *request = run->request;
    uint8_t encoded[ERROR_TEXT_MAX];

    request->log_tail = invocation_log_tail(&run->invocation);
    if (!end->is_complete && strcmp(end->error_type, "TooManyRequestsException") == 0) {
        invoke_answer_throttled(request, end->reason, end->error_message);
    } else if (end->document.len > 0) {
        invoke_answer_document(request, end->document);
    } else if (!end->is_complete) {
        invoke_answer_result(request, false, (struct bytes){0}, true,
                             error_encode(encoded, end->error_type, end->error_message));
    } else {
        invoke_answer_result(request, end->complete.has_payload, end->complete.payload,
                             end->complete.outcome != OUTCOME_SUCCEEDED, end->complete.error);
    }
}

static void on_plain_ended(struct invocation *invocation, const struct invocation_end *end)
{
    struct run *run = container_of(invocation, struct run, invocation);

    if (run->request != NULL) {
        run->request->state = NULL;
        run->driver->answered++;
        answer_plain(run, end);
    }
    run_free(run);
}

static const struct invocation_events plain_events = {
    .on_placed = on_plain_placed,
    .on_message = on_plain_message,
    .on_ended = on_plain_ended,
};

/* --- responses in parts ----------------------------------------------------------------- */

void plain_resume(struct run *run)
{
    if (run->is_paused) {
        run->is_paused = false;
        run->invocation.resume(&run->invocation);
    }
}

/* The caller learns it now; the handler runs to its end, and nobody listens. */
static void end_too_large(struct run *run)
{
    struct invoke_request *request = run->request;
    uint8_t encoded[ERROR_TEXT_MAX];

    request->state = NULL;
    request->log_tail = invocation_log_tail(&run->invocation);
    run->driver->answered++;
    invoke_answer_result(request, false, (struct bytes){0}, true,
                         error_encode(encoded, "Function.ResponseSizeTooLarge",
                                      "A streamed response has at most 209715200 bytes."));
    plain_abandon(run);
}

static bool on_plain_piece(struct invocation *invocation, struct bytes piece)
{
    struct run *run = container_of(invocation, struct run, invocation);
    bool wants_more;

    if (run->request == NULL) {
        return true; /* dropped: the handler is not kept waiting for nobody */
    }
    run->streamed_bytes += piece.len;
    if (run->streamed_bytes > INVOKE_STREAM_BYTES_MAX) {
        end_too_large(run);
        return true;
    }
    wants_more = run->request->on_piece(run->request, piece);
    run->is_paused = !wants_more && run->request != NULL;
    return !run->is_paused;
}

static const struct invocation_events stream_events = {
    .on_placed = on_plain_placed,
    .on_message = on_plain_message,
    .on_piece = on_plain_piece,
    .on_ended = on_plain_ended,
};

void plain_abandon(struct run *run)
{
    run->request = NULL;
    run->invocation.tenant_id = (struct bytes){0};
    plain_resume(run);
    if (!run->is_sent) {
        invocation_cancel(run->driver->pool, &run->invocation, "the caller is gone");
    }
}
