/* The /etc of environments: written anew, nothing of the host's but where libraries
 * are. */
#ifndef RUNTIME_ETC_H
#define RUNTIME_ETC_H

#include "runtime/failure.h"

/* Makes `dir` and fills it. */
int etc_write(const char *dir, struct failure *failure);

#endif /* RUNTIME_ETC_H */
