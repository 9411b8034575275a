/* A stretch of the log in memory: its entries whole, and in the order in which the
 * views are written: frames by execution, then everything else by LSN. */
#ifndef JOURNAL_BATCH_H
#define JOURNAL_BATCH_H

#include "journal/log.h"

struct batch_entry {
    struct id exec_id; /* none for objects and for what is damaged */
    uint64_t lsn;      /* of its last piece */
    size_t at;
    size_t len;
    uint8_t kind; /* enum journal_entry_kind, or anything when damaged */
    bool is_damaged;
};

struct batch {
    struct buf data;
    struct batch_entry *entries;
    size_t count;
    size_t cap;
    uint64_t last_lsn;

    /* While it is read. */
    uint64_t to_lsn;
    uint64_t next_lsn;
    uint16_t piece;
    uint16_t pieces; /* of the entry that is not whole yet; 0 = none */
    size_t slice_end;
    size_t bytes_max;
};

void batch_fini(struct batch *batch);

/* Replaces what the batch held by the entries from `from` on, at most to `to` and
 * about `bytes_max`; sorts them. Reads in transactions of bounded length. */
int batch_read(struct batch *batch, struct hot_log *log, uint64_t from, uint64_t to,
               size_t bytes_max);

/* What an entry takes in the views, roughly and rather too much: its part of a segment,
 * and of the tables that lead to it. */
static inline uint64_t batch_space(size_t len)
{
    return (len + 512) * 3 / 2;
}

static inline struct bytes batch_data(const struct batch *batch, const struct batch_entry *entry)
{
    return bytes_of(batch->data.data + entry->at, entry->len);
}

#endif /* JOURNAL_BATCH_H */
