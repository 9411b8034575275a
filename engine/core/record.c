#include "engine/core/record.h"

static const char *const kind_texts[RECORD_KINDS] = {
    [EXECUTION_STARTED] = "ExecutionStarted",
    [EXECUTION_SUCCEEDED] = "ExecutionSucceeded",
    [EXECUTION_FAILED] = "ExecutionFailed",
    [EXECUTION_STOPPED] = "ExecutionStopped",
    [EXECUTION_TIMED_OUT] = "ExecutionTimedOut",
    [CONTEXT_STARTED] = "ContextStarted",
    [CONTEXT_SUCCEEDED] = "ContextSucceeded",
    [CONTEXT_FAILED] = "ContextFailed",
    [STEP_STARTED] = "StepStarted",
    [STEP_SUCCEEDED] = "StepSucceeded",
    [STEP_FAILED] = "StepFailed",
    [WAIT_STARTED] = "WaitStarted",
    [WAIT_SUCCEEDED] = "WaitSucceeded",
    [WAIT_CANCELLED] = "WaitCancelled",
    [CALLBACK_STARTED] = "CallbackStarted",
    [CALLBACK_SUCCEEDED] = "CallbackSucceeded",
    [CALLBACK_FAILED] = "CallbackFailed",
    [CALLBACK_TIMED_OUT] = "CallbackTimedOut",
    [CHAINED_INVOKE_STARTED] = "ChainedInvokeStarted",
    [CHAINED_INVOKE_SUCCEEDED] = "ChainedInvokeSucceeded",
    [CHAINED_INVOKE_FAILED] = "ChainedInvokeFailed",
    [CHAINED_INVOKE_TIMED_OUT] = "ChainedInvokeTimedOut",
    [CHAINED_INVOKE_STOPPED] = "ChainedInvokeStopped",
    [INVOCATION_COMPLETED] = "InvocationCompleted",
    [NOTE_ATTEMPT_STARTED] = "attempt started",
    [NOTE_STEP_READY] = "step ready",
    [NOTE_HEARTBEAT] = "heartbeat",
    [NOTE_FAILURE_COUNTED] = "failure counted",
    [NOTE_CHAINED_RESULT] = "chained result",
    [NOTE_PARENT_NOTIFIED] = "parent notified",
    [NOTE_HELD] = "held",
    [NOTE_EXECUTION_RESULT] = "execution result",
    [NOTE_REDRIVEN] = "redriven",
};

const char *record_kind_text(enum record_kind kind)
{
    if (kind >= RECORD_KINDS || kind_texts[kind] == NULL) {
        return "unknown record";
    }
    return kind_texts[kind];
}

/* One protobuf field of wire type 2; texts up to 16,383 bytes fit the two bytes. */
static size_t put_field(uint8_t *out, uint8_t tag, const char *text, size_t len)
{
    size_t at = 0;

    out[at++] = (uint8_t)(tag << 3 | 2);
    if (len >= 0x80) {
        out[at++] = (uint8_t)(len | 0x80);
        out[at++] = (uint8_t)(len >> 7);
    } else {
        out[at++] = (uint8_t)len;
    }
    memcpy(out + at, text, len);
    return at + len;
}

struct bytes error_encode(uint8_t out[ERROR_TEXT_MAX], const char *type, const char *message)
{
    size_t type_len = strnlen(type, ERROR_TEXT_MAX / 4);
    size_t message_len = strnlen(message, ERROR_TEXT_MAX / 2);
    size_t len = put_field(out, 1, type, type_len);

    len += put_field(out + len, 2, message, message_len);
    return bytes_of(out, len);
}
