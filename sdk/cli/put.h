/* Writing members of a JSON object into a buffer: engine/base/json.h, one call a
 * member. It stands in a file of its own because jansson, which reads the daemon's
 * answers, has a json_string() too. */
#ifndef SDK_CLI_PUT_H
#define SDK_CLI_PUT_H

#include <stdint.h>

#include "engine/base/bytes.h"

/* `key` NULL: the outermost object. */
void cli_put_object(struct buf *json, const char *key);
void cli_put_end(struct buf *json);

void cli_put_text(struct buf *json, const char *key, const char *text);
void cli_put_bytes(struct buf *json, struct bytes key, struct bytes text);
void cli_put_number(struct buf *json, const char *key, int64_t number);

/* One element of an array that the caller has opened. */
void cli_put_element(struct buf *json, const char *text);

/* All values of an option, as an array. */
struct cli_arguments;
void cli_put_texts(struct buf *json, const char *key, const struct cli_arguments *arguments,
                   const char *option);

/* A path of ours for a daemon that stands in another directory: made absolute. */
int cli_put_path(struct buf *json, const char *key, const char *path);

/* A value that is JSON already. */
void cli_put_raw(struct buf *json, const char *key, struct bytes value);

/* The key alone; the value follows by other means. */
void cli_put_key(struct buf *json, const char *key);

#endif /* SDK_CLI_PUT_H */
