#include "journal/batch.h"

#include <inttypes.h>
#include <stdlib.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"

#define ENTRIES_MIN 1024U
#define ENTRIES_MAX JOURNAL_LAG_ENTRIES
#define SLICE_BYTES ((size_t)4 << 20) /* a few milliseconds of copying */

enum { SLICE_END = 1, BATCH_END = 2 };

void batch_fini(struct batch *batch)
{
    buf_fini(&batch->data);
    mem_free(batch->entries);
    *batch = (struct batch){0};
}

static int grow(struct batch *batch)
{
    size_t cap = (batch->cap == 0) ? ENTRIES_MIN : batch->cap * 2;
    struct batch_entry *entries;

    if (batch->count < batch->cap) {
        return 0;
    }
    entries = mem_realloc(batch->entries, cap * sizeof *entries);
    if (entries == NULL) {
        return ERR(ERR_NOMEM, "entries of a batch");
    }
    batch->entries = entries;
    batch->cap = cap;
    return 0;
}

/* The execution of a frame that can be read; else it is damaged. */
static void classify(const struct batch *batch, struct batch_entry *entry)
{
    struct frame_header header;
    struct frame_opening opening;
    struct bytes sealed;

    switch (entry->kind) {
    case JOURNAL_FRAME:
        if (frame_parse(batch_data(batch, entry), &header, &opening, &sealed)) {
            entry->exec_id = header.exec_id;
        } else {
            entry->is_damaged = true;
        }
        return;
    case JOURNAL_PUT:
    case JOURNAL_DELETE:
        return;
    default:
        entry->is_damaged = true;
    }
}

static int start_entry(struct batch *batch, const struct log_piece *piece)
{
    int r = grow(batch);

    if (r != 0) {
        return r;
    }
    batch->entries[batch->count++] = (struct batch_entry){
        .kind = piece->kind, .at = batch->data.len, .is_damaged = piece->piece != 0};
    batch->piece = 0;
    batch->pieces = (piece->piece == 0) ? piece->pieces : 1;
    return 0;
}

static int add_data(struct batch *batch, const struct log_piece *piece)
{
    struct batch_entry *entry = &batch->entries[batch->count - 1];

    buf_append(&batch->data, piece->data.data, piece->data.len);
    if (batch->data.failed) {
        batch->data.failed = false;
        return ERR(ERR_NOMEM, "data of a batch");
    }
    entry->len += piece->data.len;
    entry->lsn = piece->lsn;
    batch->last_lsn = piece->lsn;
    batch->next_lsn = piece->lsn + 1;
    if (++batch->piece == batch->pieces) {
        batch->pieces = 0;
        if (!entry->is_damaged) {
            classify(batch, entry);
        }
    }
    return 0;
}

/* Pieces that do not fit together are kept, as damaged entries. */
static bool is_expected(const struct batch *batch, const struct log_piece *piece)
{
    const struct batch_entry *entry = &batch->entries[batch->count - 1];

    return piece->kind == entry->kind && piece->piece == batch->piece &&
           piece->pieces == batch->pieces;
}

static bool is_complete(const struct batch *batch)
{
    return batch->pieces == 0 && (batch->next_lsn > batch->to_lsn || batch->count >= ENTRIES_MAX ||
                                  batch->data.len >= batch->bytes_max);
}

static int add_piece(void *arg, const struct log_piece *piece)
{
    struct batch *batch = arg;
    int r = 0;

    if (piece->lsn != batch->next_lsn) {
        return ERR(ERR_CORRUPT,
                   "the log has %" PRIu64 " where LSN %" PRIu64 " should be: restore a backup",
                   piece->lsn, batch->next_lsn);
    }
    if (batch->pieces != 0 && !is_expected(batch, piece)) {
        batch->entries[batch->count - 1].is_damaged = true;
        batch->pieces = 0;
    }
    if (batch->pieces == 0) {
        r = start_entry(batch, piece);
    }
    if (r == 0) {
        r = add_data(batch, piece);
    }
    if (r != 0) {
        return r;
    }
    return is_complete(batch) ? BATCH_END : (batch->data.len >= batch->slice_end) ? SLICE_END : 0;
}

static int compare(const void *one, const void *two)
{
    const struct batch_entry *a = one;
    const struct batch_entry *b = two;
    bool a_is_frame = !id_is_none(&a->exec_id);
    int order = (int)!a_is_frame - (int)id_is_none(&b->exec_id);

    if (order == 0) {
        order = memcmp(a->exec_id.bytes, b->exec_id.bytes, sizeof a->exec_id.bytes);
    }
    return (order != 0) ? order : (a->lsn > b->lsn) - (a->lsn < b->lsn);
}

int batch_read(struct batch *batch, struct hot_log *log, uint64_t from, uint64_t to,
               size_t bytes_max)
{
    int r = SLICE_END;

    batch->data.len = 0;
    batch->count = 0;
    batch->pieces = 0;
    batch->next_lsn = from;
    batch->last_lsn = from - 1;
    batch->to_lsn = to;
    batch->bytes_max = bytes_max;
    while (r == SLICE_END) {
        batch->slice_end = batch->data.len + SLICE_BYTES;
        r = hot_log_read(log, batch->next_lsn, add_piece, batch);
    }
    if (r == 0 && batch->next_lsn <= to) {
        return ERR(ERR_CORRUPT, "the log ends at %" PRIu64 " before LSN %" PRIu64, batch->last_lsn,
                   to);
    }
    if (r < 0) {
        return r;
    }
    if (batch->pieces != 0) {
        batch->entries[batch->count - 1].is_damaged = true; /* its end is not in the log */
    }
    qsort(batch->entries, batch->count, sizeof *batch->entries, compare);
    return 0;
}
