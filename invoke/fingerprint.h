/* Has a program, or a directory of files, changed? One number that differs then: of
 * names, sizes, times and inodes, not of contents. */
#ifndef INVOKE_FINGERPRINT_H
#define INVOKE_FINGERPRINT_H

#include <stdint.h>

/* 0 when there is nothing at `path`. At most 10,000 files, 16 directories deep: what is
 * beyond is not looked at. */
uint64_t fingerprint_of(const char *path);

#endif /* INVOKE_FINGERPRINT_H */
