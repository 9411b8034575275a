#include "engine/base/heap.h"

#include "engine/base/err.h"
#include "engine/base/mem.h"

#define HEAP_CAP_MIN 8U

void heap_fini(struct heap *heap)
{
    mem_free(heap->nodes);
    *heap = (struct heap){0};
}

static void put(struct heap *heap, size_t place, struct heap_node *node)
{
    heap->nodes[place] = node;
    node->place = place;
}

static void sift_up(struct heap *heap, struct heap_node *node)
{
    size_t place = node->place;

    while (place > 1 && heap->nodes[place / 2]->key > node->key) {
        put(heap, place, heap->nodes[place / 2]);
        place /= 2;
    }
    put(heap, place, node);
}

static void sift_down(struct heap *heap, struct heap_node *node)
{
    size_t place = node->place;

    for (;;) {
        size_t child = place * 2;

        if (child < heap->count && heap->nodes[child + 1]->key < heap->nodes[child]->key) {
            child++;
        }
        if (child > heap->count || heap->nodes[child]->key >= node->key) {
            break;
        }
        put(heap, place, heap->nodes[child]);
        place = child;
    }
    put(heap, place, node);
}

int heap_reserve(struct heap *heap, size_t count)
{
    size_t cap = (heap->cap != 0) ? heap->cap : HEAP_CAP_MIN;
    struct heap_node **nodes;

    while (cap <= heap->count + count) {
        cap *= 2;
    }
    if (cap == heap->cap) {
        return 0;
    }
    nodes = mem_realloc(heap->nodes, cap * sizeof(struct heap_node *));
    if (nodes == NULL) {
        return ERR(ERR_NOMEM, "heap of %zu", cap);
    }
    heap->nodes = nodes;
    heap->cap = cap;
    return 0;
}

int heap_set(struct heap *heap, struct heap_node *node, int64_t key)
{
    int r;

    if (node->place == 0) {
        r = heap_reserve(heap, 1);
        if (r != 0) {
            return r;
        }
        put(heap, ++heap->count, node);
    }
    node->key = key;
    sift_up(heap, node);
    sift_down(heap, node);
    return 0;
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    struct heap_node *last;

    if (node->place == 0) {
        return;
    }
    last = heap->nodes[heap->count--];
    if (last != node) {
        put(heap, node->place, last);
        sift_up(heap, last);
        sift_down(heap, last);
    }
    node->place = 0;
}
