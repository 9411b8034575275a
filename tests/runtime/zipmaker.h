/* Makes zips byte by byte, also ones that no honest tool would make. */
#ifndef TESTS_RUNTIME_ZIPMAKER_H
#define TESTS_RUNTIME_ZIPMAKER_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/bytes.h"

struct zip_file {
    const char *name;
    size_t name_len;        /* 0: its length as a string */
    const char *local_name; /* in the local header, if another one */
    const char *data;       /* as it is stored */
    size_t data_len;        /* 0: its length as a string */
    uint32_t mode;          /* a Unix mode; 0: 0100644 */
    uint16_t method;        /* 0: stored */
    uint16_t flags;
    uint32_t bytes; /* claimed in both headers, if not 0 */
    uint32_t local_bytes;
    uint32_t start_shift; /* added to where it is said to start */
    uint32_t start;       /* where it is said to start, if not 0 */
    uint32_t crc;         /* if not 0, the wrong one */
};

struct zip_lies {
    uint16_t count;         /* in the end record, if not 0 */
    uint16_t disk;          /* of several */
    uint32_t directory_add; /* to the directory's offset */
    const char *behind;     /* bytes behind the end record */
};

void zip_make(struct buf *ret_zip, const struct zip_file *files, size_t count,
              const struct zip_lies *lies);

#endif /* TESTS_RUNTIME_ZIPMAKER_H */
