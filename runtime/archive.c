#include "runtime/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zip.h>

#include "runtime/merge.h"
#include "runtime/zipcheck.h"

#define CHUNK_BYTES 65536u
#define NODES_MAX (2u * ZIP_ENTRIES_MAX) /* files and the directories they imply, of each */

struct source {
    struct bytes archive; /* mapped */
    zip_t *zip;
};

struct unpacking {
    int dir;
    struct source sources[ARCHIVES_MAX];
    struct zip_index indexes[ARCHIVES_MAX];
    size_t count;
    struct merge merge;
    struct failure *failure;
    unsigned nodes;
    int is_full;
};

/* Names that contradict each other, or lead where they may not. */
static bool is_of_names(int error)
{
    return error == ENOTDIR || error == EISDIR || error == ELOOP || error == ENAMETOOLONG ||
           error == EXDEV || error == EINVAL;
}

static int failed(struct unpacking *unpacking, const char *name)
{
    int error = errno;

    unpacking->is_full = error == ENOSPC;
    if (error == EEXIST) {
        return failure_text(unpacking->failure, "the archive has %.100s twice", name);
    }
    return is_of_names(error) ? failure_errno(unpacking->failure, "the archive's %.100s", name)
                              : failure_errno(unpacking->failure, "unpack %.100s", name);
}

/* Below our directory and through no link, whatever the name says. */
static int open_beneath(int dir, const char *name, uint64_t flags, uint64_t mode)
{
    struct open_how how = {
        .flags = flags | O_CLOEXEC, .mode = mode, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};

    return (int)syscall(SYS_openat2, dir, name, &how, sizeof how);
}

static int make_directory(struct unpacking *unpacking, const char *name)
{
    if (mkdirat(unpacking->dir, name, 0755) == 0) {
        unpacking->nodes++;
    } else if (errno != EEXIST) {
        return failed(unpacking, name);
    }
    if (unpacking->nodes > NODES_MAX * unpacking->count) {
        return failure_text(unpacking->failure,
                            "the archive has more than %u files and directories", NODES_MAX);
    }
    return 0;
}

/* Archives need not list the directories of their files. */
static int make_parents(struct unpacking *unpacking, char *name)
{
    for (char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        int r;

        *slash = '\0';
        r = make_directory(unpacking, name);
        *slash = '/';
        if (r != 0) {
            return r;
        }
    }
    return 0;
}

/* A full disk takes a part first and says so only when asked again. */
static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n <= 0) {
            return false;
        }
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* Counts what really comes out: the size in the header is a claim. */
static int copy_out(struct unpacking *unpacking, zip_file_t *file, int fd,
                    const struct zip_entry *entry, const char *name)
{
    char chunk[CHUNK_BYTES];
    uint64_t done = 0;

    while (true) {
        zip_int64_t n = zip_fread(file, chunk, sizeof chunk);

        if (n < 0) {
            return failure_text(unpacking->failure, "the archive's %.100s: %s", name,
                                zip_file_strerror(file));
        }
        done += (uint64_t)n;
        if (done > entry->bytes || (n == 0 && done < entry->bytes)) {
            return failure_text(unpacking->failure,
                                "the archive's %.100s is not as long as it says", name);
        }
        if (n == 0) {
            return 0;
        }
        if (!write_all(fd, chunk, (size_t)n)) {
            return failed(unpacking, name);
        }
    }
}

static int unpack_file(struct unpacking *unpacking, zip_t *zip, const struct zip_entry *entry,
                       uint32_t index, const char *name)
{
    bool is_program = entry->is_executable || strcmp(name, "bootstrap") == 0;
    zip_file_t *file = zip_fopen_index(zip, index, 0);
    int fd;
    int r;

    if (file == NULL) {
        return failure_text(unpacking->failure, "the archive's %.100s: %s", name,
                            zip_strerror(zip));
    }
    fd = open_beneath(unpacking->dir, name, O_WRONLY | O_CREAT | O_EXCL, is_program ? 0755 : 0644);
    if (fd < 0) {
        (void)zip_fclose(file);
        return failed(unpacking, name);
    }
    unpacking->nodes++;
    r = copy_out(unpacking, file, fd, entry, name);
    (void)close(fd);
    (void)zip_fclose(file);
    return r;
}

