#include "engine/base/table.h"

#include "engine/base/err.h"
#include "engine/base/mem.h"

#define BUCKETS_MIN 16U

void table_fini(struct table *table)
{
    mem_free(table->buckets);
    *table = (struct table){0};
}

static struct table_node **bucket_of(const struct table *table, uint64_t hash)
{
    return &table->buckets[hash & (table->bucket_count - 1)];
}

static int resize(struct table *table, size_t bucket_count)
{
    struct table old = *table;
    struct table_node **buckets = mem_calloc(bucket_count, sizeof *buckets);

    if (buckets == NULL) {
        return ERR_NOMEM;
    }
    table->buckets = buckets;
    table->bucket_count = bucket_count;
    for (size_t i = 0; i < old.bucket_count; i++) {
        while (old.buckets[i] != NULL) {
            struct table_node *node = old.buckets[i];
            struct table_node **bucket = bucket_of(table, node->hash);

            old.buckets[i] = node->next;
            node->next = *bucket;
            *bucket = node;
        }
    }
    mem_free(old.buckets);
    return 0;
}

int table_insert(struct table *table, struct table_node *node, uint64_t hash)
{
    struct table_node **bucket;

    if (table->count >= table->bucket_count) {
        size_t wanted = (table->bucket_count != 0) ? table->bucket_count * 2 : BUCKETS_MIN;

        if (resize(table, wanted) != 0 && table->bucket_count == 0) {
            return ERR(ERR_NOMEM, "hash table");
        }
    }
    bucket = bucket_of(table, hash);
    node->hash = hash;
    node->next = *bucket;
    *bucket = node;
    table->count++;
    return 0;
}

void table_remove(struct table *table, struct table_node *node)
{
    struct table_node **link = bucket_of(table, node->hash);

    while (*link != node) {
        link = &(*link)->next;
    }
    *link = node->next;
    node->next = NULL;
    table->count--;
}

static struct table_node *skip_others(struct table_node *node, uint64_t hash)
{
    while (node != NULL && node->hash != hash) {
        node = node->next;
    }
    return node;
}

struct table_node *table_first(const struct table *table, uint64_t hash)
{
    return (table->bucket_count != 0) ? skip_others(*bucket_of(table, hash), hash) : NULL;
}

struct table_node *table_next(const struct table_node *node)
{
    return skip_others(node->next, node->hash);
}

struct table_node *table_walk(const struct table *table, size_t *bucket,
                              const struct table_node *last)
{
    if (last != NULL && last->next != NULL) {
        return last->next;
    }
    while (*bucket < table->bucket_count) {
        struct table_node *node = table->buckets[(*bucket)++];

        if (node != NULL) {
            return node;
        }
    }
    return NULL;
}

uint64_t table_hash(struct bytes bytes)
{
    uint64_t hash = 0xCBF29CE484222325U;

    for (size_t i = 0; i < bytes.len; i++) {
        hash = (hash ^ bytes.data[i]) * 0x100000001B3U;
    }
    hash = (hash ^ (hash >> 32)) * 0xD6E8FEB86659FD93U;
    return hash ^ (hash >> 32);
}
