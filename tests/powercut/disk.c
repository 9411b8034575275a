#include "tests/powercut/disk.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/powercut/image.h"
#include "tests/powercut/names.h"

#define SECTOR 512U
#define SLACK ((size_t)4 << 20) /* what recovery itself may add to a file */
#define HELD_BACK_MAX 60U       /* writes, by a disk that ignores syncs */
#define OTHER_MAX ((size_t)64 << 10)

/* Writes to a file that are not synced. */
struct pending {
    const struct tape_op **ops;
    size_t count;
    size_t cap;
};

struct disk {
    const struct tape *tape;
    char dir[PATH_MAX];
    bool ignores_syncs;
    size_t steps;
    struct pending pending[TAPE_FILES_MAX];
    struct names *names;
    size_t watch_mark;
};

/* --- directories --------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *at)
{
    (void)stat;
    (void)kind;
    (void)at;
    return remove(path);
}

void disk_remove_tree(const char *dir)
{
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void disk_data_path(const char *dir, uint32_t file, char path[DISK_PATH_MAX])
{
    (void)snprintf(path, DISK_PATH_MAX, "%s.files/%s/data.mdb", dir,
                   (file == RECORDED_LOG) ? "log" : "views");
}

/* "<dir>.files", or a directory in it. */
static void path_of_files(const char *dir, const char *name, char path[DISK_PATH_MAX])
{
    (void)snprintf(path, DISK_PATH_MAX, "%s.files%s", dir, name);
}

static void make_dir(const char *dir, const char *name)
{
    char path[DISK_PATH_MAX];

    path_of_files(dir, name, path);
    disk_remove_tree(path); /* of a process that was killed */
    require(mkdir(path, 0700) == 0, path);
}

static void open_images(const struct disk *disk)
{
    char path[DISK_PATH_MAX];

    for (uint32_t file = 0; file < TAPE_FILES_MAX; file++) {
        disk_data_path(disk->dir, file, path);
        if (file < RECORDED_FILES) {
            image_open(file, path, disk->tape->file_max[file] + SLACK);
        } else {
            image_open(file, NULL, OTHER_MAX);
        }
    }
}

struct disk *disk_create(const char *dir, const struct tape *tape, bool ignores_syncs)
{
    struct disk *disk = calloc(1, sizeof *disk);

    require(disk != NULL, "memory");
    disk->tape = tape;
    disk->ignores_syncs = ignores_syncs;
    (void)snprintf(disk->dir, sizeof disk->dir, "%s", dir);
    make_dir(dir, "");
    make_dir(dir, "/log");
    make_dir(dir, "/views");
    open_images(disk);
    disk->names = names_create(disk->dir);
    return disk;
}

static void free_pending(struct pending pending[TAPE_FILES_MAX])
{
    for (uint32_t file = 0; file < TAPE_FILES_MAX; file++) {
        free((void *)(uintptr_t)pending[file].ops);
    }
}

void disk_destroy(struct disk *disk)
{
    char path[DISK_PATH_MAX];

    image_close_all();
    free_pending(disk->pending);
    names_destroy(disk->names);
    disk_remove_tree(disk->dir);
    path_of_files(disk->dir, "", path);
    disk_remove_tree(path);
    free(disk);
}

size_t disk_steps(const struct disk *disk)
{
    return disk->steps;
}

/* --- what happens ---------------------------------------------------------------------------- */

static void settle(struct pending *pending, size_t index)
{
    const struct tape_op *op = pending->ops[index];

    image_write(op->head.file, op->head.offset, op->data, op->head.len);
    pending->count--;
    memmove(pending->ops + index, pending->ops + index + 1,
            (pending->count - index) * sizeof *pending->ops);
}

/* A write through O_DSYNC makes itself durable, not what was written before it. */
static void settle_last_dsync(struct pending *pending)
{
    for (size_t i = pending->count; i > 0; i--) {
        if (pending->ops[i - 1]->head.kind == RECORDED_DSYNC) {
            settle(pending, i - 1);
            return;
        }
    }
}

