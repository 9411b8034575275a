#include "tests/powercut/names.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_MAX 16U
#define PENDING_MAX 64U
#define NAME_BYTES 64U

struct name {
    char text[NAME_BYTES]; /* empty: none */
    uint32_t file;
};

struct listing {
    struct name names[NAMES_MAX];
};

struct names {
    char dir[PATH_MAX];
    struct listing durable;
    const struct tape_op *pending[PENDING_MAX];
    size_t pending_count;
    struct listing shown;
    struct bytes shown_contents[NAMES_MAX]; /* copies */
};

static const char *const data_files[RECORDED_FILES] = {"log/data.mdb", "views/data.mdb"};

/* --- listings ---------------------------------------------------------------------------- */

static struct name *find(struct listing *listing, const char *text)
{
    for (size_t i = 0; i < NAMES_MAX; i++) {
        if (strcmp(listing->names[i].text, text) == 0) {
            return &listing->names[i];
        }
    }
    return NULL;
}

static void put(struct listing *listing, const char *text, uint32_t file)
{
    struct name *name = find(listing, text);

    name = (name != NULL) ? name : find(listing, "");
    if (name == NULL || strlen(text) >= NAME_BYTES) {
        require(false, "too many names, or too long a one");
        return;
    }
    (void)snprintf(name->text, sizeof name->text, "%s", text);
    name->file = file;
}

static void apply(struct listing *listing, const struct tape_op *op)
{
    const char *text = (const char *)op->data;
    struct name *old = find(listing, text);

    if (op->head.kind == RECORDED_CREATE) {
        put(listing, text, op->head.file);
    } else if (old != NULL) { /* what came before it may not be durable */
        uint32_t file = old->file;

        old->text[0] = '\0';
        if (op->head.kind == RECORDED_RENAME) {
            put(listing, text + strlen(text) + 1, file);
        }
    }
}

static bool is_in(const struct tape_op *op, const char *dir)
{
    const char *text = (const char *)op->data;
    const char *slash = strchr(text, '/');
    size_t len = (slash != NULL) ? (size_t)(slash - text) : 0;

    return len == strlen(dir) && memcmp(text, dir, len) == 0;
}

/* --- what happens ---------------------------------------------------------------------------- */

struct names *names_create(const char *dir)
{
    struct names *names = calloc(1, sizeof *names);

    require(names != NULL, "memory");
    (void)snprintf(names->dir, sizeof names->dir, "%s", dir);
    put(&names->shown, data_files[RECORDED_LOG], RECORDED_LOG);
    put(&names->shown, data_files[RECORDED_VIEWS], RECORDED_VIEWS);
    return names;
}

void names_destroy(struct names *names)
{
    for (size_t i = 0; i < NAMES_MAX; i++) {
        free((void *)(uintptr_t)names->shown_contents[i].data);
    }
    free(names);
}

void names_add(struct names *names, const struct tape_op *op)
{
    require(names->pending_count < PENDING_MAX, "too many names that are not synced");
    names->pending[names->pending_count++] = op;
}

void names_sync(struct names *names, const char *dir)
{
    size_t kept = 0;

    for (size_t i = 0; i < names->pending_count; i++) {
        if (is_in(names->pending[i], dir)) {
            apply(&names->durable, names->pending[i]);
        } else {
            names->pending[kept++] = names->pending[i];
        }
    }
    names->pending_count = kept;
}

/* --- cuts ------------------------------------------------------------------------------------ */

static struct listing cut(const struct names *names, struct prng *prng, enum disk_variant variant)
{
    struct listing listing = names->durable;
    size_t count = names->pending_count;

    if (variant == DISK_LAST) {
        count = 0;
    } else if (variant != DISK_ALL) {
        count = prng_below(prng, (uint32_t)count + 1);
    }
    for (size_t i = 0; i < count; i++) {
        apply(&listing, names->pending[i]);
    }
    return listing;
}

static void path_of(const struct names *names, const char *text, const char *end,
                    char path[PATH_MAX + 80])
{
    (void)snprintf(path, PATH_MAX + 80, "%s/%s%s", names->dir, text, end);
}

/* A data file that is not there is put aside. What LMDB may have made in its place goes. */
static void show_data_file(struct names *names, struct listing *wanted, const char *text)
{
    bool is_wanted = find(wanted, text) != NULL;
    bool is_shown = find(&names->shown, text) != NULL;
    char path[PATH_MAX + 80];
    char aside[PATH_MAX + 80];

    path_of(names, text, "", path);
    path_of(names, text, ".aside", aside);
    if (is_wanted && !is_shown) {
        require(rename(aside, path) == 0, path);
    } else if (!is_wanted && is_shown) {
        require(rename(path, aside) == 0, path);
    } else if (!is_wanted) {
        (void)unlink(path);
    }
}

static void write_file(const char *path, struct bytes content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    require(fd >= 0, path);
    require(write(fd, content.data, content.len) == (ssize_t)content.len, path);
    (void)close(fd);
}

static void keep(struct bytes *copy, struct bytes content)
{
    uint8_t *data = malloc(content.len + 1);

    require(data != NULL, "memory");
    memcpy(data, content.data, content.len);
    free((void *)(uintptr_t)copy->data);
    *copy = bytes_of(data, content.len);
}

static bool is_data_file(const struct name *name)
{
    return name->file < RECORDED_FILES;
}

static bool is_shown(struct names *names, const struct listing *wanted,
                     const struct bytes *contents)
{
    for (size_t i = 0; i < NAMES_MAX; i++) {
        const struct name *name = &wanted->names[i];

        if (strcmp(name->text, names->shown.names[i].text) != 0 ||
            (name->text[0] != '\0' && !is_data_file(name) &&
             !bytes_equal(contents[name->file], names->shown_contents[i]))) {
            return false;
        }
    }
    return true;
}

static void remove_others(struct names *names)
{
    static const char *const made[] = {"root.key",    "root.key.new", "keyring",
                                       "keyring.new", "token",        "token.new"};
    char path[PATH_MAX + 80];

    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        path_of(names, made[i], "", path);
        (void)unlink(path);
    }
}

void names_show(struct names *names, struct prng *prng, enum disk_variant variant,
                const struct bytes *contents)
{
    struct listing wanted = cut(names, prng, variant);
    char path[PATH_MAX + 80];

    if (is_shown(names, &wanted, contents)) {
        return;
    }
    remove_others(names);
    show_data_file(names, &wanted, data_files[RECORDED_LOG]);
    show_data_file(names, &wanted, data_files[RECORDED_VIEWS]);
    names->shown = wanted;
    for (size_t i = 0; i < NAMES_MAX; i++) {
        const struct name *name = &wanted.names[i];

        if (name->text[0] != '\0' && !is_data_file(name)) {
            path_of(names, name->text, "", path);
            write_file(path, contents[name->file]);
            keep(&names->shown_contents[i], contents[name->file]);
        }
    }
}

/* Once both data files are there for good, nothing makes files that were not shown. */
void names_hide(struct names *names)
{
    if (find(&names->shown, "keyring") == NULL) {
        struct listing none = {0};

        put(&none, data_files[RECORDED_LOG], RECORDED_LOG);
        put(&none, data_files[RECORDED_VIEWS], RECORDED_VIEWS);
        remove_others(names);
        show_data_file(names, &none, data_files[RECORDED_LOG]);
        show_data_file(names, &none, data_files[RECORDED_VIEWS]);
        names->shown = none;
    }
}
