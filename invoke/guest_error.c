/* Errors that a runtime posts: of an invocation, or of its init; and those that we find. */
#include <jansson.h>

#include "engine/base/json_scan.h"
#include "invoke/error_fit.h"
#include "invoke/guest_parts.h"

#define STACK_LINES_MAX 1000U
#define TYPE_MAX 128U

static struct bytes text_of(const json_t *document, const char *key)
{
    const json_t *value = json_object_get(document, key);

    return json_is_string(value) ? bytes_of(json_string_value(value), json_string_length(value))
                                 : (struct bytes){0};
}

/* Python says stackTrace, Node says trace; lines that are no strings are left out. */
static void read_stack(const json_t *document, struct arena *arena, struct error_object *error)
{
    const json_t *lines = json_object_get(document, "stackTrace");
    size_t count;

    lines = (lines != NULL) ? lines : json_object_get(document, "trace");
    count = json_is_array(lines) ? json_array_size(lines) : 0;
    count = (count < STACK_LINES_MAX) ? count : STACK_LINES_MAX;
    error->stack = (count > 0) ? arena_alloc(arena, count * sizeof *error->stack) : NULL;
    for (size_t i = 0; i < count && error->stack != NULL; i++) {
        const json_t *line = json_array_get(lines, i);

        if (json_is_string(line)) {
            error->stack[error->stack_count++] =
                bytes_of(json_string_value(line), json_string_length(line));
        }
    }
}

struct posted {
    json_t *json; /* what `error` points into */
    struct error_object error;
    struct buf encoded;
};

static void read_error(struct posted *posted, struct bytes body, struct bytes header,
                       struct arena *arena)
{
    *posted = (struct posted){0};
    if (json_scan(body, &json_limits_request, NULL)) {
        posted->json = json_loadb((const char *)body.data, body.len, JSON_ALLOW_NUL, NULL);
    }
    if (json_is_object(posted->json)) {
        posted->error.type = text_of(posted->json, "errorType");
        posted->error.message = text_of(posted->json, "errorMessage");
        read_stack(posted->json, arena, &posted->error);
    } else {
        posted->error.message = body;
    }
    if (posted->error.type.len == 0) {
        posted->error.type = (header.len > 0) ? header : bytes_of_text("Runtime.Unknown");
    }
    if (posted->error.type.len > TYPE_MAX) {
        posted->error.type.len = TYPE_MAX;
    }
    posted->encoded.failed = !error_fit(&posted->error, arena);
    wire_put_error(&posted->encoded, &posted->error);
}

static void release_error(struct posted *posted)
{
    json_decref(posted->json);
    buf_fini(&posted->encoded);
}

void guest_end_with_document(struct guest *guest, struct guest_run *run, struct bytes document,
                             struct bytes type, struct arena *arena)
{
    struct guest_end end = {.complete.outcome = OUTCOME_FAILED, .is_error = run->is_durable};
    struct posted posted;

    read_error(&posted, document, type, arena);
    end.complete.error = buf_bytes(&posted.encoded);
    end.error_type = arena_copy(arena, posted.error.type);
    end.document = json_is_object(posted.json) ? document : (struct bytes){0};
    if (posted.encoded.failed || end.error_type.data == NULL) {
        guest_fail_run(guest, run, "Runtime.OutOfMemory", "The daemon is out of memory.");
    } else {
        guest_end_run(guest, run, &end);
    }
    release_error(&posted);
}

void guest_take_error(struct guest *guest, struct http_request *request, struct guest_run *run)
{
    guest_end_with_document(guest, run, http_body(request),
                            http_header(request, "lambda-runtime-function-error-type"),
                            http_arena(request));
    guest_accept(request);
}

void guest_take_init_error(struct guest *guest, struct http_request *request)
{
    struct posted posted;

    read_error(&posted, http_body(request),
               http_header(request, "lambda-runtime-function-error-type"), http_arena(request));
    guest_fails_init(guest->place, posted.error.type, posted.error.message);
    guest_accept(request);
    release_error(&posted);
}

void guest_fail_run(struct guest *guest, struct guest_run *run, const char *type,
                    const char *message)
{
    const struct error_object error = {.type = bytes_of_text(type),
                                       .message = bytes_of_text(message)};
    struct guest_end end = {.complete.outcome = OUTCOME_FAILED,
                            .is_error = run->is_durable,
                            .error_type = bytes_of_text(type)};
    struct buf encoded = {0};

    wire_put_error(&encoded, &error);
    end.complete.error = buf_bytes(&encoded);
    guest_end_run(guest, run, &end);
    buf_fini(&encoded);
}
