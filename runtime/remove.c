#include "runtime/remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_MAX 80 /* deeper than any archive may be */
#define ENTRIES_MAX 1000000

static void remove_below(int parent, const char *name, int depth);

static void empty(DIR *list, int depth)
{
    for (int i = 0; i < ENTRIES_MAX; i++) {
        const struct dirent *entry = readdir(list);

        if (entry == NULL) {
            return;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            remove_below(dirfd(list), entry->d_name, depth + 1);
        }
    }
}

static void remove_below(int parent, const char *name, int depth)
{
    DIR *list;
    int fd;

    if (unlinkat(parent, name, 0) == 0 || (errno != EISDIR && errno != EPERM) ||
        depth > DEPTH_MAX) {
        return;
    }
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    list = (fd >= 0) ? fdopendir(fd) : NULL;
    if (list != NULL) {
        empty(list, depth);
        (void)closedir(list);
    } else if (fd >= 0) {
        (void)close(fd);
    }
    (void)unlinkat(parent, name, AT_REMOVEDIR);
}

void remove_tree(int dir, const char *name)
{
    remove_below(dir, name, 0);
}

void remove_content(int dir)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = (copy >= 0) ? fdopendir(copy) : NULL;

    if (list != NULL) {
        empty(list, 0);
        (void)closedir(list);
    }
}
