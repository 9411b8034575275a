#include "sdk/cli/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "sdk/cli/archive.h"
#include "sdk/cli/complain.h"

#define NAME_BYTES_MAX 1024
#define PIECE_BYTES 65536

void cli_files_fini(struct cli_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        mem_free(files->files[i].name);
        buf_fini(&files->files[i].content);
    }
    mem_free(files->files);
    *files = (struct cli_files){0};
}

static struct cli_file *add_file(struct cli_files *files, const char *name)
{
    if (files->count == files->cap) {
        size_t cap = (files->cap != 0) ? files->cap * 2 : 16;
        struct cli_file *grown = mem_realloc(files->files, cap * sizeof *grown);

        if (grown == NULL) {
            return NULL;
        }
        files->files = grown;
        files->cap = cap;
    }
    files->files[files->count] = (struct cli_file){.name = mem_dup(name, strlen(name))};
    if (files->files[files->count].name == NULL) {
        return NULL;
    }
    return &files->files[files->count++];
}

static int read_content(struct cli_files *files, struct cli_file *file, int fd)
{
    for (;;) {
        uint8_t *room = buf_reserve(&file->content, PIECE_BYTES);
        ssize_t len = (room != NULL) ? read(fd, room, PIECE_BYTES) : 0;

        if (room == NULL) {
            return cli_complain_memory();
        }
        if (len < 0 && errno == EINTR) {
            continue;
        }
        if (len < 0) {
            return cli_complain(CLI_USAGE, "cannot read %s: %s", file->name, strerror(errno));
        }
        if (len == 0) {
            return 0;
        }
        file->content.len += (size_t)len;
        files->bytes += (size_t)len;
        if (files->bytes > CLI_ARCHIVE_BYTES_MAX) {
            return cli_complain(CLI_USAGE, "the program is too large: more than %u MiB unpacked",
                                CLI_ARCHIVE_BYTES_MAX >> 20);
        }
    }
}

static int read_file(struct cli_files *files, int fd, const char *name, const struct stat *info)
{
    struct cli_file *file;

    if (!S_ISREG(info->st_mode)) {
        return cli_complain(CLI_USAGE, "%s is neither a file nor a directory: take it out", name);
    }
    if (files->count == CLI_ARCHIVE_FILES_MAX) {
        return cli_complain(CLI_USAGE, "the program has too many files: more than %d",
                            CLI_ARCHIVE_FILES_MAX);
    }
    file = add_file(files, name);
    if (file == NULL) {
        return cli_complain_memory();
    }
    file->is_executable = (info->st_mode & 0111) != 0;
    return read_content(files, file, fd);
}

/* Opened first and looked at afterwards: nobody can exchange it in between. A fifo
 * does not block because of O_NONBLOCK. */
static int open_entry(int directory, const char *entry, const char *name, struct stat *ret_info)
{
    int fd = openat(directory, entry, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0 && errno == ELOOP) {
        (void)cli_complain(CLI_USAGE,
                           "%s is a symbolic link, and links are never followed: "
                           "give the file itself",
                           name);
    } else if (fd < 0) {
        (void)cli_complain(CLI_USAGE, "cannot open %s: %s", name, strerror(errno));
    } else if (fstat(fd, ret_info) != 0) {
        (void)cli_complain(CLI_USAGE, "cannot look at %s: %s", name, strerror(errno));
        (void)close(fd);
        return -1;
    }
    return fd;
}

static int read_directory(struct cli_files *files, int fd, const char *prefix, int depth);

/* `fd` is closed here. */
static int read_entry(struct cli_files *files, int fd, const struct stat *info, const char *name,
                      int depth)
{
    int r;

    if (S_ISDIR(info->st_mode)) {
        return read_directory(files, fd, name, depth + 1);
    }
    r = read_file(files, fd, name, info);
    (void)close(fd);
    return r;
}

/* Links to the commands of packages: npm makes them, and no function needs them. */
static bool is_left_out(const char *prefix, const char *entry)
{
    static const char modules[] = "node_modules";
    size_t len = strlen(prefix);
    size_t wanted = sizeof modules - 1;

    if (strcmp(entry, ".") == 0 || strcmp(entry, "..") == 0) {
        return true;
    }
    return strcmp(entry, ".bin") == 0 && len >= wanted &&
           strcmp(prefix + len - wanted, modules) == 0 &&
           (len == wanted || prefix[len - wanted - 1] == '/');
}

static int read_entries(struct cli_files *files, DIR *stream, const char *prefix, int depth)
{
    const struct dirent *entry;
    int r = 0;

    while (r == 0 && (errno = 0, entry = readdir(stream)) != NULL) {
        char name[NAME_BYTES_MAX];
        struct stat info;
        int len;
        int fd;

        if (is_left_out(prefix, entry->d_name)) {
            continue;
        }
        len = snprintf(name, sizeof name, "%s%s%s", prefix, (prefix[0] != '\0') ? "/" : "",
                       entry->d_name);
        if (len >= (int)sizeof name) {
            return cli_complain(CLI_USAGE, "the path %s... is too long", name);
        }
        fd = open_entry(dirfd(stream), entry->d_name, name, &info);
        r = (fd >= 0) ? read_entry(files, fd, &info, name, depth) : CLI_USAGE;
    }
    if (r == 0 && errno != 0) {
        return cli_complain(CLI_USAGE, "cannot read the directory %s: %s", prefix, strerror(errno));
    }
    return r;
}

/* `fd` is closed here. */
static int read_directory(struct cli_files *files, int fd, const char *prefix, int depth)
{
    DIR *stream;
    int r;

    if (depth > CLI_ARCHIVE_DEPTH_MAX) {
        (void)close(fd);
        return cli_complain(CLI_USAGE, "%s is nested too deep: more than %d directories", prefix,
                            CLI_ARCHIVE_DEPTH_MAX);
    }
    stream = fdopendir(fd);
    if (stream == NULL) {
        r = cli_complain(CLI_USAGE, "cannot read the directory %s: %s", prefix, strerror(errno));
        (void)close(fd);
        return r;
    }
    r = read_entries(files, stream, prefix, depth);
    (void)closedir(stream);
    return r;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct cli_file *)a)->name, ((const struct cli_file *)b)->name);
}

int cli_files_read(struct cli_files *files, const char *path, bool *ret_is_directory)
{
    struct stat info;
    int fd = open_entry(AT_FDCWD, path, path, &info);
    int r;

    if (fd < 0) {
        return CLI_USAGE;
    }
    *ret_is_directory = S_ISDIR(info.st_mode);
    r = read_entry(files, fd, &info, *ret_is_directory ? "" : path, 0);
    if (r == 0 && files->count > 0) {
        qsort(files->files, files->count, sizeof *files->files, compare_names);
    }
    return r;
}

const struct cli_file *cli_files_find(const struct cli_files *files, const char *name)
{
    for (size_t i = 0; i < files->count; i++) {
        if (strcmp(files->files[i].name, name) == 0) {
            return &files->files[i];
        }
    }
    return NULL;
}
