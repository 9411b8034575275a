/* Files that are changed in place and can be put back: everything that is written while
 * `undo` is on is undone by going back to a mark.
 *
 * LMDB writes to the two data files through here, too: image.c defines pwrite(), writev(),
 * write() and the syncs of this process. So the process must write to its data files
 * through LMDB alone. One set of images at a time. */
#ifndef TESTS_POWERCUT_IMAGE_H
#define TESTS_POWERCUT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/bytes.h"
#include "tests/powercut/tape.h"

/* `path` NULL: in memory only, like all but the data files. */
void image_open(uint32_t file, const char *path, size_t max);
void image_close_all(void);

void image_write(uint32_t file, uint64_t offset, const uint8_t *data, size_t len);
struct bytes image_bytes(uint32_t file); /* valid until the next change */

void image_set_undo(bool is_on);
size_t image_mark(void);
void image_rewind(size_t mark);

/* From now on what LMDB writes and syncs is noted, until it is asked for: `ret_tape` has
 * these operations, and is valid until the next call of image_watch(). */
void image_watch(void);
void image_watched(struct tape *ret_tape);

#endif /* TESTS_POWERCUT_IMAGE_H */
