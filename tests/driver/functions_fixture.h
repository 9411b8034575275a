/* A registry on a real journal and keyring in a directory of its own, and a launcher that
 * is played by the fixture: it defines launcher_unpack() and launcher_unpack_all(). */
#ifndef TESTS_DRIVER_FUNCTIONS_FIXTURE_H
#define TESTS_DRIVER_FUNCTIONS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/driver/function.h"

#define TENANT_A 111111111111U
#define TENANT_B 222222222222U
#define NOW_MS INT64_C(1795425600000)
#define CODES_MAX 64

struct fixture {
    char dir[64];
    uv_loop_t loop;
    struct keyring *keyring;
    struct tenant_keys *keys;
    struct tenant_keys *others; /* of TENANT_B */
    struct journal *journal;
    struct functions *functions;
};

/* setup/teardown of cmocka: everything is open. */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/* The registry is closed, the journal is closed, opened, and the registry too. */
void fixture_restart(struct fixture *f);
/* The same, but a new journal, which is empty, and no registry. */
void fixture_new_journal(struct fixture *f);
int fixture_open_functions(struct fixture *f);

/* Turns of the loop and of the launcher until nothing is under way and the views hold
 * everything. */
void fixture_settle(struct fixture *f);
/* One turn: what the journal has to say; the launcher is not asked. */
void fixture_turn(struct fixture *f);
void fixture_wait_applied(struct fixture *f);

/* --- the launcher that is played ------------------------------------------------------- */

struct played {
    uint32_t asked;    /* archives it was sent */
    uint64_t bytes;    /* of these archives */
    uint32_t unpacked; /* that were good and new */
    struct buf last;   /* the last archives it got, one behind the other */
    size_t last_count; /* how many */
    uint64_t grows_to; /* what it says of the bytes that come out */
    size_t code_count; /* in its cache */
    char codes[CODES_MAX][65];
};
extern struct played played;

/* An archive that begins with "BAD" is refused, and an empty one too, unless its code is
 * known. Answers all that wait, once. */
void played_answer(void);
void played_forget(void); /* the cache is empty */
bool played_has_work(void);

/* --- changes ------------------------------------------------------------------------------ */

struct outcome {
    int calls;
    struct function *function;
    char error[256]; /* "" if none */
};
void note_change(void *arg, struct function *function, const char *error);
void note_ready(void *arg, const char *error);

extern const struct function_config plain_config;

/* Until it is durable; returns the function. */
struct function *create_now(struct fixture *f, const char *name, struct bytes archive);
void update_now(struct fixture *f, struct function *function, const struct function_config *config,
                struct bytes archive);
void delete_now(struct fixture *f, struct function *function);

/* "" or the error. */
const char *unpack_now(struct fixture *f, struct function_revision *revision);

/* Bytes that do not repeat; the same for the same seed. */
struct bytes make_archive(struct buf *buf, size_t len, uint64_t seed);

/* Objects whose key starts with "t/<tenant>/" and `kind`. */
int count_objects(struct fixture *f, uint64_t tenant, const char *kind);

/* What the registry gave to the journal since the last `record_appends(true)`, in order. */
#define APPENDED_MAX 64
struct appended {
    enum journal_entry_kind kind;
    struct buf key;
    struct buf value;
};
extern struct appended appended[APPENDED_MAX];
extern size_t appended_count;
void record_appends(bool is_on);

/* The journal takes no new work, it says. */
extern bool journal_says_full;

/* Appends an entry as it is given, until the views have it. */
void append_object(struct fixture *f, enum journal_entry_kind kind, struct bytes key,
                   struct bytes value);

/* So many more allocations succeed, and all after them fail; -1: none fails. */
void fail_after(long allocations);

#endif /* TESTS_DRIVER_FUNCTIONS_FIXTURE_H */
