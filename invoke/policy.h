/* The resource policy of a function, or of one of its qualifiers: statements who may do
 * what, as AWS writes them. Stored and shown; nothing here asks it (docs/limits.md).
 *
 * A policy is a setting: {"RevisionId":"...","Policy":{"Version","Id","Statement":[...]}},
 * by the qualifier's name. */
#ifndef INVOKE_POLICY_H
#define INVOKE_POLICY_H

#include "invoke/call.h"

#define POLICY_BYTES_MAX 20480U
#define POLICY_STATEMENT_ID_MAX 100U

/* The statement that the members of AddPermission describe, about `resource`; NULL: the
 * problem says why. */
json_t *policy_make_statement(const json_t *body, struct bytes resource, struct problem *problem);

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
