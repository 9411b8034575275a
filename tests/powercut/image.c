#undef _FILE_OFFSET_BITS /* it would make pwrite64 of the pwrite that LMDB calls */

#include "tests/powercut/image.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

struct image {
    uint8_t *bytes; /* of a data file: the file itself, mapped */
    size_t len;
    size_t max;
    int fd; /* -1: in memory only */
    ino_t number;
};

struct undo {
    struct image *image;
    size_t offset;
    size_t len;
    size_t at;      /* of what was there, in `saved` */
    size_t len_was; /* of the image */
};

static struct image images[TAPE_FILES_MAX];
static uint32_t image_count;
static bool has_undo;
static struct undo *undos;
static size_t undo_count;
static size_t undo_cap;
static struct buf saved;

/* What is noted: operations whose `data` are set when they are asked for. */
static bool is_watching;
static struct tape_op *ops;
static size_t op_count;
static size_t op_cap;
static struct buf written;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* the journal has threads */

static void *grow(void *items, size_t count, size_t *cap, size_t size)
{
    if (count < *cap) {
        return items;
    }
    *cap = *cap * 2 + 256;
    items = realloc(items, *cap * size);
    require(items != NULL, "memory");
    return items;
}

/* --- files ------------------------------------------------------------------------------- */

static void open_file(struct image *image, const char *path)
{
    struct stat stat;

    image->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(image->fd >= 0 && fstat(image->fd, &stat) == 0, path);
    image->number = stat.st_ino;
    image->bytes = mmap(NULL, image->max, PROT_READ | PROT_WRITE, MAP_SHARED, image->fd, 0);
    require(image->bytes != MAP_FAILED, "map a data file");
}

void image_open(uint32_t file, const char *path, size_t max)
{
    struct image *image = &images[file];

    require(file == image_count++, "images in order");
    *image = (struct image){.max = max, .fd = -1};
    if (path != NULL) {
        open_file(image, path);
        return;
    }
    image->bytes = calloc(1, max);
    require(image->bytes != NULL, "memory");
}

void image_close_all(void)
{
    for (uint32_t file = 0; file < image_count; file++) {
        struct image *image = &images[file];

        if (image->fd < 0) {
            free(image->bytes);
        } else {
            (void)munmap(image->bytes, image->max);
            (void)close(image->fd);
        }
    }
    image_count = 0;
    undo_count = 0;
    saved.len = 0;
}

struct bytes image_bytes(uint32_t file)
{
    return bytes_of(images[file].bytes, images[file].len);
}

static void set_len(struct image *image, size_t len)
{
    if (image->fd >= 0 && len != image->len) {
        require(ftruncate(image->fd, (off_t)len) == 0, "length of a file");
    }
    image->len = len;
}

/* --- writing and undoing ----------------------------------------------------------------- */

static void save(struct image *image, size_t offset, size_t end)
{
    size_t to = (end < image->len) ? end : image->len;
    size_t len = (offset < to) ? to - offset : 0;

    undos = grow(undos, undo_count, &undo_cap, sizeof *undos);
    undos[undo_count++] = (struct undo){
        .image = image, .offset = offset, .len = len, .at = saved.len, .len_was = image->len};
    buf_append(&saved, image->bytes + offset, len);
    require(!saved.failed, "memory");
}

void image_write(uint32_t file, uint64_t offset, const uint8_t *data, size_t len)
{
    struct image *image = &images[file];

    if (offset + len > image->max) {
        abort(); /* LMDB was led astray: a violation, if not by the tape */
    }
    if (has_undo) {
        save(image, offset, offset + len);
    }
    if (offset + len > image->len) {
        set_len(image, offset + len);
    }
    memcpy(image->bytes + offset, data, len);
}

void image_set_undo(bool is_on)
{
    has_undo = is_on;
}

size_t image_mark(void)
{
    return undo_count;
}

void image_rewind(size_t mark)
{
    while (undo_count > mark) {
        const struct undo *undo = &undos[--undo_count];

        memcpy(undo->image->bytes + undo->offset, saved.data + undo->at, undo->len);
        set_len(undo->image, undo->len_was);
        saved.len = undo->at;
    }
}

/* --- watching ---------------------------------------------------------------------------- */

void image_watch(void)
{
    is_watching = true;
    op_count = 0;
    written.len = 0;
}

void image_watched(struct tape *ret_tape)
{
    size_t at = 0;

    is_watching = false;
    for (size_t i = 0; i < op_count; i++) {
        ops[i].data = written.data + at;
        at += ops[i].head.len;
    }
    *ret_tape = (struct tape){.ops = ops, .count = op_count};
}

static void note(enum recorded_kind kind, uint32_t file, uint64_t offset, const void *data,
                 size_t len)
{
    if (is_watching) {
        ops = grow(ops, op_count, &op_cap, sizeof *ops);
        ops[op_count++] = (struct tape_op){
            .head = {.kind = (uint32_t)kind, .file = file, .offset = offset, .len = len}};
        buf_append(&written, data, len);
        require(!written.failed, "memory");
    }
}

/* --- in place of libc -------------------------------------------------------------------- */

/* TAPE_FILES_MAX: of none. */
static uint32_t file_of(int fd)
{
    struct stat stat;

    if (image_count == 0 || fstat(fd, &stat) != 0) {
        return TAPE_FILES_MAX;
    }
    for (uint32_t file = 0; file < RECORDED_FILES; file++) {
        if (images[file].number == stat.st_ino) {
            return file;
        }
    }
    return TAPE_FILES_MAX;
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    uint32_t file = file_of(fd);
    bool is_synced;

    if (file == TAPE_FILES_MAX) {
        return syscall(SYS_pwrite64, fd, data, len, offset);
    }
    is_synced = (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
    (void)pthread_mutex_lock(&mutex);
    image_write(file, (uint64_t)offset, data, len);
    note(is_synced ? RECORDED_DSYNC : RECORDED_WRITE, file, (uint64_t)offset, data, len);
    if (is_synced) {
        note(RECORDED_DSYNC_END, file, 0, NULL, 0);
    }
    (void)pthread_mutex_unlock(&mutex);
    return (ssize_t)len;
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    bool is_ours = file_of(fd) != TAPE_FILES_MAX;
    off_t begun = is_ours ? lseek(fd, 0, SEEK_CUR) : 0;
    off_t offset = begun;

    if (!is_ours) {
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

    return (file_of(fd) != TAPE_FILES_MAX) ? writev(fd, &part, 1)
                                           : syscall(SYS_write, fd, data, len);
}

/* What is judged is in memory: nothing has to be synced, but who syncs is noted. */
EXPORT int fdatasync(int fd)
{
    uint32_t file = file_of(fd);

    if (file != TAPE_FILES_MAX) {
        (void)pthread_mutex_lock(&mutex);
        note(RECORDED_SYNC, file, 0, NULL, 0);
        (void)pthread_mutex_unlock(&mutex);
    }
    return 0;
}

EXPORT int fsync(int fd)
{
    return fdatasync(fd);
}
