/* What the files of a verification share: verify.c looks at the views and at the whole,
 * verify_log.c at the log and at what is only there. */
#ifndef JOURNAL_VERIFY_PARTS_H
#define JOURNAL_VERIFY_PARTS_H

#include "engine/base/table.h"
#include "journal/head.h"
#include "journal/log.h"
#include "journal/verify.h"
#include "journal/views.h"

struct checker {
    const struct verify *verify;
    struct verify_counts counts;
    struct hot_log *log;
    struct views views;
    bool has_views;
    int lock_fd;
    MDB_txn *txn; /* of the views */
    uint64_t applied;
    uint64_t wanted[VIEW_TABLES]; /* rows that the heads and objects ask for */
    struct buf spare;

    /* Of the execution that is being read. */
    struct id exec_id;
    struct journal_head head; /* by the frames so far */
    struct bytes title;       /* by the row; none while the log is read */

    /* Of the log. */
    uint64_t next_lsn;
    uint8_t kind;
    uint16_t piece;
    uint16_t pieces;

    struct table tail; /* struct tail_exec: those with frames in the log only */
};

/* --- verify.c ------------------------------------------------------------------------- */

void verify_problem(struct checker *checker, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Of the execution that is being read. */
void verify_exec_problem(struct checker *checker, const char *what);

/* The next frame of the execution that is being read. Always 0. */
int verify_frame(void *arg, struct bytes frame);

/* --- verify_log.c --------------------------------------------------------------------- */

/* LSNs, kinds and pieces. */
int verify_log(struct checker *checker);

/* What the views do not have yet. */
int verify_tail_objects(struct checker *checker);
int verify_tail_frames(struct checker *checker);
void verify_free_tail(struct checker *checker);

#endif /* JOURNAL_VERIFY_PARTS_H */
