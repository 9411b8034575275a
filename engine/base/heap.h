/* Intrusive binary min-heap by a 64-bit key: the next deadline in O(1), a change
 * in O(log n). Only growing the array of pointers allocates. */
#ifndef ENGINE_BASE_HEAP_H
#define ENGINE_BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t key;
    size_t place; /* 1-based; 0 when not in a heap */
};

struct heap {
    struct heap_node **nodes; /* nodes[0] is unused */
    size_t count;
    size_t cap;
};

void heap_fini(struct heap *heap);

/* Inserts the node, or moves it when it is already in. Returns 0 or ERR_NOMEM
 * (only for an insert; then the node is not in). */
int heap_set(struct heap *heap, struct heap_node *node, int64_t key);

/* Makes sure that `count` more nodes can be inserted without failing. */
int heap_reserve(struct heap *heap, size_t count);

/* Harmless for a node that is not in. */
void heap_remove(struct heap *heap, struct heap_node *node);

/* The node with the smallest key, or NULL. */
static inline struct heap_node *heap_min(const struct heap *heap)
{
    return (heap->count > 0) ? heap->nodes[1] : NULL;
}

#endif /* ENGINE_BASE_HEAP_H */
