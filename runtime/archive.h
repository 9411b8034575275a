/* Unpacks one zip into one directory. Runs in a confined child process. */
#ifndef RUNTIME_ARCHIVE_H
#define RUNTIME_ARCHIVE_H

#include <stdint.h>

#include "runtime/failure.h"

/* FAILURE_E_SET with what is wrong; `*ret_is_full` says that it was only the room. What
 * was unpacked till then stays. */
int archive_unpack(int memfd, int dir, uint64_t *ret_bytes, int *ret_is_full,
                   struct failure *failure);

#endif /* RUNTIME_ARCHIVE_H */
