/* The writer: one thread that commits. Everything that is queued when it becomes
 * free is the next batch: one transaction, one sync. */
#ifndef JOURNAL_WRITER_H
#define JOURNAL_WRITER_H

#include "journal/ballast.h"
#include "journal/log.h"

struct writer;

struct writer_options {
    struct hot_log *log;
    uint64_t epoch;
    struct ballast *ballast;
    uint32_t batch_entries_max;
    uint64_t applied_lsn;
    void (*on_commit)(void *arg); /* from the writer's thread, something is done */
    void *arg;
};

/* Starts the thread. */
int writer_create(struct writer **ret_writer, const struct writer_options *options);

/* Writes what is queued, then ends the thread; all else may still be called. Then
 * frees it. Both accept NULL. */
void writer_stop(struct writer *writer);
void writer_destroy(struct writer *writer);

/* Hands over requests, in LSN order; the list becomes empty. */
void writer_queue(struct writer *writer, struct list *reqs, size_t count);

/* Moves the requests that are durable to the back of `done`. */
void writer_take_done(struct writer *writer, struct list *done);

/* The views hold everything up to `lsn`, synced: it may be trimmed. Any thread. */
void writer_note_applied(struct writer *writer, uint64_t lsn);

/* The applier met a full disk: look how things stand. Any thread. */
void writer_poke(struct writer *writer);

/* While a backup is made nothing is trimmed. Any thread. */
void writer_hold_trimming(struct writer *writer, bool is_held);

uint64_t writer_committed_lsn(const struct writer *writer);
bool writer_is_full(const struct writer *writer);

/* What the log takes, as of the last commit, before only the reserve is left. */
uint64_t writer_room_bytes(const struct writer *writer);

struct writer_stats {
    uint64_t commits, entries, bytes;
};
void writer_get_stats(struct writer *writer, struct writer_stats *ret_stats);

#endif /* JOURNAL_WRITER_H */
