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
    bool is_shown;
};

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

/* A file, or a directory with what is in it. */
static void move(struct listing *listing, const char *from, const char *to)
{
    size_t len = strlen(from);

    for (size_t i = 0; i < NAMES_MAX; i++) {
        struct name old = listing->names[i];
        char text[2 * NAME_BYTES];

        if (strncmp(old.text, from, len) == 0 && (old.text[len] == '/' || old.text[len] == '\0')) {
            listing->names[i].text[0] = '\0';
            (void)snprintf(text, sizeof text, "%s%s", to, old.text + len);
            put(listing, text, old.file);
        }
    }
}

/* What came before an operation may not be durable: then it finds nothing. */
static void apply(struct listing *listing, const struct tape_op *op)
{
    const char *text = (const char *)op->data;
    struct name *name = find(listing, text);

    if (op->head.kind == RECORDED_CREATE) {
        put(listing, text, op->head.file);
    } else if (op->head.kind == RECORDED_RENAME) {
        move(listing, text, text + strlen(text) + 1);
    } else if (name != NULL) {
        name->text[0] = '\0';
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

/* Makes the directory of a path, too. */
static void path_of(const struct names *names, const char *text, char path[PATH_MAX + 80])
{
    char *slash;

    (void)snprintf(path, PATH_MAX + 80, "%s/%s", names->dir, text);
    slash = strrchr(path, '/');
    *slash = '\0';
    (void)mkdir(path, 0700);
    *slash = '/';
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

static bool is_as_wanted(const struct names *names, const struct listing *wanted,
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
    return names->is_shown;
}

/* A data file is where it always was, and has a second name in the directory. */
static void show(struct names *names, size_t number, const struct bytes *contents)
{
    const struct name *name = &names->shown.names[number];
    char path[PATH_MAX + 80];
    char kept[PATH_MAX + 80];

    if (name->text[0] == '\0') {
        return;
    }
    path_of(names, name->text, path);
    if (is_data_file(name)) {
        disk_data_path(names->dir, name->file, kept);
        require(link(kept, path) == 0, path);
    } else {
        write_file(path, contents[name->file]);
        keep(&names->shown_contents[number], contents[name->file]);
    }
}

void names_show(struct names *names, struct prng *prng, enum disk_variant variant,
                const struct bytes *contents)
{
    struct listing wanted = cut(names, prng, variant);

    if (is_as_wanted(names, &wanted, contents)) {
        return;
    }
    disk_remove_tree(names->dir);
    require(mkdir(names->dir, 0700) == 0, names->dir);
    names->shown = wanted;
    names->is_shown = true;
    for (size_t i = 0; i < NAMES_MAX; i++) {
        show(names, i, contents);
    }
}

/* Once the keys are there for good, nothing makes files that were not shown. */
void names_hide(struct names *names)
{
    names->is_shown =
        names->is_shown && find(&names->durable, "keyring") != NULL && names->pending_count == 0;
}
