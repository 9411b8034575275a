#include "journal/object.h"

#include <inttypes.h>

#include "engine/base/err.h"
#include "journal/layout.h"

#define ROW_INLINE 0U
#define ROW_PIECES 1U
#define ROW_PIECES_BYTES 17U

bool object_split(uint8_t kind, struct bytes data, struct bytes *ret_key, struct bytes *ret_value)
{
    size_t key_len;

    if (data.len < 2) {
        return false;
    }
    key_len = get_u16le(data.data);
    if (key_len == 0 || key_len > JOURNAL_KEY_MAX || key_len > data.len - 2) {
        return false;
    }
    if (kind != JOURNAL_PUT && key_len != data.len - 2) {
        return false;
    }
    *ret_key = bytes_of(data.data + 2, key_len);
    *ret_value = bytes_of(data.data + 2 + key_len, data.len - 2 - key_len);
    return true;
}

static void delete_old(struct view_txn *txn, struct bytes key)
{
    uint8_t number[8];
    struct bytes row = {0};

    if (!view_get(txn, VIEW_OBJECT, key, &row)) {
        return;
    }
    if (row.len == ROW_PIECES_BYTES && row.data[0] == ROW_PIECES) {
        put_u64be(number, get_u64le(row.data + 1));
        (void)view_delete_prefix(txn, VIEW_PIECE, bytes_of(number, sizeof number));
    }
    view_delete(txn, VIEW_OBJECT, key);
}

static void put_inline(struct view_txn *txn, struct bytes key, struct bytes value)
{
    uint8_t row[VIEW_VALUE_BYTES];

    row[0] = ROW_INLINE;
    if (value.len > 0) {
        memcpy(row + 1, value.data, value.len);
    }
    view_put(txn, VIEW_OBJECT, key, bytes_of(row, 1 + value.len));
}

static void put_pieces(struct view_txn *txn, struct bytes key, uint64_t lsn, struct bytes value)
{
    uint8_t row[ROW_PIECES_BYTES];

    row[0] = ROW_PIECES;
    put_u64le(row + 1, lsn);
    put_u64le(row + 9, value.len);
    view_put_pieces(txn, VIEW_PIECE, lsn, value);
    view_put(txn, VIEW_OBJECT, key, bytes_of(row, sizeof row));
}

bool object_apply(struct view_txn *txn, uint8_t kind, uint64_t lsn, struct bytes data)
{
    struct bytes key;
    struct bytes value = {0};

    if (!object_split(kind, data, &key, &value)) {
        return false;
    }
    delete_old(txn, key);
    if (kind == JOURNAL_DELETE) {
        return true;
    }
    if (value.len < VIEW_VALUE_BYTES) {
        put_inline(txn, key, value);
    } else {
        put_pieces(txn, key, lsn, value);
    }
    return true;
}

static int gather(const struct views *views, MDB_txn *txn, uint64_t lsn, uint64_t len,
                  struct buf *spare)
{
    scoped_cursor MDB_cursor *cursor = NULL;
    uint8_t number[10] = {0};
    MDB_val key = env_val(number, sizeof number);
    MDB_val value;
    int rc = mdb_cursor_open(txn, views->tables[VIEW_PIECE], &cursor);

    put_u64be(number, lsn);
    if (rc == 0) {
        rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    }
    spare->len = 0;
    while (rc == 0 && spare->len < len && key.mv_size == sizeof number &&
           get_u64be(key.mv_data) == lsn) {
        buf_append(spare, value.mv_data, value.mv_size);
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    if (spare->failed) {
        spare->failed = false;
        return ERR(ERR_NOMEM, "object of %" PRIu64 " bytes", len);
    }
    return (spare->len == len) ? 0
                               : ERR(ERR_CORRUPT, "%s: an object lacks pieces", views->env.path);
}

int object_value(const struct views *views, MDB_txn *txn, struct bytes row, struct buf *spare,
                 struct bytes *ret_value)
{
    int r = 0;

    if (row.len >= 1 && row.data[0] == ROW_INLINE) {
        *ret_value = bytes_of(row.data + 1, row.len - 1);
        return 0;
    }
    if (row.len != ROW_PIECES_BYTES || row.data[0] != ROW_PIECES) {
        return ERR(ERR_CORRUPT, "%s: an object has an unknown form", views->env.path);
    }
    r = gather(views, txn, get_u64le(row.data + 1), get_u64le(row.data + 9), spare);
    if (r == 0) {
        *ret_value = buf_bytes(spare);
    }
    return r;
}
