#include "engine/driver/runtimes.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/driver/object.h"

/* The plain text of one: format u8, directory. Its name is in the key. */
#define RUNTIME_FORMAT 1U

/* One at a time: an operator's change is rare. */
struct runtimes_change {
    struct journal_append append;
    struct buf entry;
    struct runtime runtime; /* its directory NULL: a removal */
    void *arg;
    runtimes_cb cb; /* NULL: nobody waits any more */
};

struct runtimes {
    struct journal *journal;
    const struct tenant_keys *keys;
    uint64_t tenant;
    char *data_dir;
    struct runtime items[RUNTIMES_MAX]; /* sorted by name */
    size_t count;
    struct runtimes_change change;
    bool is_changing;
    bool is_closed;
};

/* --- names ------------------------------------------------------------------------------ */

bool runtime_is_own(const char *name)
{
    return strcmp(name, "provided.al2023") == 0 || strcmp(name, "provided.al2") == 0;
}

bool runtime_is_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.");

    return len > 0 && len <= RUNTIME_NAME_MAX && name[len] == '\0' && name[0] != '.';
}

/* --- directories ------------------------------------------------------------------------ */

static bool explain(char why[RUNTIME_WHY_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool explain(char why[RUNTIME_WHY_MAX], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(why, RUNTIME_WHY_MAX, format, args);
    va_end(args);
    return false;
}

/* Is `inner` the directory `outer`, or below it? Both are absolute and resolved. */
static bool is_within(const char *inner, const char *outer)
{
    size_t len = strlen(outer);

    return strcmp(outer, "/") == 0 ||
           (strncmp(inner, outer, len) == 0 && (inner[len] == '\0' || inner[len] == '/'));
}

/* An environment of root's daemon runs as another user; of anybody else's, as the same. */
static bool is_open_to_environments(const struct stat *info)
{
    return geteuid() != 0 || (info->st_mode & 0005U) == 0005U;
}

static bool check_bootstrap(const char *directory, char why[RUNTIME_WHY_MAX])
{
    char path[PATH_MAX];
    struct stat info;

    if (snprintf(path, sizeof path, "%s/bootstrap", directory) >= (int)sizeof path) {
        return explain(why, "its path is too long");
    }
    if (stat(path, &info) != 0) {
        return explain(why, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(info.st_mode) || (info.st_mode & 0111U) == 0) {
        return explain(why, "%s is not an executable file", path);
    }
    return is_open_to_environments(&info) ||
           explain(why, "%s: others may not read and execute it, and environments are others",
                   path);
}

bool runtimes_check(const struct runtimes *runtimes, const char *directory,
                    char ret_why[RUNTIME_WHY_MAX])
{
    char resolved[PATH_MAX];
    char data[PATH_MAX];
    struct stat info;

    if (directory[0] != '/' || strlen(directory) > RUNTIME_DIRECTORY_MAX) {
        return explain(ret_why,
                       "it must be an absolute path of at most %u bytes on the daemon's "
                       "machine",
                       RUNTIME_DIRECTORY_MAX);
    }
    if (realpath(directory, resolved) == NULL || stat(resolved, &info) != 0) {
        return explain(ret_why, "%s: %s", directory, strerror(errno));
    }
    if (!S_ISDIR(info.st_mode)) {
        return explain(ret_why, "%s is not a directory", directory);
    }
    if (realpath(runtimes->data_dir, data) == NULL || is_within(data, resolved) ||
        is_within(resolved, data)) {
        return explain(ret_why, "it would show functions the data directory %s",
                       runtimes->data_dir);
    }
    if (!is_open_to_environments(&info)) {
        return explain(ret_why, "others may not enter %s, and environments are others", directory);
    }
    return check_bootstrap(resolved, ret_why);
}

/* --- in memory -------------------------------------------------------------------------- */

/* Where `name` is, or would be. */
static bool find(const struct runtimes *runtimes, const char *name, size_t *ret_place)
{
    size_t place = 0;

    while (place < runtimes->count && strcmp(runtimes->items[place].name, name) < 0) {
        place++;
    }
    *ret_place = place;
    return place < runtimes->count && strcmp(runtimes->items[place].name, name) == 0;
}

const char *runtimes_find(const struct runtimes *runtimes, const char *name)
{
    size_t place;

    return find(runtimes, name, &place) ? runtimes->items[place].directory : NULL;
}

const struct runtime *runtimes_next(const struct runtimes *runtimes, const char *after)
{
    size_t place;

    if (find(runtimes, after, &place)) {
        place++;
    }
    return (place < runtimes->count) ? &runtimes->items[place] : NULL;
}

static void take_out(struct runtimes *runtimes, size_t place)
{
    mem_free(runtimes->items[place].directory);
    runtimes->count--;
    memmove(&runtimes->items[place], &runtimes->items[place + 1],
            (runtimes->count - place) * sizeof runtimes->items[0]);
}

/* Takes `runtime` over. */
static void set(struct runtimes *runtimes, const struct runtime *runtime)
{
    size_t place;

    if (find(runtimes, runtime->name, &place)) {
        take_out(runtimes, place);
    }
    if (runtime->directory == NULL) {
        return;
    }
    assert(runtimes->count < RUNTIMES_MAX);
    memmove(&runtimes->items[place + 1], &runtimes->items[place],
            (runtimes->count - place) * sizeof runtimes->items[0]);
    runtimes->items[place] = *runtime;
    runtimes->count++;
}

static int make(struct runtime *ret_runtime, struct bytes name, struct bytes directory)
{
    *ret_runtime = (struct runtime){0};
    memcpy(ret_runtime->name, name.data, name.len);
    ret_runtime->directory = mem_dup(directory.data, directory.len);
    return (ret_runtime->directory != NULL) ? 0 : ERR(ERR_NOMEM, "a runtime");
}

/* --- opening and closing ------------------------------------------------------------------ */

static void make_key(struct object_key *ret_key, const struct runtimes *runtimes, const char *name)
{
    object_key_format(ret_key, runtimes->tenant, "runtime/%s", name);
}

struct load {
    struct runtimes *runtimes;
    struct buf plain;
    size_t skip; /* bytes of the key before the name */
};

static int load_one(void *arg, struct bytes key, struct bytes value)
{
    struct load *load = arg;
    struct bytes name = bytes_of(key.data + load->skip, key.len - load->skip);
    struct runtime runtime;
    int r = object_open(load->runtimes->keys, KEY_CONFIG, key, value, &load->plain);

    if (r != 0) {
        return r;
    }
    if (name.len == 0 || name.len > RUNTIME_NAME_MAX || load->plain.len < 2 ||
        load->plain.data[0] != RUNTIME_FORMAT || load->plain.len > RUNTIME_DIRECTORY_MAX + 1 ||
        load->runtimes->count == RUNTIMES_MAX) {
        return ERR(ERR_CORRUPT, "object %.*s is not a runtime", (int)key.len, key.data);
    }
    r = make(&runtime, name, bytes_of(load->plain.data + 1, load->plain.len - 1));
    if (r == 0) {
        set(load->runtimes, &runtime);
    }
    return r;
}

static int load_all(struct runtimes *runtimes)
{
    struct load load = {.runtimes = runtimes};
    struct object_key prefix;
    int r;

    make_key(&prefix, runtimes, "");
    load.skip = strlen(prefix.text);
    r = journal_read_objects(runtimes->journal, bytes_of_text(prefix.text), load_one, &load);
    buf_fini(&load.plain);
    return r;
}

static void free_all(struct runtimes *runtimes)
{
    while (runtimes->count > 0) {
        take_out(runtimes, runtimes->count - 1);
    }
    mem_free(runtimes->data_dir);
    mem_free(runtimes);
}

int runtimes_open(struct runtimes **ret_runtimes, struct journal *journal,
                  const struct tenant_keys *keys, uint64_t tenant, const char *data_dir)
{
    struct runtimes *runtimes = mem_calloc(1, sizeof *runtimes);
    int r;

    if (runtimes == NULL) {
        return ERR(ERR_NOMEM, "runtimes");
    }
    runtimes->journal = journal;
    runtimes->keys = keys;
    runtimes->tenant = tenant;
    runtimes->data_dir = mem_dup(data_dir, strlen(data_dir));
    r = (runtimes->data_dir != NULL) ? load_all(runtimes) : ERR(ERR_NOMEM, "runtimes");
    if (r != 0) {
        free_all(runtimes);
        return r;
    }
    *ret_runtimes = runtimes;
    return 0;
}

void runtimes_close(struct runtimes *runtimes)
{
    if (runtimes == NULL) {
        return;
    }
    runtimes->is_closed = true;
    if (!runtimes->is_changing) {
        free_all(runtimes);
    } else {
        runtimes_cb cb = runtimes->change.cb;

        runtimes->change.cb = NULL;
        cb(runtimes->change.arg, ERR_CANCELED);
    }
}

/* --- changes ------------------------------------------------------------------------------ */

static void on_durable(struct journal_append *append)
{
    struct runtimes_change *change = container_of(append, struct runtimes_change, append);
    struct runtimes *runtimes = container_of(change, struct runtimes, change);
    runtimes_cb cb = change->cb;

    buf_fini(&change->entry);
    set(runtimes, &change->runtime);
    runtimes->is_changing = false;
    if (runtimes->is_closed) {
        free_all(runtimes);
    } else {
        cb(change->arg, 0);
    }
}

static int make_entry(const struct runtimes *runtimes, struct runtimes_change *change)
{
    const char *directory = change->runtime.directory;
    struct object_key key;
    struct buf plain = {0};
    int r;

    make_key(&key, runtimes, change->runtime.name);
    if (directory == NULL) {
        uint8_t *out = buf_reserve(&change->entry, 2 + OBJECT_KEY_MAX);

        change->entry.len = (out != NULL) ? object_forget(&key, out) : 0;
        return (out != NULL) ? 0 : ERR(ERR_NOMEM, "remove a runtime");
    }
    buf_append(&plain, &(uint8_t){RUNTIME_FORMAT}, 1);
    buf_append_text(&plain, directory);
    r = plain.failed
            ? ERR(ERR_NOMEM, "add a runtime")
            : object_seal_buf(runtimes->keys, KEY_CONFIG, &key, buf_bytes(&plain), &change->entry);
    buf_fini(&plain);
    return r;
}

static int refusal(const struct runtimes *runtimes, const char *name, bool is_removal)
{
    size_t place;
    bool is_there = find(runtimes, name, &place);

    if (runtimes->is_changing) {
        return RUNTIMES_BUSY;
    }
    if (is_removal) {
        return is_there ? 0 : RUNTIMES_NOT_FOUND;
    }
    if (!is_there && runtimes->count == RUNTIMES_MAX) {
        return RUNTIMES_TOO_MANY;
    }
    return journal_is_full(runtimes->journal) ? RUNTIMES_FULL : 0;
}

static int begin(struct runtimes *runtimes, const char *name, const char *directory)
{
    struct runtimes_change *change = &runtimes->change;
    int r = 0;

    *change = (struct runtimes_change){.append = {.kind = JOURNAL_PUT}};
    if (directory != NULL) {
        r = make(&change->runtime, bytes_of_text(name), bytes_of_text(directory));
    } else {
        memcpy(change->runtime.name, name, strlen(name));
        change->append.kind = JOURNAL_DELETE;
        change->append.is_reserved = true;
    }
    r = (r == 0) ? make_entry(runtimes, change) : r;
    if (r != 0) {
        mem_free(change->runtime.directory);
        buf_fini(&change->entry);
    }
    return r;
}

int runtimes_change(struct runtimes *runtimes, const char *name, const char *directory, void *arg,
                    runtimes_cb cb)
{
    struct runtimes_change *change = &runtimes->change;
    int r;

    if (!runtime_is_name(name) || runtime_is_own(name)) {
        return ERR(ERR_INVALID, "a runtime of another form of name");
    }
    r = refusal(runtimes, name, directory == NULL);
    r = (r == 0) ? begin(runtimes, name, directory) : r;
    if (r != 0) {
        return r;
    }
    change->arg = arg;
    change->cb = cb;
    change->append.data = buf_bytes(&change->entry);
    runtimes->is_changing = true;
    journal_append(runtimes->journal, &change->append, on_durable);
    return 0;
}
