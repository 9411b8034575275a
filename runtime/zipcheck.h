/* Reads the directory of a zip before a byte of it is unpacked, and believes nothing:
 * every entry must be where it says, alone there, of a kind and name that we unpack,
 * and its two headers must agree. What is refused is refused with a sentence. */
#ifndef RUNTIME_ZIPCHECK_H
#define RUNTIME_ZIPCHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/bytes.h"
#include "runtime/failure.h"

#define ZIP_ARCHIVE_BYTES_MAX (50u << 20)
#define ZIP_OUTPUT_BYTES_MAX (250u << 20)
#define ZIP_ENTRIES_MAX 20000u
#define ZIP_NAME_MAX 1024u
#define ZIP_PART_MAX 255u
#define ZIP_DEPTH_MAX 64u
#define ZIP_RATIO_MAX 200u
#define ZIP_RATIO_FROM_BYTES (1u << 20) /* smaller files may shrink as they like */

struct zip_entry {
    const char *name; /* in the archive: no zero byte behind it */
    uint16_t name_len;
    bool is_directory;
    bool is_executable;
    uint32_t start; /* of its local header */
    uint64_t end;   /* of its data */
    uint32_t packed_bytes;
    uint32_t bytes;
};

struct zip_index {
    struct zip_entry *entries; /* in the order of the central directory */
    uint32_t count;
    uint64_t bytes;
};

/* `archive` must outlive the index. */
int zipcheck_open(struct zip_index *ret_index, struct bytes archive, struct failure *failure);
void zipcheck_close(struct zip_index *index);

#endif /* RUNTIME_ZIPCHECK_H */
