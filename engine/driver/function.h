/* Functions: what can be invoked, and the code it runs.
 *
 * A function has a name and a chain of revisions. A revision is immutable: code by
 * hash, configuration, environment variables; an execution stays on the revision
 * it started with, also when the function is updated or deleted. Both are sealed
 * objects of the journal (keys in object.h); code is stored once per hash, in
 * sealed chunks of at most 16 KiB, and unpacked on demand by the launcher.
 *
 * A published version is a revision of its own beside those that are, or were, $LATEST:
 * what it runs is told another version, so no environment is shared. Versions are
 * numbered from 1, and a number is never used again.
 *
 * What stays, and for how long: every revision, with its code, until functions_sweep()
 * is told that nobody needs it, also the revisions of deleted functions and versions,
 * which are only invisible. The sweep never takes the newest revision or a version of a
 * function that is not deleted, one that is referenced, or code that a revision left
 * behind uses.
 *
 * After a crash there is all of a change or nothing of it: a change counts from one
 * object on, which is appended last. What was appended before it is removed at the next
 * start. */
#ifndef ENGINE_DRIVER_FUNCTION_H
#define ENGINE_DRIVER_FUNCTION_H

#include "engine/base/id.h"
#include "engine/base/list.h"
#include "engine/base/table.h"
#include "engine/driver/gate.h"
#include "journal/journal.h"
#include "runtime/launcher.h"
#include "tenants/keys.h"

struct functions;
struct function;

#define FUNCTION_LAYERS_MAX 5U

/* A layer version as a revision has it: also when it is deleted. */
struct function_layer {
    const char *arn;  /* with the version */
    const char *code; /* SHA-256 of its archive in hex; it must be stored */
    uint64_t code_bytes;
};

/* Lambda's members; texts are owned by the revision. */
struct function_config {
    const char *runtime; /* "provided.al2023" */
    const char *handler; /* becomes _HANDLER */
    const char *role;    /* kept and shown, not used */
    const char *description;
    uint32_t timeout_s;   /* 1..900, default 3 */
    uint32_t memory_mb;   /* 128..10240, default 128 */
    uint32_t tmp_mb;      /* 512..10240, default 512 */
    uint32_t concurrency; /* invocations of one environment at once, default 1, at most 1024 */
    bool is_durable;
    uint32_t execution_timeout_s; /* durable: 1..31622400 */
    uint32_t retention_days;      /* durable: 1..90, default 14 */
    bool is_per_tenant;           /* TenancyConfig PER_TENANT */
    char **env;                   /* "NAME=value", NULL at the end */
    size_t env_count;
    struct function_layer *layers; /* each lies over those before it */
    size_t layer_count;
    struct bytes raw; /* the JSON members as given, for answers; may be empty */
};

#define FUNCTION_DIGEST_BYTES 32U

/* In its place until functions_sweep() takes it, which it does not while it is referenced:
 * by its function (the newest one, versions), by executions and by environments that run
 * it. */
struct function_revision {
    struct function *function;
    uint32_t number;       /* 1.. within the function's id */
    uint32_t version;      /* 1..: it was published as that; 0: it is, or was, $LATEST */
    bool is_deleted;       /* a version: gone for new invokes, kept while executions need it */
    const char *qualifier; /* "$LATEST", "1", ... */
    uint8_t digest[FUNCTION_DIGEST_BYTES]; /* of a version: of what was published */
    uint32_t references;
    struct list link;
    struct function_config config;
    char code[65]; /* SHA-256 of the archive in hex: its name in the code cache */
    uint64_t code_bytes;
    const char *layers;    /* their name in the code cache, as one; NULL: none */
    struct id revision_id; /* Lambda's RevisionId */
    int64_t modified_ms;
    bool is_native;   /* its program was seen to speak the native protocol, in this life */
    bool is_unpacked; /* since this start; but see function_unpack() */
};

struct function {
    struct table_node by_id;
    struct id id; /* new for every CreateFunction: a name used again is another one */
    uint64_t tenant;
    const char *name;
    const char *arn; /* arn:aws:lambda:REGION:ACCOUNT:function:NAME, unqualified */
    int64_t created_ms;
    bool is_deleted;        /* gone for new invokes; kept while executions need it */
    uint32_t last_revision; /* the highest numbers that were ever used */
    uint32_t last_version;
    uint32_t version_count;           /* that are not deleted */
    struct function_revision *latest; /* the newest one that is not a version */
    struct list revisions;
    struct gate gate; /* the pool's */
};

#define FUNCTION_VERSIONS_MAX 10000U
#define FUNCTIONS_MAX 10000U  /* of a tenant */
#define FUNCTION_NAME_MAX 64U /* letters, digits, '-' and '_' */
#define FUNCTION_ARCHIVE_BYTES_MAX (50U << 20)
#define FUNCTION_UNPACKED_BYTES_MAX (250U << 20) /* of code and layers together */
#define FUNCTION_CONFIG_BYTES_MAX (256U << 10)   /* all that a revision records */
#define FUNCTION_ENV_MAX 1024U

/* Loads every function of the tenant from the journal's views, which hold the whole log
 * when it has just been opened, and removes what interrupted changes left. `journal`,
 * `keys`, `launcher` must outlive the registry. */
