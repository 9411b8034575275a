/* The row of an execution in `head`, and the rows elsewhere that follow from it.
 *
 * Value, little-endian:
 *      0 u64 tenant        8 [16] function    24 [16] name hash
 *     40 u8 status        41 u8 kind         42 u16 1 = brief, see journal/frame.h
 *     44 u32 revision     48 u32 retention days (0: kept)   52 u32 key epoch of the title
 *     56 i64 start        64 i64 end         72 i64 wake
 *     80 u64 last event   88 u64 last record
 *     96 [32] chain      128 title, sealed */
#ifndef JOURNAL_HEAD_H
#define JOURNAL_HEAD_H

#include "journal/views.h"

#define HEAD_BYTES 128U

/* False when the value is no head. The title points into `value`. */
bool head_parse(const struct id *exec_id, struct bytes value, struct journal_head *ret_head);

/* The frame is the first of its execution (`head` is zero), or the next one. */
bool head_is_next(const struct journal_head *head, const struct frame_header *header);

/* What is known after the frame. `opening` counts in a first one. */
void head_advance(struct journal_head *head, const struct frame_header *header,
                  const struct frame_opening *opening);

bool head_is_ended(const struct journal_head *head);

/* Epoch ms from which it may be deleted; 0 = not yet known, or never. */
int64_t head_expires_ms(const struct journal_head *head);

/* Writes `after`, and changes the rows that depend on it; `before` is zero for an
 * execution that is new. */
void head_put(struct view_txn *txn, const struct journal_head *before,
              const struct journal_head *after);

/* Instead, when `after` is brief: of an execution with a name the head (without its title)
 * and the name stay until it expires, of another nothing. */
void head_put_brief(struct view_txn *txn, const struct journal_head *before,
                    const struct journal_head *after);

/* Deletes the head, all rows that depend on it and all frames; returns the number
 * of rows of frames. */
uint64_t head_delete(struct view_txn *txn, const struct journal_head *head);

/* --- keys ------------------------------------------------------------------------ */

#define KEY_TIMED_BYTES 24U  /* ms, execution: due, expire */
#define KEY_NAME_BYTES 40U   /* tenant, function, hash */
#define KEY_INDEX_BYTES 48U  /* tenant, function, start, execution */
#define KEY_STATUS_BYTES 49U /* tenant, function, status, start, execution */

struct bytes key_timed(uint8_t out[KEY_TIMED_BYTES], int64_t ms, const struct id *exec_id);
struct bytes key_name(uint8_t out[KEY_NAME_BYTES], uint64_t tenant, const struct id *function_id,
                      const struct id *name_hash);

/* `status` 0: a key of `index`, else of `status`. `function_id` none: of all functions. */
struct bytes key_listed(uint8_t out[KEY_STATUS_BYTES], uint64_t tenant,
                        const struct id *function_id, uint8_t status, int64_t start_ms,
                        const struct id *exec_id);

#endif /* JOURNAL_HEAD_H */
