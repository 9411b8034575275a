/* A disk under a recording: what it must hold, what it may hold, and what a power cut
 * leaves of that.
 *
 * The two data files of the journal are kept as files of a memory file system, changed in
 * place: a state is made by applying some of what was not yet synced, and taken back
 * afterwards with everything that LMDB has written meanwhile. For that, disk.c defines
 * pwrite(), write(), writev() and the syncs of this process: there is one disk at a
 * time, and the process must write to its data files through LMDB alone. */
#ifndef TESTS_POWERCUT_DISK_H
#define TESTS_POWERCUT_DISK_H

#include "engine/base/prng.h"
#include "tests/powercut/tape.h"

/* What a cut leaves of a file: everything that was written, of what was not synced only
 * the last write, or each write whole, in sectors of 512 bytes, or not at all. */
enum disk_variant { DISK_ALL, DISK_LAST, DISK_SOME, DISK_SOME_TOO, DISK_VARIANTS };

struct disk;

/* In `dir`, which is made, and in a second directory beside it. One that ignores syncs writes when
 * it holds back too much. */
struct disk *disk_create(const char *dir, const struct tape *tape, bool ignores_syncs);
void disk_destroy(struct disk *disk); /* removes the directory */
const char *disk_dir(const struct disk *disk);

/* The next operation happens. */
void disk_step(struct disk *disk);
size_t disk_steps(const struct disk *disk); /* that have happened */

/* The directory becomes what a cut at this moment could leave. */
void disk_cut(struct disk *disk, struct prng *prng, enum disk_variant variant);

/* As before the cut; nobody has the files open. */
void disk_restore(struct disk *disk);

/* --- for names.c ------------------------------------------------------------------ */

#define DISK_PATH_MAX (4096 + 80)

/* Where the file itself is, when `dir` does not show it. */
void disk_data_path(const char *dir, uint32_t file, char path[DISK_PATH_MAX]);
void disk_remove_tree(const char *dir); /* if it is there */

#endif /* TESTS_POWERCUT_DISK_H */
