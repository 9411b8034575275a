#include "runtime/merge.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"

struct merge_name {
    const struct zip_entry *entry;
    size_t archive;
};

/* Without the slash at the end. */
static struct bytes bare_name(const struct zip_entry *entry)
{
    return bytes_of(entry->name, entry->name_len - (entry->is_directory ? 1U : 0U));
}

static int compare(struct bytes a, struct bytes b)
{
    int order = memcmp(a.data, b.data, (a.len < b.len) ? a.len : b.len);

    return (order != 0) ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_name(const void *a, const void *b)
{
    const struct merge_name *left = a;
    const struct merge_name *right = b;

    return compare(bare_name(left->entry), bare_name(right->entry));
}

int merge_init(struct merge *ret_merge, const struct zip_index *indexes, size_t count,
               struct failure *failure)
{
    size_t total = 0;

    for (size_t i = 0; i < count; i++) {
        total += indexes[i].count;
    }
    *ret_merge = (struct merge){.names = mem_calloc(total + 1, sizeof *ret_merge->names)};
    if (ret_merge->names == NULL) {
        return failure_text(failure, "no memory to read archives");
    }
    for (size_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < indexes[i].count; j++) {
            ret_merge->names[ret_merge->count++] =
                (struct merge_name){.entry = &indexes[i].entries[j], .archive = i};
        }
    }
    qsort(ret_merge->names, ret_merge->count, sizeof *ret_merge->names, by_name);
    return 0;
}

void merge_fini(struct merge *merge)
{
    mem_free(merge->names);
    *merge = (struct merge){0};
}

/* Where the first name is that is not less. */
static size_t find_place(const struct merge *merge, struct bytes name)
{
    size_t low = 0;
    size_t high = merge->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare(bare_name(merge->names[middle].entry), name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* A later archive has this very name, or with `files_only` a file of it. */
static bool is_there_later(const struct merge *merge, size_t archive, struct bytes name,
                           bool files_only)
{
    for (size_t i = find_place(merge, name);
         i < merge->count && compare(bare_name(merge->names[i].entry), name) == 0; i++) {
        const struct merge_name *other = &merge->names[i];

        if (other->archive > archive && !(files_only && other->entry->is_directory)) {
            return true;
        }
    }
    return false;
}

/* Of the file's own archive nothing is below it; so each name is seen here by few files:
 * at most one of each of the other archives for each of its parents. */
static bool has_later_below(const struct merge *merge, size_t archive, struct bytes name)
{
    char text[ZIP_NAME_MAX + 1];
    struct bytes parent = bytes_of(text, name.len + 1);

    memcpy(text, name.data, name.len); /* zipcheck has seen to its length */
    text[name.len] = '/';
    for (size_t i = find_place(merge, parent); i < merge->count; i++) {
        const struct merge_name *other = &merge->names[i];
        struct bytes found = bare_name(other->entry);

        if (found.len < parent.len || memcmp(found.data, parent.data, parent.len) != 0) {
            return false;
        }
        if (other->archive > archive) {
            return true;
        }
    }
    return false;
}

static bool is_below_later_file(const struct merge *merge, size_t archive, struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == '/' && is_there_later(merge, archive, bytes_of(name.data, i), true)) {
            return true;
        }
    }
    return false;
}

bool merge_keeps(const struct merge *merge, size_t archive, const struct zip_entry *entry)
{
    struct bytes name = bare_name(entry);

    return !is_there_later(merge, archive, name, entry->is_directory) &&
           !is_below_later_file(merge, archive, name) &&
           (entry->is_directory || !has_later_below(merge, archive, name));
}
