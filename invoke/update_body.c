#include "invoke/update_body.h"

#include "invoke/member.h"
#include "sdk/wire/wire.h"

#define STACK_LINES_MAX 1000U
#define TENANT_ID_MAX 256U
#define FUNCTION_MAX 256U

/* --- ErrorObject ----------------------------------------------------------------------- */

static bool read_stack(const json_t *json, struct arena *arena, struct error_object *error,
                       struct problem *problem)
{
    json_t *lines = NULL;

    if (!member_array(json, "StackTrace", SIZE_MAX, &lines, problem)) {
        return false;
    }
    error->stack_count = json_array_size(lines);
    if (error->stack_count > STACK_LINES_MAX) {
        error->stack_count = STACK_LINES_MAX;
    }
    if (error->stack_count == 0) {
        return true;
    }
    error->stack = arena_alloc(arena, error->stack_count * sizeof *error->stack);
    if (error->stack == NULL) {
        return problem_memory(problem);
    }
    for (size_t i = 0; i < error->stack_count; i++) {
        const json_t *line = json_array_get(lines, i);

        if (!json_is_string(line)) {
            return problem_invalid(problem, "StackTrace must be a list of strings.");
        }
        error->stack[i] = bytes_of(json_string_value(line), json_string_length(line));
    }
    return true;
}

bool error_body_take(const json_t *json, struct arena *arena, struct error_object *ret_error,
                     struct problem *problem)
{
    struct error_object error = {0};

    if (json != NULL && !json_is_object(json)) {
        return problem_invalid(problem, "Error must be an object.");
    }
    if (!member_bytes(json, "ErrorType", SIZE_MAX, &error.type, problem) ||
        !member_bytes(json, "ErrorMessage", SIZE_MAX, &error.message, problem) ||
        !member_bytes(json, "ErrorData", SIZE_MAX, &error.data, problem) ||
        !read_stack(json, arena, &error, problem)) {
        return false;
    }
    *ret_error = error;
    return true;
}

bool error_body_read(const json_t *json, struct arena *arena, struct error_object *ret_error,
                     struct problem *problem)
{
    size_t len = (json != NULL) ? json_dumpb(json, NULL, 0, JSON_COMPACT) : 0;
    json_t *lines = NULL;

    if (!error_body_take(json, arena, ret_error, problem) ||
        !member_array(json, "StackTrace", STACK_LINES_MAX, &lines, problem)) {
        return false;
    }
    return len <= OP_ERROR_BYTES_MAX ||
           problem_invalid(problem, "Error object size must be less than %u bytes.",
                           OP_ERROR_BYTES_MAX);
}

/* --- OperationUpdate ---------------------------------------------------------------------- */

static bool is_id_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

bool update_is_id(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_id_char(text.data[i])) {
            return false;
        }
    }
    return true;
}

bool update_is_printable(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < 0x20 || text.data[i] > 0x7E) {
            return false;
        }
    }
    return true;
}

static bool read_id(const json_t *json, const char *key, struct bytes *id, struct problem *problem)
{
    return member_bytes(json, key, OP_ID_MAX, id, problem) &&
           (update_is_id(*id) ||
            problem_invalid(problem, "%s must satisfy the pattern [a-zA-Z0-9-_]+.", key));
}

static bool read_printable(const json_t *json, const char *key, size_t max, struct bytes *text,
                           struct problem *problem)
{
    return member_bytes(json, key, max, text, problem) &&
           (update_is_printable(*text) ||
            problem_invalid(problem, "%s must be printable ASCII.", key));
}

static bool read_names(const json_t *json, struct op_update *update, struct problem *problem)
{
    struct bytes type = {0};
    struct bytes action = {0};

    if (!read_id(json, "Id", &update->id, problem) ||
        !read_id(json, "ParentId", &update->parent_id, problem) ||
        !read_printable(json, "Name", OP_NAME_MAX, &update->name, problem) ||
        !read_printable(json, "SubType", OP_SUB_TYPE_MAX, &update->sub_type, problem) ||
        !member_bytes(json, "Type", UPDATE_WORD_MAX, &type, problem) ||
        !member_bytes(json, "Action", UPDATE_WORD_MAX, &action, problem)) {
        return false;
    }
    if (update->id.len == 0 || type.len == 0 || action.len == 0) {
        return problem_invalid(problem, "Each element of Updates needs Id, Type and Action.");
    }
    update->type = op_type_parse(type);
    update->action = op_action_parse(action);
    if (update->type == OP_NONE) {
        return problem_invalid(problem, "Unknown operation type.");
    }
    return update->action != OP_ACTION_NONE ||
           problem_invalid(problem, "Invalid action for the given operation type.");
}

