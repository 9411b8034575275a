/* From jansson's trees to text. */
#ifndef INVOKE_JSON_TREE_H
#define INVOKE_JSON_TREE_H

#include <jansson.h>

#include "engine/base/bytes.h"

/* Appends, compact; NULL, or a lack of memory, makes `buf` failed. */
void json_tree_put(struct buf *buf, const json_t *tree);

/* The same as a JSON string: text within text. */
void json_tree_put_quoted(struct buf *buf, const json_t *tree);

/* NULL when it is not JSON. */
json_t *json_tree_read(struct bytes text);

#endif /* INVOKE_JSON_TREE_H */