static int unpack_entry(struct unpacking *unpacking, size_t number, uint32_t index)
{
    const struct zip_entry *entry = &unpacking->indexes[number].entries[index];
    zip_t *zip = unpacking->sources[number].zip;
    const char *seen = zip_get_name(zip, index, ZIP_FL_ENC_RAW);
    char name[ZIP_NAME_MAX + 1];
    int r;

    (void)snprintf(name, sizeof name, "%.*s", (int)entry->name_len, entry->name);
    if (seen == NULL || strcmp(seen, name) != 0) {
        return failure_text(unpacking->failure, "the archive can be read in two ways");
    }
    if (unpacking->count > 1 && !merge_keeps(&unpacking->merge, number, entry)) {
        return 0;
    }
    r = make_parents(unpacking, name);
    return (r == 0 && !entry->is_directory) ? unpack_file(unpacking, zip, entry, index, name) : r;
}

static int unpack_entries(struct unpacking *unpacking, size_t number)
{
    uint32_t count = unpacking->indexes[number].count;

    if (zip_get_num_entries(unpacking->sources[number].zip, 0) != (zip_int64_t)count) {
        return failure_text(unpacking->failure, "the archive can be read in two ways");
    }
    for (uint32_t i = 0; i < count; i++) {
        int r = unpack_entry(unpacking, number, i);

        if (r != 0) {
            return r;
        }
    }
    return 0;
}

static int open_zip(struct source *opened, struct failure *failure)
{
    zip_error_t error;
    zip_source_t *source;

    zip_error_init(&error);
    source = zip_source_buffer_create(opened->archive.data, opened->archive.len, 0, &error);
    if (source != NULL) {
        opened->zip = zip_open_from_source(source, ZIP_CHECKCONS | ZIP_RDONLY, &error);
    }
    if (opened->zip == NULL) {
        (void)failure_text(failure, "the archive is damaged: %s", zip_error_strerror(&error));
        zip_source_free(source);
    }
    zip_error_fini(&error);
    return (opened->zip != NULL) ? 0 : FAILURE_E_SET;
}

static int unpack_one(struct unpacking *unpacking, size_t number)
{
    struct source *source = &unpacking->sources[number];
    int r = open_zip(source, unpacking->failure);

    if (r == 0) {
        r = unpack_entries(unpacking, number);
        zip_discard(source->zip);
    }
    return r;
}

/* --- all of them ------------------------------------------------------------------------ */

static int open_source(struct unpacking *unpacking, int memfd)
{
    struct source *source = &unpacking->sources[unpacking->count];
    struct stat st;
    void *map;

    if (fstat(memfd, &st) != 0 || st.st_size == 0) {
        return failure_text(unpacking->failure, "the archive is empty");
    }
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, memfd, 0);
    if (map == MAP_FAILED) {
        return failure_errno(unpacking->failure, "map the archive");
    }
    source->archive = bytes_of(map, (size_t)st.st_size);
    return zipcheck_open(&unpacking->indexes[unpacking->count++], source->archive,
                         unpacking->failure);
}

static uint64_t sum_bytes(const struct unpacking *unpacking)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < unpacking->count; i++) {
        bytes += unpacking->indexes[i].bytes;
    }
    return bytes;
}

static int open_sources(struct unpacking *unpacking, const int *memfds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int r = open_source(unpacking, memfds[i]);

        if (r != 0) {
            return r;
        }
    }
    if (sum_bytes(unpacking) > ZIP_OUTPUT_BYTES_MAX) {
        return failure_text(unpacking->failure, "the archives together hold more than %u MB",
                            ZIP_OUTPUT_BYTES_MAX >> 20);
    }
    return (count > 1)
               ? merge_init(&unpacking->merge, unpacking->indexes, count, unpacking->failure)
               : 0;
}

static void close_sources(struct unpacking *unpacking)
{
    merge_fini(&unpacking->merge);
    for (size_t i = 0; i < unpacking->count; i++) {
        struct bytes archive = unpacking->sources[i].archive;

        zipcheck_close(&unpacking->indexes[i]);
        (void)munmap((void *)(uintptr_t)archive.data, archive.len);
    }
}

int archive_unpack(const int *memfds, size_t count, int dir, uint64_t *ret_bytes, int *ret_is_full,
                   struct failure *failure)
{
    struct unpacking unpacking = {.dir = dir, .failure = failure};
    int r = open_sources(&unpacking, memfds, count);

    for (size_t i = 0; i < count && r == 0; i++) {
        r = unpack_one(&unpacking, i);
    }
    *ret_bytes = sum_bytes(&unpacking);
    *ret_is_full = unpacking.is_full;
    close_sources(&unpacking);
    return r;
}
