/* A disk under a recording: what it must hold, what it may hold, and what a power cut
 * leaves of that. A state is made in place (image.h), and taken back with all that was
 * written to it. One disk at a time. */
#ifndef TESTS_POWERCUT_DISK_H
#define TESTS_POWERCUT_DISK_H

#include "engine/base/prng.h"
#include "tests/powercut/tape.h"

/* What a cut leaves of a file: everything that was written, of what was not synced only
 * the last write, or each write whole, in sectors of 512 bytes, or not at all. */
enum disk_variant { DISK_ALL, DISK_LAST, DISK_SOME, DISK_SOME_TOO, DISK_VARIANTS };

struct disk;

/* In `dir`, which is made, and in a second directory beside it. One that ignores syncs
 * writes when it holds back too much. */
struct disk *disk_create(const char *dir, const struct tape *tape, bool ignores_syncs);
void disk_destroy(struct disk *disk); /* removes the directories */

/* The next operation happens. */
void disk_step(struct disk *disk);
size_t disk_steps(const struct disk *disk); /* that have happened */

/* The directory becomes what a cut at this moment could leave. */
void disk_cut(struct disk *disk, struct prng *prng, enum disk_variant variant);

/* A second cut, while what the first one left is being recovered: call disk_watch() after
 * the first, open and close the journal, and then the directory becomes what a cut after
 * any of the operations in between could leave. False: there was none. */
void disk_watch(struct disk *disk);
bool disk_cut_again(struct disk *disk, struct prng *prng, enum disk_variant variant,
                    bool ignores_syncs);

/* As before the cut; nobody has the files open. */
void disk_restore(struct disk *disk);

/* --- for names.c ------------------------------------------------------------------ */

#define DISK_PATH_MAX (4096 + 80)

/* Where the file itself is, when `dir` does not show it. */
void disk_data_path(const char *dir, uint32_t file, char path[DISK_PATH_MAX]);
void disk_remove_tree(const char *dir); /* if it is there */

#endif /* TESTS_POWERCUT_DISK_H */
