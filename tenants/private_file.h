/* Small files that only the daemon's user may read: keys and the token.
 *
 * A file is written beside its place (`NAME.new`), synced, renamed, and its
 * directory synced: after a crash it is whole or absent, never half. */
#ifndef TENANTS_PRIVATE_FILE_H
#define TENANTS_PRIVATE_FILE_H

#include <sys/types.h>

#include "engine/base/bytes.h"

#define PRIVATE_FILE_ABSENT 1 /* condition: there is no such file */

/* Reads a whole file of at most `max` bytes. PRIVATE_FILE_ABSENT; ERR_INVALID with
 * what to do when group or other have any right to it, when it is another user's,
 * too large, or no regular file. */
int private_file_read(const char *path, uint8_t *out, size_t max, size_t *ret_len);

/* Writes and syncs `path`.new; what was there under that name is gone. */
int private_file_stage(const char *path, mode_t mode, struct bytes content);

/* Gives the staged file its name. ERR_INVALID when something has that name: what
 * is there is never replaced. */
int private_file_publish(const char *path);

/* Both. */
int private_file_create(const char *path, mode_t mode, struct bytes content);

#endif /* TENANTS_PRIVATE_FILE_H */
