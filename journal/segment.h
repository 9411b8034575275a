/* Segments: the frames of one execution that came in one batch, verbatim and end to
 * end, in values of bounded size. A frame that is larger than a value lies alone
 * in pieces of it; every other segment is one piece. */
#ifndef JOURNAL_SEGMENT_H
#define JOURNAL_SEGMENT_H

#include "journal/views.h"

#define KEY_SEGMENT_BYTES 26U

struct bytes key_segment(uint8_t out[KEY_SEGMENT_BYTES], const struct id *exec_id,
                         uint64_t first_record, uint16_t piece);

/* Packs frames of one execution, given in order. */
struct segment_pack {
    struct view_txn *txn;
    struct id exec_id;
    uint64_t first_record;
    struct buf frames;
    bool has_written;
};

void segment_pack_frame(struct segment_pack *pack, uint64_t first_record, struct bytes frame);
void segment_pack_end(struct segment_pack *pack);
/* Instead, when the execution is not to be kept. */
void segment_pack_drop(struct segment_pack *pack);

/* Visits the frames from the one that holds `*record` on, and moves `*record` behind
 * each that was visited. Ends by itself with SEGMENT_MORE after `until_ms` of
 * thread_now_ms(); damage is ERR_CORRUPT. `spare` holds a frame made of pieces. */
enum { SEGMENT_MORE = 1 << 30 };
int segment_read(const struct views *views, MDB_txn *txn, const struct id *exec_id,
                 uint64_t *record, int64_t until_ms, struct buf *spare, journal_frame_visit visit,
                 void *arg);

#endif /* JOURNAL_SEGMENT_H */
