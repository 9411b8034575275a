/* The answers to an invoke. */
#include "engine/base/json.h"
#include "engine/driver/state.h"

void invoke_answer_error(struct invoke_request *request, int status, const char *name,
                         const char *message)
{
    request->error = (struct driver_error){status, name, message};
    request->cb(request);
}

static void put_member(struct buf *json, const char *key, struct bytes text)
{
    json_key(json, key);
    json_quoted(json, text);
}

/* {"errorType","errorMessage","stackTrace"?} of an error object. */
static void put_error(struct buf *json, struct bytes encoded)
{
    struct error_object error = {0};
    struct arena arena;

    arena_init(&arena, 0);
    (void)wire_get_error(&arena, encoded, &error);
    json_open(json, '{');
    put_member(json, "errorType", error.type);
    put_member(json, "errorMessage", error.message);
    error_put_stack(json, "stackTrace", &error);
    json_close(json, '}');
    arena_fini(&arena);
}

void invoke_answer_result(struct invoke_request *request, bool has_payload, struct bytes payload,
                          bool is_error, struct bytes error)
{
    struct buf json = {0};

    request->executed_version = "$LATEST";
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
