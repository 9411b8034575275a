/* The resource policy of a function, of one of its qualifiers, or of a layer version:
 * statements who may do what, as AWS writes them. Stored and shown; nothing here asks it
 * (docs/limits.md).
 *
 * What is stored is {"RevisionId":"...","Policy":{"Version","Id","Statement":[...]}}:
 * of a function a setting by the qualifier's name. */
#ifndef INVOKE_POLICY_H
#define INVOKE_POLICY_H

#include "invoke/call.h"

#define POLICY_BYTES_MAX 20480U
#define POLICY_STATEMENT_ID_MAX 100U

/* The statement that the members of AddPermission describe, about `resource`; NULL: the
 * problem says why. */
json_t *policy_make_statement(const json_t *body, struct bytes resource, struct problem *problem);

/* Likewise of AddLayerVersionPermission. */
json_t *policy_make_layer_statement(const json_t *body, const char *resource,
                                    struct problem *problem);

/* Takes `statement` over. False when its id is there already, or the policy too long. */
bool policy_add(json_t *stored, json_t *statement, struct problem *problem);
/* `id` has a zero byte behind it. */
bool policy_remove(json_t *stored, struct bytes id, struct problem *problem);

/* Lambda's optimistic lock: `wanted`, if it is not empty, is the policy's revision; one that
 * does not exist yet has `otherwise`. */
bool policy_check_revision(const json_t *stored, struct bytes wanted, const char *otherwise,
                           struct problem *problem);

/* [a-zA-Z0-9-_.]{1,100} */
bool policy_check_statement_id(struct bytes id, struct problem *problem);

/* A new tree of what is stored, or a policy without statements; NULL: no memory. */
json_t *policy_read(struct bytes stored);

/* Where that statement is, or json_array_size(): none. */
size_t policy_find(const json_t *stored, const char *statement_id);
json_t *policy_statements(const json_t *stored); /* borrowed */

/* {"Version","Id","Statement"} alone, borrowed. */
const json_t *policy_document(const json_t *stored);
const char *policy_revision(const json_t *stored); /* "" before it was ever stored */
bool policy_set_revision(json_t *stored, const struct id *revision);

#endif /* INVOKE_POLICY_H */
