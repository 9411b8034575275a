/* The path and query of a request, percent-encoded as AWS's clients do it: labels
 * completely, also ':' '/' '$' and '+' (an ARN is one segment). */
#ifndef SDK_CLI_PATH_H
#define SDK_CLI_PATH_H

#include "engine/base/bytes.h"

/* `text` is a piece of our own, taken as it is. */
#define cli_path_append(path, text) buf_append_text((path), (text))

/* One label, from anywhere. */
void cli_path_append_segment(struct buf *path, const char *label);

/* "?key=value" or "&key=value"; nothing when `value` is NULL. */
void cli_path_append_query(struct buf *path, const char *key, const char *value);
void cli_path_append_query_number(struct buf *path, const char *key, int64_t value);

/* /2025-12-01/durable-executions/{arn}{rest} */
void cli_path_append_execution(struct buf *path, const char *arn, const char *rest);

/* /2015-03-31/functions/{name}{rest} */
void cli_path_append_function(struct buf *path, const char *name, const char *rest);

#endif /* SDK_CLI_PATH_H */
