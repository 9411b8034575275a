#include "engine/core/operation.h"

static const char *const type_texts[OP_TYPES] = {
    [OP_NONE] = "NONE",
    [OP_EXECUTION] = "EXECUTION",
    [OP_CONTEXT] = "CONTEXT",
    [OP_STEP] = "STEP",
    [OP_WAIT] = "WAIT",
    [OP_CALLBACK] = "CALLBACK",
    [OP_CHAINED_INVOKE] = "CHAINED_INVOKE",
};

static const char *const action_texts[OP_ACTIONS] = {
    [OP_ACTION_NONE] = "NONE", [OP_START] = "START", [OP_SUCCEED] = "SUCCEED",
    [OP_FAIL] = "FAIL",        [OP_RETRY] = "RETRY", [OP_CANCEL] = "CANCEL",
};

static const char *const status_texts[OP_STATUSES] = {
    [OP_STATUS_NONE] = "NONE",    [OP_STARTED] = "STARTED",     [OP_PENDING] = "PENDING",
    [OP_READY] = "READY",         [OP_SUCCEEDED] = "SUCCEEDED", [OP_FAILED] = "FAILED",
    [OP_CANCELLED] = "CANCELLED", [OP_TIMED_OUT] = "TIMED_OUT", [OP_STOPPED] = "STOPPED",
};

static const char *const exec_status_texts[EXEC_STATUSES] = {
    [EXEC_STATUS_NONE] = "NONE", [EXEC_RUNNING] = "RUNNING",     [EXEC_SUCCEEDED] = "SUCCEEDED",
    [EXEC_FAILED] = "FAILED",    [EXEC_TIMED_OUT] = "TIMED_OUT", [EXEC_STOPPED] = "STOPPED",
};

static const char *text_of(const char *const *texts, unsigned count, unsigned value)
{
    return (value < count) ? texts[value] : "UNKNOWN";
}

/* Index of `text`, or 0: the first entry of each table is never matched. */
static unsigned index_of(const char *const *texts, unsigned count, struct bytes text)
{
    for (unsigned i = 1; i < count; i++) {
        if (bytes_equal(bytes_of_text(texts[i]), text)) {
            return i;
        }
    }
    return 0;
}

const char *op_type_text(enum op_type type)
{
    return text_of(type_texts, OP_TYPES, type);
}

const char *op_action_text(enum op_action action)
{
    return text_of(action_texts, OP_ACTIONS, action);
}

const char *op_status_text(enum op_status status)
{
    return text_of(status_texts, OP_STATUSES, status);
}

const char *exec_status_text(enum exec_status status)
{
    return text_of(exec_status_texts, EXEC_STATUSES, status);
}

enum op_type op_type_parse(struct bytes text)
{
    return (enum op_type)index_of(type_texts, OP_TYPES, text);
}

enum op_action op_action_parse(struct bytes text)
{
    return (enum op_action)index_of(action_texts, OP_ACTIONS, text);
}

enum exec_status exec_status_parse(struct bytes text)
{
    return (enum exec_status)index_of(exec_status_texts, EXEC_STATUSES, text);
}
