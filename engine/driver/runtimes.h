/* Runtimes: what runs a function that is not a program itself.
 *
 * A runtime is a directory of the host, by name, that the operator has added. Environments
 * of functions with that Runtime see it read-only at /var/runtime and start its `bootstrap`
 * instead of the function's. The names of `runtime_is_own()` need none. A directory is
 * looked at when it is added and by every start, never copied: what is changed in it holds
 * for the environments that start from then on.
 *
 * Each is one sealed object of the journal (keys in object.h), in memory from the start on.
 * After a crash a change is there or it is not. */
#ifndef ENGINE_DRIVER_RUNTIMES_H
#define ENGINE_DRIVER_RUNTIMES_H

#include "journal/journal.h"
#include "tenants/keys.h"

#define RUNTIMES_MAX 64U
#define RUNTIME_NAME_MAX 64U
#define RUNTIME_DIRECTORY_MAX 1023U
#define RUNTIME_WHY_MAX 1280U

struct runtimes;

struct runtime {
    char name[RUNTIME_NAME_MAX + 1];
    char *directory; /* absolute, as it was given */
};

/* provided.al2023 and provided.al2: the function brings its own `bootstrap`. */
bool runtime_is_own(const char *name);

/* Lower-case letters, digits and dots, as in nodejs22.x; at most RUNTIME_NAME_MAX. */
bool runtime_is_name(const char *name);

/* Loads all from the journal's views, which hold the whole log when it has just been
 * opened. `journal` must outlive the registry; `data_dir` is copied. */
int runtimes_open(struct runtimes **ret_runtimes, struct journal *journal,
                  const struct tenant_keys *keys, uint64_t tenant, const char *data_dir);
/* Who waits for a change is called back at once, from inside, with ERR_CANCELED: it may yet
 * become durable. Memory goes when the journal has called back. Accepts NULL. */
void runtimes_close(struct runtimes *runtimes);

/* The directory, or NULL. Valid until the next change is durable. */
const char *runtimes_find(const struct runtimes *runtimes, const char *name);

/* In the order of names; `after` "" for the first. NULL at the end. */
const struct runtime *runtimes_next(const struct runtimes *runtimes, const char *after);

/* May the directory serve as a runtime, as it is now? If not, a sentence says why: it must
 * be absolute, there, neither the data directory nor above or below it, and hold a
 * `bootstrap` that environments can read and execute. */
bool runtimes_check(const struct runtimes *runtimes, const char *directory,
                    char ret_why[RUNTIME_WHY_MAX]);

/* Adds or replaces; with `directory` NULL removes. `cb` comes from the loop when it is
 * durable, and from then on it is seen, not before. What is given is copied; the caller has
 * checked it. A refusal is immediate, with no callback, and so is a negative error. */
enum {
    RUNTIMES_NOT_FOUND = 1, /* nothing to remove */
    RUNTIMES_BUSY,          /* another change is under way */
    RUNTIMES_TOO_MANY,      /* RUNTIMES_MAX */
    RUNTIMES_FULL,          /* the journal takes no new work; a removal it takes */
};
typedef void (*runtimes_cb)(void *arg, int status);
int runtimes_change(struct runtimes *runtimes, const char *name, const char *directory, void *arg,
                    runtimes_cb cb);

#endif /* ENGINE_DRIVER_RUNTIMES_H */
