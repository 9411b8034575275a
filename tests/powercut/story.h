/* The story of a recording: everything that was ever committed to its log, by LSN, opened
 * with the daemon's own keys; and the facts that clients were told, each with the LSN of
 * the entry that it rests on. From the story follows what a journal that ends at a given
 * LSN must hold, to the byte. */
#ifndef TESTS_POWERCUT_STORY_H
#define TESTS_POWERCUT_STORY_H

#include "engine/base/arena.h"
#include "engine/core/record.h"
#include "journal/journal.h"
#include "tenants/keys.h"
#include "tests/powercut/tape.h"

struct story_frame {
    uint64_t lsn;
    struct bytes bytes;
    struct frame_header header;
    struct record *records;
    size_t record_count;
};

struct story_exec {
    struct id id;
    struct frame_opening opening;
    struct story_frame *frames;
    size_t count;
    size_t cap;
    bool owns_name; /* the first of its name */
};

struct story_version {
    uint64_t lsn;
    struct bytes value;
    bool is_deleted;
};

struct story_object {
    struct bytes key;
    struct story_version *versions;
    size_t count;
    size_t cap;
    char function[65]; /* a function's record: its name */
    uint64_t deleted_lsn;
};

struct story_fact {
    uint64_t seq;     /* of the recording, when the answer had come */
    uint64_t lsn;     /* that it rests on */
    uint64_t lsn_max; /* of this one and those before */
};

struct story {
    struct arena arena;
    struct tenant_keys *keys;
    struct keyring *keyring;
    struct story_exec *execs; /* in the order of their ids */
    size_t exec_count;
    size_t exec_cap;
    struct story_object *objects; /* in the order of their keys */
    size_t object_count;
    size_t object_cap;
    uint64_t last_lsn;
    uint64_t trimmed_lsn; /* in the end */
    uint64_t entries;
    struct story_fact *facts; /* by `seq` */
    size_t fact_count;
    uint64_t broken;    /* frames that do not open: violations, too */
    uint64_t unfounded; /* facts that rest on nothing in the log: each is a violation */
};

/* Plays the tape through in `dir`. Ends the process when it makes no sense. */
void story_tell(struct story *story, const struct tape *tape, const char *dir);

/* Adds the facts of a file (load.py); prints those that are unfounded. */
void story_add_facts(struct story *story, const char *path);

/* What a disk that is cut after so many operations must hold. */
uint64_t story_acked_lsn(const struct story *story, uint64_t seq);

struct story_exec *story_find_exec(const struct story *story, const struct id *id);
/* How many frames it has at this LSN. */
size_t story_frames(const struct story_exec *exec, uint64_t lsn);
/* The value of an object at this LSN, or NULL. */
const struct story_version *story_value(const struct story_object *object, uint64_t lsn);

#endif /* TESTS_POWERCUT_STORY_H */
