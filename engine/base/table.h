/* Intrusive hash table: the node lives inside the item, so only growing the
 * bucket array allocates, and a failed growth leaves a slower, correct table.
 * The caller hashes, and compares on lookup:
 *
 *     for (n = table_first(&t, hash); n != NULL; n = table_next(n))
 *         if (is_mine(container_of(n, struct item, node))) ... */
#ifndef ENGINE_BASE_TABLE_H
#define ENGINE_BASE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/bytes.h"

struct table_node {
    struct table_node *next;
    uint64_t hash;
};

struct table {
    struct table_node **buckets;
    size_t bucket_count; /* a power of two, or 0 before the first insert */
    size_t count;
};

void table_fini(struct table *table); /* the items stay their owner's */

/* Returns 0, or ERR_NOMEM when not even the first bucket array can be had. */
int table_insert(struct table *table, struct table_node *node, uint64_t hash);
void table_remove(struct table *table, struct table_node *node);

/* The first or next node with exactly this hash, or NULL. */
struct table_node *table_first(const struct table *table, uint64_t hash);
struct table_node *table_next(const struct table_node *node);

/* Any walk over all items, in no order: `*bucket` starts at 0. NULL at the end. */
struct table_node *table_walk(const struct table *table, size_t *bucket,
                              const struct table_node *last);

/* FNV-1a with a final mix. Not keyed: for ids made by us or bounded in number. */
uint64_t table_hash(struct bytes bytes);

#endif /* ENGINE_BASE_TABLE_H */
