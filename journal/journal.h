/* The journal: everything that Pawl must not forget.
 *
 * Two LMDB environments in one directory: the *hot log*, appended in LSN order by
 * a writer thread with group commit (this alone makes things durable), and the
 * *views*, tables derived from the log that an applier thread keeps, at most
 * JOURNAL_LAG_MS or JOURNAL_LAG_ENTRIES behind it. See docs/journal.md.
 *
 * An entry of the log is a frame of an execution (journal/frame.h) or an object:
 * a keyed value of the control plane (a function, a piece of code, a tenant's
 * wrapped key). Larger entries are split into pieces of 16 KiB.
 *
 * All functions are called from the thread of `loop`, unless said otherwise. */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include <uv.h>

#include "engine/base/list.h"
#include "journal/frame.h"

#define JOURNAL_LAG_MS 100
#define JOURNAL_LAG_ENTRIES 65536
#define JOURNAL_KEY_MAX 510 /* bytes of an object's key */
#define JOURNAL_EXIT 74     /* a commit failed in a way we cannot know: restart and read */

struct journal;

struct journal_options {
    uint64_t log_map_bytes;     /* 0 = 4 GiB */
    uint64_t views_map_bytes;   /* 0 = 64 GiB */
    uint32_t batch_entries_max; /* of one commit; 0 = 4096 */
    uint64_t ballast_bytes;     /* preallocated, freed for completions; 0 = 16 MiB */
};

/* Creates what is missing, refuses NFS, 9p and CIFS (ERR_INVALID, with a sentence),
 * warns on overlay. Locks the directory: a second daemon gets ERR_INVALID. Applies
 * the tail of the log to the views before it returns. */
int journal_open(struct journal **ret_journal, uv_loop_t *loop, const char *dir,
                 const struct journal_options *options);

/* What waits is committed and applied first, then `cb` from the loop. */
typedef void (*journal_close_cb)(void *arg);
void journal_close(struct journal *journal, void *arg, journal_close_cb cb);

/* --- the log ------------------------------------------------------------------ */

enum journal_entry_kind {
    JOURNAL_FRAME = 1,
    JOURNAL_PUT = 2,    /* object: key_len u16, key, value */
    JOURNAL_DELETE = 3, /* object: key_len u16, key */
};

struct journal_append;

/* The entry is durable. There is no failure: what cannot be written because the
 * log is full is tried again, in order, until it can (see journal_is_full), and
 * on any other failure the process ends with JOURNAL_EXIT. Called from the loop,
 * in LSN order. `req` is the caller's again. */
typedef void (*journal_append_cb)(struct journal_append *req);

/* The caller owns it, embeds it, and leaves it in place, with its data, until the
 * callback. */
struct journal_append {
    enum journal_entry_kind kind; /* set by the caller */
    struct bytes data;            /* set by the caller */
    bool is_reserved;             /* a stop, completion or delete: see journal_is_full() */
    uint64_t lsn;                 /* set by journal_append(): of its last piece */
    journal_append_cb cb;         /* private from here on */
    struct list link;
};

/* Never fails and never calls back before it returns. What is queued when the loop
 * has run its callbacks goes to the writer together. */
void journal_append(struct journal *journal, struct journal_append *req, journal_append_cb cb);

uint64_t journal_last_lsn(const struct journal *journal); /* appended */
uint64_t journal_committed_lsn(const struct journal *journal);
uint64_t journal_applied_lsn(const struct journal *journal);

/* New work must be refused: the map or the disk is full, or 85 % is in use, or would be
 * with what is appended and not committed yet. The rest is a reserve for ends, stops and
 * deletes (`is_reserved`): entries are committed in order, so nothing in here can hold one
 * back, and who appends others asks first. */
bool journal_is_full(const struct journal *journal);

/* The views are JOURNAL_LAG_ENTRIES behind: starts should wait. */
bool journal_is_lagging(const struct journal *journal);

/* `cb` from the loop once the views hold everything up to `lsn`; the applier is
 * asked to hurry. May call back at once, from inside. */
struct journal_wait;
typedef void (*journal_wait_cb)(struct journal_wait *wait);
struct journal_wait {
    uint64_t lsn;
    journal_wait_cb cb;
    struct list link;
};
void journal_wait_applied(struct journal *journal, struct journal_wait *wait, uint64_t lsn,
                          journal_wait_cb cb);
