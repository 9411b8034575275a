#undef _FILE_OFFSET_BITS /* it would make pwrite64 of the pwrite that LMDB calls */

#include "tests/powercut/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "engine/base/bytes.h"
#include "tests/powercut/names.h"

#define EXPORT __attribute__((visibility("default")))
#define SECTOR 512U
#define SLACK ((size_t)4 << 20) /* what recovery itself may add to a file */
#define HELD_BACK_MAX 60U       /* writes, by a disk that ignores syncs */
#define OTHER_MAX ((size_t)64 << 10)

struct image {
    uint8_t *bytes; /* of a data file: the file itself, mapped */
    size_t len;
    size_t max;
    int fd; /* -1: in memory only */
    ino_t number;
    size_t *pending; /* operations that are not synced */
    size_t pending_count;
};

struct undo {
    struct image *image;
    size_t offset;
    size_t len;
    size_t at;      /* of what was there, in `saved` */
    size_t len_was; /* of the image */
};

struct disk {
    const struct tape *tape;
    char dir[PATH_MAX];
    bool ignores_syncs;
    size_t steps;
    struct image images[TAPE_FILES_MAX];
    struct names *names;
    bool is_cut;
    struct undo *undos;
    size_t undo_count;
    size_t undo_cap;
    struct buf saved;
};

static struct disk *current; /* what the functions at the end write to */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* --- images ---------------------------------------------------------------------------------- */

static void save(struct disk *disk, struct image *image, size_t offset, size_t end)
{
    size_t to = (end < image->len) ? end : image->len;
    size_t len = (offset < to) ? to - offset : 0;

    if (disk->undo_count == disk->undo_cap) {
        disk->undo_cap = disk->undo_cap * 2 + 256;
        disk->undos = realloc(disk->undos, disk->undo_cap * sizeof *disk->undos);
        require(disk->undos != NULL, "memory");
    }
    disk->undos[disk->undo_count++] = (struct undo){
        .image = image, .offset = offset, .len = len, .at = disk->saved.len, .len_was = image->len};
    buf_append(&disk->saved, image->bytes + offset, len);
    require(!disk->saved.failed, "memory");
}

static void set_len(struct image *image, size_t len)
{
    if (image->fd >= 0 && len != image->len) {
        require(ftruncate(image->fd, (off_t)len) == 0, "length of a file");
    }
    image->len = len;
}

static void image_write(struct disk *disk, struct image *image, size_t offset, const uint8_t *data,
                        size_t len)
{
    if (disk->is_cut) {
        save(disk, image, offset, offset + len);
    }
    if (offset + len > image->max) {
        abort(); /* LMDB was led astray: a violation, if not by the tape */
    }
    if (offset + len > image->len) {
        set_len(image, offset + len);
    }
    memcpy(image->bytes + offset, data, len);
}

static void make_data_file(struct disk *disk, enum recorded_file file)
{
    struct image *image = &disk->images[file];
    char path[DISK_PATH_MAX];
    struct stat stat;

    disk_data_path(disk->dir, file, path);
    image->max = disk->tape->file_max[file] + SLACK;
    image->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(image->fd >= 0 && fstat(image->fd, &stat) == 0, path);
    image->number = stat.st_ino;
    image->bytes = mmap(NULL, image->max, PROT_READ | PROT_WRITE, MAP_SHARED, image->fd, 0);
    require(image->bytes != MAP_FAILED, "map a data file");
}

static void make_images(struct disk *disk)
{
    for (uint32_t file = 0; file < TAPE_FILES_MAX; file++) {
        struct image *image = &disk->images[file];

        image->pending = calloc(disk->tape->cut_count, sizeof *image->pending);
        require(image->pending != NULL, "memory");
        if (file < RECORDED_FILES) {
            make_data_file(disk, (enum recorded_file)file);
            continue;
        }
        image->fd = -1;
        image->max = OTHER_MAX;
        image->bytes = calloc(1, image->max);
        require(image->bytes != NULL, "memory");
    }
}

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

struct disk *disk_create(const char *dir, const struct tape *tape, bool ignores_syncs)
{
    struct disk *disk = calloc(1, sizeof *disk);

    require(disk != NULL && current == NULL, "one disk at a time");
    disk->tape = tape;
    disk->ignores_syncs = ignores_syncs;
    (void)snprintf(disk->dir, sizeof disk->dir, "%s", dir);
    make_dir(dir, "");
    make_dir(dir, "/log");
    make_dir(dir, "/views");
    make_images(disk);
    disk->names = names_create(disk->dir);
    current = disk;
    return disk;
}

void disk_destroy(struct disk *disk)
{
    char path[DISK_PATH_MAX];

    current = NULL;
    for (uint32_t file = 0; file < TAPE_FILES_MAX; file++) {
        struct image *image = &disk->images[file];

        free(image->pending);
        if (image->fd < 0) {
            free(image->bytes);
        } else {
            (void)munmap(image->bytes, image->max);
            (void)close(image->fd);
        }
    }
    names_destroy(disk->names);
    free(disk->undos);
    buf_fini(&disk->saved);
    disk_remove_tree(disk->dir);
    path_of_files(disk->dir, "", path);
    disk_remove_tree(path);
    free(disk);
}

const char *disk_dir(const struct disk *disk)
{
    return disk->dir;
}

size_t disk_steps(const struct disk *disk)
{
    return disk->steps;
}

/* --- what happens ---------------------------------------------------------------------------- */

