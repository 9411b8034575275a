/* Several zips as one directory: a later one lies over those before it. Which entries are
 * left is decided before a byte is written, so nothing is ever replaced or removed.
 *
 * A file gives way to whatever has its name in a later archive, and to a later archive's
 * entries below its name; what is below a directory gives way to a later file of the
 * directory's name. Directories of one name are one. */
#ifndef RUNTIME_MERGE_H
#define RUNTIME_MERGE_H

#include <stddef.h>

#include "runtime/zipcheck.h"

struct merge_name; /* an entry, and whose it is */

struct merge {
    struct merge_name *names; /* sorted */
    size_t count;
};

/* `indexes`, in the order in which they lie on each other, must outlive it. */
int merge_init(struct merge *ret_merge, const struct zip_index *indexes, size_t count,
               struct failure *failure);
void merge_fini(struct merge *merge);

/* Is `entry` of the archive with this number still there when all are? */
bool merge_keeps(const struct merge *merge, size_t archive, const struct zip_entry *entry);

#endif /* RUNTIME_MERGE_H */
