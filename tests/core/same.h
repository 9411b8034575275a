/* Is an execution that was restored from its records the one that lived? */
#ifndef TESTS_CORE_SAME_H
#define TESTS_CORE_SAME_H

#include "engine/core/execution.h"

/* The name of the first field that differs, or NULL. Not compared is what belongs
 * to one life of the daemon: who waits, whether the attempt runs here, how far it
 * has been answered, and whether the start of a child was seen to be in the log. */
const char *same_difference(const struct exec *live, const struct exec *restored);

#endif /* TESTS_CORE_SAME_H */
