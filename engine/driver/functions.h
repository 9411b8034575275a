/* The registry from inside: what function.c (find), function_load.c (open, sweep),
 * function_store.c (changes), layer.c and code.c share.
 *
 * The registry is held by whatever will be called back by launcher or journal: after
 * functions_close() the last of them frees it. */
#ifndef ENGINE_DRIVER_FUNCTIONS_H
#define ENGINE_DRIVER_FUNCTIONS_H

#include "engine/base/prng.h"
#include "engine/driver/function.h"
#include "engine/driver/object.h"
#include "engine/driver/setting.h"

#define CODE_CHUNK_BYTES (16U << 10)
#define CODE_NAME_LEN 64U

#define CODE_PARTS_MAX FUNCTION_LAYERS_MAX

struct change;
struct held_layer;

/* What the code cache knows by a name: an archive, by its hash, whose objects are in the
 * journal when `is_stored`; or several, one lying over the other, which are stored each by
 * itself. */
struct code {
    struct table_node by_name;
    struct functions *functions;
    char name[CODE_NAME_LEN + 1];
    uint64_t bytes;
    uint64_t unpacked_bytes;            /* 0: not known */
    struct code *parts[CODE_PARTS_MAX]; /* referenced */
    size_t part_count;                  /* 0: an archive */
    uint32_t references; /* revisions, layer versions, parts, and changes under way */
    bool is_stored;
    bool is_unpacked;  /* was once: the launcher may have removed it since */
    bool is_unpacking; /* launcher or views are asked */
    bool is_waiting;   /* for the views: `wait` is in use */
    bool is_asking;    /* inside of journal_wait_applied() */
    int status;        /* of reading it when the views had come */
    uint64_t lsn;      /* the views must be there for it to be read */
    struct journal_wait wait;
    struct list waiters;
};

struct held_revision {
    struct function_revision revision;
    char version[12];    /* its qualifier */
    struct code *code;   /* referenced */
    struct code *layers; /* of all of its layers; likewise. NULL: it has none */
    uint8_t *plain;      /* its record, where the texts are */
    size_t plain_len;
};

struct settings {
    struct setting **items; /* by kind and name */
    size_t count;
    size_t cap;            /* enough for all that is under way too */
    size_t bytes;          /* of names and documents */
    struct list changing;  /* struct setting_change.link */
    size_t changing_count; /* of these */
    size_t changing_bytes;
};

struct held {
    struct function function;
    struct settings settings;
    bool is_visible;        /* created, durably, and not deleted */
    struct change *change;  /* under way, or NULL */
    uint32_t alias_changes; /* under way */
};

struct functions {
    struct journal *journal;
    const struct tenant_keys *keys;
    struct launcher *launcher;
    uint64_t tenant;
    char *region;
    struct prng prng;
    uint32_t counter;
    struct table by_id;  /* held functions, also deleted ones */
    struct held **names; /* sorted; visible, or taken by a create under way */
    size_t name_count;
    size_t name_cap;
    struct table codes;
    struct held_layer **layers; /* sorted by name */
    size_t layer_count;
    size_t layer_cap;
    struct list layer_publishings;
    struct list layer_edits;
    struct list changes;
    uint32_t holds;
    bool is_closed;
};

void functions_hold(struct functions *functions);
void functions_unhold(struct functions *functions); /* may free it */
struct id functions_make_id(struct functions *functions, int64_t now_ms);

/* --- function.c -------------------------------------------------------------------- */

struct held *held_of(const struct function *function);
struct held_revision *held_revision_of(const struct function_revision *revision);

/* Not in any index. */
int held_create(struct held **ret_held, const struct functions *functions, const struct id *id,
                const char *name, int64_t created_ms);
/* With its revisions. Accepts NULL. */
void held_destroy(struct held *held);
int functions_index(struct functions *functions, struct held *held);
void functions_unindex(struct functions *functions, struct held *held);
struct held *functions_find_held(const struct functions *functions, const struct id *id);

/* The name is taken: by a visible one or one that is being created. */
struct held *functions_find_name(const struct functions *functions, struct bytes name);
int functions_take_name(struct functions *functions, struct held *held);
void functions_free_name(struct functions *functions, const struct held *held);

/* From its record; takes a reference of the code, which must be there (ERR_CORRUPT). */
int held_revision_create(struct held_revision **ret_held, struct functions *functions,
                         struct bytes record);
void held_revision_destroy(struct held_revision *held); /* not in a list; accepts NULL */

