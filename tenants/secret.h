/* Guarded memory for keys: locked, left out of core dumps, between two pages that
 * nobody may touch, and wiped when it is released. */
#ifndef TENANTS_SECRET_H
#define TENANTS_SECRET_H

#include <stddef.h>

#define SECRET_KEY_BYTES 32U

/* Before any other use of libsodium, from any thread, as often as one likes. */
int secret_init(void);

/* NULL when there is no memory. Where the memory cannot be locked (RLIMIT_MEMLOCK)
 * it is used all the same, with one warning for the process. */
void *secret_alloc(size_t size) __attribute__((warn_unused_result));
void secret_free(void *secret); /* accepts NULL */

#endif /* TENANTS_SECRET_H */
