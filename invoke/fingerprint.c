#include "invoke/fingerprint.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/table.h"

#define ENTRIES_MAX 10000
#define DEPTH_MAX 16

struct walk {
    uint64_t sum; /* of the entries' hashes: their order does not matter */
    int left;
};

static void add_entry(struct walk *walk, uint64_t place, const char *name, const struct stat *info)
{
    uint64_t parts[7] = {place,
                         table_hash(bytes_of_text(name)),
                         (uint64_t)info->st_size,
                         (uint64_t)info->st_mtim.tv_sec,
                         (uint64_t)info->st_mtim.tv_nsec,
                         (uint64_t)info->st_ino,
                         (uint64_t)info->st_mode};

    walk->sum += table_hash(bytes_of(parts, sizeof parts));
    walk->left--;
}

static void walk_directory(struct walk *walk, int parent, const char *name, uint64_t place,
                           int depth)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = (fd >= 0) ? fdopendir(fd) : NULL;
    const struct dirent *entry;

    if (directory == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return;
    }
    while (walk->left > 0 && (entry = readdir(directory)) != NULL) {
        struct stat info;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        add_entry(walk, place, entry->d_name, &info);
        if (S_ISDIR(info.st_mode) && depth < DEPTH_MAX) {
            walk_directory(walk, fd, entry->d_name, place * 31 + (uint64_t)info.st_ino, depth + 1);
        }
    }
    (void)closedir(directory);
}

uint64_t fingerprint_of(const char *path)
{
    struct walk walk = {.left = ENTRIES_MAX};
    struct stat info;

    if (stat(path, &info) != 0) {
        return 0;
    }
    add_entry(&walk, 0, "", &info);
    if (S_ISDIR(info.st_mode)) {
        walk_directory(&walk, AT_FDCWD, path, 1, 0);
    }
    return (walk.sum != 0) ? walk.sum : 1;
}
