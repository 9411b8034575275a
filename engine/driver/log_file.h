/* The files of one function's log: NAME.jsonl, and NAME.jsonl.1 from before it was rotated.
 *
 * Where a line stands is told as a position since the file that was the oldest when
 * the daemon first looked; it stays true when the files are rotated. */
#ifndef ENGINE_DRIVER_LOG_FILE_H
#define ENGINE_DRIVER_LOG_FILE_H

#include "engine/base/bytes.h"
#include "engine/base/list.h"
#include "engine/base/table.h"

#define LOG_NAME_BYTES_MAX 140U

/* Where the files are, and how large one becomes. */
struct log_dir {
    int fd;
    uint64_t file_bytes_max;
};

struct log_file {
    struct table_node by_name;
    struct bytes name; /* owned */
    struct list dirty; /* has news since the last write */
    struct list writing;
    struct buf filling; /* of the loop's thread */
    struct buf pending; /* under the lock, like what follows */
    uint64_t old_start; /* position at which the rotated file starts */
    uint64_t start;     /* and the current one */
    uint64_t size;
    bool is_known; /* these were read from the disk */
    bool has_complained;
    uint64_t lost; /* lines; of the loop's thread, like what follows */
    bool has_news;
};

/* Under the lock, all three. */

/* Reads sizes from the disk, the first time. */
void log_file_know(const struct log_dir *dir, struct log_file *file);

/* What cannot be written is dropped: it is a log. */
void log_file_write(const struct log_dir *dir, struct log_file *file, struct bytes bytes);

/* `suffix` "" or ".1". A descriptor, or -1 with errno. */
int log_file_open(const struct log_dir *dir, const struct log_file *file, const char *suffix,
                  int flags);

#endif /* ENGINE_DRIVER_LOG_FILE_H */
