/* `pawl verify`: is a journal what it should be? For a process of its own, while no
 * daemon runs: LMDB does not defend itself against a damaged file, so this process
 * may be killed by SIGBUS or SIGSEGV, which its parent reports as damage.
 *
 * Checked: the log's LSNs and pieces are without gaps; the views end where the log
 * begins, or later; each execution's frames follow each other by record, event and
 * (by the caller) chain; its head says what its frames say; names, due times, lists
 * and retention have exactly the rows that the heads ask for; objects are whole.
 * What the frames hold inside is opened and checked by the caller. */
#ifndef JOURNAL_VERIFY_H
#define JOURNAL_VERIFY_H

#include "journal/frame.h"

struct verify {
    void *arg;

    /* Every object comes before the first frame, so that keys can be opened. */
    void (*visit_object)(void *arg, struct bytes key, struct bytes value);

    /* Frames of an execution in order, with the chain before each (zero for the
     * first). NULL when it is right, else what is wrong with it. */
    const char *(*visit_frame)(void *arg, struct bytes frame,
                               const uint8_t chain_before[FRAME_CHAIN_BYTES]);

    /* Something is not as it should be; a sentence that names the place. */
    void (*problem)(void *arg, const char *text);
};

struct verify_counts {
    uint64_t entries; /* pieces in the log */
    uint64_t tail;    /* of these not yet in the views */
    uint64_t executions;
    uint64_t frames;
    uint64_t objects;
    uint64_t problems;
};

/* 0 when it could be read to its end, whatever was found (see `problems`); negative
 * when not, for instance because the directory is in use. Changes nothing but the
 * lock file. */
int journal_verify(const char *dir, const struct verify *verify, struct verify_counts *ret_counts);

#endif /* JOURNAL_VERIFY_H */
