/* Settings of functions (engine/driver/setting.h) behind routes: what is refused has
 * Lambda's names, and an answer leaves when what it tells is durable. */
#ifndef INVOKE_SETTING_CALL_H
#define INVOKE_SETTING_CALL_H

#include "engine/driver/setting.h"
#include "invoke/call.h"

/* The function that label 0 names, where it must not have a qualifier. NULL: answered. */
struct function *setting_call_function(struct call *call);

/* Sets, or with `json.data` NULL deletes; then call->out is the answer, or with 204 there is
 * none. A refusal is answered at once: either way the call is not the caller's any more. */
void setting_call_put(struct call *call, struct function *function, enum setting_kind kind,
                      struct bytes name, struct bytes json, int status);

/* For changes that are made elsewhere: their callback, with `arg` a struct setting_call, and
 * the answer to what they refuse (conditions of setting_put() and errors). */
struct setting_call {
    struct call *call;
    int status;
};
struct setting_call *setting_call_make(struct call *call, int status); /* NULL: answered */
void setting_call_done(void *arg, int status);
void setting_call_fail(struct call *call, int code);

#endif /* INVOKE_SETTING_CALL_H */