static void note_write(struct pending *pending, const struct tape_op *op, bool ignores_syncs)
{
    if (pending->count == pending->cap) {
        pending->cap = pending->cap * 2 + 64;
        pending->ops =
            realloc((void *)(uintptr_t)pending->ops, pending->cap * sizeof *pending->ops);
        require(pending->ops != NULL, "memory");
    }
    pending->ops[pending->count++] = op;
    if (ignores_syncs && pending->count > HELD_BACK_MAX) {
        settle(pending, 0);
    }
}

/* A write or a sync. */
static void happen(struct pending *pending, const struct tape_op *op, bool ignores_syncs)
{
    if (tape_is_write(op)) {
        note_write(pending, op, ignores_syncs);
    } else if (op->head.kind == RECORDED_SYNC && !ignores_syncs) {
        while (pending->count > 0) {
            settle(pending, 0);
        }
    } else if (op->head.kind == RECORDED_DSYNC_END && !ignores_syncs) {
        settle_last_dsync(pending);
    }
}

void disk_step(struct disk *disk)
{
    const struct tape_op *op = &disk->tape->ops[disk->steps++];

    if (tape_is_name(op)) {
        names_add(disk->names, op);
    } else if (op->head.kind == RECORDED_DIR_SYNC && !disk->ignores_syncs) {
        names_sync(disk->names, (const char *)op->data);
    } else {
        happen(&disk->pending[op->head.file], op, disk->ignores_syncs);
    }
}

/* --- cuts ------------------------------------------------------------------------------------ */

static void write_torn(struct prng *prng, const struct tape_op *op)
{
    for (size_t from = 0; from < op->head.len;) {
        size_t to = from + SECTOR - (op->head.offset + from) % SECTOR;

        to = (to < op->head.len) ? to : op->head.len;
        if (prng_below(prng, 2) == 0) {
            image_write(op->head.file, op->head.offset + from, op->data + from, to - from);
        }
        from = to;
    }
}

static void cut_file(const struct pending *pending, struct prng *prng, enum disk_variant variant)
{
    for (size_t i = 0; i < pending->count; i++) {
        const struct tape_op *op = pending->ops[i];
        uint32_t fate = (variant >= DISK_SOME) ? prng_below(prng, 3) : 0;
        bool is_kept = (variant != DISK_LAST || i + 1 == pending->count);

        if (fate == 0 && is_kept) {
            image_write(op->head.file, op->head.offset, op->data, op->head.len);
        } else if (fate == 1) {
            write_torn(prng, op);
        }
    }
}

void disk_cut(struct disk *disk, struct prng *prng, enum disk_variant variant)
{
    struct bytes contents[TAPE_FILES_MAX];

    image_set_undo(true);
    for (uint32_t file = 0; file < TAPE_FILES_MAX; file++) {
        cut_file(&disk->pending[file], prng, variant);
        contents[file] = image_bytes(file);
    }
    names_show(disk->names, prng, variant, contents);
}

void disk_watch(struct disk *disk)
{
    disk->watch_mark = image_mark();
    image_watch();
}

bool disk_cut_again(struct disk *disk, struct prng *prng, enum disk_variant variant,
                    bool ignores_syncs)
{
    struct pending pending[TAPE_FILES_MAX] = {0};
    struct tape tape;
    size_t steps;

    image_watched(&tape);
    image_rewind(disk->watch_mark);
    steps = (tape.count > 0) ? prng_below(prng, (uint32_t)tape.count) + 1 : 0;
    for (size_t i = 0; i < steps; i++) {
        happen(&pending[tape.ops[i].head.file], &tape.ops[i], ignores_syncs);
    }
    for (uint32_t file = 0; file < RECORDED_FILES; file++) {
        cut_file(&pending[file], prng, variant);
    }
    free_pending(pending);
    return steps > 0;
}

void disk_restore(struct disk *disk)
{
    names_hide(disk->names);
    image_rewind(0);
    image_set_undo(false);
}
