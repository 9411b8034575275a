/* A change of a function on its way: what a route asked for, and how that is answered. */
#ifndef INVOKE_FUNCTION_CHANGE_H
#define INVOKE_FUNCTION_CHANGE_H

#include "invoke/call.h"

enum function_change_kind { CHANGE_CREATE, CHANGE_UPDATE, CHANGE_PUBLISH, CHANGE_DELETE };

/* In the call's arena. The archive is on the heap: it is larger than an arena should be. */
struct function_change {
    struct call *call;
    enum function_change_kind kind;
    struct function_config config;
    struct buf archive;
    struct bytes name;
    bool publishes;
};

/* NULL: answered. */
struct function_change *function_change_make(struct call *call, enum function_change_kind kind,
                                             struct bytes name);

/* A function_changed_cb: answers, with the version when one was published. */
void function_change_done(void *arg, struct function *function, const char *error);

/* Instead, when nothing was begun: `code` is one of enum FUNCTION_..., or an error. */
void function_change_refuse(struct function_change *change, int code);
void function_change_fail(struct function_change *change, const struct problem *problem);

/* The last version of a function, as an answer. */
void function_change_answer_version(struct call *call, int status, const struct function *function,
                                    bool is_qualified);

/* Lambda's optimistic lock: the member RevisionId. False: answered. */
bool function_change_check_id(struct call *call, const struct id *present);

#endif /* INVOKE_FUNCTION_CHANGE_H */