static void settle(struct disk *disk, struct image *image, size_t index)
{
    const struct tape_op *op = &disk->tape->ops[image->pending[index]];

    image_write(disk, image, op->head.offset, op->data, op->head.len);
    image->pending_count--;
    memmove(image->pending + index, image->pending + index + 1,
            (image->pending_count - index) * sizeof *image->pending);
}

/* A write through O_DSYNC makes itself durable, not what was written before it. */
static void settle_last_dsync(struct disk *disk, struct image *image)
{
    for (size_t i = image->pending_count; i > 0; i--) {
        if (disk->tape->ops[image->pending[i - 1]].head.kind == RECORDED_DSYNC) {
            settle(disk, image, i - 1);
            return;
        }
    }
}

static void note_write(struct disk *disk, struct image *image)
{
    image->pending[image->pending_count++] = disk->steps;
    if (disk->ignores_syncs && image->pending_count > HELD_BACK_MAX) {
        settle(disk, image, 0);
    }
}

void disk_step(struct disk *disk)
{
    const struct tape_op *op = &disk->tape->ops[disk->steps];
    struct image *image = &disk->images[op->head.file];

    if (tape_is_write(op)) {
        note_write(disk, image);
    } else if (tape_is_name(op)) {
        names_add(disk->names, op);
    } else if (op->head.kind == RECORDED_DIR_SYNC && !disk->ignores_syncs) {
        names_sync(disk->names, (const char *)op->data);
    } else if (op->head.kind == RECORDED_SYNC && !disk->ignores_syncs) {
        while (image->pending_count > 0) {
            settle(disk, image, 0);
        }
    } else if (op->head.kind == RECORDED_DSYNC_END && !disk->ignores_syncs) {
        settle_last_dsync(disk, image);
    }
    disk->steps++;
}

/* --- cuts ------------------------------------------------------------------------------------ */

static void write_torn(struct disk *disk, struct image *image, struct prng *prng,
                       const struct tape_op *op)
{
    for (size_t from = 0; from < op->head.len;) {
        size_t to = from + SECTOR - (op->head.offset + from) % SECTOR;

        to = (to < op->head.len) ? to : op->head.len;
        if (prng_below(prng, 2) == 0) {
            image_write(disk, image, op->head.offset + from, op->data + from, to - from);
        }
        from = to;
    }
}

static void cut_image(struct disk *disk, struct image *image, struct prng *prng,
                      enum disk_variant variant)
{
    for (size_t i = 0; i < image->pending_count; i++) {
        const struct tape_op *op = &disk->tape->ops[image->pending[i]];
        uint32_t fate = (variant >= DISK_SOME) ? prng_below(prng, 3) : 0;
        bool is_kept = (variant != DISK_LAST || i + 1 == image->pending_count);

        if (fate == 0 && is_kept) {
            image_write(disk, image, op->head.offset, op->data, op->head.len);
        } else if (fate == 1) {
            write_torn(disk, image, prng, op);
        }
    }
}

void disk_cut(struct disk *disk, struct prng *prng, enum disk_variant variant)
{
    struct bytes contents[TAPE_FILES_MAX];

    disk->is_cut = true;
    for (uint32_t file = 0; file < TAPE_FILES_MAX; file++) {
        struct image *image = &disk->images[file];

        cut_image(disk, image, prng, variant);
        contents[file] = bytes_of(image->bytes, image->len);
    }
    names_show(disk->names, prng, variant, contents);
}

void disk_restore(struct disk *disk)
{
    names_hide(disk->names);
    while (disk->undo_count > 0) {
        const struct undo *undo = &disk->undos[--disk->undo_count];

        memcpy(undo->image->bytes + undo->offset, disk->saved.data + undo->at, undo->len);
        set_len(undo->image, undo->len_was);
    }
    disk->saved.len = 0;
    disk->is_cut = false;
}

/* --- in place of libc ------------------------------------------------------------------------ */

static struct image *image_of(int fd)
{
    struct stat stat;

    if (current == NULL || fstat(fd, &stat) != 0) {
        return NULL;
    }
    for (uint32_t file = 0; file < RECORDED_FILES; file++) {
        if (current->images[file].number == stat.st_ino) {
            return &current->images[file];
        }
    }
    return NULL;
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    struct image *image = image_of(fd);

    if (image == NULL) {
        return syscall(SYS_pwrite64, fd, data, len, offset);
    }
    (void)pthread_mutex_lock(&mutex);
    image_write(current, image, (size_t)offset, data, len);
    (void)pthread_mutex_unlock(&mutex);
    return (ssize_t)len;
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    struct image *image = image_of(fd);
    off_t begun = (image != NULL) ? lseek(fd, 0, SEEK_CUR) : 0;
    off_t offset = begun;

    if (image == NULL) {
        return syscall(SYS_writev, fd, parts, count);
    }
    for (int i = 0; i < count; i++) {
        offset += pwrite(fd, parts[i].iov_base, parts[i].iov_len, offset);
    }
    (void)lseek(fd, offset, SEEK_SET);
    return offset - begun;
}

EXPORT ssize_t write(int fd, const void *data, size_t len)
{
    const struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};

    return (image_of(fd) != NULL) ? writev(fd, &part, 1) : syscall(SYS_write, fd, data, len);
}

EXPORT int fdatasync(int fd)
{
    (void)fd; /* what is judged is in memory */
    return 0;
}

EXPORT int fsync(int fd)
{
    (void)fd;
    return 0;
}
