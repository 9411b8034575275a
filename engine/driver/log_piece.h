/* A piece of a log as it was read from its file, and the lines in it. */
#ifndef ENGINE_DRIVER_LOG_PIECE_H
#define ENGINE_DRIVER_LOG_PIECE_H

#include "engine/driver/log_file.h"
#include "engine/driver/log_line.h"

struct log_piece {
    uint8_t *data;
    size_t len;
    bool is_old;  /* of the rotated file */
    bool is_last; /* of its file */
};

struct log_filter {
    struct buf execution; /* the member as it stands in a line; empty: any */
    char since[LOG_TIME_LEN + 1];
};

/* Under the lock; at most 1 MiB. `data` is the caller's to free, and NULL where there is no
 * file. ERR_IO, ERR_NOMEM. */
int log_piece_read(const struct log_dir *dir, const struct log_file *file, uint64_t position,
                   struct log_piece *ret_piece);

/* Returns how much was taken; `ret_is_ended`: the visitor wants no more. */
size_t log_piece_visit(const struct log_piece *piece, const struct log_filter *filter,
                       logs_visit visit, void *arg, bool *ret_is_ended);

/* How much is taken after a visit that took `done`. A rest without a line feed can only be
 * torn, where nothing is written any more. */
size_t log_piece_skip_torn(const struct log_piece *piece, size_t done);

#endif /* ENGINE_DRIVER_LOG_PIECE_H */
