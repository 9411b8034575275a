/* The only allocator of the daemon. Tests replace the hook to make the n-th
 * allocation fail; see tests/unit/test_core.c. */
#ifndef ENGINE_BASE_MEM_H
#define ENGINE_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed memory, or NULL. The caller owns it and releases it with mem_free(). */
void *mem_calloc(size_t count, size_t size) __attribute__((warn_unused_result));

/* Grows or shrinks; what is new is not zeroed. On NULL the old block stays. */
void *mem_realloc(void *ptr, size_t size) __attribute__((warn_unused_result));

/* A copy of `len` bytes with a zero byte behind it, or NULL. */
void *mem_dup(const void *data, size_t len) __attribute__((warn_unused_result));

/* Accepts NULL. */
void mem_free(void *ptr);

/* Every allocation asks the hook first and fails when it answers false. NULL
 * removes it. Not for use while other threads allocate. */
typedef bool (*mem_hook)(size_t size);
void mem_set_hook(mem_hook hook);

#endif /* ENGINE_BASE_MEM_H */
