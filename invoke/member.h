/* Members of a JSON object from outside, read with Lambda's limits. Each reader
 * returns false when the member is wrong, with the problem said; an absent one, or
 * null, is right and leaves what it would have set. */
#ifndef INVOKE_MEMBER_H
#define INVOKE_MEMBER_H

#include "invoke/call.h"

/* NULL when absent or null. */
json_t *member_get(const json_t *object, const char *key);

bool member_number(const json_t *object, const char *key, uint32_t min, uint32_t max,
                   uint32_t *number, struct problem *problem);
bool member_flag(const json_t *object, const char *key, bool *flag, struct problem *problem);

/* No zero bytes, at most `max` bytes. The text is the JSON value's. */
bool member_text(const json_t *object, const char *key, size_t max, const char **text,
                 struct problem *problem);

/* The same for texts that may be any bytes; `bytes` stays as it is when absent. */
bool member_bytes(const json_t *object, const char *key, size_t max, struct bytes *bytes,
                  struct problem *problem);

bool member_object(const json_t *object, const char *key, json_t **ret_object,
                   struct problem *problem);
bool member_array(const json_t *object, const char *key, size_t max, json_t **ret_array,
                  struct problem *problem);

#endif /* INVOKE_MEMBER_H */
