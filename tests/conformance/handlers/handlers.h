/* The handlers of the conformance requirements, one file a suite; which one runs is
 * decided by the name in _HANDLER: a requirement's id, or a target of the invoke suite.
 *
 * Some requirements want a process that crashes once. What tells the first run from the
 * next is pawl_invocation()->number: the daemon counts it durably before it dispatches,
 * so no file and no memory has to survive the crash. */
#ifndef TESTS_CONFORMANCE_HANDLERS_HANDLERS_H
#define TESTS_CONFORMANCE_HANDLERS_HANDLERS_H

#include <pawl/pawl.h>

/* Each ends with {NULL, NULL}. */
extern const struct pawl_handler step_handlers[];
extern const struct pawl_handler wait_handlers[];
extern const struct pawl_handler child_handlers[];
extern const struct pawl_handler callback_handlers[];
extern const struct pawl_handler invoke_handlers[];

/* Retry strategies that several suites use. */
extern const struct pawl_step_options no_retry;     /* one attempt */
extern const struct pawl_step_options retry_each_s; /* 3 attempts, 1 s between */

/* Steps that several suites use. */
int step_return(struct pawl_context *ctx, void *arg, struct pawl_value *ret); /* arg: a value */
int step_fail(struct pawl_context *ctx, void *arg, struct pawl_value *ret);
int step_fail_first(struct pawl_context *ctx, void *arg, struct pawl_value *ret);

/* Ends the process as a crash would: nothing is flushed, nobody is told. */
_Noreturn void crash(void);

/* The JSON text of a member of an object, or of an item of an array. Absent if it is not
 * there or `value` is something else. */
struct pawl_value json_member_text(struct pawl_context *ctx, struct pawl_value value,
                                   const char *name);
struct pawl_value json_item_text(struct pawl_context *ctx, struct pawl_value value, size_t index);

/* What a custom serializer of the requirements does. `value` is JSON: of a string the
 * text in upper case, without quotes. */
struct pawl_value upper_serialize(struct pawl_context *ctx, struct pawl_value value);

#endif /* TESTS_CONFORMANCE_HANDLERS_HANDLERS_H */
