#include "runtime/zipcheck.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/mem.h"

#define END_SIGNATURE 0x06054b50u
#define END_BYTES 22u
#define END_COMMENT_MAX 65535u
#define CENTRAL_SIGNATURE 0x02014b50u
#define CENTRAL_BYTES 46u
#define LOCAL_SIGNATURE 0x04034b50u
#define LOCAL_BYTES 30u
#define FLAG_ENCRYPTED 0x2041u /* plain, strong, masked headers */
#define FLAG_DESCRIPTOR 0x0008u
#define METHOD_STORED 0u
#define METHOD_DEFLATED 8u
#define MADE_BY_UNIX 3u

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) | get16(at + 2) << 16;
}

/* --- names --------------------------------------------------------------------------- */

/* The length of the UTF-8 character at `at`, 0 if it is none. */
static size_t utf8_length(const uint8_t *at, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = (at[0] < 0x80)             ? 1
                 : ((at[0] & 0xe0) == 0xc0) ? 2
                 : ((at[0] & 0xf0) == 0xe0) ? 3
                 : ((at[0] & 0xf8) == 0xf0) ? 4
                                            : 0;
    uint32_t value;

    if (len == 0 || len > left) {
        return 0;
    }
    value = (len == 1) ? at[0] : at[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        value = value << 6 | (at[i] & 0x3fu);
    }
    return (value < least[len] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) ? 0
                                                                                           : len;
}

static bool is_readable(const uint8_t *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t step = utf8_length(text + i, len - i);

        if (step == 0 || text[i] < 0x20 || text[i] == 0x7f || text[i] == '\\') {
            return false;
        }
        i += step;
    }
    return true;
}

static bool is_part(const char *part, size_t len)
{
    return len > 0 && len <= ZIP_PART_MAX && !(len == 1 && part[0] == '.') &&
           !(len == 2 && part[0] == '.' && part[1] == '.');
}

static bool is_path(const char *name, size_t len)
{
    unsigned depth = 0;

    while (len > 0) {
        const char *slash = memchr(name, '/', len);
        size_t part = (slash != NULL) ? (size_t)(slash - name) : len;

        if (!is_part(name, part) || ++depth > ZIP_DEPTH_MAX) {
            return false;
        }
        name += part + ((slash != NULL) ? 1 : 0);
        len -= part + ((slash != NULL) ? 1 : 0);
    }
    return depth > 0;
}

static int check_name(struct zip_entry *entry, struct failure *failure)
{
    size_t len = entry->name_len;

    if (len == 0 || len > ZIP_NAME_MAX) {
        return failure_text(failure, "the archive has a name of %zu bytes", len);
    }
    if (!is_readable((const uint8_t *)entry->name, len)) {
        return failure_text(failure, "the archive has a name with characters that are not allowed");
    }
    entry->is_directory = entry->name[len - 1] == '/';
    if (!is_path(entry->name, len)) {
        return failure_text(failure, "the archive has a file outside of its root: %.*s",
                            (int)((len > 100) ? 100 : len), entry->name);
    }
    return 0;
}

/* --- one entry ----------------------------------------------------------------------- */

static int named(struct failure *failure, const struct zip_entry *entry, const char *what)
{
    int len = (entry->name_len > 100) ? 100 : entry->name_len;

    return failure_text(failure, "the archive's %.*s %s", len, entry->name, what);
}

/* Only plain files and directories; the upper half of the attributes is a Unix mode if
 * a Unix made it, and some others write one too. */
static int check_mode(struct zip_entry *entry, const uint8_t *central, struct failure *failure)
{
    uint32_t mode = get32(central + 38) >> 16;
    uint32_t type = mode & S_IFMT;

    if (type != 0 && type != (entry->is_directory ? S_IFDIR : S_IFREG)) {
        return named(failure, entry, (type == S_IFLNK) ? "is a symbolic link" : "is no plain file");
    }
    if ((mode & (S_ISUID | S_ISGID)) != 0) {
        return named(failure, entry, "is setuid or setgid");
    }
    entry->is_executable = central[5] == MADE_BY_UNIX && (mode & 0111) != 0;
    return 0;
}

