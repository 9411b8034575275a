/* The hot log: what makes things durable, and nothing else. Entries in the order
 * of their LSNs, appended by whoever holds the claim, read by the applier, trimmed
 * when the views hold what they said.
 *
 * This is the seam for another log (a cluster keeps it in PostgreSQL): claim,
 * append, read, trim. Here it is an LMDB environment with the table `log`: key LSN,
 * u64 big-endian, appended at the end; value a piece:
 *
 *      0 u8   kind (enum journal_entry_kind)
 *      1 u8   0
 *      2 u16  piece, from 0
 *      4 u16  pieces of the entry
 *      6 u16  0
 *      8      data, at most LOG_PIECE_BYTES
 *
 * Every piece has its own LSN; the pieces of an entry are always in one commit.
 * The last piece of the log is never trimmed, so that the log itself says which
 * LSN comes next. */
#ifndef JOURNAL_LOG_H
#define JOURNAL_LOG_H

#include "journal/env.h"
#include "journal/journal.h"

#define LOG_PIECE_HEADER_BYTES 8U
#define LOG_PIECE_BYTES 16360U /* with headers, four pages of LMDB */
#define LOG_PIECES_MAX 65535U

enum {
    LOG_FULL = ENV_FULL, /* nothing was written */
    LOG_FENCED = 2,      /* another owner has claimed the log since */
};

struct hot_log;

int hot_log_open(struct hot_log **ret_log, const char *path, uint64_t map_bytes, bool is_read_only);
void hot_log_close(struct hot_log *log); /* accepts NULL */
struct env *hot_log_env(struct hot_log *log);

/* The pieces that the log holds: first 0 and last 0 when there was never one. Any
 * thread. */
uint64_t hot_log_first(const struct hot_log *log);
uint64_t hot_log_last(const struct hot_log *log);

static inline uint64_t log_pieces(size_t len)
{
    return (len + LOG_PIECE_BYTES - 1) / LOG_PIECE_BYTES;
}

/* Raises the epoch: appends with an older one are refused from now on. */
int hot_log_claim(struct hot_log *log, uint64_t *ret_epoch);

/* Trimming is done up to `to`, at most `max` pieces, where `max` is not 0. */
struct log_trim {
    uint64_t to;
    uint32_t max;
};

/* Writes the requests of the list (struct journal_append, `lsn` set) and trims, in
 * one synced commit. 0, LOG_FULL, LOG_FENCED, or a negative error after which the
 * outcome is unknown. One thread. */
int hot_log_append(struct hot_log *log, uint64_t epoch, const struct list *batch,
                   const struct log_trim *trim);

/* Pieces from `from` on, in one read transaction; ends like a visitor of journal.h. */
struct log_piece {
    uint64_t lsn;
    uint8_t kind;
    uint16_t piece;
    uint16_t pieces;
    struct bytes data; /* valid during the call */
};
typedef int (*log_visit)(void *arg, const struct log_piece *piece);
int hot_log_read(struct hot_log *log, uint64_t from, log_visit visit, void *arg);

#endif /* JOURNAL_LOG_H */
