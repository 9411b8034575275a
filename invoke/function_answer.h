/* FunctionConfiguration, as Lambda shows it. */
#ifndef INVOKE_FUNCTION_ANSWER_H
#define INVOKE_FUNCTION_ANSWER_H

#include "engine/driver/function.h"

/* `qualifier` as it was asked for: then the ARN has it too. */
void function_answer_put(struct buf *json, const struct function *function, struct bytes qualifier);

/* The member "Tags" with its key, if there are any. */
void function_answer_put_tags(struct buf *json, const struct function *function);

#endif /* INVOKE_FUNCTION_ANSWER_H */
