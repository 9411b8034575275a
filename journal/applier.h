/* The applier: one thread that keeps the views, a short time behind the log, so
 * that what a short execution did is written once. */
#ifndef JOURNAL_APPLIER_H
#define JOURNAL_APPLIER_H

#include "journal/ballast.h"
#include "journal/log.h"
#include "journal/views.h"

struct applier;

struct applier_options {
    struct hot_log *log;
    struct views *views;
    struct ballast *ballast;
    void (*on_apply)(void *arg, uint64_t applied_lsn); /* from the applier's thread */
    void (*on_full)(void *arg);                        /* the same; ballast was released */
    void *arg;
};

/* Applies the whole tail of the log, in the caller's thread. */
int applier_recover(struct hot_log *log, struct views *views, uint64_t *ret_applied_lsn);

/* Starts the thread. The views hold everything up to the log's end. */
int applier_create(struct applier **ret_applier, const struct applier_options *options);

/* Applies what is committed, then ends the thread; all else may still be called.
 * Then frees it. Both accept NULL. */
void applier_stop(struct applier *applier);
void applier_destroy(struct applier *applier);

/* Any thread. */
void applier_note_committed(struct applier *applier, uint64_t lsn);
void applier_hurry(struct applier *applier, uint64_t lsn);
void applier_expire(struct applier *applier, int64_t now_ms, uint32_t max);

uint64_t applier_applied_lsn(const struct applier *applier);

/* The views are full, or nearly. */
bool applier_is_full(const struct applier *applier);

/* What the views take, as of the last apply, before only the reserve is left; and the
 * sum of batch_space() of what was applied since the start. */
uint64_t applier_room_bytes(const struct applier *applier);
uint64_t applier_applied_space(const struct applier *applier);

#endif /* JOURNAL_APPLIER_H */
