/* A journal in a directory of its own, and executions whose frames are made here. */
#ifndef TESTS_JOURNAL_FIXTURE_H
#define TESTS_JOURNAL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/base/arena.h"
#include "engine/base/prng.h"
#include "engine/core/operation.h"
#include "journal/journal.h"

#define TENANT 123456789012U
#define TITLE_MAX 64U

struct fixture {
    char dir[64];
    struct journal_options options;
    uv_loop_t loop;
    struct journal *journal;
    bool is_open;
};

/* The directory is made; nothing is open. */
void fixture_init(struct fixture *f);
void fixture_open(struct fixture *f);
void fixture_close(struct fixture *f); /* what is in flight ends first */
void fixture_fini(struct fixture *f);  /* removes the directory */

/* For cmocka: an open journal with default options in *state. */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/* An append with its data. */
struct put {
    struct journal_append append;
    struct buf data;
    int calls;
};

/* Calls journal_append(); the callback counts. */
void put_entry(struct fixture *f, struct put *put, enum journal_entry_kind kind);
void put_object(struct fixture *f, struct put *put, const char *key, const void *value, size_t len);
void put_fini(struct put *put);

/* Runs the loop until all of `puts` were called back, or the views are as far as the
 * log. */
void wait_puts(struct fixture *f, const struct put *puts, size_t count);
void wait_applied(struct fixture *f);

/* Appends one entry and waits until the views hold it. */
void put_object_now(struct fixture *f, const char *key, const void *value, size_t len);

/* An execution as the test knows it. */
struct made {
    struct journal_head head;
    uint8_t title[TITLE_MAX];
    struct buf frames; /* all of them, end to end */
    bool is_gone;
};

struct made_step {
    uint8_t status;
    uint32_t events;
    uint32_t notes;
    int64_t time_ms;
    int64_t wake_ms;
    uint32_t retention_days;
    size_t payload; /* sealed bytes */
    uint8_t flags;  /* besides FRAME_FIRST */
};

/* head.exec_id, tenant, function_id, name_hash, start_ms, kind and title are set. */
void made_init(struct made *made, struct prng *prng, int64_t start_ms);
void made_fini(struct made *made);

/* The next frame: to `ret_frame` (appended) and into what `made` knows. */
void made_step(struct made *made, struct prng *prng, const struct made_step *step,
               struct buf *ret_frame);

/* What the journal says of the execution is what `made` knows. */
void assert_made(struct fixture *f, const struct made *made);

void remove_tree(const char *dir);

#endif /* TESTS_JOURNAL_FIXTURE_H */
