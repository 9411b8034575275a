/* A response as it comes: kept until it is whole, or, where both the runtime and the
 * caller stream, handed on in parts. */
#include <string.h>

#include "invoke/base64.h"
#include "invoke/guest_parts.h"

#define TOO_LARGE_TEXT "maximum allowed payload size (6291556 bytes)."

struct guest_response {
    struct guest *guest;
    struct http_request *request;
    struct buf body;
    bool is_streaming;
    bool is_handed_on;                /* its parts have gone to the caller */
    char request_id[ID_TEXT_LEN + 1]; /* its run may be forgotten meanwhile */
};

/* NULL also when another response has taken its place. */
static struct guest_run *run_of(const struct guest_response *response)
{
    struct guest_run *run = guest_find_run(response->guest, bytes_of_text(response->request_id));

    return (run != NULL && run->response == response) ? run : NULL;
}

/* From here on nobody asks for more of it. */
static struct guest_run *finish(const struct guest_response *response)
{
    struct guest_run *run = run_of(response);

    if (run != NULL) {
        run->response = NULL;
    }
    return run;
}

/* --- its end ------------------------------------------------------------------------------ */

static void refuse_large(struct guest_response *response)
{
    struct guest_run *run = finish(response);

    buf_fini(&response->body);
    if (run != NULL) {
        guest_fail_run(response->guest, run, "Function.ResponseSizeTooLarge",
                       "Response payload size exceeded " TOO_LARGE_TEXT);
    }
    guest_refuse(response->request, 413, "RequestEntityTooLarge", "Exceeded " TOO_LARGE_TEXT);
}

/* An error in the middle of a stream comes behind it, in base64. */
static void end_streamed(struct guest_response *response, struct guest_run *run, struct bytes type)
{
    struct buf document = {0};

    if (!base64_decode(&document,
                       http_trailer(response->request, "lambda-runtime-function-error-body")) ||
        document.len == 0) {
        guest_fail_run(response->guest, run, "Runtime.StreamError", "The stream was broken off.");
    } else {
        guest_end_with_document(response->guest, run, buf_bytes(&document), type,
                                http_arena(response->request));
    }
    buf_fini(&document);
}

static void end_plain(struct guest_response *response, struct guest_run *run)
{
    struct bytes type = http_trailer(response->request, "lambda-runtime-function-error-type");
    const struct guest_end end = {
        .complete = {.outcome = OUTCOME_SUCCEEDED,
                     .has_payload = !response->is_handed_on && response->body.len > 0,
                     .payload = buf_bytes(&response->body)}};

    if (type.len > 0) {
        end_streamed(response, run, type);
    } else {
        guest_end_run(response->guest, run, &end);
    }
}

static void on_whole(struct guest_response *response)
{
    struct guest_run *run = finish(response);
    struct http_request *request = response->request;
    struct buf body = response->body;

    if (body.failed) {
        guest_refuse(request, 500, "Runtime.OutOfMemory", "The daemon is out of memory.");
    } else {
        if (run != NULL && run->is_durable) {
            guest_end_durable(response->guest, run, buf_bytes(&body), http_arena(request));
        } else if (run != NULL) {
            end_plain(response, run);
        }
        guest_accept(request);
    }
    buf_fini(&body);
}

/* --- its parts ---------------------------------------------------------------------------- */

static void keep(struct guest_response *response, const struct guest_run *run, struct bytes part)
{
    size_t max = run->is_durable ? GUEST_VERDICT_BYTES_MAX : GUEST_RESPONSE_BYTES_MAX;

    if (response->body.len + part.len > max) {
        refuse_large(response);
    } else {
        buf_append(&response->body, part.data, part.len);
    }
}

static void on_part(struct guest_response *response, struct bytes part)
{
    struct guest_run *run = run_of(response);

    if (run == NULL) {
        return; /* its caller has an answer already: read on, so that the runtime can end */
    }
    switch (response->is_streaming ? guest_sends(response->guest->place, run->number, part)
                                   : GUEST_KEEP) {
    case GUEST_KEEP:
        keep(response, run, part);
        break;
    case GUEST_PAUSE:
        response->is_handed_on = true;
        http_pause_body(response->request);
        break;
    case GUEST_MORE:
        response->is_handed_on = true;
        break;
    }
}

static void on_body(void *user, const struct http_piece *piece)
{
    struct guest_response *response = user;

    switch (piece->event) {
    case HTTP_BODY_PIECE:
        on_part(response, piece->bytes);
        break;
    case HTTP_BODY_END:
        on_whole(response);
        break;
    case HTTP_BODY_CUT:
        (void)finish(response);
        buf_fini(&response->body);
        guest_refuse(response->request, piece->status, "InvalidRequest", piece->reason);
        break;
    }
}

static void on_gone(void *user)
{
    (void)user; /* the body is cut, which is told beside this */
}

void guest_response_resume(struct guest_response *response)
{
    http_resume_body(response->request);
}

/* A second one is of a runtime that has lost its connection and tries again: the end of that
 * may be seen later. */
void guest_take_response(struct guest *guest, struct http_request *request, struct guest_run *run)
{
    struct guest_response *response = arena_alloc(http_arena(request), sizeof *response);

    if (response == NULL) {
        guest_refuse(request, 500, "Runtime.OutOfMemory", "The daemon is out of memory.");
        return;
    }
    if (run->response != NULL && run->response->is_handed_on) {
        guest_refuse(request, 403, "InvalidStateTransition", "A response is being sent already.");
        return;
    }
    response->guest = guest;
    response->request = request;
    response->is_streaming =
        !run->is_durable &&
        bytes_equal(http_header(request, "lambda-runtime-function-response-mode"),
                    bytes_of_text("streaming"));
    memcpy(response->request_id, run->request_id, sizeof response->request_id);
    run->response = response;
    http_set_user(request, response, on_gone);
    http_read_body(request, on_body);
}
