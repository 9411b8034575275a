/* Tags of a function: those it was created with, which are in its first revision's
 * configuration, until TagResource or UntagResource make them a setting of their own. */
#ifndef INVOKE_TAGS_H
#define INVOKE_TAGS_H

#include "invoke/call.h"

#define TAGS_MAX 50U
#define TAG_KEY_CHARS_MAX 128U
#define TAG_VALUE_CHARS_MAX 256U

/* A new object, {} if there are none; NULL: no memory. */
json_t *tags_of(const struct function *function);

/* An object of texts within Lambda's limits. */
bool tags_check(const json_t *tags, struct problem *problem);

/* A key's form alone. */
bool tags_check_key(struct bytes key, struct problem *problem);

#endif /* INVOKE_TAGS_H */
