/* The members of a checkpoint over HTTP, and ErrorObject, as structs. What is read
 * points into the JSON values and the arena. The form is checked here (lengths,
 * characters); what an update may do is the core's to judge. */
#ifndef INVOKE_UPDATE_BODY_H
#define INVOKE_UPDATE_BODY_H

#include "invoke/call.h"

/* `json` NULL: an empty error. Refused when it is larger than history keeps. */
bool error_body_read(const json_t *json, struct arena *arena, struct error_object *ret_error,
                     struct problem *problem);

/* The same of any size: see error_fit.h. */
bool error_body_take(const json_t *json, struct arena *arena, struct error_object *ret_error,
                     struct problem *problem);

bool update_body_read(const json_t *updates, struct arena *arena, struct op_update **ret_updates,
                      size_t *ret_count, struct problem *problem);

/* The characters of an id, and of a name. */
bool update_is_id(struct bytes text);
bool update_is_printable(struct bytes text);
#define UPDATE_WORD_MAX 64U /* of a type or action: longer ones are unknown */

#endif /* INVOKE_UPDATE_BODY_H */