int functions_open(struct functions **ret_functions, struct journal *journal,
                   const struct tenant_keys *keys, uint64_t tenant, const char *region,
                   struct launcher *launcher);
/* Whoever still waits is called back at once, from inside, with an error: their changes
 * may yet become durable, or not. No function or revision may be used after it. Memory
 * goes when launcher and journal have called back what they have in hand; `keys` are not
 * used any more. Accepts NULL. */
void functions_close(struct functions *functions);

/* NULL when there is none, or it is deleted. */
struct function *function_find(const struct functions *functions, struct bytes name);
/* Also deleted ones, whose executions go on. */
struct function *function_find_id(const struct functions *functions, const struct id *id);
/* NULL when that revision is gone. */
struct function_revision *function_revision_find(const struct function *function, uint32_t number);
/* The version of this number; NULL when there is none, or it was deleted. */
struct function_revision *function_version_find(const struct function *function, uint32_t version);
/* The first one above `after`; NULL at the end. */
struct function_revision *function_version_next(const struct function *function, uint32_t after);
void function_revision_ref(struct function_revision *revision);
void function_revision_unref(struct function_revision *revision);

/* In name order, after `after` (empty: from the start); NULL at the end. */
struct function *function_next(const struct functions *functions, struct bytes after);

/* Of all archives that are stored: each counts once, however many revisions use it. */
uint64_t functions_code_bytes(const struct functions *functions);

/* --- changes: `cb` comes from the loop when the change is durable ------------------
 * A refusal (positive) is immediate, with no callback. The archive (zip bytes) is
 * checked for size here and by the launcher when it is first unpacked: a create is
 * answered only after its code was unpacked once, so a bad archive is the caller's
 * error: `error` is then a sentence, valid during the callback, and nothing was created
 * (`function` is NULL after a failed create). What is given is copied. A change is seen by
 * function_find() and as `latest` from its callback on, not before. A name of other
 * characters or length is ERR_INVALID, with no callback, as is every negative return. */
enum {
    FUNCTION_EXISTS = 1,
    FUNCTION_NOT_FOUND,        /* it is deleted */
    FUNCTION_TOO_LARGE,        /* the archive, or the configuration */
    FUNCTION_BUSY,             /* another change of this function, or name, is under way */
    FUNCTION_FULL,             /* FUNCTIONS_MAX, or the journal takes no new work */
    FUNCTION_TOO_MANY,         /* of what belongs to a function: setting.h */
    FUNCTION_UNCHANGED,        /* since the last version was published */
    FUNCTION_IN_USE,           /* the version is named by an alias */
    FUNCTION_LAYERS_TOO_LARGE, /* with the code: FUNCTION_UNPACKED_BYTES_MAX */
};

/* So begins the `error` of FUNCTION_LAYERS_TOO_LARGE when that was seen only after the code
 * was unpacked. */
#define FUNCTION_BLAMES_LAYERS "Function code combined with layers"

typedef void (*function_changed_cb)(void *arg, struct function *function, const char *error);

int function_create(struct functions *functions, struct bytes name,
                    const struct function_config *config, struct bytes archive, bool publishes,
                    int64_t now_ms, void *arg, function_changed_cb cb);
/* `config` or `archive` may be NULL / empty: unchanged. A new revision; with `publishes`
 * it is the last version too, unless that has the same code and configuration. */
int function_update(struct functions *functions, struct function *function,
                    const struct function_config *config, struct bytes archive, bool publishes,
                    int64_t now_ms, void *arg, function_changed_cb cb);
/* $LATEST becomes the next version, function->last_version from the callback on.
 * `description` NULL: that of $LATEST. FUNCTION_UNCHANGED when the last version is there
 * and has the code and configuration that $LATEST has; FUNCTION_TOO_MANY, here and where
 * else something is published, when there are FUNCTION_VERSIONS_MAX. */
int function_publish(struct functions *functions, struct function *function,
                     const char *description, int64_t now_ms, void *arg, function_changed_cb cb);
/* FUNCTION_NOT_FOUND when it is deleted already, FUNCTION_IN_USE while an alias names it. */
int function_delete_version(struct functions *functions, struct function_revision *revision,
                            void *arg, function_changed_cb cb);
int function_delete(struct functions *functions, struct function *function, void *arg,
                    function_changed_cb cb);

/* The code of `revision` is in the cache, and its layers are: unpacks what is not. `error` NULL or
 * a sentence. To be called before each start of an environment, also when `is_unpacked`: the
 * launcher removes code that nobody runs when its cache is full. Code that is there costs one
 * message to the launcher. Several that wait for one code share the work. */
typedef void (*function_ready_cb)(void *arg, const char *error);
int function_unpack(struct functions *functions, struct function_revision *revision, void *arg,
                    function_ready_cb cb);

/* Removes the revisions that nobody needs, deleted functions that have none left, and
 * code that no revision uses, from memory and, soon, from the journal. `is_needed` speaks
 * for those who come back later: executions in the journal that may run again. Pointers to
 * what was removed are invalid. Returns how many revisions went, or a negative error. */
int functions_sweep(struct functions *functions, void *arg,
                    bool (*is_needed)(void *arg, const struct function_revision *revision));

#endif /* ENGINE_DRIVER_FUNCTION_H */