/* Into the function's revisions, by number; the highest one that is not a version is the
 * latest. */
void held_add_revision(struct held *held, struct held_revision *revision);
/* A version: nobody finds it any more. */
void held_hide_version(struct held_revision *revision);
/* It is one of what the function itself references. */
bool held_keeps_revision(const struct function_revision *revision);

/* --- code.c ------------------------------------------------------------------------ */

bool code_is_name(struct bytes name);
void code_name(struct bytes archive, char name[CODE_NAME_LEN + 1]);
uint32_t code_chunks(uint64_t bytes);

struct code *code_find(const struct functions *functions, const char *name);

/* The one of this name, or a new one, referenced. */
int code_obtain(struct functions *functions, const char *name, uint64_t bytes,
                struct code **ret_code);
/* Of several, in the order in which they lie on each other; of one, that one. */
int code_obtain_merged(struct functions *functions, struct code *const *parts, size_t count,
                       struct code **ret_code);
/* One that nobody references and that is not in the journal goes. Accepts NULL. */
void code_release(struct code *code);
void code_destroy(struct code *code);

/* Of the files in it; what is not known counts as the archive does. */
uint64_t code_unpacked_bytes(const struct code *code);

/* `archive` in a sealed memfd, for the launcher. Negative: an error, else the descriptor. */
int code_seal_memfd(struct bytes archive);
/* The same in steps: code_finish_memfd() returns the descriptor, or closes it when `r` or
 * the sealing is an error. */
int code_open_memfd(void);
int code_write(int fd, struct bytes bytes);
int code_finish_memfd(int fd, int r);

void code_key(struct object_key *ret_key, const struct code *code, uint32_t chunk);
void code_archive_key(struct object_key *ret_key, const struct code *code);

/* Deletes its objects from the journal, and `code`, which nobody references. */
int code_remove(struct code *code);
/* All of these, until so many objects are about to go. */
int code_remove_unused(struct functions *functions, uint32_t entries_max);

/* --- code_unpack.c -------------------------------------------------------------------- */

/* Everybody who waits is called back with `error`. */
void code_end_waiters(struct code *code, const char *error);
/* Nothing is awaited from the views any more. */
void code_cancel(struct code *code);

/* --- removal.c ---------------------------------------------------------------------- */

/* Deletions of objects, in the order of removal_add(). All are in the log before anything
 * that is appended later, so a value put afterwards stays. Frees itself. */
struct removal;
int removal_create(struct removal **ret_removal, struct functions *functions, uint32_t count);
void removal_add(struct removal *removal, const struct object_key *key);
int removal_of_one(struct functions *functions, const struct object_key *key);

/* --- setting.c ---------------------------------------------------------------------- */

int setting_compare(const struct setting *setting, enum setting_kind kind, struct bytes name);
size_t setting_bytes(const struct setting *setting);
/* One block, with copies; without a document when `json.data` is NULL. */
struct setting *setting_create(enum setting_kind kind, struct bytes name, struct bytes json);

/* Room for one more than there are and are under way. */
int settings_reserve(struct settings *settings);
/* Puts it in the place of what was there, or without a document removes that. Takes it over. */
void settings_set(struct settings *settings, struct setting *setting);
void settings_take_out(struct settings *settings, size_t place);
void settings_fini(struct settings *settings);

/* --- setting_store.c ---------------------------------------------------------------- */

/* From its object; the function's id begins at `skip` in the key. */
int setting_load(struct functions *functions, struct held *held, struct bytes key, size_t skip,
                 struct bytes plain);
/* What is under way calls back with ERR_CANCELED. */
void settings_cancel(struct held *held);
/* Those of versions and aliases that are not there go from memory and, soon, from the
 * journal. */
void settings_remove_orphans(struct functions *functions, struct held *held);
/* The function is deleted, durably: likewise all of them. */
void settings_remove(struct functions *functions, struct held *held);

/* --- change.c ----------------------------------------------------------------------- */

/* Changes under way call back with `error`; what they wait for still comes. */
void changes_cancel(struct functions *functions, const char *error);

/* --- change_objects.c --------------------------------------------------------------- */

void function_key(struct object_key *ret_key, const struct functions *functions,
                  const struct id *id);
void revision_key(struct object_key *ret_key, const struct functions *functions,
                  const struct id *id, uint32_t number);

#endif /* ENGINE_DRIVER_FUNCTIONS_H */
