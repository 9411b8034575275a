/* Finding the execution a person means. */
#ifndef SDK_CLI_EXECUTION_ID_H
#define SDK_CLI_EXECUTION_ID_H

#include "sdk/cli/session.h"

#define CLI_ARN_MAX 1024

/* `text` is an ARN, or the name or UUID of an execution of `function` (NULL: none was
 * given). A name that was used again after its retention means the newest. */
int cli_execution_resolve(struct cli_session *session, const char *text, const char *function,
                          char ret_arn[CLI_ARN_MAX + 1]);

/* The last part of an execution's ARN: its UUID. */
const char *cli_execution_uuid(const char *arn);

/* The name between the colons of "arn:aws:lambda:R:A:function:NAME[:Q...]"; other
 * texts ("NAME:Q") up to the first colon. */
struct bytes cli_function_of_arn(const char *arn);

/* True for a function name, partial ARN or ARN that ends in a version or alias. */
bool cli_function_is_qualified(const char *name);

#endif /* SDK_CLI_EXECUTION_ID_H */
