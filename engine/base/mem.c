#include "engine/base/mem.h"

#include <stdlib.h>
#include <string.h>

static mem_hook current_hook;

static bool is_allowed(size_t size)
{
    return current_hook == NULL || current_hook(size);
}

void *mem_calloc(size_t count, size_t size)
{
    return is_allowed(count * size) ? calloc(count, size) : NULL;
}

void *mem_realloc(void *ptr, size_t size)
{
    return is_allowed(size) ? realloc(ptr, size) : NULL;
}

void *mem_dup(const void *data, size_t len)
{
    char *copy = mem_calloc(1, len + 1);

    if (copy != NULL && len > 0) {
        memcpy(copy, data, len);
    }
    return copy;
}

void mem_free(void *ptr)
{
    free(ptr);
}

void mem_set_hook(mem_hook hook)
{
    current_hook = hook;
}
