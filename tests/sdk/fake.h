/* A daemon for tests of the SDK: speaks the native protocol on one end of a socketpair,
 * with libpawl in a thread on the other, and keeps the operations of one execution the
 * way the real one does. What it is told it writes down:
 *
 *     [1 STEP START "charge" | 1 STEP SUCCEED "charge" =42]
 *
 * is one checkpoint of two updates. */
#ifndef TESTS_SDK_FAKE_H
#define TESTS_SDK_FAKE_H

#include <pthread.h>

#include "sdk/lib/service.h"
#include "sdk/wire/frame.h"
#include "sdk/wire/wire.h"

#define FAKE_OPS_MAX 2048U

struct fake_op {
    struct wire_operation operation; /* texts are copies */
    uint64_t changed;                /* fake->last of that time */
    bool is_known; /* the environment changed it itself, and no fact is missing there */
};

struct fake {
    int fd;
    pthread_t thread;
    struct service_options options;
    int served; /* what the service returned */
    struct frame_reader *reader;
    struct arena arena; /* of everything, until fake_stop() */

    /* The execution. */
    struct fake_op ops[FAKE_OPS_MAX];
    unsigned op_count;
    uint64_t last;   /* records so far */
    uint64_t base;   /* what the environment has confirmed */
    uint64_t number; /* of the running invocation */
    uint32_t attempt;
    uint32_t seq;
    const char *input;
    bool is_not_durable;
    bool answers_all; /* also what the environment changed itself */

    struct buf trace; /* checkpoints */
    struct buf logs;  /* lines of the log, with \n */
    unsigned checkpoints;
    unsigned need_fulls;

    /* Called with each checkpoint before it is answered; true: do not answer. */
    bool (*on_checkpoint)(struct fake *fake, const struct wire_checkpoint *checkpoint);
    const char *refusal; /* of all checkpoints, if set */
    struct wire_complete complete;
    struct error_object error; /* of it */
};

void fake_start(struct fake *fake, pawl_handler_fn *handler);
void fake_start_with(struct fake *fake, const struct service_options *options);
void fake_stop(struct fake *fake);

/* One invocation, from INVOKE to COMPLETE. Returns the outcome. */
uint32_t fake_run(struct fake *fake);

/* Its parts: INVOKE with what changed since the last, then messages until COMPLETE. */
void fake_invoke(struct fake *fake);
uint32_t fake_serve(struct fake *fake);

/* True when a message comes within a short time. */
bool fake_hears(struct fake *fake);

/* The next message, of any type; the test fails after a time without one. */
struct frame fake_next(struct fake *fake);
void fake_send(struct fake *fake, enum wire_type type, uint64_t number, struct bytes body);

/* Applies the updates of a checkpoint and answers it. */
void fake_apply(struct fake *fake, const struct wire_checkpoint *checkpoint);
void fake_answer(struct fake *fake, uint32_t seq);

/* Something from outside: an operation ends, or a retry is due. */
void fake_end(struct fake *fake, const char *id, enum op_status status, const char *result);
void fake_fail(struct fake *fake, const char *id, enum op_status status, const char *type,
               const char *message);
void fake_add(struct fake *fake, const char *id, enum op_type type, enum op_status status,
              const char *name, const char *sub_type);
struct wire_operation *fake_find(struct fake *fake, const char *id);

/* The trace since the last call; valid until the next. */
const char *fake_trace(struct fake *fake);

/* The result of the last COMPLETE, "(absent)" when there is none. */
const char *fake_result(struct fake *fake);
const char *fake_text(struct fake *fake, struct bytes bytes);

#endif /* TESTS_SDK_FAKE_H */
