/* FunctionConfiguration and AliasConfiguration, as Lambda shows them. */
#ifndef INVOKE_FUNCTION_ANSWER_H
#define INVOKE_FUNCTION_ANSWER_H

#include "engine/driver/alias.h"

/* `qualifier` as it was asked for: then the ARN has it too. */
void function_answer_put(struct buf *json, const struct function_revision *revision,
                         struct bytes qualifier);

/* A member with the function's ARN; with the qualifier, unless that is empty. */
void function_answer_put_arn(struct buf *json, const char *key, const struct function *function,
                             struct bytes qualifier);

/* CodeSha256: base64 of the hash. */
void function_answer_put_hash(struct buf *text, const char *code);

/* The member "Tags" with its key, if there are any. */
void function_answer_put_tags(struct buf *json, const struct function *function);

/* The member "Concurrency" with its key, if any is reserved. */
void function_answer_put_concurrency(struct buf *json, const struct function *function);

void alias_answer_put(struct buf *json, const struct function *function, const struct alias *alias);

#endif /* INVOKE_FUNCTION_ANSWER_H */
