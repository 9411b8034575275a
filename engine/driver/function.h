/* Functions: what can be invoked, and the code it runs.
 *
 * A function has a name and a chain of revisions. A revision is immutable: code by
 * hash, configuration, environment variables; an execution stays on the revision
 * it started with, also when the function is updated or deleted. Both are sealed
 * objects of the journal (keys in function.c); code is stored once per hash, in
 * sealed chunks of at most 16 KiB, and unpacked on demand by the launcher. */
#ifndef ENGINE_DRIVER_FUNCTION_H
#define ENGINE_DRIVER_FUNCTION_H

#include "engine/base/id.h"
#include "engine/base/list.h"
#include "engine/base/table.h"
#include "journal/journal.h"
#include "runtime/launcher.h"
#include "tenants/keys.h"

struct functions;
struct function;

/* Lambda's members; texts are owned by the revision. */
struct function_config {
    const char *runtime;     /* "provided.al2023" */
    const char *handler;     /* becomes _HANDLER */
    const char *role;        /* kept and shown, not used */
    const char *description;
    uint32_t timeout_s;      /* 1..900, default 3 */
    uint32_t memory_mb;      /* 128..10240, default 128 */
    uint32_t tmp_mb;         /* 512..10240, default 512 */
    uint32_t concurrency;    /* invocations of one environment at once, default 1, at most 1024 */
    bool is_durable;
    uint32_t execution_timeout_s; /* durable: 1..31622400 */
    uint32_t retention_days;      /* durable: 1..90, default 14 */
    bool is_per_tenant;      /* TenancyConfig PER_TENANT */
    char **env;              /* "NAME=value", NULL at the end */
    size_t env_count;
    struct bytes raw;        /* the JSON members as given, for answers; may be empty */
};

/* Alive while referenced: by its function (the newest one), by executions and by
 * environments that run it. */
struct function_revision {
    struct function *function;
    uint32_t number;         /* 1.. within the function's id */
    uint32_t references;
    struct list link;
    struct function_config config;
    char code[65];           /* SHA-256 of the archive in hex: its name in the code cache */
    uint64_t code_bytes;
    struct id revision_id;   /* Lambda's RevisionId */
    int64_t modified_ms;
    bool is_unpacked;
};

struct function {
    struct table_node by_id;
    struct id id;            /* new for every CreateFunction: a name used again is another function */
    uint64_t tenant;
    const char *name;
    const char *arn;         /* arn:aws:lambda:REGION:ACCOUNT:function:NAME, unqualified */
    int64_t created_ms;
    bool is_deleted;         /* gone for new invokes; kept while executions need it */
    struct function_revision *latest;
    struct list revisions;
    void *user;              /* the pool's */
};

/* Loads every function from the journal's views. */
int functions_open(struct functions **ret_functions, struct journal *journal,
                   const struct tenant_keys *keys, uint64_t tenant, const char *region,
                   struct launcher *launcher);
void functions_close(struct functions *functions);

/* NULL when there is none (or it is deleted). */
struct function *function_find(const struct functions *functions, struct bytes name);
struct function *function_find_id(const struct functions *functions, const struct id *id);
/* NULL when that revision is gone. */
struct function_revision *function_revision_find(const struct function *function, uint32_t number);
void function_revision_ref(struct function_revision *revision);
void function_revision_unref(struct function_revision *revision);

/* In name order, after `after` (empty: from the start); NULL at the end. */
struct function *function_next(const struct functions *functions, struct bytes after);

/* --- changes: `cb` comes from the loop when the change is durable ------------------
 * A refusal (positive) is immediate, with no callback. The archive (zip bytes) is
 * checked for size here and by the launcher when it is first unpacked: a create is
 * answered only after its code was unpacked once, so a bad archive is the caller's
 * error: `error` is then a sentence, and nothing was created. */
enum {
    FUNCTION_EXISTS = 1,
    FUNCTION_NOT_FOUND,
    FUNCTION_TOO_LARGE,
    FUNCTION_BUSY,     /* another change of this function is under way */
};

typedef void (*function_changed_cb)(void *arg, struct function *function, const char *error);

int function_create(struct functions *functions, struct bytes name,
                    const struct function_config *config, struct bytes archive, int64_t now_ms,
                    void *arg, function_changed_cb cb);
/* `config` or `archive` may be NULL / empty: unchanged. A new revision. */
int function_update(struct functions *functions, struct function *function,
                    const struct function_config *config, struct bytes archive, int64_t now_ms,
                    void *arg, function_changed_cb cb);
int function_delete(struct functions *functions, struct function *function, void *arg,
                    function_changed_cb cb);

/* The code of `revision` is in the cache: unpacks it if it is not. `error` NULL or a sentence. */
typedef void (*function_ready_cb)(void *arg, const char *error);
int function_unpack(struct functions *functions, struct function_revision *revision, void *arg,
                    function_ready_cb cb);

#endif /* ENGINE_DRIVER_FUNCTION_H */