static int check_sizes(const struct zip_entry *entry, uint32_t method, struct failure *failure)
{
    if (entry->bytes == 0xffffffffu || entry->packed_bytes == 0xffffffffu ||
        entry->start == 0xffffffffu) {
        return named(failure, entry, "uses zip64, which is not supported");
    }
    if (method != METHOD_STORED && method != METHOD_DEFLATED) {
        return named(failure, entry, "is packed by a method that is not supported");
    }
    if (method == METHOD_STORED && entry->bytes != entry->packed_bytes) {
        return named(failure, entry, "has two sizes");
    }
    if (entry->is_directory && entry->bytes != 0) {
        return named(failure, entry, "is a directory with content");
    }
    if (entry->bytes > ZIP_RATIO_FROM_BYTES &&
        entry->bytes / ZIP_RATIO_MAX >= entry->packed_bytes) {
        return named(failure, entry, "is packed more than 200 times");
    }
    return 0;
}

static int check_local(struct zip_entry *entry, struct bytes archive, const uint8_t *central,
                       struct failure *failure)
{
    const uint8_t *local = archive.data + entry->start;
    uint32_t flags;

    if (entry->start > archive.len || archive.len - entry->start < LOCAL_BYTES ||
        get32(local) != LOCAL_SIGNATURE) {
        return named(failure, entry, "is not where the directory says");
    }
    flags = get16(local + 6);
    entry->end = (uint64_t)entry->start + LOCAL_BYTES + get16(local + 26) + get16(local + 28) +
                 entry->packed_bytes;
    if (entry->end > archive.len) {
        return named(failure, entry, "is cut off");
    }
    if (flags != get16(central + 8) || get16(local + 8) != get16(central + 10) ||
        get16(local + 26) != entry->name_len ||
        memcmp(local + LOCAL_BYTES, entry->name, entry->name_len) != 0) {
        return named(failure, entry, "has two headers that disagree");
    }
    if ((flags & FLAG_DESCRIPTOR) == 0 &&
        (get32(local + 18) != entry->packed_bytes || get32(local + 22) != entry->bytes)) {
        return named(failure, entry, "has two headers that disagree");
    }
    return 0;
}

static int check_entry(struct zip_entry *entry, struct bytes archive, const uint8_t *central,
                       struct failure *failure)
{
    int r = check_name(entry, failure);

    if (r == 0 && (get16(central + 8) & FLAG_ENCRYPTED) != 0) {
        r = named(failure, entry, "is encrypted");
    }
    if (r == 0) {
        r = check_mode(entry, central, failure);
    }
    if (r == 0) {
        r = check_sizes(entry, get16(central + 10), failure);
    }
    return (r == 0) ? check_local(entry, archive, central, failure) : r;
}

/* --- the directory ------------------------------------------------------------------- */

struct directory {
    const uint8_t *at;
    const uint8_t *end;
    uint32_t offset;
    uint32_t count;
};

/* The end record is the last thing in the archive, behind it only its own comment. */
static const uint8_t *find_end(struct bytes archive)
{
    size_t back_max = END_BYTES + END_COMMENT_MAX;

    for (size_t back = END_BYTES; back <= archive.len && back <= back_max; back++) {
        const uint8_t *at = archive.data + archive.len - back;

        if (get32(at) == END_SIGNATURE) {
            return (get16(at + 20) == back - END_BYTES) ? at : NULL;
        }
    }
    return NULL;
}

static int find_directory(struct directory *ret, struct bytes archive, struct failure *failure)
{
    const uint8_t *end = find_end(archive);
    uint64_t before;

    if (end == NULL) {
        return failure_text(failure, "the archive is not a zip file");
    }
    before = (uint64_t)(end - archive.data);
    ret->count = get16(end + 10);
    ret->offset = get32(end + 16);
    if (get16(end + 4) != 0 || get16(end + 6) != 0 || get16(end + 8) != ret->count) {
        return failure_text(failure, "the archive is in several parts");
    }
    if (ret->count > ZIP_ENTRIES_MAX) {
        return failure_text(failure, "the archive has more than %u files", ZIP_ENTRIES_MAX);
    }
    if ((uint64_t)ret->offset + get32(end + 12) != before) {
        return failure_text(failure, "the archive's directory is not at its end");
    }
    ret->at = archive.data + ret->offset;
    ret->end = end;
    return 0;
}

static int read_entry(struct zip_entry *entry, struct directory *directory, struct bytes archive,
                      struct failure *failure)
{
    const uint8_t *central = directory->at;
    size_t left = (size_t)(directory->end - central);
    size_t len;

    if (left < CENTRAL_BYTES || get32(central) != CENTRAL_SIGNATURE) {
        return failure_text(failure, "the archive's directory is damaged");
    }
    len = CENTRAL_BYTES + get16(central + 28) + get16(central + 30) + get16(central + 32);
    if (left < len || get16(central + 34) != 0) {
        return failure_text(failure, "the archive's directory is damaged");
    }
    entry->name = (const char *)central + CENTRAL_BYTES;
    entry->name_len = (uint16_t)get16(central + 28);
    entry->packed_bytes = get32(central + 20);
    entry->bytes = get32(central + 24);
    entry->start = get32(central + 42);
    directory->at += len;
    return check_entry(entry, archive, central, failure);
}

