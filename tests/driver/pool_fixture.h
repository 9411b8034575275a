/* A pool whose launcher is played by the test: environments are socket pairs, and the
 * test is the program at the other end. Everything runs in one thread. */
#ifndef TESTS_DRIVER_POOL_FIXTURE_H
#define TESTS_DRIVER_POOL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/driver/pool.h"

#define PROGRAMS_MAX 256
#define TEXT_MAX 512

/* The program's side of one environment. */
struct environment {
    struct pool_fixture *fixture;
    int native;
    int output;
    struct frame_reader *frames;
    bool has_hello;
    bool has_door; /* its init has sent one up */
    bool is_killed;
    bool is_ended;
    bool is_reported; /* on_end was called */
    struct environment_end end;
    char end_text[TEXT_MAX];
    char env[4096];  /* its variables, one a line */
    char layers[65]; /* "" = none */
    void *arg;
    environment_end_cb on_end;
};

struct pool_fixture {
    uv_loop_t loop;
    char dir[64];
    struct logs *logs;
    struct pool_options options;
    struct pool *pool;
    struct function functions[4];
    struct function_revision revisions[4]; /* of the function with that index */
    struct environment programs[PROGRAMS_MAX];
    int program_count;
    /* What the launcher does by itself. */
    bool says_no_hello;
    bool sends_bare_door; /* a byte without a descriptor */
    const char *unpack_error;
    const char *start_error; /* environments end so, not started */
    bool refuses_start;      /* environment_start() fails */
    bool keeps_killed_alive; /* until the test ends them */
    int unpacks;
    void *unpack_args[PROGRAMS_MAX];
    function_ready_cb unpack_cbs[PROGRAMS_MAX];
    uv_idle_t deliver;
    bool is_closed;
};

/* One invocation, and what was heard of it. It must outlive the test that made it: the pool
 * is closed after, and may still have it. */
struct call {
    struct invocation invocation;
    struct pool_fixture *fixture;
    bool does_not_send;
    bool invokes;               /* with invocation_invoke(), as a guest needs it */
    struct pool_fixture *again; /* invoke once more when it ends */
    int placed;
    int ended;
    int messages;
    enum wire_type last_message;
    uint64_t environment;
    uint32_t order; /* of its end among all */
    bool is_complete;
    bool is_sent;
    uint32_t outcome;
    char payload[TEXT_MAX];
    char error_type[64];
    char error_message[TEXT_MAX];
    char reason[64];
    char tail[8192];
};

int pool_fixture_set_up(void **state);    /* options may be changed, then _open() */
int pool_fixture_tear_down(void **state); /* closes, and checks that nothing is left */
void pool_fixture_open(struct pool_fixture *f);
void pool_fixture_close(struct pool_fixture *f);

void call_init(struct call *call, struct pool_fixture *f, int function);
/* What on_placed does with call->invokes. */
void call_invoke(struct call *call);
void call_start(struct call *call, struct pool_fixture *f, int function);

void program_say(struct environment *program, enum wire_type type, uint64_t number,
                 const char *body);
/* A byte of its own with a descriptor, as only an environment's init sends it. */
void program_send_descriptor(struct environment *program);
void program_hello(struct environment *program);
void program_complete(struct environment *program, uint64_t number, const char *payload);
void program_print(struct environment *program, const char *text);
void program_exit(struct environment *program, int status, int signal);
/* Runs the loop until a frame comes; returns its type. */
enum wire_type program_hear(struct environment *program, uint64_t *ret_number);
/* The next frame is INVOKE of that call. */
void program_expect_invoke(struct environment *program, const struct call *call);

/* Runs the loop until it is so. The test's alarm ends it otherwise. */
#define WAIT_UNTIL(f, condition)                                                                   \
    while (!(condition)) {                                                                         \
        (void)uv_run(&(f)->loop, UV_RUN_ONCE);                                                     \
    }

/* Some turns, for what must not happen. */
void pool_fixture_settle(struct pool_fixture *f);
struct pool_stats pool_fixture_stats(const struct pool_fixture *f);
/* The whole log of a function, in `text`. */
void pool_fixture_read_log(struct pool_fixture *f, int function, char *text, size_t size);

#endif /* TESTS_DRIVER_POOL_FIXTURE_H */