void journal_wait_cancel(struct journal *journal, struct journal_wait *wait);

/* --- the views ------------------------------------------------------------------
 * Each call reads in short transactions: one, or a chain of them for a long walk.
 * What a visitor is given is valid only during its call; a visitor that returns non-zero ends the
 * walk, and that value is returned. Missing things are JOURNAL_NOT_FOUND. */

enum { JOURNAL_NOT_FOUND = 1 };

/* What is known of an execution without opening anything. */
struct journal_head {
    struct id exec_id;
    uint64_t tenant;
    struct id function_id;
    struct id name_hash;
    uint8_t status;
    uint8_t kind;
    bool is_brief; /* see FRAME_BRIEF */
    uint32_t revision;
    uint32_t retention_days;
    int64_t start_ms;
    int64_t end_ms; /* 0 while it runs */
    int64_t wake_ms;
    uint64_t last_event;
    uint64_t last_record;
    uint8_t chain[FRAME_CHAIN_BYTES]; /* after the last frame */
    struct bytes title;               /* sealed; valid only in a visitor, or in `arena` */
    uint32_t title_epoch;
};

struct arena;
int journal_get_head(struct journal *journal, const struct id *exec_id, struct arena *arena,
                     struct journal_head *ret_head);

/* Frames from the one that holds `from_record` on, in order. */
typedef int (*journal_frame_visit)(void *arg, struct bytes frame);
int journal_read_frames(struct journal *journal, const struct id *exec_id, uint64_t from_record,
                        journal_frame_visit visit, void *arg);

int journal_find_name(struct journal *journal, uint64_t tenant, const struct id *function_id,
                      const struct id *name_hash, struct id *ret_exec_id);

/* Executions whose wake time is <= `until_ms`, earliest first, at most `max`, after
 * the position (*after_ms, *after_id) which it advances (start with zeroes).
 * Returns how many, or a negative error. */
struct journal_due {
    int64_t wake_ms;
    struct id exec_id;
};
int journal_read_due(struct journal *journal, int64_t until_ms, struct journal_due *after,
                     struct journal_due *ret_due, size_t max);

/* The earliest wake time after `after_ms`, or 0. */
int journal_next_due(struct journal *journal, int64_t after_ms, int64_t *ret_wake_ms);

/* Executions of a function (none = all of the tenant), by start time and id. */
struct journal_list {
    uint64_t tenant;
    struct id function_id;     /* none: all functions */
    uint32_t statuses;         /* bit per enum exec_status; 0 = all */
    int64_t started_after_ms;  /* 0 = no bound */
    int64_t started_before_ms; /* 0 = no bound */
    bool is_oldest_first;
    int64_t from_start_ms; /* continue after this one; 0 and none = from the start */
    struct id from_exec_id;
};
typedef int (*journal_head_visit)(void *arg, const struct journal_head *head);
int journal_read_list(struct journal *journal, const struct journal_list *list,
                      journal_head_visit visit, void *arg);

/* Objects whose key starts with `prefix`, in key order; and one alone, copied. */
typedef int (*journal_object_visit)(void *arg, struct bytes key, struct bytes value);
int journal_read_objects(struct journal *journal, struct bytes prefix, journal_object_visit visit,
                         void *arg);
int journal_get_object(struct journal *journal, struct bytes key, struct buf *ret_value);

/* --- upkeep --------------------------------------------------------------------- */

/* Deletes closed executions whose retention is over, at most `max`, in the applier, which
 * keeps the views up to date between small steps of it. Returns at once. */
void journal_expire(struct journal *journal, int64_t now_ms, uint32_t max);

/* A hot backup of both environments into `dir` (created, must be empty), made by a
 * thread; consistent and complete to the LSN committed at the call. 0 or a
 * negative error to `cb`. The keyring is not in it. */
struct journal_backup;
typedef void (*journal_backup_cb)(void *arg, int status);
int journal_backup(struct journal *journal, const char *dir, void *arg, journal_backup_cb cb);

struct journal_stats {
    uint64_t last_lsn, committed_lsn, applied_lsn, trimmed_lsn;
    uint64_t commits, entries, bytes;
    uint64_t log_used_bytes, log_map_bytes, views_used_bytes, views_map_bytes;
    uint64_t executions;
    bool is_full;
};
void journal_get_stats(struct journal *journal, struct journal_stats *ret_stats);

#endif /* JOURNAL_JOURNAL_H */
