/* What the files of struct journal share. All of it belongs to the loop's thread. */
#ifndef JOURNAL_INTERNAL_H
#define JOURNAL_INTERNAL_H

#include "journal/applier.h"
#include "journal/ballast.h"
#include "journal/journal.h"
#include "journal/log.h"
#include "journal/views.h"
#include "journal/writer.h"

struct journal {
    uv_loop_t *loop;
    char *dir;
    int lock_fd;
    struct ballast ballast;
    bool has_ballast;
    struct hot_log *log;
    struct views views;
    struct writer *writer;
    struct applier *applier;
    struct journal_backup *backup; /* NULL unless one runs */

    uv_async_t wakeup;   /* a thread has something to say */
    uv_prepare_t before; /* before and after the loop sleeps, */
    uv_check_t after;    /* fresh appends go to the writer */
    unsigned handles;    /* open ones */

    struct list fresh; /* appends not handed over yet */
    unsigned fresh_count;
    struct list waits;       /* for applied_lsn */
    uint64_t last_lsn;       /* appended */
    uint64_t in_flight;      /* appends without a callback yet */
    uint64_t appended_space; /* batch_space() of all since the start */
    uint64_t growth_bytes;   /* of those, what may not use the reserve */
    bool is_closing;         /* callbacks may still append and wait */
    bool is_ending;          /* the threads are gone */
    journal_close_cb close_cb;
    void *close_arg;
};

/* Opens or creates everything in the directory, and applies the tail of the log. What
 * is open after a failure is closed by journal_close_files(), too. */
int journal_open_files(struct journal *journal, const struct journal_options *options);
void journal_close_files(struct journal *journal);

/* Keeps the loop alive while somebody waits for a callback. */
void journal_update_ref(struct journal *journal);

/* Ends a backup whose thread is done and calls back; from the loop. */
void journal_backup_check(struct journal *journal);

#endif /* JOURNAL_INTERNAL_H */