static bool read_error(const json_t *json, struct arena *arena, struct op_update *update,
                       struct problem *problem)
{
    const json_t *given = member_get(json, "Error");
    struct error_object error;
    struct buf encoded = {0};

    if (given == NULL) {
        return true;
    }
    if (!error_body_read(given, arena, &error, problem)) {
        return false;
    }
    wire_put_error(&encoded, &error);
    update->has_error = true;
    update->error = arena_copy(arena, buf_bytes(&encoded));
    if (encoded.failed || update->error.data == NULL) {
        buf_fini(&encoded);
        return problem_memory(problem);
    }
    buf_fini(&encoded);
    return true;
}

static bool read_payload(const json_t *json, struct op_update *update, struct problem *problem)
{
    struct bytes payload = {0};

    if (!member_bytes(json, "Payload", EXEC_RESULT_BYTES_MAX, &payload, problem)) {
        return false;
    }
    update->has_payload = payload.data != NULL;
    update->payload = payload;
    return true;
}

static bool read_options(const json_t *json, struct op_update *update, struct problem *problem)
{
    json_t *step = NULL;
    json_t *wait = NULL;
    json_t *context = NULL;

    if (!member_object(json, "StepOptions", &step, problem) ||
        !member_object(json, "WaitOptions", &wait, problem) ||
        !member_object(json, "ContextOptions", &context, problem)) {
        return false;
    }
    update->has_step_options = step != NULL;
    return member_number(step, "NextAttemptDelaySeconds", 1, OP_DELAY_S_MAX, &update->delay_s,
                         problem) &&
           member_number(wait, "WaitSeconds", 1, OP_DELAY_S_MAX, &update->wait_s, problem) &&
           member_flag(context, "ReplayChildren", &update->replay_children, problem);
}

static bool read_callback_options(const json_t *json, struct op_update *update,
                                  struct problem *problem)
{
    json_t *callback = NULL;
    json_t *chained = NULL;

    return member_object(json, "CallbackOptions", &callback, problem) &&
           member_number(callback, "TimeoutSeconds", 0, OP_TIMEOUT_S_MAX, &update->timeout_s,
                         problem) &&
           member_number(callback, "HeartbeatTimeoutSeconds", 0, OP_TIMEOUT_S_MAX,
                         &update->heartbeat_s, problem) &&
           member_object(json, "ChainedInvokeOptions", &chained, problem) &&
           member_bytes(chained, "FunctionName", FUNCTION_MAX, &update->function, problem) &&
           member_bytes(chained, "TenantId", TENANT_ID_MAX, &update->tenant_id, problem) &&
           member_number(chained, "TimeoutSeconds", 0, OP_TIMEOUT_S_MAX, &update->timeout_s,
                         problem);
}

static bool read_update(const json_t *json, struct arena *arena, struct op_update *update,
                        struct problem *problem)
{
    if (!json_is_object(json)) {
        return problem_invalid(problem, "Each element of Updates must be an object.");
    }
    return read_names(json, update, problem) && read_payload(json, update, problem) &&
           read_error(json, arena, update, problem) && read_options(json, update, problem) &&
           read_callback_options(json, update, problem);
}

bool update_body_read(const json_t *updates, struct arena *arena, struct op_update **ret_updates,
                      size_t *ret_count, struct problem *problem)
{
    size_t count = json_array_size(updates);
    struct op_update *read;

    if (count > UPDATES_MAX) {
        return problem_invalid(problem, "Updates has more than %u elements.", UPDATES_MAX);
    }
    read = arena_alloc(arena, (count + 1) * sizeof *read);
    if (read == NULL) {
        return problem_memory(problem);
    }
    for (size_t i = 0; i < count; i++) {
        if (!read_update(json_array_get(updates, i), arena, &read[i], problem)) {
            return false;
        }
    }
    *ret_updates = read;
    *ret_count = count;
    return true;
}
