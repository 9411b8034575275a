#include "engine/base/arena.h"

#include <stdalign.h>

#include "engine/base/mem.h"

#define BLOCK_MIN 4096U
#define BLOCK_KEEP_MAX ((size_t)1 << 20)

struct arena_block {
    struct arena_block *next;
    size_t cap;
    size_t len;
    alignas(max_align_t) uint8_t data[];
};

void arena_init(struct arena *arena, size_t max)
{
    *arena = (struct arena){.max = max};
}

static void free_blocks(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *next = block->next;

        mem_free(block);
        block = next;
    }
}

void arena_fini(struct arena *arena)
{
    free_blocks(arena->block);
    arena->block = NULL;
    arena->used = 0;
}

size_t arena_bytes(const struct arena *arena)
{
    size_t bytes = 0;

    for (const struct arena_block *block = arena->block; block != NULL; block = block->next) {
        bytes += sizeof *block + block->cap;
    }
    return bytes;
}

/* The newest block is the largest, unless one message was huge. */
void arena_reset(struct arena *arena)
{
    struct arena_block *keep = arena->block;

    arena->used = 0;
    if (keep == NULL) {
        return;
    }
    if (keep->cap > BLOCK_KEEP_MAX) {
        arena_fini(arena);
        return;
    }
    free_blocks(keep->next);
    keep->next = NULL;
    keep->len = 0;
}

static struct arena_block *add_block(struct arena *arena, size_t size)
{
    size_t cap = (arena->block != NULL) ? arena->block->cap * 2 : BLOCK_MIN;
    struct arena_block *block;

    if (cap > BLOCK_KEEP_MAX) {
        cap = BLOCK_KEEP_MAX;
    }
    if (cap < size) {
        cap = size;
    }
    block = mem_realloc(NULL, sizeof *block + cap);
    if (block == NULL) {
        return NULL;
    }
    block->cap = cap;
    block->len = 0;
    block->next = arena->block;
    arena->block = block;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->block;
    size_t room = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    void *found;

    if (size > PTRDIFF_MAX || (arena->max != 0 && room > arena->max - arena->used)) {
        return NULL;
    }
    if (block == NULL || block->cap - block->len < room) {
        block = add_block(arena, room);
        if (block == NULL) {
            return NULL;
        }
    }
    found = block->data + block->len;
    block->len += room;
    arena->used += room;
    memset(found, 0, room);
    return found;
}

struct bytes arena_copy(struct arena *arena, struct bytes bytes)
{
    uint8_t *copy = arena_alloc(arena, bytes.len + 1);

    if (copy == NULL) {
        return (struct bytes){0};
    }
    if (bytes.len > 0) {
        memcpy(copy, bytes.data, bytes.len);
    }
    return bytes_of(copy, bytes.len);
}
