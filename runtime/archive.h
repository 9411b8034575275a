/* Unpacks zips into one directory, as merge.h says. Runs in a confined child process. */
#ifndef RUNTIME_ARCHIVE_H
#define RUNTIME_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/failure.h"

#define ARCHIVES_MAX 5U

/* Of 1 to ARCHIVES_MAX archives, each lying over those before it. `ret_bytes`: what their
 * files hold, also those that another one hides. FAILURE_E_SET with what is wrong;
 * `*ret_is_full` says that it was only the room. What was unpacked till then stays. */
int archive_unpack(const int *memfds, size_t count, int dir, uint64_t *ret_bytes, int *ret_is_full,
                   struct failure *failure);

#endif /* RUNTIME_ARCHIVE_H */
