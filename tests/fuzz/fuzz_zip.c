/* Archives. The first byte says how: even, the rest is the archive; odd, the rest says
 * which files and which lies one is made of, so that more than its CRCs is looked at.
 *
 * What is refused by the check leaves nothing behind. What comes out is files and
 * directories of the modes promised, of no more bytes than the check has counted, and
 * lies in the one directory; when all went well it is what the archive lists. Then it is
 * unpacked with itself and with one that contradicts it, below it and over it: what is on
 * top is whole. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/archive.h"
#include "runtime/remove.h"
#include "runtime/zipcheck.h"
#include "tests/fuzz/target.h"
#include "tests/runtime/zipmaker.h"

/* --- the place ------------------------------------------------------------------------ */

static char outer_path[64]; /* holds "in" and, beside it, "canary" */
static int outer = -1;
static int in = -1;

static void remove_place(void)
{
    remove_content(outer);
    (void)rmdir(outer_path);
}

static void make_place(void)
{
    int canary;

    (void)umask(022);
    (void)snprintf(outer_path, sizeof outer_path, "%s/pawl-zip-XXXXXX",
                   (access("/dev/shm", W_OK) == 0) ? "/dev/shm" : "/tmp");
    if (mkdtemp(outer_path) == NULL) {
        perror(outer_path);
        abort();
    }
    outer = open(outer_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)atexit(remove_place);
    assert(mkdirat(outer, "in", 0755) == 0);
    in = openat(outer, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    canary = openat(outer, "canary", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert(in >= 0 && canary >= 0);
    (void)close(canary);
}

/* --- what came out -------------------------------------------------------------------- */

struct found {
    uint64_t bytes;
    uint32_t files;
    uint32_t directories;
};

static void walk(int at, struct found *found);

static void walk_into(int at, const char *name, struct found *found)
{
    int dir = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    assert(dir >= 0);
    walk(dir, found);
    (void)close(dir);
}

static void note(int at, const char *name, struct found *found)
{
    struct stat st;

    assert(fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0);
    if (S_ISDIR(st.st_mode)) {
        assert((st.st_mode & 07777) == 0755);
        found->directories++;
        walk_into(at, name, found);
        return;
    }
    assert(S_ISREG(st.st_mode) && st.st_nlink == 1);
    assert((st.st_mode & 07777) == 0644 || (st.st_mode & 07777) == 0755);
    found->files++;
    found->bytes += (uint64_t)st.st_size;
}

static void walk(int at, struct found *found)
{
    DIR *dir = fdopendir(openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const struct dirent *entry;

    assert(dir != NULL);
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            note(at, entry->d_name, found);
        }
    }
    (void)closedir(dir);
}

/* Nothing has come or changed beside it. */
static void check_outside(void)
{
    DIR *dir = fdopendir(openat(outer, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat st;
    unsigned count = 0;

    assert(dir != NULL);
    while (readdir(dir) != NULL) {
        count++;
    }
    (void)closedir(dir);
    assert(count == 4); /* with . and .. */
    assert(fstatat(outer, "canary", &st, AT_SYMLINK_NOFOLLOW) == 0);
    assert(S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0600 && st.st_size == 0);
}

/* Each file that is listed is there, with its size and mode. */
static void check_listed(const struct zip_entry *entry)
{
    char name[ZIP_NAME_MAX + 1];
    struct stat st;

    (void)snprintf(name, sizeof name, "%.*s", (int)entry->name_len, entry->name);
    assert(name[0] != '/');
    assert(fstatat(in, name, &st, AT_SYMLINK_NOFOLLOW) == 0);
    assert(S_ISDIR(st.st_mode) == entry->is_directory);
    if (!entry->is_directory) {
        bool is_program = entry->is_executable || strcmp(name, "bootstrap") == 0;

        assert(st.st_size == (off_t)entry->bytes);
        assert((st.st_mode & 07777) == (is_program ? 0755 : 0644));
    }
}

static void check_all_listed(const struct zip_index *index, const struct found *found)
{
    uint32_t files = 0;

    for (uint32_t i = 0; i < index->count; i++) {
        check_listed(&index->entries[i]);
        files += index->entries[i].is_directory ? 0 : 1;
    }
    assert(found->files == files && found->bytes == index->bytes);
}

/* No byte belongs to two: that is what a bomb of overlapping files is made of. */
static void check_apart(const struct zip_index *index, size_t len)
{
    for (uint32_t i = 0; i < index->count; i++) {
        const struct zip_entry *one = &index->entries[i];

        assert(one->start < one->end && one->end <= len);
        for (uint32_t j = 0; j < i; j++) {
            const struct zip_entry *other = &index->entries[j];

            assert(one->end <= other->start || other->end <= one->start);
        }
    }
    assert(index->bytes <= ZIP_OUTPUT_BYTES_MAX);
}

/* --- with another one ------------------------------------------------------------------- */

static void unpack_both(int below, int above, struct found *found)
{
    const int memfds[2] = {below, above};
    struct failure failure = {""};
    uint64_t bytes = 0;
    int is_full = 0;

    *found = (struct found){0};
    assert(archive_unpack(memfds, 2, in, &bytes, &is_full, &failure) == 0);
    walk(in, found);
    check_outside();
    assert(found->bytes <= bytes);
}

/* A file where the first entry has a directory, or below where it has a file. */
static size_t name_contrary(const struct zip_entry *first, char name[ZIP_NAME_MAX + 1])
{
    const char *slash = memchr(first->name, '/', first->name_len);
    size_t len = (slash != NULL) ? (size_t)(slash - first->name) : first->name_len;

    memcpy(name, first->name, len);
    if (slash == NULL) {
        memcpy(name + len, "/x", 2);
        len += 2;
    }
    name[len] = '\0';
    return len;
}

static int make_contrary(const char *name, size_t len)
{
    const struct zip_file file = {.name = name, .name_len = len, .data = "contrary"};
    int memfd = memfd_create("contrary", MFD_CLOEXEC);
    struct buf zip = {0};

    zip_make(&zip, &file, 1, &(struct zip_lies){0});
    assert(memfd >= 0 && write(memfd, zip.data, zip.len) == (ssize_t)zip.len);
    buf_fini(&zip);
    return memfd;
}

static void unpack_with_others(const struct zip_index *index, int memfd)
{
    char name[ZIP_NAME_MAX + 1];
    struct found found;
    struct stat st;
    int contrary;

    unpack_both(memfd, memfd, &found);
    check_all_listed(index, &found);
    remove_content(in);
    if (index->count == 0 || index->entries[0].name_len > 60) {
        return; /* longer ones are at the limits themselves */
    }
    contrary = make_contrary(name, name_contrary(&index->entries[0], name));
    unpack_both(contrary, memfd, &found);
    for (uint32_t i = 0; i < index->count; i++) {
        check_listed(&index->entries[i]);
    }
    remove_content(in);
    unpack_both(memfd, contrary, &found);
    assert(fstatat(in, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode));
    assert(st.st_size == (off_t)strlen("contrary"));
    remove_content(in);
    (void)close(contrary);
}

/* --- one archive ---------------------------------------------------------------------- */

static void unpack(const struct zip_index *index, int memfd)
{
    struct failure failure = {""};
    struct found found = {0};
    uint64_t bytes = 0;
    int is_full = 0;
    int r = archive_unpack(&memfd, 1, in, &bytes, &is_full, &failure);

    walk(in, &found);
    check_outside();
    assert((r != 0) == (failure.text[0] != '\0'));
    assert(!is_full && found.bytes <= index->bytes);
    if (r == 0) {
        assert(bytes == index->bytes);
        check_all_listed(index, &found);
    }
    remove_content(in);
    if (r == 0) {
        unpack_with_others(index, memfd);
    }
}

static void expect_refusal(int memfd)
{
    struct failure failure = {""};
    struct found found = {0};
    uint64_t bytes = 0;
    int is_full = 0;

    assert(archive_unpack(&memfd, 1, in, &bytes, &is_full, &failure) == FAILURE_E_SET);
    walk(in, &found);
    assert(failure.text[0] != '\0' && !is_full && found.files + found.directories == 0);
}

static void check(struct bytes archive)
{
    struct failure failure = {""};
    struct zip_index index;
    int memfd = memfd_create("archive", MFD_CLOEXEC);

    assert(memfd >= 0 && write(memfd, archive.data, archive.len) == (ssize_t)archive.len);
    if (zipcheck_open(&index, archive, &failure) == 0) {
        check_apart(&index, archive.len);
        unpack(&index, memfd);
        zipcheck_close(&index);
    } else {
        expect_refusal(memfd);
    }
    (void)close(memfd);
}

/* --- archives that are made ------------------------------------------------------------- */

enum { FILES_MAX = 8, FILE_HEAD = 4, NAME_MAX_MADE = 63, DATA_MAX_MADE = 63 };

static void add_lie(struct zip_file *file, uint8_t kind, uint8_t value)
{
    static const uint32_t modes[] = {0120777, 0104755, 0102755, 0040755, 0010644, 0020644, 0100755};

    switch (kind % 16) {
    case 1:
        file->mode = modes[value % (sizeof modes / sizeof *modes)];
        break;
    case 2:
        file->flags = (uint16_t)(1U << value % 16);
        break;
    case 3:
        file->method = value % 16;
        break;
    case 4:
        file->bytes = value;
        break;
    case 5:
        file->local_bytes = value;
        break;
    case 6:
        file->start_shift = (uint32_t)(int8_t)value;
        break;
    case 7:
        file->start = value;
        break;
    case 8:
        file->crc = value;
        break;
    case 9:
        file->bytes = UINT32_MAX; /* as with zip64 */
        break;
    case 10:
        file->bytes = UINT32_MAX - value;
        break;
    case 11:
        file->local_name = (value % 2 == 0) ? "other" : "../other";
        break;
    default:
        break;
    }
}

/* A file: the lengths of its name and data, a lie and its value, name, data. */
static bool take_file(struct bytes *rest, struct zip_file *file)
{
    size_t name_len;
    size_t data_len;

    if (rest->len < FILE_HEAD) {
        return false;
    }
    name_len = rest->data[0] % (NAME_MAX_MADE + 1);
    data_len = rest->data[1] % (DATA_MAX_MADE + 1);
    if (rest->len - FILE_HEAD < name_len + data_len || name_len == 0) {
        return false;
    }
    add_lie(file, rest->data[2], rest->data[3]);
    file->name = (const char *)rest->data + FILE_HEAD;
    file->name_len = name_len;
    file->data = (data_len > 0) ? file->name + name_len : NULL;
    file->data_len = data_len;
    rest->data += FILE_HEAD + name_len + data_len;
    rest->len -= FILE_HEAD + name_len + data_len;
    return true;
}

static void check_made(struct bytes rest)
{
    struct zip_file files[FILES_MAX] = {{0}};
    struct zip_lies lies = {0};
    struct buf zip = {0};
    size_t count = 0;

    if (rest.len == 0) {
        return;
    }
    lies.count = rest.data[0] % 16;
    lies.directory_add = rest.data[0] / 32;
    lies.behind = ((rest.data[0] & 16) != 0) ? "behind" : NULL;
    rest.data++;
    rest.len--;
    while (count < FILES_MAX && take_file(&rest, &files[count])) {
        count++;
    }
    zip_make(&zip, files, count, &lies);
    assert(!zip.failed);
    check(buf_bytes(&zip));
    buf_fini(&zip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (outer < 0) {
        make_place();
    }
    if (size == 0) {
        return 0;
    }
    if (data[0] % 2 == 0) {
        check(bytes_of(data + 1, size - 1));
    } else {
        check_made(bytes_of(data + 1, size - 1));
    }
    return 0;
}
