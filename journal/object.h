/* Objects: keyed values of the control plane. The data of an entry is key_len u16
 * little-endian, key, value; the key must fit a key of LMDB. */
#ifndef JOURNAL_OBJECT_H
#define JOURNAL_OBJECT_H

#include "journal/views.h"

/* False when the data of an entry of this kind is not well-formed. */
bool object_split(uint8_t kind, struct bytes data, struct bytes *ret_key, struct bytes *ret_value);

/* False when the data is not well-formed; nothing has changed then. */
bool object_apply(struct view_txn *txn, uint8_t kind, uint64_t lsn, struct bytes data);

/* The value that a row of `object` stands for: inside the row, or gathered into
 * `spare`. ERR_CORRUPT when it is not all there. */
int object_value(const struct views *views, MDB_txn *txn, struct bytes row, struct buf *spare,
                 struct bytes *ret_value);

#endif /* JOURNAL_OBJECT_H */
