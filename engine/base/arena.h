/* Memory of one message or one turn: many small allocations, one release.
 *
 * Memory comes from blocks that double in size; arena_reset() keeps the largest
 * block, so a busy arena soon stops calling the allocator. */
#ifndef ENGINE_BASE_ARENA_H
#define ENGINE_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/bytes.h"

struct arena_block;

struct arena {
    struct arena_block *block; /* the newest, with room */
    size_t used;               /* of all blocks, for the limit */
    size_t max;                /* 0 = no limit */
};

/* `max` bounds the sum of all allocations until the next reset. */
void arena_init(struct arena *arena, size_t max);
void arena_fini(struct arena *arena);

/* Everything allocated so far is gone. */
void arena_reset(struct arena *arena);

/* Zeroed, aligned for any type; NULL when memory or the limit ends. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((warn_unused_result));

/* What it takes of the process's memory: whole blocks, also where little of one is used. */
size_t arena_bytes(const struct arena *arena);

/* A copy with a zero byte behind it (not counted in `len`); `data` NULL on failure. */
struct bytes arena_copy(struct arena *arena, struct bytes bytes);

#endif /* ENGINE_BASE_ARENA_H */