static int by_start(const void *a, const void *b)
{
    const struct zip_entry *left = *(const struct zip_entry *const *)a;
    const struct zip_entry *right = *(const struct zip_entry *const *)b;

    return (left->start > right->start) - (left->start < right->start);
}

/* Without the slash at the end: a file and a directory cannot share a name. */
static size_t bare_len(const struct zip_entry *entry)
{
    return entry->name_len - (entry->is_directory ? 1U : 0U);
}

static int by_name(const void *a, const void *b)
{
    const struct zip_entry *left = *(const struct zip_entry *const *)a;
    const struct zip_entry *right = *(const struct zip_entry *const *)b;
    size_t left_len = bare_len(left);
    size_t right_len = bare_len(right);
    int order = memcmp(left->name, right->name, (left_len < right_len) ? left_len : right_len);

    return (order != 0) ? order : (left_len > right_len) - (left_len < right_len);
}

/* No byte belongs to two entries, or to an entry and the directory. */
static int check_overlap(const struct zip_entry **sorted, uint32_t count, uint32_t directory_offset,
                         struct failure *failure)
{
    uint64_t taken = 0;

    qsort(sorted, count, sizeof *sorted, by_start);
    for (uint32_t i = 0; i < count; i++) {
        if (sorted[i]->start < taken || sorted[i]->end > directory_offset) {
            return named(failure, sorted[i], "overlaps another one");
        }
        taken = sorted[i]->end;
    }
    return 0;
}

static int check_names_differ(const struct zip_entry **sorted, uint32_t count,
                              struct failure *failure)
{
    qsort(sorted, count, sizeof *sorted, by_name);
    for (uint32_t i = 1; i < count; i++) {
        if (by_name(&sorted[i - 1], &sorted[i]) == 0) {
            return named(failure, sorted[i], "is there twice");
        }
    }
    return 0;
}

static int check_together(const struct zip_index *index, uint32_t directory_offset,
                          struct failure *failure)
{
    const struct zip_entry **sorted = mem_calloc(index->count + 1, sizeof *sorted);
    int r;

    if (sorted == NULL) {
        return failure_text(failure, "no memory to read an archive");
    }
    for (uint32_t i = 0; i < index->count; i++) {
        sorted[i] = &index->entries[i];
    }
    r = check_overlap(sorted, index->count, directory_offset, failure);
    if (r == 0) {
        r = check_names_differ(sorted, index->count, failure);
    }
    mem_free(sorted);
    return r;
}

static int read_all(struct zip_index *index, struct directory *directory, struct bytes archive,
                    struct failure *failure)
{
    for (uint32_t i = 0; i < directory->count; i++) {
        int r = read_entry(&index->entries[i], directory, archive, failure);

        if (r != 0) {
            return r;
        }
        index->count++;
        index->bytes += index->entries[i].bytes;
        if (index->bytes > ZIP_OUTPUT_BYTES_MAX) {
            return failure_text(failure, "the archive holds more than %u MB",
                                ZIP_OUTPUT_BYTES_MAX >> 20);
        }
    }
    if (directory->at != directory->end) {
        return failure_text(failure, "the archive's directory is damaged");
    }
    return check_together(index, directory->offset, failure);
}

int zipcheck_open(struct zip_index *ret_index, struct bytes archive, struct failure *failure)
{
    struct directory directory = {0};
    int r;

    memset(ret_index, 0, sizeof *ret_index);
    if (archive.len > ZIP_ARCHIVE_BYTES_MAX) {
        return failure_text(failure, "the archive has more than %u MB",
                            ZIP_ARCHIVE_BYTES_MAX >> 20);
    }
    r = find_directory(&directory, archive, failure);
    if (r != 0) {
        return r;
    }
    ret_index->entries = mem_calloc(directory.count + 1, sizeof *ret_index->entries);
    if (ret_index->entries == NULL) {
        return failure_text(failure, "no memory to read an archive");
    }
    r = read_all(ret_index, &directory, archive, failure);
    if (r != 0) {
        zipcheck_close(ret_index);
    }
    return r;
}

void zipcheck_close(struct zip_index *index)
{
    mem_free(index->entries);
    index->entries = NULL;
    index->count = 0;
}
