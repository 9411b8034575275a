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

#include "runtime/zipcheck.h"

#define CHUNK_BYTES 65536u
#define NODES_MAX (2u * ZIP_ENTRIES_MAX) /* files and the directories they imply */

struct unpacking {
    int dir;
    zip_t *zip;
    struct zip_index index;
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
    if (unpacking->nodes > NODES_MAX) {
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

static int unpack_file(struct unpacking *unpacking, uint32_t index, const char *name)
{
    const struct zip_entry *entry = &unpacking->index.entries[index];
    bool is_program = entry->is_executable || strcmp(name, "bootstrap") == 0;
    zip_file_t *file = zip_fopen_index(unpacking->zip, index, 0);
    int fd;
    int r;

    if (file == NULL) {
        return failure_text(unpacking->failure, "the archive's %.100s: %s", name,
                            zip_strerror(unpacking->zip));
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

static int unpack_entry(struct unpacking *unpacking, uint32_t index)
{
    const struct zip_entry *entry = &unpacking->index.entries[index];
    const char *seen = zip_get_name(unpacking->zip, index, ZIP_FL_ENC_RAW);
    char name[ZIP_NAME_MAX + 1];
    int r;

    (void)snprintf(name, sizeof name, "%.*s", (int)entry->name_len, entry->name);
    if (seen == NULL || strcmp(seen, name) != 0) {
        return failure_text(unpacking->failure, "the archive can be read in two ways");
    }
    r = make_parents(unpacking, name);
    return (r == 0 && !entry->is_directory) ? unpack_file(unpacking, index, name) : r;
}

static int unpack_all(struct unpacking *unpacking)
{
    if (zip_get_num_entries(unpacking->zip, 0) != (zip_int64_t)unpacking->index.count) {
        return failure_text(unpacking->failure, "the archive can be read in two ways");
    }
    for (uint32_t i = 0; i < unpacking->index.count; i++) {
        int r = unpack_entry(unpacking, i);

        if (r != 0) {
            return r;
        }
    }
    return 0;
}

static int open_zip(struct unpacking *unpacking, struct bytes archive)
{
    zip_error_t error;
    zip_source_t *source;

    zip_error_init(&error);
    source = zip_source_buffer_create(archive.data, archive.len, 0, &error);
    if (source != NULL) {
        unpacking->zip = zip_open_from_source(source, ZIP_CHECKCONS | ZIP_RDONLY, &error);
    }
    if (unpacking->zip == NULL) {
        (void)failure_text(unpacking->failure, "the archive is damaged: %s",
                           zip_error_strerror(&error));
        zip_source_free(source);
    }
    zip_error_fini(&error);
    return (unpacking->zip != NULL) ? 0 : FAILURE_E_SET;
}

static int unpack_bytes(struct unpacking *unpacking, struct bytes archive)
{
    int r = zipcheck_open(&unpacking->index, archive, unpacking->failure);

    if (r != 0) {
        return r;
    }
    r = open_zip(unpacking, archive);
    if (r == 0) {
        r = unpack_all(unpacking);
        zip_discard(unpacking->zip);
    }
    return r;
}

int archive_unpack(int memfd, int dir, uint64_t *ret_bytes, int *ret_is_full,
                   struct failure *failure)
{
    struct unpacking unpacking = {.dir = dir, .failure = failure};
    struct stat st;
    void *map;
    int r;

    if (fstat(memfd, &st) != 0 || st.st_size == 0) {
        return failure_text(failure, "the archive is empty");
    }
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, memfd, 0);
    if (map == MAP_FAILED) {
        return failure_errno(failure, "map the archive");
    }
    r = unpack_bytes(&unpacking, bytes_of(map, (size_t)st.st_size));
    *ret_bytes = unpacking.index.bytes;
    *ret_is_full = unpacking.is_full;
    zipcheck_close(&unpacking.index);
    (void)munmap(map, (size_t)st.st_size);
    return r;
}
