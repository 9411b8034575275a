/* The answers to an invoke. */
#include <assert.h>

#include "engine/base/json.h"
#include "engine/driver/state.h"

void invoke_answer_error(struct invoke_request *request, int status, const char *name,
                         const char *message)
{
    request->error = (struct driver_error){.http_status = status, .name = name, .message = message};
    request->cb(request);
}

void invoke_answer_throttled(struct invoke_request *request, const char *reason,
                             const char *message)
{
    request->error = (struct driver_error){.http_status = 429,
                                           .name = "TooManyRequestsException",
                                           .message = message,
                                           .reason = reason};
    request->cb(request);
}

static void put_member(struct buf *json, const char *key, struct bytes text)
{
    json_key(json, key);
    json_quoted(json, text);
}

void error_put(struct buf *json, const struct error_object *error)
{
    json_open(json, '{');
    put_member(json, "errorType", error->type);
    put_member(json, "errorMessage", error->message);
    error_put_stack(json, "stackTrace", error);
    json_close(json, '}');
}

static void put_error(struct buf *json, struct bytes encoded)
{
    struct error_object error = {0};
    struct arena arena;

    arena_init(&arena, 0);
    (void)wire_get_error(&arena, encoded, &error);
    error_put(json, &error);
    arena_fini(&arena);
}

void invoke_note_version(struct invoke_request *request, struct bytes version)
{
    assert(version.len < sizeof request->version);
    memcpy(request->version, version.data, version.len);
    request->version[version.len] = '\0';
    request->executed_version = request->version;
}

void invoke_answer_result(struct invoke_request *request, bool has_payload, struct bytes payload,
                          bool is_error, struct bytes error)
{
    struct buf json = {0};

    request->has_payload = has_payload;
    request->result = payload;
    if (is_error) {
        put_error(&json, error);
        request->function_error = "Unhandled";
        request->has_payload = true;
        request->result = buf_bytes(&json);
    }
    request->cb(request);
    buf_fini(&json);
}

void invoke_answer_document(struct invoke_request *request, struct bytes document)
{
    request->function_error = "Unhandled";
    request->has_payload = true;
    request->result = document;
    request->cb(request);
}
